/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_loop_sim.c - proves the common part of the loop (timers, tasks, phases)
 * on the simulated body, and that virtual time moves only when nothing is left.
 */
#include <config.h>

#include "base/prng.h"
#include "base/units.h"
#include "loop/loop.h"
#include "unit.h"

#define START_NS 1000u

static struct loop *loop;

/* What happened, one letter an event. */
static char trace[256];

static void note(char c)
{
	size_t len = strlen(trace);

	ck_assert_uint_lt(len, sizeof(trace) - 1);
	trace[len] = c;
}

#define ck_assert_trace(want)                 \
	do {                                  \
		ck_assert_str_eq(trace, want); \
		memset(trace, 0, sizeof(trace)); \
	} while (0)

static void setup(void)
{
	loop = loop_sim_new(START_NS);
	ck_assert_ptr_nonnull(loop);
	memset(trace, 0, sizeof(trace));
}

static void teardown(void)
{
	loop_free(loop);
}

/* A timer or task that notes its name, then does one thing to another one. */
struct actor {
	struct loop_timer timer;
	struct loop_task task;
	char name;
	unsigned fired;
	uint64_t fired_ns;
	struct actor *start, *stop; /* start in start_in_ns; may be itself */
	uint64_t start_in_ns;
	struct actor *queue, *cancel;
	uint64_t advance_ns;
	bool stop_loop;
};

static void act(struct actor *a)
{
	note(a->name);
	a->fired++;
	a->fired_ns = loop_now_ns(loop);
	loop_sim_advance(loop, a->advance_ns);
	if (a->start)
		loop_timer_in(loop, &a->start->timer, a->start_in_ns);
	if (a->stop)
		loop_timer_stop(loop, &a->stop->timer);
	if (a->queue)
		loop_task_queue(loop, &a->queue->task);
	if (a->cancel)
		loop_task_cancel(loop, &a->cancel->task);
	if (a->stop_loop)
		loop_stop(loop);
}

static void timer_fn(struct loop_timer *t)
{
	ck_assert(!loop_timer_running(t));
	act(container_of(t, struct actor, timer));
}

static void task_fn(struct loop_task *t)
{
	act(container_of(t, struct actor, task));
}

static void actor_init(struct actor *a, char name, enum loop_phase phase)
{
	memset(a, 0, sizeof(*a));
	a->name = name;
	loop_timer_init(&a->timer, timer_fn);
	loop_task_init(&a->task, phase, task_fn);
}

static void run_out(void)
{
	while (loop_sim_step(loop))
		;
}

/* --- clock and timers --- */

START_TEST(test_clock)
{
	ck_assert_uint_eq(loop_now_ns(loop), START_NS);
	ck_assert(!loop_sim_step(loop));
	ck_assert_uint_eq(loop_now_ns(loop), START_NS);
	loop_sim_advance(loop, 5);
	ck_assert_uint_eq(loop_now_ns(loop), START_NS + 5);
	ck_assert_uint_eq(loop_clock_ns(loop), START_NS + 5);
}
END_TEST

START_TEST(test_timer_order)
{
	struct actor a, b, c, d;

	actor_init(&a, 'a', LOOP_COLLECT);
	actor_init(&b, 'b', LOOP_COLLECT);
	actor_init(&c, 'c', LOOP_COLLECT);
	actor_init(&d, 'd', LOOP_COLLECT);
	loop_timer_in(loop, &a.timer, 30);
	loop_timer_in(loop, &b.timer, 10);
	loop_timer_at(loop, &c.timer, START_NS + 30); /* as a, but started later */
	loop_timer_in(loop, &d.timer, 20);
	ck_assert(loop_timer_running(&a.timer));
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("b");
	ck_assert_uint_eq(loop_now_ns(loop), START_NS + 10);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("d");
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("ac"); /* due together, fired together */
	ck_assert_uint_eq(loop_now_ns(loop), START_NS + 30);
	ck_assert(!loop_sim_step(loop));
	ck_assert_uint_eq(loop_turns(loop), 3);
}
END_TEST

