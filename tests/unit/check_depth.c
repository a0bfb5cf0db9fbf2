/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_depth.c - proves that the LUN's depth follows what is seen of a full
 * LUN, and what is only hinted at, and that the paths of one host share its cap.
 */
#include "lun_rig.h"

#include "core/path.h"
#include "core/qdepth.h"

/* --- the account alone ------------------------------------------------------------- */

static void fill(struct qdepth *q, unsigned n)
{
	while (n--)
		qdepth_take(q);
}

START_TEST(test_hint)
{
	uint64_t now = 100 * NS_PER_SEC;
	struct qdepth q;

	qdepth_init(&q, 64);
	fill(&q, 40);
	for (int i = 0; i < 40; i++)
		qdepth_give(&q);
	/* 40 were tried, not 64, and nothing is in flight now */
	qdepth_hint(&q, now);
	ck_assert_uint_eq(q.limit, 30);
	/* the other paths of the same burst */
	qdepth_hint(&q, now + QDEPTH_BURST_NS - 1);
	ck_assert_uint_eq(q.limit, 30);
	ck_assert_uint_eq(q.hidden, 1);
	/* it goes on, down to one and no further */
	for (int i = 0; i < 30; i++) {
		now += QDEPTH_BURST_NS;
		fill(&q, q.limit);
		while (q.inflight)
			qdepth_give(&q);
		qdepth_hint(&q, now);
	}
	ck_assert_uint_eq(q.limit, 1);
	/* quiet */
	for (int i = 0; i < 8; i++) {
		now += QDEPTH_QUIET_NS;
		qdepth_good(&q, now);
	}
	ck_assert_uint_eq(q.limit, 64);
	ck_assert_uint_eq(q.hidden, 31);
}
END_TEST

/* What a hint does not know, a refusal does: nothing in flight is one command. */
START_TEST(test_hint_and_full)
{
	struct qdepth q;

	qdepth_init(&q, 32);
	fill(&q, 32);
	qdepth_full(&q, NS_PER_SEC);
	ck_assert_uint_eq(q.limit, 24);
	qdepth_hint(&q, NS_PER_SEC + 1);
	ck_assert_uint_eq(q.limit, 24);
	ck_assert_uint_eq(q.shrunk, 1);
	ck_assert_uint_eq(q.hidden, 0);
}
END_TEST

/* --- a path tells core ---------------------------------------------------------------- */

static struct ask asks[32];

static void send(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ask(&asks[i], REQ_READ, (uint64_t)i * 64, 8, 0, 0);
}

static void all_answered(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		answered(&asks[i], 0);
}

static void depth_16(struct lun_params *p)
{
	p->depth = 16;
	p->polling_interval_ns = p->max_polling_interval_ns = 600 * NS_PER_SEC;
}

START_TEST(test_path_full)
{
	struct lun_stats st;

	start(2, depth_16);
	m.lat_ns[0] = m.lat_ns[1] = NS_PER_MS;
	send(32);
	run(100 * NS_PER_MS);
	all_answered(32);
	path_full(&sps[0]->path);
	path_full(&sps[1]->path);
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.depth, 12);
	ck_assert_uint_eq(st.depth_max, 16);
	ck_assert_uint_eq(st.depth_hints, 1);
	m.inflight_max = 0;
	send(32);
	run(100 * NS_PER_MS);
	all_answered(32);
	ck_assert_uint_eq(m.inflight_max, 12);
	/* no failure, no path lost; quiet restores */
	for (int i = 0; i < 3; i++) {
		run(1100 * NS_PER_MS);
		send(1);
		run(10 * NS_PER_MS);
		all_answered(1);
	}
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.depth, 16);
	ck_assert_uint_eq(st.errors, 0);
	finish();
}
END_TEST

START_TEST(test_path_depth)
{
	struct lun_stats st;

	start(2, depth_16);
	m.lat_ns[0] = m.lat_ns[1] = NS_PER_MS;
	path_depth(&sps[0]->path, 6); /* was not told before: 0 */
	ck_assert_uint_eq(sps[0]->path.depth, 6);
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.depth_hints, 0);
	path_depth(&sps[0]->path, 2);
	send(20);
	run(500 * NS_PER_US);
	ck_assert_uint_le(sps[0]->path.inflight, 2);
	run(100 * NS_PER_MS);
	all_answered(20);
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.depth_hints, 1);
	ck_assert_uint_eq(sps[0]->path.stats.inflight_max, 2);
	path_depth(&sps[0]->path, 6);
	ck_assert_uint_eq(sps[0]->path.depth, 6);
	lun_get_stats(lun, &st);
	ck_assert_uint_eq(st.depth_hints, 1);
	finish();
}
END_TEST

