/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_policy.c - proves that every policy and verdict has its word, and only that. */
#include <config.h>

#include "base/policy.h"
#include "base/verdict.h"
#include "unit.h"

START_TEST(test_round_trip)
{
	static const struct {
		const char *const *names;
		int n;
	} rows[] = {
		{ sel_kind_names, SEL_NR },
		{ elv_kind_names, ELV_NR },
		{ group_policy_names, GROUP_NR },
		{ queueing_names, QUEUEING_NR },
		{ rr_weight_names, RR_WEIGHT_NR },
	};
	int i;

	for (i = 0; i < rows[_i].n; i++) {
		ck_assert_ptr_nonnull(rows[_i].names[i]);
		ck_assert_int_eq(name_lookup(rows[_i].names, rows[_i].n, rows[_i].names[i]), i);
	}
	ck_assert_int_eq(name_lookup(rows[_i].names, rows[_i].n, ""), -1);
	ck_assert_int_eq(name_lookup(rows[_i].names, rows[_i].n, "no such word"), -1);
	ck_assert_int_eq(name_lookup(rows[_i].names, 0, rows[_i].names[0]), -1);
}
END_TEST

START_TEST(test_words)
{
	ck_assert_int_eq(name_lookup(sel_kind_names, SEL_NR, "last-used"), SEL_LAST_USED);
	ck_assert_int_eq(name_lookup(sel_kind_names, SEL_NR, "round-robin"), SEL_ROUND_ROBIN);
	ck_assert_int_eq(name_lookup(sel_kind_names, SEL_NR, "queue-length"), SEL_QUEUE_LENGTH);
	ck_assert_int_eq(name_lookup(sel_kind_names, SEL_NR, "service-time"), SEL_SERVICE_TIME);
	ck_assert_int_eq(name_lookup(sel_kind_names, SEL_NR, "historical-service-time"),
			 SEL_HISTORICAL);
	ck_assert_int_eq(name_lookup(sel_kind_names, SEL_NR, "numa"), SEL_NUMA);
	ck_assert_int_eq(name_lookup(rr_weight_names, RR_WEIGHT_NR, "priorities"), RR_PRIORITIES);
	ck_assert_int_eq(name_lookup(elv_kind_names, ELV_NR, "auto"), ELV_AUTO);
	ck_assert_int_eq(name_lookup(elv_kind_names, ELV_NR, "deadline"), ELV_DEADLINE);
	ck_assert_int_eq(name_lookup(elv_kind_names, ELV_NR, "fifo"), ELV_FIFO);
	ck_assert_int_eq(name_lookup(group_policy_names, GROUP_NR, "failover"), GROUP_FAILOVER);
	ck_assert_int_eq(name_lookup(group_policy_names, GROUP_NR, "multibus"), GROUP_MULTIBUS);
	ck_assert_int_eq(name_lookup(group_policy_names, GROUP_NR, "group_by_prio"), GROUP_BY_PRIO);
	ck_assert_int_eq(name_lookup(group_policy_names, GROUP_NR, "group_by_tpg"), GROUP_BY_TPG);
	ck_assert_int_eq(name_lookup(group_policy_names, GROUP_NR, "group_by_node_name"),
			 GROUP_BY_NODE_NAME);
}
END_TEST

START_TEST(test_verdicts)
{
	static const struct {
		enum verdict v;
		const char *name;
		bool try_other;
	} rows[V_NR] = {
		{ V_OK, "ok", false },
		{ V_OK_INFO, "ok-info", false },
		{ V_SAME, "same", false },
		{ V_LATER, "later", false },
		{ V_OTHER, "other", true },
		{ V_FAIL, "fail", true },
		{ V_GROUP, "group", true },
		{ V_SLOW, "slow", false },
		{ V_ERR, "error", false },
		{ V_CANCELED, "canceled", true },
	};

	ck_assert_str_eq(verdict_name(rows[_i].v), rows[_i].name);
	ck_assert(verdict_try_other_path(rows[_i].v) == rows[_i].try_other);
}
END_TEST

START_TEST(test_no_such_verdict)
{
	verdict_name(V_NR);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *tc = tcase_create("policy");

	tcase_add_loop_test(tc, test_round_trip, 0, 4);
	tcase_add_test(tc, test_words);
	tcase_add_loop_test(tc, test_verdicts, 0, V_NR);
	unit_add_abort(tc, test_no_such_verdict);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
