/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_nbd_attach.c - the attachment against a kernel that is played here:
 * connect, take over, a socket that is dropped, ends of all kinds, growth, and
 * the orderly stop.  What crosses the socket is real: requests without a
 * handshake, answered once.
 */
#include <config.h>

#include "nbd_rig.h"

#include "base/bytes.h"
#include "base/units.h"
#include "export/nbd_attach.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel: one driver, one device of ours at most. Its calls come from the attachment's thread. */
static struct {
	pthread_mutex_t lock;
	bool loaded;
	int index;	  /* of the device, -1: there is none */
	int taken;	  /* the index that somebody else has, -1 */
	int sock;	  /* its end of our socket, -1: dead */
	bool sock_alive;  /* the old one is not dead yet: a new one is dropped */
	char backend[NBD_BACKEND_BYTES], user[64];
	uint64_t size, dead_sec;
	uint16_t flags;
	uint32_t block_bytes;
	unsigned connects, reconfigures, disconnects, tunes, resizes;
	int err; /* of connect and reconfigure */
	int tune_err;
} kernel = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct nbd_attach *at;
static bool at_stopped;

static int k_find(const struct nbd_device_spec *spec, char ret[NBD_BACKEND_BYTES])
{
	int r = kernel.index;

	pthread_mutex_lock(&kernel.lock);
	if (!kernel.loaded)
		r = -ENODEV;
	else if (r < 0 || strncmp(kernel.backend, spec->backend, spec->backend_key_len) != 0)
		r = -ENOENT;
	else
		memcpy(ret, kernel.backend, sizeof(kernel.backend));
	pthread_mutex_unlock(&kernel.lock);
	return r;
}

static int k_connect(const struct nbd_device_spec *spec, int index, int fd)
{
	int r = -EBUSY;

	pthread_mutex_lock(&kernel.lock);
	kernel.connects++;
	if (kernel.err) {
		r = kernel.err;
	} else if (index < 0 || index != kernel.taken) {
		r = kernel.index = index < 0 ? 2 : index;
		kernel.sock = dup(fd);
		kernel.size = spec->size_bytes;
		kernel.flags = spec->flags;
		kernel.block_bytes = spec->block_bytes;
		kernel.dead_sec = spec->dead_sec;
		memcpy(kernel.backend, spec->backend, sizeof(kernel.backend));
	}
	pthread_mutex_unlock(&kernel.lock);
	return r;
}

static int k_reconfigure(const struct nbd_device_spec *spec, int index, int fd)
{
	int r = 0;

	pthread_mutex_lock(&kernel.lock);
	kernel.reconfigures++;
	if (index != kernel.index || strcmp(spec->backend, kernel.backend) != 0)
		r = -EINVAL;
	else if (kernel.err)
		r = kernel.err;
	if (r == 0 && spec->size_bytes) {
		kernel.size = spec->size_bytes;
		kernel.resizes++;
	}
	if (r == 0 && fd >= 0 && !kernel.sock_alive)
		kernel.sock = dup(fd);
	pthread_mutex_unlock(&kernel.lock);
	return r;
}

static int k_disconnect(int index)
{
	uint8_t disc[28];

	pthread_mutex_lock(&kernel.lock);
	kernel.disconnects++;
	nr_request_bytes(disc, 0, NBD_DISC, 0, 0, 0);
	if (kernel.sock >= 0) {
		(void)!send(kernel.sock, disc, sizeof(disc), MSG_NOSIGNAL);
		close(kernel.sock);
	}
	kernel.sock = kernel.index = -1;
	pthread_mutex_unlock(&kernel.lock);
	return 0;
}

static uint64_t k_size(int index)
{
	uint64_t size;

	pthread_mutex_lock(&kernel.lock);
	size = index == kernel.index ? kernel.size : 0;
	pthread_mutex_unlock(&kernel.lock);
	return size;
}

static int k_tune(int index, char *what, size_t size)
{
	int r;

	pthread_mutex_lock(&kernel.lock);
	kernel.tunes++;
	r = kernel.tune_err;
	snprintf(what, size, "io_timeout");
	pthread_mutex_unlock(&kernel.lock);
	return r;
}