/* --- hosts ---------------------------------------------------------------------------------- */

/* Paths 0 and 1 at host 3, 2 at host 4, 3 at none. */
static void three_hosts(struct path *p, unsigned i)
{
	static const int host[] = { 3, 3, 4, -1 };

	p->host = host[i];
}

static void host_cap_5(struct lun_params *p)
{
	depth_16(p);
	p->depth = 32;
	p->grouping = GROUP_MULTIBUS;
	p->host_depth = 5;
}

static unsigned at_host(int host)
{
	unsigned n = 0;

	for (int i = 0; i < 4; i++)
		n += sps[i]->path.host == host ? sps[i]->path.inflight : 0;
	return n;
}

START_TEST(test_host_cap)
{
	tweak_path = three_hosts;
	start(4, host_cap_5);
	m.stall = true;
	send(32);
	run(NS_PER_MS);
	ck_assert_uint_eq(at_host(3), 5);
	ck_assert_uint_eq(at_host(4), 5);
	ck_assert_uint_eq(at_host(-1), 22);
	/* a path that goes takes its share along */
	run(2 * 3600 * NS_PER_SEC);
	all_answered(32);
	lun_remove_path(lun, &sps[0]->path, "test");
	run(10 * NS_PER_MS);
	send(32);
	run(NS_PER_MS);
	ck_assert_uint_eq(sps[1]->path.inflight, 5);
	run(2 * 3600 * NS_PER_SEC);
	all_answered(32);
	finish();
}
END_TEST

/* A full host is no obstacle for long: room there is noticed. */
START_TEST(test_host_cap_flows)
{
	tweak_path = three_hosts;
	start(2, host_cap_5);
	send(32);
	run(20 * NS_PER_MS);
	all_answered(32);
	ck_assert_uint_eq(m.inflight_max, 5);
	finish();
}
END_TEST

static unsigned conf_host_depth, tags;

static void one_host(struct path *p, unsigned i)
{
	p->host = 3;
}

static void host_by_row(struct lun_params *p)
{
	host_cap_5(p);
	p->host_depth = conf_host_depth;
	m.host_tags = tags;
}

START_TEST(test_host_tags)
{
	static const struct {
		unsigned npaths, tags, conf, cap;
	} rows[] = {
		{ 1, 0, 0, 0 }, { 1, 0, 7, 7 },	 { 1, 1, 0, 1 }, { 1, 2, 0, 1 }, { 1, 3, 0, 2 },
		{ 1, 8, 0, 6 }, { 1, 8, 20, 7 }, { 1, 8, 3, 3 }, { 1, 1, 9, 1 }, { 1, 256, 0, 192 },
		/* each path may have a check under way besides */
		{ 4, 8, 0, 4 }, { 4, 8, 20, 4 }, { 4, 8, 3, 3 }, { 4, 16, 0, 12 }, { 4, 4, 0, 1 },
		{ 8, 4, 0, 1 }, { 8, 256, 0, 192 },
	};

	tweak_path = one_host;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		tags = rows[i].tags;
		conf_host_depth = rows[i].conf;
		start(rows[i].npaths, host_by_row);
		ck_assert_uint_eq(sps[0]->path.adapter->depth, rows[i].cap);
		/* paths leave, and their checks with them */
		for (unsigned p = 1; p < rows[i].npaths; p++)
			lun_remove_path(lun, &sps[p]->path, "test");
		run(10 * NS_PER_MS);
		ck_assert_uint_ge(sps[0]->path.adapter->depth, rows[i].cap);
		finish();
	}
	tweak_path = NULL;
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_hint,	test_hint_and_full,  test_path_full, test_path_depth,
		test_host_cap,	test_host_cap_flows, test_host_tags,
	};
	Suite *s = suite_create("depth");
	TCase *tc = tcase_create("depth");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
