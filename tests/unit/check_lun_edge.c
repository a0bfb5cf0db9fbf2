/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_edge.c - what a LUN does in the moments between its plain states:
 * a path that is checked, hangs or goes while commands wait for it, no command
 * left, the end in each phase.  Each proof is a defect that was there or that a
 * reader would suspect.
 */
#include "lun_rig.h"

static void own_caches(void)
{
	m.caps |= PATH_CAP_OWN_CACHE;
	for (int i = 0; i < 8 && sps[i]; i++) {
		lun_fail_path(lun, &sps[i]->path);
		lun_reinstate_path(lun, &sps[i]->path);
	}
	run(10 * NS_PER_MS);
}

static void begin(unsigned npaths, void (*tweak)(struct lun_params *))
{
	memset(sps, 0, sizeof(sps));
	start(npaths, tweak);
}

static void path_depth_two(struct lun_params *p)
{
	p->path_depth = 2;
	p->selector = SEL_QUEUE_LENGTH;
}

/* --- nobody waits for a path that is not his ----------------------------------- */

START_TEST(test_flush_for_a_hung_path_stops_nobody)
{
	struct ask w[4], f, r;

	begin(2, path_depth_two);
	own_caches();
	m.stall_path[0] = true;
	for (int i = 0; i < 4; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 100, 1, i, 0);
	run(NS_PER_MS);
	ck_assert_uint_eq(sps[0]->path.inflight, 2); /* full, and hung */
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	ask(&r, REQ_READ, 500, 1, 0, 0);
	run(10 * NS_PER_MS);
	answered(&r, 0);
	ck_assert_uint_eq(f.dones, 0);
	m.stall_path[0] = false;
	run(3700 * NS_PER_SEC);
	answered(&f, 0);
	for (int i = 0; i < 4; i++)
		answered(&w[i], 0);
	finish();
}
END_TEST

START_TEST(test_flush_for_a_checked_path_stops_nobody)
{
	struct ask w, f, r;

	begin(2, NULL);
	own_caches();
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	m.check_ns[0] = 30 * NS_PER_SEC;
	m.next[0] = (struct outcome){ .verdict = V_SAME, .flags = VF_IDENTITY };
	m.fail_n[0] = 1;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_CHECKING);
	ask(&r, REQ_READ, 500, 1, 0, 0);
	run(10 * NS_PER_MS);
	answered(&r, 0);
	run(40 * NS_PER_SEC);
	answered(&f, 0);
	finish();
}
END_TEST

START_TEST(test_retry_for_a_hung_path_stops_nobody)
{
	struct ask w[2], v, r;

	begin(2, path_depth_two);
	m.stall_path[1] = true;
	lun_fail_path(lun, &sps[0]->path);
	for (int i = 0; i < 2; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 100, 1, i, 0);
	run(NS_PER_MS);
	lun_reinstate_path(lun, &sps[0]->path);
	run(5 * NS_PER_MS);
	/* Path 0 sends it away, path 1 has no room. */
	m.next[0] = (struct outcome){ .verdict = V_OTHER, .err = EIO };
	m.fail_n[0] = 1;
	ask(&v, REQ_WRITE, 300, 1, 1, 0);
	run(NS_PER_MS);
	ck_assert_uint_eq(v.dones, 0);
	ask(&r, REQ_READ, 500, 1, 0, 0);
	run(10 * NS_PER_MS);
	answered(&r, 0);
	m.stall_path[1] = false;
	run(3700 * NS_PER_SEC);
	answered(&v, 0);
	for (int i = 0; i < 2; i++)
		answered(&w[i], 0);
	finish();
}
END_TEST

/* --- no path ---------------------------------------------------------------------- */

static void fail_at_once(struct lun_params *p)
{
	p->no_path = NO_PATH_FAIL;
}

