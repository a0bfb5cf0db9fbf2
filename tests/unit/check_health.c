/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_health.c - proves that paths which flap, fail or crawl are used only if
 * nothing better is left, for as long as the rules say, and are trusted again.
 */
#include "lun_rig.h"

#include "core/lun_priv.h"
#include "core/path.h"

#define POLL_NS (500 * NS_PER_MS)
#define WINDOW_NS (60 * NS_PER_SEC)
#define GAP_NS (20 * NS_PER_SEC)

static void quick(struct lun_params *p)
{
	p->selector = SEL_ROUND_ROBIN;
	p->polling_interval_ns = p->max_polling_interval_ns = POLL_NS;
	p->flap_window_ns = p->err_sample_ns = WINDOW_NS;
	p->err_rate = 100;
	p->marginal_ns = GAP_NS;
}

static struct path *path_n(int i)
{
	return &sps[i]->path;
}

/* @n reads one after the other, all good. */
static void reads(unsigned n)
{
	static unsigned lba;
	struct ask a;

	while (n--) {
		lba = (lba + 64) % 4000;
		ask(&a, REQ_READ, lba, 8, 0, 0);
		for (int i = 0; i < 100000 && !a.dones; i++)
			run(50 * NS_PER_US);
		answered(&a, 0);
	}
}

/* Path 0 fails and its next check is good: what state is it in then? */
static enum path_state flap(void)
{
	m.down[0] = true;
	path_lost(path_n(0), "flap");
	ck_assert_int_eq(path_n(0)->state, PATH_FAILED);
	m.down[0] = false;
	for (int i = 0; i < 10000 && path_n(0)->state == PATH_FAILED; i++)
		run(NS_PER_MS);
	return path_n(0)->state;
}

/* How long until it is active, to 10 ms. */
static uint64_t until_active(void)
{
	uint64_t t0 = loop_now_ns(loop);

	while (path_n(0)->state != PATH_ACTIVE && loop_now_ns(loop) - t0 < 1000 * NS_PER_SEC) {
		ck_assert(path_n(0)->state == PATH_MARGINAL);
		run(10 * NS_PER_MS);
	}
	return loop_now_ns(loop) - t0;
}

START_TEST(test_flapping)
{
	static const uint64_t lasts[] = { POLL_NS, 2 * POLL_NS, 4 * POLL_NS, 8 * POLL_NS, 16 * POLL_NS,
					  32 * POLL_NS, GAP_NS, GAP_NS };
	uint64_t t;

	start(2, quick);
	ck_assert_int_eq(flap(), PATH_ACTIVE);
	ck_assert_int_eq(flap(), PATH_ACTIVE);
	for (unsigned i = 0; i < ARRAY_SIZE(lasts); i++) {
		ck_assert_int_eq(flap(), PATH_MARGINAL);
		ck_assert_uint_le(health_left_ns(path_n(0)), lasts[i]);
		m.ncmds[0] = 0;
		reads(20);
		ck_assert_uint_eq(m.ncmds[0], 0); /* there is a better one */
		t = until_active();
		ck_assert_uint_ge(t + 10 * NS_PER_MS + 20 * NS_PER_MS, lasts[i]);
		ck_assert_uint_le(t, lasts[i] + 20 * NS_PER_MS);
		ck_assert_uint_eq(health_left_ns(path_n(0)), 0);
		reads(20);
		ck_assert_uint_gt(m.ncmds[0], 5);
	}
	/* quiet: forgotten */
	run(WINDOW_NS + GAP_NS + NS_PER_SEC);
	ck_assert_int_eq(flap(), PATH_ACTIVE);
	ck_assert_int_eq(flap(), PATH_ACTIVE);
	ck_assert_int_eq(flap(), PATH_MARGINAL);
	ck_assert_uint_le(health_left_ns(path_n(0)), POLL_NS);
	finish();
}
END_TEST

/* Three failures, but not within the window. */
START_TEST(test_rare_failures)
{
	start(2, quick);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(flap(), PATH_ACTIVE);
		run(WINDOW_NS / 2 + NS_PER_SEC);
	}
	finish();
}
END_TEST

static void no_flaps(struct lun_params *p)
{
	quick(p);
	p->flap_window_ns = 0;
}

