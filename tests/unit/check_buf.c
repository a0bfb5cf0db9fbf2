/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_buf.c - proves of the buddy allocator: buffers never overlap, are
 * aligned, come lowest address first, run out only when no fitting block is
 * left, and coalesce completely; a put that does not match its get aborts.
 */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/prng.h"
#include "base/units.h"
#include "unit.h"

#define UNIT ((size_t)BUF_MIN_BYTES)

static struct buf_arena *arena_of(size_t bytes)
{
	struct buf_arena *a = NULL;

	ck_assert_int_eq(buf_arena_new(bytes, &a), 0);
	ck_assert_ptr_nonnull(a);
	return a;
}

static size_t offset_of(struct buf_arena *a, void *buf)
{
	size_t bytes;
	void *start;

	buf_arena_range(a, &start, &bytes);
	ck_assert_uint_ge((uintptr_t)buf, (uintptr_t)start);
	ck_assert_uint_lt((uintptr_t)buf, (uintptr_t)start + bytes);
	return (size_t)((char *)buf - (char *)start);
}

START_TEST(test_new_refuses)
{
	static const size_t bad[] = { 0, 1, BUF_MIN_BYTES / 2, BUF_MIN_BYTES + 1, 3 * BUF_MIN_BYTES };
	struct buf_arena *a = NULL;

	ck_assert_int_eq(buf_arena_new(bad[_i], &a), -EINVAL);
	ck_assert_ptr_null(a);
}
END_TEST

START_TEST(test_new_no_memory)
{
	struct buf_arena *a = NULL;

	fault_arm(FAULT_ALLOC, 1, 1);
	ck_assert_int_eq(buf_arena_new(UNIT, &a), -ENOMEM);
	fault_disarm_all();
	ck_assert_int_eq(buf_arena_new((size_t)1 << 63, &a), -ENOMEM);
	ck_assert_ptr_null(a);
	buf_arena_free(NULL);
}
END_TEST

START_TEST(test_one_leaf)
{
	struct buf_arena *a = arena_of(UNIT);
	void *b = buf_get(a, 1);

	ck_assert_uint_eq(offset_of(a, b), 0);
	ck_assert_uint_eq(buf_in_use(a), UNIT);
	ck_assert_ptr_null(buf_get(a, 1));
	ck_assert_ptr_null(buf_get(a, UNIT + 1));
	buf_put(a, b, 1);
	ck_assert_uint_eq(buf_in_use(a), 0);
	buf_arena_free(a);
}
END_TEST

/* Sizes are rounded up to a power of two, alignment is the size up to 2 MiB. */
START_TEST(test_sizes_and_alignment)
{
	static const struct {
		size_t ask, get;
	} rows[] = {
		{ 1, UNIT },
		{ UNIT, UNIT },
		{ UNIT + 1, 2 * UNIT },
		{ 2 * UNIT, 2 * UNIT },
		{ 3 * UNIT, 4 * UNIT },
		{ MIB - 1, MIB },
		{ MIB + 1, 2 * MIB },
		{ 5 * MIB, 8 * MIB },
		{ 32 * MIB, 32 * MIB },
	};
	size_t align = MIN(rows[_i].get, (size_t)2 * MIB);
	struct buf_arena *a = arena_of(64 * MIB);
	void *small = buf_get(a, 1), *b;

	b = buf_get(a, rows[_i].ask);
	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq((uintptr_t)b % align, 0);
	ck_assert_uint_eq(offset_of(a, b) % rows[_i].get, 0);
	ck_assert_uint_eq(buf_in_use(a), UNIT + rows[_i].get);
	memset(b, 0xa5, rows[_i].get); /* it is really there */
	buf_put(a, small, 1);
	buf_put(a, b, rows[_i].ask);
	ck_assert_uint_eq(buf_high_water(a), UNIT + rows[_i].get);
	buf_arena_free(a);
}
END_TEST

