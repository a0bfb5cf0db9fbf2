/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_fault.c - proves that a fault strikes at exactly the passes it was armed for. */
#include <config.h>

#include "base/fault.h"
#include "base/units.h"
#include "unit.h"

START_TEST(test_strikes_where_armed)
{
	static const struct {
		uint64_t nth, times;
		const char *want; /* passes 1..8 */
	} rows[] = {
		{ 1, 1, "x......." },
		{ 3, 1, "..x....." },
		{ 3, 4, "..xxxx.." },
		{ 1, 0, "xxxxxxxx" },
		{ 5, 0, "....xxxx" },
		{ 9, 1, "........" },
		{ UINT64_MAX, 0, "........" },
		{ 2, UINT64_MAX, ".xxxxxxx" },
	};
	char got[9] = "";
	int i;

	fault_arm(FAULT_SG_WRITE_EDOM, rows[_i].nth, rows[_i].times);
	for (i = 0; i < 8; i++)
		got[i] = fault_strikes(FAULT_SG_WRITE_EDOM) ? 'x' : '.';
	ck_assert_str_eq(got, rows[_i].want);
	ck_assert_uint_eq(fault_count(FAULT_SG_WRITE_EDOM), 8);
}
END_TEST

START_TEST(test_sites_are_apart)
{
	ck_assert(!fault_any);
	ck_assert(!fault_strikes(FAULT_ALLOC));
	fault_arm(FAULT_URING_SETUP, 1, 0);
	ck_assert(fault_any);
	ck_assert(!fault_strikes(FAULT_ALLOC));
	ck_assert_uint_eq(fault_count(FAULT_ALLOC), 0); /* not armed: not counted */
	ck_assert(fault_strikes(FAULT_URING_SETUP));
	fault_disarm_all();
	ck_assert(!fault_any);
	ck_assert(!fault_strikes(FAULT_URING_SETUP));
	ck_assert_uint_eq(fault_count(FAULT_URING_SETUP), 1); /* readable afterwards */
	fault_arm(FAULT_URING_SETUP, 2, 1);
	ck_assert_uint_eq(fault_count(FAULT_URING_SETUP), 0);
	ck_assert(!fault_strikes(FAULT_URING_SETUP));
	ck_assert(fault_strikes(FAULT_URING_SETUP));
}
END_TEST

START_TEST(test_names)
{
	int i;

	for (i = 0; i < FAULT_NR; i++) {
		ck_assert_ptr_nonnull(fault_name((enum fault_site)i));
		ck_assert_int_eq(fault_by_name(fault_name((enum fault_site)i)), i);
	}
	ck_assert_int_eq(fault_by_name("alloc"), FAULT_ALLOC);
	ck_assert_int_eq(fault_by_name("plant-slot-leak"), PLANT_SLOT_LEAK);
	ck_assert_int_eq(fault_by_name("allo"), -1);
	ck_assert_int_eq(fault_by_name(""), -1);
}
END_TEST

START_TEST(test_arm_pass_zero)
{
	fault_arm(FAULT_ALLOC, 0, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fault");
	TCase *tc = tcase_create("fault");

	tcase_add_loop_test(tc, test_strikes_where_armed, 0, 8);
	tcase_add_test(tc, test_sites_are_apart);
	tcase_add_test(tc, test_names);
	unit_add_abort(tc, test_arm_pass_zero);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
