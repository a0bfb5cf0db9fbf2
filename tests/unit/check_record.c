/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_record.c - every move of a LUN is in the ring of events with its cause,
 * every command in the trace, and old ones leave in order
 */
#include "lun_rig.h"

#include "core/record.h"

/* The last event of @kind, or NULL. */
static const struct event *last(enum event_kind kind)
{
	const struct event *found = NULL, *ev;

	for (uint64_t n = 1; (ev = lun_event_get(lun, n)); n = ev->seq + 1)
		if (ev->kind == kind)
			found = ev;
	return found;
}

static void is(const struct event *ev, const char *subject, const char *from, const char *to,
	       const char *cause)
{
	ck_assert_ptr_nonnull(ev);
	ck_assert_str_eq(ev->subject, subject);
	ck_assert_str_eq(ev->from, from);
	ck_assert_str_eq(ev->to, to);
	ck_assert_msg(strstr(ev->cause, cause) != NULL, "cause: %s", ev->cause);
	ck_assert_uint_le(ev->at_ns, loop_now_ns(loop));
}

START_TEST(test_moves)
{
	struct lun_params par;

	start(2, NULL);
	is(last(EVENT_LUN), "", "starting", "up", "usable");
	is(last(EVENT_PATH), "sim1", "checking", "active", "");
	m.prio[0] = 50;
	m.prio[1] = 10;
	for (int i = 0; i < 2; i++)
		lun_reinstate_path(lun, &sps[i]->path);
	run(10 * NS_PER_MS);
	m.down[0] = true;
	path_lost(&sps[0]->path, "the cable is out");
	run(10 * NS_PER_MS);
	is(last(EVENT_PATH), "sim0", "active", "failed", "the cable is out");
	is(last(EVENT_GROUP), "", "", "0", "priority 10, 1 paths usable");
	par = *lun_params(lun);
	par.depth = 5;
	lun_apply(lun, &par);
	run(NS_PER_MS);
	is(last(EVENT_DEPTH), "", "64", "5", "as configured");
	m.down[1] = true;
	path_lost(&sps[1]->path, "that one, too");
	run(10 * NS_PER_MS);
	is(last(EVENT_LUN), "", "up", "dark", "no usable path");
	finish();
}
END_TEST

START_TEST(test_full)
{
	struct ask a[8];

	start(1, NULL);
	m.next[0] = (struct outcome){ .verdict = V_SLOW };
	m.fail_n[0] = 1;
	for (unsigned i = 0; i < 8; i++)
		ask(&a[i], REQ_READ, i * 100, 8, 0, 0);
	run(500 * NS_PER_MS);
	is(last(EVENT_DEPTH), "", "64", "7", "the LUN was full");
	for (unsigned i = 0; i < 8; i++)
		answered(&a[i], 0);
	finish();
}
END_TEST

/* The newest EVENTS_MAX are kept; a reader learns from the numbers what it has missed. */
START_TEST(test_ring)
{
	char name[300];
	uint64_t before;

	start(1, NULL);
	before = lun_event_next(lun);
	ck_assert_ptr_null(lun_event_get(lun, before));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (unsigned i = 0; i < EVENTS_MAX + 10; i++) {
		name[sizeof(name) - 2] = (char)('a' + i % 26);
		lun_event(lun, EVENT_CONFIG, name, name, name, name);
	}
	ck_assert_uint_eq(lun_event_next(lun), before + EVENTS_MAX + 10);
	ck_assert_uint_eq(lun_event_get(lun, 1)->seq, before + 10);
	ck_assert_uint_eq(lun_event_get(lun, before + 500)->seq, before + 500);
	/* Of a long name the end is kept. */
	ck_assert_uint_eq(strlen(lun_event_get(lun, 1)->subject), sizeof(((struct event *)0)->subject) - 1);
	ck_assert_int_eq(lun_event_get(lun, before + 26)->subject[78], 'a');
	ck_assert_ptr_null(lun_event_get(lun, before + EVENTS_MAX + 10));
	finish();
}
END_TEST

/* Clients that come and go push nothing else out. */
START_TEST(test_clients)
{
	uint64_t before;

	start(1, NULL);
	before = lun_event_next(lun);
	for (unsigned i = 0; i < 1000; i++)
		lun_event(lun, EVENT_CLIENT, "unix pid 1", "", "connected", "NBD");
	ck_assert_uint_eq(lun_event_next(lun), before + 20);
	run(11 * NS_PER_SEC);
	lun_event(lun, EVENT_CLIENT, "unix pid 1", "", "connected", "NBD");
	is(last(EVENT_CLIENT), "unix pid 1", "", "connected", "NBD");
	ck_assert_uint_gt(last(EVENT_CLIENT)->seq, before + 19);
	finish();
}
END_TEST

START_TEST(test_trace)
{
	const struct trace *t;
	struct ask a;

	start(2, NULL);
	ck_assert_uint_eq(lun_trace_next(lun), 1);
	ck_assert_ptr_null(lun_trace_get(lun, 1));
	m.next[0] = m.next[1] = (struct outcome){ .verdict = V_OTHER, .err = EIO };
	m.fail_n[0] = m.fail_n[1] = 1;
	ask(&a, REQ_WRITE, 80, 8, 1, 0);
	run(10 * NS_PER_MS);
	ck_assert_uint_gt(lun_trace_next(lun), 2);
	t = lun_trace_get(lun, 1);
	ck_assert_uint_eq(t->lba, 80);
	ck_assert_uint_eq(t->nblocks, 8);
	ck_assert_int_eq(t->op, CMD_WRITE);
	ck_assert_int_eq(t->verdict, V_OTHER);
	ck_assert_uint_eq(t->tries, 1);
	ck_assert_uint_eq(t->nreqs, 1);
	ck_assert_uint_eq(t->service_ns, 100 * NS_PER_US);
	ck_assert_str_eq(t->path, "sim0");
	t = lun_trace_get(lun, 2);
	ck_assert_str_eq(t->path, "sim1");
	ck_assert_uint_eq(t->tries, 2);
	ck_assert_uint_ge(t->queue_ns, 100 * NS_PER_US);
	run(NS_PER_SEC);
	answered(&a, 0);
	t = lun_trace_get(lun, lun_trace_next(lun) - 1);
	ck_assert_int_eq(t->verdict, V_OK);
	for (unsigned i = 0; i < TRACE_MAX; i++) {
		ask(&a, REQ_READ, i, 1, 0, 0);
		run(NS_PER_MS);
		answered(&a, 0);
	}
	ck_assert_uint_eq(lun_trace_get(lun, 1)->seq, lun_trace_next(lun) - TRACE_MAX);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("record");
	TCase *tc = tcase_create("record");

	tcase_add_test(tc, test_moves);
	tcase_add_test(tc, test_full);
	tcase_add_test(tc, test_ring);
	tcase_add_test(tc, test_clients);
	tcase_add_test(tc, test_trace);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
