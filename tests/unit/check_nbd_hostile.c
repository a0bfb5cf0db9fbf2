/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_nbd_hostile.c - clients that want to hurt, and the life of the server:
 * floods, half payloads, replies nobody reads, storms of connections; shares
 * and patience; stale, live and foreign sockets; stop.
 */
#include <config.h>

#include "nbd_rig.h"

#include "base/bytes.h"
#include "base/units.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HOGS 24

static const struct rig_conf large = { .block_bytes = 4096, .nblocks = 3 * REQ_BYTES_MAX / 4096 };
static uint8_t block[4 * MIB];

static uint64_t buffers_in_use(void)
{
	struct lun_stats st;

	lun_get_stats(rig.lun, &st);
	return st.buf_bytes;
}

/* One request of 4 KiB is served at once. */
static void served(int fd, uint64_t cookie)
{
	nr_request(fd, 0, NBD_READ, cookie, 0, 4096);
	nr_expect_simple(fd, cookie, 0);
	nr_recv(fd, block, 4096);
}

/* --- replies that nobody reads ------------------------------------------------------------ */

#define BATCH 500

/* Reads without end, no reply is taken. Returns how many requests the server and the sockets took,
 * at most @n. */
static unsigned flood_reads(int fd, uint32_t len, unsigned n)
{
	static uint8_t b[BATCH * 28];
	unsigned i;

	for (i = 0; i < BATCH; i++)
		nr_request_bytes(b + i * 28, 0, NBD_READ, i, 0, len);
	for (i = 0; i < n && nr_try_send(fd, b, sizeof(b)) == sizeof(b); i += BATCH)
		;
	return i;
}

