// SPDX-License-Identifier: GPL-2.0-or-later
/* check_blk_ops.c - what every block path must do, whatever is behind it and whichever engine. */
#include <config.h>

#include "check_blk_env.h"
#include "base/limits.h"
#include "base/units.h"

#include <errno.h>

static void ok(struct outcome o, uint32_t nblocks)
{
	ck_assert_msg(o.verdict == V_OK, "verdict %d err %d sys %d", o.verdict, o.err, o.sys_errno);
	ck_assert_uint_eq(o.done_blocks, nblocks);
}

/* What was written is read, in one piece and in pieces, and nothing else was touched. */
static void rw(struct env *v)
{
	uint8_t *out = mem(64 * BLK), *in = mem(66 * BLK);

	pattern(out, 64 * BLK, 1);
	ok(env_rw(v, CMD_WRITE, 100, out, 64, 0), 64);
	ok(env_rw(v, CMD_READ, 99, in, 66, 0), 66);
	ck_assert(all_zero(in, BLK));
	ck_assert_mem_eq(in + BLK, out, 64 * BLK);
	ck_assert(all_zero(in + 65 * BLK, BLK));
	ok(env_rw(v, CMD_READ, 120, in, 1, 0), 1);
	ck_assert_mem_eq(in, out + 20 * BLK, BLK);
	/* The last block of all. */
	ok(env_rw(v, CMD_WRITE, NBLOCKS - 1, out, 1, CMD_F_FUA), 1);
	ok(env_rw(v, CMD_READ, NBLOCKS - 1, in, 1, 0), 1);
	ck_assert_mem_eq(in, out, BLK);
	ok(env_op(v, CMD_FLUSH, 0, 0, 0), 0);
	free(out);
	free(in);
}

/* A merged command: as many segments as core may make, none next to another in memory. */
static void vectored(struct env *v)
{
	const unsigned n = CMD_SEGS_MAX;
	uint8_t *out = mem(n * BLK), *in = mem(2 * n * BLK), *back = mem(n * BLK);
	struct cmd *c;

	pattern(out, n * BLK, 2);
	c = cmd_new(CMD_WRITE, 1000, n, CMD_F_FUA);
	for (unsigned i = 0; i < n; i++)
		c->iov[i] = (struct iovec){ out + i * BLK, BLK };
	c->niov = n;
	ok(env_run(v, c), n);
	c = cmd_new(CMD_READ, 1000, n, 0);
	for (unsigned i = 0; i < n; i++)
		c->iov[i] = (struct iovec){ in + (size_t)(n - 1 - i) * 2 * BLK, BLK };
	c->niov = n;
	ok(env_run(v, c), n);
	for (unsigned i = 0; i < n; i++)
		memcpy(back + i * BLK, in + (size_t)(n - 1 - i) * 2 * BLK, BLK);
	ck_assert_mem_eq(back, out, n * BLK);
	free(out);
	free(in);
	free(back);
}

static void zero_one(struct env *v, enum cmd_op op, unsigned flags)
{
	uint8_t *data = mem(64 * BLK);

	pattern(data, 64 * BLK, 3);
	ok(env_rw(v, CMD_WRITE, 2000, data, 64, 0), 64);
	ok(env_op(v, op, 2010, 16, flags), 16);
	ok(env_rw(v, CMD_READ, 2000, data, 64, 0), 64);
	ck_assert(!all_zero(data + 9 * BLK, BLK));
	ck_assert(all_zero(data + 10 * BLK, 16 * BLK));
	ck_assert(!all_zero(data + 26 * BLK, BLK));
	free(data);
}

static void zeroes(struct env *v)
{
	ck_assert(v->info.caps & PATH_CAP_WRITE_ZEROES);
	ck_assert(v->info.caps & PATH_CAP_DISCARD);
	zero_one(v, CMD_WRITE_ZEROES, 0);
	zero_one(v, CMD_WRITE_ZEROES, CMD_F_FUA);
	zero_one(v, CMD_WRITE_ZEROES, CMD_F_NO_UNMAP);
	zero_one(v, CMD_WRITE_ZEROES, CMD_F_NO_UNMAP | CMD_F_FUA);
	zero_one(v, CMD_DISCARD, 0);
	zero_one(v, CMD_DISCARD, CMD_F_FUA);
}

/* Beyond the end: a final answer, and nothing grows. */
static void range(struct env *v)
{
	static const struct {
		uint64_t lba;
		uint32_t nblocks;
	} bad[] = { { NBLOCKS, 1 }, { NBLOCKS - 1, 2 }, { UINT64_MAX, 1 }, { UINT64_MAX, 2 },
		    { 0, NBLOCKS + 1 }, { 5, 0 } };
	static const enum cmd_op ops[] = { CMD_READ, CMD_WRITE, CMD_WRITE_ZEROES, CMD_DISCARD };
	uint8_t *data = mem(BLK);
	struct outcome o;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(ops); k++) {
			struct cmd *c = cmd_new(ops[k], bad[i].lba, bad[i].nblocks, 0);

			cmd_data(c, data, BLK);
			o = env_run(v, c);
			ck_assert_int_eq(o.verdict, V_ERR);
			ck_assert_int_eq(o.err, EINVAL);
			ck_assert_uint_eq(o.done_blocks, 0);
		}
	}
	ck_assert_int_eq(env_check(v, v->path, true), CHECK_OK);
	ck_assert_uint_eq(told.info.nblocks, NBLOCKS);
	free(data);
}

/* Many at once: all end, each once, with their own data. */
static void many(struct env *v)
{
	enum { N = 32 };
	struct cmd *c[N];
	uint8_t *data = mem(N * 8 * BLK), *want = mem(8 * BLK);

	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < N; i++) {
			c[i] = cmd_new(pass ? CMD_READ : CMD_WRITE, 16 * i, 8, 0);
			cmd_data(c[i], data + i * 8 * BLK, 8 * BLK);
			if (pass)
				memset(data + i * 8 * BLK, 0, 8 * BLK);
			else
				pattern(data + i * 8 * BLK, 8 * BLK, 100 + i);
			ck_assert_int_eq(v->path->ops->submit(v->path, c[i]), 0);
		}
		env_wait(v, &told.completed, told.completed + N);
		for (unsigned i = 0; i < N; i++) {
			ok(c[i]->outcome, 8);
			pattern(want, 8 * BLK, 100 + i);
			ck_assert_mem_eq(data + i * 8 * BLK, want, 8 * BLK);
			free(c[i]);
		}
	}
	free(data);
	free(want);
}

void ops_all(struct env *v)
{
	ck_assert_uint_eq(v->info.block_bytes, BLK);
	ck_assert_uint_eq(v->info.nblocks, NBLOCKS);
	ck_assert(v->info.caps & PATH_CAP_FUA);
	ck_assert(v->info.caps & PATH_CAP_OWN_CACHE);
	ck_assert(v->info.write_cache);
	ck_assert(!v->info.read_only);
	rw(v);
	vectored(v);
	zeroes(v);
	range(v);
	many(v);
}