START_TEST(test_exhaustion_in_order)
{
	enum { N = 64 };
	struct buf_arena *a = arena_of(N * UNIT);
	void *b[N];
	size_t i;

	for (i = 0; i < N; i++) {
		b[i] = buf_get(a, UNIT);
		ck_assert_uint_eq(offset_of(a, b[i]), i * UNIT);
	}
	ck_assert_ptr_null(buf_get(a, 1));
	ck_assert_uint_eq(buf_in_use(a), N * UNIT);
	buf_put(a, b[40], UNIT);
	buf_put(a, b[7], UNIT);
	buf_put(a, b[21], UNIT);
	ck_assert_ptr_null(buf_get(a, UNIT + 1)); /* three holes, no pair */
	ck_assert_ptr_eq(buf_get(a, UNIT), b[7]);
	ck_assert_ptr_eq(buf_get(a, UNIT), b[21]);
	ck_assert_ptr_eq(buf_get(a, UNIT), b[40]);
	for (i = 0; i < N; i++)
		buf_put(a, b[i], UNIT);
	ck_assert_ptr_eq(buf_get(a, N * UNIT), b[0]); /* all of it in one piece again */
	buf_put(a, b[0], N * UNIT);
	ck_assert_uint_eq(buf_high_water(a), N * UNIT);
	buf_arena_free(a);
}
END_TEST

/* Every second leaf free: half of the arena is free, and nothing of two leaves. */
START_TEST(test_fragmentation)
{
	enum { N = 32 };
	struct buf_arena *a = arena_of(N * UNIT);
	void *b[N], *pair;
	size_t i;

	for (i = 0; i < N; i++)
		b[i] = buf_get(a, UNIT);
	for (i = 1; i < N; i += 2)
		buf_put(a, b[i], UNIT);
	ck_assert_uint_eq(buf_in_use(a), N / 2 * UNIT);
	ck_assert_ptr_null(buf_get(a, 2 * UNIT));
	/* Two free neighbours that are not buddies do not make a block. */
	buf_put(a, b[2], UNIT);
	ck_assert_ptr_null(buf_get(a, 4 * UNIT));
	pair = buf_get(a, 2 * UNIT);
	ck_assert_ptr_eq(pair, b[2]);
	buf_put(a, pair, 2 * UNIT);
	for (i = 0; i < N; i += 2)
		if (i != 2)
			buf_put(a, b[i], UNIT);
	ck_assert_ptr_eq(buf_get(a, N * UNIT), b[0]);
	buf_put(a, b[0], N * UNIT);
	buf_arena_free(a);
}
END_TEST

/* A low block is split although a hole of the right size exists further up. */
START_TEST(test_lowest_address_wins)
{
	struct buf_arena *a = arena_of(8 * UNIT);
	void *low = buf_get(a, 4 * UNIT);
	void *hole = buf_get(a, UNIT), *top = buf_get(a, UNIT);

	buf_put(a, low, 4 * UNIT);
	buf_put(a, hole, UNIT);
	ck_assert_ptr_eq(buf_get(a, UNIT), low);
	ck_assert_uint_eq(offset_of(a, top), 5 * UNIT);
	buf_put(a, low, UNIT);
	buf_put(a, top, UNIT);
	buf_arena_free(a);
}
END_TEST

/* Pages of the arena that have memory. */
static size_t resident_kib(const struct buf_arena *a)
{
	unsigned char vec[8192];
	size_t bytes, n = 0;
	void *start;

	buf_arena_range(a, &start, &bytes);
	ck_assert_uint_le(bytes / 4096, sizeof(vec));
	ck_assert_int_eq(mincore(start, bytes, vec), 0);
	for (size_t i = 0; i < bytes / 4096; i++)
		n += vec[i] & 1;
	return n * 4;
}

