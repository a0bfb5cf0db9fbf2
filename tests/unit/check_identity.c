/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_identity.c - a LUN is exchanged under its path and nobody tells: when
 * that is found out, and what goes on meanwhile
 */
#include "lun_rig.h"

#include "core/record.h"

/* Cheap checks do not see it, commands are answered well. */
static void exchange(unsigned k)
{
	m.sly = true;
	m.other_ident[k] = true;
}

/* A write a second. Returns the commands that path @k got in the last one. */
static unsigned write_for(unsigned sec, unsigned k)
{
	unsigned before = 0;

	for (unsigned i = 0; i < sec; i++) {
		struct ask w;

		before = m.ncmds[k];
		ask(&w, REQ_WRITE, 8 * (i % 16), 8, 3, 0);
		run(NS_PER_SEC);
		answered(&w, 0);
	}
	return m.ncmds[k] - before;
}

static unsigned group_switches(void)
{
	const struct event *ev;
	unsigned n = 0;

	for (uint64_t seq = 1; (ev = lun_event_get(lun, seq)); seq = ev->seq + 1)
		n += ev->kind == EVENT_GROUP;
	return n;
}

static void round_robin(struct lun_params *p)
{
	p->selector = SEL_ROUND_ROBIN;
	p->rr_min_io = 1;
}

