/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_nbd_handshake.c - fixed newstyle negotiation: every option with good
 * and with lying contents, whatever the pieces in which the bytes arrive, and
 * after each refusal the next option still parses.
 */
#include <config.h>

#include "nbd_rig.h"

#include "base/bytes.h"
#include "base/units.h"
#include "unit.h"

#include <errno.h>
#include <unistd.h>

static const uint16_t all_infos[] = { 0, 1, 2, 3, 3, 1, 77, 0xffff };

/* A refused option leaves the connection usable. */
static void still_alive(int fd)
{
	uint8_t data[64];

	nr_option(fd, NBD_OPT_GO, data, nr_info_data(data, "", 0, NULL));
	nr_option_reply(fd, NBD_OPT_GO, 3, data, sizeof(data));
	nr_expect_ack(fd, NBD_OPT_GO);
	nr_request(fd, 0, NBD_FLUSH, 1, 0, 0);
	nr_expect_simple(fd, 1, 0);
	nr_close(fd);
}

START_TEST(test_greeting_flags)
{
	static const struct {
		uint8_t flags[4];
		bool good;
	} rows[] = {
		{ { 0, 0, 0, 3 }, true },  { { 0, 0, 0, 1 }, true },	 { { 0, 0, 0, 0 }, true },
		{ { 0, 0, 0, 2 }, true },  { { 0, 0, 0, 4 }, false },	 { { 0, 0, 0, 7 }, false },
		{ { 1, 0, 0, 3 }, false }, { { 'G', 'E', 'T', ' ' }, false },
		{ { 22, 3, 1, 2 }, false }, /* TLS */
	};
	uint8_t g[18];
	int fd;

	nr_start(NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		fd = nr_connect();
		nr_recv(fd, g, sizeof(g));
		nr_send(fd, rows[i].flags, 4);
		if (rows[i].good) {
			nr_expect_quiet(fd);
			nr_close(fd);
		} else {
			nr_expect_eof(fd);
		}
	}
	nr_stop();
}
END_TEST

/* EXPORT_NAME with and without the 124 zeroes, for all kinds of clients. */
START_TEST(test_export_name)
{
	uint8_t g[18], flags[4] = { 0, 0, 0, (uint8_t)_i }, reply[134];
	size_t len = _i & 2 ? 10 : 134;
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_recv(fd, g, sizeof(g));
	nr_send(fd, flags, 4);
	nr_option(fd, NBD_OPT_EXPORT_NAME, "db01", 4);
	nr_recv(fd, reply, len);
	ck_assert_uint_eq(get_be64(reply), rig.disk_bytes);
	ck_assert_uint_eq(get_be16(reply + 8) & 1, 1);
	for (size_t i = 10; i < len; i++)
		ck_assert_uint_eq(reply[i], 0);
	nr_expect_quiet(fd);
	nr_request(fd, 0, NBD_READ, 7, 0, 512);
	nr_expect_simple(fd, 7, 0);
	nr_close(fd);
	nr_stop();
}
END_TEST

START_TEST(test_export_name_unknown)
{
	static const char *const names[] = { "db02", "db0", "db01x", "DB01" };
	char longest[NBD_STRING_MAX + 1];
	int fd;

	nr_start(NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		fd = nr_connect();
		nr_greet(fd);
		nr_option(fd, NBD_OPT_EXPORT_NAME, names[i], (uint32_t)strlen(names[i]));
		nr_expect_eof(fd);
	}
	memset(longest, 'x', sizeof(longest));
	for (uint32_t len = NBD_STRING_MAX; len <= sizeof(longest); len++) {
		fd = nr_connect();
		nr_greet(fd);
		nr_option(fd, NBD_OPT_EXPORT_NAME, longest, len);
		nr_expect_eof(fd);
	}
	/* without the fixed handshake nothing else is allowed */
	fd = nr_connect();
	nr_recv(fd, longest, 18);
	nr_send(fd, "\0\0\0\0", 4);
	nr_option(fd, NBD_OPT_LIST, NULL, 0);
	nr_expect_eof(fd);
	nr_stop();
}
END_TEST

START_TEST(test_abort)
{
	int fd;

	nr_start(NULL);
	for (unsigned i = 0; i < 2; i++) {
		fd = nr_connect();
		nr_greet(fd);
		nr_option(fd, NBD_OPT_ABORT, "data to ignore", i ? 14 : 0);
		nr_expect_ack(fd, NBD_OPT_ABORT);
		nr_expect_eof(fd);
	}
	/* it may be gone before we answer */
	fd = nr_connect();
	nr_greet(fd);
	nr_option_head(fd, NBD_OPT_ABORT, 0);
	nr_close(fd);
	nr_stop();
}
END_TEST

