// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_blk.c - plain files as paths, over both engines, in memory, O_DIRECT
 * and through the page cache: every operation, allocation, short transfers,
 * back-pressure, closing under load, and what the engines do when the kernel
 * refuses them something.
 */
#include <config.h>

#include "check_blk_env.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/units.h"
#include "path/blk_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct combo {
	enum blk_engine_kind engine;
	const char *dir;
	enum blk_direct direct;
} combos[] = {
	{ BLK_ENGINE_URING, "/dev/shm", BLK_DIRECT_AUTO },
	{ BLK_ENGINE_URING, ".", BLK_DIRECT_AUTO },
	{ BLK_ENGINE_URING, ".", BLK_DIRECT_OFF },
	{ BLK_ENGINE_AIO, "/dev/shm", BLK_DIRECT_AUTO },
	{ BLK_ENGINE_AIO, ".", BLK_DIRECT_AUTO },
	{ BLK_ENGINE_AIO, ".", BLK_DIRECT_OFF },
};

static struct env v;

static void begin(int i, unsigned depth)
{
	/* A kernel without io_uring runs the libaio half twice rather than failing here. */
	make_file(combos[i].dir, v.file, sizeof(v.file), NBLOCKS);
	memcpy(v.dev, v.file, sizeof(v.dev));
	env_engine(&v, combos[i].engine == BLK_ENGINE_URING ? BLK_ENGINE_AUTO : BLK_ENGINE_AIO,
		   depth);
	env_path(&v, combos[i].direct, BLK);
}

START_TEST(operations)
{
	begin(_i, 64);
	ops_all(&v);
	env_end(&v);
}
END_TEST

static uint64_t allocated(void)
{
	struct stat st;

	ck_assert_int_eq(stat(v.file, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* NO_UNMAP keeps the space, the plain form gives it back. */
START_TEST(provisioning)
{
	uint8_t *data;
	uint64_t full;

	begin(_i, 8);
	data = mem(NBLOCKS * BLK);
	pattern(data, NBLOCKS * BLK, 1);
	ck_assert_int_eq(env_rw(&v, CMD_WRITE, 0, data, NBLOCKS, CMD_F_FUA).verdict, V_OK);
	full = allocated();
	ck_assert_uint_ge(full, NBLOCKS * BLK);
	ck_assert_int_eq(env_op(&v, CMD_WRITE_ZEROES, 0, 2048, CMD_F_NO_UNMAP | CMD_F_FUA).verdict,
			 V_OK);
	ck_assert_uint_ge(allocated(), full);
	ck_assert_int_eq(env_op(&v, CMD_WRITE_ZEROES, 0, 2048, CMD_F_FUA).verdict, V_OK);
	ck_assert_uint_le(allocated(), full - 1024 * BLK);
	env_end(&v);
	free(data);
}
END_TEST

static unsigned status(uint64_t lba, uint32_t nblocks, struct extent *ext, unsigned max)
{
	struct cmd *c = cmd_new(CMD_STATUS, lba, nblocks, 0);
	unsigned n;

	c->extents = ext;
	c->max_extents = max;
	ck_assert_int_eq(v.path->ops->submit(v.path, c), 0);
	env_wait(&v, &told.completed, told.completed + 1);
	ck_assert_int_eq(c->outcome.verdict, V_OK);
	n = c->nextents;
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_le(n, max);
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(ext[i].hole, ext[i].zero);
	free(c);
	return n;
}

/* 2 MiB: a hole, 64 KiB of data at 1 MiB, a hole. Then an answer that cannot be whole. */
START_TEST(allocation)
{
	struct extent ext[64];
	uint64_t sum = 0;
	uint8_t *data;
	unsigned n;

	begin(_i, 8);
	ck_assert(v.info.caps & PATH_CAP_STATUS);
	data = mem(8 * BLK * 16);
	pattern(data, 8 * BLK * 16, 1);
	n = status(0, NBLOCKS, ext, 64);
	ck_assert_uint_eq(n, 1);
	ck_assert(ext[0].hole && ext[0].nblocks == NBLOCKS);

	ck_assert_int_eq(env_rw(&v, CMD_WRITE, 2048, data, 128, CMD_F_FUA).verdict, V_OK);
	n = status(0, NBLOCKS, ext, 64);
	ck_assert_uint_eq(n, 3);
	ck_assert(ext[0].hole && ext[0].nblocks == 2048);
	ck_assert(!ext[1].hole && ext[1].nblocks == 128);
	ck_assert(ext[2].hole && ext[2].nblocks == NBLOCKS - 2048 - 128);
	n = status(2050, 3, ext, 64);
	ck_assert_uint_eq(n, 1);
	ck_assert(!ext[0].hole && ext[0].nblocks == 3);
	n = status(0, NBLOCKS, ext, 1); /* the answer may be short */
	ck_assert_uint_eq(n, 1);
	ck_assert(ext[0].hole && ext[0].nblocks == 2048);
	n = status(2047, 2, ext, 2);
	ck_assert_uint_eq(n, 2);
	ck_assert(ext[0].hole && !ext[1].hole && ext[0].nblocks == 1 && ext[1].nblocks == 1);

	/* 4 KiB data, 4 KiB hole, and so on: more runs than one answer looks at. */
	for (unsigned i = 0; i < 60; i++)
		ck_assert_int_eq(env_rw(&v, CMD_WRITE, i * 16, data, 8, 0).verdict, V_OK);
	n = status(0, 960, ext, 64);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(ext[i].hole, i % 2);
		ck_assert_uint_eq(ext[i].nblocks, 8);
		sum += ext[i].nblocks;
	}
	ck_assert_uint_ge(sum, 16);
	ck_assert_uint_lt(sum, 960);
	env_end(&v);
	free(data);
}
END_TEST

/* Somebody cuts the file off under us. */
START_TEST(shrunk)
{
	struct outcome o;
	uint8_t *data;

	begin(_i, 8);
	data = mem(16 * BLK);
	ck_assert_int_eq(truncate(v.file, (NBLOCKS - 8) * BLK), 0);
	/* Half of it is there: the count says so. */
	o = env_rw(&v, CMD_READ, NBLOCKS - 16, data, 16, 0);
	ck_assert_int_eq(o.verdict, V_OK);
	ck_assert_uint_eq(o.done_blocks, 8);
	/* Nothing of it is: the path is not what it was, and that is no endless loop. */
	o = env_rw(&v, CMD_READ, NBLOCKS - 8, data, 8, 0);
	ck_assert_int_eq(o.verdict, V_FAIL);
	ck_assert(o.flags & VF_IDENTITY);
	ck_assert_int_eq(o.err, EIO);
	ck_assert_int_eq(env_check(&v, v.path, false), CHECK_OK);
	ck_assert_uint_eq(told.info.nblocks, NBLOCKS - 8); /* core compares */
	/* Not a whole number of blocks, and empty. */
	ck_assert_int_eq(truncate(v.file, 1000), 0);
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_DOWN);
	ck_assert_ptr_nonnull(strstr(told.why, "whole number of blocks"));
	ck_assert_int_eq(truncate(v.file, 0), 0);
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_DOWN);
	ck_assert_ptr_nonnull(strstr(told.why, "empty"));
	ck_assert_int_eq(truncate(v.file, NBLOCKS * BLK), 0);
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_OK);
	ck_assert_uint_eq(told.info.nblocks, NBLOCKS);
	env_end(&v);
	free(data);
}
END_TEST