static bool k_in_use(int index, char *who, size_t size)
{
	bool used;

	pthread_mutex_lock(&kernel.lock);
	used = kernel.user[0] != '\0';
	snprintf(who, size, "%s", kernel.user);
	pthread_mutex_unlock(&kernel.lock);
	return used;
}

static const struct nbd_kernel_ops fake_kernel = {
	.name = "fake",
	.find = k_find,
	.connect = k_connect,
	.reconfigure = k_reconfigure,
	.disconnect = k_disconnect,
	.size_bytes = k_size,
	.tune = k_tune,
	.in_use = k_in_use,
};

/* --- the frame -------------------------------------------------------------------------------- */

static struct nbd_attach_info info(void)
{
	struct nbd_attach_info i;

	nbd_attach_get_info(at, &i);
	return i;
}

/* The thread takes real time. */
static void until_idle(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		rig_pump(&rig);
		if (!nbd_attach_busy(at))
			return;
		usleep(500);
	}
	ck_abort_msg("the thread does not answer");
}

static void pass(uint64_t ns)
{
	rig_advance(&rig, ns);
	until_idle();
	rig_pump(&rig);
}

static void make_attach(void)
{
	struct nbd_attach_conf ac = { .kernel = &fake_kernel, .wwid = "3600a", .name = "db01",
				      .dead_ns = 600 * NS_PER_SEC };

	ck_assert_int_eq(nbd_attach_new(rig.loop, srv, rig.lun, &ac, &at), 0);
	ck_assert_int_eq(info().state, NBD_A_OFF);
}

static void start(const struct rig_conf *conf)
{
	kernel.loaded = true;
	kernel.index = kernel.taken = kernel.sock = -1;
	nr_start(conf);
	make_attach();
}

static void on_stopped(void *arg)
{
	at_stopped = true;
}

static void stop_attach(void)
{
	nbd_attach_stop(at, true, on_stopped, NULL);
	for (unsigned i = 0; i < 20000 && !at_stopped; i++) {
		rig_pump(&rig);
		usleep(500);
	}
	ck_assert(at_stopped);
}

static void finish(void)
{
	nbd_server_stop(srv);
	rig_release(&rig);
	rig_pump(&rig);
	nbd_attach_free(at);
	nr_stop();
}

static void stop(void)
{
	stop_attach();
	finish();
	if (kernel.sock >= 0)
		close(kernel.sock);
}

static void attach(void)
{
	ck_assert_int_eq(nbd_attach_start(at, NBD_ANY_INDEX, true), 0);
	until_idle();
	ck_assert_int_eq(info().state, NBD_A_ATTACHED);
	until_idle();
}

/* The kernel's end dies, as when our process had. */
static void lose(void)
{
	close(kernel.sock);
	kernel.sock = -1;
	rig_pump(&rig);
	until_idle();
}

static void expect_io(void)
{
	uint8_t out[512], in[512];

	rig_pattern(out, 4096, sizeof(out), 3);
	nr_request(kernel.sock, 0, NBD_WRITE, 77, 4096, sizeof(out));
	nr_send(kernel.sock, out, sizeof(out));
	nr_expect_simple(kernel.sock, 77, 0);
	nr_request(kernel.sock, 0, NBD_READ, 78, 4096, sizeof(in));
	nr_expect_simple(kernel.sock, 78, 0);
	nr_recv(kernel.sock, in, sizeof(in));
	ck_assert_mem_eq(in, out, sizeof(in));
}

/* --- the cases ----------------------------------------------------------------------------------- */

START_TEST(test_attach)
{
	struct nbd_client_info c;

	start(&(struct rig_conf){ 0 });
	attach();
	ck_assert_int_eq(info().index, 2);
	ck_assert_str_eq(kernel.backend, "lunmux:3600a:db01");
	ck_assert_uint_eq(kernel.size, 8192 * 512);
	ck_assert_uint_eq(kernel.block_bytes, 512);
	ck_assert_uint_eq(kernel.dead_sec, 600);
	ck_assert_uint_eq(kernel.flags, nbd_server_kernel_flags(srv));
	ck_assert_uint_eq(kernel.tunes, 1);
	ck_assert_uint_eq(kernel.resizes, 0);
	expect_io();
	ck_assert(nr_info(&c));
	ck_assert_str_eq(c.peer, "kernel /dev/nbd2");
	ck_assert_int_eq(nbd_attach_start(at, NBD_ANY_INDEX, true), -EALREADY);
	stop();
	ck_assert_uint_eq(kernel.disconnects, 1);
}
END_TEST

