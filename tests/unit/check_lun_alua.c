/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_alua.c - port groups change their state, or wait until they are asked
 * to serve: nobody is told of an error while that can end well, and nothing waits
 * for it without a limit
 */
#include "lun_rig.h"

static void fail_at_once(struct lun_params *p)
{
	p->no_path = NO_PATH_FAIL;
}

/* 2 s at the rig's polling interval */
static void retry_four(struct lun_params *p)
{
	p->no_path = NO_PATH_RETRY;
	p->no_path_checks = 4;
}

/* All port groups are in @a from now on; commands are told so. */
static void all_become(enum access_state a)
{
	for (unsigned k = 0; k < 2; k++) {
		m.access[k] = a;
		m.next[k] = (struct outcome){
			.verdict = V_GROUP,
			.asc = 4,
			.ascq = a == ACCESS_TRANSITIONING ? 0x0a : a == ACCESS_STANDBY ? 0x0b : 0x0c,
		};
		m.fail_n[k] = a == ACCESS_ACTIVE ? 0 : 1;
	}
}

/* While it lasts requests are held, whatever no_path_retry says. */
START_TEST(test_transition)
{
	static void (*const policy[])(struct lun_params *) = { fail_at_once, retry_four };
	struct ask a;

	start(2, policy[_i]);
	all_become(ACCESS_TRANSITIONING);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(50 * NS_PER_SEC);
	ck_assert_uint_eq(a.dones, 0);
	ck_assert_int_eq(lun_get_state(lun), LUN_DARK);
	ck_assert_int_eq(sps[0]->path.state, PATH_TRANSITIONING);
	all_become(ACCESS_ACTIVE);
	run(1300 * NS_PER_MS);
	answered(&a, 0);
	finish();
}
END_TEST

/* The time that the target told, or 60 s; then no_path_retry begins. */
START_TEST(test_transition_limit)
{
	uint64_t limit_ns = (_i ? 7 : 60) * NS_PER_SEC;
	struct ask a;

	start(2, retry_four);
	m.transition_ns = _i ? limit_ns : 0;
	run(5 * NS_PER_SEC); /* every path is checked, and tells it */
	all_become(ACCESS_TRANSITIONING);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(limit_ns - 100 * NS_PER_MS);
	ck_assert_uint_eq(a.dones, 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_TRANSITIONING);
	run(1900 * NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	ck_assert_int_eq(sps[1]->path.state, PATH_FAILED);
	ck_assert_uint_eq(a.dones, 0);
	run(500 * NS_PER_MS);
	answered(&a, EIO);
	/* It goes on saying so, and that is no news. */
	run(20 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	ck_assert_uint_eq(sps[0]->path.stats.failures, 1);
	all_become(ACCESS_ACTIVE);
	run(NS_PER_SEC);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(NS_PER_MS);
	answered(&a, 0);
	finish();
}
END_TEST

START_TEST(test_activation)
{
	static void (*const policy[])(struct lun_params *) = { fail_at_once, retry_four };
	struct ask a;

	start(2, policy[_i]);
	m.explicit_alua = true;
	run(5 * NS_PER_SEC);
	all_become(ACCESS_STANDBY);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(100 * NS_PER_MS);
	answered(&a, 0);
	ck_assert_uint_eq(m.nactivated[0] + m.nactivated[1], 1);
	finish();
}
END_TEST

/* It does not help: the other path's turn after ten seconds, and so on; requests as no_path_retry
 * says. */
START_TEST(test_activation_in_vain)
{
	struct ask a;

	start(2, retry_four);
	m.explicit_alua = true;
	m.activated = ACCESS_STANDBY;
	run(5 * NS_PER_SEC);
	all_become(ACCESS_STANDBY);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(1800 * NS_PER_MS);
	ck_assert_uint_eq(a.dones, 0);
	run(400 * NS_PER_MS);
	answered(&a, EIO);
	run(6 * NS_PER_SEC);
	ck_assert_uint_eq(m.nactivated[0] + m.nactivated[1], 1);
	run(4 * NS_PER_SEC);
	ck_assert_uint_eq(m.nactivated[0], 1);
	ck_assert_uint_eq(m.nactivated[1], 1);
	run(100 * NS_PER_SEC);
	ck_assert_uint_ge(m.nactivated[0] + m.nactivated[1], 11);
	ck_assert_uint_le(m.nactivated[0] + m.nactivated[1], 12);
	finish();
}
END_TEST

/* Not where the array decides, and not while another path serves. */
START_TEST(test_no_activation)
{
	start(2, retry_four);
	all_become(ACCESS_STANDBY);
	run(30 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_STANDBY);
	m.access[1] = ACCESS_ACTIVE;
	run(2 * NS_PER_SEC);
	m.explicit_alua = true;
	run(30 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_STANDBY);
	ck_assert_uint_eq(m.nactivated[0] + m.nactivated[1], 0);
	finish();
}
END_TEST

/* An active path that says standby: the one that took over is found at once, not at its next check. */
START_TEST(test_others_are_asked)
{
	struct ask a;

	start(2, fail_at_once);
	m.access[1] = ACCESS_STANDBY;
	run(5 * NS_PER_SEC);
	ck_assert_int_eq(sps[1]->path.state, PATH_STANDBY);
	all_become(ACCESS_STANDBY);
	m.access[1] = ACCESS_ACTIVE;
	m.fail_n[1] = 0;
	m.check_ns[0] = 3 * NS_PER_MS;
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(20 * NS_PER_MS);
	answered(&a, 0);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lun-alua");
	TCase *tc = tcase_create("lun-alua");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_transition, 0, 2);
	tcase_add_loop_test(tc, test_transition_limit, 0, 2);
	tcase_add_loop_test(tc, test_activation, 0, 2);
	tcase_add_test(tc, test_activation_in_vain);
	tcase_add_test(tc, test_no_activation);
	tcase_add_test(tc, test_others_are_asked);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
