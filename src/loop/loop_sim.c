/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop_sim.c - the simulated body: time is a number that moves only when there
 * is nothing else to do.  No descriptor is watched and no signal delivered; the
 * models call fd callbacks themselves.
 */
#include <config.h>

#include <assert.h>
#include <stdlib.h>

#include "base/units.h"
#include "loop/loop_body.h"

static uint64_t sim_clock_ns(struct loop *l)
{
	return l->now_ns;
}

static void sim_fd_set(struct loop *l, struct loop_fd *f, int events)
{
}

static void sim_signal_start(struct loop *l, struct loop_signal *s)
{
	s->body[0] = 1;
}

static bool sim_signal_stop(struct loop *l, struct loop_signal *s)
{
	bool started = s->body[0] != 0;

	s->body[0] = 0;
	return started;
}

/* Also returns when there is nothing left to do: nothing could ever change. */
static void sim_run(struct loop *l)
{
	bool more;

	do {
		more = loop_sim_step(l);
	} while (more && !l->stopping);
}

static void sim_free(struct loop *l)
{
	free(l);
}

static const struct loop_ops sim_ops = {
	.clock_ns = sim_clock_ns,
	.fd_set = sim_fd_set,
	.signal_start = sim_signal_start,
	.signal_stop = sim_signal_stop,
	.run = sim_run,
	.free = sim_free,
};

struct loop *loop_sim_new(uint64_t start_ns)
{
	struct loop *l = malloc(sizeof(*l));

	if (!l)
		return NULL;
	loop_common_init(l, &sim_ops, start_ns);
	return l;
}

void loop_sim_forget(struct loop *l)
{
	loop_common_init(l, &sim_ops, l->now_ns);
}

bool loop_sim_step(struct loop *l)
{
	uint64_t due_ns = loop_next_due_ns(l);

	if (loop_tasks_queued(l)) {
		loop_turn_begin(l, l->now_ns);
		if (due_ns < l->now_ns)
			loop_phases(l);
		else
			loop_round(l);
	} else {
		if (due_ns == NS_NEVER)
			return false;
		/* After loop_sim_advance() it may lie behind us: what should have happened at different times is
		 * not one turn, or a model that stands behind some of the timers would be as late as its clients. */
		loop_turn_begin(l, MAX(due_ns, l->now_ns));
		if (due_ns < l->now_ns)
			loop_fire_first(l);
		else
			loop_fire_timers(l);
	}
	loop_turn_end(l);
	return true;
}

void loop_sim_advance(struct loop *l, uint64_t ns)
{
	assert(ns < NS_NEVER - l->now_ns);
	l->now_ns += ns;
}
