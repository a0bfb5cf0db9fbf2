/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_groups.c - which group carries the I/O: when it is left, and when
 * each failback policy returns to a better one
 */
#include "lun_rig.h"

/* Paths 0 and 1 are of priority 50, paths 2 and 3 of 10; 50 is current. */
static void start_two_groups(void (*tweak)(struct lun_params *))
{
	start(4, tweak);
	m.prio[0] = m.prio[1] = 50;
	m.prio[2] = m.prio[3] = 10;
	for (unsigned k = 0; k < 4; k++)
		lun_reinstate_path(lun, &sps[k]->path);
	run(10 * NS_PER_MS);
}

/* Priority of the current group, 0 without one; its paths alone get a command. */
static int carries(void)
{
	struct lun_group_info g[GROUPS_MAX];
	unsigned n = lun_get_groups(lun, g, GROUPS_MAX), before[4];
	int prio = 0;
	struct ask a;

	for (unsigned i = 0; i < n; i++)
		if (g[i].current)
			prio = g[i].prio;
	if (!prio)
		return 0;
	memcpy(before, m.ncmds, sizeof(before));
	ask(&a, REQ_READ, 0, 8, 0, 0);
	run(NS_PER_MS);
	answered(&a, 0);
	for (unsigned k = 0; k < 4; k++)
		ck_assert(m.ncmds[k] == before[k] || (int)m.prio[k] == prio);
	return prio;
}

static void lose(unsigned k)
{
	m.down[k] = true;
	path_lost(&sps[k]->path, "test");
}

/* Back, and checked at once. */
static void regain(unsigned k)
{
	m.down[k] = false;
	lun_reinstate_path(lun, &sps[k]->path);
	run(5 * NS_PER_MS);
	ck_assert_int_eq(sps[k]->path.state, PATH_ACTIVE);
}

static void set_prio(unsigned k, unsigned prio)
{
	m.prio[k] = prio;
	lun_reinstate_path(lun, &sps[k]->path);
	run(5 * NS_PER_MS);
}

static void immediate(struct lun_params *p)
{
	p->failback = FAILBACK_IMMEDIATE;
}

static void manual(struct lun_params *p)
{
	p->failback = FAILBACK_MANUAL;
}

static void after_three(struct lun_params *p)
{
	p->failback = FAILBACK_AFTER;
	p->failback_ns = 3 * NS_PER_SEC;
}

static void followover(struct lun_params *p)
{
	p->failback = FAILBACK_FOLLOWOVER;
}

START_TEST(test_left_when_the_last_path_goes)
{
	static void (*const policy[])(struct lun_params *) = { immediate, manual, after_three, followover };

	start_two_groups(policy[_i]);
	ck_assert_int_eq(carries(), 50);
	lose(0);
	ck_assert_int_eq(carries(), 50);
	lose(1);
	ck_assert_int_eq(carries(), 10);
	lose(2);
	lose(3);
	ck_assert_int_eq(carries(), 0);
	regain(3);
	ck_assert_int_eq(carries(), 10);
	finish();
}
END_TEST

START_TEST(test_immediate)
{
	start_two_groups(immediate);
	lose(0);
	lose(1);
	ck_assert_int_eq(carries(), 10);
	regain(1);
	ck_assert_int_eq(carries(), 50);
	set_prio(2, 80);
	ck_assert_int_eq(carries(), 80);
	finish();
}
END_TEST

START_TEST(test_manual)
{
	start_two_groups(manual);
	lose(0);
	lose(1);
	regain(0);
	regain(1);
	run(60 * NS_PER_SEC);
	ck_assert_int_eq(carries(), 10);
	lose(2);
	ck_assert_int_eq(carries(), 10);
	lose(3);
	ck_assert_int_eq(carries(), 50);
	finish();
}
END_TEST

