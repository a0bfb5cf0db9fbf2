/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_discover_plan.c - what a scan makes of the paths that are there: devices
 * that vanish, that return, whose names go to others; nothing that works is
 * dropped for what a scan did not see.
 */
#include <config.h>

#include "base/units.h"
#include "path/discover_plan.h"
#include "unit.h"

#include <string.h>

static const struct {
	const char *label;
	struct plan_path p; /* called "x" */
	bool found;
	enum plan_act act;
	bool add, behind;
} rows[] = {
	{ "as it was", { .ident = "1", .now = "1" }, true, PLAN_KEEP },
	{ "failed, there", { .ident = "1", .now = "1", .state = PLAN_FAILED }, true, PLAN_KEEP },
	{ "quarantined, there", { .ident = "1", .now = "1", .state = PLAN_DISABLED }, true, PLAN_KEEP },
	/* gone */
	{ "works, gone", { .ident = "1", .now = "" }, false, PLAN_DROP },
	{ "failed, gone", { .ident = "1", .now = "", .state = PLAN_FAILED }, false, PLAN_DROP },
	{ "disabled, gone", { .ident = "1", .now = "", .state = PLAN_DISABLED }, false, PLAN_DROP },
	{ "explicit, gone", { .ident = "1", .now = "" }, true, PLAN_DROP, .behind = true },
	{ "leaving", { .ident = "1", .now = "", .state = PLAN_LEAVING }, false, PLAN_KEEP },
	/* the name is another's */
	{ "works, name reused", { .ident = "1", .now = "2" }, true, PLAN_DROP, .behind = true },
	{ "name reused by a foreign one", { .ident = "1", .now = "2" }, false, PLAN_DROP },
	{ "quarantined, name reused", { .ident = "1", .now = "2", .state = PLAN_DISABLED }, true,
	  PLAN_DROP, .behind = true },
	{ "leaving, name reused", { .ident = "1", .now = "2", .state = PLAN_LEAVING }, true,
	  PLAN_KEEP, .behind = true },
	/* there, and not found */
	{ "sg not found", { .ident = "1", .now = "1", .is_sg = true }, false, PLAN_DOUBT },
	{ "sg not found again", { .ident = "1", .now = "1", .is_sg = true, .doubted = true }, false,
	  PLAN_KEEP },
	{ "sg failed, not found", { .ident = "1", .now = "1", .is_sg = true, .state = PLAN_FAILED },
	  false, PLAN_DROP },
	{ "sg quarantined, not found",
	  { .ident = "1", .now = "1", .is_sg = true, .state = PLAN_DISABLED }, false, PLAN_KEEP },
	{ "loop not found", { .ident = "1", .now = "1" }, false, PLAN_DOUBT },
	{ "loop detached", { .ident = "1", .now = "1", .state = PLAN_FAILED }, false, PLAN_DROP },
	{ "loop with another file", { .ident = "1", .now = "1", .state = PLAN_DISABLED }, false,
	  PLAN_DROP },
	/* brought by hand */
	{ "by hand, not found", { .ident = "1", .now = "1", .by_hand = true }, false, PLAN_KEEP },
	{ "by hand, disabled, not found",
	  { .ident = "1", .now = "1", .by_hand = true, .state = PLAN_DISABLED }, false, PLAN_KEEP },
	{ "sg by hand, failed, not found",
	  { .ident = "1", .now = "1", .by_hand = true, .is_sg = true, .state = PLAN_FAILED }, false,
	  PLAN_KEEP },
	{ "loop by hand, detached",
	  { .ident = "1", .now = "1", .by_hand = true, .state = PLAN_FAILED }, false, PLAN_DROP },
	{ "by hand, gone", { .ident = "1", .now = "", .by_hand = true }, false, PLAN_DROP },
	{ "by hand, name reused", { .ident = "1", .now = "2", .by_hand = true }, false, PLAN_DROP },
	/* files */
	{ "file without its name", { .ident = "1", .now = "", .is_file = true }, true, PLAN_KEEP },
	{ "file replaced", { .ident = "1", .now = "2", .is_file = true }, true, PLAN_KEEP },
	{ "file not found beside loops", { .ident = "1", .now = "1", .is_file = true }, false,
	  PLAN_KEEP },
	{ "file failed and gone",
	  { .ident = "1", .now = "", .is_file = true, .state = PLAN_FAILED }, false, PLAN_DROP },
	{ "file failed", { .ident = "1", .now = "1", .is_file = true, .state = PLAN_FAILED }, false,
	  PLAN_KEEP },
	/* where sysfs tells nothing */
	{ "unknown object, works", { .ident = "", .now = "" }, false, PLAN_KEEP },
	{ "unknown object, failed", { .ident = "", .now = "", .state = PLAN_FAILED }, false, PLAN_DROP },
	{ "unknown object, now known", { .ident = "", .now = "1" }, true, PLAN_KEEP },
};