START_TEST(test_flapping_allowed)
{
	start(2, no_flaps);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(flap(), PATH_ACTIVE);
	finish();
}
END_TEST

/* On probation, and the only one: used. And not when a better one of a worse group is there. */
START_TEST(test_last_resort)
{
	start(2, quick);
	m.prio[0] = 50;
	m.prio[1] = 10;
	for (int i = 0; i < 2; i++)
		lun_reinstate_path(lun, path_n(i));
	for (int i = 0; i < 2; i++) {
		lun_fail_path(lun, path_n(i));
		lun_reinstate_path(lun, path_n(i));
	}
	run(10 * NS_PER_MS);
	for (int i = 0; i < 9; i++)
		flap();
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	m.ncmds[0] = m.ncmds[1] = 0;
	reads(10);
	ck_assert_uint_eq(m.ncmds[0], 0);
	ck_assert_uint_eq(m.ncmds[1], 10);
	m.down[1] = true;
	path_lost(path_n(1), "gone");
	ck_assert_int_eq(lun_get_state(lun), LUN_UP);
	reads(10);
	ck_assert_uint_eq(m.ncmds[0], 10);
	m.down[1] = false;
	run(2 * POLL_NS);
	reads(10);
	ck_assert_uint_eq(m.ncmds[0], 10);
	/* the administrator knows better */
	lun_reinstate_path(lun, path_n(0));
	run(10 * NS_PER_MS);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	reads(10);
	ck_assert_uint_eq(m.ncmds[0], 20);
	finish();
}
END_TEST

/* What another path cannot do is tried on a marginal one before the client hears of it. */
START_TEST(test_marginal_helps)
{
	struct ask a;

	start(2, quick);
	for (int i = 0; i < 9; i++)
		flap();
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	m.next[1] = (struct outcome){ .verdict = V_OTHER, .flags = VF_ALL_ERR, .err = EIO };
	m.fail_n[1] = 1;
	m.ncmds[0] = 0;
	ask(&a, REQ_READ, 0, 8, 0, 0);
	run(10 * NS_PER_MS);
	answered(&a, 0);
	ck_assert_uint_eq(m.ncmds[0], 1);
	finish();
}
END_TEST

START_TEST(test_errors)
{
	start(2, quick);
	/* 1 in 20, of both paths 1 in 10 of path 0: not too many yet */
	reads(200);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	m.next[0] = (struct outcome){ .verdict = V_OTHER, .err = EIO };
	for (int i = 0; i < 7; i++) {
		m.fail_n[0] = 1;
		reads(4);
	}
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	run(WINDOW_NS);
	for (int i = 0; i < 8; i++) {
		m.fail_n[0] = 1;
		reads(4);
	}
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	ck_assert_ptr_nonnull(strstr(path_n(0)->why, "failed"));
	m.ncmds[0] = 0;
	reads(20);
	ck_assert_uint_eq(m.ncmds[0], 0);
	run(GAP_NS + 10 * NS_PER_MS);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	reads(20);
	ck_assert_uint_gt(m.ncmds[0], 5);
	finish();
}
END_TEST

START_TEST(test_crawl)
{
	start(2, quick);
	m.lat_ns[0] = 30 * NS_PER_MS;
	reads(400);
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	ck_assert_ptr_nonnull(strstr(path_n(0)->why, "take 30"));
	ck_assert_int_eq(path_n(1)->state, PATH_ACTIVE);
	m.ncmds[0] = 0;
	reads(20);
	ck_assert_uint_eq(m.ncmds[0], 0);
	m.lat_ns[0] = 0;
	run(GAP_NS + 10 * NS_PER_MS);
	reads(300);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	ck_assert_uint_gt(m.ncmds[0], 100);
	finish();
}
END_TEST

/* The others have a line of their own, so its mean is no such multiple; but nothing of it is as quick as their slowest. */
START_TEST(test_crawl_least)
{
	start(2, quick);
	m.lat_ns[0] = 14 * NS_PER_MS;
	m.lat_ns[1] = 6 * NS_PER_MS;
	reads(400);
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	ck_assert_int_eq(path_n(1)->state, PATH_ACTIVE);
	finish();
}
END_TEST

static void by_queue(struct lun_params *p)
{
	quick(p);
	p->selector = SEL_QUEUE_LENGTH;
}

#define NLOAD 16