/* The slots are everybody's: who finds none is told when there is one, once. */
START_TEST(back_pressure)
{
	struct path *second;
	struct cmd *c[8];
	uint8_t *data;
	unsigned n = 0;

	begin(_i, 4);
	second = env_open(&v, v.dev, combos[_i].direct, BLK);
	ck_assert_str_ne(second->name, v.path->name);
	data = mem(8 * BLK);
	for (unsigned i = 0; i < 8; i++) {
		c[i] = cmd_new(CMD_WRITE, i, 1, 0);
		cmd_data(c[i], data + i * BLK, BLK);
		if (v.path->ops->submit(v.path, c[i]) == 0)
			n++;
		else
			break;
	}
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(v.path->ops->submit(v.path, c[4]), -EAGAIN);
	ck_assert_int_eq(second->ops->submit(second, c[4]), -EAGAIN);
	ck_assert_int_eq(second->ops->submit(second, c[4]), -EAGAIN);
	ck_assert_uint_eq(told.rooms, 0);
	env_wait(&v, &told.completed, 4);
	ck_assert_uint_eq(told.rooms, 2);
	ck_assert_int_eq(second->ops->submit(second, c[4]), 0);
	env_wait(&v, &told.completed, 5);
	ck_assert_uint_eq(told.rooms, 2);
	for (unsigned i = 0; i < 5; i++)
		free(c[i]);
	env_close(&v, second);
	env_end(&v);
	free(data);
}
END_TEST