/* The service's user may not set the queue, and udev, which does, may come later: looked at once more, then told. */
START_TEST(test_queue_set_by_udev)
{
	start(&(struct rig_conf){ 0 });
	kernel.tune_err = -EACCES;
	attach();
	ck_assert_uint_eq(kernel.tunes, 1);
	pass(4 * NS_PER_SEC);
	ck_assert_uint_eq(kernel.tunes, 1);
	pass(2 * NS_PER_SEC);
	ck_assert_uint_eq(kernel.tunes, 2);
	pass(60 * NS_PER_SEC);
	ck_assert_uint_eq(kernel.tunes, 2);
	expect_io();
	stop();
}
END_TEST

/* Blocks that the kernel cannot have are shown as pages, and a limit of clients is not for it. */
START_TEST(test_large_blocks_full_house)
{
	int fd;

	nbd_conf_default(&nr_conf);
	nr_conf.max_conns = 1;
	start(&(struct rig_conf){ .block_bytes = 8192 });
	fd = nr_connect();
	attach();
	ck_assert_uint_eq(kernel.block_bytes, 4096);
	expect_io();
	nr_close(fd);
	stop();
}
END_TEST

START_TEST(test_takeover)
{
	start(&(struct rig_conf){ 0 });
	/* The alias was another then: the key is the WWID. */
	kernel.index = 5;
	strcpy(kernel.backend, "lunmux:3600a:old");
	kernel.size = 8192 * 512;
	attach();
	ck_assert_int_eq(info().index, 5);
	ck_assert_uint_eq(info().takeovers, 1);
	ck_assert_uint_eq(kernel.connects, 0);
	ck_assert_uint_eq(kernel.reconfigures, 1);
	/* TRIM was offered to it by somebody who could. */
	nr_request(kernel.sock, 0, NBD_TRIM, 9, 0, 4096);
	nr_expect_simple(kernel.sock, 9, 0);
	expect_io();
	strcpy(kernel.user, "mounted on /srv");
	stop();
	ck_assert_uint_eq(kernel.disconnects, 0);
}
END_TEST

START_TEST(test_not_ours)
{
	start(&(struct rig_conf){ 0 });
	kernel.index = 5;
	strcpy(kernel.backend, "lunmux:3600ab:db01");
	ck_assert_int_eq(nbd_attach_start(at, NBD_ANY_INDEX, true), 0);
	until_idle();
	ck_assert_uint_eq(kernel.connects, 1);
	ck_assert_int_eq(info().index, 2);
	stop();
}
END_TEST

/* RECONFIGURE says 0 while the old socket lives, and drops the new one. */
START_TEST(test_dropped)
{
	start(&(struct rig_conf){ 0 });
	kernel.index = 5;
	kernel.size = 8192 * 512;
	strcpy(kernel.backend, "lunmux:3600a:db01");
	kernel.sock_alive = true;
	ck_assert_int_eq(nbd_attach_start(at, NBD_ANY_INDEX, false), 0);
	until_idle();
	ck_assert_int_eq(info().state, NBD_A_WAITING);
	ck_assert_str_eq(info().error, "/dev/nbd5: its old connection is not dead yet");
	pass(200 * NS_PER_MS);
	ck_assert_uint_ge(kernel.reconfigures, 2);
	ck_assert_int_eq(info().state, NBD_A_WAITING);
	kernel.sock_alive = false;
	pass(200 * NS_PER_MS);
	ck_assert_int_eq(info().state, NBD_A_ATTACHED);
	ck_assert_str_eq(info().error, "");
	expect_io();
	stop();
}
END_TEST