/* Of a path of a third of the other's bandwidth, with 16 reads out. */
static void narrow_start(struct ask a[NLOAD])
{
	start(2, by_queue);
	m.serial = true;
	m.lat_ns[0] = 6 * NS_PER_MS;
	m.lat_ns[1] = 2 * NS_PER_MS;
	for (int i = 0; i < NLOAD; i++)
		ask(&a[i], REQ_READ, (uint64_t)i * 64, 8, 0, 0);
}

/* A quarter of a millisecond, and what is answered is asked anew. */
static void narrow_step(struct ask a[NLOAD], unsigned step)
{
	struct ask *w = &a[step % NLOAD];

	run(NS_PER_MS / 4);
	if (!w->dones)
		return;
	answered(w, 0);
	ask(w, REQ_READ, (uint64_t)(step % 512) * 8, 8, 0, 0);
}

static void narrow_until_trial(struct ask a[NLOAD])
{
	narrow_start(a);
	for (unsigned i = 0; i < 20000 && path_n(0)->depth > 1; i++)
		narrow_step(a, i);
	ck_assert_uint_eq(path_n(0)->depth, 1);
	ck_assert(crawl_on_trial(path_n(0)));
}

static void narrow_answered(struct ask a[NLOAD])
{
	for (int i = 0; i < NLOAD; i++)
		answered(&a[i], 0);
}

/* Of less bandwidth: its commands take longer because they wait for each other. It shows that when it is tried, and keeps
 * its share. */
START_TEST(test_narrow)
{
	unsigned tried = 0;
	struct ask a[NLOAD];

	narrow_start(a);
	for (unsigned i = 0; i < 20000; i++) {
		narrow_step(a, i);
		tried += path_n(0)->depth == 1;
		ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	}
	/* Eight at six milliseconds, once in five seconds. */
	ck_assert_uint_ge(tried, 8 * 6 * 4);
	ck_assert_uint_lt(tried, 20 * 6 * 4);
	ck_assert_uint_gt(path_n(0)->depth, 8);
	ck_assert_uint_gt(m.ncmds[0], 5000 / 6 * 9 / 10);
	run(NS_PER_SEC);
	narrow_answered(a);
	finish();
}
END_TEST

static void by_last(struct lun_params *p)
{
	quick(p);
	p->selector = SEL_LAST_USED;
	p->flap_window_ns = 0;
}

static void bounce(int i)
{
	m.down[i] = true;
	path_lost(path_n(i), "bounce");
	reads(1);
	m.down[i] = false;
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(path_n(i)->state, PATH_ACTIVE);
}

/* What another path took before this one's commands began says nothing: the load may be another one. */
START_TEST(test_other_times)
{
	start(2, by_last);
	m.lat_ns[0] = m.lat_ns[1] = 6 * NS_PER_MS;
	bounce(0);
	reads(70);
	bounce(1);
	m.ncmds[1] = 0;
	m.lat_ns[0] = 14 * NS_PER_MS;
	reads(300);
	ck_assert_uint_eq(m.ncmds[1], 0);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	ck_assert_uint_gt(path_n(0)->depth, 1);
	finish();
}
END_TEST

/* A trial ends when the path is the last one, is another state's, or is trusted by the administrator. */
START_TEST(test_trial_ends)
{
	struct ask a[NLOAD];

	narrow_until_trial(a);
	switch (_i) {
	case 0:
		m.down[1] = true;
		path_lost(path_n(1), "gone");
		break;
	case 1:
		path_lost(path_n(0), "gone");
		break;
	case 2:
		lun_reinstate_path(lun, path_n(0));
		break;
	}
	ck_assert_uint_gt(path_n(0)->depth, 1);
	ck_assert(!crawl_on_trial(path_n(0)));
	m.down[1] = false;
	run(10 * NS_PER_SEC);
	narrow_answered(a);
	finish();
}
END_TEST

/* No commands that would end it: for ten seconds. */
START_TEST(test_trial_in_vain)
{
	struct ask a[NLOAD], flush;
	unsigned i;

	narrow_until_trial(a);
	run(9 * NS_PER_SEC);
	narrow_answered(a);
	ck_assert_uint_eq(path_n(0)->depth, 1);
	run(2 * NS_PER_SEC);
	for (i = 0; i < 4; i++) {
		ask(&a[i], REQ_WRITE, i * 64, 8, 1, 0);
		run(50 * NS_PER_MS);
		answered(&a[i], 0);
	}
	ask(&flush, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_SEC);
	answered(&flush, 0);
	ck_assert_uint_gt(path_n(0)->depth, 1);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	finish();
}
END_TEST

