/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_group.c - which paths make a group under each policy, how groups rank, and which is current. */
#include <config.h>

#include "core/group.h"
#include "core/path.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define N 6

static struct path path[N], *all[N];
static struct groups gs;

/* All usable, of one priority, nothing known of their targets. */
static void setup(void)
{
	memset(path, 0, sizeof(path));
	memset(&gs, 0, sizeof(gs));
	gs.current = -1;
	for (unsigned i = 0; i < N; i++) {
		path[i].state = PATH_ACTIVE;
		path[i].prio = 50;
		path[i].info_valid = true;
		path[i].info.tpg = -1;
		all[i] = &path[i];
	}
}

/* "01,2,3": the groups in their order, each by the indexes of its paths. */
static const char *shape(enum group_policy policy)
{
	static char text[64];
	size_t at = 0;

	groups_build(&gs, policy, all, N);
	for (unsigned i = 0; i < gs.n; i++) {
		if (i)
			text[at++] = ',';
		for (unsigned j = 0; j < gs.g[i].npaths; j++) {
			text[at++] = (char)('0' + (gs.g[i].paths[j] - path));
			ck_assert_uint_eq(gs.g[i].paths[j]->group, i);
		}
	}
	text[at] = '\0';
	return text;
}

static void set_tpgs(const int *tpg)
{
	for (unsigned i = 0; i < N; i++)
		path[i].info.tpg = tpg[i];
}

START_TEST(test_one_or_all)
{
	ck_assert_str_eq(shape(GROUP_FAILOVER), "0,1,2,3,4,5");
	ck_assert_str_eq(shape(GROUP_MULTIBUS), "012345");
	path[2].prio = 10;
	path[4].prio = 80;
	ck_assert_str_eq(shape(GROUP_FAILOVER), "4,0,1,3,5,2");
	ck_assert_str_eq(shape(GROUP_MULTIBUS), "012345");
	ck_assert_int_eq(gs.g[0].prio, 80);
}
END_TEST

START_TEST(test_by_prio)
{
	path[1].prio = path[4].prio = 10;
	path[2].prio = 80;
	ck_assert_str_eq(shape(GROUP_BY_PRIO), "2,035,14");
	path[2].prio = 10;
	ck_assert_str_eq(shape(GROUP_BY_PRIO), "035,124");
}
END_TEST

/* The group is the controller's: a change of its state moves the group, and leaves it whole. */
START_TEST(test_by_tpg)
{
	set_tpgs((int[]){ 1, 2, 1, 2, 0, 65535 });
	path[1].prio = path[3].prio = 10;
	ck_assert_str_eq(shape(GROUP_BY_TPG), "02,4,5,13");
	path[1].prio = path[3].prio = 130;
	ck_assert_str_eq(shape(GROUP_BY_TPG), "13,02,4,5");
	/* One path has heard of the new state already: the best counts. */
	path[1].prio = path[3].prio = 10;
	path[2].prio = 80;
	ck_assert_str_eq(shape(GROUP_BY_TPG), "02,4,5,13");
	ck_assert_int_eq(gs.g[0].prio, 80);
	/* ... of those that can be used. */
	path[2].state = PATH_FAILED;
	path[0].prio = 1;
	ck_assert_str_eq(shape(GROUP_BY_TPG), "4,5,13,02");
	ck_assert_int_eq(gs.g[3].prio, 1);
}
END_TEST

START_TEST(test_unknown_tpg)
{
	ck_assert_str_eq(shape(GROUP_BY_TPG), "012345");
	set_tpgs((int[]){ 1, -1, 1, 0, -1, 0 });
	ck_assert_str_eq(shape(GROUP_BY_TPG), "02,14,35");
	/* What an unchecked path has there means nothing. */
	path[0].info_valid = path[3].info_valid = false;
	ck_assert_str_eq(shape(GROUP_BY_TPG), "0134,2,5");
}
END_TEST

START_TEST(test_by_node_name)
{
	ck_assert_str_eq(shape(GROUP_BY_NODE_NAME), "012345");
	strcpy(path[0].node_name, "0x500a098080000001");
	strcpy(path[3].node_name, "0x500a098080000001");
	strcpy(path[1].node_name, "iqn.2026-11.example:a");
	strcpy(path[4].node_name, "iqn.2026-11.example:ab");
	ck_assert_str_eq(shape(GROUP_BY_NODE_NAME), "03,25,1,4");
	path[4].prio = 80;
	ck_assert_str_eq(shape(GROUP_BY_NODE_NAME), "4,03,25,1");
}
END_TEST

/* A group without a usable path is last, whatever its priority. */
START_TEST(test_usable_first)
{
	set_tpgs((int[]){ 1, 1, 2, 2, 2, 2 });
	path[0].prio = path[1].prio = 80;
	path[0].state = path[1].state = PATH_FAILED;
	ck_assert_str_eq(shape(GROUP_BY_TPG), "2345,01");
	ck_assert_int_eq(groups_best(&gs), 0);
	for (unsigned i = 0; i < N; i++)
		path[i].state = PATH_STANDBY;
	ck_assert_str_eq(shape(GROUP_BY_TPG), "01,2345");
	ck_assert_int_eq(groups_best(&gs), -1);
}
END_TEST

/* The current group is known again by its paths, wherever it ranks now. */
START_TEST(test_current_is_kept)
{
	set_tpgs((int[]){ 1, 1, 1, 2, 2, 2 });
	shape(GROUP_BY_TPG);
	groups_choose(&gs, 0);
	for (unsigned i = 3; i < N; i++)
		path[i].prio = 80;
	ck_assert_str_eq(shape(GROUP_BY_TPG), "345,012");
	ck_assert_int_eq(gs.current, 1);
	path[0].state = PATH_FAILED;
	shape(GROUP_BY_TPG);
	ck_assert_int_eq(gs.current, 1);
	path[1].state = path[2].state = PATH_FAILED;
	shape(GROUP_BY_TPG);
	ck_assert_int_eq(gs.current, -1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_one_or_all,   test_by_prio,      test_by_tpg,	    test_unknown_tpg,
		test_by_node_name, test_usable_first, test_current_is_kept,
	};
	Suite *s = suite_create("group");
	TCase *tc = tcase_create("group");

	tcase_add_checked_fixture(tc, setup, NULL);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