/* A doubt about the only path is not its loss. */
START_TEST(test_check_is_no_loss)
{
	struct ask w, v;

	begin(1, fail_at_once);
	m.next[0] = (struct outcome){ .verdict = V_SAME, .flags = VF_IDENTITY };
	m.fail_n[0] = 1;
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(200 * NS_PER_US);
	ck_assert_int_eq(sps[0]->path.state, PATH_CHECKING);
	ask(&v, REQ_WRITE, 8, 1, 1, 0);
	run(5 * NS_PER_MS);
	answered(&w, 0);
	answered(&v, 0);
	/* If the check finds it lost, that is all. */
	m.fail_n[0] = 1;
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(200 * NS_PER_US);
	m.down[0] = true;
	run(600 * NS_PER_MS);
	answered(&w, EIO);
	ck_assert_int_eq(lun_get_state(lun), LUN_FAILING);
	finish();
}
END_TEST

/* Nor does it begin the time that no_path_retry gives. */
static void retry_two(struct lun_params *p)
{
	p->no_path = NO_PATH_RETRY;
	p->no_path_checks = 2; /* a second */
}

START_TEST(test_standby_from_the_start_is_bounded)
{
	struct ask w;

	begin(0, retry_two);
	m.access[0] = ACCESS_STANDBY;
	ck_assert_int_eq(sim_path_new(loop, "sim0", 64, &model_ops, &m, 0, &sps[0]), 0);
	ck_assert_int_eq(lun_add_path(lun, &sps[0]->path), 0);
	run(10 * NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_STANDBY);
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(500 * NS_PER_MS);
	ck_assert_uint_eq(w.dones, 0);
	run(2 * NS_PER_SEC);
	answered(&w, EIO);
	m.access[0] = ACCESS_ACTIVE;
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(lun_get_state(lun), LUN_UP);
	finish();
}
END_TEST

/* A path whose checks are good and whose commands are not does not hold a request longer. */
START_TEST(test_flapping_does_not_restart_no_path)
{
	struct ask w;

	begin(1, retry_two);
	m.next[0] = (struct outcome){ .verdict = V_FAIL, .flags = VF_GHOST, .err = EIO };
	m.fail_n[0] = 1000000;
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	for (int i = 0; i < 50 && !w.dones; i++)
		run(50 * NS_PER_MS);
	answered(&w, EIO);
	/* Nor is there another such time for each time that it seems to be back. */
	for (int i = 0; i < 60; i++) {
		ask(&w, REQ_WRITE, 0, 1, 1, 0);
		run(50 * NS_PER_MS);
		answered(&w, EIO);
	}
	ck_assert_uint_gt(m.nchecks[0], 5);
	m.fail_n[0] = 0;
	run(2 * NS_PER_SEC);
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(5 * NS_PER_MS);
	answered(&w, 0);
	/* It has proven itself: the next time without it counts from its start. */
	m.fail_n[0] = 1000000;
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(300 * NS_PER_MS);
	ck_assert_uint_eq(w.dones, 0);
	m.fail_n[0] = 0;
	run(2 * NS_PER_SEC);
	answered(&w, 0);
	finish();
}
END_TEST

static void queue_no_hope(struct lun_params *p)
{
	p->no_path = NO_PATH_QUEUE;
	p->expect_paths = false;
}

START_TEST(test_last_path_removed_while_dark)
{
	struct ask w;

	begin(1, queue_no_hope);
	m.down[0] = true;
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_SEC);
	ck_assert_int_eq(lun_get_state(lun), LUN_DARK);
	lun_remove_path(lun, &sps[0]->path, "test");
	run(10 * NS_PER_MS);
	ck_assert_int_eq(lun_get_state(lun), LUN_FAILING);
	answered(&w, EIO);
	finish();
}
END_TEST

static void queue_for_ever(struct lun_params *p)
{
	p->no_path = NO_PATH_QUEUE;
}

/* "Every path says so" is not said when there is none. */
START_TEST(test_all_err_without_a_path_is_held)
{
	struct ask w, v;

	begin(2, queue_for_ever);
	lun_fail_path(lun, &sps[1]->path);
	m.next[0] = (struct outcome){ .verdict = V_OTHER, .flags = VF_ALL_ERR, .err = EIO };
	m.fail_n[0] = 1;
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(20 * NS_PER_US);
	path_lost(&sps[0]->path, "pulled");
	run(NS_PER_MS);
	ck_assert_uint_eq(w.dones, 0);
	lun_reinstate_path(lun, &sps[1]->path);
	run(10 * NS_PER_MS);
	answered(&w, 0);
	ask(&v, REQ_WRITE, 0, 1, 1, 0);
	run(5 * NS_PER_MS);
	answered(&v, 0);
	finish();
}
END_TEST