START_TEST(test_timer_restart_and_stop)
{
	struct actor a, b;

	actor_init(&a, 'a', LOOP_COLLECT);
	actor_init(&b, 'b', LOOP_COLLECT);
	loop_timer_stop(loop, &a.timer); /* harmless */
	loop_timer_in(loop, &a.timer, 10);
	loop_timer_in(loop, &b.timer, 20);
	loop_timer_in(loop, &a.timer, 20); /* now behind b */
	run_out();
	ck_assert_trace("ba");
	ck_assert_uint_eq(a.fired_ns, START_NS + 20);

	loop_timer_in(loop, &a.timer, 10);
	loop_timer_stop(loop, &a.timer);
	loop_timer_stop(loop, &a.timer);
	ck_assert(!loop_timer_running(&a.timer));
	ck_assert(!loop_sim_step(loop));
	ck_assert_trace("");
}
END_TEST

START_TEST(test_timer_never)
{
	struct actor a;

	actor_init(&a, 'a', LOOP_COLLECT);
	loop_timer_at(loop, &a.timer, NS_NEVER);
	ck_assert(!loop_timer_running(&a.timer));
	loop_timer_in(loop, &a.timer, 10);
	loop_timer_in(loop, &a.timer, NS_NEVER); /* no overflow into the past */
	ck_assert(!loop_timer_running(&a.timer));
	loop_timer_in(loop, &a.timer, NS_NEVER - 1);
	ck_assert(!loop_timer_running(&a.timer));
	ck_assert(!loop_sim_step(loop));
}
END_TEST

START_TEST(test_timer_in_the_past)
{
	struct actor a, b;

	actor_init(&a, 'a', LOOP_COLLECT);
	actor_init(&b, 'b', LOOP_COLLECT);
	loop_timer_at(loop, &a.timer, START_NS);
	loop_timer_at(loop, &b.timer, 3);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("ab"); /* both were due at once: in the order of their start */
	ck_assert_uint_eq(loop_now_ns(loop), START_NS);
}
END_TEST

START_TEST(test_timer_stops_another_that_is_due)
{
	struct actor a, b, c;

	actor_init(&a, 'a', LOOP_COLLECT);
	actor_init(&b, 'b', LOOP_COLLECT);
	actor_init(&c, 'c', LOOP_COLLECT);
	a.stop = &b;
	loop_timer_in(loop, &a.timer, 10);
	loop_timer_in(loop, &b.timer, 10);
	loop_timer_in(loop, &c.timer, 10);
	run_out();
	ck_assert_trace("ac");
}
END_TEST

/* A timer that restarts itself at once fires once a collect and does not keep
 * another one, which was due later, from firing. */
START_TEST(test_timer_restarts_itself_at_once)
{
	struct actor a, b;

	actor_init(&a, 'a', LOOP_COLLECT);
	actor_init(&b, 'b', LOOP_COLLECT);
	a.start = &a;
	loop_timer_in(loop, &a.timer, 10);
	loop_timer_in(loop, &b.timer, 10);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("ab");
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("a");
	ck_assert_uint_eq(loop_now_ns(loop), START_NS + 10);
	loop_timer_stop(loop, &a.timer);
}
END_TEST

/* What is late fires one by one, with the phases in between: it would have had turns of its own. */
START_TEST(test_late_timers)
{
	struct actor a, b;

	actor_init(&a, 'a', LOOP_COLLECT);
	actor_init(&b, 'b', LOOP_COLLECT);
	loop_timer_in(loop, &b.timer, 12);
	loop_timer_in(loop, &a.timer, 10);
	loop_sim_advance(loop, 15);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("a");
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("b");
	ck_assert_uint_eq(loop_now_ns(loop), START_NS + 15);
}
END_TEST

