/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_io.c - the byte front of the exports: every byte range does to the
 * disk what a plain array of bytes would do, whatever its alignment; ranges
 * beyond the end, permissions and limits; waiting for room; cancel; nothing
 * held at the end.
 */
#include <config.h>

#include "export/io.h"

#include "base/prng.h"
#include "base/units.h"
#include "rig.h"
#include "unit.h"

#include <errno.h>

static struct rig rig;
static struct io_dev dev;
static unsigned rooms, dones;

static void count_room(struct io *io)
{
	rooms++;
	io_start(io);
}

static void count_done(struct io *io)
{
	dones++;
}

static void start(const struct rig_conf *conf)
{
	rig_start(&rig, conf);
	ck_assert_int_eq(io_dev_init(&dev, rig.lun), 0);
	rooms = dones = 0;
}

static void stop(void)
{
	struct lun_stats st;

	lun_get_stats(rig.lun, &st);
	ck_assert_uint_eq(st.reqs_out, 0);
	ck_assert_uint_eq(st.buf_bytes, 0);
	rig_stop(&rig);
}

static void set(struct io *io, enum io_op op, uint64_t offset, uint32_t length, unsigned flags)
{
	io_init(io, &dev, count_room, count_done);
	io->op = op;
	io->offset = offset;
	io->length = length;
	io->flags = flags;
}

/* Runs to its end; the io is IO_DONE afterwards, or was refused. Returns io_admit()'s answer. */
static int run(struct io *io, enum io_op op, uint64_t offset, uint32_t length, unsigned flags)
{
	int r;

	set(io, op, offset, length, flags);
	r = io_admit(io);
	if (r != 0)
		return r;
	if (op == IO_WRITE)
		rig_pattern(io->data, offset, length, 2);
	dones = 0;
	io_start(io);
	ck_assert_uint_eq(dones, 0);
	rig_pump(&rig);
	ck_assert_uint_eq(dones, 1);
	ck_assert_int_eq(io->state, IO_DONE);
	return 0;
}

/* --- as an array of bytes -------------------------------------------------------------- */

static const struct rig_conf sizes[] = {
	{ .block_bytes = 512, .nblocks = 64 },
	{ .block_bytes = 512, .nblocks = 64, .caps = PATH_CAP_WRITE_ZEROES | PATH_CAP_FUA },
	{ .block_bytes = 4096, .nblocks = 16 },
	{ .block_bytes = 4096, .nblocks = 16, .caps = PATH_CAP_WRITE_ZEROES },
	{ .block_bytes = 65536, .nblocks = 4, .caps = PATH_CAP_WRITE_ZEROES },
};

static void one_random(struct prng *rng, uint8_t *ref)
{
	uint64_t size = rig.disk_bytes, offset = prng_below(rng, size + 1), cut;
	uint32_t length = (uint32_t)prng_below(rng, size - offset + 1);
	static const enum io_op ops[] = { IO_READ, IO_WRITE, IO_WRITE_ZEROES };
	enum io_op op = ops[prng_below(rng, 3)];
	unsigned flags = prng_chance(rng, 1, 4) ? IO_F_FUA : 0;
	struct io io;
	int r;

	/* Mostly short ones: edges matter, not middles. */
	cut = prng_below(rng, 3 * dev.block_bytes);
	if (prng_chance(rng, 3, 4) && cut < length)
		length = (uint32_t)cut;
	if (prng_chance(rng, 1, 4))
		offset &= ~(uint64_t)(dev.block_bytes - 1);
	r = run(&io, op, offset, length, flags);
	ck_assert_int_eq(r, length == 0);
	if (length == 0)
		return;
	ck_assert_int_eq(io.err, 0);
	if (op == IO_READ)
		ck_assert_int_eq(memcmp(io.data, ref + offset, length), 0);
	if (op == IO_WRITE)
		rig_pattern(ref + offset, offset, length, 2);
	if (op == IO_WRITE_ZEROES)
		memset(ref + offset, 0, length);
	ck_assert_int_eq(memcmp(ref, rig.disk, size), 0);
	io_put(&io);
}