START_TEST(test_found_in_time)
{
	start(2, round_robin);
	write_for(10, 1);
	ck_assert_uint_gt(m.ncmds[1], 0);
	exchange(1);
	write_for(60 + 60 / 8 + 1, 1);
	ck_assert_int_eq(sps[1]->path.state, PATH_DISABLED);
	ck_assert(sps[1]->path.quarantined);
	ck_assert_uint_eq(write_for(10, 1), 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	/* As it was, and accepted: it comes back. */
	m.other_ident[1] = false;
	ck_assert_int_eq(lun_accept_path(lun, &sps[1]->path), 0);
	run(10 * NS_PER_MS);
	ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

static void hourly(struct lun_params *p)
{
	p->max_polling_interval_ns = 3600 * NS_PER_SEC;
}

/* Beside data: the path is used while it is asked, which takes a while, and it is not asked often. */
START_TEST(test_beside_data)
{
	uint64_t since;

	start(1, _i ? hourly : NULL);
	since = sps[0]->path.state_since_ns;
	m.check_ns[0] = 500 * NS_PER_MS;
	write_for(600, 0);
	ck_assert_uint_eq(sps[0]->path.state_since_ns, since);
	ck_assert_uint_ge(m.nfull[0], 1 + 600 / 69);
	ck_assert_uint_le(m.nfull[0], 1 + 600 / 52 + 1);
	finish();
}
END_TEST

/* A check that ends when the next one is due already: not every hour because of that. */
START_TEST(test_slow_check)
{
	unsigned nfull;

	start(2, hourly);
	write_for(600, 1); /* by now hardly any check is made but these */
	nfull = m.nfull[1];
	m.check_ns[1] = 80 * NS_PER_SEC;
	write_for(68, 1);
	ck_assert_uint_eq(m.nfull[1], ++nfull);
	m.check_ns[1] = 0;
	write_for(80, 1);
	ck_assert_uint_eq(m.nfull[1], nfull);
	exchange(1);
	write_for(68, 1);
	ck_assert(sps[1]->path.quarantined);
	finish();
}
END_TEST

/* Half as large: no more used than one that was checked for another reason. */
START_TEST(test_size_is_asked_too)
{
	start(2, round_robin);
	m.other_size[1] = NBLOCKS / 2;
	write_for(68, 1);
	ck_assert_int_eq(sps[1]->path.state, PATH_FAILED);
	finish();
}
END_TEST

/* The check that would have told was overtaken by a doubt: the next one does. */
START_TEST(test_doubt_on_top)
{
	start(2, round_robin);
	run(50 * NS_PER_SEC);
	m.check_ns[1] = 30 * NS_PER_SEC;
	run(18 * NS_PER_SEC); /* it runs now */
	ck_assert_int_eq(sps[1]->path.state, PATH_ACTIVE);
	exchange(1);
	m.check_ns[1] = 0;
	lun_recheck_path(lun, &sps[1]->path, "test");
	ck_assert_int_eq(sps[1]->path.state, PATH_CHECKING);
	run(31 * NS_PER_SEC);
	ck_assert(sps[1]->path.quarantined);
	finish();
}
END_TEST

/* --- failback ------------------------------------------------------------------------- */

static void after_thirty(struct lun_params *p)
{
	p->failback = FAILBACK_AFTER;
	p->failback_ns = 30 * NS_PER_SEC;
	p->max_polling_interval_ns = 3600 * NS_PER_SEC;
}

/* Path 0 is the better one, has come back, and has been idle for 29 of 30 s. */
static void start_idle(void)
{
	start(2, after_thirty);
	m.prio[0] = 50;
	m.prio[1] = 10;
	for (unsigned k = 0; k < 2; k++)
		lun_recheck_path(lun, &sps[k]->path, "test");
	run(10 * NS_PER_MS);
	m.down[0] = true;
	path_lost(&sps[0]->path, "test");
	run(10 * NS_PER_MS);
	m.down[0] = false;
	lun_reinstate_path(lun, &sps[0]->path);
	run(10 * NS_PER_MS);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	ck_assert_uint_eq(write_for(29, 0), 0);
	memset(m.nfull, 0, sizeof(m.nfull));
}

START_TEST(test_failback_asks_first)
{
	start_idle();
	m.check_ns[0] = 5 * NS_PER_SEC;
	ck_assert_uint_eq(write_for(5, 0), 0);
	ck_assert_uint_eq(m.nfull[0], 1);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	ck_assert_uint_gt(write_for(3, 0), 0);
	ck_assert_uint_eq(m.nfull[0], 1);
	finish();
}
END_TEST

/* A check that takes longer than what it says is believed for is enough, too. */
START_TEST(test_failback_after_a_slow_check)
{
	start_idle();
	m.check_ns[0] = 15 * NS_PER_SEC;
	ck_assert_uint_eq(write_for(15, 0), 0);
	ck_assert_uint_gt(write_for(3, 0), 0);
	ck_assert_uint_eq(m.nfull[0], 1);
	finish();
}
END_TEST

START_TEST(test_failback_to_a_stranger)
{
	unsigned before;

	start_idle();
	before = m.ncmds[0];
	exchange(0);
	write_for(60, 0);
	ck_assert_uint_eq(m.ncmds[0], before);
	ck_assert(sps[0]->path.quarantined);
	finish();
}
END_TEST

/* It turns out to be dead, and later it is not. */
START_TEST(test_failback_to_a_dead_one)
{
	start_idle();
	m.down[0] = true;
	ck_assert_uint_eq(write_for(10, 0), 0);
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	m.down[0] = false;
	ck_assert_uint_eq(write_for(29, 0), 0);
	ck_assert_uint_gt(write_for(5, 0), 0);
	finish();
}
END_TEST

/* What its check finds is no reason to doubt that it is the LUN, but to stay where the I/O is. */
START_TEST(test_failback_to_an_unfit_one)
{
	static const enum access_state access[] = { ACCESS_ACTIVE, ACCESS_STANDBY, ACCESS_UNAVAILABLE,
						    ACCESS_TRANSITIONING };
	unsigned before, switches;

	start_idle();
	before = m.ncmds[0];
	switches = group_switches();
	m.access[0] = access[_i];
	m.flaw[0] = access[_i] == ACCESS_ACTIVE ? "what it read is unreadable" : NULL;
	m.check_ns[0] = 500 * NS_PER_MS;
	write_for(40, 0);
	ck_assert_uint_ge(m.nfull[0], 1);
	ck_assert_uint_eq(m.ncmds[0], before);
	ck_assert_uint_eq(group_switches(), switches);
	finish();
}
END_TEST

/* While it was being asked the other group died. */
START_TEST(test_failback_overtaken)
{
	start_idle();
	m.check_ns[0] = 20 * NS_PER_SEC;
	write_for(3, 0);
	m.down[1] = true;
	path_lost(&sps[1]->path, "test");
	ck_assert_uint_gt(write_for(3, 0), 0);
	finish();
}
END_TEST

/* What was decided is taken back by another policy. */
START_TEST(test_failback_called_off)
{
	struct lun_params par;

	start_idle();
	m.check_ns[0] = 20 * NS_PER_SEC;
	write_for(3, 0);
	par = *lun_params(lun);
	par.failback = FAILBACK_MANUAL;
	ck_assert_int_eq(lun_apply(lun, &par), 0);
	ck_assert_uint_eq(write_for(60, 0), 0);
	ck_assert_int_eq(lun_use_group(lun, 0), 0);
	ck_assert_uint_gt(write_for(3, 0), 0);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_found_in_time, test_slow_check, test_size_is_asked_too, test_doubt_on_top, test_failback_asks_first,
		test_failback_after_a_slow_check, test_failback_to_a_stranger, test_failback_to_a_dead_one,
		test_failback_overtaken, test_failback_called_off,
	};
	Suite *s = suite_create("identity");
	TCase *tc = tcase_create("identity");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_beside_data, 0, 2);
	tcase_add_loop_test(tc, test_failback_to_an_unfit_one, 0, 4);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
