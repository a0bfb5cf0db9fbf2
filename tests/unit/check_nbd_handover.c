/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_nbd_handover.c - connections go from one server to the next: cut at any byte
 * of what the client says, every request is answered once, and as it should be.
 */
#include <config.h>

#include "nbd_rig.h"

#include "base/bytes.h"
#include "base/units.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE (96u * 1024u)
#define SIZE  (8192u * 512u)

static const struct rig_conf plain;
static const struct rig_conf late = { .late = true };

static void adopt_all(struct nbd_conn_state *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(nbd_server_adopt(srv, &all[i], NULL, NULL), 0);
		nbd_conn_state_clear(&all[i]);
	}
	free(all);
	rig_pump(&rig);
}

/* Returns the number of bytes that were carried, of both kinds. */
static size_t handover(void)
{
	struct nbd_conn_state *all;
	size_t n, bytes = 0;
	uint64_t size;
	uint32_t block;

	nbd_server_freeze(srv);
	rig_pump(&rig);
	ck_assert(nbd_server_is_idle(srv));
	ck_assert_int_eq(nbd_server_save(srv, &all, &n), 0);
	nbd_server_told(srv, &size, &block);
	for (size_t i = 0; i < n; i++) {
		all[i].fd = nr_take_away(all[i].fd);
		bytes += all[i].in_len + all[i].out_len;
	}
	nbd_server_stop(srv);
	for (unsigned i = 0; i < 3 && !nbd_server_stopped(srv); i++)
		rig_pump(&rig);
	ck_assert(nbd_server_stopped(srv));
	nbd_server_free(srv);
	ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &srv), 0);
	nbd_server_carry(srv, size, block);
	adopt_all(all, n);
	return bytes;
}

/* --- cut anywhere ------------------------------------------------------------------------------ */

struct stream {
	uint8_t *data;
	size_t len;
};

static void add(struct stream *s, const void *data, size_t len)
{
	if (!len)
		return;
	s->data = realloc(s->data, s->len + len);
	memcpy(s->data + s->len, data, len);
	s->len += len;
}

static void add_option(struct stream *s, uint32_t opt, const void *data, uint32_t len)
{
	uint8_t h[16];

	memcpy(h, "IHAVEOPT", 8);
	put_be32(h + 8, opt);
	put_be32(h + 12, len);
	add(s, h, sizeof(h));
	add(s, data, len);
}

static void add_request(struct stream *s, uint16_t type, uint64_t cookie, uint64_t offset, uint32_t len,
			unsigned seed)
{
	uint8_t h[28], *data;

	nr_request_bytes(h, 0, type, cookie, offset, len);
	add(s, h, sizeof(h));
	if (type != NBD_WRITE)
		return;
	data = malloc(len);
	rig_pattern(data, offset, len, seed);
	add(s, data, len);
	free(data);
}

static struct stream make_stream(unsigned seed)
{
	static const uint8_t flags[4] = { 0, 0, 0, 3 };
	uint8_t data[128], junk[300] = { 0 };
	struct stream s = { NULL, 0 };

