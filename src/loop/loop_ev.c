/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop_ev.c - the libev body; the only file that includes ev.h.
 *
 * One iteration of ev_run() is one turn:
 *
 *   prepare   due timers, the phases; then find out how long we may sleep.  Not so after a poll
 *             that may be stale: see is_stale()
 *   poll      libev sleeps
 *   check     runs first after the sleep: read the clock
 *   io        fd and signal callbacks
 *
 * libev sees one timer, armed for the earliest of ours.  It only ends the
 * sleep: whether one of ours is due is asked of our own clock, so it cannot
 * fire early.  While work is left an idle watcher keeps libev from sleeping.
 *
 * Traps of libev that matter here: a timer counts from libev's time of the last
 * wake-up, so that time is brought up to date before arming; ev_io_stop() also
 * forgets an event that is pending, so a callback may stop and free any other
 * watcher; ev_io_set() makes libev tell epoll again even if the mask is equal,
 * which is what a number that was closed and opened again needs, and is why
 * each start from standstill goes through it.
 */
#include <config.h>

#include <assert.h>
#include <ev.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/units.h"
#include "loop/loop_body.h"

/* What a poll has said is the state of affairs for so long. */
#define STALE_NS (20 * NS_PER_MS)

/* So many are not the kernel's want of memory for a moment. */
#define REFUSED_MAX 1000u

struct loop_ev {
	struct loop loop;
	struct ev_loop *ev;
	ev_prepare prepare;
	ev_check check;
	ev_idle idle;
	ev_timer timer;
	uint64_t timer_due_ns; /* what ev_timer is armed for */
	uint64_t polled_ns;    /* the last poll began, or later */
	unsigned refused;      /* watchers that libev has given up, in all */
	bool poll_again;       /* this poll looks once more, and the turn's time has been read before it */
};

_Static_assert(LOOP_READ == (int)EV_READ, "event bits are libev's");
_Static_assert(LOOP_WRITE == (int)EV_WRITE, "event bits are libev's");
_Static_assert(sizeof(ev_io) <= sizeof(((struct loop_fd *)0)->body), "a watcher fits");
_Static_assert(sizeof(ev_signal) <= sizeof(((struct loop_signal *)0)->body), "a watcher fits");
_Static_assert(_Alignof(ev_io) <= _Alignof(uint64_t), "a watcher is aligned");
_Static_assert(_Alignof(ev_signal) <= _Alignof(uint64_t), "a watcher is aligned");

static struct loop_ev *to_ev(struct loop *l)
{
	return container_of(l, struct loop_ev, loop);
}

static uint64_t ev_clock_ns(struct loop *l)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_MONOTONIC, &ts);

	assert(rc == 0);
	(void)rc;
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* --- descriptors and signals --- */

/* libev gives up on a watcher when epoll_ctl() fails: for want of memory, or the fd was closed before it
 * was stopped, which is a bug of ours. */
static void watch_again(struct loop_ev *le, ev_io *w)
{
	if (++le->refused > REFUSED_MAX) {
		log_err("the kernel does not watch descriptor %d", w->fd);
		abort();
	}
	ev_io_start(le->ev, w);
}

static void io_cb(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop_fd *f = container_of((void *)w, struct loop_fd, body);

	if (revents & EV_ERROR) {
		watch_again(ev_userdata(ev), w);
		return;
	}
	f->fn(f, revents & (EV_READ | EV_WRITE)); /* @f may be gone now */
}

static void ev_fd_set(struct loop *l, struct loop_fd *f, int events)
{
	struct ev_loop *ev = to_ev(l)->ev;
	ev_io *w = (void *)f->body;

	if (f->events == 0) {
		ev_io_init(w, io_cb, f->fd, events);
	} else {
		ev_io_stop(ev, w);
		ev_io_modify(w, events);
	}
	if (events)
		ev_io_start(ev, w);
}

static void signal_cb(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop_signal *s = container_of((void *)w, struct loop_signal, body);

	s->fn(s);
}

static void ev_sig_start(struct loop *l, struct loop_signal *s)
{
	ev_signal *w = (void *)s->body;

	ev_signal_init(w, signal_cb, s->signo);
	ev_signal_start(to_ev(l)->ev, w);
}