START_TEST(test_like_bytes)
{
	struct prng rng;
	uint8_t *ref;

	start(&sizes[_i]);
	rig_fill(&rig, 1);
	ref = malloc(rig.disk_bytes);
	memcpy(ref, rig.disk, rig.disk_bytes);
	prng_init(&rng, 4711, (uint64_t)_i);
	for (unsigned n = 0; n < 1500; n++)
		one_random(&rng, ref);
	free(ref);
	stop();
}
END_TEST

/* Two writes to different bytes of one block, in flight together: none is lost. */
START_TEST(test_neighbours)
{
	struct io a, b;

	start(&sizes[2]);
	set(&a, IO_WRITE, 100, 50, 0);
	set(&b, IO_WRITE, 150, 50, 0);
	ck_assert_int_eq(io_admit(&a), 0);
	ck_assert_int_eq(io_admit(&b), 0);
	memset(a.data, 'a', 50);
	memset(b.data, 'b', 50);
	io_start(&a);
	io_start(&b);
	rig_pump(&rig);
	ck_assert_uint_eq(dones, 2);
	ck_assert_int_eq(rig.disk[99] | rig.disk[200], 0);
	for (unsigned i = 0; i < 50; i++) {
		ck_assert_int_eq(rig.disk[100 + i], 'a');
		ck_assert_int_eq(rig.disk[150 + i], 'b');
	}
	io_put(&a);
	io_put(&b);
	stop();
}
END_TEST

/* --- what is refused -------------------------------------------------------------------- */

#define SIZE (64u * 512u)

static const struct {
	enum io_op op;
	uint64_t offset;
	uint32_t length;
	int want;
} refused[] = {
	{ IO_READ, SIZE, 0, 1 },
	{ IO_READ, SIZE, 1, -EINVAL },
	{ IO_READ, SIZE - 512, 513, -EINVAL },
	{ IO_READ, UINT64_MAX - 511, 1024, -EINVAL }, /* wraps */
	{ IO_READ, UINT64_MAX, 1, -EINVAL },
	{ IO_READ, 0, UINT32_MAX, -EINVAL },
	{ IO_WRITE, SIZE, 1, -ENOSPC },
	{ IO_WRITE, UINT64_MAX - 511, 1024, -ENOSPC },
	{ IO_WRITE, SIZE - 1, 2, -ENOSPC },
	{ IO_WRITE, 5, 0, 1 },
	{ IO_WRITE_ZEROES, SIZE - 1, 2, -ENOSPC },
	{ IO_WRITE_ZEROES, 7, 0, 1 },
	{ IO_DISCARD, SIZE, 512, -EINVAL },
	{ IO_DISCARD, 0, 512, -EOPNOTSUPP },
	{ IO_CACHE, SIZE, 1, -EINVAL },
	{ IO_STATUS, SIZE, 1, -EINVAL },
	{ IO_STATUS, 0, 1, -EOPNOTSUPP },
};

START_TEST(test_refused)
{
	struct io io;

	start(&sizes[0]);
	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
		set(&io, refused[i].op, refused[i].offset, refused[i].length, 0);
		ck_assert_int_eq(io_check(&dev, &io), refused[i].want);
		ck_assert_int_eq(io_admit(&io), refused[i].want);
		ck_assert_int_eq(io.state, IO_IDLE);
		ck_assert_uint_eq(io_buffer_bytes(&dev, &io), 0);
		io_put(&io);
	}
	stop();
}
END_TEST

