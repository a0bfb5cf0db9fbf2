/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_inject.c - test faults on a path: each does what its word says, clients
 * notice nothing but the time, and nothing that was held stays so.
 */
#include "lun_rig.h"

static void inject(unsigned path, enum inject_fault fault, unsigned count, unsigned percent)
{
	struct inject_order o = { .fault = fault, .delay_ns = 30 * NS_PER_MS, .count = count,
				  .percent = percent };

	ck_assert_int_eq(lun_inject(lun, &sps[path]->path, &o), 0);
}

static void queue_for_ever(struct lun_params *p)
{
	p->no_path = NO_PATH_QUEUE;
}

static void ask_many(struct ask *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ask(&a[i], i % 2 ? REQ_WRITE : REQ_READ, (uint64_t)i * 32, 8, (int)i + 1, 0);
}

static void all_answered(struct ask *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		answered(&a[i], 0);
}

START_TEST(test_error)
{
	struct ask a[8];

	start(2, NULL);
	inject(0, INJECT_ERROR, 0, 0);
	ask_many(a, 8);
	run(20 * NS_PER_MS);
	all_answered(a, 8);
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	ck_assert_uint_gt(sps[0]->path.stats.errors[V_FAIL], 0);
	ck_assert_uint_eq(sps[1]->path.stats.errors[V_FAIL], 0);
	finish();
}
END_TEST

/* An error of the device's own is not made another. */
START_TEST(test_error_stays)
{
	struct ask r;

	start(1, queue_for_ever);
	inject(0, INJECT_ERROR, 0, 0);
	m.bad_lba = 3;
	ask(&r, REQ_READ, 0, 8, 1, 0);
	run(20 * NS_PER_MS);
	answered(&r, EIO);
	ck_assert_uint_eq(sps[0]->path.inject.nstruck, 0);
	finish();
}
END_TEST

START_TEST(test_delay)
{
	struct ask a[8];

	start(1, NULL);
	inject(0, INJECT_DELAY, 4, 0);
	ask_many(a, 8);
	run(20 * NS_PER_MS);
	ck_assert_uint_eq(sps[0]->path.inject.nheld, 4);
	ck_assert_uint_eq(sps[0]->path.inflight, 4);
	run(20 * NS_PER_MS);
	all_answered(a, 8);
	/* So many were asked for: it is off by itself. */
	ck_assert_int_eq(sps[0]->path.inject.order.fault, INJECT_OFF);
	finish();
}
END_TEST

/* Longer than is usual: the path is suspect, and another one answers. */
START_TEST(test_drop)
{
	struct ask a[8];

	start(2, NULL);
	inject(0, INJECT_DROP, 0, 0);
	ask_many(a, 8);
	run(3 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_SUSPECT);
	ck_assert_uint_gt(sps[0]->path.inject.nheld, 0);
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(a[i].dones, 1);
	inject(0, INJECT_OFF, 0, 0);
	run(NS_PER_SEC);
	all_answered(a, 8);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	ck_assert_uint_eq(sps[0]->path.inflight, 0);
	finish();
}
END_TEST

/* The path leaves, or the LUN stops: what was held goes first. */
START_TEST(test_drop_and_leave)
{
	struct ask a[8];

	start(2, NULL);
	inject(0, INJECT_DROP, 0, 0);
	inject(1, INJECT_DROP, 0, 0);
	ask_many(a, 8);
	run(20 * NS_PER_MS);
	ck_assert_uint_gt(sps[0]->path.inflight, 0);
	ck_assert_uint_gt(sps[1]->path.inflight, 0);
	lun_remove_path(lun, &sps[0]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_ptr_eq(lun_next_path(lun, NULL), &sps[1]->path);
	lun_stop(lun, NS_PER_SEC);
	run(20 * NS_PER_MS);
	all_answered(a, 8);
	ck_assert_int_eq(lun_get_state(lun), LUN_STOPPED);
	finish();
}
END_TEST

START_TEST(test_refuse)
{
	struct ask a[8];

	start(2, NULL);
	inject(0, INJECT_REFUSE, 1, 0);
	ask_many(a, 8);
	run(20 * NS_PER_MS);
	all_answered(a, 8);
	ck_assert_uint_eq(m.ncmds[0], 0);
	ck_assert_uint_eq(sps[0]->path.stats.failures, 1);
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

START_TEST(test_check)
{
	start(2, NULL);
	inject(0, INJECT_CHECK, 0, 0);
	lun_recheck_path(lun, &sps[0]->path, "test");
	run(5 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	ck_assert_str_eq(sps[0]->path.why, "test fault: its check fails");
	inject(0, INJECT_OFF, 0, 0);
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

START_TEST(test_percent)
{
	struct ask a[100];
	unsigned n;

	start(1, NULL);
	inject(0, INJECT_DELAY, 0, 30);
	for (unsigned i = 0; i < 100; i++) {
		ask(&a[i], REQ_READ, (uint64_t)i * 32, 8, 1, 0);
		run(40 * NS_PER_MS);
	}
	all_answered(a, 100);
	n = sps[0]->path.inject.nstruck;
	ck_assert_msg(n > 15 && n < 45, "%u of 100", n);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { test_error, test_error_stays, test_delay, test_drop,
				       test_drop_and_leave, test_refuse, test_check, test_percent };
	Suite *s = suite_create("lun-inject");
	TCase *tc = tcase_create("lun-inject");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
