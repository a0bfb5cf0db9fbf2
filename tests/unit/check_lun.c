/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_lun.c - the queue of one LUN, by hand: each proof is one behaviour
 * (the random ones are the simulator's)
 */
#include "lun_rig.h"

START_TEST(test_read_write)
{
	struct ask w, r;

	start(1, NULL);
	ask(&w, REQ_WRITE, 8, 8, 0x5a, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	ask(&r, REQ_READ, 8, 8, 0, 0);
	run(NS_PER_MS);
	ck_assert_mem_eq(r.r->data, m.disk + 8 * BS, 8 * BS);
	ck_assert_int_eq(((uint8_t *)r.r->data)[0], 0x5a);
	answered(&r, 0);
	finish();
}
END_TEST

START_TEST(test_merge)
{
	struct ask a[64];
	struct lun_stats st;

	start(4, NULL);
	/* In any order of arrival. */
	for (int i = 0; i < 64; i++)
		ask(&a[i], REQ_WRITE, (uint64_t)((i * 29) % 64) * 8, 8, (i * 29) % 64, 0);
	run(NS_PER_MS);
	for (int i = 0; i < 64; i++)
		answered(&a[i], 0);
	ck_assert_uint_eq(m.writes, 1);
	ck_assert_uint_eq(m.largest, 64 * 8);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(m.disk[i * 8 * BS], i);
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.merged, 63);
	finish();
}
END_TEST

/* Large requests are not put on one path while others idle; the largest go alone. */
START_TEST(test_merge_bound)
{
	const uint32_t quarter = MERGE_BYTES_MAX / 4 / BS;
	struct ask a[8], big;

	start(4, NULL);
	for (unsigned i = 0; i < 8; i++)
		ask(&a[i], REQ_WRITE, i * quarter, quarter, (int)i, 0);
	run(NS_PER_MS);
	for (unsigned i = 0; i < 8; i++)
		answered(&a[i], 0);
	ck_assert_uint_eq(m.writes, 2);
	ck_assert_uint_eq(m.largest, 4 * quarter);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_le(sps[i]->path.stats.cmds[CMD_WRITE], 1);
	ask(&big, REQ_WRITE, 0, 5 * quarter, 9, 0);
	ask(&a[0], REQ_WRITE, 5 * quarter, 1, 9, 0);
	run(NS_PER_MS);
	answered(&big, 0);
	answered(&a[0], 0);
	ck_assert_uint_eq(m.writes, 4);
	ck_assert_uint_eq(m.largest, 5 * quarter);
	finish();
}
END_TEST

START_TEST(test_slices)
{
	struct ask w, r;

	start(2, NULL);
	m.max_blocks = 64;
	lun_reinstate_path(lun, &sps[0]->path);
	for (int i = 0; i < 2; i++) {
		lun_fail_path(lun, &sps[i]->path);
		lun_reinstate_path(lun, &sps[i]->path);
	}
	run(10 * NS_PER_MS);
	ask(&w, REQ_WRITE, 100, 1000, 7, 0);
	run(NS_PER_MS * 10);
	answered(&w, 0);
	ck_assert_uint_eq(m.writes, (1000 + 63) / 64);
	ck_assert_uint_eq(m.largest, 64);
	ask(&r, REQ_READ, 100, 1000, 0, 0);
	run(NS_PER_MS * 10);
	ck_assert_mem_eq(r.r->data, m.disk + 100 * BS, 1000 * BS);
	answered(&r, 0);
	finish();
}
END_TEST

START_TEST(test_split_on_error)
{
	struct ask a[16];

	start(2, NULL);
	m.bad_lba = 5 * 8 + 3;
	for (int i = 0; i < 16; i++)
		ask(&a[i], REQ_READ, (uint64_t)i * 8, 8, 0, 0);
	run(10 * NS_PER_MS);
	for (int i = 0; i < 16; i++)
		answered(&a[i], i == 5 ? EIO : 0);
	finish();
}
END_TEST

static void depth_four(struct lun_params *p)
{
	p->depth = 4;
	p->elevator = ELV_DEADLINE;
}

START_TEST(test_depth_and_sweep)
{
	struct ask a[32];

	start(4, depth_four);
	for (int i = 0; i < 32; i++)
		ask(&a[i], REQ_READ, (uint64_t)((i * 11) % 32) * 16, 8, 0, 0);
	m.log_len = 0;
	run(10 * NS_PER_MS);
	for (int i = 0; i < 32; i++)
		answered(&a[i], 0);
	ck_assert_uint_eq(m.inflight_max, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(m.ncmds[i], 8);
	ck_assert_int_eq(strncmp(m.lba_log, "0 16 32 48 64 80 96 112 128 144 160 176 192 208 224 240 ", 50), 0);
	finish();
}
END_TEST

START_TEST(test_overlap)
{
	struct ask w1, w2, r;

	start(2, NULL);
	ask(&w1, REQ_WRITE, 0, 8, 1, 0);
	ask(&w2, REQ_WRITE, 4, 8, 2, 0);
	ask(&r, REQ_READ, 0, 16, 0, 0);
	ck_assert_int_eq(w1.r->state, REQ_QUEUED);
	ck_assert_int_eq(w2.r->state, REQ_BLOCKED);
	ck_assert_int_eq(r.r->state, REQ_BLOCKED);
	run(NS_PER_MS);
	ck_assert_int_eq(((uint8_t *)r.r->data)[0], 1);
	ck_assert_int_eq(((uint8_t *)r.r->data)[4 * BS], 2);
	answered(&w1, 0);
	answered(&w2, 0);
	answered(&r, 0);
	finish();
}
END_TEST

START_TEST(test_rmw)
{
	struct ask a = { 0 };
	uint8_t expect[4 * BS];

	start(1, NULL);
	memset(m.disk, 0xee, sizeof(m.disk));
	for (uint32_t n = 1; n <= 3; n++) {
		memset(m.disk, 0xee, sizeof(m.disk));
		a.dones = 0;
		a.r = lun_req_get(lun, (n + 1) * BS);
		a.r->op = REQ_WRITE;
		a.r->lba = 10;
		a.r->nblocks = n;
		a.r->head_skip = 100;
		a.r->tail_skip = 50;
		a.r->done = ask_done;
		a.r->owner = &a;
		memset(a.r->data, 0x11, (n + 1) * BS);
		lun_submit(a.r);
		run(2 * NS_PER_MS);
		answered(&a, 0);
		memset(expect, 0xee, sizeof(expect));
		memset(expect + 100, 0x11, n * BS - 150);
		ck_assert_mem_eq(m.disk + 10 * BS, expect, n * BS);
		ck_assert_mem_eq(m.disk + (10 + n) * BS, m.disk, BS);
	}
	finish();
}
END_TEST

START_TEST(test_flush)
{
	struct ask w, f;
	struct lun_stats st;

	start(3, NULL);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, 1); /* who knows what was written before */
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, 1);
	ask(&w, REQ_WRITE, 0, 1, 1, 0);
	run(NS_PER_MS);
	answered(&w, 0);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, 2);
	ask(&w, REQ_WRITE, 0, 1, 1, REQ_F_FUA);
	run(NS_PER_MS);
	answered(&w, 0);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, 2);
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.flush_skipped, 2);
	finish();
}
END_TEST