START_TEST(test_read_only)
{
	const struct rig_conf conf = { .read_only = true, .caps = PATH_CAP_DISCARD };
	struct io io;

	start(&conf);
	ck_assert_int_eq(run(&io, IO_WRITE, 0, 512, 0), -EPERM);
	ck_assert_int_eq(run(&io, IO_WRITE_ZEROES, 0, 512, 0), -EPERM);
	ck_assert_int_eq(run(&io, IO_DISCARD, 0, 512, 0), -EPERM);
	ck_assert_int_eq(run(&io, IO_READ, 0, 512, 0), 0);
	io_put(&io);
	ck_assert_int_eq(run(&io, IO_FLUSH, 0, 0, 0), 0);
	io_put(&io);
	stop();
}
END_TEST

START_TEST(test_largest)
{
	const struct rig_conf conf = { .block_bytes = 4096, .nblocks = 3 * REQ_BYTES_MAX / 4096 };
	struct io io;

	start(&conf);
	ck_assert_int_eq(run(&io, IO_READ, 0, REQ_BYTES_MAX + 1, 0), -EOVERFLOW);
	ck_assert_int_eq(run(&io, IO_WRITE, 0, REQ_BYTES_MAX + 4096, 0), -EOVERFLOW);
	ck_assert_int_eq(run(&io, IO_READ, 0, REQ_BYTES_MAX, 0), 0);
	io_put(&io);
	/* Not whole blocks: the blocks around it, and one for the edges, must fit, too. */
	ck_assert_int_eq(run(&io, IO_READ, 1, REQ_BYTES_MAX, 0), -EOVERFLOW);
	ck_assert_int_eq(run(&io, IO_WRITE, 1, REQ_BYTES_MAX, 0), -EOVERFLOW);
	ck_assert_int_eq(run(&io, IO_WRITE, 1, REQ_BYTES_MAX - 4096, 0), -EOVERFLOW);
	ck_assert_int_eq(run(&io, IO_READ, 1, REQ_BYTES_MAX - 1, 0), 0);
	io_put(&io);
	ck_assert_int_eq(run(&io, IO_WRITE, 1, REQ_BYTES_MAX - 8192, 0), 0);
	ck_assert_uint_eq(io_buffer_bytes(&dev, &io), REQ_BYTES_MAX);
	ck_assert_int_eq(io.err, 0);
	io_put(&io);
	ck_assert_uint_eq(rig.disk[0], 0);
	ck_assert(rig_is_pattern(rig.disk + 1, 1, REQ_BYTES_MAX - 8192, 2));
	ck_assert_uint_eq(rig.disk[REQ_BYTES_MAX - 8191], 0);
	/* Zeroes are not limited by a payload. */
	ck_assert_int_eq(run(&io, IO_WRITE_ZEROES, 0, 3 * REQ_BYTES_MAX, 0), 0);
	ck_assert_int_eq(io.err, 0);
	io_put(&io);
	ck_assert_uint_eq(rig.disk[REQ_BYTES_MAX], 0);
	stop();
}
END_TEST

/* --- rounding, flags ---------------------------------------------------------------------- */

static const struct {
	uint32_t granularity; /* blocks of 512 */
	uint64_t offset;
	uint32_t length;
	int admit; /* 0 or 1 */
	uint64_t lba, nblocks;
} discards[] = {
	{ 1, 0, 512, 0, 0, 1 },
	{ 1, 1, 512, 1, 0, 0 },
	{ 1, 1, 1023, 0, 1, 1 },
	{ 1, 511, 1026, 0, 1, 2 },
	{ 8, 0, 4095, 1, 0, 0 },
	{ 8, 0, 4096, 0, 0, 8 },
	{ 8, 512, 8192, 0, 8, 8 },
	{ 8, 4096, 100, 1, 0, 0 },
	{ 3, 512, 61 * 512, 0, 3, 57 },
	/* the last granule is incomplete: the device ends there */
	{ 5, 60 * 512, 4 * 512, 0, 60, 4 },
	{ 5, 60 * 512, 3 * 512, 1, 0, 0 },
};

