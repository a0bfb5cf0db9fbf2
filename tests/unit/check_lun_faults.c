/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun_faults.c - bugs that the simulator has found, each told by hand: one test fails
 * for one of them (list with causes in doc/testing.md).
 */
#include "lun_rig.h"

static void queue_for_ever(struct lun_params *p)
{
	p->no_path = NO_PATH_QUEUE;
}

static void one_at_a_time(struct lun_params *p)
{
	p->depth = 1;
	p->no_path = NO_PATH_QUEUE;
}

static void renew(unsigned i)
{
	lun_fail_path(lun, &sps[i]->path);
	lun_reinstate_path(lun, &sps[i]->path);
}

START_TEST(test_check_before_loss_is_stale)
{
	start(2, NULL);
	renew(0);
	run(100 * NS_PER_US);
	ck_assert_int_eq(sps[0]->path.state, PATH_CHECKING);
	path_lost(&sps[0]->path, "hang-up");
	run(950 * NS_PER_US); /* the check has ended well by now */
	ck_assert_int_eq(sps[0]->path.state, PATH_FAILED);
	run(3 * NS_PER_MS); /* another one followed at once */
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

START_TEST(test_cancel_partly_sent)
{
	struct ask w;

	start(1, one_at_a_time);
	m.max_blocks = 8;
	renew(0);
	run(10 * NS_PER_MS);
	ask(&w, REQ_WRITE, 0, 16, 5, 0);
	run(50 * NS_PER_US);
	lun_fail_path(lun, &sps[0]->path); /* the second half stays queued */
	run(NS_PER_MS);
	ck_assert_int_eq(m.disk[0], 5);
	lun_cancel(w.r);
	run(NS_PER_MS);
	ck_assert_uint_eq(w.dones, 0);
	lun_reinstate_path(lun, &sps[0]->path);
	run(10 * NS_PER_MS);
	answered(&w, 0);
	ck_assert_int_eq(m.disk[16 * BS - 1], 5);
	finish();
}
END_TEST

/* Its head is slow to read; a hedge has read it elsewhere and begun to write. */
START_TEST(test_cancel_behind_a_hedge)
{
	struct ask w = { .err = -1 };

	start(2, queue_for_ever);
	memset(m.disk, 1, sizeof(m.disk));
	m.lat_ns[0] = m.lat_ns[1] = 3 * NS_PER_SEC;
	w.r = lun_req_get(lun, 3 * BS);
	w.r->op = REQ_WRITE;
	w.r->nblocks = 2;
	w.r->head_skip = 8;
	w.r->done = ask_done;
	w.r->owner = &w;
	memset(w.r->data, 5, 2 * BS);
	lun_submit(w.r);
	run(NS_PER_MS);
	m.lat_ns[0] = m.lat_ns[1] = 0;
	while (m.reads < 2)
		run(50 * NS_PER_US);
	m.lat_ns[0] = m.lat_ns[1] = 10 * NS_PER_SEC;
	run(NS_PER_MS);
	ck_assert_uint_eq(m.writes, 1);
	lun_fail_path(lun, &sps[0]->path); /* the request itself stays queued when its head is there */
	lun_fail_path(lun, &sps[1]->path);
	run(4 * NS_PER_SEC);
	ck_assert_uint_eq(m.writes, 1);
	lun_cancel(w.r);
	run(NS_PER_MS);
	ck_assert_uint_eq(w.dones, 0);
	run(10 * NS_PER_SEC);
	answered(&w, 0);
	ck_assert_int_eq(m.disk[7], 1);
	ck_assert_int_eq(m.disk[8], 5);
	ck_assert_int_eq(m.disk[2 * BS - 1], 5);
	finish();
}
END_TEST

START_TEST(test_ability_lost_while_queued)
{
	struct ask d;
	unsigned before;

	start(1, queue_for_ever);
	m.caps = PATH_CAP_FUA | PATH_CAP_DISCARD;
	renew(0);
	run(10 * NS_PER_MS);
	lun_fail_path(lun, &sps[0]->path);
	ask(&d, REQ_DISCARD, 0, 8, 0, 0);
	run(NS_PER_MS);
	m.caps = PATH_CAP_FUA;
	before = m.ncmds[0];
	lun_reinstate_path(lun, &sps[0]->path);
	run(10 * NS_PER_MS);
	answered(&d, EOPNOTSUPP);
	ck_assert_uint_eq(m.ncmds[0], before);
	finish();
}
END_TEST

/* Two paths with caches of their own, both written to; the first commands are flushed. */
static void start_own_caches(void)
{
	struct ask w[2], f;

	start(2, NULL);
	m.caps = PATH_CAP_OWN_CACHE;
	renew(0);
	renew(1);
	run(10 * NS_PER_MS);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	for (int i = 0; i < 2; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 16, 1, 1, 0);
	run(NS_PER_MS);
	for (int i = 0; i < 2; i++) {
		answered(&w[i], 0);
		ck_assert_uint_eq(m.ncmds[i], 2);
	}
}

/* The path leaves before the flush meant for it could be sent: no command was free. */
START_TEST(test_flush_of_a_path_that_leaves)
{
	struct ask w, f, r[13]; /* one of depth 1 and CMDS_SPARE, less CMDS_FOR_SPLITS */
	unsigned before;

	start(2, one_at_a_time);
	m.caps = PATH_CAP_OWN_CACHE;
	renew(0);
	renew(1);
	run(10 * NS_PER_MS);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	lun_fail_path(lun, &sps[1]->path);
	ask(&w, REQ_WRITE, 0, 1, 1, 0); /* only the first has something in its cache */
	run(NS_PER_MS);
	answered(&w, 0);
	lun_reinstate_path(lun, &sps[1]->path);
	run(10 * NS_PER_MS);
	m.next[0] = m.next[1] = (struct outcome){ .verdict = V_LATER };
	m.fail_n[0] = m.fail_n[1] = 13;
	for (int i = 0; i < 13; i++)
		ask(&r[i], REQ_READ, 100 + 2 * (uint64_t)i, 1, 0, 0);
	run(10 * NS_PER_MS);
	m.fail_n[0] = m.fail_n[1] = 0;
	before = m.flushes;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	ck_assert_uint_eq(f.dones, 0);
	lun_remove_path(lun, &sps[0]->path, "test");
	run(NS_PER_SEC);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, before + 1);
	for (int i = 0; i < 13; i++)
		answered(&r[i], 0);
	finish();
}
END_TEST