/* --- a command's budget ------------------------------------------------------------- */

/* Progress is not an attempt: a driver that does a little each time gets there. */
START_TEST(test_short_transfers_are_progress)
{
	struct ask w;

	begin(1, NULL);
	m.next[0] = (struct outcome){ .verdict = V_OK, .done_blocks = 2 };
	m.fail_n[0] = 1000000;
	ask(&w, REQ_WRITE, 0, 100, 7, 0);
	run(100 * NS_PER_MS);
	answered(&w, 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(m.disk[i * BS], 7);
	finish();
}
END_TEST

/* Few attempts, but long ones: after three minutes it is the LUN. What no path was there for does not count. */
START_TEST(test_budget_of_time)
{
	struct ask w;
	uint64_t began;

	begin(1, queue_for_ever);
	m.lat_ns[0] = 20 * NS_PER_SEC;
	m.next[0] = (struct outcome){ .verdict = V_SAME, .err = EIO };
	m.fail_n[0] = 1000000;
	ask(&w, REQ_WRITE, 0, 8, 7, 0);
	run(50 * NS_PER_SEC);
	lun_fail_path(lun, &sps[0]->path);
	run(600 * NS_PER_SEC);
	ck_assert_uint_eq(w.dones, 0);
	lun_reinstate_path(lun, &sps[0]->path);
	began = loop_now_ns(loop);
	while (!w.dones)
		run(NS_PER_SEC);
	ck_assert_uint_ge(loop_now_ns(loop) - began, 100 * NS_PER_SEC);
	ck_assert_uint_le(loop_now_ns(loop) - began, 160 * NS_PER_SEC);
	answered(&w, EIO);
	ck_assert_uint_lt(m.ncmds[0], 12);
	finish();
}
END_TEST

/* --- checks -------------------------------------------------------------------------------- */

START_TEST(test_reason_is_that_of_the_last_check)
{
	begin(2, NULL);
	path_lost(&sps[1]->path, "pulled");
	m.other_size[1] = NBLOCKS / 2;
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(sps[1]->path.state, PATH_FAILED);
	ck_assert_ptr_nonnull(strstr(sps[1]->path.why, "size"));
	finish();
}
END_TEST

START_TEST(test_disable_and_enable_during_a_check)
{
	struct ask w;

	begin(2, NULL);
	m.check_ns[0] = NS_PER_SEC;
	lun_fail_path(lun, &sps[0]->path);
	lun_reinstate_path(lun, &sps[0]->path);
	run(100 * NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_CHECKING);
	lun_fail_path(lun, &sps[0]->path);
	run(100 * NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_DISABLED);
	lun_reinstate_path(lun, &sps[0]->path);
	run(900 * NS_PER_MS);
	/* The first check has ended, and says nothing about the time after it was asked for. */
	ck_assert(!path_is_usable(&sps[0]->path));
	run(NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	/* Disabled when its check ends: it stays so. */
	lun_fail_path(lun, &sps[0]->path);
	lun_reinstate_path(lun, &sps[0]->path);
	run(100 * NS_PER_MS);
	lun_fail_path(lun, &sps[0]->path);
	run(5 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_DISABLED);
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	finish();
}
END_TEST

START_TEST(test_remove_during_a_check)
{
	begin(2, NULL);
	m.check_ns[0] = NS_PER_SEC;
	lun_fail_path(lun, &sps[0]->path);
	lun_reinstate_path(lun, &sps[0]->path);
	run(100 * NS_PER_MS);
	lun_remove_path(lun, &sps[0]->path, "test");
	lun_remove_path(lun, &sps[0]->path, "again");
	lun_fail_path(lun, &sps[0]->path);
	lun_reinstate_path(lun, &sps[0]->path);
	path_lost(&sps[0]->path, "pulled");
	run(100 * NS_PER_MS);
	ck_assert_ptr_nonnull(lun_find_path(lun, "sim0"));
	run(NS_PER_SEC);
	ck_assert_ptr_null(lun_find_path(lun, "sim0"));
	finish();
}
END_TEST

START_TEST(test_lost_during_its_check)
{
	begin(2, NULL);
	m.check_ns[0] = NS_PER_SEC;
	run(2 * NS_PER_SEC);
	lun_fail_path(lun, &sps[0]->path);
	lun_reinstate_path(lun, &sps[0]->path);
	run(100 * NS_PER_MS);
	path_lost(&sps[0]->path, "pulled");
	m.down[0] = true;
	for (int i = 0; i < 40; i++) {
		run(100 * NS_PER_MS);
		ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	}
	finish();
}
END_TEST

/* --- flush ------------------------------------------------------------------------------------ */

/* A path that was lost during the flush meant for it still has its cache when it is back. */
START_TEST(test_lost_during_its_flush_is_flushed_later)
{
	struct ask w, f;
	unsigned before;

	begin(2, NULL);
	own_caches();
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	lun_fail_path(lun, &sps[1]->path);
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	lun_reinstate_path(lun, &sps[1]->path);
	run(10 * NS_PER_MS);
	m.next[0] = (struct outcome){ .verdict = V_FAIL, .flags = VF_GHOST, .err = EIO };
	m.fail_n[0] = 1;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	before = m.nflushes[0];
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.nflushes[0], before + 1);
	finish();
}
END_TEST

/* A deferred error is about a write that was acknowledged: the next flush says so, once. */
START_TEST(test_deferred_error_fails_one_flush)
{
	struct ask w, f;

	begin(2, NULL);
	m.next[0] = m.next[1] = (struct outcome){ .verdict = V_SAME, .flags = VF_DEFERRED };
	m.fail_n[0] = 1;
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	m.fail_n[0] = 0;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, EIO);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	/* Also when a check was told, and nothing has been written since. */
	m.news[0] = VF_DEFERRED;
	lun_fail_path(lun, &sps[0]->path);
	lun_reinstate_path(lun, &sps[0]->path);
	run(10 * NS_PER_MS);
	m.news[0] = 0;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, EIO);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	finish();
}
END_TEST