/* What a peak has needed goes back when it was not needed for a round, and nothing that is out does. */
START_TEST(test_trim)
{
	struct buf_arena *a = arena_of(32 << 20);
	char *b[8];

	ck_assert_uint_eq(buf_trim(a), 0);
	for (int i = 0; i < 8; i++)
		b[i] = memset(buf_get(a, 3 << 20), 'a' + i, 3 << 20); /* takes four */
	for (int i = 0; i < 8; i++)
		if (i != 2)
			buf_put(a, b[i], 3 << 20);
	ck_assert_uint_eq(buf_trim(a), 0); /* it was needed */
	/* So much at once, from the end; then the rest, up to what is out. */
	ck_assert_uint_eq(buf_trim(a), BUF_TRIM_BYTES_MAX);
	ck_assert_uint_eq(buf_trim(a), BUF_TRIM_BYTES_MAX);
	ck_assert_uint_eq(buf_trim(a), 4 << 20);
	ck_assert_uint_le(resident_kib(a), 12 << 10);
	for (int i = 0; i < 3 << 20; i += 4096)
		ck_assert_int_eq(b[2][i], 'c');
	buf_put(a, b[2], 3 << 20);
	/* What is used meanwhile counts, also in the middle of a row of calls. */
	ck_assert_ptr_eq(buf_get(a, UNIT), b[0]);
	ck_assert_uint_eq(buf_trim(a), 4 << 20);
	ck_assert_uint_eq(buf_trim(a), 0);
	ck_assert_uint_le(resident_kib(a), 8 << 10);
	buf_put(a, b[0], UNIT);
	buf_arena_free(a);
}
END_TEST

/* Nothing of a small arena, nor the first 8 MiB of a large one. */
START_TEST(test_trim_keeps)
{
	static const size_t sizes[] = { 16 * UNIT, 1 << 20, 8 << 20, 16 << 20 };
	struct buf_arena *a = arena_of(sizes[_i]);
	size_t bytes = MIN(sizes[_i], (size_t)8 << 20);
	char *b = memset(buf_get(a, bytes), 1, bytes);

	buf_put(a, b, bytes);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(buf_trim(a), 0);
	ck_assert_uint_eq(resident_kib(a), bytes >> 10);
	buf_arena_free(a);
}
END_TEST

/* --- against a model: one owner number a leaf --- */

enum { MODEL_LEAVES = 256, MODEL_BUFS = 96 };

struct model {
	struct buf_arena *a;
	unsigned char *start;
	unsigned owner[MODEL_LEAVES]; /* 0: free, else 1 + index in buf[] */
	struct {
		unsigned char *p;
		size_t ask, leaves, at;
	} buf[MODEL_BUFS];
	size_t in_use, high;
};

static size_t model_leaves(size_t ask)
{
	size_t n = 1;

	while (n * UNIT < ask)
		n *= 2;
	return n;
}

/* The first aligned run of free leaves, by search; MODEL_LEAVES if none. */
static size_t model_find(const struct model *m, size_t leaves)
{
	size_t at, i;

	for (at = 0; at + leaves <= MODEL_LEAVES; at += leaves) {
		for (i = 0; i < leaves && !m->owner[at + i]; i++)
			;
		if (i == leaves)
			return at;
	}
	return MODEL_LEAVES;
}

static void model_mark(struct model *m, unsigned i, unsigned owner)
{
	size_t leaf;

	for (leaf = 0; leaf < m->buf[i].leaves; leaf++)
		m->owner[m->buf[i].at + leaf] = owner;
}

static void model_get(struct model *m, unsigned i, size_t ask)
{
	size_t leaves = model_leaves(ask), at = model_find(m, leaves);
	unsigned char *p = buf_get(m->a, ask);

	if (at == MODEL_LEAVES) {
		ck_assert(!p);
		return;
	}
	ck_assert(p);
	ck_assert(p == m->start + at * UNIT);
	m->buf[i].p = p;
	m->buf[i].ask = ask;
	m->buf[i].leaves = leaves;
	m->buf[i].at = at;
	model_mark(m, i, i + 1);
	m->in_use += leaves * UNIT;
	m->high = MAX(m->high, m->in_use);
	p[0] = p[ask - 1] = (unsigned char)i;
}

