/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_paths.c - what becomes of requests when paths fail, return, or are taken
 * away, and when the LUN stops
 */
#include "lun_rig.h"

#include "base/log.h"

static void depth_four(struct lun_params *p)
{
	p->depth = 4;
	p->elevator = ELV_DEADLINE;
}

START_TEST(test_failover)
{
	struct ask a[8];

	start(2, NULL);
	m.down[0] = true;
	for (int i = 0; i < 8; i++)
		ask(&a[i], REQ_WRITE, (uint64_t)i * 16, 8, i + 1, 0);
	run(20 * NS_PER_MS);
	for (int i = 0; i < 8; i++)
		answered(&a[i], 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	ck_assert_int_eq(lun_get_state(lun), LUN_UP);
	m.down[0] = false;
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

static void queue_for_ever(struct lun_params *p)
{
	p->no_path = NO_PATH_QUEUE;
}

START_TEST(test_hold)
{
	struct ask a;

	start(2, queue_for_ever);
	m.down[0] = m.down[1] = true;
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(60 * NS_PER_SEC);
	ck_assert_uint_eq(a.dones, 0);
	ck_assert_int_eq(lun_get_state(lun), LUN_DARK);
	m.down[1] = false;
	run(2 * NS_PER_SEC);
	answered(&a, 0);
	ck_assert_int_eq(m.disk[0], 9);
	finish();
}
END_TEST

static void retry_four(struct lun_params *p)
{
	p->no_path = NO_PATH_RETRY;
	p->no_path_checks = 4;
}

START_TEST(test_no_path_retry)
{
	struct ask a, b, c;

	start(2, retry_four);
	m.down[0] = m.down[1] = true;
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	ask(&b, REQ_READ, 4, 8, 0, 0); /* waits for a */
	run(1900 * NS_PER_MS);
	ck_assert_uint_eq(a.dones, 0);
	run(500 * NS_PER_MS);
	answered(&a, EIO);
	answered(&b, EIO);
	ask(&c, REQ_READ, 0, 8, 0, 0);
	run(10 * NS_PER_MS);
	answered(&c, EIO);
	m.down[0] = false;
	run(2 * NS_PER_SEC);
	ask(&c, REQ_READ, 0, 8, 0, 0);
	run(10 * NS_PER_MS);
	answered(&c, 0);
	finish();
}
END_TEST

START_TEST(test_verdicts)
{
	static const struct {
		struct outcome o;
		unsigned times;
		int err;
		uint64_t within_ns;
	} rows[] = {
		{ { .verdict = V_SAME }, 3, 0, NS_PER_MS * 2 },
		{ { .verdict = V_LATER }, 1, 0, NS_PER_SEC },
		{ { .verdict = V_OTHER }, 1, 0, NS_PER_MS * 2 },
		{ { .verdict = V_SLOW }, 1, 0, NS_PER_SEC },
		{ { .verdict = V_OK, .done_blocks = 3 }, 1, 0, NS_PER_MS * 2 },
		{ { .verdict = V_ERR, .err = ENOSPC }, 1, ENOSPC, NS_PER_MS * 2 },
		{ { .verdict = V_ERR, .err = EPERM }, 1, EPERM, NS_PER_MS * 2 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ask w;

		start(2, NULL);
		for (int k = 0; k < 2; k++) {
			m.next[k] = rows[i].o;
			m.fail_n[k] = rows[i].times;
		}
		if (rows[i].o.verdict == V_OTHER || rows[i].o.verdict == V_ERR)
			m.fail_n[1] = rows[i].o.verdict == V_ERR;
		ask(&w, REQ_WRITE, 0, 8, 3, 0);
		run(rows[i].within_ns);
		ck_assert_msg(w.dones == 1, "row %u", i);
		answered(&w, rows[i].err);
		if (!rows[i].err)
			ck_assert_int_eq(m.disk[8 * BS - 1], 3);
		finish();
	}
}
END_TEST

START_TEST(test_other_everywhere)
{
	struct ask w;

	start(3, NULL);
	for (int k = 0; k < 3; k++) {
		m.next[k] = (struct outcome){ .verdict = V_OTHER, .flags = VF_ALL_ERR, .err = EIO };
		m.fail_n[k] = 1;
	}
	ask(&w, REQ_WRITE, 0, 8, 3, 0);
	run(NS_PER_MS * 5);
	answered(&w, EIO);
	for (int k = 0; k < 3; k++)
		ck_assert_uint_eq(m.ncmds[k], 1);
	finish();
}
END_TEST

START_TEST(test_wrong_size_is_not_used)
{
	struct ask w[8];

	start(2, NULL);
	m.other_size[1] = NBLOCKS / 2;
	lun_fail_path(lun, &sps[1]->path);
	lun_reinstate_path(lun, &sps[1]->path);
	run(10 * NS_PER_MS);
	ck_assert_int_eq(sps[1]->path.state, PATH_FAILED);
	ck_assert_ptr_nonnull(strstr(sps[1]->path.why, "size"));
	for (int i = 0; i < 8; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 32, 8, 3, 0);
	run(NS_PER_MS * 5);
	for (int i = 0; i < 8; i++)
		answered(&w[i], 0);
	ck_assert_uint_eq(m.ncmds[1], 0);
	finish();
}
END_TEST

static uint64_t lun_blocks(void)
{
	struct lun_geometry g;

	ck_assert(lun_geometry(lun, &g));
	return g.nblocks;
}

static unsigned nchanges;

static void changed(struct lun_observer *o, struct lun *l)
{
	nchanges++;
}

/* A path that has seen the growth works on; the size grows when all that are usable have. */
START_TEST(test_growth)
{
	struct lun_observer o = { .changed = changed };
	struct ask w;

	start(3, NULL);
	lun_observe(lun, &o);
	m.other_size[1] = NBLOCKS * 2;
	lun_recheck_path(lun, &sps[1]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS);
	/* The others were asked, and only once. */
	ck_assert_uint_eq(m.nchecks[0], 2);
	ck_assert_uint_eq(m.nchecks[2], 2);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	ask(&w, REQ_WRITE, NBLOCKS - 8, 8, 3, 0);
	run(5 * NS_PER_MS);
	answered(&w, 0);
	m.other_size[0] = NBLOCKS * 2;
	lun_recheck_path(lun, &sps[0]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS);
	nchanges = 0;
	m.other_size[2] = NBLOCKS * 2;
	lun_recheck_path(lun, &sps[2]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS * 2);
	ck_assert_uint_gt(nchanges, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(sps[i]->path.state, PATH_ACTIVE);
	lun_unobserve(lun, &o);
	finish();
}
END_TEST

/* Asked by the first that has grown, all tell: no poll is waited for. */
START_TEST(test_growth_of_all)
{
	start(4, NULL);
	for (int i = 0; i < 4; i++)
		m.other_size[i] = NBLOCKS + 8;
	lun_recheck_path(lun, &sps[3]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS + 8);
	ck_assert_int_eq(lun_get_state(lun), LUN_UP);
	finish();
}
END_TEST

/* A dead path is not waited for. When it returns with the old size, it is not used. */
START_TEST(test_growth_without_a_dead_path)
{
	start(3, NULL);
	m.down[2] = true;
	path_lost(&sps[2]->path, "pulled");
	run(20 * NS_PER_MS);
	m.other_size[0] = m.other_size[1] = NBLOCKS * 2;
	lun_recheck_path(lun, &sps[0]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS * 2);
	m.down[2] = false;
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(sps[2]->path.state, PATH_FAILED);
	ck_assert_ptr_nonnull(strstr(sps[2]->path.why, "size"));
	m.other_size[2] = NBLOCKS * 2;
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(sps[2]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

/* The one with the old size leaves: the rest agrees. */
START_TEST(test_growth_when_the_last_old_one_fails)
{
	start(2, NULL);
	m.other_size[0] = NBLOCKS * 2;
	lun_recheck_path(lun, &sps[0]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS);
	m.down[1] = true;
	path_lost(&sps[1]->path, "pulled");
	run(20 * NS_PER_MS);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS * 2);
	finish();
}
END_TEST

/* A path under its check may yet tell the old size. */
START_TEST(test_growth_waits_for_checks)
{
	start(2, NULL);
	m.check_ns[1] = 100 * NS_PER_MS;
	lun_recheck_path(lun, &sps[1]->path, "test");
	run(20 * NS_PER_MS);
	m.other_size[0] = NBLOCKS * 2;
	lun_recheck_path(lun, &sps[0]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS);
	m.check_ns[1] = 0;
	run(NS_PER_SEC);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS);
	m.other_size[1] = NBLOCKS * 2;
	lun_recheck_path(lun, &sps[1]->path, "test");
	run(20 * NS_PER_MS);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS * 2);
	finish();
}
END_TEST

static unsigned alarms;

static void count_alarms(enum log_level level, const char *line, void *arg)
{
	alarms += level == LOG_L_ERR && strstr(line, "shrunk");
}

/* Never adopted: no path is used that is too small, and the alarm comes once. */
START_TEST(test_shrink)
{
	start(3, queue_for_ever);
	log_set_hook(count_alarms, NULL);
	alarms = 0;
	m.other_size[0] = m.other_size[1] = NBLOCKS / 2;
	lun_recheck_path(lun, &sps[0]->path, "test");
	lun_recheck_path(lun, &sps[1]->path, "test");
	run(5 * NS_PER_SEC);
	ck_assert_uint_eq(alarms, 1);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS);
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	ck_assert_int_eq(sps[2]->path.state, PATH_ACTIVE);
	m.other_size[2] = NBLOCKS / 2;
	lun_recheck_path(lun, &sps[2]->path, "test");
	run(5 * NS_PER_SEC);
	ck_assert_int_eq(lun_get_state(lun), LUN_DARK);
	ck_assert_uint_eq(alarms, 1);
	/* Made as large again. */
	m.other_size[0] = m.other_size[1] = m.other_size[2] = 0;
	run(5 * NS_PER_SEC);
	ck_assert_int_eq(lun_get_state(lun), LUN_UP);
	log_set_hook(NULL, NULL);
	finish();
}
END_TEST

/* All of it, with at least @least usable paths at any time. */
static enum lun_resize_state resize(struct lun_resize *rs, unsigned least)
{
	enum lun_resize_state state;

	ck_assert_int_eq(lun_resize_begin(lun, rs), 0);
	while ((state = lun_resize_step(rs)) == RESIZE_RUNNING) {
		unsigned n = 0;

		run(100 * NS_PER_US);
		for (int i = 0; i < 3; i++)
			n += path_is_usable(&sps[i]->path);
		ck_assert_uint_ge(n, least);
	}
	return state;
}

START_TEST(test_resize)
{
	struct lun_resize rs;

	start(3, NULL);
	ck_assert_int_eq(resize(&rs, 2), RESIZE_SAME);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(m.nchecks[i], 2);
	ck_assert_uint_eq(rs.new_blocks, NBLOCKS);
	/* One has not grown. */
	m.other_size[0] = m.other_size[1] = NBLOCKS * 2;
	ck_assert_int_eq(resize(&rs, 1), RESIZE_DIFFERS);
	ck_assert_str_eq(rs.path, sps[2]->path.name);
	ck_assert_uint_eq(rs.told_blocks, NBLOCKS * 2);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS);
	/* It is asked again, though that larger size was asked for before. */
	m.other_size[2] = NBLOCKS * 2;
	ck_assert_int_eq(resize(&rs, 1), RESIZE_GROWN);
	ck_assert_uint_eq(rs.old_blocks, NBLOCKS);
	ck_assert_uint_eq(rs.new_blocks, NBLOCKS * 2);
	ck_assert_uint_eq(lun_blocks(), NBLOCKS * 2);
	finish();
}
END_TEST

/* One path is lost to the news, and no more. */
START_TEST(test_resize_to_less)
{
	struct lun_resize rs;

	start(3, NULL);
	log_set_hook(count_alarms, NULL);
	for (int i = 0; i < 3; i++)
		m.other_size[i] = NBLOCKS / 2;
	for (alarms = 0; alarms < 3;) {
		unsigned before = alarms;

		ck_assert_int_eq(resize(&rs, 2 - alarms), RESIZE_SHRUNK);
		ck_assert_uint_eq(alarms, before + 1);
		ck_assert_uint_eq(rs.new_blocks, NBLOCKS);
		ck_assert_uint_eq(rs.told_blocks, NBLOCKS / 2);
		ck_assert_str_eq(rs.path, sps[before]->path.name);
	}
	ck_assert_int_eq(lun_resize_begin(lun, &rs), -ENETDOWN);
	/* One that tells of it since before. */
	m.other_size[1] = m.other_size[2] = 0;
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(resize(&rs, 1), RESIZE_SHRUNK);
	ck_assert_str_eq(rs.path, sps[0]->path.name);
	ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
	log_set_hook(NULL, NULL);
	finish();
}
END_TEST

START_TEST(test_admin)
{
	struct ask w;

	start(2, NULL);
	lun_fail_path(lun, &sps[0]->path);
	for (int i = 0; i < 4; i++) {
		ask(&w, REQ_WRITE, 0, 8, 3, 0);
		run(NS_PER_MS);
		answered(&w, 0);
	}
	ck_assert_uint_eq(m.ncmds[0], 0);
	lun_reinstate_path(lun, &sps[0]->path);
	run(NS_PER_MS * 5);
	for (int i = 0; i < 4; i++) {
		ask(&w, REQ_WRITE, 0, 8, 3, 0);
		run(NS_PER_MS);
		answered(&w, 0);
	}
	ck_assert_uint_eq(m.ncmds[0], 2);
	finish();
}
END_TEST

static void write_somewhere(void)
{
	struct ask w;

	for (int i = 0; i < 4; i++) {
		ask(&w, REQ_WRITE, 0, 8, 3, 0);
		run(NS_PER_MS);
		answered(&w, 0);
	}
}

/* Whoever finds the other identity, driver or core: out, until the administrator says otherwise and
 * it is true. */
START_TEST(test_quarantine)
{
	struct path *p;

	for (int by_core = 0; by_core < 2; by_core++) {
		start(2, NULL);
		p = &sps[0]->path;
		ck_assert_int_eq(lun_accept_path(lun, p), -EINVAL);
		m.other_ident[0] = by_core;
		m.stranger[0] = by_core ? NULL : "it is LUN b, not the configured a";
		lun_fail_path(lun, p);
		ck_assert_int_eq(lun_reinstate_path(lun, p), 0);
		run(10 * NS_PER_MS);
		ck_assert_int_eq(p->state, PATH_DISABLED);
		ck_assert(p->quarantined);
		ck_assert_ptr_nonnull(strstr(p->why, by_core ? "other" : "LUN b"));
		ck_assert_int_eq(lun_reinstate_path(lun, p), -EPERM);
		lun_fail_path(lun, p); /* does not make it his own failure */
		ck_assert_int_eq(lun_reinstate_path(lun, p), -EPERM);
		/* Accepted, and still another LUN. */
		ck_assert_int_eq(lun_accept_path(lun, p), 0);
		ck_assert(!path_is_usable(p));
		run(5 * NS_PER_SEC);
		ck_assert_int_eq(p->state, PATH_DISABLED);
		ck_assert(p->quarantined);
		/* Right again: not by itself. */
		m.other_ident[0] = false;
		m.stranger[0] = NULL;
		run(60 * NS_PER_SEC);
		write_somewhere();
		ck_assert_int_eq(p->state, PATH_DISABLED);
		ck_assert_uint_eq(m.ncmds[0], 0);
		ck_assert_int_eq(lun_accept_path(lun, p), 0);
		run(10 * NS_PER_MS);
		ck_assert_int_eq(p->state, PATH_ACTIVE);
		ck_assert(!p->quarantined);
		write_somewhere();
		ck_assert_uint_gt(m.ncmds[0], 0);
		finish();
	}
}
END_TEST

/* Accepted, and it does not answer: failed, and its next whole check decides. */
START_TEST(test_accept_of_a_dead_path)
{
	struct path *p;

	start(2, NULL);
	p = &sps[0]->path;
	m.stranger[0] = "it is LUN b";
	lun_fail_path(lun, p);
	lun_reinstate_path(lun, p);
	run(10 * NS_PER_MS);
	m.down[0] = true;
	ck_assert_int_eq(lun_accept_path(lun, p), 0);
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(p->state, PATH_FAILED);
	m.down[0] = false;
	run(2 * NS_PER_SEC);
	ck_assert_int_eq(p->state, PATH_DISABLED);
	ck_assert(p->quarantined);
	ck_assert_uint_eq(m.ncmds[0], 0);
	finish();
}
END_TEST

START_TEST(test_prio_groups)
{
	struct ask w[4];

	start(4, NULL);
	m.prio[0] = m.prio[1] = 10;
	m.prio[2] = m.prio[3] = 50;
	for (int k = 0; k < 4; k++) {
		lun_fail_path(lun, &sps[k]->path);
		lun_reinstate_path(lun, &sps[k]->path);
	}
	run(10 * NS_PER_MS);
	for (int i = 0; i < 4; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 32, 8, 3, 0);
	run(NS_PER_MS * 5);
	for (int i = 0; i < 4; i++)
		answered(&w[i], 0);
	ck_assert_uint_eq(m.ncmds[0] + m.ncmds[1], 0);
	ck_assert_uint_eq(m.ncmds[2], 2);
	m.down[2] = m.down[3] = true;
	for (int i = 0; i < 4; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 32, 8, 4, 0);
	run(NS_PER_MS * 5);
	for (int i = 0; i < 4; i++)
		answered(&w[i], 0);
	ck_assert_uint_gt(m.ncmds[0], 0);
	m.down[2] = m.down[3] = false;
	run(2 * NS_PER_SEC);
	m.ncmds[0] = m.ncmds[1] = m.ncmds[2] = m.ncmds[3] = 0;
	for (int i = 0; i < 4; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 32, 8, 4, 0);
	run(NS_PER_MS * 5);
	for (int i = 0; i < 4; i++)
		answered(&w[i], 0);
	ck_assert_uint_eq(m.ncmds[0] + m.ncmds[1], 0); /* failback immediate */
	finish();
}
END_TEST

START_TEST(test_stop_drains)
{
	struct ask w[16];

	start(2, depth_four);
	for (int i = 0; i < 16; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 32, 8, i + 1, 0);
	lun_stop(lun, NS_PER_SEC);
	for (int i = 0; i < 10000 && lun_get_state(lun) != LUN_STOPPED; i++)
		loop_sim_step(loop);
	for (int i = 0; i < 16; i++) {
		answered(&w[i], 0);
		ck_assert_int_eq(m.disk[i * 32 * BS], i + 1);
	}
	ck_assert_uint_eq(m.flushes, 1);
	while (loop_sim_step(loop))
		;
	lun_free(lun);
	loop_free(loop);
}
END_TEST

/* The only path has to say again who it is while the LUN drains, or when it is told to: what is written is flushed if it does so, and if not,
 * nobody waits any longer. */
START_TEST(test_stop_in_check)
{
	bool fails = _i & 1, before = _i & 2;
	struct ask w[16];

	start(1, depth_four);
	for (int i = 0; i < 16; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 32, 8, i + 1, 0);
	run(150 * NS_PER_US);
	if (!before)
		lun_stop(lun, 60 * NS_PER_SEC);
	lun_recheck_path(lun, &sps[0]->path, "test");
	ck_assert_int_eq(sps[0]->path.state, PATH_CHECKING);
	if (before)
		lun_stop(lun, 60 * NS_PER_SEC);
	m.down[0] = fails;
	run(NS_PER_SEC);
	ck_assert_int_eq(lun_get_state(lun), LUN_STOPPED);
	ck_assert_uint_eq(m.flushes, fails ? 0 : 1);
	/* Half of them had been sent. */
	for (int i = 0; i < 16; i++)
		answered(&w[i], fails && i >= 8 ? ESHUTDOWN : 0);
	while (loop_sim_step(loop))
		;
	lun_free(lun);
	loop_free(loop);
}
END_TEST

START_TEST(test_stop_while_dark)
{
	struct ask w;

	start(2, queue_for_ever);
	m.down[0] = m.down[1] = true;
	ask(&w, REQ_WRITE, 0, 8, 1, 0);
	run(NS_PER_SEC);
	lun_stop(lun, 5 * NS_PER_SEC);
	run(10 * NS_PER_MS);
	answered(&w, ESHUTDOWN);
	ck_assert_int_eq(lun_get_state(lun), LUN_STOPPED);
	while (loop_sim_step(loop))
		;
	lun_free(lun);
	loop_free(loop);
}
END_TEST

START_TEST(test_remove_path_under_load)
{
	struct ask w[32];

	start(2, NULL);
	for (int i = 0; i < 32; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 32, 8, i + 1, 0);
	run(50 * NS_PER_US);
	lun_remove_path(lun, &sps[0]->path, "test");
	run(NS_PER_MS * 5);
	for (int i = 0; i < 32; i++)
		answered(&w[i], 0);
	ck_assert_ptr_null(lun_find_path(lun, "sim0"));
	ck_assert_ptr_nonnull(lun_find_path(lun, "sim1"));
	finish();
}
END_TEST

START_TEST(test_other_group_once)
{
	struct ask w;

	start(4, NULL);
	m.prio[0] = m.prio[1] = 10;
	m.prio[2] = m.prio[3] = 50;
	for (int k = 0; k < 4; k++) {
		lun_fail_path(lun, &sps[k]->path);
		lun_reinstate_path(lun, &sps[k]->path);
	}
	run(10 * NS_PER_MS);
	for (int k = 0; k < 4; k++) {
		m.ncmds[k] = 0;
		m.next[k] = (struct outcome){ .verdict = V_OTHER, .flags = VF_RETRY_GROUP, .err = EIO };
		m.fail_n[k] = 1;
	}
	ask(&w, REQ_WRITE, 0, 8, 3, 0);
	run(NS_PER_MS * 5);
	answered(&w, EIO);
	ck_assert_uint_eq(m.ncmds[2] + m.ncmds[3], 1);
	ck_assert_uint_eq(m.ncmds[0] + m.ncmds[1], 1);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_failover,
		test_hold,
		test_no_path_retry,
		test_verdicts,
		test_other_everywhere,
		test_wrong_size_is_not_used, test_growth, test_growth_of_all,
		test_growth_without_a_dead_path, test_growth_when_the_last_old_one_fails,
		test_growth_waits_for_checks, test_shrink, test_resize, test_resize_to_less,
		test_admin,
		test_quarantine,
		test_accept_of_a_dead_path,
		test_prio_groups,
		test_stop_drains,
		test_stop_while_dark,
		test_remove_path_under_load,
		test_other_group_once,
	};
	Suite *s = suite_create("lun-paths");
	TCase *tc = tcase_create("lun-paths");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, test_stop_in_check, 0, 4);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
