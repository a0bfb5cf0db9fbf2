/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_sg.c - the commands of the sg driver over a model of sg: which CDB goes
 * out for which command, what comes back is what was meant, byte by byte, and
 * what a device does not know is done in another way or not at all.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "check_sg_env.h"
#include "core/req.h"

static void assert_cdb(unsigned i, const char *hex)
{
	char text[64];
	unsigned b;

	ck_assert_uint_lt(i, fake.nlog);
	for (b = 0; b < fake.log[i].cdb_len; b++)
		snprintf(text + 2 * b, 3, "%02x", fake.log[i].cdb[b]);
	ck_assert_str_eq(text, hex);
}

/* --- CDBs --- */

static const struct {
	enum cmd_op op;
	uint64_t lba;
	uint32_t nblocks;
	unsigned flags;
	const char *cdb;
	int direction;
} cdbs[] = {
	{CMD_READ, 0x10, 8, 0, "28000000001000000800", SG_DXFER_FROM_DEV},
	{CMD_WRITE, 0x123, 1, 0, "2a000000012300000100", SG_DXFER_TO_DEV},
	{CMD_WRITE, 0x123, 1, CMD_F_FUA, "2a080000012300000100", SG_DXFER_TO_DEV},
	{CMD_READ, 0x100000000, 2, 0, "88000000000100000000000000020000",
	 SG_DXFER_FROM_DEV},
	{CMD_WRITE, 0x1ffffffff, 1, CMD_F_FUA, "8a0800000001ffffffff000000010000",
	 SG_DXFER_TO_DEV},
	{CMD_FLUSH, 0, 0, 0, "35000000000000000000", SG_DXFER_NONE},
	{CMD_DISCARD, 0x40, 0x20, 0, "42000000000000001800", SG_DXFER_TO_DEV},
	{CMD_WRITE_ZEROES, 0x40, 0x20, 0, "93090000000000000040000000200000",
	 SG_DXFER_NONE},
	{CMD_WRITE_ZEROES, 0x40, 0x20, CMD_F_NO_UNMAP,
	 "93010000000000000040000000200000", SG_DXFER_NONE},
	{CMD_STATUS, 0x40, 0x20, 0, "9e120000000000000040000001f80000",
	 SG_DXFER_FROM_DEV},
};

START_TEST(every_op_has_its_cdb)
{
	struct extent ext[4];
	struct cmd *c;

	fake.nblocks = 1ull << 34;
	open_good();
	c = make(0, cdbs[_i].op, cdbs[_i].lba, cdbs[_i].nblocks);
	c->flags = cdbs[_i].flags;
	c->extents = ext;
	c->max_extents = 4;
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	ck_assert_uint_eq(fake.nlog, 1);
	assert_cdb(0, cdbs[_i].cdb);
	ck_assert_int_eq(fake.log[0].direction, cdbs[_i].direction);
	ck_assert_uint_eq(fake.log[0].timeout_ms, 7000);
	if (cdbs[_i].op == CMD_READ || cdbs[_i].op == CMD_WRITE)
		ck_assert_uint_eq(c->outcome.done_blocks, c->nblocks);
	if (cdbs[_i].op == CMD_DISCARD) {
		ck_assert_uint_eq(get_be64(fake.log[0].data + 8), 0x40);
		ck_assert_uint_eq(get_be32(fake.log[0].data + 16), 0x20);
	}
}
END_TEST

/* --- data --- */

static const uint32_t block_sizes[] = {512, 2048, 4096};

/* Merged commands: many pieces of odd places, written and read back, all bytes
 * compared. */
