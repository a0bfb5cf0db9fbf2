/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_sel.c - proves that selectors do what the manual says of them: shares
 * by speed, by weight and by distance, and that they can change under load.
 */
#include "lun_rig.h"

#include "core/path.h"

#define ASKS_MAX 64

static struct ask asks[ASKS_MAX];
static uint64_t next_lba;

/* @depth reads of @nblocks kept in flight for @ns; far enough apart not to be merged. */
static void load(unsigned depth, uint32_t nblocks, uint64_t ns)
{
	uint64_t end = loop_now_ns(loop) + ns;

	ck_assert_uint_le(depth, ASKS_MAX);
	for (unsigned i = 0; i < depth; i++)
		asks[i].r = NULL;
	while (loop_now_ns(loop) < end) {
		for (unsigned i = 0; i < depth; i++) {
			if (asks[i].r && !asks[i].dones)
				continue;
			if (asks[i].r)
				answered(&asks[i], 0);
			next_lba = (next_lba + 2 * nblocks) % (NBLOCKS - nblocks);
			ask(&asks[i], REQ_READ, next_lba, nblocks, 0, 0);
		}
		run(20 * NS_PER_US);
	}
	for (unsigned k = 0; k < 1000000; k++) {
		bool all = true;

		for (unsigned i = 0; i < depth; i++)
			all &= asks[i].dones > 0;
		if (all)
			break;
		run(100 * NS_PER_US);
	}
	for (unsigned i = 0; i < depth; i++)
		answered(&asks[i], 0);
}

static void forget_counts(void)
{
	memset(m.ncmds, 0, sizeof(m.ncmds));
	memset(m.bytes, 0, sizeof(m.bytes));
}

/* One after the other: what is sent is what the selector says, without any queue. */
static void one_by_one(unsigned n, uint32_t nblocks)
{
	for (unsigned i = 0; i < n; i++)
		load(1, nblocks, 1);
}

/* --- historical-service-time ------------------------------------------------------- */

static void historical(struct lun_params *p)
{
	p->selector = SEL_HISTORICAL;
	p->err_rate = 0; /* no path becomes marginal */
	p->depth = 32;
	p->polling_interval_ns = p->max_polling_interval_ns = 60 * NS_PER_SEC;
}

/* Paths that work at one command at a time get shares as their speeds. */
START_TEST(test_hist_shares)
{
	start(3, historical);
	m.serial = true;
	m.lat_ns[0] = 100 * NS_PER_US;
	m.lat_ns[1] = 200 * NS_PER_US;
	m.lat_ns[2] = 400 * NS_PER_US;
	load(24, 8, 20 * NS_PER_MS);
	forget_counts();
	load(24, 8, 400 * NS_PER_MS);
	/* 4 : 2 : 1, within an eighth */
	ck_assert_uint_ge(m.ncmds[0] * 8, m.ncmds[1] * 2 * 7);
	ck_assert_uint_le(m.ncmds[0] * 8, m.ncmds[1] * 2 * 9);
	ck_assert_uint_ge(m.ncmds[1] * 8, m.ncmds[2] * 2 * 7);
	ck_assert_uint_le(m.ncmds[1] * 8, m.ncmds[2] * 2 * 9);
	finish();
}
END_TEST

/* One path 30 ms slower: next to nothing goes there. */
START_TEST(test_hist_slow_path)
{
	start(2, historical);
	m.lat_ns[1] = 30 * NS_PER_MS;
	load(8, 8, 100 * NS_PER_MS);
	forget_counts();
	load(8, 8, 3 * NS_PER_SEC);
	ck_assert_uint_gt(m.ncmds[0], 100000);
	ck_assert_uint_ge(m.ncmds[1], 1); /* tried again */
	ck_assert_uint_le(m.ncmds[1], 3);
	finish();
}
END_TEST

/* And when it is quick again it is used again. */
START_TEST(test_hist_returns)
{
	start(2, historical);
	m.serial = true;
	m.lat_ns[1] = 30 * NS_PER_MS;
	load(8, 8, 100 * NS_PER_MS);
	m.lat_ns[1] = 0;
	load(8, 8, 15 * NS_PER_SEC);
	forget_counts();
	load(8, 8, 100 * NS_PER_MS);
	ck_assert_uint_ge(m.ncmds[1] * 3, m.ncmds[0]);
	finish();
}
END_TEST

/* Hardly any load: the slow one is not tried every other time. */
START_TEST(test_hist_sparse)
{
	start(2, historical);
	m.lat_ns[1] = 30 * NS_PER_MS;
	load(4, 8, 100 * NS_PER_MS);
	forget_counts();
	for (int i = 0; i < 100; i++) {
		load(1, 8, 1);
		run(3 * NS_PER_SEC);
	}
	ck_assert_uint_le(m.ncmds[1], 2);
	finish();
}
END_TEST