START_TEST(test_flush_each_path)
{
	struct ask w[6], f;

	start(3, NULL);
	m.caps = PATH_CAP_OWN_CACHE;
	for (int i = 0; i < 3; i++) {
		lun_fail_path(lun, &sps[i]->path);
		lun_reinstate_path(lun, &sps[i]->path);
	}
	run(10 * NS_PER_MS);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, 3);
	for (int i = 0; i < 2; i++)
		ask(&w[i], REQ_WRITE, (uint64_t)i * 16, 1, 1, 0);
	run(NS_PER_MS);
	for (int i = 0; i < 2; i++)
		answered(&w[i], 0);
	ask(&f, REQ_FLUSH, 0, 0, 0, 0);
	run(NS_PER_MS);
	answered(&f, 0);
	ck_assert_uint_eq(m.flushes, 5);
	/* FUA without the capability: a write and a flush. */
	ask(&w[0], REQ_WRITE, 0, 1, 1, REQ_F_FUA);
	run(NS_PER_MS);
	answered(&w[0], 0);
	ck_assert_uint_eq(m.flushes, 6);
	finish();
}
END_TEST

START_TEST(test_zeroes_by_hand)
{
	struct ask z;

	start(2, NULL);
	memset(m.disk, 0xff, sizeof(m.disk));
	ask(&z, REQ_WRITE_ZEROES, 1, 2000, 0, 0);
	run(20 * NS_PER_MS);
	answered(&z, 0);
	ck_assert_uint_eq(m.zeroes, 0);
	ck_assert_int_eq(m.disk[BS], 0);
	ck_assert_mem_eq(m.disk + BS, m.disk + BS + 1, 2000 * BS - 1);
	ck_assert_int_eq(m.disk[BS - 1], 0xff);
	ck_assert_int_eq(m.disk[2001 * BS], 0xff);
	ask(&z, REQ_WRITE_ZEROES, 1, 8, 0, REQ_F_FAST_ZERO);
	run(20 * NS_PER_MS);
	answered(&z, EOPNOTSUPP);
	finish();
}
END_TEST