/* Time passes inside a callback: what becomes due by that waits for the next collect. */
START_TEST(test_timer_due_during_collect)
{
	struct actor a, b;

	actor_init(&a, 'a', LOOP_COLLECT);
	actor_init(&b, 'b', LOOP_COLLECT);
	a.advance_ns = 100;
	loop_timer_in(loop, &a.timer, 10);
	loop_timer_in(loop, &b.timer, 50);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("a");
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("b");
	ck_assert_uint_eq(b.fired_ns, START_NS + 110); /* time does not go back */
}
END_TEST

/* --- tasks and phases --- */

START_TEST(test_phases_in_order)
{
	struct actor collect, decide, flush, timer;

	actor_init(&collect, 'c', LOOP_COLLECT);
	actor_init(&decide, 'd', LOOP_DECIDE);
	actor_init(&flush, 'f', LOOP_FLUSH);
	actor_init(&timer, 't', LOOP_COLLECT);
	loop_task_queue(loop, &flush.task);
	loop_task_queue(loop, &decide.task);
	loop_task_queue(loop, &collect.task);
	loop_timer_at(loop, &timer.timer, 0);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("tcdf");
	ck_assert(!loop_sim_step(loop));
}
END_TEST

/* What a phase queues for a later one runs in this round, for itself or an
 * earlier one in the next. */
START_TEST(test_task_queues_task)
{
	static const struct {
		enum loop_phase from, to;
		const char *first_round;
	} rows[] = {
		{ LOOP_COLLECT, LOOP_COLLECT, "a" },
		{ LOOP_COLLECT, LOOP_DECIDE, "ab" },
		{ LOOP_COLLECT, LOOP_FLUSH, "ab" },
		{ LOOP_DECIDE, LOOP_COLLECT, "a" },
		{ LOOP_DECIDE, LOOP_DECIDE, "a" },
		{ LOOP_DECIDE, LOOP_FLUSH, "ab" },
		{ LOOP_FLUSH, LOOP_COLLECT, "a" },
		{ LOOP_FLUSH, LOOP_DECIDE, "a" },
		{ LOOP_FLUSH, LOOP_FLUSH, "a" },
	};
	struct actor a, b;

	actor_init(&a, 'a', rows[_i].from);
	actor_init(&b, 'b', rows[_i].to);
	a.queue = &b;
	loop_task_queue(loop, &a.task);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace(rows[_i].first_round);
	run_out();
	ck_assert_uint_eq(b.fired, 1);
}
END_TEST

START_TEST(test_task_queues_itself)
{
	struct actor a, b;

	actor_init(&a, 'a', LOOP_DECIDE);
	actor_init(&b, 'b', LOOP_DECIDE);
	a.queue = &a;
	loop_task_queue(loop, &a.task);
	loop_task_queue(loop, &b.task);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("ab");
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("a");
	loop_task_cancel(loop, &a.task);
	ck_assert(!loop_sim_step(loop));
}
END_TEST

START_TEST(test_task_twice_is_once)
{
	struct actor a, b;

	actor_init(&a, 'a', LOOP_DECIDE);
	actor_init(&b, 'b', LOOP_DECIDE);
	loop_task_queue(loop, &a.task);
	loop_task_queue(loop, &b.task);
	loop_task_queue(loop, &a.task); /* keeps its place, and b stays linked */
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("ab");
	ck_assert(!loop_sim_step(loop));
}
END_TEST

START_TEST(test_task_cancel)
{
	struct actor t[4];
	int i;

	for (i = 0; i < 4; i++) {
		actor_init(&t[i], (char)('a' + i), LOOP_DECIDE);
		loop_task_queue(loop, &t[i].task);
	}
	loop_task_cancel(loop, &t[1].task);
	loop_task_cancel(loop, &t[1].task); /* harmless */
	t[0].cancel = &t[3]; /* the last of the phase that runs now */
	t[2].queue = &t[1];
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("ac");
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("b");
	ck_assert(!loop_sim_step(loop));
}
END_TEST

