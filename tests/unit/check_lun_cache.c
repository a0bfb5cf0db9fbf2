/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_cache.c - a lost write cache: when a reset is taken for one, and that
 * each client is told of it exactly once.  Path 0 carries the I/O.
 */
#include "lun_rig.h"

#include "core/ledger_table.h"

/* What scsi/judge.c makes of 29/00, 29/01 and 29/04. */
#define RESET (VF_CACHE | VF_IDENTITY | VF_MODE | VF_ALUA | VF_NOT_RUN)

static struct lun_client cl[3];
static uint64_t debts; /* what outlives the process */
static unsigned first_news; /* of the first check by path 0 */
static uint64_t first_check_ns; /* so long takes that of path 1; 0: no time to speak of */

static void failover(struct lun_params *p)
{
	p->grouping = GROUP_FAILOVER;
	p->debts = &debts;
	m.news[0] = first_news;
	m.check_ns[1] = first_check_ns;
}

/* A process comes up. All clients have joined. */
static void come_up(unsigned npaths)
{
	start(npaths, failover);
	m.news[0] = 0;
	memset(cl, 0, sizeof(cl));
	for (unsigned i = 0; i < ARRAY_SIZE(cl); i++)
		lun_client_join(lun, &cl[i]);
	asker = NULL;
	run(NS_PER_SEC);
}

/* The same, and nothing is dirty or owed. */
static void begin(unsigned npaths)
{
	struct ask f;

	debts = 0;
	come_up(npaths);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	run(NS_PER_MS);
}

static void end(void)
{
	asker = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(cl); i++)
		lun_client_leave(&cl[i]);
	finish();
}

static void write_as(struct lun_client *who, unsigned flags)
{
	struct ask w;

	asker = who;
	ask(&w, REQ_WRITE, 0, 1, 1, flags);
	run(NS_PER_MS);
	answered(&w, 0);
}

static void flush_as(struct lun_client *who, int err)
{
	struct ask f;

	asker = who;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(20 * NS_PER_MS);
	answered(&f, err);
}

/* The next command on path @i meets the unit attention, and one is sent. */
static void reset(unsigned i)
{
	struct ask r;

	m.next[i] = (struct outcome){ .verdict = V_SAME, .flags = RESET };
	m.fail_n[i] = 1;
	asker = NULL;
	ask(&r, REQ_READ, 100, 1, 0, 0);
	run(20 * NS_PER_MS);
	answered(&r, 0);
}

static struct lun_stats stats(void)
{
	struct lun_stats st;

	lun_get_stats(lun, &st);
	return st;
}

START_TEST(test_other_path_refutes)
{
	unsigned checks;

	begin(2);
	write_as(&cl[0], 0);
	checks = m.nchecks[1];
	reset(0);
	ck_assert_uint_eq(m.nchecks[1], checks + 1);
	flush_as(&cl[0], 0);
	ck_assert_uint_eq(stats().cache_suspicions, 1);
	ck_assert_uint_eq(stats().cache_losses, 0);
	end();
}
END_TEST

/* One reset, seen by both paths, is one loss; each client is told, once. */
START_TEST(test_every_client_is_told_once)
{
	begin(2);
	write_as(&cl[0], 0);
	m.news[1] = VF_CACHE;
	reset(0);
	m.news[1] = 0;
	ck_assert_uint_eq(stats().cache_losses, 1);
	ck_assert_uint_eq(stats().errors_owed, 4); /* nobody is a client, too */
	for (unsigned i = 0; i < 3; i++) {
		flush_as(&cl[i], EIO);
		flush_as(&cl[i], 0);
	}
	ck_assert_uint_eq(stats().errors_owed, 1);
	end();
}
END_TEST

