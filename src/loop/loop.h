/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - one thread's event loop: clock, timers, file descriptors, and the
 * three phases of a turn.
 *
 *   collect   fd and timer callbacks, and tasks queued for LOOP_COLLECT: note
 *             facts (bytes arrived, commands ended), insert, account
 *   decide    tasks queued for LOOP_DECIDE: one lun_run() per dirty LUN
 *   flush     tasks queued for LOOP_FLUSH: drivers and exports send their batch
 *
 * What a descriptor had to say at the turn's time is heard before a timer fires
 * that was due by then, also after a sleep in which the process was stopped: what
 * has not been heard of by then has not happened.
 *
 * After flush the turn starts over at once while anything is queued (a driver
 * that found completions right after sending them queues a collect task); only
 * then does the loop sleep.  A bounded number of such rounds runs before the
 * descriptors are looked at again, so nobody starves.
 *
 * Two bodies: loop_ev.c (libev, the only file that includes ev.h) and
 * loop_sim.c (virtual clock).  Timers, tasks and phases are common code in
 * loop.c; whoever holds a struct loop cannot tell the bodies apart.
 *
 * All objects are embedded in their owners (container_of) and owned by them;
 * the loop only links them.  Everything is called from the loop's thread.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <sys/queue.h>
#include <sys/tree.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_ops;

/* --- clock --------------------------------------------------------------- */

/* Monotonic nanoseconds, read once per turn (the value of the turn's start). */
uint64_t loop_now_ns(const struct loop *l);
/* Read the clock now, for measuring a call inside a turn; does not move loop_now_ns(). */
uint64_t loop_clock_ns(struct loop *l);

/* --- timers -------------------------------------------------------------- */

struct loop_timer {
	void (*fn)(struct loop_timer *t); /* set by the owner before the first start */
	/* private */
	RB_ENTRY(loop_timer) link;
	uint64_t due_ns; /* NS_NEVER: not running */
	uint64_t seq;	 /* equal times fire in the order they were started */
};

/* A timer is one-shot. Call once before any other use. */
void loop_timer_init(struct loop_timer *t, void (*fn)(struct loop_timer *t));
/* (Re)start to fire once loop_now_ns() >= @due_ns; a time in the past fires in the next collect. */
void loop_timer_at(struct loop *l, struct loop_timer *t, uint64_t due_ns);
/* (Re)start to fire @delay_ns after loop_now_ns(). */
void loop_timer_in(struct loop *l, struct loop_timer *t, uint64_t delay_ns);
/* Harmless when not running. */
void loop_timer_stop(struct loop *l, struct loop_timer *t);
static inline bool loop_timer_running(const struct loop_timer *t)
{
	return t->due_ns != UINT64_MAX;
}

/* --- file descriptors ---------------------------------------------------- */

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_fd {
	/* Collect phase. @events: LOOP_READ | LOOP_WRITE; an error or a hang-up shows as both
	 * that are watched. Level-triggered. The callback may stop and free its own object. */
	void (*fn)(struct loop_fd *f, int events);
	int fd;	    /* -1: not open */
	int events; /* what is watched now, 0: stopped; read only */
	/* private */
	uint64_t body[8]; /* the body's watcher lives here */
};

void loop_fd_init(struct loop_fd *f, int fd, void (*fn)(struct loop_fd *f, int events));
/* Watch @events (0 stops). Cheap when nothing changes. Stop before close(2). */
void loop_fd_set(struct loop *l, struct loop_fd *f, int events);

/* --- tasks: the phases --------------------------------------------------- */

enum loop_phase { LOOP_COLLECT, LOOP_DECIDE, LOOP_FLUSH, LOOP_PHASES };

struct loop_task {
	void (*fn)(struct loop_task *t);
	/* private */
	STAILQ_ENTRY(loop_task) link;
	bool queued;
	enum loop_phase phase;
};

void loop_task_init(struct loop_task *t, enum loop_phase phase, void (*fn)(struct loop_task *t));
/* Run once in the next phase of its kind; queueing twice is once. A task may queue itself
 * again from its own callback: it then runs in the next round, not in this one. */
void loop_task_queue(struct loop *l, struct loop_task *t);
/* Harmless when not queued. Must be called before the owner is freed. */
void loop_task_cancel(struct loop *l, struct loop_task *t);
static inline bool loop_task_queued(const struct loop_task *t)
{
	return t->queued;
}

/* --- looks --------------------------------------------------------------- */

/* Called at the start of every turn, in the collect phase, whatever has woken the loop: for what
 * is seen by looking into memory (a ring that is shared with the kernel) sooner than it makes a
 * descriptor ready. Makes no system call where there is nothing. It does not keep the loop from sleeping, so
 * something else must wake it. */
struct loop_look {
	void (*fn)(struct loop_look *k);
	/* private */
	LIST_ENTRY(loop_look) link;
};
/* @k is not started. */
void loop_look_start(struct loop *l, struct loop_look *k, void (*fn)(struct loop_look *k));
/* @k is started. Not from inside a look. */
void loop_look_stop(struct loop_look *k);

/* --- signals (libev body only; the simulated body never delivers any) ----- */

struct loop_signal {
	void (*fn)(struct loop_signal *s);
	int signo;
	uint64_t body[8];
};
void loop_signal_start(struct loop *l, struct loop_signal *s, int signo,
		       void (*fn)(struct loop_signal *s));
void loop_signal_stop(struct loop *l, struct loop_signal *s);

/* --- running ------------------------------------------------------------- */

/* Until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Statistics: turns so far, longest turn (from wake-up to sleep) since loop_lag_reset(). */
uint64_t loop_turns(const struct loop *l);
uint64_t loop_longest_turn_ns(const struct loop *l);
void loop_lag_reset(struct loop *l);

/* --- bodies -------------------------------------------------------------- */

/* loop_ev.c: NULL if libev finds no backend. */
struct loop *loop_ev_new(void);
/* loop_sim.c: virtual time starts at @start_ns. fds are not watched by the simulated body:
 * models call lo_fd->fn themselves. */
struct loop *loop_sim_new(uint64_t start_ns);
/* loop_sim.c: run one round of phases, or if nothing is queued move the clock to the next
 * timer and fire what is due. False when there is nothing left to do. */
bool loop_sim_step(struct loop *l);
/* loop_sim.c: move the clock without firing (a blocking call in the model). */
void loop_sim_advance(struct loop *l, uint64_t ns);
/* loop_sim.c: the process is killed. Nothing that was started or queued is known any more; the clock
 * stays. Owners that live on initialise their objects again. Also from inside a callback that will
 * not return. */
void loop_sim_forget(struct loop *l);
/* Either body. Timers, fds, tasks and signals must have been stopped (asserted). Accepts NULL. */
void loop_free(struct loop *l);

#endif