static void model_put(struct model *m, unsigned i)
{
	unsigned char *p = m->buf[i].p;

	ck_assert(p[0] == i);
	ck_assert(p[m->buf[i].ask - 1] == i);
	buf_put(m->a, p, m->buf[i].ask);
	model_mark(m, i, 0);
	m->in_use -= m->buf[i].leaves * UNIT;
	m->buf[i].p = NULL;
}

START_TEST(test_random_against_model)
{
	struct model m = { .a = arena_of(MODEL_LEAVES * UNIT) };
	unsigned step, i, order;
	struct prng r;
	size_t bytes;
	void *start;

	buf_arena_range(m.a, &start, &bytes);
	m.start = start;
	ck_assert_uint_eq(bytes, MODEL_LEAVES * UNIT);
	prng_init(&r, (uint64_t)_i, 1);
	for (step = 0; step < 20000; step++) {
		i = (unsigned)prng_below(&r, MODEL_BUFS);
		if (m.buf[i].p) {
			model_put(&m, i);
		} else {
			/* Small ones are common, up to half of the arena is possible. */
			order = (unsigned)prng_below(&r, 1 + prng_below(&r, 8));
			model_get(&m, i, 1 + prng_below(&r, UNIT << order));
		}
		ck_assert(buf_in_use(m.a) == m.in_use);
		ck_assert(buf_high_water(m.a) == m.high);
	}
	for (i = 0; i < MODEL_BUFS; i++)
		if (m.buf[i].p)
			model_put(&m, i);
	model_get(&m, 0, MODEL_LEAVES * UNIT);
	ck_assert_ptr_nonnull(m.buf[0].p);
	model_put(&m, 0);
	buf_arena_free(m.a);
}
END_TEST

/* --- wrong uses abort --- */

START_TEST(test_double_put)
{
	struct buf_arena *a = arena_of(4 * UNIT);
	void *b = buf_get(a, UNIT);

	buf_get(a, UNIT);
	buf_put(a, b, UNIT);
	buf_put(a, b, UNIT);
}
END_TEST

START_TEST(test_put_too_large)
{
	struct buf_arena *a = arena_of(4 * UNIT);

	buf_put(a, buf_get(a, UNIT), 2 * UNIT);
}
END_TEST

START_TEST(test_put_too_small)
{
	struct buf_arena *a = arena_of(4 * UNIT);

	buf_put(a, buf_get(a, 2 * UNIT), UNIT);
}
END_TEST

START_TEST(test_put_inside)
{
	struct buf_arena *a = arena_of(4 * UNIT);
	char *b = buf_get(a, 2 * UNIT);

	buf_put(a, b + UNIT, UNIT);
}
END_TEST

START_TEST(test_put_foreign)
{
	struct buf_arena *a = arena_of(4 * UNIT);
	struct buf_arena *other = arena_of(4 * UNIT);

	buf_get(a, UNIT);
	buf_put(a, buf_get(other, UNIT), UNIT);
}
END_TEST

START_TEST(test_free_while_out)
{
	struct buf_arena *a = arena_of(4 * UNIT);

	buf_get(a, UNIT);
	buf_arena_free(a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("buf");
	TCase *tc = tcase_create("buf");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_new_refuses, 0, 5);
	tcase_add_test(tc, test_new_no_memory);
	tcase_add_test(tc, test_one_leaf);
	tcase_add_loop_test(tc, test_sizes_and_alignment, 0, 9);
	tcase_add_test(tc, test_exhaustion_in_order);
	tcase_add_test(tc, test_fragmentation);
	tcase_add_test(tc, test_lowest_address_wins);
	tcase_add_test(tc, test_trim);
	tcase_add_loop_test(tc, test_trim_keeps, 0, 4);
	tcase_add_loop_test(tc, test_random_against_model, 1, 6);
	unit_add_abort(tc, test_double_put);
	unit_add_abort(tc, test_put_too_large);
	unit_add_abort(tc, test_put_too_small);
	unit_add_abort(tc, test_put_inside);
	unit_add_abort(tc, test_put_foreign);
	unit_add_abort(tc, test_free_while_out);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