START_TEST(test_tasks_before_time)
{
	struct actor task, timer;

	actor_init(&task, 'q', LOOP_FLUSH);
	actor_init(&timer, 't', LOOP_COLLECT);
	timer.queue = &task;
	loop_timer_in(loop, &timer.timer, 10);
	loop_task_queue(loop, &task.task);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("q");
	ck_assert_uint_eq(loop_now_ns(loop), START_NS);
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("t");
	ck_assert(loop_sim_step(loop));
	ck_assert_trace("q");
	ck_assert(!loop_sim_step(loop));
}
END_TEST

/* --- running --- */

START_TEST(test_run_ends)
{
	struct actor a, b, c;

	actor_init(&a, 'a', LOOP_DECIDE);
	actor_init(&b, 'b', LOOP_FLUSH);
	actor_init(&c, 'c', LOOP_COLLECT);
	a.stop_loop = true;
	a.queue = &b;
	loop_task_queue(loop, &a.task);
	loop_timer_in(loop, &c.timer, 10);
	loop_run(loop);
	ck_assert_trace("ab"); /* the turn was finished */
	loop_run(loop);	       /* until nothing is left */
	ck_assert_trace("c");
	loop_timer_in(loop, &c.timer, 10);
	loop_timer_in(loop, &b.timer, 20);
	loop_stop(loop);
	loop_run(loop);
	ck_assert_trace("c");
	loop_run(loop);
	ck_assert_trace("b");
}
END_TEST

START_TEST(test_longest_turn)
{
	struct actor a;

	actor_init(&a, 'a', LOOP_DECIDE);
	a.advance_ns = 700;
	loop_task_queue(loop, &a.task);
	run_out();
	ck_assert_uint_eq(loop_longest_turn_ns(loop), 700);
	a.advance_ns = 300;
	loop_task_queue(loop, &a.task);
	run_out();
	ck_assert_uint_eq(loop_longest_turn_ns(loop), 700);
	loop_lag_reset(loop);
	ck_assert_uint_eq(loop_longest_turn_ns(loop), 0);
	loop_timer_in(loop, &a.timer, 5000); /* the sleep is not part of the turn */
	run_out();
	ck_assert_uint_eq(loop_longest_turn_ns(loop), 300);
	ck_assert_uint_eq(loop_turns(loop), 3);
}
END_TEST

static void no_fd(struct loop_fd *f, int events)
{
	ck_abort_msg("the simulated body watches nothing");
}

static void no_signal(struct loop_signal *s)
{
	ck_abort_msg("the simulated body delivers no signal");
}

START_TEST(test_fds_and_signals_are_inert)
{
	struct loop_signal sig = { 0 };
	struct loop_fd f;

	loop_fd_init(&f, 0, no_fd);
	ck_assert_int_eq(f.events, 0);
	loop_fd_set(loop, &f, LOOP_READ | LOOP_WRITE);
	ck_assert_int_eq(f.events, LOOP_READ | LOOP_WRITE);
	loop_fd_set(loop, &f, LOOP_WRITE);
	ck_assert_int_eq(f.events, LOOP_WRITE);
	loop_signal_stop(loop, &sig); /* harmless */
	loop_signal_start(loop, &sig, SIGTERM, no_signal);
	ck_assert_int_eq(sig.signo, SIGTERM);
	ck_assert(!loop_sim_step(loop));
	loop_signal_stop(loop, &sig);
	loop_fd_set(loop, &f, 0);
	ck_assert_int_eq(f.events, 0);
}
END_TEST

/* --- timers against a model --- */

enum { MODEL_TIMERS = 40 };

static struct model_timer {
	struct loop_timer timer;
	uint64_t due_ns, order; /* order 0: not running */
} model[MODEL_TIMERS];

static unsigned model_fired;

static struct model_timer *model_first(void)
{
	struct model_timer *first = NULL;
	int i;

	for (i = 0; i < MODEL_TIMERS; i++) {
		struct model_timer *m = &model[i];

		if (m->order && (!first || m->due_ns < first->due_ns ||
				 (m->due_ns == first->due_ns && m->order < first->order)))
			first = m;
	}
	return first;
}