START_TEST(test_lost_connection)
{
	uint8_t half[16] = { 0x25, 0x60, 0x95, 0x13 };

	start(&(struct rig_conf){ 0 });
	attach();
	rig_advance(&rig, 2 * NS_PER_SEC);
	(void)!send(kernel.sock, half, sizeof(half), 0);
	lose();
	ck_assert_int_eq(info().state, NBD_A_ATTACHED);
	ck_assert_uint_eq(info().takeovers, 1);
	ck_assert_uint_eq(kernel.connects, 1);
	expect_io();
	/* One that does not live is not replaced at once again and again. */
	lose();
	ck_assert_int_eq(info().state, NBD_A_WAITING);
	pass(2 * NS_PER_SEC);
	ck_assert_int_eq(info().state, NBD_A_ATTACHED);
	expect_io();
	stop();
}
END_TEST

/* nbd-client -d: who did that had a reason. */
START_TEST(test_detached_by_somebody_else)
{
	start(&(struct rig_conf){ 0 });
	attach();
	k_disconnect(2);
	rig_pump(&rig);
	ck_assert_int_eq(info().state, NBD_A_OFF);
	pass(10 * NS_PER_SEC);
	ck_assert_int_eq(info().state, NBD_A_OFF);
	ck_assert_int_eq(info().index, -1);
	attach();
	expect_io();
	stop();
}
END_TEST

START_TEST(test_detach)
{
	start(&(struct rig_conf){ 0 });
	ck_assert_int_eq(nbd_attach_detach(at, false), -ENOTCONN);
	attach();
	strcpy(kernel.user, "mounted on /srv");
	ck_assert_int_eq(nbd_attach_detach(at, false), 0);
	ck_assert_int_eq(nbd_attach_detach(at, false), -EBUSY);
	until_idle();
	ck_assert_int_eq(info().state, NBD_A_ATTACHED);
	ck_assert_str_eq(info().error, "/dev/nbd2 is in use: mounted on /srv");
	ck_assert_uint_eq(info().attempts, 2);
	expect_io();
	ck_assert_int_eq(nbd_attach_detach(at, true), 0);
	until_idle();
	rig_pump(&rig);
	ck_assert_int_eq(info().state, NBD_A_OFF);
	ck_assert_uint_eq(kernel.disconnects, 1);
	ck_assert_str_eq(info().error, "");
	stop();
}
END_TEST

START_TEST(test_failures)
{
	start(&(struct rig_conf){ 0 });
	kernel.loaded = false;
	ck_assert_int_eq(nbd_attach_start(at, NBD_ANY_INDEX, true), 0);
	until_idle();
	ck_assert_int_eq(info().state, NBD_A_WAITING);
	ck_assert_ptr_nonnull(strstr(info().error, "modprobe nbd"));
	kernel.loaded = true;
	kernel.taken = 3;
	pass(2 * NS_PER_SEC);
	ck_assert_int_eq(info().state, NBD_A_ATTACHED);
	ck_assert_int_eq(nbd_attach_detach(at, false), 0);
	until_idle();
	rig_pump(&rig);
	/* Asked for once: one answer. */
	ck_assert_int_eq(nbd_attach_start(at, 3, false), 0);
	until_idle();
	ck_assert_int_eq(info().state, NBD_A_OFF);
	ck_assert_str_eq(info().error, "/dev/nbd3: cannot be attached: it is in use");
	/* The configuration asks for it: somebody may let go of it. */
	ck_assert_int_eq(nbd_attach_start(at, 3, true), 0);
	until_idle();
	ck_assert_int_eq(info().state, NBD_A_WAITING);
	/* Not so without the rights. */
	kernel.err = -EPERM;
	pass(2 * NS_PER_SEC);
	ck_assert_int_eq(info().state, NBD_A_OFF);
	ck_assert_ptr_nonnull(strstr(info().error, "CAP_SYS_ADMIN"));
	kernel.err = 0;
	kernel.taken = -1;
	ck_assert_int_eq(nbd_attach_start(at, 3, true), 0);
	until_idle();
	ck_assert_int_eq(info().index, 3);
	stop();
}
END_TEST

/* The predecessor's device is smaller than the LUN is by now. */
START_TEST(test_grown_meanwhile)
{
	start(&(struct rig_conf){ 0 });
	kernel.index = 5;
	kernel.size = 4096 * 512;
	strcpy(kernel.backend, "lunmux:3600a:db01");
	attach();
	ck_assert_uint_eq(kernel.size, 8192 * 512);
	ck_assert_uint_eq(kernel.resizes, 1);
	/* It is the size alone: the socket is the one that it had. */
	expect_io();
	stop();
}
END_TEST