START_TEST(test_discard)
{
	const struct rig_conf conf = { .nblocks = 64,
				       .caps = PATH_CAP_DISCARD,
				       .discard_granularity_blocks = discards[_i].granularity };
	struct io io;

	start(&conf);
	ck_assert_int_eq(run(&io, IO_DISCARD, discards[_i].offset, discards[_i].length, 0),
			 discards[_i].admit);
	io_put(&io);
	ck_assert_uint_eq(rig.largest_discard, discards[_i].nblocks);
	ck_assert_uint_eq(rig.discard_lba, discards[_i].lba);
	stop();
}
END_TEST

START_TEST(test_flags)
{
	const struct rig_conf conf = {
		.caps = PATH_CAP_FUA | PATH_CAP_WRITE_ZEROES | PATH_CAP_FAST_ZERO
	};
	struct io io;

	start(&conf);
	ck_assert_int_eq(run(&io, IO_WRITE, 0, 512, IO_F_FUA), 0);
	io_put(&io);
	ck_assert_uint_eq(rig.fua, 1);
	ck_assert_int_eq(run(&io, IO_WRITE_ZEROES, 512, 1024, IO_F_NO_UNMAP | IO_F_FAST_ZERO), 0);
	io_put(&io);
	ck_assert_uint_eq(rig.no_unmap, 1);
	ck_assert_uint_eq(rig.ncmds[CMD_WRITE_ZEROES], 1);
	/* FUA means the edges, too. */
	rig.fua = 0;
	ck_assert_int_eq(run(&io, IO_WRITE_ZEROES, 1, 2000, IO_F_FUA), 0);
	io_put(&io);
	ck_assert_uint_eq(rig.fua, 3);
	/* A read with FUA is a read. */
	ck_assert_int_eq(run(&io, IO_READ, 0, 512, IO_F_FUA), 0);
	io_put(&io);
	ck_assert_uint_eq(rig.fua, 3);
	stop();
}
END_TEST

/* A refused FAST_ZERO has touched nothing, its edges included. */
START_TEST(test_fast_zero)
{
	const struct rig_conf slow = { 0 };
	const struct rig_conf fast = { .caps = PATH_CAP_WRITE_ZEROES | PATH_CAP_FAST_ZERO };
	struct io io;

	start(_i ? &fast : &slow);
	rig_fill(&rig, 1);
	rig.fail_errno = EOPNOTSUPP;
	rig.fail_op = CMD_WRITE_ZEROES;
	if (_i) {
		ck_assert_int_eq(run(&io, IO_WRITE_ZEROES, 100, 2000, IO_F_FAST_ZERO), 0);
		ck_assert_int_eq(io.err, EOPNOTSUPP);
		io_put(&io);
	} else {
		ck_assert_int_eq(run(&io, IO_WRITE_ZEROES, 100, 2000, IO_F_FAST_ZERO), -EOPNOTSUPP);
	}
	ck_assert(rig_is_pattern(rig.disk, 0, 4096, 1));
	stop();
}
END_TEST

START_TEST(test_cache)
{
	const struct rig_conf conf = { .block_bytes = 4096, .nblocks = 4096 };
	struct lun_stats st;
	struct io io;

	start(&conf);
	ck_assert_int_eq(run(&io, IO_CACHE, 4095, 12 * MIB + 3, 0), 0);
	ck_assert_int_eq(io.err, 0);
	ck_assert_ptr_null(io.data);
	io_put(&io);
	lun_get_stats(rig.lun, &st);
	ck_assert_uint_eq(st.bytes_read, 12 * MIB + 2 * 4096);
	ck_assert_uint_le(st.buf_bytes_max, IO_CACHE_BYTES);
	rig.fail_errno = EIO;
	ck_assert_int_eq(run(&io, IO_CACHE, 0, 4 * MIB, 0), 0);
	ck_assert_int_eq(io.err, EIO);
	io_put(&io);
	stop();
}
END_TEST