/* close() with commands and a check on their way: all of them end, then it is closed. */
START_TEST(close_in_flight)
{
	enum { N = 16 };
	struct cmd *c[N + 1];
	uint8_t *data;

	begin(_i, 64);
	data = mem(N * 64 * BLK);
	for (unsigned i = 0; i < N; i++) {
		c[i] = cmd_new(i % 4 == 3 ? CMD_FLUSH : CMD_WRITE, 64 * i, i % 4 == 3 ? 0 : 64, 0);
		cmd_data(c[i], data + i * 64 * BLK, 64 * BLK);
		ck_assert_int_eq(v.path->ops->submit(v.path, c[i]), 0);
	}
	v.path->ops->check(v.path, false);
	v.path->ops->close(v.path);
	c[N] = cmd_new(CMD_FLUSH, 0, 0, 0);
	ck_assert_int_eq(v.path->ops->submit(v.path, c[N]), -ENODEV);
	env_wait(&v, &told.closed, 1);
	ck_assert_uint_eq(told.completed, N);
	ck_assert_uint_eq(told.checked, 2);
	for (unsigned i = 0; i <= N; i++)
		free(c[i]);
	v.path->ops->release(v.path);
	v.path = NULL;
	env_end(&v);
	free(data);
}
END_TEST

/* A path that was never taken by a LUN. */
START_TEST(free_unused)
{
	begin(_i, 4);
	blk_path_free(env_open(&v, v.dev, combos[_i].direct, BLK));
	blk_path_free(NULL);
	env_end(&v);
}
END_TEST

/* One read alone goes past the engine: it sees what the engine wrote, and ends later. */
START_TEST(lone_reads)
{
	uint8_t *data;

	begin(_i, 8);
	data = mem(BLK);
	for (unsigned i = 0; i < 50; i++) {
		pattern(data, BLK, i);
		ck_assert_int_eq(env_rw(&v, CMD_WRITE, i % 3, data, 1, 0).verdict, V_OK);
		memset(data, 0, BLK);
		ck_assert_int_eq(env_rw(&v, CMD_READ, i % 3, data, 1, 0).verdict, V_OK);
		ck_assert_uint_eq(data[0], 1 + i * 31 % 251);
	}
	env_end(&v);
	free(data);
}
END_TEST

START_TEST(read_only)
{
	struct blk_conf conf = { .read_only = true };
	char wwid[200], err[300];
	uint8_t *data = mem(BLK);
	struct path *p;

	make_file(".", v.file, sizeof(v.file), NBLOCKS);
	snprintf(wwid, sizeof(wwid), "file:%s", v.file);
	conf.wwid = wwid;
	ck_assert_int_eq(chmod(v.file, 0400), 0);
	env_engine(&v, BLK_ENGINE_AUTO, 8);
	ck_assert_int_eq(blk_path_new(v.engine, &conf, v.file, &p, err, sizeof(err)), 0);
	v.path = p;
	ck_assert_int_eq(env_check(&v, p, true), CHECK_OK);
	v.info = told.info;
	ck_assert(v.info.read_only);
	ck_assert(!(v.info.caps & (PATH_CAP_DISCARD | PATH_CAP_WRITE_ZEROES)));
	ck_assert_int_eq(env_rw(&v, CMD_READ, 0, data, 1, 0).verdict, V_OK);
	env_end(&v);
	free(data);
}
END_TEST

/* --- the engines ------------------------------------------------------------------------ */

START_TEST(fallback)
{
	struct blk_engine *e = NULL;
	struct loop *l = loop_ev_new();

	fault_arm(FAULT_URING_SETUP, 1, 0);
	ck_assert_int_eq(blk_engine_new(l, 8, BLK_ENGINE_URING, &e), -EPERM);
	ck_assert_ptr_null(e);
	ck_assert_int_eq(blk_engine_new(l, 8, BLK_ENGINE_AUTO, &e), 0);
	ck_assert_str_eq(blk_engine_name(e), "libaio");
	blk_engine_free(e);
	fault_disarm_all();
	ck_assert_int_eq(blk_engine_new(l, 0, BLK_ENGINE_AUTO, &e), -EINVAL);
	ck_assert_int_eq(blk_engine_new(l, DEPTH_MAX + 1, BLK_ENGINE_AUTO, &e), -EINVAL);
	ck_assert_int_eq(blk_engine_new(l, DEPTH_MAX, BLK_ENGINE_AUTO, &e), 0);
	blk_engine_free(e);
	blk_engine_free(NULL);
	loop_free(l);
}
END_TEST

/* A kernel that does not know the ring's newer flags has it without them. */
START_TEST(older_kernel)
{
	uint8_t *data = mem(4 * BLK);

	make_file(".", v.file, sizeof(v.file), NBLOCKS);
	memcpy(v.dev, v.file, sizeof(v.dev));
	fault_arm(FAULT_URING_FLAGS, 1, 0);
	env_engine(&v, BLK_ENGINE_AUTO, 8);
	/* By libaio where there is no io_uring at all. */
	ck_assert_uint_eq(fault_count(FAULT_URING_FLAGS), 1);
	fault_disarm_all();
	env_path(&v, BLK_DIRECT_AUTO, BLK);
	memset(data, 7, 4 * BLK);
	ck_assert_int_eq(env_rw(&v, CMD_WRITE, 0, data, 4, 0).verdict, V_OK);
	memset(data, 0, 4 * BLK);
	ck_assert_int_eq(env_rw(&v, CMD_READ, 0, data, 4, 0).verdict, V_OK);
	ck_assert_uint_eq(data[4 * BLK - 1], 7);
	env_end(&v);
	free(data);
}
END_TEST