START_TEST(test_after)
{
	start_two_groups(after_three);
	lose(0);
	lose(1);
	regain(0);
	run(2500 * NS_PER_MS);
	ck_assert_int_eq(carries(), 10);
	/* It did not work so long: the time starts anew. */
	lose(0);
	run(NS_PER_SEC);
	regain(0);
	run(2500 * NS_PER_MS);
	ck_assert_int_eq(carries(), 10);
	/* Another one of the group does not start it anew. */
	regain(1);
	run(600 * NS_PER_MS);
	ck_assert_int_eq(carries(), 50);
	finish();
}
END_TEST

START_TEST(test_followover)
{
	start_two_groups(followover);
	lose(0);
	lose(1);
	ck_assert_int_eq(carries(), 10);
	regain(1);
	ck_assert_int_eq(carries(), 50);
	/* Somebody moved the LUN: the paths of the better group have worked all the time. */
	set_prio(2, 80);
	set_prio(3, 80);
	run(60 * NS_PER_SEC);
	ck_assert_int_eq(carries(), 50);
	/* One of them, not the first. */
	lose(2);
	regain(2);
	ck_assert_int_eq(carries(), 50);
	lose(2);
	lose(3);
	run(NS_PER_SEC);
	ck_assert_int_eq(carries(), 50);
	regain(3);
	ck_assert_int_eq(carries(), 80);
	finish();
}
END_TEST

/* The first of a group that is no better changes nothing. */
START_TEST(test_followover_to_better_only)
{
	start_two_groups(followover);
	lose(2);
	lose(3);
	regain(2);
	ck_assert_int_eq(carries(), 50);
	finish();
}
END_TEST

/* Number of the group of priority @prio. */
static unsigned group_of(int prio)
{
	struct lun_group_info g[GROUPS_MAX];
	unsigned i, n = lun_get_groups(lun, g, GROUPS_MAX);

	for (i = 0; i < n && g[i].prio != prio; i++)
		;
	ck_assert_uint_lt(i, n);
	return i;
}

static bool is_by_hand(void)
{
	struct lun_group_info g[GROUPS_MAX];
	unsigned n = lun_get_groups(lun, g, GROUPS_MAX);
	bool by_hand = false;

	for (unsigned i = 0; i < n; i++)
		by_hand |= g[i].by_hand;
	return by_hand;
}

START_TEST(test_by_hand)
{
	start_two_groups(manual);
	ck_assert_int_eq(lun_use_group(lun, 2), -EINVAL);
	ck_assert_int_eq(lun_use_group(lun, group_of(10)), 0);
	ck_assert(is_by_hand());
	ck_assert_int_eq(carries(), 10);
	/* Checks go on, paths come and go: it stays. */
	run(60 * NS_PER_SEC);
	lose(0);
	lose(1);
	regain(0);
	regain(1);
	lose(3);
	ck_assert_int_eq(carries(), 10);
	/* Without a usable path it is over, and does not come back by itself. */
	lose(2);
	ck_assert_int_eq(carries(), 50);
	ck_assert(!is_by_hand());
	ck_assert_int_eq(lun_use_group(lun, group_of(10)), -ENETDOWN);
	regain(2);
	ck_assert_int_eq(carries(), 50);
	finish();
}
END_TEST

START_TEST(test_by_hand_back)
{
	start_two_groups(manual);
	ck_assert_int_eq(lun_use_group(lun, group_of(10)), 0);
	ck_assert_int_eq(lun_use_group(lun, group_of(50)), 0);
	ck_assert(!is_by_hand()); /* the best is what it would be anyway */
	ck_assert_int_eq(carries(), 50);
	finish();
}
END_TEST

START_TEST(test_by_hand_under_immediate)
{
	start_two_groups(immediate);
	ck_assert_int_eq(lun_use_group(lun, group_of(10)), 0);
	run(60 * NS_PER_SEC); /* checks that find nothing new */
	ck_assert_int_eq(carries(), 10);
	lose(3);
	regain(3); /* not in a better group */
	ck_assert_int_eq(carries(), 10);
	lose(1);
	ck_assert_int_eq(carries(), 10);
	regain(1);
	ck_assert_int_eq(carries(), 50);
	/* A better priority is a reason, too. */
	ck_assert_int_eq(lun_use_group(lun, group_of(10)), 0);
	set_prio(0, 90);
	ck_assert_int_eq(carries(), 90);
	finish();
}
END_TEST

