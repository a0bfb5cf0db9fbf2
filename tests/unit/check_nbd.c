/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_nbd.c - requests and replies: every command and flag, every row of the
 * error table, payloads of all sizes, exactly one reply per request, whatever
 * the LUN says and in whatever order.
 */
#include <config.h>

#include "nbd_rig.h"

#include "base/bytes.h"
#include "base/units.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL_CAPS                                                                          \
	(PATH_CAP_FUA | PATH_CAP_DISCARD | PATH_CAP_WRITE_ZEROES | PATH_CAP_FAST_ZERO | \
	 PATH_CAP_STATUS)

static const struct rig_conf able = { .caps = ALL_CAPS };
static const struct rig_conf plain;
static const struct rig_conf locked = { .caps = ALL_CAPS, .read_only = true };
static const struct rig_conf big = { .block_bytes = 4096, .nblocks = 3 * REQ_BYTES_MAX / 4096 };
static const struct rig_conf four_k = { .block_bytes = 4096, .caps = ALL_CAPS };

#define SIZE (8192u * 512u)

static void expect_pattern(int fd, uint64_t offset, uint32_t len, unsigned seed)
{
	uint8_t *data = malloc(len);

	nr_recv(fd, data, len);
	ck_assert(rig_is_pattern(data, offset, len, seed));
	free(data);
}

/* --- what is offered ----------------------------------------------------------------------- */