START_TEST(test_errors)
{
	static const enum io_op ops[] = { IO_READ, IO_WRITE, IO_WRITE_ZEROES, IO_FLUSH };
	struct io io;

	start(&sizes[1]);
	rig.fail_errno = EIO;
	/* A flush asks the medium only if something was written. */
	rig.fail_op = ops[_i] == IO_FLUSH ? CMD_FLUSH : CMD_OP_NR;
	if (ops[_i] == IO_FLUSH) {
		ck_assert_int_eq(run(&io, IO_WRITE, 0, 512, 0), 0);
		io_put(&io);
		ck_assert_int_eq(run(&io, IO_FLUSH, 0, 0, 0), 0);
	} else {
		ck_assert_int_eq(run(&io, ops[_i], 100, 2000, 0), 0);
	}
	ck_assert_int_eq(io.err, EIO);
	io_put(&io);
	stop();
}
END_TEST

/* --- allocation ------------------------------------------------------------------------------ */

START_TEST(test_status)
{
	const struct rig_conf conf = { .caps = PATH_CAP_STATUS };
	struct io_extent x;
	uint64_t covered = 0;
	unsigned pos = 0;
	struct io io;

	start(&conf);
	/* data in blocks 4..7, the rest zero */
	memset(rig.disk + 4 * 512, 1, 4 * 512);
	ck_assert_int_eq(run(&io, IO_STATUS, 100, 10 * 512, 0), 0);
	ck_assert_int_eq(io.err, 0);
	ck_assert(io_next_extent(&io, &pos, &covered, &x));
	ck_assert_uint_eq(x.bytes, 4 * 512 - 100);
	ck_assert(x.zero && x.hole);
	ck_assert(io_next_extent(&io, &pos, &covered, &x));
	ck_assert_uint_eq(x.bytes, 4 * 512);
	ck_assert(!x.zero && !x.hole);
	ck_assert(io_next_extent(&io, &pos, &covered, &x));
	ck_assert_uint_eq(x.bytes, 2 * 512 + 100);
	ck_assert_uint_eq(covered, 10 * 512);
	ck_assert(!io_next_extent(&io, &pos, &covered, &x));
	io_put(&io);
	stop();
}
END_TEST

/* --- waiting, leaving --------------------------------------------------------------------------- */

#define NWAIT 6

/* Requests for 3 and for 1, in a pool of 4: all are served, in order, and none waits for itself. */
START_TEST(test_room)
{
	const struct rig_conf conf = { .max_reqs = 4 };
	struct io io[NWAIT];
	unsigned waiting = 0;
	int r;

	start(&conf);
	rig.hold = true;
	for (unsigned i = 0; i < NWAIT; i++) {
		set(&io[i], i % 2 ? IO_WRITE : IO_WRITE_ZEROES, 100 + i * 8192, 4096, 0);
		r = io_admit(&io[i]);
		ck_assert(r == 0 || r == -EAGAIN);
		if (r == 0)
			io_start(&io[i]);
		waiting += r == -EAGAIN;
	}
	ck_assert_uint_eq(waiting, NWAIT - 2);
	for (unsigned i = 0; i < NWAIT; i++) {
		for (unsigned tries = 0; io[i].state != IO_DONE && tries < 10; tries++)
			rig_release(&rig);
		ck_assert_int_eq(io[i].state, IO_DONE);
		ck_assert_int_eq(io[i].err, 0);
		io_put(&io[i]);
	}
	ck_assert_uint_eq(rooms, NWAIT - 2);
	ck_assert_uint_eq(dones, NWAIT);
	stop();
}
END_TEST

/* Who leaves the line is not called, and who stands behind goes on. */
START_TEST(test_leave_line)
{
	const struct rig_conf conf = { .max_reqs = 1 };
	struct io io[3];

	start(&conf);
	for (unsigned i = 0; i < 3; i++)
		set(&io[i], IO_READ, 0, 512, 0);
	ck_assert_int_eq(io_admit(&io[0]), 0);
	ck_assert_int_eq(io_admit(&io[1]), -EAGAIN);
	ck_assert_int_eq(io_admit(&io[2]), -EAGAIN);
	rig_pump(&rig);
	ck_assert_uint_eq(rooms, 0);
	io_put(&io[1]);
	io_put(&io[0]);
	rig_pump(&rig);
	ck_assert_uint_eq(rooms, 1);
	ck_assert_int_eq(io[2].state, IO_DONE);
	io_put(&io[2]);
	stop();
}
END_TEST