START_TEST(test_list)
{
	uint8_t data[256];
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_greet(fd);
	nr_option(fd, NBD_OPT_LIST, "x", 1);
	nr_expect_error(fd, NBD_OPT_LIST, NBD_REP_ERR_INVALID);
	nr_option(fd, NBD_OPT_LIST, NULL, 0);
	ck_assert_uint_eq(nr_option_reply(fd, NBD_OPT_LIST, 2, data, sizeof(data)), 4 + 4 + 16);
	ck_assert_uint_eq(get_be32(data), 4);
	ck_assert_int_eq(memcmp(data + 4, "db01a disk in memory", 20), 0);
	nr_expect_ack(fd, NBD_OPT_LIST);
	still_alive(fd);
	nr_stop();
}
END_TEST

static void expect_infos(int fd, uint32_t opt)
{
	uint8_t r[512];

	ck_assert_uint_eq(nr_option_reply(fd, opt, 3, r, sizeof(r)), 12);
	ck_assert_uint_eq(get_be16(r), 0);
	ck_assert_uint_eq(get_be64(r + 2), rig.disk_bytes);
	ck_assert_uint_eq(nr_option_reply(fd, opt, 3, r, sizeof(r)), 2 + 4);
	ck_assert_int_eq(memcmp(r, "\0\1db01", 6), 0);
	ck_assert_uint_eq(nr_option_reply(fd, opt, 3, r, sizeof(r)), 2 + 16);
	ck_assert_int_eq(memcmp(r, "\0\2a disk in memory", 18), 0);
	ck_assert_uint_eq(nr_option_reply(fd, opt, 3, r, sizeof(r)), 14);
	ck_assert_uint_eq(get_be16(r), 3);
	ck_assert_uint_eq(get_be32(r + 2), 4096);
	ck_assert_uint_eq(get_be32(r + 6), 16384);
	ck_assert_uint_eq(get_be32(r + 10), 32 * MIB);
	nr_expect_ack(fd, opt);
}

/* INFO, the same INFO, and GO say the same; each info once; unknown types are ignored. */
START_TEST(test_info_go)
{
	const struct rig_conf conf = { .block_bytes = 4096, .phys_block_bytes = 16384 };
	uint8_t data[128];
	uint32_t len;
	int fd;

	nr_start(&conf);
	fd = nr_connect();
	nr_greet(fd);
	len = nr_info_data(data, "db01", ARRAY_SIZE(all_infos), all_infos);
	nr_option(fd, NBD_OPT_INFO, data, len);
	expect_infos(fd, NBD_OPT_INFO);
	nr_option(fd, NBD_OPT_INFO, data, len);
	expect_infos(fd, NBD_OPT_INFO);
	nr_option(fd, NBD_OPT_GO, data, len);
	expect_infos(fd, NBD_OPT_GO);
	nr_expect_quiet(fd);
	nr_request(fd, 0, NBD_FLUSH, 9, 0, 0);
	nr_expect_simple(fd, 9, 0);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* Framing that lies: ERR_INVALID; a name that is not ours: ERR_UNKNOWN; both go on. */
START_TEST(test_info_lies)
{
	static const struct {
		const char *bytes;
		uint32_t len;
		uint32_t want;
	} rows[] = {
		{ "", 0, NBD_REP_ERR_INVALID },
		{ "\0\0\0", 3, NBD_REP_ERR_INVALID },
		{ "\0\0\0\4db01", 8, NBD_REP_ERR_INVALID },
		{ "\0\0\0\4db01\0", 9, NBD_REP_ERR_INVALID },
		{ "\0\0\0\4db01\0\1", 10, NBD_REP_ERR_INVALID },	 /* a type is missing */
		{ "\0\0\0\4db01\0\0\0", 11, NBD_REP_ERR_INVALID },	 /* one byte too many */
		{ "\0\0\0\5db01\0\0", 10, NBD_REP_ERR_INVALID },	 /* name eats the count */
		{ "\xff\xff\xff\xfa" "db01\0\0", 10, NBD_REP_ERR_INVALID }, /* + 6 overflows */
		{ "\xff\xff\xff\xff" "db01\0\0", 10, NBD_REP_ERR_INVALID },
		{ "\0\0\0\4db01\xff\xff", 10, NBD_REP_ERR_INVALID },
		{ "\0\0\0\4d\0" "01\0\0", 10, NBD_REP_ERR_INVALID },	 /* NUL inside */
		{ "\0\0\0\4db02\0\0", 10, NBD_REP_ERR_UNKNOWN },
		{ "\0\0\0\3db0\0\0", 9, NBD_REP_ERR_UNKNOWN },
	};
	static const uint32_t opts[] = { NBD_OPT_INFO, NBD_OPT_GO };
	uint8_t name[4 + NBD_STRING_MAX + 1 + 2] = { 0 };
	int fd;

	nr_start(NULL);
	for (unsigned o = 0; o < 2; o++) {
		fd = nr_connect();
		nr_greet(fd);
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
			nr_option(fd, opts[o], rows[i].bytes, rows[i].len);
			nr_expect_error(fd, opts[o], rows[i].want);
		}
		/* the longest name is answered like any other, a longer one is invalid */
		memset(name + 4, 'n', NBD_STRING_MAX + 1);
		put_be32(name, NBD_STRING_MAX);
		put_be16(name + 4 + NBD_STRING_MAX, 0);
		nr_option(fd, opts[o], name, 6 + NBD_STRING_MAX);
		nr_expect_error(fd, opts[o], NBD_REP_ERR_UNKNOWN);
		memset(name + 4, 'n', NBD_STRING_MAX + 1);
		put_be32(name, NBD_STRING_MAX + 1);
		nr_option(fd, opts[o], name, 7 + NBD_STRING_MAX);
		nr_expect_error(fd, opts[o], NBD_REP_ERR_INVALID);
		still_alive(fd);
	}
	nr_stop();
}
END_TEST

