/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_dark.c - without a usable path: what no_path_retry and the
 * administrator's word make of held requests, and what ends the time without one
 */
#include "lun_rig.h"

static void queue_for_ever(struct lun_params *p)
{
	p->no_path = NO_PATH_QUEUE;
}

/* 2 s at the rig's polling interval */
static void retry_four(struct lun_params *p)
{
	p->no_path = NO_PATH_RETRY;
	p->no_path_checks = 4;
}

/* 4 s */
static void retry_eight(struct lun_params *p)
{
	p->no_path = NO_PATH_RETRY;
	p->no_path_checks = 8;
}

static void fail_at_once(struct lun_params *p)
{
	p->no_path = NO_PATH_FAIL;
}

static void set_down(bool down)
{
	memset(m.down, down, sizeof(m.down));
}

/* Is @a still held after @ns, and nothing answered? */
static void held_for(struct ask *a, uint64_t ns)
{
	run(ns);
	ck_assert_uint_eq(a->dones, 0);
	ck_assert_int_eq(lun_get_state(lun), LUN_DARK);
}

/* A path whose checks are good and whose commands are not. */
static void only_checks_work(unsigned k)
{
	m.down[k] = false;
	m.next[k] = (struct outcome){ .verdict = V_FAIL, .err = EIO };
	m.fail_n[k] = 1000000;
}

START_TEST(test_blip_does_not_restart)
{
	struct ask a;

	start(2, retry_four);
	set_down(true);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(1200 * NS_PER_MS);
	ck_assert_uint_eq(a.dones, 0);
	/* Comes back at each check, and is gone with the first command. */
	only_checks_work(0);
	run(700 * NS_PER_MS);
	ck_assert_uint_eq(a.dones, 0);
	ck_assert_uint_gt(sps[0]->path.stats.failures, 1);
	run(400 * NS_PER_MS);
	answered(&a, EIO);
	finish();
}
END_TEST

/* Commands hang where checks work: two good checks are no proof while one is out. */
START_TEST(test_checks_do_not_prove_a_hanging_path)
{
	struct ask a, b;

	start(1, retry_four);
	set_down(true);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	held_for(&a, 700 * NS_PER_MS);
	m.down[0] = false;
	m.stall = true;
	run(1200 * NS_PER_MS);
	ck_assert_int_eq(lun_get_state(lun), LUN_UP);
	ck_assert_uint_eq(a.dones, 0);
	run(3 * NS_PER_SEC); /* several checks, and past no_path_retry */
	m.down[0] = true;
	path_lost(&sps[0]->path, "test");
	ck_assert_int_eq(lun_get_state(lun), LUN_FAILING);
	ask(&b, REQ_READ, 64, 8, 0, 0);
	run(10 * NS_PER_MS);
	answered(&b, EIO);
	m.stall = false;
	lun_stop(lun, 0);
	run(3601 * NS_PER_SEC);
	ck_assert_uint_eq(a.dones, 1);
	lun_req_put(a.r);
	lun_free(lun);
	loop_free(loop);
}
END_TEST

/* A good command, or on an idle LUN the second check, and the time starts anew. */
START_TEST(test_proof_restarts)
{
	struct ask a, b;

	for (int by_command = 0; by_command < 2; by_command++) {
		start(1, retry_eight);
		set_down(true);
		path_lost(&sps[0]->path, "test");
		run(700 * NS_PER_MS);
		set_down(false);
		run(by_command ? 600 * NS_PER_MS : 2800 * NS_PER_MS);
		ck_assert_int_eq(lun_get_state(lun), LUN_UP);
		if (by_command) {
			ask(&b, REQ_READ, 0, 8, 0, 0);
			run(NS_PER_MS);
			answered(&b, 0);
		}
		set_down(true);
		ask(&a, REQ_WRITE, 0, 8, 9, 0);
		held_for(&a, 3900 * NS_PER_MS);
		run(200 * NS_PER_MS);
		answered(&a, EIO);
		finish();
	}
}
END_TEST