START_TEST(test_cancel)
{
	struct ask w1, w2, w3;

	start(1, depth_four);
	ask(&w1, REQ_WRITE, 0, 8, 1, 0);
	ask(&w2, REQ_WRITE, 0, 8, 2, 0);
	ask(&w3, REQ_WRITE, 64, 8, 3, 0);
	lun_cancel(w2.r); /* blocked */
	lun_cancel(w3.r); /* queued */
	run(NS_PER_MS);
	answered(&w1, 0);
	answered(&w2, ECANCELED);
	answered(&w3, ECANCELED);
	ck_assert_int_eq(m.disk[0], 1);
	ck_assert_int_eq(m.disk[64 * BS], 0);
	m.stall = true;
	ask(&w1, REQ_WRITE, 0, 8, 5, 0);
	run(NS_PER_MS);
	lun_cancel(w1.r); /* sent: runs to its end */
	run(NS_PER_SEC);
	ck_assert_uint_eq(w1.dones, 0);
	run(3600 * NS_PER_SEC);
	answered(&w1, 0);
	finish();
}
END_TEST

struct room {
	struct lun_waiter w;
	struct req *r;
	size_t bytes;
};

static bool room_fn(struct lun_waiter *w)
{
	struct room *room = container_of(w, struct room, w);

	room->r = lun_req_get(lun, room->bytes);
	return room->r != NULL;
}

START_TEST(test_room)
{
	struct req *a = NULL, *b = NULL;
	struct room big = { .w.fn = room_fn, .bytes = REQ_BYTES_MAX },
		    small = { .w.fn = room_fn, .bytes = BS };

	start(1, NULL);
	a = lun_req_get(lun, REQ_BYTES_MAX);
	b = lun_req_get(lun, BS);
	ck_assert(a && b);
	ck_assert_ptr_null(lun_req_get(lun, REQ_BYTES_MAX));
	lun_wait_room(lun, &big.w);
	lun_wait_room(lun, &small.w);
	ck_assert_ptr_null(lun_req_get(lun, BS)); /* somebody waits */
	run(NS_PER_MS);
	ck_assert(!big.r && !small.r);
	lun_req_put(b);
	run(NS_PER_MS);
	ck_assert(big.r && !small.r); /* all memory is out, and in the right order */
	lun_req_put(a);
	run(NS_PER_MS);
	ck_assert_ptr_nonnull(small.r);
	lun_req_put(big.r);
	lun_req_put(small.r);
	finish();
}
END_TEST

static uint32_t told_bytes;

static void tell_physical(struct lun_params *p)
{
	m.phys_block_bytes = told_bytes;
}

/* Devices lie about their physical blocks, and NBD clients are told to prefer them. */
START_TEST(test_physical_blocks_that_cannot_be)
{
	const struct { uint32_t told, is; } rows[] = {
		{ 0, BS }, { BS / 2, BS }, { BS, BS }, { 4096, 4096 }, { 4097, BS }, { 1u << 20, 1u << 20 },
		{ 1u << 21, BS }, { 1u << 31, BS },
	};
	struct lun_geometry g;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		told_bytes = rows[i].told;
		start(1, tell_physical);
		ck_assert(lun_geometry(lun, &g));
		ck_assert_uint_eq(g.phys_block_bytes, rows[i].is);
		finish();
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_read_write,
		test_merge,
		test_merge_bound,
		test_slices,
		test_split_on_error,
		test_depth_and_sweep,
		test_overlap,
		test_rmw,
		test_flush,
		test_flush_each_path,
		test_zeroes_by_hand,
		test_cancel,
		test_room,
		test_physical_blocks_that_cannot_be,
	};
	Suite *s = suite_create("lun");
	TCase *tc = tcase_create("lun");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