START_TEST(test_failed_flush_leaves_everything_dirty)
{
	struct ask w, f;

	begin(2, NULL);
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	for (int k = 0; k < 2; k++)
		m.next[k] = (struct outcome){ .verdict = V_ERR, .err = EIO };
	m.fail_n[0] = m.fail_n[1] = 1;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, EIO);
	m.fail_n[0] = m.fail_n[1] = 0;
	m.flushes = 0;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, 1);
	finish();
}
END_TEST

/* --- capabilities that go away -------------------------------------------------------------------- */

START_TEST(test_discard_that_no_path_can_do_any_more)
{
	struct ask d;

	begin(1, queue_for_ever);
	m.caps |= PATH_CAP_DISCARD;
	m.down[0] = true;
	path_lost(&sps[0]->path, "pulled");
	run(NS_PER_MS);
	ask(&d, REQ_DISCARD, 0, 8, 0, 0);
	run(NS_PER_MS);
	m.lacks[0] = PATH_CAP_DISCARD;
	m.down[0] = false;
	run(2 * NS_PER_SEC);
	answered(&d, EOPNOTSUPP);
	finish();
}
END_TEST

/* --- many at once -------------------------------------------------------------------------------- */

static void most_reqs(struct lun_params *p)
{
	p->max_reqs = REQS_MAX;
	p->no_path = NO_PATH_QUEUE;
}