START_TEST(test_all_flushes_of_a_round_are_told)
{
	struct ask f[2];

	begin(1);
	write_as(&cl[0], 0);
	reset(0);
	asker = &cl[0];
	ask(&f[0], REQ_FLUSH, 0, 0, 0, 0);
	ask(&f[1], REQ_FLUSH, 0, 0, 0, 0);
	run(20 * NS_PER_MS);
	answered(&f[0], EIO);
	answered(&f[1], EIO);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

START_TEST(test_only_path_means_loss)
{
	begin(1);
	write_as(&cl[0], 0);
	reset(0);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	/* All of it is flushed now. */
	reset(0);
	flush_as(&cl[0], 0);
	ck_assert_uint_eq(stats().cache_losses, 1);
	end();
}
END_TEST

START_TEST(test_stable_writes_owe_nothing)
{
	begin(1);
	write_as(&cl[0], REQ_F_FUA);
	reset(0);
	flush_as(&cl[0], 0);
	ck_assert_uint_eq(stats().cache_losses, 0);
	end();
}
END_TEST

START_TEST(test_no_cache_no_loss)
{
	begin(1);
	m.no_cache = true;
	lun_recheck_path(lun, &sps[0]->path, "its cache was switched off");
	run(20 * NS_PER_MS);
	write_as(&cl[0], 0);
	reset(0);
	flush_as(&cl[0], 0);
	ck_assert_uint_eq(stats().cache_losses, 0);
	end();
}
END_TEST

/* A path on which something was lost since the last flush may have lost a unit attention, too. */
START_TEST(test_doubtful_path_is_no_witness)
{
	struct ask r;

	begin(2);
	write_as(&cl[0], 0);
	switch (_i) {
	case 0: /* a command of which nobody knows the end */
		m.next[0] = m.next[1] = (struct outcome){ .verdict = V_OTHER, .flags = VF_GHOST, .err = EIO };
		m.fail_n[0] = m.fail_n[1] = 1;
		ask(&r, REQ_READ, 0, 1, 0, 0);
		run(500 * NS_PER_MS);
		answered(&r, 0);
		break;
	case 1: /* it has been away */
		path_lost(&sps[1]->path, "pulled");
		run(2 * NS_PER_SEC);
		ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
		break;
	case 2: /* the kernel has seen an error and kept it */
		m.unexplained[1]++;
		break;
	case 3:
		path_full(&sps[1]->path);
		break;
	case 4: /* another kind of reset, at its check */
		m.news[1] = VF_IDENTITY;
		break;
	}
	m.fail_n[1] = 0;
	reset(0);
	m.news[1] = 0;
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	/* All that was before that flush: it is a witness again. */
	write_as(&cl[0], 0);
	reset(0);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

/* Nor is one whose first check began before: what others were told until it ended nobody can see. */
START_TEST(test_new_path_is_no_witness)
{
	debts = 0;
	first_check_ns = 1100 * NS_PER_MS;
	come_up(2);
	write_as(&cl[0], 0);
	reset(0);
	m.check_ns[1] = 0;
	run(NS_PER_SEC);
	ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	first_check_ns = 0;
	end();
}
END_TEST

START_TEST(test_flush_waits_for_the_answer)
{
	struct ask f;

	begin(2);
	write_as(&cl[0], 0);
	m.check_ns[1] = _i ? 3600 * NS_PER_SEC : NS_PER_SEC;
	reset(0);
	asker = &cl[0];
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(900 * NS_PER_MS);
	ck_assert_uint_eq(f.dones, 0);
	run(_i ? 5 * NS_PER_SEC : 500 * NS_PER_MS);
	answered(&f, _i ? EIO : 0);
	lun_fail_path(lun, &sps[1]->path);
	end();
}
END_TEST

/* A flush that has nothing to send waits as well: what is under way may be what is lost. */
START_TEST(test_late_acknowledgement_is_told)
{
	struct ask w;

	begin(1);
	asker = &cl[0];
	m.lat_ns[0] = 50 * NS_PER_MS;
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	m.lat_ns[0] = 0;
	reset(0);
	ck_assert_uint_eq(w.dones, 0);
	ck_assert_uint_eq(stats().cache_losses, 0);
	run(50 * NS_PER_MS);
	answered(&w, 0);
	ck_assert_uint_eq(stats().cache_losses, 1);
	flush_as(&cl[1], EIO);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

/* Where FUA is a write and a flush, a reset between the two has lost the write. */
START_TEST(test_fua_by_flush_between_which_the_cache_was_lost)
{
	struct ask w;

	begin(1);
	m.caps = 0;
	lun_recheck_path(lun, &sps[0]->path, "it knows no FUA any more");
	run(20 * NS_PER_MS);
	asker = &cl[0];
	ask(&w, REQ_WRITE, 0, 1, 1, REQ_F_FUA);
	run(50 * NS_PER_US);
	m.next[0] = (struct outcome){ .verdict = V_SAME, .flags = RESET };
	m.fail_n[0] = 1; /* the flush */
	run(20 * NS_PER_MS);
	answered(&w, EIO);
	flush_as(&cl[0], 0); /* it was not acknowledged */
	end();
}
END_TEST

/* A driver may make a flush of FUA, too, and it does not tell: what was under way then goes once more. */
START_TEST(test_fua_under_way_when_the_cache_was_lost)
{
	const struct path *p;
	struct ask w;

	begin(1);
	p = &sps[0]->path;
	ck_assert(p->info.caps & PATH_CAP_FUA);
	asker = &cl[0];
	m.lat_ns[0] = 50 * NS_PER_MS;
	ask(&w, REQ_WRITE, 0, 1, 1, REQ_F_FUA);
	run(NS_PER_MS);
	m.lat_ns[0] = 0;
	reset(0);
	ck_assert_uint_eq(w.dones, 0);
	ck_assert_uint_eq(p->stats.cmds[CMD_WRITE], 1);
	run(60 * NS_PER_MS);
	answered(&w, 0);
	ck_assert_uint_eq(p->stats.cmds[CMD_WRITE], 2);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

START_TEST(test_debt_outlives_its_connection)
{
	struct ask f;

	begin(1);
	write_as(&cl[0], 0);
	reset(0);
	lun_client_leave(&cl[0]);
	lun_client_leave(&cl[1]); /* has written nothing: its debt ends with it */
	lun_client_join(lun, &cl[0]);
	lun_client_join(lun, &cl[1]);
	flush_as(&cl[1], 0);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);

	/* Left before the reset. */
	write_as(&cl[0], 0);
	lun_client_leave(&cl[0]);
	reset(0);
	lun_client_join(lun, &cl[0]);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);

	/* Asked for, and left before the answer. */
	write_as(&cl[0], 0);
	reset(0);
	asker = &cl[0];
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	lun_cancel(f.r);
	lun_client_leave(&cl[0]);
	run(NS_PER_MS);
	answered(&f, 0);
	lun_client_join(lun, &cl[0]);
	flush_as(&cl[0], EIO);
	lun_client_untold(&cl[0]);
	lun_client_leave(&cl[0]);
	lun_client_join(lun, &cl[0]);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

/* It was for want of a path: nothing is lost, and the next flush tells it if it is still so. */
START_TEST(test_undelivered_want_of_a_path)
{
	begin(1);
	write_as(&cl[0], 0);
	lun_fail_path(lun, &sps[0]->path);
	run(NS_PER_MS);
	ck_assert_int_eq(lun_fail_now(lun), 0);
	flush_as(&cl[0], EIO);
	lun_client_untold(&cl[0]);
	lun_client_leave(&cl[0]);
	lun_reinstate_path(lun, &sps[0]->path);
	run(20 * NS_PER_MS);
	lun_client_join(lun, &cl[0]);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

/* It leaves with a debt and with writes that a second loss takes: that is one error, not two. */
START_TEST(test_one_orphan_is_told_once)
{
	begin(1);
	write_as(&cl[0], 0);
	reset(0);
	write_as(&cl[0], 0);
	lun_client_leave(&cl[0]);
	lun_client_leave(&cl[1]);
	reset(0);
	lun_client_join(lun, &cl[0]);
	lun_client_join(lun, &cl[1]);
	flush_as(&cl[1], 0);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

/* The next process serves the clients, and the LUN of before is forgotten. Its paths are opened when
 * it has been told. */
static void next_process(const struct lun_client_debt d[ARRAY_SIZE(cl)], const struct lun_orphans *o)
{
	char name[] = "sim0";

	asker = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(cl); i++)
		lun_client_leave(&cl[i]);
	finish();
	debts = 0; /* its table is another one */
	start(0, failover);
	memset(cl, 0, sizeof(cl));
	for (unsigned i = 0; i < ARRAY_SIZE(cl); i++) {
		lun_client_join(lun, &cl[i]);
		lun_client_inherit(&cl[i], &d[i]);
	}
	lun_inherit_orphans(lun, o);
	for (unsigned i = 0; i < 2; i++, name[3]++) {
		ck_assert_int_eq(sim_path_new(loop, name, 64, &model_ops, &m, i, &sps[i]), 0);
		ck_assert_int_eq(lun_add_path(lun, &sps[i]->path), 0);
	}
	run(NS_PER_SEC);
}

static void all_debts(struct lun_client_debt d[ARRAY_SIZE(cl)], struct lun_orphans *o)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cl); i++)
		lun_client_debt(&cl[i], &d[i]);
	ck_assert(lun_orphans(lun, o));
}

START_TEST(test_debt_is_handed_over)
{
	struct lun_client_debt d[ARRAY_SIZE(cl)];
	struct lun_client gone = { 0 };
	struct lun_orphans o;

	/* Known to be lost. */
	begin(1);
	write_as(&cl[0], 0);
	lun_client_join(lun, &gone);
	write_as(&gone, 0);
	lun_client_leave(&gone);
	reset(0);
	all_debts(d, &o);
	ck_assert(d[0].owed && d[0].own && d[1].owed && !d[1].own);
	ck_assert_uint_eq(o.owed, 1);
	next_process(d, &o);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	flush_as(&cl[1], EIO);
	flush_as(&cl[1], 0);
	lun_client_join(lun, &gone);
	flush_as(&gone, EIO);
	lun_client_leave(&gone);

	/* Lost afterwards: no path of the new process was there when it was written. */
	write_as(&cl[0], 0);
	lun_client_join(lun, &gone);
	write_as(&gone, 0);
	lun_client_leave(&gone);
	all_debts(d, &o);
	ck_assert(d[0].unflushed && !d[0].owed && !d[1].unflushed);
	ck_assert_uint_eq(o.unflushed, 1);
	next_process(d, &o);
	lun_client_join(lun, &gone);
	lun_client_debt(&gone, &d[0]);
	ck_assert(d[0].unflushed);
	reset(0);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	flush_as(&gone, EIO);
	lun_client_leave(&gone);

	/* Nothing is at stake. */
	all_debts(d, &o);
	ck_assert(!d[0].unflushed && !d[0].owed && !o.unflushed && !o.owed);
	next_process(d, &o);
	reset(0);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

/* The process is killed: what it does on its way out here does not count. */
static void be_killed(void)
{
	uint64_t left = debts;

	end();
	debts = left;
}

static struct ledger_debts noted(void)
{
	return ledger_debts_load(debts);
}

/* Nobody is a client, too. */
static void all_flush(int err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cl); i++)
		flush_as(&cl[i], err);
	flush_as(NULL, err);
}