/* Requests in flight are answered before the end, those behind them are left to the successor. */
START_TEST(test_stop_in_use)
{
	uint8_t b;

	start(&(struct rig_conf){ 0 });
	attach();
	strcpy(kernel.user, "held by /dev/dm-0");
	rig.hold = true;
	nr_request(kernel.sock, 0, NBD_READ, 1, 0, 512);
	stop_attach();
	ck_assert_uint_eq(kernel.disconnects, 0);
	ck_assert_int_eq(nbd_attach_start(at, NBD_ANY_INDEX, true), -ESHUTDOWN);
	ck_assert_int_eq(nbd_attach_detach(at, true), -ESHUTDOWN);
	nbd_server_stop(srv);
	nr_request(kernel.sock, 0, NBD_READ, 2, 0, 512);
	rig_release(&rig);
	nr_expect_simple(kernel.sock, 1, 0);
	for (unsigned i = 0; i < 512; i++)
		nr_recv(kernel.sock, &b, 1);
	ck_assert_int_le(nr_try_recv(kernel.sock, &b, 1), 0);
	finish();
	close(kernel.sock);
}
END_TEST

/* Server and attachment of the next process, with the one connection of the last; *was is what that one said of it. */
static void next_process(struct nbd_attach_info *was, struct nbd_conn_state *ret)
{
	struct nbd_conn_state *all;
	size_t n;

	*was = info();
	ck_assert_int_eq(nbd_server_save(srv, &all, &n), 0);
	ck_assert_uint_eq(n, 1);
	*ret = all[0];
	free(all);
	ck_assert(ret->kernel);
	ret->fd = nr_take_away(ret->fd);
	stop_attach();
	at_stopped = false;
	nbd_server_stop(srv);
	rig_pump(&rig);
	ck_assert(nbd_server_stopped(srv));
	nbd_attach_free(at);
	nbd_server_free(srv);
	ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &srv), 0);
	make_attach();
}

/* The next process gets the connection as it is, the kernel is asked nothing; what it has said meanwhile is answered. */
START_TEST(test_adopt)
{
	struct nbd_conn_state st;
	struct nbd_attach_info was;
	uint8_t data[512];

	start(&(struct rig_conf){ 0 });
	kernel.index = 5;
	strcpy(kernel.backend, "lunmux:3600a:db01");
	kernel.size = 8192 * 512;
	attach();
	strcpy(kernel.user, "mounted on /srv");
	rig_advance(&rig, 2 * NS_PER_SEC);
	nbd_server_freeze(srv);
	rig_pump(&rig);
	nr_request(kernel.sock, 0, NBD_READ, 1, 0, sizeof(data));
	next_process(&was, &st);
	ck_assert_int_eq(nbd_attach_adopt(at, was.index, was.backend, was.size_bytes, was.takeovers, &st), 0);
	nbd_conn_state_clear(&st);
	ck_assert_int_eq(info().state, NBD_A_ATTACHED);
	until_idle();
	nr_expect_simple(kernel.sock, 1, 0);
	nr_recv(kernel.sock, data, sizeof(data));
	expect_io();
	ck_assert_int_eq(info().index, 5);
	ck_assert_uint_eq(info().takeovers, 1);
	ck_assert_str_eq(info().backend, "lunmux:3600a:db01");
	ck_assert_uint_eq(kernel.connects, 0);
	ck_assert_uint_eq(kernel.reconfigures, 1);
	/* It is ours as any other, and as old as it is: lost, it is taken over at once. */
	lose();
	ck_assert_int_eq(info().state, NBD_A_ATTACHED);
	ck_assert_uint_eq(info().takeovers, 2);
	expect_io();
	kernel.user[0] = '\0';
	stop();
	ck_assert_uint_eq(kernel.disconnects, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_attach, test_large_blocks_full_house, test_takeover, test_not_ours, test_dropped,
		test_lost_connection, test_detached_by_somebody_else, test_detach, test_failures,
		test_grown_meanwhile, test_stop_in_use, test_queue_set_by_udev,
		test_adopt,
	};
	Suite *s = suite_create("nbd_attach");
	TCase *tc = tcase_create("nbd_attach");

	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