START_TEST(test_unsupported)
{
	static const uint32_t opts[] = { 0, 4, 5, 11, 12, 77, 0x7fffffff, 0xffffffff };
	uint8_t data[300] = { 0 };
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_greet(fd);
	for (unsigned i = 0; i < ARRAY_SIZE(opts); i++) {
		nr_option(fd, opts[i], data, (uint32_t)(i * 40));
		nr_expect_error(fd, opts[i], NBD_REP_ERR_UNSUP);
	}
	still_alive(fd);
	nr_stop();
}
END_TEST

START_TEST(test_structured)
{
	uint16_t flags;
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	flags = nr_go(fd, 0);
	ck_assert_uint_eq(flags & NBD_FLAG_SEND_DF, 0);
	nr_close(fd);
	/* with data it is refused, and then has no effect */
	fd = nr_connect();
	nr_greet(fd);
	nr_option(fd, NBD_OPT_STRUCTURED_REPLY, "x", 1);
	nr_expect_error(fd, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ERR_INVALID);
	still_alive(fd);
	fd = nr_connect();
	flags = nr_go(fd, NR_STRUCTURED);
	ck_assert_uint_ne(flags & NBD_FLAG_SEND_DF, 0);
	nr_close(fd);
	/* twice is once */
	fd = nr_connect();
	nr_go(fd, NR_STRUCTURED | NR_NO_GO);
	nr_option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	nr_expect_ack(fd, NBD_OPT_STRUCTURED_REPLY);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* --- metadata contexts ------------------------------------------------------------------- */

START_TEST(test_list_meta)
{
	static const struct {
		unsigned n;
		const char *q[3];
		bool found;
	} rows[] = {
		{ 0, { NULL }, true },
		{ 1, { "base:" }, true },
		{ 1, { "base:allocation" }, true },
		{ 1, { "base:allocatio" }, false },
		{ 1, { "qemu:dirty-bitmap:x" }, false },
		{ 1, { "" }, false },
		{ 3, { "x:", "base:", "base:allocation" }, true }, /* listed once */
	};
	uint8_t data[256], r[64];
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_greet(fd);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		nr_option(fd, 9, data, nr_meta_data(data, "db01", rows[i].n, rows[i].q));
		if (rows[i].found) {
			ck_assert_uint_eq(nr_option_reply(fd, 9, 4, r, sizeof(r)), 19);
			ck_assert_int_eq(memcmp(r + 4, "base:allocation", 15), 0);
		}
		nr_expect_ack(fd, 9);
	}
	nr_option(fd, 9, data, nr_meta_data(data, "nobody", 0, NULL));
	nr_expect_error(fd, 9, NBD_REP_ERR_UNKNOWN);
	still_alive(fd);
	nr_stop();
}
END_TEST