START_TEST(scatter_lists_carry_the_right_bytes)
{
	uint32_t bs = block_sizes[_i], nblocks, left;
	static uint8_t want[FAKE_DISK_BYTES];
	struct prng r;
	unsigned round;

	fake.block_bytes = bs;
	fake.nblocks = FAKE_DISK_BYTES / bs;
	open_good();
	prng_init(&r, 7, _i);
	memcpy(want, fake.disk, sizeof(want));
	for (round = 0; round < 200; round++) {
		struct cmd *c = make(0, round & 1 ? CMD_WRITE : CMD_READ, 0, 0);
		uint8_t *at = buffer;
		unsigned i;

		nblocks = 1 + (uint32_t)prng_below(&r, 64);
		c->lba = prng_below(&r, fake.nblocks - nblocks);
		c->nblocks = nblocks;
		c->niov = 0;
		for (left = nblocks; left;) {
			uint32_t n = 1 + (uint32_t)prng_below(&r, left);

			c->iov[c->niov].iov_base = at;
			c->iov[c->niov++].iov_len = (size_t)n * bs;
			at += (size_t)n * bs +
			      prng_below(&r, 100); /* no alignment at all */
			left -= n;
		}
		for (i = 0; c->op == CMD_WRITE && i < c->niov; i++) {
			size_t b;

			for (b = 0; b < c->iov[i].iov_len; b++)
				((uint8_t *)c->iov[i].iov_base)[b] =
					(uint8_t)prng_u64(&r);
		}
		ck_assert_int_eq(run_one(c)->verdict, V_OK);
		at = want + c->lba * bs;
		for (i = 0; i < c->niov; i++) {
			if (c->op == CMD_WRITE)
				memcpy(at, c->iov[i].iov_base, c->iov[i].iov_len);
			else
				ck_assert_mem_eq(at, c->iov[i].iov_base,
						 c->iov[i].iov_len);
			at += c->iov[i].iov_len;
		}
		ck_assert_mem_eq(want, fake.disk, sizeof(want));
	}
}
END_TEST

START_TEST(short_transfers_count_whole_blocks)
{
	struct fake_inject in = {
		.opcode = 0x28, .times = 1, .execute = true, .resid = 700};
	struct outcome *o;

	open_good();
	fake_sg_inject(&in);
	o = run_one(make(0, CMD_READ, 0, 8));
	ck_assert_int_eq(o->verdict, V_OK);
	ck_assert_uint_eq(o->done_blocks, 6);
	in.resid = 4096;
	fake_sg_inject(&in);
	o = run_one(make(0, CMD_READ, 0, 8));
	ck_assert_int_eq(o->verdict, V_SAME);
	/* More left over than there was. */
	in.resid = 5000;
	fake_sg_inject(&in);
	o = run_one(make(0, CMD_READ, 0, 8));
	ck_assert_int_eq(o->verdict, V_FAIL);
	ck_assert(o->flags & VF_GHOST);
}
END_TEST

START_TEST(a_bad_block_is_named)
{
	struct fake_inject in = {
		.opcode = 0x28,
		.times = 1,
		.status = 2,
		.sense_len = 18,
		.sense = {0xf0, 0, 3, 0, 0, 0, 0x15, 10, 0, 0, 0, 0, 0x11, 0}};
	struct outcome *o;

	open_good();
	fake_sg_inject(&in);
	o = run_one(make(0, CMD_READ, 0x10, 8));
	ck_assert_int_eq(o->verdict, V_ERR);
	ck_assert_int_eq(o->err, EIO);
	ck_assert(o->has_bad_lba);
	ck_assert_uint_eq(o->bad_lba, 0x15);
}
END_TEST

START_TEST(results_may_come_in_any_order)
{
	unsigned i;

	conf.depth = 16;
	open_good();
	fake.reverse = true;
	fake.hold = true;
	for (i = 0; i < 16; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_READ, i * 3, 1)),
				 0);
	path->ops->flush(path);
	run_all(loop);
	ck_assert_uint_eq(core.ndone, 0);
	fake_sg_release();
	run_until_done(loop, 16);
	for (i = 0; i < 16; i++) {
		ck_assert_int_eq(cmds[i].outcome.verdict, V_OK);
		ck_assert_mem_eq(cmds[i].iov[0].iov_base, fake.disk + i * 3 * 512, 512);
	}
}
END_TEST

/* --- flush and FUA --- */

START_TEST(flush_without_a_cache_sends_nothing)
{
	fake.wce = false;
	open_good();
	ck_assert(!core.info.write_cache && (core.info.caps & PATH_CAP_FUA));
	ck_assert_int_eq(run_one(make(0, CMD_FLUSH, 0, 0))->verdict, V_OK);
	ck_assert_uint_eq(fake.nlog, 0);
}
END_TEST

/* The cache was switched on, and one path has heard of it: the other one's attention is still to come. */
START_TEST(flush_for_a_cache_that_another_path_knows)
{
	struct cmd *c;

	fake.wce = fake.dpofua = false;
	open_good();
	path2 = open_as("/dev/sg5");
	use(path2);
	fake.wce = true;
	run_check(loop, path2, true);
	ck_assert(core.info.write_cache);
	use(path);
	fake.nlog = 0;
	ck_assert_int_eq(run_one(make(0, CMD_FLUSH, 0, 0))->verdict, V_OK);
	ck_assert_uint_eq(fake.nlog, 1);
	ck_assert_uint_eq(fake.log[0].cdb[0], OP_SYNC_CACHE_10);
	c = make(1, CMD_WRITE, 1, 1);
	c->flags = CMD_F_FUA;
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	ck_assert_uint_eq(fake.nlog, 3);
	ck_assert_uint_eq(fake.log[2].cdb[0], OP_SYNC_CACHE_10);
}
END_TEST