/* Memory stays bounded, others go on, and once they need what the hogs hold the hogs are cut. */
START_TEST(test_hogs)
{
	struct nbd_server_stats st;
	int hog[HOGS], fd;
	unsigned took = 0;

	nr_start(&large);
	fd = nr_connect();
	nr_go(fd, 0);
	for (unsigned i = 0; i < HOGS; i++) {
		hog[i] = nr_connect();
		nr_go(hog[i], 0);
		took += flood_reads(hog[i], _i ? 4096 : 4 * MIB, 30000);
		served(fd, i);
	}
	/* The server has stopped reading: what the sockets hold, not all of it. */
	ck_assert_uint_lt(took, HOGS * 30000);
	ck_assert_uint_le(buffers_in_use(), BUF_ARENA_DEFAULT);
	/* With nobody waiting they may stay as they are. */
	for (unsigned i = 0; i < 20; i++) {
		rig_advance(&rig, NS_PER_SEC / 100);
		served(fd, 1000 + i);
	}
	/* A large request needs the common part: the hogs had their time. */
	nr_request(fd, 0, NBD_READ, 7, 0, 4 * MIB);
	for (unsigned i = 0; i < 40; i++)
		rig_advance(&rig, NS_PER_SEC);
	nr_expect_simple(fd, 7, 0);
	nr_recv(fd, block, 4 * MIB);
	nbd_server_get_stats(srv, &st);
	if (!_i)
		ck_assert_uint_gt(st.cut, 0);
	served(fd, 8);
	for (unsigned i = 0; i < HOGS; i++)
		close(hog[i]);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* A slow reader among its peers is no hog: alone it may take an hour. */
START_TEST(test_slow_reader)
{
	int fd;

	nr_start(&large);
	fd = nr_connect();
	nr_go(fd, 0);
	nr_request(fd, 0, NBD_READ, 1, 0, 4 * MIB);
	nr_request(fd, 0, NBD_READ, 2, 0, 4 * MIB);
	rig_advance(&rig, 3600 * NS_PER_SEC);
	for (unsigned i = 1; i <= 2; i++) {
		nr_expect_simple(fd, i, 0);
		nr_recv(fd, block, 4 * MIB);
	}
	nr_close(fd);
	nr_stop();
}
END_TEST

/* Others hold all they can and wait for more. Whoever comes then has all in flight that it sends if they are few, and
 * some of it however many they are. */
START_TEST(test_newcomer)
{
	const unsigned hogs = _i & 2 ? HOGS : 3, want = 24;
	struct nbd_server_stats st;
	struct nbd_client_info info;
	uint64_t cursor = 0;
	int hog[HOGS], fd;

	nr_start(&large);
	for (unsigned i = 0; i < hogs; i++) {
		hog[i] = nr_connect();
		nr_go(hog[i], 0);
		flood_reads(hog[i], _i & 1 ? 4096 : MIB, 30000);
	}
	fd = nr_connect();
	nr_go(fd, 0);
	rig.hold = true;
	for (unsigned i = 0; i < want; i++)
		nr_request(fd, 0, NBD_READ, i, i * 4096, 4096);
	rig_advance(&rig, NS_PER_SEC / 100);
	while (nbd_server_next_client(srv, &cursor, &info))
		; /* the last one is ours */
	ck_assert_uint_ge(info.inflight, _i & 2 ? 1 : want);
	nbd_server_get_stats(srv, &st);
	ck_assert_uint_eq(st.cut, 0);
	nr_close(fd);
	for (unsigned i = 0; i < hogs; i++)
		close(hog[i]);
	nr_stop();
}
END_TEST

/* The client's own requests in flight are bounded by number and by bytes. */
START_TEST(test_caps)
{
	struct nbd_client_info info;
	uint8_t b[28];
	int fd;

	nr_start(&large);
	fd = nr_connect();
	nr_go(fd, 0);
	rig.hold = true;
	for (unsigned i = 0; i < 2000; i++) {
		nr_request_bytes(b, 0, NBD_READ, i, 0, _i ? MIB : 4096);
		if (nr_try_send(fd, b, sizeof(b)) < 0)
			break;
	}
	ck_assert(nr_info(&info));
	ck_assert_uint_eq(info.inflight, _i ? 32 : NBD_CONN_REQS_MAX);
	ck_assert_uint_le(info.buffer_bytes, NBD_CONN_BYTES_MAX);
	/* Its end is seen although it has used up all it may. */
	nr_close(fd);
	ck_assert(nr_info(&info));
	ck_assert(info.dead);
	nr_stop();
}
END_TEST

/* --- payloads that do not come ------------------------------------------------------------------ */

START_TEST(test_half_payload)
{
	struct nbd_client_info info;
	int slow, dead, fd;

	nr_start(&large);
	fd = nr_connect();
	nr_go(fd, 0);
	slow = nr_connect();
	dead = nr_connect();
	nr_go(slow, 0);
	nr_go(dead, 0);
	nr_request(dead, 0, NBD_WRITE, 1, 0, MIB);
	nr_send(dead, block, MIB - 1);
	nr_request(slow, 0, NBD_WRITE, 1, 0, 32 * MIB);
	/* 100 KiB a second are enough for as long as nobody waits */
	for (unsigned i = 0; i < 9; i++) {
		nr_send(slow, block, 100 * KIB);
		rig_advance(&rig, NS_PER_SEC);
		served(fd, i);
	}
	nr_expect_quiet(dead);
	for (unsigned i = 0; i < 30; i++) {
		nr_send(slow, block, 100 * KIB);
		rig_advance(&rig, NS_PER_SEC);
		served(fd, i);
	}
	nr_expect_eof(dead);
	nr_expect_quiet(slow);
	/* 10 KiB a second are not */
	for (unsigned i = 0; i < 25 && nr_try_send(slow, block, 10 * KIB) > 0; i++)
		rig_advance(&rig, NS_PER_SEC);
	nr_expect_eof(slow);
	ck_assert(nr_info(&info));
	ck_assert_uint_eq(rig.ncmds[CMD_WRITE], 0);
	ck_assert_uint_eq(buffers_in_use(), 0);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* A header that claims gigabytes takes no memory; up to 128 MiB are thrown away politely. */
START_TEST(test_absurd_writes)
{
	int fd;

	nr_start(&large);
	fd = nr_connect();
	nr_go(fd, 0);
	nr_request(fd, 0, NBD_WRITE, 1, 0, 0xffffffff);
	nr_expect_eof(fd);
	fd = nr_connect();
	nr_go(fd, 0);
	nr_request(fd, 0, NBD_WRITE, 1, 0, 40 * MIB);
	ck_assert_uint_eq(buffers_in_use(), 0);
	for (unsigned i = 0; i < 10; i++)
		nr_send(fd, block, 4 * MIB);
	nr_expect_simple(fd, 1, 75);
	served(fd, 2);
	/* thrown away, it must still come */
	nr_request(fd, 0, NBD_WRITE, 3, 0, 40 * MIB);
	rig_advance(&rig, 30 * NS_PER_SEC);
	nr_expect_eof(fd);
	nr_stop();
}
END_TEST

START_TEST(test_garbage)
{
	static const char *const texts[] = { "\x25\x60\x95\x14", "IHAVEOPT", "\0\0\0\0", "GET / HTTP/1.1\r\n" };
	int fd, other;

	nr_start(NULL);
	other = nr_connect();
	nr_go(other, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		fd = nr_connect();
		nr_go(fd, 0);
		/* a good one before it is answered or not, but runs */
		nr_request(fd, 0, NBD_READ, 1, 0, 512);
		memset(block, 0, 28);
		strcpy((char *)block, texts[i]);
		nr_send(fd, block, 28);
		nr_expect_eof(fd);
		served(other, i);
	}
	nr_close(other);
	nr_stop();
}
END_TEST

/* --- connections ---------------------------------------------------------------------------------- */

START_TEST(test_too_many)
{
	struct nbd_server_stats st;
	int fd[5], pair[2];

	nbd_conf_default(&nr_conf);
	nr_conf.max_conns = 4;
	nr_start(NULL);
	for (unsigned i = 0; i < 4; i++)
		fd[i] = nr_connect();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		ck_assert_int_eq(nbd_server_add(srv, pair[1]), -ENOSPC);
		nr_expect_eof(pair[0]);
	}
	/* a slot is free as soon as its client is gone */
	nr_close(fd[1]);
	fd[1] = nr_connect();
	nr_go(fd[1], 0);
	nbd_server_get_stats(srv, &st);
	ck_assert_uint_eq(st.accepted, 5);
	ck_assert_uint_eq(st.refused, 3);
	ck_assert_uint_eq(st.clients, 4);
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
	nr_stop();
}
END_TEST

/* Clients come and go, each with a request in flight, while the LUN hangs: bounded. */
START_TEST(test_storm)
{
	struct nbd_server_stats st;
	int pair[2];

	nbd_conf_default(&nr_conf);
	nr_conf.max_conns = 4;
	nr_start(NULL);
	rig.hold = true;
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		if (nbd_server_add(srv, pair[1]) == 0) {
			nr_go(pair[0], 0);
			nr_request(pair[0], 0, NBD_WRITE, 1, i * 512, 512);
			nr_send(pair[0], block, 512);
		}
		nr_close(pair[0]);
	}
	nbd_server_get_stats(srv, &st);
	ck_assert_uint_eq(st.clients, 0);
	ck_assert_uint_eq(st.orphans, 16);
	rig_release(&rig);
	nbd_server_get_stats(srv, &st);
	ck_assert_uint_eq(st.orphans, 0);
	nr_stop();
}
END_TEST