START_TEST(test_queueing_on)
{
	struct ask a, b;

	/* Before the paths go: no limit. */
	start(2, retry_four);
	lun_set_queueing(lun, QUEUEING_ON);
	set_down(true);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	held_for(&a, 100 * NS_PER_SEC);
	/* As configured again: the time counts from now. */
	lun_set_queueing(lun, QUEUEING_DEFAULT);
	held_for(&a, 1900 * NS_PER_MS);
	run(200 * NS_PER_MS);
	answered(&a, EIO);
	ck_assert_int_eq(lun_get_state(lun), LUN_FAILING);
	/* After no_path_retry has ended: held once more. */
	lun_set_queueing(lun, QUEUEING_ON);
	ask(&b, REQ_WRITE, 0, 8, 7, 0);
	held_for(&b, 100 * NS_PER_SEC);
	set_down(false);
	run(NS_PER_SEC);
	answered(&b, 0);
	ck_assert_int_eq(m.disk[0], 7);
	finish();
}
END_TEST

START_TEST(test_queueing_on_over_fail)
{
	struct ask a;

	start(1, fail_at_once);
	lun_set_queueing(lun, QUEUEING_ON);
	ck_assert_int_eq(lun_no_path(lun), NO_PATH_QUEUE);
	set_down(true);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	held_for(&a, 10 * NS_PER_SEC);
	lun_set_queueing(lun, QUEUEING_DEFAULT);
	run(NS_PER_MS);
	answered(&a, EIO);
	finish();
}
END_TEST

START_TEST(test_queueing_off)
{
	struct ask a, b;

	start(2, queue_for_ever);
	set_down(true);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	held_for(&a, 10 * NS_PER_SEC);
	lun_set_queueing(lun, QUEUEING_OFF);
	run(NS_PER_MS);
	answered(&a, EIO);
	/* Not once, but until told otherwise. */
	set_down(false);
	run(2 * NS_PER_SEC);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(NS_PER_MS);
	answered(&a, 0);
	set_down(true);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(10 * NS_PER_MS);
	answered(&a, EIO);
	lun_set_queueing(lun, QUEUEING_DEFAULT);
	ask(&b, REQ_WRITE, 0, 8, 9, 0);
	held_for(&b, 10 * NS_PER_SEC);
	set_down(false);
	run(NS_PER_SEC);
	answered(&b, 0);
	finish();
}
END_TEST

START_TEST(test_fail_now)
{
	struct ask a, b;

	start(2, queue_for_ever);
	ck_assert_int_eq(lun_fail_now(lun), -EBUSY);
	set_down(true);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	ask(&b, REQ_READ, 4, 8, 0, 0); /* waits for a */
	held_for(&a, 10 * NS_PER_SEC);
	ck_assert_int_eq(lun_fail_now(lun), 0);
	run(NS_PER_MS);
	answered(&a, EIO);
	answered(&b, EIO);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(10 * NS_PER_SEC);
	answered(&a, EIO);
	ck_assert_int_eq(lun_get_state(lun), LUN_FAILING);
	ck_assert_int_eq(lun_fail_now(lun), 0);
	/* A path that has not proven itself does not hold requests again. */
	only_checks_work(0);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(2 * NS_PER_SEC);
	answered(&a, EIO);
	m.fail_n[0] = 0;
	run(2 * NS_PER_SEC);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	run(NS_PER_MS);
	answered(&a, 0);
	/* Once: the next time they are held as ever. */
	set_down(true);
	ask(&a, REQ_WRITE, 0, 8, 9, 0);
	held_for(&a, 10 * NS_PER_SEC);
	set_down(false);
	run(NS_PER_SEC);
	answered(&a, 0);
	lun_stop(lun, NS_PER_SEC);
	ck_assert_int_eq(lun_fail_now(lun), -ESHUTDOWN);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_blip_does_not_restart,
		test_checks_do_not_prove_a_hanging_path,
		test_proof_restarts,
		test_queueing_on,
		test_queueing_on_over_fail,
		test_queueing_off,
		test_fail_now,
	};
	Suite *s = suite_create("lun-dark");
	TCase *tc = tcase_create("lun-dark");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