static bool ev_sig_stop(struct loop *l, struct loop_signal *s)
{
	ev_signal *w = (void *)s->body;
	bool started = ev_is_active(w);

	ev_signal_stop(to_ev(l)->ev, w);
	return started;
}

/* --- turns --- */

static void check_cb(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop_ev *le = ev_userdata(ev);

	if (!le->poll_again)
		loop_turn_begin(&le->loop, ev_clock_ns(&le->loop));
}

/* The sleep ends by itself: these two have nothing to do. */
static void timer_cb(struct ev_loop *ev, ev_timer *w, int revents)
{
}

static void idle_cb(struct ev_loop *ev, ev_idle *w, int revents)
{
}

static void arm_timer(struct loop_ev *le, uint64_t due_ns, uint64_t now_ns)
{
	if (ev_is_active(&le->timer) && le->timer_due_ns == due_ns)
		return;
	ev_timer_stop(le->ev, &le->timer);
	le->timer_due_ns = due_ns;
	if (due_ns == NS_NEVER)
		return;
	ev_now_update(le->ev);
	ev_timer_set(&le->timer, (double)(due_ns - now_ns) / (double)NS_PER_SEC, 0.);
	ev_timer_start(le->ev, &le->timer);
}

/*
 * A timer is due, and its owner may take what it has not heard of for what has
 * not happened.  But a process that is stopped in its sleep wakes up by EINTR,
 * without the descriptors that have become ready, and one that is not scheduled
 * for a while has seen what was ready before.  So a due timer is preceded by a
 * poll that begins at the turn's time or later; it does not wait, so nothing
 * interrupts it.
 */
static bool is_stale(const struct loop_ev *le)
{
	return le->loop.now_ns > le->polled_ns + STALE_NS;
}

static void prepare_cb(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop_ev *le = ev_userdata(ev);
	struct loop *l = &le->loop;
	uint64_t end_ns, due_ns;

	le->poll_again = !le->poll_again && is_stale(le) && loop_next_due_ns(l) <= l->now_ns;
	if (le->poll_again) {
		ev_idle_start(ev, &le->idle);
		return;
	}
	loop_turn(l);
	le->polled_ns = end_ns = loop_turn_end(l);
	if (l->stopping) {
		ev_break(ev, EVBREAK_ONE);
		return;
	}
	due_ns = loop_next_due_ns(l);
	if (loop_tasks_queued(l) || due_ns <= end_ns) {
		ev_idle_start(ev, &le->idle);
		return;
	}
	ev_idle_stop(ev, &le->idle);
	arm_timer(le, due_ns, end_ns);
}

/* Our own watchers keep ev_run() going until ev_break(). */
static void ev_body_run(struct loop *l)
{
	to_ev(l)->polled_ns = l->now_ns;
	ev_run(to_ev(l)->ev, 0);
}

/* --- life --- */

static void ev_free(struct loop *l)
{
	struct loop_ev *le = to_ev(l);

	ev_prepare_stop(le->ev, &le->prepare);
	ev_check_stop(le->ev, &le->check);
	ev_idle_stop(le->ev, &le->idle);
	ev_timer_stop(le->ev, &le->timer);
	ev_loop_destroy(le->ev);
	free(le);
}

static const struct loop_ops ev_ops = {
	.clock_ns = ev_clock_ns,
	.fd_set = ev_fd_set,
	.signal_start = ev_sig_start,
	.signal_stop = ev_sig_stop,
	.run = ev_body_run,
	.free = ev_free,
};

struct loop *loop_ev_new(void)
{
	struct loop_ev *le = calloc(1, sizeof(*le));

	if (!le)
		return NULL;
	le->ev = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	if (!le->ev)
		le->ev = ev_loop_new(EVFLAG_NOENV | ev_recommended_backends());
	if (!le->ev) {
		free(le);
		return NULL;
	}
	loop_common_init(&le->loop, &ev_ops, ev_clock_ns(NULL));
	ev_set_userdata(le->ev, le);
	ev_prepare_init(&le->prepare, prepare_cb);
	ev_check_init(&le->check, check_cb);
	ev_set_priority(&le->check, EV_MAXPRI); /* before any that asks for the time */
	ev_idle_init(&le->idle, idle_cb);
	ev_timer_init(&le->timer, timer_cb, 0., 0.);
	ev_prepare_start(le->ev, &le->prepare);
	ev_check_start(le->ev, &le->check);
	return &le->loop;
}
