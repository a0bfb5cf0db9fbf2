/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop_body.h - what loop.c and its two bodies share; included by nobody else.
 *
 * A body embeds struct loop, brings a clock, descriptors and signals, and calls
 * loop_turn() (or the finer loop_round()) after it has called the fd callbacks.
 */
#ifndef LOOP_LOOP_BODY_H
#define LOOP_LOOP_BODY_H

#include "loop/loop.h"

struct loop_ops {
	/* The clock now. */
	uint64_t (*clock_ns)(struct loop *l);
	/* Watch @events of @f (0: none); f->events still has the old ones, which differ. */
	void (*fd_set)(struct loop *l, struct loop_fd *f, int events);
	/* s->fn and s->signo are set. */
	void (*signal_start)(struct loop *l, struct loop_signal *s);
	/* False if @s was not started (then its body is all zeros). */
	bool (*signal_stop)(struct loop *l, struct loop_signal *s);
	/* Turns until l->stopping. */
	void (*run)(struct loop *l);
	/* Release the body and with it @l. */
	void (*free)(struct loop *l);
};

RB_HEAD(loop_timers, loop_timer);
STAILQ_HEAD(loop_tasks, loop_task);
LIST_HEAD(loop_looks, loop_look);

struct loop {
	const struct loop_ops *ops;
	uint64_t now_ns;
	bool running, stopping; /* inside loop_run(); loop_stop() was called */
	bool in_round;		/* phases do not nest */

	struct loop_timers timers;
	uint64_t timer_seq; /* of the next timer that is started */
	struct loop_tasks tasks[LOOP_PHASES];
	struct loop_task mark; /* ends a phase: what is behind it runs in the next round */
	struct loop_looks looks;
	unsigned nfds, nsignals;

	uint64_t turns, turn_start_ns, longest_turn_ns;
};

/* Rounds of one turn before the descriptors are looked at again. */
#define LOOP_ROUNDS_MAX 16

void loop_common_init(struct loop *l, const struct loop_ops *ops, uint64_t now_ns);
/* A turn begins: the body woke up. Sets loop_now_ns(). */
void loop_turn_begin(struct loop *l, uint64_t now_ns);
/* The turn is over; returns the clock, which was read for it. */
uint64_t loop_turn_end(struct loop *l);
/* The looks, then rounds until nothing is left or LOOP_ROUNDS_MAX. */
void loop_turn(struct loop *l);
/* Due timers and all three phases, once. */
void loop_round(struct loop *l);
/* The phases alone. */
void loop_phases(struct loop *l);
/* Fire what was due, and running, when this was called. */
void loop_fire_timers(struct loop *l);
/* The one that is due first; there is one. */
void loop_fire_first(struct loop *l);
bool loop_tasks_queued(const struct loop *l);
/* When the next timer is due, NS_NEVER if none runs. */
uint64_t loop_next_due_ns(struct loop *l);

#endif
