/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_ledger.c - writes that may land late, and commands that are out for
 * too long: ghosts, suspect paths, hedges. The table: check_lun_table.c.
 */
#include "lun_rig.h"

#include "core/ledger.h"

static const struct outcome lost = { .verdict = V_FAIL, .flags = VF_GHOST, .err = EIO };

static void stats(struct lun_stats *st)
{
	lun_get_stats(lun, st);
}

static unsigned ghosts_now(void)
{
	struct lun_stats st;

	stats(&st);
	return st.ghosts_now;
}

/* A write whose first command ends nobody knows how, and that is then written by another path. */
static void leave_ghost(enum req_op op, uint64_t lba, uint32_t n, int fill)
{
	struct ask w;

	m.next[0] = lost;
	m.fail_n[0] = 1;
	ask(&w, op, lba, n, fill, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	ck_assert_uint_eq(m.fail_n[0], 0);
	ck_assert_uint_eq(ghosts_now(), 1);
}

static void waits_until_laid(enum req_op op, uint64_t lba, uint32_t n, int fill)
{
	struct ask w;

	ask(&w, op, lba, n, fill, 0);
	run(GHOST_TIME_NS - NS_PER_SEC);
	ck_assert_uint_eq(w.dones, 0);
	run(2 * NS_PER_SEC);
	answered(&w, 0);
	ck_assert_uint_eq(ghosts_now(), 0);
}

static void runs_at_once(enum req_op op, uint64_t lba, uint32_t n, int fill)
{
	struct ask w;

	ask(&w, op, lba, n, fill, 0);
	run(NS_PER_MS);
	answered(&w, 0);
}

START_TEST(test_other_bytes_wait)
{
	start(2, NULL);
	leave_ghost(REQ_WRITE, 8, 8, 1);
	runs_at_once(REQ_READ, 0, 32, 0);
	runs_at_once(REQ_WRITE, 16, 8, 2);
	runs_at_once(REQ_WRITE, 0, 8, 2);
	waits_until_laid(REQ_WRITE, 15, 2, 2);
	ck_assert_int_eq(m.disk[15 * BS], 2);
	finish();
}
END_TEST

START_TEST(test_same_bytes_do_not_wait)
{
	start(2, NULL);
	leave_ghost(REQ_WRITE, 8, 8, 1);
	runs_at_once(REQ_WRITE, 8, 8, 1);
	ck_assert_uint_eq(ghosts_now(), 1);
	waits_until_laid(REQ_WRITE, 8, 8, 2);
	finish();
}
END_TEST

/* The same bytes in another range are another write: its other half may be newer. */
START_TEST(test_part_of_it_waits)
{
	start(2, NULL);
	leave_ghost(REQ_WRITE, 8, 8, 1);
	waits_until_laid(REQ_WRITE, 8, 4, 1);
	finish();
}
END_TEST

START_TEST(test_another_operation_waits)
{
	start(2, NULL);
	leave_ghost(REQ_WRITE, 8, 8, 0);
	waits_until_laid(REQ_WRITE_ZEROES, 8, 8, 0);
	finish();
}
END_TEST

static void can_discard(void)
{
	m.caps = PATH_CAP_FUA | PATH_CAP_DISCARD | PATH_CAP_WRITE_ZEROES;
	for (unsigned i = 0; i < 2; i++) {
		lun_fail_path(lun, &sps[i]->path);
		lun_reinstate_path(lun, &sps[i]->path);
	}
	run(10 * NS_PER_MS);
}

START_TEST(test_discards_leave_ghosts)
{
	start(2, NULL);
	can_discard();
	leave_ghost(REQ_DISCARD, 8, 8, 0);
	runs_at_once(REQ_DISCARD, 8, 8, 0);
	waits_until_laid(REQ_WRITE, 8, 1, 3);
	finish();
}
END_TEST

START_TEST(test_zeroes_leave_ghosts)
{
	start(2, NULL);
	can_discard();
	leave_ghost(REQ_WRITE_ZEROES, 8, 8, 0);
	runs_at_once(REQ_WRITE_ZEROES, 8, 8, 0);
	waits_until_laid(REQ_DISCARD, 8, 8, 0);
	finish();
}
END_TEST

START_TEST(test_what_did_not_run_leaves_none)
{
	struct ask w;

	start(2, NULL);
	m.next[0] = lost;
	m.next[0].flags |= VF_NOT_RUN;
	m.fail_n[0] = 1;
	ask(&w, REQ_WRITE, 8, 8, 1, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	ck_assert_uint_eq(ghosts_now(), 0);
	runs_at_once(REQ_WRITE, 8, 8, 2);
	finish();
}
END_TEST

START_TEST(test_reads_leave_none)
{
	struct ask r;

	start(2, NULL);
	m.next[0] = lost;
	m.fail_n[0] = 1;
	ask(&r, REQ_READ, 8, 8, 0, 0);
	run(NS_PER_MS);
	answered(&r, 0);
	ck_assert_uint_eq(ghosts_now(), 0);
	finish();
}
END_TEST

/* Those that waited for the write itself go on waiting for its ghost, reads do not. */
START_TEST(test_waiters_are_handed_over)
{
	struct ask w, other, same, r;

	start(2, NULL);
	m.next[0] = lost;
	m.fail_n[0] = 1;
	ask(&w, REQ_WRITE, 8, 8, 1, 0);
	ask(&r, REQ_READ, 8, 8, 0, 0);
	ask(&same, REQ_WRITE, 8, 8, 1, 0);
	ask(&other, REQ_WRITE, 8, 8, 2, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	answered(&r, 0);
	answered(&same, 0);
	ck_assert_uint_eq(other.dones, 0);
	run(GHOST_TIME_NS + NS_PER_SEC);
	answered(&other, 0);
	ck_assert_int_eq(m.disk[8 * BS], 2);
	finish();
}
END_TEST

static void hold_ack(struct lun_params *p)
{
	p->ghost_hold_ack = true;
	p->ghost_time_ns = 5 * NS_PER_SEC;
}

START_TEST(test_hold_ack)
{
	struct ask w;

	start(2, hold_ack);
	m.next[0] = lost;
	m.fail_n[0] = 1;
	ask(&w, REQ_WRITE, 8, 8, 1, 0);
	run(4 * NS_PER_SEC);
	ck_assert_int_eq(m.disk[8 * BS], 1);
	ck_assert_uint_eq(w.dones, 0);
	run(2 * NS_PER_SEC);
	answered(&w, 0);
	runs_at_once(REQ_WRITE, 8, 8, 2);
	finish();
}
END_TEST

START_TEST(test_stop_does_not_wait_for_ghosts)
{
	struct ask w, held;

	start(2, hold_ack);
	m.next[0] = lost;
	m.fail_n[0] = 1;
	ask(&held, REQ_WRITE, 32, 8, 1, 0);
	run(10 * NS_PER_MS);
	ask(&w, REQ_WRITE, 32, 8, 2, 0);
	lun_stop(lun, 100 * NS_PER_MS);
	run(NS_PER_SEC);
	answered(&w, ESHUTDOWN);
	answered(&held, ESHUTDOWN);
	ck_assert_int_eq(lun_get_state(lun), LUN_STOPPED);
	finish();
}
END_TEST

/* --- overdue -------------------------------------------------------------------------------- */

/* Both paths have been used and are known to be quick. */
static void start_quick(unsigned npaths, void (*tweak)(struct lun_params *))
{
	start(npaths, tweak);
	for (unsigned i = 0; i < 16 * npaths; i++)
		runs_at_once(REQ_WRITE, i, 1, 7);
	for (unsigned i = 0; i < npaths; i++)
		ck_assert_uint_gt(m.ncmds[i], 2);
}

/* @a is at path 0, which does not answer it within an hour; what is sent next it answers. */
static void stuck(struct ask *a, enum req_op op, uint64_t lba, uint32_t n, int fill)
{
	unsigned before = m.ncmds[0];

	m.stall_path[0] = true;
	for (;;) {
		ask(a, op, lba, n, fill, 0);
		run(NS_PER_MS);
		if (m.ncmds[0] != before)
			break;
		answered(a, 0);
	}
	m.stall_path[0] = false;
	ck_assert_uint_eq(a->dones, 0);
}

START_TEST(test_slow_write_goes_elsewhere)
{
	struct lun_stats st;
	struct ask w, other;

	start_quick(2, NULL);
	stuck(&w, REQ_WRITE, 100, 8, 1);
	run(300 * NS_PER_MS);
	answered(&w, 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_SUSPECT);
	stats(&st);
	ck_assert_uint_eq(st.hedges, 1);
	ck_assert_uint_eq(st.hedges_won, 1);
	ck_assert_uint_eq(st.inflight, 1);
	ck_assert_uint_eq(st.ghosts_now, 1);
	ask(&other, REQ_WRITE, 100, 8, 2, 0);
	run(GHOST_TIME_NS * 2);
	ck_assert_uint_eq(other.dones, 0); /* it is still out: no deadline runs */
	run(3600 * NS_PER_SEC); /* now it lands */
	answered(&other, 0);
	ck_assert_int_eq(m.disk[100 * BS], 2);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

START_TEST(test_slow_read_keeps_its_buffer)
{
	struct ask r;

	start_quick(2, NULL);
	runs_at_once(REQ_WRITE, 100, 8, 1);
	stuck(&r, REQ_READ, 100, 8, 0);
	run(300 * NS_PER_MS);
	ck_assert_uint_eq(r.dones, 1);
	ck_assert_int_eq(r.err, 0);
	runs_at_once(REQ_WRITE, 100, 8, 2);
	run(3601 * NS_PER_SEC); /* the slow command fills its memory only now */
	ck_assert_int_eq(*(uint8_t *)r.r->data, 1);
	ck_assert_int_eq(((uint8_t *)r.r->data)[8 * BS - 1], 1);
	answered(&r, 0);
	finish();
}
END_TEST

/* A loop whose turns are always late is no excuse for a path that does not answer. */
START_TEST(test_overdue_on_a_crowded_machine)
{
	struct ask r;
	uint64_t began;

	start_quick(2, NULL);
	stuck(&r, REQ_READ, 0, 1, 0);
	began = loop_now_ns(loop);
	while (!r.dones && loop_now_ns(loop) - began < 60 * NS_PER_SEC) {
		loop_sim_advance(loop, 400 * NS_PER_MS);
		run(NS_PER_MS);
	}
	answered(&r, 0);
	ck_assert_uint_le(loop_now_ns(loop) - began, 2 * NS_PER_SEC);
	finish();
}
END_TEST

START_TEST(test_suspect_path_rests)
{
	struct ask r;
	unsigned before;

	start_quick(2, NULL);
	stuck(&r, REQ_READ, 0, 1, 0);
	run(300 * NS_PER_MS);
	answered(&r, 0);
	before = m.ncmds[0];
	for (int i = 0; i < 100; i++)
		runs_at_once(REQ_READ, (uint64_t)i, 1, 0);
	run(10 * NS_PER_SEC);
	ck_assert_uint_eq(m.ncmds[0], before);
	ck_assert_uint_eq(m.nchecks[0], 1); /* nor is it checked */
	finish();
}
END_TEST

START_TEST(test_last_path_is_used_although_suspect)
{
	struct ask r;

	start_quick(1, NULL);
	m.stall = true;
	ask(&r, REQ_READ, 0, 1, 0, 0);
	run(NS_PER_SEC);
	ck_assert_int_eq(sps[0]->path.state, PATH_SUSPECT);
	ck_assert_int_eq(lun_get_state(lun), LUN_UP);
	m.stall = false;
	runs_at_once(REQ_READ, 8, 1, 0);
	run(3600 * NS_PER_SEC);
	answered(&r, 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

START_TEST(test_two_of_three_do_not_answer)
{
	struct ask r[6];

	start_quick(3, NULL);
	m.stall_path[0] = m.stall_path[1] = true;
	for (int i = 0; i < 6; i++)
		ask(&r[i], _i ? REQ_WRITE : REQ_READ, (uint64_t)i * 100, 1, i, 0);
	run(NS_PER_SEC);
	for (int i = 0; i < 6; i++)
		answered(&r[i], 0);
	ck_assert_int_eq(sps[2]->path.state, PATH_ACTIVE);
	run(3601 * NS_PER_SEC);
	finish();
}
END_TEST

static void siblings(struct lun_params *p)
{
	p->selector = SEL_ROUND_ROBIN;
}

static void for_ever(struct lun_params *p)
{
	p->no_path = NO_PATH_QUEUE;
}

/* What it leads to is in doubt while a command is out: its end does not settle that. */
START_TEST(test_doubt_about_a_suspect)
{
	struct ask r[2];
	unsigned before;

	start_quick(2, for_ever);
	stuck(&r[0], REQ_READ, 0, 1, 0);
	run(300 * NS_PER_MS);
	answered(&r[0], 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_SUSPECT);
	lun_reinstate_path(lun, &sps[0]->path); /* asks for a full check */
	before = m.ncmds[0];
	lun_fail_path(lun, &sps[1]->path);
	ask(&r[1], REQ_READ, 0, 1, 0, 0);
	run(3550 * NS_PER_SEC);
	ck_assert_uint_eq(m.ncmds[0], before);
	m.check_ns[0] = NS_PER_SEC;
	run(50 * NS_PER_SEC);
	while (sps[0]->path.overdue)
		run(NS_PER_MS);
	run(500 * NS_PER_MS);
	ck_assert_uint_eq(m.ncmds[0], before);
	run(NS_PER_SEC);
	answered(&r[1], 0);
	finish();
}
END_TEST

/* Error recovery of one path stalls what is on the same adapter. */
START_TEST(test_other_host_is_preferred)
{
	struct ask r;
	unsigned before;

	start_quick(3, siblings);
	sps[0]->path.host = sps[1]->path.host = 4;
	sps[2]->path.host = 5;
	stuck(&r, REQ_READ, 0, 1, 0);
	run(300 * NS_PER_MS);
	answered(&r, 0);
	before = m.ncmds[1];
	for (int i = 0; i < 20; i++)
		runs_at_once(REQ_READ, 8, 1, 0);
	ck_assert_uint_eq(m.ncmds[1], before);
	lun_fail_path(lun, &sps[2]->path);
	runs_at_once(REQ_READ, 8, 1, 0);
	ck_assert_uint_eq(m.ncmds[1], before + 1);
	finish();
}
END_TEST

START_TEST(test_slow_flush_goes_elsewhere)
{
	struct ask f;
	int i = 0;

	start_quick(2, NULL);
	do {
		if (i++ & 1)
			runs_at_once(REQ_READ, 0, 1, 0);
		runs_at_once(REQ_WRITE, 1000, 1, 1);
		m.stall_path[0] = true;
		ask(&f, REQ_FLUSH, 0, 0, 0, 0);
		run(NS_PER_MS);
		m.stall_path[0] = false;
		if (f.dones)
			answered(&f, 0);
	} while (f.dones);
	ck_assert_uint_eq(f.dones, 0);
	run(6 * NS_PER_SEC);
	answered(&f, 0);
	run(3601 * NS_PER_SEC);
	finish();
}
END_TEST

static void one_path_does_it(struct lun_params *p)
{
	p->depth = 8;
	p->selector = SEL_LAST_USED;
}

/* All slots but a reserve may hang at one path: that one carries the rest of the work. */
START_TEST(test_slots_are_left)
{
	struct ask w[8];

	start(2, one_path_does_it);
	m.stall_path[0] = true;
	for (int i = 0; i < 8; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 100, 1, i, 0);
	run(NS_PER_MS);
	ck_assert_uint_eq(sps[0]->path.inflight, 7);
	run(3 * NS_PER_SEC);
	for (int i = 0; i < 8; i++)
		answered(&w[i], 0);
	ck_assert_uint_le(m.inflight_max, 8);
	run(3601 * NS_PER_SEC);
	finish();
}
END_TEST

/* A command's own limit is kept as it is asked for. */
static void patiently(struct lun_params *p)
{
	p->suspect_after_ns = 10 * NS_PER_SEC;
}

START_TEST(test_suspect_after)
{
	struct ask r;

	start_quick(1, patiently);
	m.stall = true;
	ask(&r, REQ_READ, 0, 1, 0, 0);
	run(9900 * NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	run(300 * NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_SUSPECT);
	run(3601 * NS_PER_SEC);
	answered(&r, 0);
	finish();
}
END_TEST

/* A final error of the second attempt is an answer, too. */
START_TEST(test_error_of_a_hedge)
{
	struct ask r;
	unsigned before;

	start_quick(2, NULL);
	stuck(&r, REQ_READ, 50, 1, 0);
	before = m.ncmds[1];
	m.bad_lba = 50;
	run(NS_PER_SEC);
	answered(&r, EIO);
	ck_assert_uint_eq(m.ncmds[1], before + 1);
	run(3601 * NS_PER_SEC);
	finish();
}
END_TEST

int main(void)
{
	const struct {
		const TTest *test;
		int times;
	} tests[] = {
		{ test_other_bytes_wait, 1 },
		{ test_same_bytes_do_not_wait, 1 },
		{ test_part_of_it_waits, 1 },
		{ test_another_operation_waits, 1 },
		{ test_discards_leave_ghosts, 1 },
		{ test_zeroes_leave_ghosts, 1 },
		{ test_what_did_not_run_leaves_none, 1 },
		{ test_reads_leave_none, 1 },
		{ test_waiters_are_handed_over, 1 },
		{ test_hold_ack, 1 },
		{ test_stop_does_not_wait_for_ghosts, 1 },
		{ test_slow_write_goes_elsewhere, 1 },
		{ test_slow_read_keeps_its_buffer, 1 },
		{ test_overdue_on_a_crowded_machine, 1 },
		{ test_suspect_path_rests, 1 },
		{ test_last_path_is_used_although_suspect, 1 },
		{ test_two_of_three_do_not_answer, 2 },
		{ test_doubt_about_a_suspect, 1 },
		{ test_other_host_is_preferred, 1 },
		{ test_slow_flush_goes_elsewhere, 1 },
		{ test_slots_are_left, 1 },
		{ test_suspect_after, 1 },
		{ test_error_of_a_hedge, 1 },
	};
	Suite *s = suite_create("lun-ledger");
	TCase *tc = tcase_create("lun-ledger");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_loop_test(tc, tests[i].test, 0, tests[i].times);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