/* Sizes are told apart: what is slow for large commands may be quick for small ones. */
START_TEST(test_hist_classes)
{
	struct path *p;

	start(2, historical);
	m.lat_ns[0] = 100 * NS_PER_US;
	m.lat_ns[1] = 5 * NS_PER_MS;
	one_by_one(40, 256);
	ck_assert_uint_gt(m.ncmds[0], m.ncmds[1] * 4);
	p = &sps[1]->path;
	ck_assert_uint_ge(p->service_ewma_ns[3], 4 * NS_PER_MS);
	ck_assert_uint_eq(p->service_ewma_ns[0], 0);
	m.lat_ns[0] = 5 * NS_PER_MS;
	m.lat_ns[1] = 100 * NS_PER_US;
	forget_counts();
	one_by_one(60, 8);
	ck_assert_uint_gt(m.ncmds[1], m.ncmds[0]);
	finish();
}
END_TEST

/* Hours in flight are cut, nothing wraps. */
START_TEST(test_hist_range)
{
	struct ask a[8];

	start(2, historical);
	m.lat_ns[0] = m.lat_ns[1] = 10 * 3600 * NS_PER_SEC;
	for (int i = 0; i < 8; i++)
		ask(&a[i], REQ_READ, (uint64_t)i * 64, 8, 0, 0);
	run(11 * 3600 * NS_PER_SEC);
	for (int i = 0; i < 8; i++)
		answered(&a[i], 0);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(sps[i]->path.service_ewma_ns[0], 1ull << 38);
	m.lat_ns[0] = m.lat_ns[1] = 0;
	load(8, 8, 10 * NS_PER_MS);
	finish();
}
END_TEST

/* --- numa ---------------------------------------------------------------------------- */

static void numa(struct lun_params *p)
{
	p->selector = SEL_NUMA;
	p->depth = 64;
	p->path_depth = 64;
	p->numa_distance[0] = 10;
	p->numa_distance[1] = 20;
	p->numa_distance[2] = 30;
}

static void two_nodes(struct path *p, unsigned i)
{
	p->numa_node = i < 2;
}

static void three_nodes(struct path *p, unsigned i)
{
	p->numa_node = 2 - (int)i;
}

START_TEST(test_numa_local_first)
{
	tweak_path = two_nodes;
	start(4, numa);
	load(8, 8, 10 * NS_PER_MS);
	ck_assert_uint_eq(m.ncmds[0] + m.ncmds[1], 0);
	ck_assert_uint_gt(m.ncmds[2], 100);
	/* of equal distance: queue-length */
	ck_assert_uint_le(m.ncmds[2], m.ncmds[3] + 1);
	ck_assert_uint_le(m.ncmds[3], m.ncmds[2] + 1);
	/* none left */
	lun_fail_path(lun, &sps[2]->path);
	lun_fail_path(lun, &sps[3]->path);
	load(8, 8, 10 * NS_PER_MS);
	ck_assert_uint_gt(m.ncmds[0], 100);
	finish();
}
END_TEST

/* A long queue near, nothing far: a part goes there. */
START_TEST(test_numa_spill_by_queue)
{
	tweak_path = three_nodes;
	start(3, numa);
	m.stall = true;
	for (unsigned i = 0; i < 60; i++)
		ask(&asks[i], REQ_READ, (uint64_t)i * 64, 8, 0, 0);
	run(NS_PER_MS);
	/* node 0 is path 2 */
	ck_assert_uint_eq(m.ncmds[0] + m.ncmds[1] + m.ncmds[2], 60);
	ck_assert_uint_ge(m.ncmds[2], 40);
	ck_assert_uint_gt(m.ncmds[1], 5);
	/* the middle one is not long */
	ck_assert_uint_eq(m.ncmds[0], 0);
	ck_assert_uint_ge(m.ncmds[2] + 2, 2 * m.ncmds[1] + 16);
	run(2 * 3600 * NS_PER_SEC);
	for (unsigned i = 0; i < 60; i++)
		answered(&asks[i], 0);
	finish();
}
END_TEST

static void numa_cap(struct lun_params *p)
{
	numa(p);
	p->path_depth = 4;
}

/* The near one is full. */
START_TEST(test_numa_spill_by_cap)
{
	tweak_path = three_nodes;
	start(3, numa_cap);
	m.stall = true;
	for (unsigned i = 0; i < 9; i++)
		ask(&asks[i], REQ_READ, (uint64_t)i * 64, 8, 0, 0);
	run(NS_PER_MS);
	ck_assert_uint_eq(m.ncmds[2], 4);
	ck_assert_uint_eq(m.ncmds[1], 4);
	ck_assert_uint_eq(m.ncmds[0], 1);
	run(2 * 3600 * NS_PER_SEC);
	for (unsigned i = 0; i < 9; i++)
		answered(&asks[i], 0);
	finish();
}
END_TEST

static void nodes_unknown(struct path *p, unsigned i)
{
	p->numa_node = i ? -1 : 63;
}