START_TEST(fua_is_free_without_a_cache)
{
	struct cmd *c;

	fake.wce = fake.dpofua = false;
	open_good();
	ck_assert(core.info.caps & PATH_CAP_FUA);
	c = make(0, CMD_WRITE, 1, 1);
	c->flags = CMD_F_FUA;
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	ck_assert_uint_eq(fake.nlog, 1);
	ck_assert_uint_eq(fake.log[0].cdb[1], 0);
}
END_TEST

START_TEST(no_fua_without_dpofua)
{
	fake.dpofua = false;
	open_good();
	ck_assert(!(core.info.caps & PATH_CAP_FUA));
}
END_TEST

/* The device claims the bit and refuses it: the write is made stable all the same. */
START_TEST(refused_fua_becomes_write_and_flush)
{
	struct cmd *c;

	fake.fua = false;
	open_good();
	ck_assert(core.info.caps & PATH_CAP_FUA);
	c = make(0, CMD_WRITE, 1, 1);
	c->flags = CMD_F_FUA;
	ck_assert_int_eq(run_one(c)->verdict, V_SAME);
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	ck_assert_uint_eq(c->outcome.done_blocks, 1);
	ck_assert_uint_eq(fake.nlog, 3);
	ck_assert_uint_eq(fake.log[0].cdb[1], 8);
	ck_assert_uint_eq(fake.log[1].cdb[1], 0);
	ck_assert_uint_eq(fake.log[2].cdb[0], 0x35);
	run_check(loop, path, false);
	ck_assert(core.has_info && !(core.info.caps & PATH_CAP_FUA));
}
END_TEST

START_TEST(a_write_whose_flush_fails_is_not_done)
{
	struct cmd *c;

	open_good();
	/* A unit attention: the flush did not run, but what it was to follow did. */
	fake_sg_sense(0x35, -1, 0, 1, 6, 0x2f, 0);
	c = make(0, CMD_DISCARD, 1, 1);
	c->flags = CMD_F_FUA;
	ck_assert_int_eq(run_one(c)->verdict, V_SAME);
	ck_assert(!(c->outcome.flags & VF_NOT_RUN));
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	ck_assert_uint_eq(fake_sg_count(0x42), 2);
	ck_assert_uint_eq(fake_sg_count(0x35), 2);
}
END_TEST

static void doubt_the_path(struct cmd *c)
{
	core.unusable = true;
}

/* Another LUN's "flushed" would say nothing of what was written. */
START_TEST(no_flush_follows_on_a_doubtful_path)
{
	struct cmd *first, *c;

	open_good();
	fake.delay_ns = NS_PER_MS;
	first = make(0, CMD_READ, 0, 1);
	ck_assert_int_eq(path->ops->submit(path, first), 0);
	c = make(1, CMD_DISCARD, 1, 1);
	c->flags = CMD_F_FUA;
	ck_assert_int_eq(path->ops->submit(path, c), 0);
	core.on_done = doubt_the_path;
	path->ops->flush(path);
	run_until_done(loop, 2);
	ck_assert_int_eq(c->outcome.verdict, V_CANCELED);
	ck_assert(!(c->outcome.flags & VF_NOT_RUN));
	ck_assert_uint_eq(fake_sg_count(0x42), 1);
	ck_assert_uint_eq(fake_sg_count(0x35), 0);
}
END_TEST

START_TEST(a_disk_without_cache_page_and_command_has_no_cache)
{
	fake.mode_page = fake.sync = false;
	open_good();
	ck_assert(core.info.write_cache);
	ck_assert_int_eq(run_one(make(0, CMD_FLUSH, 0, 0))->verdict, V_OK);
	ck_assert_int_eq(run_one(make(1, CMD_FLUSH, 0, 0))->verdict, V_OK);
	ck_assert_uint_eq(fake_sg_count(0x35), 1);
}
END_TEST