/* Is BLOCK_STATUS in force after GO? */
static bool status_works(int fd)
{
	uint8_t data[64], h[20];

	nr_option(fd, NBD_OPT_GO, data, nr_info_data(data, "db01", 0, NULL));
	nr_option_reply(fd, NBD_OPT_GO, 3, data, sizeof(data));
	nr_expect_ack(fd, NBD_OPT_GO);
	nr_request(fd, 0, NBD_BLOCK_STATUS, 5, 0, 4096);
	nr_recv(fd, h, sizeof(h));
	ck_assert(get_be16(h + 6) == 5 || get_be16(h + 6) == 0x8001);
	nr_close(fd);
	return get_be16(h + 6) == 5;
}

START_TEST(test_set_meta)
{
	static const char *const good[] = { "x:y", "base:allocation" };
	static const char *const namespace[] = { "base:" };
	uint8_t data[256];
	int fd;

	nr_start(NULL);
	/* before STRUCTURED_REPLY */
	fd = nr_connect();
	nr_greet(fd);
	nr_option(fd, 10, data, nr_meta_data(data, "db01", 2, good));
	nr_expect_error(fd, 10, NBD_REP_ERR_INVALID);
	still_alive(fd);
	/* selected */
	fd = nr_connect();
	nr_go(fd, NR_META | NR_NO_GO);
	ck_assert(status_works(fd));
	/* selected, then replaced by nothing: no query, or one that selects nothing */
	for (unsigned i = 0; i < 2; i++) {
		fd = nr_connect();
		nr_go(fd, NR_META | NR_NO_GO);
		nr_option(fd, 10, data, nr_meta_data(data, "db01", i, namespace));
		nr_expect_ack(fd, 10);
		ck_assert(!status_works(fd));
	}
	/* selected, then a SET that fails */
	fd = nr_connect();
	nr_go(fd, NR_META | NR_NO_GO);
	nr_option(fd, 10, "\0\0\0\4db0", 7);
	nr_expect_error(fd, 10, NBD_REP_ERR_INVALID);
	ck_assert(!status_works(fd));
	/* selected for another name of the same export */
	fd = nr_connect();
	nr_go(fd, NR_STRUCTURED | NR_NO_GO);
	nr_option(fd, 10, data, nr_meta_data(data, "", 2, good));
	nr_option_reply(fd, 10, 4, data, sizeof(data));
	nr_expect_ack(fd, 10);
	ck_assert(!status_works(fd));
	nr_stop();
}
END_TEST

START_TEST(test_meta_lies)
{
	static const struct {
		const char *bytes;
		uint32_t len;
	} rows[] = {
		{ "", 0 },
		{ "\0\0\0\4db01", 8 },
		{ "\0\0\0\4db01\0\0\0\1", 12 },
		{ "\0\0\0\4db01\xff\xff\xff\xff", 12 }, /* 2^32-1 queries in no bytes */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
		{ "\0\0\0\4db01\0\0\0\1\0\0\0\5base", 20 },
		{ "\0\0\0\4db01\0\0\0\1\xff\xff\xff\xff" "base", 20 },
		{ "\0\0\0\4db01\0\0\0\0x", 13 }, /* more behind the end */
		{ "\0\0\0\4db01\0\0\0\1\0\0\0\5base:x", 22 },
	};
	int fd;

	nr_start(NULL);
	for (uint32_t opt = 9; opt <= 10; opt++) {
		fd = nr_connect();
		nr_go(fd, NR_STRUCTURED | NR_NO_GO);
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
			nr_option(fd, opt, rows[i].bytes, rows[i].len);
			nr_expect_error(fd, opt, NBD_REP_ERR_INVALID);
		}
		nr_option(fd, NBD_OPT_LIST, NULL, 0);
		nr_close(fd);
	}
	nr_stop();
}
END_TEST

/* --- hostile ---------------------------------------------------------------------------------- */

START_TEST(test_long_options)
{
	uint8_t *big = calloc(1, MIB);
	int fd;

	nr_start(NULL);
	/* the longest that is read, and the first that is thrown away */
	fd = nr_connect();
	nr_greet(fd);
	nr_option(fd, 77, big, NBD_OPTION_BYTES_MAX);
	nr_expect_error(fd, 77, NBD_REP_ERR_UNSUP);
	nr_option(fd, 77, big, NBD_OPTION_BYTES_MAX + 1);
	nr_expect_error(fd, 77, NBD_REP_ERR_TOO_BIG);
	nr_option(fd, NBD_OPT_GO, big, MIB);
	nr_expect_error(fd, NBD_OPT_GO, NBD_REP_ERR_TOO_BIG);
	still_alive(fd);
	/* nobody sends 4 GiB of option */
	fd = nr_connect();
	nr_greet(fd);
	nr_option_head(fd, NBD_OPT_GO, 0xffffffff);
	nr_expect_eof(fd);
	free(big);
	nr_stop();
}
END_TEST