/* Each waits for the one before; all end together. */
START_TEST(test_a_long_line_of_overlaps_fails)
{
	static struct ask a[REQS_MAX];

	begin(1, most_reqs);
	m.down[0] = true;
	path_lost(&sps[0]->path, "pulled");
	run(NS_PER_MS);
	for (unsigned i = 0; i < REQS_MAX; i++)
		ask(&a[i], REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	lun_stop(lun, 0);
	run(10 * NS_PER_MS);
	for (unsigned i = 0; i < REQS_MAX; i++)
		answered(&a[i], ESHUTDOWN);
	ck_assert_int_eq(lun_get_state(lun), LUN_STOPPED);
	while (loop_sim_step(loop))
		;
	lun_free(lun);
	loop_free(loop);
}
END_TEST

/* --- waiters ---------------------------------------------------------------------------------------- */

struct waiter {
	struct lun_waiter w;
	struct waiter *cancels;
	struct req *r;
	unsigned calls;
	bool puts_back;
};

static bool waiter_fn(struct lun_waiter *w)
{
	struct waiter *x = container_of(w, struct waiter, w);

	x->calls++;
	if (x->cancels)
		lun_wait_cancel(lun, &x->cancels->w);
	x->r = lun_req_get(lun, BS);
	if (!x->r)
		return false;
	if (x->puts_back) {
		lun_req_put(x->r);
		x->r = NULL;
		lun_wait_cancel(lun, w);
	}
	return true;
}

static void two_reqs(struct lun_params *p)
{
	p->max_reqs = 2;
}

START_TEST(test_waiters_that_cancel)
{
	struct waiter a = { .w.fn = waiter_fn }, b = a, c = a;
	struct req *r[2];

	begin(1, two_reqs);
	r[0] = lun_req_get(lun, BS);
	r[1] = lun_req_get(lun, BS);
	a.cancels = &b;
	a.puts_back = true;
	lun_wait_room(lun, &a.w);
	lun_wait_room(lun, &b.w);
	lun_wait_room(lun, &c.w);
	run(NS_PER_MS);
	ck_assert_uint_gt(a.calls, 0);
	ck_assert_uint_eq(c.calls, 0);
	ck_assert_uint_eq(b.calls, 0);
	lun_req_put(r[0]);
	run(NS_PER_MS);
	ck_assert_uint_eq(b.calls, 0);
	ck_assert(!a.r && c.r);
	lun_req_put(c.r);
	lun_req_put(r[1]);
	finish();
}
END_TEST

/* --- the end --------------------------------------------------------------------------------------------- */

/* Stopped @at ns after a mixed load began: whatever it meets, each request is answered once. */
static void stop_at(uint64_t at, uint64_t grace)
{
	struct ask a[40];
	struct lun_stats st;

	begin(2, path_depth_two);
	m.caps |= PATH_CAP_OWN_CACHE;
	m.check_ns[1] = 300 * NS_PER_US;
	m.next[0] = (struct outcome){ .verdict = V_LATER };
	m.fail_n[0] = 2;
	m.next[1] = (struct outcome){ .verdict = V_FAIL, .flags = VF_GHOST, .err = EIO };
	m.fail_n[1] = 2;
	for (int i = 0; i < 40; i++) {
		static const enum req_op ops[] = { REQ_WRITE, REQ_READ, REQ_FLUSH, REQ_WRITE_ZEROES };
		enum req_op op = ops[i % 4];

		ask(&a[i], op, op == REQ_FLUSH ? 0 : (uint64_t)(i % 7) * 3,
		    op == REQ_FLUSH ? 0 : 5, i, i % 5 ? 0 : REQ_F_FUA);
	}
	run(at + 1);
	lun_stop(lun, grace);
	for (int i = 0; i < 100000 && lun_get_state(lun) != LUN_STOPPED; i++)
		ck_assert(loop_sim_step(loop));
	while (loop_sim_step(loop))
		;
	for (int i = 0; i < 40; i++) {
		ck_assert(a[i].dones == 1);
		ck_assert(a[i].err == 0 || a[i].err == ESHUTDOWN);
		lun_req_put(a[i].r);
	}
	lun_get_stats(lun, &st);
	ck_assert(!st.inflight && !st.reqs_out && !st.held_now && !st.queued);
	lun_free(lun);
	loop_free(loop);
}

START_TEST(test_stop_at_any_time)
{
	static const uint64_t graces[] = { 0, NS_PER_US * 50, NS_PER_SEC };

	for (uint64_t at = 0; at < 1500 * NS_PER_US; at += 50 * NS_PER_US)
		for (unsigned g = 0; g < ARRAY_SIZE(graces); g++)
			stop_at(at, graces[g]);
	stop_at(150 * NS_PER_MS, NS_PER_SEC);
	stop_at(150 * NS_PER_MS, 0);
}
END_TEST

START_TEST(test_after_the_end)
{
	struct sim_path *sp;
	struct ask w;

	begin(1, NULL);
	lun_stop(lun, NS_PER_SEC);
	run(100 * NS_PER_MS);
	ck_assert_int_eq(lun_get_state(lun), LUN_STOPPED);
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	answered(&w, ESHUTDOWN);
	ck_assert_int_eq(sim_path_new(loop, "late", 1, &model_ops, &m, 0, &sp), 0);
	ck_assert_int_eq(lun_add_path(lun, &sp->path), -ESHUTDOWN);
	sp->path.ops->release(&sp->path);
	lun_stop(lun, 0);
	run(NS_PER_MS);
	lun_free(lun);
	loop_free(loop);
}
END_TEST

/* --- parameters ---------------------------------------------------------------------------------------------- */

/* What lunmux.conf accepts at its ends, a LUN can be made of. */
START_TEST(test_parameters)
{
	static const struct {
		int err;
		unsigned depth, reqs;
		uint64_t bytes, poll, max_poll;
	} rows[] = {
		{ 0, 0, 16, REQ_BYTES_MAX, NS_PER_MS * 10, NS_PER_MS * 10 },
		{ 0, DEPTH_MAX, REQS_MAX, 64 * MIB, 3600 * NS_PER_SEC, 86400 * NS_PER_SEC },
		{ -EINVAL, DEPTH_MAX + 1, REQS_MAX, 64 * MIB, 1, 1 },
		{ -EINVAL, 0, REQS_MAX + 1, 64 * MIB, 1, 1 },
		{ -EINVAL, 0, 0, 64 * MIB, 1, 1 },
		{ -EINVAL, 0, 16, 48 * MIB, 1, 1 },
		{ -EINVAL, 0, 16, 16 * MIB, 1, 1 },
		{ -EINVAL, 0, 16, 64 * MIB, 0, 1 },
		{ -EINVAL, 0, 16, 64 * MIB, 2, 1 },
	};

	loop = loop_sim_new(0);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lun_params par;

		lun_params_default(&par);
		par.depth = rows[i].depth;
		par.max_reqs = rows[i].reqs;
		par.buffer_bytes = rows[i].bytes;
		par.polling_interval_ns = rows[i].poll;
		par.max_polling_interval_ns = rows[i].max_poll;
		lun = NULL;
		ck_assert_msg(lun_new(loop, &par, &lun) == rows[i].err, "row %u", i);
		lun_free(lun);
	}
	loop_free(loop);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_flush_for_a_hung_path_stops_nobody,
		test_flush_for_a_checked_path_stops_nobody,
		test_retry_for_a_hung_path_stops_nobody,
		test_check_is_no_loss,
		test_standby_from_the_start_is_bounded,
		test_flapping_does_not_restart_no_path,
		test_last_path_removed_while_dark,
		test_all_err_without_a_path_is_held,
		test_short_transfers_are_progress,
		test_budget_of_time,
		test_reason_is_that_of_the_last_check,
		test_disable_and_enable_during_a_check,
		test_remove_during_a_check,
		test_lost_during_its_check,
		test_lost_during_its_flush_is_flushed_later,
		test_deferred_error_fails_one_flush,
		test_failed_flush_leaves_everything_dirty,
		test_discard_that_no_path_can_do_any_more,
		test_a_long_line_of_overlaps_fails,
		test_waiters_that_cancel,
		test_stop_at_any_time,
		test_after_the_end,
		test_parameters,
	};
	Suite *s = suite_create("lun-edge");
	TCase *tc = tcase_create("lun-edge");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