START_TEST(a_cache_that_cannot_be_flushed_is_an_error)
{
	fake.sync = false;
	open_good();
	ck_assert_int_eq(run_one(make(0, CMD_FLUSH, 0, 0))->verdict, V_ERR);
	/* Not only once. */
	ck_assert_int_eq(run_one(make(1, CMD_FLUSH, 0, 0))->verdict, V_ERR);
	ck_assert_uint_eq(fake_sg_count(0x35), 2);
}
END_TEST

/* --- provisioning --- */

START_TEST(discard_falls_back_step_by_step)
{
	struct cmd *c;

	open_good();
	ck_assert(core.info.caps & PATH_CAP_DISCARD);
	fake.unmap = false; /* it claimed to */
	c = make(0, CMD_DISCARD, 4, 2);
	ck_assert_int_eq(run_one(c)->verdict, V_SAME);
	fake.ndob = false;
	ck_assert_int_eq(run_one(c)->verdict, V_SAME);
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	assert_cdb(2, "93080000000000000004000000020000");
	ck_assert_uint_eq(fake.log[2].dxfer_len, 512);
	ck_assert(!fake.mapped[4] && !fake.mapped[5]);
	fake.write_same16 = false;
	ck_assert_int_eq(run_one(c)->verdict, V_ERR);
	ck_assert_int_eq(c->outcome.err, EOPNOTSUPP);
	/* From then on without asking the device. */
	fake.nlog = 0;
	ck_assert_int_eq(run_one(c)->verdict, V_ERR);
	ck_assert_int_eq(c->outcome.err, EOPNOTSUPP);
	ck_assert_uint_eq(fake.nlog, 0);
	run_check(loop, path, false);
	ck_assert(!(core.info.caps & PATH_CAP_DISCARD));
}
END_TEST

START_TEST(write_zeroes_falls_back_step_by_step)
{
	struct cmd *c;
	unsigned i;

	open_good();
	ck_assert(core.info.caps & PATH_CAP_WRITE_ZEROES);
	ck_assert(core.info.caps & PATH_CAP_FAST_ZERO);
	fake.ndob = fake.write_same16 = false;
	c = make(0, CMD_WRITE_ZEROES, 4, 2);
	ck_assert_int_eq(run_one(c)->verdict, V_SAME); /* NDOB */
	ck_assert_int_eq(run_one(c)->verdict, V_SAME); /* UNMAP */
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	assert_cdb(2, "93000000000000000004000000020000");
	for (i = 0; i < 1024; i++)
		ck_assert_uint_eq(fake.disk[4 * 512 + i], 0);
	fake.max_write_same = 0;
	ck_assert_int_eq(run_one(c)->verdict, V_ERR);
	ck_assert_int_eq(c->outcome.err, EOPNOTSUPP);
}
END_TEST

/* Blocks that need not read as zeroes when unmapped are written. */
START_TEST(no_unmap_for_zeroes_without_lbprz)
{
	fake.lbprz = false;
	open_good();
	ck_assert(!(core.info.caps & PATH_CAP_FAST_ZERO));
	ck_assert_int_eq(run_one(make(0, CMD_WRITE_ZEROES, 4, 2))->verdict, V_OK);
	assert_cdb(0, "93010000000000000004000000020000");
}
END_TEST

START_TEST(write_same10_where_that_is_all)
{
	fake.unmap = fake.write_same16 = false;
	fake.write_same10 = true;
	open_good();
	ck_assert_uint_eq(core.info.max_discard_blocks, 0xffff);
	ck_assert_int_eq(run_one(make(0, CMD_DISCARD, 4, 2))->verdict, V_OK);
	assert_cdb(0, "41080000000400000200");
	ck_assert_int_eq(run_one(make(0, CMD_WRITE_ZEROES, 4, 2))->verdict, V_OK);
	assert_cdb(1, "41080000000400000200");
}
END_TEST

START_TEST(status_tells_holes)
{
	struct extent ext[4];
	struct cmd *c;

	open_good();
	memset(fake.mapped, 1, 64);
	memset(fake.mapped + 10, 0, 5);
	c = make(0, CMD_STATUS, 8, 10);
	c->extents = ext;
	c->max_extents = 4;
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	ck_assert_uint_eq(c->nextents, 3);
	ck_assert(ext[0].nblocks == 2 && !ext[0].hole && !ext[0].zero);
	ck_assert(ext[1].nblocks == 5 && ext[1].hole && ext[1].zero);
	ck_assert(ext[2].nblocks == 3 && !ext[2].hole);
	c->max_extents = 1;
	ck_assert_int_eq(run_one(c)->verdict, V_OK);
	ck_assert_uint_eq(c->nextents, 1);
	fake.lba_status = false;
	ck_assert_int_eq(run_one(c)->verdict, V_ERR);
	ck_assert_int_eq(c->outcome.err, EOPNOTSUPP);
}
END_TEST