START_TEST(test_garbage)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"\0\0\0\3GET / HTTP/1.1\r\nHost",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"\0\0\0\3IHAVEOPS\0\0\0\1\0\0\0\0",
		"\0\0\0\3\x25\x60\x95\x13\0\0\0\0\0\0\0\0\0\0\0\0",
	};
	static const size_t lens[] = { 35, 25, 11, 20, 20 };
	uint8_t g[18];
	int fd;

	nr_start(NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		fd = nr_connect();
		nr_recv(fd, g, sizeof(g));
		(void)nr_try_send(fd, texts[i], lens[i]);
		nr_expect_eof(fd);
	}
	nr_stop();
}
END_TEST

/* Options without end, options that nobody reads the answers of. */
START_TEST(test_floods)
{
	uint8_t h[16], data[120];
	struct nbd_client_info info;
	unsigned n;
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_greet(fd);
	for (n = 0; n < NBD_OPTIONS_MAX; n++) {
		nr_option(fd, NBD_OPT_LIST, NULL, 0);
		nr_option_reply(fd, NBD_OPT_LIST, 2, data, sizeof(data));
		nr_expect_ack(fd, NBD_OPT_LIST);
	}
	nr_option_head(fd, NBD_OPT_LIST, 0);
	nr_expect_eof(fd);
	/* answers not read: they fit the socket here; the client is ended by their number */
	fd = nr_connect();
	nr_greet(fd);
	memcpy(h, "IHAVEOPT\0\0\0\3\0\0\0\0", 16);
	for (n = 0; n < 1000 && nr_try_send(fd, h, sizeof(h)) > 0; n++)
		;
	ck_assert_uint_le(n, NBD_OPTIONS_MAX + 1);
	ck_assert(!nr_info(&info));
	close(fd);
	nr_stop();
}
END_TEST

/* The handshake has ten seconds in all, however busy the client looks. */
START_TEST(test_timer)
{
	int idle, slow, good;

	nr_start(NULL);
	idle = nr_connect();
	slow = nr_connect();
	good = nr_connect();
	nr_go(good, 0);
	nr_greet(slow);
	for (unsigned i = 0; i < 9; i++) {
		rig_advance(&rig, NS_PER_SEC);
		nr_send(slow, "IHAVEOPT", i == 8 ? 0 : 1);
		nr_expect_quiet(slow);
	}
	rig_advance(&rig, 2 * NS_PER_SEC);
	nr_expect_eof(idle);
	nr_expect_eof(slow);
	/* who has made it stays for ever */
	rig_advance(&rig, 3600 * NS_PER_SEC);
	nr_request(good, 0, NBD_FLUSH, 1, 0, 0);
	nr_expect_simple(good, 1, 0);
	nr_close(good);
	nr_stop();
}
END_TEST

/* --- pieces ------------------------------------------------------------------------------------- */

/* A whole session as one string of bytes. Returns its length; *ret_replies: bytes of answers. */
static size_t script(uint8_t *b, size_t *ret_replies)
{
	static const char *const query[] = { "base:allocation" };
	static const uint16_t type = NBD_INFO_BLOCK_SIZE;
	size_t at = 4, len;
	uint8_t data[256];
	static const struct {
		uint32_t opt;
	} plain[] = { { NBD_OPT_LIST }, { NBD_OPT_STRUCTURED_REPLY } };

	memcpy(b, "\0\0\0\3", 4);
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
		memcpy(b + at, "IHAVEOPT\0\0\0\0\0\0\0\0", 16);
		put_be32(b + at + 8, plain[i].opt);
		at += 16;
	}
	for (unsigned i = 0; i < 2; i++) {
		len = i ? nr_info_data(data, "db01", 1, &type) : nr_meta_data(data, "db01", 1, query);
		memcpy(b + at, "IHAVEOPT", 8);
		put_be32(b + at + 8, i ? NBD_OPT_GO : NBD_OPT_SET_META_CONTEXT);
		put_be32(b + at + 12, (uint32_t)len);
		memcpy(b + at + 16, data, len);
		at += 16 + len;
	}
	nr_request_bytes(b + at, 0, NBD_WRITE, 1, 512, 1024);
	rig_pattern(b + at + 28, 512, 1024, 3);
	at += 28 + 1024;
	nr_request_bytes(b + at, 0, NBD_FLUSH, 2, 0, 0);
	at += 28;
	nr_request_bytes(b + at, 0, NBD_READ, 3, 512, 1024);
	at += 28;
	nr_request_bytes(b + at, 0, NBD_BLOCK_STATUS, 4, 0, 4096);
	at += 28;
	nr_request_bytes(b + at, 0, 99, 5, 0, 0);
	at += 28;
	nr_request_bytes(b + at, 0, NBD_DISC, 6, 0, 0);
	at += 28;
	*ret_replies = 18 + (20 + 4 + 4 + 16 + 20) + 20 + (20 + 19 + 20) + (20 + 12 + 20 + 14 + 20) +
		       16 + 16 + (20 + 8 + 1024) + (20 + 4 + 3 * 8) + 16;
	return at;
}

