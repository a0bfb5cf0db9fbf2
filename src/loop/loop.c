/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.c - timers, tasks and phases: the part that does not depend on where
 * time and events come from.
 *
 * Timers stand on one tree by (due time, start order).  A start in the past
 * counts as a start now, so a timer that is started while timers are fired
 * sorts behind all that are due, and a callback that restarts its own timer
 * at once cannot keep the phases from running.
 *
 * A phase runs what is queued before its mark.  The mark is a task in the same
 * queue, so whatever a callback cancels, the end of the phase stays where it is.
 */
#include <config.h>

#include <assert.h>

#include "base/units.h"
#include "loop/loop_body.h"

static int timer_cmp(const struct loop_timer *a, const struct loop_timer *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_PROTOTYPE(loop_timers, loop_timer, link, timer_cmp)
RB_GENERATE(loop_timers, loop_timer, link, timer_cmp)

/* --- clock --- */

uint64_t loop_now_ns(const struct loop *l)
{
	return l->now_ns;
}

uint64_t loop_clock_ns(struct loop *l)
{
	return l->ops->clock_ns(l);
}

/* --- timers --- */

void loop_timer_init(struct loop_timer *t, void (*fn)(struct loop_timer *t))
{
	*t = (struct loop_timer){ .fn = fn, .due_ns = NS_NEVER };
}

/* NS_NEVER is a time as well: such a timer does not run. */
void loop_timer_at(struct loop *l, struct loop_timer *t, uint64_t due_ns)
{
	loop_timer_stop(l, t);
	if (due_ns == NS_NEVER)
		return;
	assert(t->fn);
	t->due_ns = MAX(due_ns, l->now_ns);
	t->seq = l->timer_seq++;
	RB_INSERT(loop_timers, &l->timers, t);
}

void loop_timer_in(struct loop *l, struct loop_timer *t, uint64_t delay_ns)
{
	/* Before loop_run() no turn keeps the clock fresh, and set-up may be slow. */
	if (!l->running)
		l->now_ns = l->ops->clock_ns(l);
	loop_timer_at(l, t, delay_ns < NS_NEVER - l->now_ns ? l->now_ns + delay_ns : NS_NEVER);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	if (!loop_timer_running(t))
		return;
	RB_REMOVE(loop_timers, &l->timers, t);
	t->due_ns = NS_NEVER;
}

uint64_t loop_next_due_ns(struct loop *l)
{
	const struct loop_timer *t = RB_MIN(loop_timers, &l->timers);

	return t ? t->due_ns : NS_NEVER;
}

void loop_fire_timers(struct loop *l)
{
	const uint64_t now_ns = l->now_ns, seq_end = l->timer_seq;
	struct loop_timer *t;

	while ((t = RB_MIN(loop_timers, &l->timers)) != NULL) {
		if (t->due_ns > now_ns || t->seq >= seq_end)
			break;
		loop_timer_stop(l, t);
		t->fn(t);
	}
}

void loop_fire_first(struct loop *l)
{
	struct loop_timer *t = RB_MIN(loop_timers, &l->timers);

	assert(t);
	loop_timer_stop(l, t);
	t->fn(t);
}

/* --- file descriptors --- */

void loop_fd_init(struct loop_fd *f, int fd, void (*fn)(struct loop_fd *f, int events))
{
	*f = (struct loop_fd){ .fn = fn, .fd = fd };
}

void loop_fd_set(struct loop *l, struct loop_fd *f, int events)
{
	assert((events & ~(LOOP_READ | LOOP_WRITE)) == 0);
	if (events == f->events)
		return;
	assert(f->fd >= 0 && f->fn);
	l->ops->fd_set(l, f, events);
	if (f->events == 0)
		l->nfds++;
	if (events == 0)
		l->nfds--;
	f->events = events;
}

/* --- tasks --- */

void loop_task_init(struct loop_task *t, enum loop_phase phase, void (*fn)(struct loop_task *t))
{
	assert(phase < LOOP_PHASES);
	*t = (struct loop_task){ .fn = fn, .phase = phase };
}

void loop_task_queue(struct loop *l, struct loop_task *t)
{
	if (t->queued)
		return;
	t->queued = true;
	STAILQ_INSERT_TAIL(&l->tasks[t->phase], t, link);
}

void loop_task_cancel(struct loop *l, struct loop_task *t)
{
	if (!t->queued)
		return;
	t->queued = false;
	STAILQ_REMOVE(&l->tasks[t->phase], t, loop_task, link);
}

bool loop_tasks_queued(const struct loop *l)
{
	int i;

	for (i = 0; i < LOOP_PHASES; i++)
		if (!STAILQ_EMPTY(&l->tasks[i]))
			return true;
	return false;
}

/* --- turns --- */

static void run_phase(struct loop *l, enum loop_phase phase)
{
	struct loop_tasks *q = &l->tasks[phase];
	struct loop_task *t;

	if (STAILQ_EMPTY(q))
		return;
	STAILQ_INSERT_TAIL(q, &l->mark, link);
	while ((t = STAILQ_FIRST(q)) != &l->mark) {
		STAILQ_REMOVE_HEAD(q, link);
		t->queued = false;
		t->fn(t);
	}
	STAILQ_REMOVE_HEAD(q, link);
}

static void run_round(struct loop *l, bool timers)
{
	assert(!l->in_round);
	l->in_round = true;
	if (timers)
		loop_fire_timers(l);
	run_phase(l, LOOP_COLLECT);
	run_phase(l, LOOP_DECIDE);
	run_phase(l, LOOP_FLUSH);
	l->in_round = false;
}

void loop_round(struct loop *l)
{
	run_round(l, true);
}

void loop_phases(struct loop *l)
{
	run_round(l, false);
}

void loop_turn(struct loop *l)
{
	struct loop_look *k;
	unsigned n = 0;

	LIST_FOREACH(k, &l->looks, link)
		k->fn(k);
	do {
		loop_round(l);
	} while (++n < LOOP_ROUNDS_MAX &&
		 (loop_tasks_queued(l) || loop_next_due_ns(l) <= l->now_ns));
}

void loop_turn_begin(struct loop *l, uint64_t now_ns)
{
	assert(now_ns >= l->now_ns);
	l->now_ns = l->turn_start_ns = now_ns;
}

uint64_t loop_turn_end(struct loop *l)
{
	uint64_t end_ns = l->ops->clock_ns(l);

	l->turns++;
	l->longest_turn_ns = MAX(l->longest_turn_ns, end_ns - l->turn_start_ns);
	return end_ns;
}

uint64_t loop_turns(const struct loop *l)
{
	return l->turns;
}

uint64_t loop_longest_turn_ns(const struct loop *l)
{
	return l->longest_turn_ns;
}

void loop_lag_reset(struct loop *l)
{
	l->longest_turn_ns = 0;
}

/* --- looks --- */

void loop_look_start(struct loop *l, struct loop_look *k, void (*fn)(struct loop_look *k))
{
	k->fn = fn;
	LIST_INSERT_HEAD(&l->looks, k, link);
}

void loop_look_stop(struct loop_look *k)
{
	LIST_REMOVE(k, link);
}

/* --- signals --- */

void loop_signal_start(struct loop *l, struct loop_signal *s, int signo,
		       void (*fn)(struct loop_signal *s))
{
	*s = (struct loop_signal){ .fn = fn, .signo = signo };
	l->ops->signal_start(l, s);
	l->nsignals++;
}

void loop_signal_stop(struct loop *l, struct loop_signal *s)
{
	if (l->ops->signal_stop(l, s))
		l->nsignals--;
}

/* --- life --- */

void loop_common_init(struct loop *l, const struct loop_ops *ops, uint64_t now_ns)
{
	int i;

	*l = (struct loop){ .ops = ops, .now_ns = now_ns, .turn_start_ns = now_ns };
	RB_INIT(&l->timers);
	LIST_INIT(&l->looks);
	for (i = 0; i < LOOP_PHASES; i++)
		STAILQ_INIT(&l->tasks[i]);
}

/* The turn in which loop_stop() is called is finished, so the last answers are
 * still sent.  A stop before the first turn stops after it. */
void loop_run(struct loop *l)
{
	assert(!l->running && !l->in_round);
	l->running = true;
	loop_turn_begin(l, l->ops->clock_ns(l));
	l->ops->run(l);
	l->running = l->stopping = false;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	assert(!l->running && !l->in_round);
	assert(RB_EMPTY(&l->timers));
	assert(!loop_tasks_queued(l));
	assert(l->nfds == 0 && l->nsignals == 0 && LIST_EMPTY(&l->looks));
	l->ops->free(l);
}