START_TEST(test_cancel)
{
	static const enum io_op ops[] = { IO_READ, IO_WRITE, IO_WRITE_ZEROES };
	struct io io;

	start(&sizes[0]);
	rig_fill(&rig, 1);
	/* At no path yet: it never runs. */
	rig.busy = true;
	set(&io, ops[_i], 100, 2000, 0);
	ck_assert_int_eq(io_admit(&io), 0);
	if (io.data)
		memset(io.data, 0xee, 2000);
	io_start(&io);
	io_abandon(&io);
	ck_assert_uint_eq(dones, 0);
	rig_release(&rig);
	ck_assert_uint_eq(dones, 1);
	ck_assert(rig_is_pattern(rig.disk, 0, 4096, 1));
	io_put(&io);
	/* At the path: it runs to its end, of its first step. */
	dones = 0;
	rig.hold = true;
	set(&io, ops[_i], 512, 2048, 0);
	ck_assert_int_eq(io_admit(&io), 0);
	io_start(&io);
	rig_pump(&rig);
	io_abandon(&io);
	rig_pump(&rig);
	ck_assert_uint_eq(dones, 0);
	rig_release(&rig);
	ck_assert_uint_eq(dones, 1);
	ck_assert_int_eq(io.err, 0);
	io_put(&io);
	stop();
}
END_TEST

/* The LUN stops: what has not run says so, and the export must not answer it. */
START_TEST(test_shutdown)
{
	struct io io;

	start(&sizes[0]);
	rig.busy = true;
	set(&io, IO_WRITE, 0, 512, 0);
	ck_assert_int_eq(io_admit(&io), 0);
	io_start(&io);
	rig_pump(&rig);
	lun_stop(rig.lun, 0);
	rig_pump(&rig);
	ck_assert_uint_eq(dones, 1);
	ck_assert_int_eq(io.err, ESHUTDOWN);
	io_put(&io);
	rig.busy = false;
	stop();
}
END_TEST

START_TEST(test_no_geometry)
{
	const struct rig_conf conf = { .late = true };

	rig_start(&rig, &conf);
	ck_assert_int_eq(io_dev_init(&dev, rig.lun), -EAGAIN);
	rig_advance(&rig, 2 * NS_PER_SEC);
	ck_assert_int_eq(io_dev_init(&dev, rig.lun), 0);
	ck_assert_uint_eq(dev.size_bytes, 8192 * 512);
	stop();
}
END_TEST

/* Giving back what the LUN still has is a bug. */
START_TEST(test_put_running)
{
	struct io io;

	start(&sizes[0]);
	rig.hold = true;
	set(&io, IO_READ, 0, 512, 0);
	ck_assert_int_eq(io_admit(&io), 0);
	io_start(&io);
	io_put(&io);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("io");
	TCase *tc = tcase_create("io");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_like_bytes, 0, (int)ARRAY_SIZE(sizes));
	tcase_add_test(tc, test_neighbours);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_read_only);
	tcase_add_test(tc, test_largest);
	tcase_add_loop_test(tc, test_discard, 0, (int)ARRAY_SIZE(discards));
	tcase_add_test(tc, test_flags);
	tcase_add_loop_test(tc, test_fast_zero, 0, 2);
	tcase_add_test(tc, test_cache);
	tcase_add_loop_test(tc, test_errors, 0, 4);
	tcase_add_test(tc, test_status);
	tcase_add_test(tc, test_room);
	tcase_add_test(tc, test_leave_line);
	tcase_add_loop_test(tc, test_cancel, 0, 3);
	tcase_add_test(tc, test_shutdown);
	tcase_add_test(tc, test_no_geometry);
	unit_add_abort(tc, test_put_running);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
