/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_pool.c - proves that a pool hands out each object once, last in first
 * out, aligned and zeroed at first, and that a wrong put aborts.
 */
#include <config.h>

#include <errno.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/pool.h"
#include "unit.h"

enum { N = 17 };

#ifdef SANITIZED
/* Let calloc() fail as it does without the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
#endif

START_TEST(test_all_out_and_back)
{
	static const size_t sizes[] = { 1, 16, 24, 200 };
	size_t size = sizes[_i], i, j;
	unsigned char *obj[N];
	struct pool p;

	ck_assert_int_eq(pool_init(&p, size, N), 0);
	ck_assert_uint_eq(pool_free_count(&p), N);
	for (i = 0; i < N; i++) {
		obj[i] = pool_get(&p);
		ck_assert_ptr_nonnull(obj[i]);
		ck_assert_uint_eq((uintptr_t)obj[i] % _Alignof(max_align_t), 0);
		ck_assert_uint_eq(pool_index(&p, obj[i]), i);
		for (j = 0; j < size; j++)
			ck_assert(obj[i][j] == 0);
		memset(obj[i], (int)i + 1, size);
	}
	ck_assert_ptr_null(pool_get(&p));
	ck_assert_uint_eq(pool_free_count(&p), 0);
	for (i = 0; i < N; i++) { /* no neighbour was overwritten */
		ck_assert_uint_eq(obj[i][0], i + 1);
		ck_assert_uint_eq(obj[i][size - 1], i + 1);
		pool_put(&p, obj[i]);
		ck_assert_uint_eq(pool_free_count(&p), i + 1);
	}
	pool_fini(&p);
}
END_TEST

START_TEST(test_last_in_first_out)
{
	struct pool p;
	char *a, *b, *c;

	ck_assert_int_eq(pool_init(&p, 8, 3), 0);
	a = pool_get(&p);
	b = pool_get(&p);
	c = pool_get(&p);
	b[0] = 'b';
	pool_put(&p, a);
	pool_put(&p, c);
	pool_put(&p, b);
	ck_assert_ptr_eq(pool_get(&p), b);
	ck_assert_int_eq(b[0], 'b'); /* as the last user left it */
	ck_assert_ptr_eq(pool_get(&p), c);
	ck_assert_ptr_eq(pool_get(&p), a);
	pool_put(&p, a);
	pool_put(&p, b);
	pool_put(&p, c);
	pool_fini(&p);
}
END_TEST

START_TEST(test_no_memory)
{
	struct pool p;

	fault_arm(FAULT_ALLOC, 1, 1);
	ck_assert_int_eq(pool_init(&p, 8, 3), -ENOMEM);
	fault_disarm_all();
	ck_assert_ptr_null(pool_get(&p));
	pool_fini(&p); /* a failed pool is a zeroed one */
	ck_assert_int_eq(pool_init(&p, SIZE_MAX, 1), -ENOMEM);
	ck_assert_int_eq(pool_init(&p, SIZE_MAX / 4, 8), -ENOMEM);
	pool_fini(&p);
}
END_TEST

START_TEST(test_put_foreign)
{
	static char foreign[64];
	struct pool p;

	pool_init(&p, 32, 2);
	pool_get(&p);
	pool_put(&p, foreign);
}
END_TEST

START_TEST(test_put_inside)
{
	struct pool p;

	pool_init(&p, 32, 2);
	pool_put(&p, (char *)pool_get(&p) + 16);
}
END_TEST

START_TEST(test_put_too_many)
{
	struct pool p;
	void *obj;

	pool_init(&p, 32, 2);
	obj = pool_get(&p);
	pool_put(&p, obj);
	pool_put(&p, obj);
}
END_TEST

START_TEST(test_fini_while_out)
{
	struct pool p;

	pool_init(&p, 32, 2);
	pool_get(&p);
	pool_fini(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool");
	TCase *tc = tcase_create("pool");

	tcase_add_loop_test(tc, test_all_out_and_back, 0, 4);
	tcase_add_test(tc, test_last_in_first_out);
	tcase_add_test(tc, test_no_memory);
	unit_add_abort(tc, test_put_foreign);
	unit_add_abort(tc, test_put_inside);
	unit_add_abort(tc, test_put_too_many);
	unit_add_abort(tc, test_fini_while_out);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