	add(&s, flags, sizeof(flags));
	add_option(&s, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	add_option(&s, 4711, junk, sizeof(junk));
	add_option(&s, NBD_OPT_GO, data, nr_info_data(data, "db01", 0, NULL));
	add_request(&s, NBD_WRITE, 1, 0, 4096, seed);
	add_request(&s, NBD_WRITE, 2, 65536, LARGE, seed);
	add_request(&s, NBD_READ, 3, 0, 4096, 0);
	add_request(&s, NBD_WRITE, 4, SIZE - 512, 40960, seed); /* beyond the end */
	add_request(&s, NBD_FLUSH, 5, 0, 0, 0);
	add_request(&s, NBD_READ, 6, 65536, LARGE, 0);
	return s;
}

static void expect_data(int fd, uint32_t len, uint64_t offset, uint32_t bytes, unsigned seed)
{
	uint8_t *data = malloc(bytes + 8);

	ck_assert_uint_eq(len, bytes + 8);
	nr_recv(fd, data, bytes + 8);
	ck_assert(get_be64(data) == offset);
	ck_assert(rig_is_pattern(data + 8, offset, bytes, seed));
	free(data);
}

static void expect_options(int fd)
{
	uint8_t greeting[18], reply[64];

	nr_recv(fd, greeting, sizeof(greeting));
	nr_expect_ack(fd, NBD_OPT_STRUCTURED_REPLY);
	nr_expect_error(fd, 4711, NBD_REP_ERR_UNSUP);
	ck_assert_uint_eq(nr_option_reply(fd, NBD_OPT_GO, 3, reply, sizeof(reply)), 12);
	nr_expect_ack(fd, NBD_OPT_GO);
}

/* One answer to each request, in any order. */
static void expect_answers(int fd, unsigned seed)
{
	unsigned seen = 0;
	uint8_t h[20];

	for (unsigned i = 0; i < 6; i++) {
		uint64_t cookie;

		nr_recv(fd, h, 16);
		cookie = get_be64(h + 8);
		ck_assert(cookie >= 1 && cookie <= 6 && !(seen & 1u << cookie));
		seen |= 1u << cookie;
		if (cookie == 3 || cookie == 6) {
			ck_assert_uint_eq(get_be32(h), 0x668e33ef);
			nr_recv(fd, h + 16, 4);
			if (cookie == 3)
				expect_data(fd, get_be32(h + 16), 0, 4096, seed);
			else
				expect_data(fd, get_be32(h + 16), 65536, LARGE, seed);
		} else {
			ck_assert_uint_eq(get_be32(h), 0x67446698);
			ck_assert_uint_eq(get_be32(h + 4), cookie == 4 ? 28 : 0);
		}
	}
	nr_expect_quiet(fd);
}

static void cut_at(size_t cut, unsigned times, unsigned seed)
{
	struct stream s = make_stream(seed);
	int fd = nr_connect();

	cut = MIN(cut, s.len);
	nr_send(fd, s.data, cut);
	while (times-- > 0)
		handover();
	nr_send(fd, s.data + cut, s.len - cut);
	expect_options(fd);
	expect_answers(fd, seed);
	nr_close(fd);
	free(s.data);
}

START_TEST(test_cut)
{
	struct stream s = make_stream(1);
	size_t cut, step;
	unsigned seed = 1;

	nr_start(&plain);
	for (cut = 0; cut <= s.len; cut += step) {
		/* Every byte of headers at the start, then now and then one; the ends of payloads, too. */
		step = cut < 600 ? 1 : cut + 3989 < s.len ? 3989 : 7;
		cut_at(cut, 1 + cut % 2, seed++ % 200 + 1);
	}
	free(s.data);
	nr_stop();
}
END_TEST

/* --- what was not sent ------------------------------------------------------------------------------ */

START_TEST(test_unsent)
{
	uint8_t *data = malloc(65536);
	bool seen[21] = { false };
	size_t bytes;
	int fd;

	nr_start(&plain);
	rig_fill(&rig, 3);
	fd = nr_connect();
	nr_go(fd, 0);
	for (unsigned i = 0; i < 20; i++)
		nr_request(fd, 0, NBD_READ, i, i * 65536, 65536);
	bytes = handover();
	ck_assert_uint_gt(bytes, 300000);
	/* Some of it, and then the next. */
	for (unsigned i = 0; i < 20; i++) {
		uint8_t h[16];

		nr_recv(fd, h, sizeof(h));
		ck_assert_uint_lt(get_be64(h + 8), 20);
		ck_assert(!seen[get_be64(h + 8)]);
		seen[get_be64(h + 8)] = true;
		nr_recv(fd, data, 65536);
		ck_assert(rig_is_pattern(data, get_be64(h + 8) * 65536, 65536, 3));
		if (i == 5)
			ck_assert_uint_gt(handover(), 0);
	}
	nr_expect_quiet(fd);
	nr_close(fd);
	free(data);
	nr_stop();
}
END_TEST

/* --- frozen and thawed ---------------------------------------------------------------------------- */

START_TEST(test_thaw)
{
	int a, b, fd;

	nr_start(&plain);
	a = nr_connect();
	nr_go(a, 0);
	b = nr_connect();
	nr_go(b, 0);
	rig.hold = true;
	nr_request(a, 0, NBD_READ, 1, 0, 512);
	nbd_server_freeze(srv);
	rig_pump(&rig);
	ck_assert(!nbd_server_is_idle(srv));
	nr_request(b, 0, NBD_FLUSH, 2, 0, 0);
	nr_expect_quiet(b);
	/* What is in flight is answered. */
	rig_release(&rig);
	nr_expect_simple(a, 1, 0);
	nr_recv(a, (uint8_t[512]){ 0 }, 512);
	ck_assert(nbd_server_is_idle(srv));
	nr_expect_quiet(b);
	fd = nr_connect();
	nbd_server_thaw(srv);
	nr_expect_simple(b, 2, 0);
	nr_go(fd, 0);
	nr_close(fd);
	nr_close(a);
	nr_close(b);
	nr_stop();
}
END_TEST

/* --- debts ---------------------------------------------------------------------------------------------- */

START_TEST(test_debts)
{
	const struct outcome deferred = { .verdict = V_SAME, .flags = VF_DEFERRED | VF_CACHE };
	struct nbd_conn_state *all;
	uint8_t data[512];
	size_t n;
	int a, b;

	nr_start(&plain);
	a = nr_connect();
	nr_go(a, 0);
	b = nr_connect();
	nr_go(b, 0);
	rig_pattern(data, 0, 512, 1);
	nr_request(a, 0, NBD_WRITE, 1, 0, 512);
	nr_send(a, data, 512);
	nr_expect_simple(a, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		nbd_server_freeze(srv);
		rig_pump(&rig);
		ck_assert_int_eq(nbd_server_save(srv, &all, &n), 0);
		ck_assert_uint_eq(n, 2);
		ck_assert(all[0].joined && all[0].debt.unflushed && !all[1].debt.unflushed);
		ck_assert(all[0].debt.owed == (i == 1) && all[1].debt.owed == (i == 1));
		free(all);
		nbd_server_thaw(srv);
		if (i == 1)
			break;
		rig.next = deferred;
		rig.fail_next = true;
		nr_request(b, 0, NBD_CACHE, 2, 0, 4096);
		nr_expect_simple(b, 2, 0);
	}
	handover();
	nr_request(a, 0, NBD_FLUSH, 3, 0, 0);
	nr_expect_simple(a, 3, 5);
	nr_request(b, 0, NBD_FLUSH, 4, 0, 0);
	nr_expect_simple(b, 4, 5);
	nr_close(a);
	nr_close(b);
	nr_stop();
}
END_TEST

/* --- what cannot be ------------------------------------------------------------------------------------- */

static int stranger(struct nbd_conn_state *st)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	st->fd = fds[1];
	return fds[0];
}

