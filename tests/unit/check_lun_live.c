/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_live.c - parameters change while requests are on their way: what
 * they govern follows at once, and no request is lost
 */
#include "lun_rig.h"

#include "core/path.h"

static struct lun_params par;

static void start_live(unsigned npaths, void (*tweak)(struct lun_params *))
{
	start(npaths, tweak);
	par = *lun_params(lun);
}

static void apply(void)
{
	ck_assert_int_eq(lun_apply(lun, &par), 0);
	lun_verify(lun);
}

static void retry_four(struct lun_params *p)
{
	p->no_path = NO_PATH_RETRY;
	p->no_path_checks = 4; /* 2 s */
}

static void lose_all(void)
{
	memset(m.down, true, sizeof(m.down));
	path_lost(&sps[0]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_int_eq(lun_get_state(lun), LUN_DARK);
}

/* What the LUN was made with stays; impossible values change nothing. */
START_TEST(test_fixed)
{
	unsigned reqs;

	start_live(1, NULL);
	reqs = par.max_reqs;
	par.max_reqs = 17;
	par.read_only = true;
	strcpy(par.name, "other");
	par.path_depth = 3;
	apply();
	ck_assert_uint_eq(lun_params(lun)->max_reqs, reqs);
	ck_assert(!lun_params(lun)->read_only);
	ck_assert_str_ne(lun_params(lun)->name, "other");
	ck_assert_uint_eq(sps[0]->path.depth, 3);
	par.path_depth = 5;
	par.max_polling_interval_ns = par.polling_interval_ns - 1;
	ck_assert_int_eq(lun_apply(lun, &par), -EINVAL);
	ck_assert_uint_eq(sps[0]->path.depth, 3);
	finish();
}
END_TEST

/* Selector, elevator, groups and depth, back and forth under load. */
START_TEST(test_under_load)
{
	struct ask a[200];
	unsigned n = 0;

	start_live(4, NULL);
	m.prio[0] = m.prio[1] = 50;
	for (unsigned k = 0; k < 4; k++)
		lun_reinstate_path(lun, &sps[k]->path);
	run(10 * NS_PER_MS);
	for (unsigned i = 0; i < 200; i++) {
		ask(&a[i], i % 3 ? REQ_WRITE : REQ_READ, i * 16 % 4000, 8, (int)i, 0);
		if (i % 8 == 0) {
			par.selector = (enum sel_kind)(n % SEL_NR);
			par.elevator = (enum elv_kind)(n % ELV_NR);
			par.grouping = (enum group_policy)(n % GROUP_NR);
			par.failback = (enum failback_kind)(n % FAILBACK_NR);
			par.failback_ns = NS_PER_SEC;
			par.depth = n % 5;
			par.path_depth = n % 3;
			par.host_depth = n % 7;
			par.fifo_batch = 1 + n % 4;
			par.rr_min_io = 1 + n % 3;
			apply();
			n++;
			run(50 * NS_PER_US);
		}
	}
	run(NS_PER_SEC);
	for (unsigned i = 0; i < 200; i++)
		answered(&a[i], 0);
	finish();
}
END_TEST

START_TEST(test_grouping)
{
	struct lun_group_info g[GROUPS_MAX];

	start_live(4, NULL);
	ck_assert_uint_eq(lun_get_groups(lun, g, GROUPS_MAX), 1);
	par.grouping = GROUP_FAILOVER;
	apply();
	ck_assert_uint_eq(lun_get_groups(lun, g, GROUPS_MAX), 4);
	par.grouping = GROUP_MULTIBUS;
	apply();
	ck_assert_uint_eq(lun_get_groups(lun, g, GROUPS_MAX), 1);
	finish();
}
END_TEST

START_TEST(test_depth)
{
	struct lun_stats st;
	struct ask a[8];

	start_live(2, NULL);
	m.lat_ns[0] = m.lat_ns[1] = 10 * NS_PER_MS;
	par.depth = 2;
	apply();
	for (unsigned i = 0; i < 8; i++)
		ask(&a[i], REQ_READ, i * 100, 8, 0, 0);
	run(NS_PER_MS);
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.inflight, 2);
	par.depth = 6;
	apply();
	run(NS_PER_MS);
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.inflight, 6);
	run(NS_PER_SEC);
	for (unsigned i = 0; i < 8; i++)
		answered(&a[i], 0);
	finish();
}
END_TEST

/* Held requests go by the new word: fail ends them, queue outlasts the old limit. */
START_TEST(test_no_path_fail)
{
	struct ask a;

	start_live(1, retry_four);
	lose_all();
	ask(&a, REQ_READ, 0, 8, 0, 0);
	run(100 * NS_PER_MS);
	ck_assert_uint_eq(a.dones, 0);
	par.no_path = NO_PATH_FAIL;
	apply();
	run(NS_PER_SEC);
	answered(&a, EIO);
	ck_assert_int_eq(lun_get_state(lun), LUN_FAILING);
	par.no_path = NO_PATH_QUEUE;
	apply();
	ck_assert_int_eq(lun_get_state(lun), LUN_DARK);
	finish();
}
END_TEST

START_TEST(test_no_path_queue)
{
	struct ask a;

	start_live(1, retry_four);
	lose_all();
	ask(&a, REQ_READ, 0, 8, 0, 0);
	run(NS_PER_SEC);
	par.no_path = NO_PATH_QUEUE;
	apply();
	run(20 * NS_PER_SEC);
	ck_assert_uint_eq(a.dones, 0);
	/* And the time counts from the change. */
	par.no_path = NO_PATH_RETRY;
	par.no_path_checks = 10; /* 5 s */
	apply();
	run(4900 * NS_PER_MS);
	ck_assert_uint_eq(a.dones, 0);
	run(200 * NS_PER_MS);
	answered(&a, EIO);
	finish();
}
END_TEST

START_TEST(test_polling)
{
	unsigned before;

	start_live(1, NULL);
	run(10 * NS_PER_SEC); /* backed off to 2 s */
	par.polling_interval_ns = par.max_polling_interval_ns = 100 * NS_PER_MS;
	apply();
	before = m.nchecks[0];
	run(2 * NS_PER_SEC);
	ck_assert_uint_ge(m.nchecks[0], before + 15);
	par.polling_interval_ns = par.max_polling_interval_ns = 10 * NS_PER_SEC;
	apply();
	before = m.nchecks[0];
	run(8 * NS_PER_SEC);
	ck_assert_uint_le(m.nchecks[0], before + 1);
	finish();
}
END_TEST

START_TEST(test_suspect_after)
{
	struct ask a;

	start_live(2, NULL);
	m.stall_path[0] = m.stall_path[1] = true;
	par.suspect_after_ns = 3600 * NS_PER_SEC;
	apply();
	ask(&a, REQ_READ, 0, 8, 0, 0);
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state == PATH_SUSPECT || sps[1]->path.state == PATH_SUSPECT, 0);
	m.stall_path[0] = m.stall_path[1] = false;
	par.suspect_after_ns = 300 * NS_PER_MS;
	apply();
	run(NS_PER_SEC);
	answered(&a, 0); /* by the other path */
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lun_live");
	TCase *tc = tcase_create("live");

	tcase_add_test(tc, test_fixed);
	tcase_add_test(tc, test_under_load);
	tcase_add_test(tc, test_grouping);
	tcase_add_test(tc, test_depth);
	tcase_add_test(tc, test_no_path_fail);
	tcase_add_test(tc, test_no_path_queue);
	tcase_add_test(tc, test_polling);
	tcase_add_test(tc, test_suspect_after);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