/* Reads all there is; the number of bytes. */
static size_t drain(int fd)
{
	uint8_t buf[4096];
	size_t sum = 0;
	ssize_t n;

	while ((n = nr_try_recv(fd, buf, sizeof(buf))) > 0)
		sum += (size_t)n;
	return sum;
}

/* Everything at once, and byte by byte: the same answers to the last byte. */
START_TEST(test_pieces)
{
	const struct rig_conf conf = { .caps = PATH_CAP_STATUS };
	static const size_t steps[] = { 1, 2, 3, 7, 29, 1000, 100000 };
	uint8_t b[4096];
	size_t len, want, got, at, n;
	int fd;

	nr_start(&conf);
	fd = nr_connect();
	len = script(b, &want);
	got = 0;
	for (at = 0; at < len; at += n) {
		n = MIN(steps[_i], len - at);
		nr_send(fd, b + at, n);
		if (steps[_i] > 1 || at % 64 == 0)
			got += drain(fd);
	}
	got += drain(fd);
	/* Replies may come in any order, so may land before or after the data of the others. */
	ck_assert_uint_eq(got, want);
	ck_assert(rig_is_pattern(rig.disk + 512, 512, 1024, 3));
	nr_expect_eof(fd);
	nr_stop();
}
END_TEST

/* The client leaves after each byte of its session, by close and with answers unread. Half a
 * payload never reaches the disk, and nothing stays behind. */
START_TEST(test_leave_anywhere)
{
	const struct rig_conf conf = { .caps = PATH_CAP_STATUS };
	struct nbd_client_info info;
	uint8_t b[4096];
	size_t len, want, write_end = 0;
	int fd;

	nr_start(&conf);
	len = script(b, &want);
	for (size_t i = 0; i + 4 <= len; i++)
		if (get_be32(b + i) == 0x25609513 && get_be16(b + i + 6) == NBD_WRITE)
			write_end = i + 28 + 1024;
	for (size_t cut = 0; cut <= len; cut++) {
		memset(rig.disk, 0, 4096);
		fd = nr_connect();
		nr_send(fd, b, cut);
		if (cut % 2)
			(void)drain(fd);
		nr_close(fd);
		ck_assert_msg(!nr_info(&info), "cut at %zu: still there", cut);
		ck_assert_uint_eq(rig.disk[512 + 1023], cut < write_end ? 0 : rig_byte(1535, 3));
	}
	nr_stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nbd handshake");
	TCase *tc = tcase_create("nbd handshake");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_greeting_flags);
	tcase_add_loop_test(tc, test_export_name, 0, 4);
	tcase_add_test(tc, test_export_name_unknown);
	tcase_add_test(tc, test_abort);
	tcase_add_test(tc, test_list);
	tcase_add_test(tc, test_info_go);
	tcase_add_test(tc, test_info_lies);
	tcase_add_test(tc, test_unsupported);
	tcase_add_test(tc, test_structured);
	tcase_add_test(tc, test_list_meta);
	tcase_add_test(tc, test_set_meta);
	tcase_add_test(tc, test_meta_lies);
	tcase_add_test(tc, test_long_options);
	tcase_add_test(tc, test_garbage);
	tcase_add_test(tc, test_floods);
	tcase_add_test(tc, test_timer);
	tcase_add_loop_test(tc, test_pieces, 0, 7);
	tcase_add_test(tc, test_leave_anywhere);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