START_TEST(one_path)
{
	struct plan_path p = rows[_i].p;
	struct plan_found f[2] = { { .name = "other" }, { .name = "x" } };

	p.name = "x";
	discover_plan(&p, 1, f, rows[_i].found ? 2 : 1);
	ck_assert_msg(p.act == rows[_i].act, "%s: %d", rows[_i].label, p.act);
	ck_assert_msg((p.act == PLAN_KEEP) == (p.why == NULL), "%s: why", rows[_i].label);
	ck_assert_msg(p.found == rows[_i].found, "%s: found", rows[_i].label);
	ck_assert_msg(f[0].add && !f[0].behind, "%s: the other", rows[_i].label);
	if (!rows[_i].found)
		return;
	ck_assert_msg(f[1].add == rows[_i].add, "%s: add", rows[_i].label);
	ck_assert_msg(f[1].behind == rows[_i].behind, "%s: behind", rows[_i].label);
}
END_TEST

START_TEST(nothing_and_nothing)
{
	struct plan_found f = { .name = "x" };

	discover_plan(NULL, 0, NULL, 0);
	discover_plan(NULL, 0, &f, 1);
	ck_assert(f.add && !f.behind);
}
END_TEST

/* One file may be listed twice: two paths, each of its own. */
START_TEST(a_name_twice)
{
	struct plan_path p[2] = { { .name = "x", .ident = "1", .now = "1" },
				  { .name = "x", .ident = "1", .now = "1" } };
	struct plan_found f[3] = { { .name = "x" }, { .name = "x" }, { .name = "x" } };

	discover_plan(p, 1, f, 2);
	ck_assert(!f[0].add && f[1].add);
	discover_plan(p, 2, f, 2);
	ck_assert(!f[0].add && !f[1].add && p[0].found && p[1].found);
	discover_plan(p, 2, f, 3);
	ck_assert(!f[0].add && !f[1].add && f[2].add);
	discover_plan(p, 2, f, 1);
	ck_assert(p[0].act == PLAN_KEEP && p[1].act == PLAN_DOUBT);
}
END_TEST

/* All of a host's devices go, and come back under each other's names. */
START_TEST(names_are_mixed)
{
	struct plan_path p[3] = { { .name = "sg1", .ident = "a", .now = "c" },
				  { .name = "sg2", .ident = "b", .now = "a" },
				  { .name = "sg3", .ident = "c", .now = "c" } };
	struct plan_found f[3] = { { .name = "sg1" }, { .name = "sg2" }, { .name = "sg3" } };

	discover_plan(p, 3, f, 3);
	ck_assert_int_eq(p[0].act, PLAN_DROP);
	ck_assert_int_eq(p[1].act, PLAN_DROP);
	ck_assert_int_eq(p[2].act, PLAN_KEEP);
	ck_assert(f[0].behind && f[1].behind && !f[2].behind);
	ck_assert(!f[0].add && !f[1].add && !f[2].add);
	/* The old ones have left. */
	discover_plan(p + 2, 1, f, 3);
	ck_assert(f[0].add && f[1].add && !f[2].add);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("discover_plan");
	TCase *t = tcase_create("plan");

	tcase_add_loop_test(t, one_path, 0, ARRAY_SIZE(rows));
	tcase_add_test(t, nothing_and_nothing);
	tcase_add_test(t, a_name_twice);
	tcase_add_test(t, names_are_mixed);
	suite_add_tcase(s, t);
	return unit_main(s);
}