START_TEST(test_numa_unknown)
{
	tweak_path = nodes_unknown;
	start(2, numa);
	load(8, 8, 10 * NS_PER_MS);
	ck_assert_uint_le(m.ncmds[0], m.ncmds[1] + 1);
	ck_assert_uint_le(m.ncmds[1], m.ncmds[0] + 1);
	finish();
}
END_TEST

/* --- round-robin --------------------------------------------------------------------- */

static void multibus_rr(struct lun_params *p)
{
	p->selector = SEL_ROUND_ROBIN;
	p->grouping = GROUP_MULTIBUS;
}

static void rr_io(struct lun_params *p)
{
	multibus_rr(p);
	p->rr_min_io = 3;
}

static void rr_prio(struct lun_params *p)
{
	rr_io(p);
	p->rr_weight = RR_PRIORITIES;
}

static void rr_bytes(struct lun_params *p)
{
	multibus_rr(p);
	p->rr_min_io = 1000;
	p->rr_min_bytes = 64 * 1024;
}

static void rr_bytes_prio(struct lun_params *p)
{
	rr_bytes(p);
	p->rr_weight = RR_PRIORITIES;
}

/* Priorities 1, 2 and 5, told by the next full check. */
static void give_prios(void)
{
	static const unsigned prios[] = { 1, 2, 5 };

	for (int i = 0; i < 3; i++) {
		m.prio[i] = prios[i];
		lun_fail_path(lun, &sps[i]->path);
		lun_reinstate_path(lun, &sps[i]->path);
	}
	run(10 * NS_PER_MS);
	forget_counts();
}

START_TEST(test_rr_weights)
{
	static const struct {
		void (*tweak)(struct lun_params *);
		uint32_t nblocks;
		unsigned n, share[3];
	} rows[] = {
		{ rr_io, 8, 90, { 30, 30, 30 } },
		{ rr_prio, 8, 240, { 30, 60, 150 } },
		/* 64 KiB are 16 commands of 4 KiB, 4 of 16 KiB, 2 of 48 KiB */
		{ rr_bytes, 8, 96, { 32, 32, 32 } },
		{ rr_bytes, 96, 12, { 4, 4, 4 } },
		{ rr_bytes_prio, 32, 96, { 12, 24, 60 } },
	};

	start(3, rows[_i].tweak);
	give_prios();
	one_by_one(rows[_i].n, rows[_i].nblocks);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(m.ncmds[i], rows[_i].share[i]);
	finish();
}
END_TEST

/* A turn is so long: not only the sums are right. */
START_TEST(test_rr_turns)
{
	unsigned before[3] = { 0 }, row = 0;
	int last = -1;

	start(3, rr_prio);
	give_prios();
	for (int i = 0; i < 48; i++) {
		int now = -1;

		one_by_one(1, 8);
		for (int k = 0; k < 3; k++)
			if (m.ncmds[k] != before[k])
				now = k;
		memcpy(before, m.ncmds, sizeof(before));
		if (last >= 0 && now != last)
			ck_assert_uint_eq(row, 3 * m.prio[last]);
		row = now == last ? row + 1 : 1;
		last = now;
	}
	finish();
}
END_TEST

/* --- change under load ------------------------------------------------------------------ */

static void deep(struct lun_params *p)
{
	p->depth = 24;
	p->numa_distance[0] = 10;
	p->numa_distance[1] = 20;
}

/* run() calls lun_verify(): by class, by path and by LUN the account is exact at every step. */
START_TEST(test_switch_under_load)
{
	uint64_t sent = 0, reqs = 0;
	struct lun_stats st;

	tweak_path = two_nodes;
	start(4, deep);
	m.serial = true;
	m.lat_ns[1] = NS_PER_MS;
	for (unsigned i = 0; i < 40 * SEL_NR; i++) {
		lun_set_selector(lun, (enum sel_kind)(i * 5 % SEL_NR));
		load(48, 8u << (i % 6), NS_PER_MS);
	}
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.inflight, 0);
	ck_assert_uint_le(st.inflight_max, 24);
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_gt(m.ncmds[i], 0);
		sent += m.ncmds[i];
		reqs += sps[i]->path.stats.reqs;
	}
	ck_assert_uint_eq(sent, st.cmds);
	ck_assert_uint_eq(reqs, st.reqs[REQ_READ]);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_hist_shares,	  test_hist_slow_path,	  test_hist_returns,
		test_hist_sparse,	  test_hist_classes,	  test_hist_range,
		test_numa_local_first,	  test_numa_spill_by_queue, test_numa_spill_by_cap,
		test_numa_unknown,	  test_rr_turns,	  test_switch_under_load,
	};
	Suite *s = suite_create("sel");
	TCase *tc = tcase_create("sel");

	tcase_set_timeout(tc, 120);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, test_rr_weights, 0, 5);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