static void model_fn(struct loop_timer *t)
{
	struct model_timer *m = container_of(t, struct model_timer, timer);

	ck_assert_ptr_eq(m, model_first());
	ck_assert_uint_eq(m->due_ns, loop_now_ns(loop));
	m->order = 0;
	model_fired++;
}

START_TEST(test_timers_against_model)
{
	uint64_t order = 0;
	struct prng r;
	int step, i;
	bool any;

	prng_init(&r, (uint64_t)_i, 3);
	for (i = 0; i < MODEL_TIMERS; i++)
		loop_timer_init(&model[i].timer, model_fn);
	for (step = 0; step < 5000; step++) {
		struct model_timer *m = &model[prng_below(&r, MODEL_TIMERS)];

		switch (prng_below(&r, 4)) {
		case 0:
			loop_timer_stop(loop, &m->timer);
			m->order = 0;
			break;
		case 1:
			any = model_first() != NULL;
			model_fired = 0;
			ck_assert(loop_sim_step(loop) == any);
			ck_assert((model_fired > 0) == any);
			break;
		default: /* few distinct times, so that many are equal */
			m->due_ns = loop_now_ns(loop) + 1 + prng_below(&r, 20);
			m->order = ++order;
			loop_timer_at(loop, &m->timer, m->due_ns);
		}
		for (i = 0; i < MODEL_TIMERS; i++)
			ck_assert(loop_timer_running(&model[i].timer) == (model[i].order != 0));
	}
	run_out();
	ck_assert_ptr_null(model_first());
}
END_TEST

/* --- what must be stopped before the end --- */

START_TEST(test_free_null)
{
	loop_free(NULL);
}
END_TEST

START_TEST(test_free_with_timer)
{
	struct actor a;

	actor_init(&a, 'a', LOOP_COLLECT);
	loop_timer_in(loop, &a.timer, 1);
	loop_free(loop);
}
END_TEST

START_TEST(test_free_with_task)
{
	struct actor a;

	actor_init(&a, 'a', LOOP_FLUSH);
	loop_task_queue(loop, &a.task);
	loop_free(loop);
}
END_TEST

START_TEST(test_free_with_fd)
{
	struct loop_fd f;

	loop_fd_init(&f, 0, no_fd);
	loop_fd_set(loop, &f, LOOP_READ);
	loop_free(loop);
}
END_TEST

START_TEST(test_watch_closed_fd)
{
	struct loop_fd f;

	loop_fd_init(&f, -1, no_fd);
	loop_fd_set(loop, &f, LOOP_READ);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop_sim");
	TCase *tc = tcase_create("loop_sim");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_clock);
	tcase_add_test(tc, test_timer_order);
	tcase_add_test(tc, test_timer_restart_and_stop);
	tcase_add_test(tc, test_timer_never);
	tcase_add_test(tc, test_timer_in_the_past);
	tcase_add_test(tc, test_timer_stops_another_that_is_due);
	tcase_add_test(tc, test_timer_restarts_itself_at_once);
	tcase_add_test(tc, test_late_timers);
	tcase_add_test(tc, test_timer_due_during_collect);
	tcase_add_test(tc, test_phases_in_order);
	tcase_add_loop_test(tc, test_task_queues_task, 0, 9);
	tcase_add_test(tc, test_task_queues_itself);
	tcase_add_test(tc, test_task_twice_is_once);
	tcase_add_test(tc, test_task_cancel);
	tcase_add_test(tc, test_tasks_before_time);
	tcase_add_test(tc, test_run_ends);
	tcase_add_test(tc, test_longest_turn);
	tcase_add_test(tc, test_fds_and_signals_are_inert);
	tcase_add_loop_test(tc, test_timers_against_model, 0, 5);
	tcase_add_test(tc, test_free_null);
	unit_add_abort(tc, test_free_with_timer);
	unit_add_abort(tc, test_free_with_task);
	unit_add_abort(tc, test_free_with_fd);
	unit_add_abort(tc, test_watch_closed_fd);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