START_TEST(test_flush_stays_with_its_cache)
{
	struct ask f;

	start_own_caches();
	m.next[1] = (struct outcome){ .verdict = V_OTHER };
	m.fail_n[1] = 1;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_SEC);
	answered(&f, 0);
	ck_assert_uint_eq(m.ncmds[0], 3);
	ck_assert_uint_eq(m.ncmds[1], 4);
	finish();
}
END_TEST

START_TEST(test_flush_waits_for_check)
{
	struct ask r, f;
	unsigned before;

	start_own_caches();
	m.next[1] = (struct outcome){ .verdict = V_OK_INFO, .flags = VF_IDENTITY, .done_blocks = 1 };
	m.fail_n[1] = 1;
	for (int i = 0; i < 2 && sps[1]->path.state == PATH_ACTIVE; i++) {
		ask(&r, REQ_READ, 0, 1, 0, 0);
		run(200 * NS_PER_US);
		answered(&r, 0);
	}
	ck_assert_int_eq(sps[1]->path.state, PATH_CHECKING);
	before = m.ncmds[1];
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(5 * NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.ncmds[1], before + 1);
	finish();
}
END_TEST

START_TEST(test_flush_stays_with_a_path_in_check)
{
	struct ask f;

	start_own_caches();
	m.next[1] = (struct outcome){ .verdict = V_OTHER };
	m.fail_n[1] = 1;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(50 * NS_PER_US);
	renew(1);
	run(NS_PER_SEC);
	answered(&f, 0);
	ck_assert_uint_eq(m.ncmds[0], 3);
	ck_assert_uint_eq(m.ncmds[1], 4);
	finish();
}
END_TEST

START_TEST(test_one_own_cache_is_enough)
{
	struct ask w[2], f;

	start(2, NULL);
	m.caps = PATH_CAP_OWN_CACHE;
	renew(1);
	run(10 * NS_PER_MS);
	for (int i = 0; i < 2; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 16, 1, 1, 0);
	run(NS_PER_MS);
	for (int i = 0; i < 2; i++)
		answered(&w[i], 0);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.ncmds[1], 2);
	finish();
}
END_TEST

START_TEST(test_flush_after_the_writer_has_gone)
{
	struct ask w, f;

	start(2, NULL);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	lun_fail_path(lun, &sps[1]->path);
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	lun_reinstate_path(lun, &sps[1]->path);
	run(10 * NS_PER_MS);
	lun_remove_path(lun, &sps[0]->path, "test");
	run(10 * NS_PER_MS);
	m.flushes = 0;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, 1);
	finish();
}
END_TEST

/* Without the fix it reads freed memory: AddressSanitizer says so. */
START_TEST(test_removed_path_is_forgotten_in_flight)
{
	struct ask f;

	start_own_caches();
	m.next[1] = (struct outcome){ .verdict = V_FAIL };
	m.fail_n[1] = 1;
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(50 * NS_PER_US);
	/* Meant for the second path's flush, when it comes to the first path. */
	m.next[0] = (struct outcome){ .verdict = V_LATER };
	m.fail_n[0] = 1;
	run(100 * NS_PER_US);
	ck_assert_int_eq(sps[1]->path.state, PATH_FAILED);
	lun_remove_path(lun, &sps[1]->path, "test");
	run(NS_PER_SEC);
	answered(&f, 0);
	ck_assert_ptr_null(lun_find_path(lun, "sim1"));
	finish();
}
END_TEST

START_TEST(test_splits_do_not_wait_for_one_another)
{
	struct ask w[20];

	start(1, one_at_a_time);
	m.next[0] = (struct outcome){ .verdict = V_LATER };
	m.fail_n[0] = 20;
	for (int i = 0; i < 20; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 32, 16, i + 1, 0);
	run(50 * NS_PER_MS); /* as many commands as there are wait now */
	m.fail_n[0] = 0;
	m.max_blocks = 8;
	renew(0);
	run(2 * NS_PER_SEC);
	for (int i = 0; i < 20; i++) {
		answered(&w[i], 0);
		ck_assert_int_eq(m.disk[(i * 32 + 15) * BS], i + 1);
	}
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_check_before_loss_is_stale,
		test_cancel_partly_sent,
		test_cancel_behind_a_hedge,
		test_ability_lost_while_queued,
		test_flush_of_a_path_that_leaves,
		test_flush_stays_with_its_cache,
		test_flush_waits_for_check,
		test_flush_stays_with_a_path_in_check,
		test_one_own_cache_is_enough,
		test_flush_after_the_writer_has_gone,
		test_removed_path_is_forgotten_in_flight,
		test_splits_do_not_wait_for_one_another,
	};
	Suite *s = suite_create("lun-faults");
	TCase *tc = tcase_create("lun-faults");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
