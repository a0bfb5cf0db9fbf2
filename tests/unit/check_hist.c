/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_hist.c - proves that buckets are in order and cover all of uint64_t,
 * and that a quantile is never below the true one nor more than 1/8 above it.
 */
#include <config.h>

#include "base/hist.h"
#include "base/prng.h"
#include "base/units.h"
#include "unit.h"

START_TEST(test_index_is_monotone)
{
	uint64_t ns;
	unsigned bit;

	for (ns = 1; ns < 100000; ns++) {
		unsigned step = hist_index(ns) - hist_index(ns - 1);

		ck_assert(step <= 1); /* no bucket is skipped, none comes back */
	}
	for (bit = 4; bit < 64; bit++) {
		ns = (uint64_t)1 << bit;
		ck_assert_uint_eq(hist_index(ns), hist_index(ns - 1) + 1);
		ck_assert_uint_eq(hist_index(ns) % (1u << HIST_SUB_BITS), 0);
	}
	ck_assert_uint_eq(hist_index(UINT64_MAX), HIST_BUCKETS - 1);
}
END_TEST

START_TEST(test_empty)
{
	struct hist h = { 0 };

	ck_assert_uint_eq(hist_quantile_ns(&h, 0), 0);
	ck_assert_uint_eq(hist_quantile_ns(&h, 500), 0);
	ck_assert_uint_eq(hist_quantile_ns(&h, 1000), 0);
}
END_TEST

START_TEST(test_one_sample)
{
	static const struct {
		uint64_t ns, want; /* the last value of the sample's bucket */
	} rows[] = {
		{ 0, 0 },
		{ 7, 7 },
		{ 15, 15 },
		{ 16, 17 },
		{ 1000, 1023 },
		{ 1024, 1151 },
		{ 1000000, 1048575 },
		{ (uint64_t)1 << 63, ((uint64_t)9 << 60) - 1 },
		{ UINT64_MAX, UINT64_MAX },
	};
	struct hist h = { 0 };

	hist_add(&h, rows[_i].ns);
	ck_assert_uint_eq(hist_quantile_ns(&h, 0), rows[_i].want);
	ck_assert_uint_eq(hist_quantile_ns(&h, 1), rows[_i].want);
	ck_assert_uint_eq(hist_quantile_ns(&h, 1000), rows[_i].want);
	ck_assert_uint_eq(hist_quantile_ns(&h, 5000), rows[_i].want);
	ck_assert_uint_eq(h.count, 1);
	ck_assert_uint_eq(h.sum_ns, rows[_i].ns);
	ck_assert_uint_eq(h.max_ns, rows[_i].ns);
}
END_TEST

/* Ranks are exact: the 500th per mille of 1..10 is the fifth. */
START_TEST(test_rank)
{
	struct hist h = { 0 };
	uint64_t ns;

	for (ns = 1; ns <= 10; ns++)
		hist_add(&h, ns);
	ck_assert_uint_eq(hist_quantile_ns(&h, 100), 1);
	ck_assert_uint_eq(hist_quantile_ns(&h, 101), 2);
	ck_assert_uint_eq(hist_quantile_ns(&h, 500), 5);
	ck_assert_uint_eq(hist_quantile_ns(&h, 501), 6);
	ck_assert_uint_eq(hist_quantile_ns(&h, 999), 10);
	ck_assert_uint_eq(hist_quantile_ns(&h, 1000), 10);
}
END_TEST

static int cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

START_TEST(test_random_against_sorting)
{
	enum { N = 5000 };
	static const unsigned permilles[] = { 1, 10, 250, 500, 900, 990, 999, 1000 };
	static uint64_t ns[N];
	struct hist h = { 0 };
	struct prng r;
	size_t i;

	prng_init(&r, (uint64_t)_i, 2);
	for (i = 0; i < N; i++) {
		ns[i] = prng_u64(&r) >> prng_below(&r, 60);
		hist_add(&h, ns[i]);
	}
	qsort(ns, N, sizeof(ns[0]), cmp_u64);
	ck_assert_uint_eq(h.max_ns, ns[N - 1]);
	for (i = 0; i < ARRAY_SIZE(permilles); i++) {
		uint64_t want = ns[(permilles[i] * N + 999) / 1000 - 1];
		uint64_t got = hist_quantile_ns(&h, permilles[i]);

		ck_assert_uint_ge(got, want);
		ck_assert_uint_le(got - want, want / 8);
	}
}
END_TEST

/* A bucket holds more than 2^32 samples. */
START_TEST(test_long_life)
{
	struct hist h = { 0 };

	hist_add(&h, 5);
	h.bucket[hist_index(5)] = UINT64_C(5000000000);
	h.count = UINT64_C(5000000000);
	hist_add(&h, 6);
	ck_assert_uint_eq(hist_quantile_ns(&h, 999), 5);
	ck_assert_uint_eq(hist_quantile_ns(&h, 1000), 6);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hist");
	TCase *tc = tcase_create("hist");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_index_is_monotone);
	tcase_add_test(tc, test_empty);
	tcase_add_loop_test(tc, test_one_sample, 0, 9);
	tcase_add_test(tc, test_rank);
	tcase_add_loop_test(tc, test_random_against_sorting, 0, 10);
	tcase_add_test(tc, test_long_life);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
