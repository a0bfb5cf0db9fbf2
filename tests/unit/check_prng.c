/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_prng.c - proves that a draw depends on (seed, entity, n) alone, that
 * entities do not share a sequence, and that draws are roughly uniform.  The
 * fixed numbers hold committed seeds to their meaning: they may never change.
 */
#include <config.h>

#include "base/prng.h"
#include "unit.h"

START_TEST(test_known_draws)
{
	static const struct {
		uint64_t seed, entity, first, second;
	} rows[] = {
		{ 0, 0, 0x346dbc0b5711d830ull, 0x6b182a52253dda4aull },
		{ 1, 0, 0x017daf0019666393ull, 0xd9e484272f675712ull },
		{ 0, 1, 0xd68f940882e6e04bull, 0x8b3b7af293e43eccull },
		{ UINT64_MAX, 12345, 0x66e403fd738b1c1dull, 0x6c7cce1f62e07741ull },
	};
	struct prng r;

	prng_init(&r, rows[_i].seed, rows[_i].entity);
	ck_assert_uint_eq(prng_u64(&r), rows[_i].first);
	ck_assert_uint_eq(prng_u64(&r), rows[_i].second);
}
END_TEST

/* The n-th draw can be had without the ones before it. */
START_TEST(test_counter_based)
{
	struct prng r, jump;
	uint64_t third;

	prng_init(&r, 7, 3);
	prng_u64(&r);
	prng_u64(&r);
	third = prng_u64(&r);
	prng_init(&jump, 7, 3);
	jump.n = 2;
	ck_assert_uint_eq(prng_u64(&jump), third);
}
END_TEST

static int cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

START_TEST(test_entities_differ)
{
	enum { SEEDS = 40, ENTITIES = 40 };
	static uint64_t first[SEEDS * ENTITIES];
	struct prng r;
	unsigned i;

	for (i = 0; i < SEEDS * ENTITIES; i++) {
		prng_init(&r, i / ENTITIES, i % ENTITIES);
		first[i] = prng_u64(&r);
	}
	qsort(first, SEEDS * ENTITIES, sizeof(first[0]), cmp_u64);
	for (i = 1; i < SEEDS * ENTITIES; i++)
		ck_assert_uint_lt(first[i - 1], first[i]);
}
END_TEST

START_TEST(test_below_is_uniform)
{
	static const uint64_t bounds[] = { 1, 2, 3, 7, 10 };
	enum { DRAWS = 100000 };
	uint64_t bound = bounds[_i];
	unsigned count[10] = { 0 }, i;
	struct prng r;

	prng_init(&r, 11, bound);
	for (i = 0; i < DRAWS; i++) {
		uint64_t v = prng_below(&r, bound);

		ck_assert(v < bound);
		count[v]++;
	}
	for (i = 0; i < bound; i++) { /* within 5 %: some seven sigma */
		ck_assert_uint_gt(count[i], DRAWS / bound * 95 / 100);
		ck_assert_uint_lt(count[i], DRAWS / bound * 105 / 100 + 1);
	}
}
END_TEST

START_TEST(test_below_reaches_far)
{
	uint64_t v, top = 0;
	struct prng r;
	int i;

	prng_init(&r, 1, 1);
	for (i = 0; i < 100; i++) {
		v = prng_below(&r, UINT64_MAX);
		top = v > top ? v : top;
	}
	ck_assert_uint_gt(top, UINT64_MAX / 10 * 9);
}
END_TEST

START_TEST(test_chance)
{
	unsigned hits = 0, i;
	struct prng r;

	prng_init(&r, 5, 5);
	for (i = 0; i < 10000; i++) {
		ck_assert(!prng_chance(&r, 0, 10));
		ck_assert(prng_chance(&r, 10, 10));
		hits += (unsigned)prng_chance(&r, 1, 4);
	}
	ck_assert_uint_gt(hits, 2300);
	ck_assert_uint_lt(hits, 2700);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("prng");
	TCase *tc = tcase_create("prng");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_known_draws, 0, 4);
	tcase_add_test(tc, test_counter_based);
	tcase_add_test(tc, test_entities_differ);
	tcase_add_loop_test(tc, test_below_is_uniform, 0, 5);
	tcase_add_test(tc, test_below_reaches_far);
	tcase_add_test(tc, test_chance);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