static const struct {
	uint32_t conf_bytes, read_bytes, nblocks;
} check_reads[] = {
	{ 0, BLK, NBLOCKS },
	{ 1, BLK, NBLOCKS },
	{ BLK + 1, 2 * BLK, NBLOCKS },
	{ 256 * KIB, 256 * KIB, NBLOCKS },
	{ UINT32_MAX, CHECK_READ_BYTES_MAX, NBLOCKS },
	{ 64 * KIB, 8 * BLK, 8 }, /* there is no more */
};

/* A check reads as much as it shall, while data commands have every slot. */
START_TEST(check_read)
{
	uint8_t *data = mem(NBLOCKS * BLK);
	const struct iovec *iov;
	struct cmd *c[8], *none;

	v.check_read_bytes = check_reads[_i].conf_bytes;
	make_file(combos[_i].dir, v.file, sizeof(v.file), check_reads[_i].nblocks);
	memcpy(v.dev, v.file, sizeof(v.dev));
	env_engine(&v, BLK_ENGINE_AUTO, ARRAY_SIZE(c));
	env_path(&v, combos[_i].direct, BLK);
	pattern(data, NBLOCKS * BLK, 3);
	ck_assert_int_eq(env_rw(&v, CMD_WRITE, 0, data, check_reads[_i].nblocks, 0).verdict, V_OK);
	told.completed = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = cmd_new(CMD_READ, 0, 1, 0);
		cmd_data(c[i], data + i * BLK, BLK);
		ck_assert_int_eq(v.path->ops->submit(v.path, c[i]), 0);
	}
	none = cmd_new(CMD_FLUSH, 0, 0, 0);
	ck_assert_int_eq(v.path->ops->submit(v.path, none), -EAGAIN);
	ck_assert_int_eq(env_check(&v, v.path, false), CHECK_OK);
	if (told.completed < ARRAY_SIZE(c))
		env_wait(&v, &told.completed, ARRAY_SIZE(c));
	iov = &container_of(v.path, struct blk_path, path)->job_iov;
	pattern(data, NBLOCKS * BLK, 3);
	ck_assert_uint_eq(iov->iov_len, check_reads[_i].read_bytes);
	ck_assert_mem_eq(iov->iov_base, data, iov->iov_len);
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
		free(c[i]);
	free(none);
	free(data);
	env_end(&v);
}
END_TEST

/* No submission entry for a while: nothing is lost and nothing is refused. */
START_TEST(ring_full)
{
	uint8_t *data = mem(4 * BLK);
	struct cmd *c[4];

	begin(1, 8);
	if (strcmp(blk_engine_name(v.engine), "io_uring") != 0) {
		fprintf(stderr, "SKIP ring_full: this kernel has no io_uring for us\n");
		env_end(&v);
		return;
	}
	fault_arm(FAULT_URING_SQ_FULL, 2, 3);
	for (unsigned i = 0; i < 4; i++) {
		c[i] = cmd_new(CMD_WRITE, i, 1, 0);
		cmd_data(c[i], data + i * BLK, BLK);
		ck_assert_int_eq(v.path->ops->submit(v.path, c[i]), 0);
	}
	env_wait(&v, &told.completed, 4);
	ck_assert_uint_ge(fault_count(FAULT_URING_SQ_FULL), 5);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(c[i]->outcome.verdict, V_OK);
		free(c[i]);
	}
	fault_disarm_all();
	env_end(&v);
	free(data);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blk");
	TCase *tc = tcase_create("files");
	const int n = ARRAY_SIZE(combos);

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, operations, 0, n);
	tcase_add_loop_test(tc, provisioning, 0, n);
	tcase_add_loop_test(tc, allocation, 0, n);
	tcase_add_loop_test(tc, shrunk, 0, n);
	tcase_add_loop_test(tc, back_pressure, 0, n);
	tcase_add_loop_test(tc, close_in_flight, 0, n);
	tcase_add_loop_test(tc, free_unused, 0, n);
	tcase_add_loop_test(tc, lone_reads, 0, n);
	tcase_add_loop_test(tc, check_read, 0, ARRAY_SIZE(check_reads));
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, fallback);
	tcase_add_test(tc, older_kernel);
	tcase_add_test(tc, ring_full);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