START_TEST(test_by_hand_under_after)
{
	start_two_groups(after_three);
	ck_assert_int_eq(lun_use_group(lun, group_of(10)), 0);
	run(2500 * NS_PER_MS);
	ck_assert_int_eq(carries(), 10);
	run(600 * NS_PER_MS);
	ck_assert_int_eq(carries(), 50);
	ck_assert(!is_by_hand());
	finish();
}
END_TEST

START_TEST(test_by_hand_under_followover)
{
	start_two_groups(followover);
	ck_assert_int_eq(lun_use_group(lun, group_of(10)), 0);
	lose(0);
	regain(0); /* path 1 was there */
	run(60 * NS_PER_SEC);
	ck_assert_int_eq(carries(), 10);
	lose(0);
	lose(1);
	regain(1);
	ck_assert_int_eq(carries(), 50);
	finish();
}
END_TEST

/* --- groups that come and go ------------------------------------------------------------ */

static unsigned current_prio(void)
{
	struct lun_group_info g[8];
	unsigned n = lun_get_groups(lun, g, 8);

	for (unsigned i = 0; i < n; i++)
		if (g[i].current)
			return (unsigned)g[i].prio;
	return ~0u;
}

START_TEST(test_manual_outlives_the_first_path)
{
	start(4, manual);
	m.prio[0] = m.prio[1] = 10;
	m.prio[2] = m.prio[3] = 50;
	for (int k = 0; k < 4; k++) {
		lun_fail_path(lun, &sps[k]->path);
		lun_reinstate_path(lun, &sps[k]->path);
	}
	run(10 * NS_PER_MS);
	lun_fail_path(lun, &sps[2]->path);
	lun_fail_path(lun, &sps[3]->path);
	run(NS_PER_MS);
	ck_assert_uint_eq(current_prio(), 10);
	lun_reinstate_path(lun, &sps[2]->path);
	lun_reinstate_path(lun, &sps[3]->path);
	run(10 * NS_PER_MS);
	ck_assert_uint_eq(current_prio(), 10);
	lun_remove_path(lun, &sps[0]->path, "test");
	run(10 * NS_PER_MS);
	ck_assert_uint_eq(current_prio(), 10);
	/* With its last path the group goes. */
	lun_remove_path(lun, &sps[1]->path, "test");
	run(10 * NS_PER_MS);
	ck_assert_uint_eq(current_prio(), 50);
	finish();
}
END_TEST

static void after_ten(struct lun_params *p)
{
	p->failback = FAILBACK_AFTER;
	p->failback_ns = 10 * NS_PER_SEC;
}

START_TEST(test_after_starts_over)
{
	start(2, after_ten);
	m.prio[0] = 50;
	lun_fail_path(lun, &sps[0]->path);
	lun_reinstate_path(lun, &sps[0]->path);
	run(5 * NS_PER_SEC);
	ck_assert_uint_eq(current_prio(), 0);
	/* The better group goes: the time starts over. */
	lun_fail_path(lun, &sps[0]->path);
	run(NS_PER_SEC);
	lun_reinstate_path(lun, &sps[0]->path);
	run(9 * NS_PER_SEC);
	ck_assert_uint_eq(current_prio(), 0);
	run(2 * NS_PER_SEC);
	ck_assert_uint_eq(current_prio(), 50);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_by_hand, test_by_hand_back, test_by_hand_under_immediate, test_by_hand_under_after,
		test_by_hand_under_followover, test_immediate, test_manual, test_after, test_followover, test_followover_to_better_only,
		test_manual_outlives_the_first_path, test_after_starts_over,
	};
	Suite *s = suite_create("lun-groups");
	TCase *tc = tcase_create("lun-groups");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_left_when_the_last_path_goes, 0, FAILBACK_NR);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