/* --- sockets ------------------------------------------------------------------------------------------ */

static char dir[64];

static void make_dir(void)
{
	strcpy(dir, "/tmp/lunmux-nbd-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	nbd_conf_default(&nr_conf);
	snprintf(nr_conf.unix_path, sizeof(nr_conf.unix_path), "%s/nbd.sock", dir);
	strcpy(nr_conf.export_name, "db01");
}

static int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int bound(const char *path, bool listening)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (listening)
		ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

START_TEST(test_unix)
{
	char uri[256], want[256], path[NBD_UNIX_PATH_MAX];
	struct stat st;
	int fd;

	make_dir();
	nr_start(NULL);
	strcpy(path, nr_conf.unix_path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	nbd_server_uri(srv, uri, sizeof(uri));
	snprintf(want, sizeof(want), "nbd+unix:///db01?socket=%s", path);
	ck_assert_str_eq(uri, want);
	fd = dial(path);
	ck_assert_int_ge(fd, 0);
	nr_go(fd, 0);
	served(fd, 1);
	nr_close(fd);
	nr_stop();
	ck_assert_int_lt(stat(path, &st), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* Left over from a crash: replaced. Somebody listens: refused, and left alone. */
START_TEST(test_stale_live)
{
	struct nbd_server *second;
	struct stat before, after;
	int fd;

	make_dir();
	close(bound(nr_conf.unix_path, true));
	nr_start(NULL);
	fd = dial(nr_conf.unix_path);
	ck_assert_int_ge(fd, 0);
	nr_go(fd, 0);
	ck_assert_int_eq(stat(nr_conf.unix_path, &before), 0);
	ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &second), -EADDRINUSE);
	ck_assert_int_eq(stat(nr_conf.unix_path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	rig_pump(&rig);
	served(fd, 1);
	nr_close(fd);
	nr_stop();
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* What somebody else put in place of our socket is not removed at the end. */
START_TEST(test_replaced)
{
	char path[NBD_UNIX_PATH_MAX], other[NBD_UNIX_PATH_MAX];
	int fd;

	make_dir();
	nr_start(NULL);
	strcpy(path, nr_conf.unix_path);
	/* ours stays under another name, so that its inode is not used again */
	snprintf(other, sizeof(other), "%s/other", dir);
	ck_assert_int_eq(rename(path, other), 0);
	fd = bound(path, true);
	nr_stop();
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(unlink(other), 0);
	close(fd);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(test_bad_places)
{
	struct nbd_server *s;
	char file[NBD_UNIX_PATH_MAX];
	struct stat st;

	make_dir();
	rig_start(&rig, NULL);
	strcpy(file, nr_conf.unix_path);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &s), -EEXIST);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(mkdir(file, 0700), 0);
	ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &s), -EEXIST);
	ck_assert_int_eq(rmdir(file), 0);
	snprintf(nr_conf.unix_path, sizeof(nr_conf.unix_path), "%s/no/nbd.sock", dir);
	ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &s), -ENOENT);
	/* the second address fails: the first leaves nothing behind */
	strcpy(nr_conf.unix_path, file);
	static const char *const hosts[] = { "0.0.0.0", "::", "192.0.2.1", "example.org", "127.0.0", " " };
	for (unsigned i = 0; i < ARRAY_SIZE(hosts); i++) {
		strcpy(nr_conf.tcp_host, hosts[i]);
		ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &s), -EINVAL);
		ck_assert_int_lt(stat(file, &st), 0);
	}
	nr_conf.tcp_host[0] = '\0';
	nr_conf.max_conns = NBD_CONNS_MAX + 1;
	ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &s), -EINVAL);
	ck_assert_int_eq(rmdir(dir), 0);
	rig_stop(&rig);
}
END_TEST