START_TEST(test_flags)
{
	static const struct {
		struct rig_conf conf;
		bool multi;
		uint16_t want;
	} rows[] = {
		{ { 0 }, true, 0x1 | 0x4 | 0x8 | 0x40 | 0x100 | 0x400 },
		{ { 0 }, false, 0x1 | 0x4 | 0x8 | 0x40 | 0x400 },
		{ { .rotational = true }, false, 0x1 | 0x4 | 0x8 | 0x10 | 0x40 | 0x400 },
		{ { .caps = ALL_CAPS }, true, 0x1 | 0x4 | 0x8 | 0x20 | 0x40 | 0x100 | 0x400 | 0x800 },
		{ { .caps = ALL_CAPS, .read_only = true }, true, 0x1 | 0x2 | 0x4 | 0x8 | 0x100 | 0x400 },
	};
	int fd;

	nbd_conf_default(&nr_conf);
	nr_conf.multi_conn = rows[_i].multi;
	nr_start(&rows[_i].conf);
	fd = nr_connect();
	ck_assert_uint_eq(nr_go(fd, 0), rows[_i].want);
	nr_close(fd);
	fd = nr_connect();
	ck_assert_uint_eq(nr_go(fd, NR_STRUCTURED), rows[_i].want | 0x80);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* --- answers without running ------------------------------------------------------------------ */

static const struct {
	const struct rig_conf *conf;
	unsigned how; /* NR_* */
	uint16_t flags, type;
	uint64_t offset;
	uint32_t length;
	uint32_t want;
} judged[] = {
	/* beyond the end */
	{ &able, 0, 0, NBD_READ, SIZE, 1, 22 },
	{ &able, 0, 0, NBD_READ, SIZE - 512, 1024, 22 },
	{ &able, 0, 0, NBD_READ, UINT64_MAX - 511, 1024, 22 },
	{ &able, 0, 0, NBD_READ, UINT64_MAX, UINT32_MAX, 22 },
	{ &able, 0, 0, NBD_WRITE, SIZE, 1, 28 },
	{ &able, 0, 0, NBD_WRITE, SIZE - 512, 1024, 28 },
	{ &able, 0, 0, NBD_WRITE, UINT64_MAX - 511, 1024, 28 },
	{ &able, 0, 0, NBD_WRITE, SIZE, 200000, 28 }, /* not inline */
	{ &able, 0, 0, NBD_WRITE_ZEROES, SIZE, 512, 28 },
	{ &able, 0, 0, NBD_WRITE_ZEROES, 0, UINT32_MAX, 28 },
	{ &able, 0, 0, NBD_TRIM, SIZE - 512, 1024, 22 },
	{ &able, 0, 0, NBD_TRIM, 0, UINT32_MAX, 22 },
	{ &able, 0, 0, NBD_CACHE, SIZE, 512, 22 },
	{ &able, NR_META, 0, NBD_BLOCK_STATUS, SIZE, 512, 22 },
	/* empty: not a reason to close */
	{ &able, 0, 0, NBD_READ, 0, 0, 0 },
	{ &able, 0, 0, NBD_READ, SIZE, 0, 0 },
	{ &able, 0, 0, NBD_READ, SIZE + 1, 0, 22 },
	{ &able, 0, 0, NBD_WRITE, 0, 0, 0 },
	{ &able, 0, 0, NBD_WRITE, SIZE + 512, 0, 28 },
	{ &able, 0, 0, NBD_TRIM, 512, 0, 0 },
	{ &able, 0, 0, NBD_WRITE_ZEROES, 512, 0, 0 },
	{ &able, 0, 0, NBD_CACHE, 512, 0, 0 },
	{ &able, NR_META, 0, NBD_BLOCK_STATUS, 0, 0, 22 },
	/* too long */
	{ &big, 0, 0, NBD_READ, 0, REQ_BYTES_MAX + 4096, 75 },
	{ &big, 0, 0, NBD_WRITE, 0, REQ_BYTES_MAX + 1, 75 },
	{ &big, 0, 0, NBD_WRITE, 1, REQ_BYTES_MAX, 75 },
	/* read-only */
	{ &locked, 0, 0, NBD_WRITE, 0, 512, 1 },
	{ &locked, 0, 0, NBD_WRITE, 0, 100000, 1 },
	{ &locked, 0, 0, NBD_TRIM, 0, 512, 1 },
	{ &locked, 0, 0, NBD_WRITE_ZEROES, 0, 512, 1 },
	{ &locked, 0, 0, NBD_READ, 0, 0, 0 },
	{ &locked, 0, 0, NBD_FLUSH, 0, 0, 0 },
	/* flags that are unknown, on the wrong command, or not offered */
	{ &able, 0, 0x40, NBD_READ, 0, 512, 22 },
	{ &able, 0, 0x8000, NBD_WRITE, 0, 512, 22 },
	{ &able, 0, NBD_CF_NO_HOLE, NBD_WRITE, 0, 512, 22 },
	{ &able, 0, NBD_CF_NO_HOLE, NBD_TRIM, 0, 512, 22 },
	{ &able, 0, NBD_CF_PAYLOAD_LEN, NBD_WRITE, 0, 512, 22 },
	{ &able, 0, NBD_CF_PAYLOAD_LEN, NBD_WRITE, 0, 70000, 22 },
	{ &able, 0, NBD_CF_DF, NBD_READ, 0, 512, 22 }, /* without structured replies */
	{ &able, NR_STRUCTURED, NBD_CF_DF, NBD_WRITE, 0, 512, 22 },
	{ &able, 0, NBD_CF_REQ_ONE, NBD_READ, 0, 512, 22 },
	{ &plain, 0, NBD_CF_FAST_ZERO, NBD_WRITE_ZEROES, 0, 512, 22 },
	{ &able, 0, NBD_CF_FAST_ZERO, NBD_CACHE, 0, 512, 22 },
	{ &able, 0, 0x2, NBD_FLUSH, 0, 0, 22 },
	/* commands that are unknown, or not offered */
	{ &able, 0, 0, 8, 0, 0, 22 },
	{ &able, 0, 0, 9, 0, 512, 22 },
	{ &able, 0, 0, 0xffff, UINT64_MAX, UINT32_MAX, 22 },
	{ &plain, 0, 0, NBD_TRIM, 0, 512, 22 },
	{ &able, 0, 0, NBD_BLOCK_STATUS, 0, 512, 22 },
	{ &able, NR_STRUCTURED, 0, NBD_BLOCK_STATUS, 0, 512, 22 },
	/* reserved fields */
	{ &able, 0, 0, NBD_FLUSH, 512, 0, 22 },
	{ &able, 0, 0, NBD_FLUSH, 0, 512, 22 },
	/* misaligned, by a client that was told */
	{ &four_k, NR_BLOCKS, 0, NBD_READ, 512, 4096, 22 },
	{ &four_k, NR_BLOCKS, 0, NBD_READ, 0, 512, 22 },
	{ &four_k, NR_BLOCKS, 0, NBD_WRITE, 512, 512, 22 },
	{ &four_k, NR_BLOCKS, 0, NBD_WRITE, 1, 65536, 22 },
	{ &four_k, NR_BLOCKS, 0, NBD_WRITE_ZEROES, 512, 4096, 22 },
	{ &four_k, NR_BLOCKS, 0, NBD_TRIM, 512, 4096, 22 },
};

static void judge_row(unsigned i)
{
	uint16_t type = judged[i].type;
	uint64_t cookie = 0xfedcba9876543210ull + i;
	static uint8_t payload[REQ_BYTES_MAX + 1];
	int fd = nr_connect();

	nr_go(fd, judged[i].how);
	nr_request(fd, judged[i].flags, type, cookie, judged[i].offset, judged[i].length);
	if (type == NBD_WRITE && judged[i].length > 0) {
		nr_expect_quiet(fd);
		nr_send(fd, payload, judged[i].length);
	}
	if (judged[i].how & (NR_STRUCTURED | NR_META) &&
	    (type == NBD_READ || type == NBD_BLOCK_STATUS))
		nr_expect_chunk_error(fd, cookie, judged[i].want);
	else
		nr_expect_simple(fd, cookie, judged[i].want);
	/* Nothing has run, and the stream is in step. */
	ck_assert_uint_eq(rig.ncmds[CMD_WRITE] + rig.ncmds[CMD_WRITE_ZEROES] + rig.ncmds[CMD_READ] +
				  rig.ncmds[CMD_DISCARD],
			  0);
	nr_request(fd, NBD_CF_FUA, NBD_FLUSH, 2, 0, 0);
	nr_expect_simple(fd, 2, 0);
	nr_expect_quiet(fd);
	nr_close(fd);
}

/* All rows of one kind of LUN. */
START_TEST(test_judged)
{
	static const struct rig_conf *const confs[] = { &able, &plain, &locked, &big, &four_k };

	nr_start(confs[_i]);
	for (unsigned i = 0; i < ARRAY_SIZE(judged); i++)
		if (judged[i].conf == confs[_i])
			judge_row(i);
	nr_stop();
}
END_TEST

/* --- commands that run -------------------------------------------------------------------------- */

static const uint32_t lengths[] = { 1, 511, 512, 513, 4096, 32768, 32769, 65536, 131072,
				    1000003, 4 * MIB, REQ_BYTES_MAX };

/* Written and read back, at both ends of the disk, aligned and not. */
START_TEST(test_read_write)
{
	uint32_t len = lengths[_i];
	uint64_t ends[3] = { 0, big.nblocks * 4096 - len, len == REQ_BYTES_MAX ? 4096 : 4095 };
	int fd, fs;

	nr_start(&big);
	fd = nr_connect();
	fs = nr_connect();
	nr_go(fd, 0);
	nr_go(fs, NR_STRUCTURED);
	for (unsigned i = 0; i < 3; i++) {
		nr_write_pattern(fd, i == 1 ? NBD_CF_FUA : 0, 10 + i, ends[i], len, i);
		nr_expect_simple(fd, 10 + i, 0);
		nr_request(fd, NBD_CF_FUA, NBD_READ, 20 + i, ends[i], len);
		nr_expect_simple(fd, 20 + i, 0);
		expect_pattern(fd, ends[i], len, i);
		nr_request(fs, NBD_CF_DF, NBD_READ, 30 + i, ends[i], len);
		ck_assert_uint_eq(nr_expect_chunk(fs, 30 + i, 1), 8 + len);
		uint8_t offset[8];

		nr_recv(fs, offset, 8);
		ck_assert_uint_eq(get_be64(offset), ends[i]);
		expect_pattern(fs, ends[i], len, i);
	}
	nr_close(fd);
	nr_close(fs);
	nr_stop();
}
END_TEST

START_TEST(test_structured_empty)
{
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_go(fd, NR_STRUCTURED);
	nr_request(fd, 0, NBD_READ, 3, 512, 0);
	ck_assert_uint_eq(nr_expect_chunk(fd, 3, 0), 0);
	nr_request(fd, 0, NBD_READ, 4, SIZE, 512);
	nr_expect_chunk_error(fd, 4, 22);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* Some of what was acknowledged is lost: the next flush of each connection says so, also that of one
 * which has taken the place of another. */
START_TEST(test_lost_cache)
{
	const struct outcome deferred = { .verdict = V_SAME, .flags = VF_DEFERRED | VF_CACHE };
	int a, b;

	nr_start(&plain);
	a = nr_connect();
	nr_go(a, 0);
	b = nr_connect();
	nr_go(b, 0);
	nr_write_pattern(a, 0, 1, 0, 4096, 1);
	nr_expect_simple(a, 1, 0);
	rig.next = deferred;
	rig.fail_next = true;
	nr_request(b, 0, NBD_CACHE, 2, 0, 4096);
	nr_expect_simple(b, 2, 0);
	nr_close(a);
	rig_pump(&rig);
	a = nr_connect();
	nr_go(a, 0);
	for (unsigned i = 0; i < 2; i++) {
		nr_request(a, 0, NBD_FLUSH, 3, 0, 0);
		nr_expect_simple(a, 3, i ? 0 : 5);
		nr_request(b, 0, NBD_FLUSH, 4, 0, 0);
		nr_expect_simple(b, 4, i ? 0 : 5);
	}
	/* The connection has gone before the answer was there. */
	nr_write_pattern(a, 0, 5, 0, 4096, 1);
	nr_expect_simple(a, 5, 0);
	rig.fail_next = true;
	nr_request(b, 0, NBD_CACHE, 6, 0, 4096);
	nr_expect_simple(b, 6, 0);
	nr_write_pattern(b, 0, 7, 4096, 4096, 1);
	nr_expect_simple(b, 7, 0);
	rig.hold = true;
	nr_request(a, 0, NBD_FLUSH, 8, 0, 0);
	rig_pump(&rig);
	nr_close(a);
	rig_pump(&rig);
	rig_release(&rig);
	a = nr_connect();
	nr_go(a, 0);
	nr_request(a, 0, NBD_FLUSH, 9, 0, 0);
	nr_expect_simple(a, 9, 5);
	nr_request(a, 0, NBD_FLUSH, 10, 0, 0);
	nr_expect_simple(a, 10, 0);
	nr_close(a);
	nr_close(b);
	nr_stop();
}
END_TEST

START_TEST(test_flush_fua)
{
	int fd;

	nr_start(_i ? &able : &plain);
	fd = nr_connect();
	nr_go(fd, 0);
	nr_write_pattern(fd, 0, 1, 0, 4096, 1);
	nr_expect_simple(fd, 1, 0);
	ck_assert_uint_eq(rig.ncmds[CMD_FLUSH], 0);
	nr_request(fd, 0, NBD_FLUSH, 2, 0, 0);
	nr_expect_simple(fd, 2, 0);
	ck_assert_uint_eq(rig.ncmds[CMD_FLUSH], 1);
	/* FUA: by the path where it can, else by a flush before the answer */
	nr_write_pattern(fd, NBD_CF_FUA, 3, 0, 4096, 1);
	nr_expect_simple(fd, 3, 0);
	nr_request(fd, NBD_CF_FUA, NBD_WRITE_ZEROES, 4, 0, 512);
	nr_expect_simple(fd, 4, 0);
	if (_i)
		ck_assert_uint_eq(rig.fua, 2);
	else
		ck_assert_uint_eq(rig.ncmds[CMD_FLUSH], 3);
	/* and without effect on the others, DISC included */
	nr_request(fd, NBD_CF_FUA, NBD_CACHE, 5, 0, 4096);
	nr_expect_simple(fd, 5, 0);
	ck_assert_uint_eq(rig.ncmds[CMD_READ], 1);
	if (_i) {
		nr_request(fd, NBD_CF_FUA, NBD_TRIM, 6, 0, 4096);
		nr_expect_simple(fd, 6, 0);
	}
	nr_request(fd, NBD_CF_FUA, NBD_DISC, 7, 0, 0);
	nr_expect_eof(fd);
	nr_stop();
}
END_TEST

START_TEST(test_trim_zeroes)
{
	int fd;

	nr_start(&four_k);
	rig_fill(&rig, 1);
	fd = nr_connect();
	nr_go(fd, 0);
	nr_request(fd, 0, NBD_TRIM, 1, 100, 4096 * 3); /* inwards: two blocks */
	nr_expect_simple(fd, 1, 0);
	ck_assert_uint_eq(rig.largest_discard, 2);
	ck_assert_uint_eq(rig.discard_lba, 1);
	nr_request(fd, 0, NBD_TRIM, 2, 1, 4095); /* nothing is left of it */
	nr_expect_simple(fd, 2, 0);
	ck_assert_uint_eq(rig.ncmds[CMD_DISCARD], 1);
	nr_request(fd, NBD_CF_NO_HOLE | NBD_CF_FAST_ZERO | NBD_CF_FUA, NBD_WRITE_ZEROES, 3, 20000,
		   100000);
	nr_expect_simple(fd, 3, 0);
	ck_assert_uint_eq(rig.no_unmap, 1);
	ck_assert(rig_is_pattern(rig.disk + 16384, 16384, 20000 - 16384, 1));
	ck_assert(rig_is_zero(rig.disk + 20000, 100000));
	ck_assert(rig_is_pattern(rig.disk + 120000, 120000, 50000, 1));
	/* all of the disk in one */
	nr_request(fd, 0, NBD_WRITE_ZEROES, 4, 0, (uint32_t)rig.disk_bytes);
	nr_expect_simple(fd, 4, 0);
	ck_assert(rig_is_zero(rig.disk, rig.disk_bytes));
	nr_close(fd);
	nr_stop();
}
END_TEST

static void expect_extents(int fd, uint64_t cookie, unsigned n, const uint32_t (*want)[2])
{
	uint8_t d[4 + 8 * 16];

	ck_assert_uint_eq(nr_expect_chunk(fd, cookie, 5), 4 + 8 * n);
	nr_recv(fd, d, 4 + 8 * n);
	ck_assert_uint_eq(get_be32(d), 1);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(get_be32(d + 4 + 8 * i), want[i][0]);
		ck_assert_uint_eq(get_be32(d + 8 + 8 * i), want[i][1]);
	}
}

START_TEST(test_block_status)
{
	static const uint32_t three[][2] = { { 4096, 3 }, { 8192, 0 }, { 4096, 3 } };
	static const uint32_t inner[][2] = { { 100, 0 }, { 50, 3 } };
	static const uint32_t data[][2] = { { 16384, 0 } };
	int fd;

	nr_start(_i ? &able : &plain);
	memset(rig.disk + 4096, 1, 8192);
	fd = nr_connect();
	nr_go(fd, NR_META);
	nr_request(fd, 0, NBD_BLOCK_STATUS, 1, 0, 16384);
	if (!_i) {
		/* the LUN cannot tell: all is data */
		expect_extents(fd, 1, 1, data);
		nr_close(fd);
		nr_stop();
		return;
	}
	expect_extents(fd, 1, 3, three);
	nr_request(fd, NBD_CF_REQ_ONE | NBD_CF_FUA, NBD_BLOCK_STATUS, 2, 0, 16384);
	expect_extents(fd, 2, 1, three);
	nr_request(fd, 0, NBD_BLOCK_STATUS, 3, 12288 - 100, 150);
	expect_extents(fd, 3, 2, inner);
	/* an error is a chunk, but that the LUN forgot how to is none */
	rig.fail_errno = EIO;
	nr_request(fd, 0, NBD_BLOCK_STATUS, 4, 0, 16384);
	nr_expect_chunk_error(fd, 4, 5);
	rig.fail_errno = EOPNOTSUPP;
	nr_request(fd, 0, NBD_BLOCK_STATUS, 5, 0, 16384);
	expect_extents(fd, 5, 1, data);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* More runs than one answer holds: it ends early, at a place that fits. */
START_TEST(test_block_status_many)
{
	uint8_t d[8192];
	uint32_t len, sum = 0;
	int fd;

	nr_start(&able);
	for (unsigned i = 0; i < 8192; i += 2)
		rig.disk[i * 512] = 1;
	fd = nr_connect();
	nr_go(fd, NR_META);
	nr_request(fd, 0, NBD_BLOCK_STATUS, 1, 0, SIZE);
	len = nr_expect_chunk(fd, 1, 5);
	ck_assert_uint_eq(len, 4 + 8 * 256);
	nr_recv(fd, d, len);
	for (unsigned i = 0; i < 256; i++) {
		sum += get_be32(d + 4 + 8 * i);
		ck_assert_uint_eq(get_be32(d + 8 + 8 * i), i % 2 ? 3 : 0);
	}
	ck_assert_uint_eq(sum, 256 * 512);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* --- the error table -------------------------------------------------------------------------------- */

static const struct {
	int err;
	uint16_t flags, type;
	uint32_t want;
} errors[] = {
	{ EPERM, 0, NBD_WRITE, 1 },	 { EROFS, 0, NBD_WRITE, 1 },
	{ EACCES, 0, NBD_WRITE, 1 },	 { EIO, 0, NBD_READ, 5 },
	{ EIO, 0, NBD_WRITE, 5 },	 { EIO, 0, NBD_CACHE, 5 },
	{ ENOMEM, 0, NBD_READ, 12 },	 { EINVAL, 0, NBD_READ, 22 },
	{ ENOSPC, 0, NBD_WRITE, 28 },	 { EDQUOT, 0, NBD_WRITE, 28 },
	{ EFBIG, 0, NBD_WRITE, 28 },	 { ENXIO, 0, NBD_READ, 5 },
	{ ENODEV, 0, NBD_WRITE, 5 },	 { EBADE, 0, NBD_READ, 5 },
	{ ETIMEDOUT, 0, NBD_READ, 5 },	 { EOPNOTSUPP, 0, NBD_READ, 22 },
	{ EIO, 0, NBD_TRIM, 5 },	 { EOPNOTSUPP, 0, NBD_TRIM, 0 },
	{ EIO, NBD_CF_FAST_ZERO, NBD_WRITE_ZEROES, 5 },
	{ EOPNOTSUPP, NBD_CF_FAST_ZERO, NBD_WRITE_ZEROES, 95 },
	{ EOPNOTSUPP, 0, NBD_WRITE_ZEROES, 22 },
};

static void error_row(unsigned row, int fd, bool structured)
{
	uint16_t type = errors[row].type;

	nr_request(fd, errors[row].flags, type, row, 0, 512);
	if (type == NBD_WRITE)
		nr_send(fd, rig.disk, 512);
	if (structured && type == NBD_READ)
		nr_expect_chunk_error(fd, row, errors[row].want);
	else
		nr_expect_simple(fd, row, errors[row].want);
	nr_expect_quiet(fd);
}

START_TEST(test_errors)
{
	int fd, fs;

	nr_start(&able);
	fd = nr_connect();
	fs = nr_connect();
	nr_go(fd, 0);
	nr_go(fs, NR_STRUCTURED);
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		rig.fail_errno = errors[i].err;
		error_row(i, fd, false);
		error_row(i, fs, true);
	}
	rig.fail_errno = 0;
	nr_request(fd, 0, NBD_READ, 2, 0, 512);
	nr_expect_simple(fd, 2, 0);
	nr_close(fd);
	nr_close(fs);
	nr_stop();
}
END_TEST

/* --- many at once -------------------------------------------------------------------------------------- */

/* --- leaving ------------------------------------------------------------------------------------------------ */

/* DISC: what is in flight is answered, then the connection is closed; nothing behind it counts. */
START_TEST(test_disc)
{
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_go(fd, 0);
	rig.hold = true;
	nr_write_pattern(fd, 0, 1, 0, 512, 1);
	nr_request(fd, 0, NBD_READ, 2, 8192, 512);
	nr_request(fd, 0, NBD_DISC, 3, 0, 0);
	nr_request(fd, 0, NBD_WRITE_ZEROES, 4, 0, 512);
	nr_expect_quiet(fd);
	rig_release(&rig);
	nr_expect_simple(fd, 1, 0);
	nr_expect_simple(fd, 2, 0);
	nr_recv(fd, rig.disk + 512, 512);
	nr_expect_eof(fd);
	ck_assert_uint_eq(rig.ncmds[CMD_WRITE_ZEROES], 0);
	nr_stop();
}
END_TEST

/* The client dies. What is at the path runs to its end as an orphan; what waits in the LUN never
 * runs; half a payload is dropped; a new client is served at once. */
START_TEST(test_death)
{
	struct nbd_server_stats st;
	struct nbd_client_info info;
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_go(fd, 0);
	rig.hold = true;
	nr_write_pattern(fd, 0, 1, 0, 512, 1);
	rig.busy = true;
	/* the first is tried at the path and stays with it; the others wait behind it */
	for (unsigned i = 2; i < 10; i++)
		nr_write_pattern(fd, 0, i, i * 4096, 512, 1);
	nr_request(fd, 0, NBD_WRITE, 10, 512, 100000);
	nr_send(fd, rig.disk, 50000);
	nr_close(fd);
	nbd_server_get_stats(srv, &st);
	ck_assert_uint_eq(st.clients, 0);
	ck_assert_uint_ge(st.orphans, 1);
	ck_assert_uint_le(st.orphans, 2);
	ck_assert(nr_info(&info));
	ck_assert(info.dead);
	ck_assert_str_eq(info.state, "dead");
	rig.busy = false;
	fd = nr_connect();
	nr_go(fd, 0);
	rig_release(&rig);
	nr_request(fd, 0, NBD_READ, 1, 0, 512);
	nr_expect_simple(fd, 1, 0);
	expect_pattern(fd, 0, 512, 1);
	ck_assert_uint_eq(rig.disk[512], 0);
	for (unsigned i = 3; i < 10; i++)
		ck_assert_uint_eq(rig.disk[i * 4096], 0);
	nbd_server_get_stats(srv, &st);
	ck_assert_uint_eq(st.orphans, 0);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* The LUN stops under us: no answer of any kind, the connection is closed. */
START_TEST(test_eshutdown)
{
	uint8_t b;
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_go(fd, 0);
	rig.hold = true;
	nr_write_pattern(fd, 0, 1, 0, 512, 1);
	rig.busy = true;
	nr_write_pattern(fd, 0, 2, 8192, 512, 1);
	lun_stop(rig.lun, 0);
	nr_expect_quiet(fd);
	rig.hold = rig.busy = false;
	rig_advance(&rig, 3600 * NS_PER_SEC);
	ck_assert_int_eq(recv(fd, &b, 1, MSG_DONTWAIT), 0);
	close(fd);
	nr_stop();
}
END_TEST

START_TEST(test_info)
{
	struct nbd_client_info info;
	int fd;

	nr_start(&four_k);
	fd = nr_connect();
	ck_assert(nr_info(&info));
	ck_assert_str_eq(info.state, "flags");
	nr_go(fd, NR_META);
	nr_write_pattern(fd, 0, 1, 512, 512, 1);
	nr_expect_simple(fd, 1, 0);
	nr_request(fd, 0, NBD_READ, 2, 1 << 30, 512);
	nr_expect_chunk_error(fd, 2, 22);
	rig.hold = true;
	nr_request(fd, 0, NBD_READ, 3, 0, 8192);
	ck_assert(nr_info(&info));
	ck_assert_uint_eq(info.id, 1);
	ck_assert_int_eq(strncmp(info.peer, "unix pid ", 9), 0);
	ck_assert_str_eq(info.state, "request");
	ck_assert(info.structured && info.metadata && !info.dead);
	ck_assert_uint_eq(info.requests, 3);
	ck_assert_uint_eq(info.errors, 1);
	ck_assert_uint_eq(info.unaligned, 2);
	ck_assert_uint_eq(info.bytes_written, 512);
	ck_assert_uint_eq(info.inflight, 1);
	ck_assert_uint_eq(info.buffer_bytes, 8192);
	rig_release(&rig);
	nr_close(fd);
	nr_stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nbd");
	TCase *tc = tcase_create("nbd");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_flags, 0, 5);
	tcase_add_loop_test(tc, test_judged, 0, 5);
	tcase_add_loop_test(tc, test_read_write, 0, (int)ARRAY_SIZE(lengths));
	tcase_add_test(tc, test_structured_empty);
	tcase_add_test(tc, test_lost_cache);
	tcase_add_loop_test(tc, test_flush_fua, 0, 2);
	tcase_add_test(tc, test_trim_zeroes);
	tcase_add_loop_test(tc, test_block_status, 0, 2);
	tcase_add_test(tc, test_block_status_many);
	tcase_add_test(tc, test_errors);
	tcase_add_test(tc, test_disc);
	tcase_add_test(tc, test_death);
	tcase_add_test(tc, test_eshutdown);
	tcase_add_test(tc, test_info);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