/* --- a full LUN that the kernel hides --- */

/* Commands one at a time for @ns; @hidden of them are retried by the kernel; each
 * of ours fails openly. */
static void busy_for(uint64_t ns, int *hidden)
{
	uint64_t end_ns = loop_now_ns(loop) + ns;

	while (loop_now_ns(loop) < end_ns) {
		if (*hidden > 0) {
			fake.ioerr_cnt++;
			--*hidden;
		}
		fake.ioerr_cnt++;
		run_one(make(0, CMD_READ, 0, 1));
	}
}

START_TEST(hidden_errors_are_noticed)
{
	int none = 0, some = 5;

	fake.ioerr_cnt = -20; /* it wraps */
	open_good();
	fake_sg_sense(0x28, -1, 0, 1000000, 0x0b, 0x4b, 0x03);
	fake.delay_ns = 10 * NS_PER_MS;
	busy_for(3 * NS_PER_SEC, &none);
	ck_assert_uint_eq(core.fulls, 0);
	busy_for(1500 * NS_PER_MS, &some);
	ck_assert_uint_ge(core.fulls, 1);
	ck_assert_uint_le(core.fulls, 2);
	core.fulls = 0;
	busy_for(3 * NS_PER_SEC, &none);
	ck_assert_uint_eq(core.fulls, 0);
	/* While we are idle others use the device: not our business. */
	run_all(loop);
	fake.ioerr_cnt += 100;
	busy_for(3 * NS_PER_SEC, &none);
	ck_assert_uint_eq(core.fulls, 0);
	ck_assert_uint_eq(core.depths, 0);
}
END_TEST

START_TEST(a_smaller_queue_depth_is_noticed)
{
	int none = 0, before = fake.queue_depth;

	open_good();
	fake_sg_sense(0x28, -1, 0, 1000000, 0x0b, 0x4b, 0x03);
	fake.delay_ns = 10 * NS_PER_MS;
	busy_for(1200 * NS_PER_MS, &none);
	ck_assert_uint_eq(core.depths, 0);
	fake.queue_depth = 2;
	busy_for(1200 * NS_PER_MS, &none);
	ck_assert_uint_eq(core.depths, 1);
	ck_assert_uint_eq(core.depth, 2);
	fake.queue_depth = before;
	busy_for(1200 * NS_PER_MS, &none);
	ck_assert_uint_eq(core.depths, 2);
	ck_assert_uint_eq(core.depth, core.info.depth);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sg");
	TCase *t = tcase_create("commands");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, every_op_has_its_cdb, 0, ARRAY_SIZE(cdbs));
	tcase_add_loop_test(t, scatter_lists_carry_the_right_bytes, 0,
			    ARRAY_SIZE(block_sizes));
	tcase_add_test(t, short_transfers_count_whole_blocks);
	tcase_add_test(t, a_bad_block_is_named);
	tcase_add_test(t, results_may_come_in_any_order);
	tcase_add_test(t, flush_without_a_cache_sends_nothing);
	tcase_add_test(t, flush_for_a_cache_that_another_path_knows);
	tcase_add_test(t, fua_is_free_without_a_cache);
	tcase_add_test(t, no_fua_without_dpofua);
	tcase_add_test(t, refused_fua_becomes_write_and_flush);
	tcase_add_test(t, a_write_whose_flush_fails_is_not_done);
	tcase_add_test(t, no_flush_follows_on_a_doubtful_path);
	tcase_add_test(t, a_disk_without_cache_page_and_command_has_no_cache);
	tcase_add_test(t, a_cache_that_cannot_be_flushed_is_an_error);
	tcase_add_test(t, discard_falls_back_step_by_step);
	tcase_add_test(t, write_zeroes_falls_back_step_by_step);
	tcase_add_test(t, no_unmap_for_zeroes_without_lbprz);
	tcase_add_test(t, write_same10_where_that_is_all);
	tcase_add_test(t, status_tells_holes);
	tcase_add_test(t, hidden_errors_are_noticed);
	tcase_add_test(t, a_smaller_queue_depth_is_noticed);
	suite_add_tcase(s, t);
	return unit_main(s);
}