START_TEST(test_tcp)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct nbd_client_info info;
	char uri[128], want[128];
	int fd;

	nbd_conf_default(&nr_conf);
	strcpy(nr_conf.tcp_host, _i ? "localhost" : "127.0.0.1");
	nr_conf.tcp_port = 0;
	nr_start(NULL);
	ck_assert_uint_ne(nbd_server_port(srv), 0);
	nbd_server_uri(srv, uri, sizeof(uri));
	snprintf(want, sizeof(want), "nbd://%s:%u/db01", nr_conf.tcp_host, nbd_server_port(srv));
	ck_assert_str_eq(uri, want);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(nbd_server_port(srv));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	nr_go(fd, 0);
	served(fd, 1);
	ck_assert(nr_info(&info));
	ck_assert_int_eq(strncmp(info.peer, "127.0.0.1:", 10), 0);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* Out of descriptors: the loop does not spin, and later the client is served. */
START_TEST(test_emfile)
{
	struct rlimit old, none;
	int fd, probe;

	make_dir();
	nr_start(NULL);
	fd = dial(nr_conf.unix_path);
	probe = dup(fd);
	close(probe);
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = (rlim_t)probe;
	setrlimit(RLIMIT_NOFILE, &none);
	rig_advance(&rig, 2 * NS_PER_SEC); /* rig_pump() would abort on a loop that spins */
	setrlimit(RLIMIT_NOFILE, &old);
	rig_advance(&rig, NS_PER_SEC);
	nr_go(fd, 0);
	nr_close(fd);
	nr_stop();
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* No path has passed its check yet: clients wait in the backlog, then are served. */
START_TEST(test_late_geometry)
{
	const struct rig_conf late = { .late = true };
	int fd, pair[2];

	make_dir();
	nr_start(&late);
	fd = dial(nr_conf.unix_path);
	ck_assert_int_ge(fd, 0);
	nr_expect_quiet(fd);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(nbd_server_add(srv, pair[1]), -EAGAIN);
	close(pair[0]);
	rig_advance(&rig, 2 * NS_PER_SEC);
	nr_go(fd, 0);
	served(fd, 1);
	nr_close(fd);
	nr_stop();
	/* stopped before it ever was ready */
	strcpy(nr_conf.unix_path, "");
	nr_start(&late);
	nr_stop();
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* --- who comes back ------------------------------------------------------------------------------ */

/* A client gives up on a connection whose requests wait for their turn, with more behind them than the server
 * reads ahead, and comes back by another one. What it writes there is newer. */
START_TEST(test_comes_back)
{
	const uint64_t at = 8 * MIB;
	int hog, old, new;

	nr_start(&large);
	hog = nr_connect();
	nr_go(hog, 0);
	rig.hold = true;
	for (unsigned i = 0; i < 20; i++)
		nr_request(hog, 0, NBD_READ, i, 0, 4 * MIB);
	old = nr_connect();
	nr_go(old, 0);
	nr_request(old, 0, NBD_CACHE, 0, 0, MIB); /* more than its own share */
	rig_pattern(block, at, 4096, 1);
	nr_request(old, 0, NBD_WRITE, 1, at, 4096);
	nr_send(old, block, 4096);
	for (unsigned i = 0; i < 50; i++) {
		nr_request(old, 0, NBD_WRITE, i, 0, 4096);
		nr_try_send(old, block, 4096);
	}
	close(old);
	new = nr_connect();
	nr_go(new, 0);
	rig_pattern(block, at, 4096, 2);
	nr_request(new, 0, NBD_WRITE, 1, at, 4096);
	nr_send(new, block, 4096);
	rig_release(&rig);
	nr_expect_simple(new, 1, 0);
	close(hog);
	rig_advance(&rig, NS_PER_SEC);
	ck_assert(rig_is_pattern(rig.disk + at, at, 4096, 2));
	nr_close(new);
	nr_stop();
}
END_TEST

/* --- stop ------------------------------------------------------------------------------------------------- */

/* What is at the LUN is answered; half a payload, what waits for room and what was not read yet
 * is not; those in the handshake are closed. */
START_TEST(test_stop)
{
	const struct rig_conf few = { .max_reqs = 8 };
	int busy, half, shake, idle;

	nr_start(&few);
	busy = nr_connect();
	half = nr_connect();
	idle = nr_connect();
	nr_go(busy, 0);
	nr_go(half, 0);
	nr_go(idle, 0);
	shake = nr_connect();
	nr_greet(shake);
	nr_request(half, 0, NBD_WRITE, 1, 0, MIB);
	nr_send(half, block, MIB / 2);
	rig.hold = true;
	for (unsigned i = 0; i < 30; i++)
		nr_request(busy, 0, NBD_CACHE, i, i * 4096, 512);
	nbd_server_stop(srv);
	nbd_server_stop(srv);
	nr_expect_eof(idle);
	nr_expect_eof(half);
	nr_expect_eof(shake);
	nr_expect_quiet(busy);
	ck_assert(!nbd_server_stopped(srv));
	rig_release(&rig);
	for (unsigned i = 0; i < rig.ncmds[CMD_READ]; i++)
		nr_expect_simple(busy, i, 0);
	nr_expect_eof(busy);
	ck_assert(nr_stopped);
	ck_assert_uint_le(rig.ncmds[CMD_READ], 8);
	ck_assert_uint_ge(rig.ncmds[CMD_READ], 1);
	nr_stop();
}
END_TEST

/* Neither does a client that takes no replies keep us. */
START_TEST(test_stop_stuck)
{
	int fd;

	nr_start(&large);
	fd = nr_connect();
	nr_go(fd, 0);
	nr_request(fd, 0, NBD_READ, 1, 0, 4 * MIB);
	nbd_server_stop(srv);
	rig_pump(&rig);
	ck_assert(!nbd_server_stopped(srv));
	nr_stop();
	close(fd);
}
END_TEST

START_TEST(test_free_running)
{
	nr_start(NULL);
	nbd_server_free(srv);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nbd hostile");
	TCase *tc = tcase_create("nbd hostile");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_hogs, 0, 2);
	tcase_add_loop_test(tc, test_newcomer, 0, 4);
	tcase_add_test(tc, test_slow_reader);
	tcase_add_loop_test(tc, test_caps, 0, 2);
	tcase_add_test(tc, test_half_payload);
	tcase_add_test(tc, test_absurd_writes);
	tcase_add_test(tc, test_garbage);
	tcase_add_test(tc, test_too_many);
	tcase_add_test(tc, test_storm);
	tcase_add_test(tc, test_unix);
	tcase_add_test(tc, test_stale_live);
	tcase_add_test(tc, test_replaced);
	tcase_add_test(tc, test_bad_places);
	tcase_add_loop_test(tc, test_tcp, 0, 2);
	tcase_add_test(tc, test_emfile);
	tcase_add_test(tc, test_late_geometry);
	tcase_add_test(tc, test_comes_back);
	tcase_add_test(tc, test_stop);
	tcase_add_test(tc, test_stop_stuck);
	unit_add_abort(tc, test_free_running);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