/* Now and then one of them is as quick: no. */
START_TEST(test_no_crawl_least)
{
	start(2, quick);
	m.lat_ns[1] = 6 * NS_PER_MS;
	for (int i = 0; i < 50; i++) {
		m.lat_ns[0] = i % 10 ? 14 * NS_PER_MS : 6 * NS_PER_MS;
		reads(8);
	}
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	finish();
}
END_TEST

/* A little slower, or slow like all the others: no. */
START_TEST(test_no_crawl)
{
	start(2, quick);
	m.lat_ns[0] = 14 * NS_PER_MS;
	m.lat_ns[1] = 10 * NS_PER_MS;
	reads(400);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	m.lat_ns[0] = m.lat_ns[1] = 100 * NS_PER_MS;
	reads(400);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	ck_assert_int_eq(path_n(1)->state, PATH_ACTIVE);
	finish();
}
END_TEST

/* The transport says so itself (host status 14h): the longest probation at once. */
START_TEST(test_transport_marginal)
{
	start(2, quick);
	m.next[0] = (struct outcome){ .verdict = V_FAIL, .flags = VF_MARGINAL, .err = EIO };
	m.fail_n[0] = 1;
	reads(2);
	ck_assert_int_eq(path_n(0)->state, PATH_FAILED);
	run(2 * POLL_NS);
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	ck_assert_uint_gt(health_left_ns(path_n(0)), GAP_NS / 2);
	/* identity in doubt: checked before it carries anything, and still on probation */
	lun_remove_path(lun, path_n(1), "test");
	m.next[0] = (struct outcome){ .verdict = V_SAME, .flags = VF_IDENTITY };
	m.fail_n[0] = 1;
	reads(1);
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	run(GAP_NS);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	finish();
}
END_TEST

/* A check whose read meets a bad block: used if nothing better is left, also after a failure, and
 * as good as before with the first good check. */
START_TEST(test_flawed_check)
{
	struct ask a;

	start(2, quick);
	m.flaw[0] = "READ: sense 3/11/00";
	run(2 * POLL_NS);
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	ck_assert_str_eq(path_n(0)->why, m.flaw[0]);
	ck_assert_uint_gt(path_n(0)->stats.checks_failed, 0);
	ck_assert_uint_eq(path_n(0)->stats.failures, 0);
	m.ncmds[0] = 0;
	reads(20);
	ck_assert_uint_eq(m.ncmds[0], 0);
	/* all paths lead to the same block: the LUN serves all the same */
	m.flaw[1] = m.flaw[0];
	run(2 * POLL_NS);
	ck_assert_int_eq(path_n(1)->state, PATH_MARGINAL);
	ck_assert_int_eq(lun_get_state(lun), LUN_UP);
	reads(20);
	/* the cause that is shown is that of now */
	m.flaw[0] = "READ: sense 4/03/00";
	run(2 * POLL_NS);
	ck_assert_str_eq(path_n(0)->why, m.flaw[0]);
	path_lost(path_n(0), "test");
	path_lost(path_n(1), "test");
	ask(&a, REQ_READ, 8, 8, 0, 0);
	run(2 * POLL_NS);
	answered(&a, 0);
	ck_assert_int_eq(path_n(0)->state, PATH_MARGINAL);
	m.flaw[0] = m.flaw[1] = NULL;
	run(2 * POLL_NS);
	ck_assert_int_eq(path_n(0)->state, PATH_ACTIVE);
	ck_assert_int_eq(path_n(1)->state, PATH_ACTIVE);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_flapping,	   test_rare_failures, test_flapping_allowed, test_last_resort,
		test_marginal_helps, test_errors,      test_crawl,	      test_no_crawl,
		test_crawl_least,  test_narrow,  test_no_crawl_least,
		test_transport_marginal, test_flawed_check,
	};
	Suite *s = suite_create("health");
	TCase *tc = tcase_create("health");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, test_trial_ends, 0, 3);
	tcase_add_test(tc, test_trial_in_vain);
	tcase_add_test(tc, test_other_times);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