START_TEST(test_nonsense)
{
	uint8_t in[28] = { 0 };
	struct nbd_conn_state rows[] = {
		{ .state = "" },
		{ .state = "payload", .joined = true },
		{ .state = "dead" },
		{ .state = "request" },
		{ .state = "option", .joined = true },
		{ .state = "drain", .joined = true, .in = in, .in_len = 27 },
		{ .state = "drain", .joined = true, .in = in, .in_len = 28, .skip_left = UINT32_MAX },
		{ .state = "skip", .skip_left = 2 * MIB },
	};

	nr_start(&plain);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = stranger(&rows[i]);

		ck_assert_int_eq(nbd_server_adopt(srv, &rows[i], NULL, NULL), -EINVAL);
		nr_expect_eof(fd);
	}
	nr_stop();
}
END_TEST

/* Nothing is answered before the geometry is known; if that is another one, nothing at all. */
START_TEST(test_geometry)
{
	struct nbd_conn_state st = { .state = "request", .joined = true, .tx_flags = 5, .peer = "x" };
	uint8_t req[28];
	int fd;

	nr_start(&late);
	nr_request_bytes(req, 0, NBD_READ, 9, 0, 512);
	st.in = req;
	st.in_len = sizeof(req);
	nbd_server_carry(srv, SIZE + (_i == 1 ? 512 : 0), _i == 2 ? 4096 : 512);
	fd = stranger(&st);
	ck_assert_int_eq(nbd_server_adopt(srv, &st, NULL, NULL), 0);
	nr_expect_quiet(fd);
	rig_advance(&rig, 2 * NS_PER_SEC);
	if (_i == 0) {
		nr_expect_simple(fd, 9, 0);
		nr_recv(fd, (uint8_t[512]){ 0 }, 512);
		nr_close(fd);
	} else {
		nr_expect_eof(fd);
	}
	nr_stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nbd-handover");
	TCase *tc = tcase_create("nbd-handover");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_cut);
	tcase_add_test(tc, test_unsent);
	tcase_add_test(tc, test_thaw);
	tcase_add_test(tc, test_debts);
	tcase_add_test(tc, test_nonsense);
	tcase_add_loop_test(tc, test_geometry, 0, 3);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