START_TEST(test_debt_outlives_the_process)
{
	begin(2);
	write_as(&cl[0], 0);
	ck_assert_uint_eq(noted().owed, 0);
	reset(0); /* path 1 is a witness: refuted */
	ck_assert_uint_eq(noted().owed, 0);
	end();

	begin(1);
	write_as(&cl[0], 0);
	reset(0);
	ck_assert_uint_eq(noted().owed, ARRAY_SIZE(cl) + 1);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	/* Who was told already is told again: the next one cannot tell them apart. */
	be_killed();
	come_up(2);
	ck_assert_uint_eq(stats().errors_owed, ARRAY_SIZE(cl) + 1);
	all_flush(EIO);
	all_flush(0);
	/* It has been told, and the answers have left. */
	end();
	ck_assert_uint_eq(noted().owed, 0);
	ck_assert_uint_eq(noted().unflushed, 0);
}
END_TEST

START_TEST(test_loss_while_nobody_runs)
{
	begin(2);
	write_as(&cl[0], 0);
	ck_assert_uint_gt(noted().unflushed, 0);
	be_killed();
	/* The first checks of the next one hear of it, on one path only. */
	first_news = RESET;
	come_up(2);
	first_news = 0;
	ck_assert_uint_eq(stats().cache_losses, 1);
	all_flush(EIO);
	all_flush(0);

	/* Flushed in time, or by the next process: nothing is owed. */
	write_as(&cl[0], 0);
	flush_as(&cl[1], 0);
	ck_assert_uint_eq(noted().unflushed, 0);
	write_as(&cl[0], 0);
	be_killed();
	come_up(2);
	flush_as(&cl[2], 0);
	ck_assert_uint_eq(noted().unflushed, 0);
	reset(0);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

/* Killed while it asked whether the LUN was reset: the next one cannot know. */
START_TEST(test_killed_while_it_asks)
{
	begin(2);
	write_as(&cl[0], 0);
	m.check_ns[1] = NS_PER_SEC;
	reset(0);
	ck_assert_uint_eq(stats().cache_losses, 0);
	ck_assert_uint_gt(noted().owed, 0);
	be_killed();
	m.check_ns[1] = 0;
	come_up(2);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

START_TEST(test_note_of_debts)
{
	struct ledger_debts d = { .owed = 3, .unflushed = 65535 };
	uint64_t word = 0;

	ledger_debts_store(&word, d);
	ck_assert_uint_eq(ledger_debts_load(word).owed, 3);
	ck_assert_uint_eq(ledger_debts_load(word).unflushed, 65535);
	for (unsigned bit = 0; bit < 64; bit++) { /* broken: the worst */
		d = ledger_debts_load(word ^ 1ull << bit);
		ck_assert(d.owed == 1 && d.unflushed == 1);
	}
	d = ledger_debts_load(0);
	ck_assert(!d.owed && !d.unflushed);
}
END_TEST

/* A flush that the device fails concerns whoever has written, and may not be told again. */
START_TEST(test_failed_flush_is_told_to_all_writers)
{
	begin(1);
	write_as(&cl[0], 0);
	write_as(&cl[1], 0);
	m.next[0] = (struct outcome){ .verdict = V_ERR, .err = EIO, .flags = VF_CACHE };
	m.fail_n[0] = 1;
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	flush_as(&cl[2], 0);
	flush_as(&cl[1], EIO);
	flush_as(&cl[1], 0);
	ck_assert_uint_eq(stats().cache_suspicions, 0);
	end();
}
END_TEST

/* A path that heard of the reset only when it was back: the others know better. */
START_TEST(test_old_news_are_no_second_loss)
{
	begin(3);
	lun_fail_path(lun, &sps[2]->path);
	write_as(&cl[0], 0);
	m.news[1] = VF_CACHE;
	reset(0);
	m.news[1] = 0;
	write_as(&cl[0], 0);
	m.news[2] = VF_CACHE;
	lun_reinstate_path(lun, &sps[2]->path);
	run(20 * NS_PER_MS);
	m.news[2] = 0;
	ck_assert_uint_eq(stats().cache_suspicions, 2);
	ck_assert_uint_eq(stats().cache_losses, 1);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

/* The one that the device tells of the reset is a check that fails, or whose path leaves. */
START_TEST(test_told_by_a_check_that_fails)
{
	begin(2);
	write_as(&cl[0], 0);
	lun_fail_path(lun, &sps[0]->path);
	m.news[1] = VF_CACHE;
	if (_i)
		m.check_ns[1] = 50 * NS_PER_MS;
	else
		m.down[1] = true;
	lun_recheck_path(lun, &sps[1]->path, "the test");
	run(10 * NS_PER_MS);
	if (_i)
		lun_remove_path(lun, &sps[1]->path, "the test");
	run(100 * NS_PER_MS);
	m.news[1] = 0;
	lun_reinstate_path(lun, &sps[0]->path);
	run(20 * NS_PER_MS);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	ck_assert_uint_eq(stats().cache_losses, 1);
	end();
}
END_TEST

START_TEST(test_want_of_a_path_tells_nothing)
{
	begin(1);
	write_as(&cl[0], 0);
	reset(0);
	lun_fail_path(lun, &sps[0]->path);
	run(NS_PER_MS);
	ck_assert_int_eq(lun_fail_now(lun), 0);
	flush_as(&cl[0], EIO);
	lun_reinstate_path(lun, &sps[0]->path);
	run(20 * NS_PER_MS);
	flush_as(&cl[0], EIO);
	flush_as(&cl[0], 0);
	end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lun_cache");
	TCase *t = tcase_create("cache");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_other_path_refutes);
	tcase_add_test(t, test_every_client_is_told_once);
	tcase_add_test(t, test_all_flushes_of_a_round_are_told);
	tcase_add_test(t, test_only_path_means_loss);
	tcase_add_test(t, test_stable_writes_owe_nothing);
	tcase_add_test(t, test_no_cache_no_loss);
	tcase_add_loop_test(t, test_doubtful_path_is_no_witness, 0, 5);
	tcase_add_test(t, test_new_path_is_no_witness);
	tcase_add_loop_test(t, test_flush_waits_for_the_answer, 0, 2);
	tcase_add_test(t, test_late_acknowledgement_is_told);
	tcase_add_test(t, test_fua_by_flush_between_which_the_cache_was_lost);
	tcase_add_test(t, test_fua_under_way_when_the_cache_was_lost);
	tcase_add_test(t, test_debt_outlives_its_connection);
	tcase_add_test(t, test_one_orphan_is_told_once);
	tcase_add_test(t, test_undelivered_want_of_a_path);
	tcase_add_test(t, test_debt_is_handed_over);
	tcase_add_test(t, test_debt_outlives_the_process);
	tcase_add_test(t, test_loss_while_nobody_runs);
	tcase_add_test(t, test_killed_while_it_asks);
	tcase_add_test(t, test_note_of_debts);
	tcase_add_test(t, test_failed_flush_is_told_to_all_writers);
	tcase_add_test(t, test_old_news_are_no_second_loss);
	tcase_add_loop_test(t, test_told_by_a_check_that_fails, 0, 2);
	tcase_add_test(t, test_want_of_a_path_tells_nothing);
	suite_add_tcase(s, t);
	return unit_main(s);
}
