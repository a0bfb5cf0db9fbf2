/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_loop_ev.c - proves the libev body on real pipes, clocks and signals: no
 * change of a descriptor is lost, callbacks may stop and free anything, timers
 * are never early, nor before what was to be heard first, and a loop with nothing to do sleeps.
 *
 * Upper limits of time are generous: they tell "works" from "hangs", no more.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/prng.h"
#include "base/units.h"
#include "loop/loop.h"
#include "unit.h"

#define HANG_NS (20 * NS_PER_SEC)

static struct loop *loop;
static struct loop_timer hang;

static void hang_fn(struct loop_timer *t)
{
	ck_abort_msg("what this test waits for did not come");
}

static void setup(void)
{
	loop = loop_ev_new();
	ck_assert_ptr_nonnull(loop);
	loop_timer_init(&hang, hang_fn);
	loop_timer_in(loop, &hang, HANG_NS);
}

static void teardown(void)
{
	loop_timer_stop(loop, &hang);
	loop_free(loop);
}

static void make_pipe(int p[2])
{
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
}

static void put_byte(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

/* A process that writes one byte into @fd after @ms. */
static pid_t byte_later(int fd, unsigned ms)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		usleep(ms * 1000);
		_exit(write(fd, "x", 1) == 1 ? 0 : 1);
	}
	return pid;
}

static void reap(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* A watcher that counts, and stops the loop at the n-th call. */
struct watch {
	struct loop_fd f;
	unsigned calls, stop_after;
	int events;	     /* of the last call */
	bool drain;	     /* read one byte a call */
	int set_events;	     /* at stop_after: watch these instead, if not -1 */
	struct watch **free; /* stop, close and free both of them, see below */
};

static void watch_fn(struct loop_fd *f, int events)
{
	struct watch *w = container_of(f, struct watch, f);
	char c;

	ck_assert_int_ne(events, 0);
	ck_assert_int_eq(events & ~f->events, 0);
	w->calls++;
	w->events = events;
	if (w->drain)
		ck_assert_int_eq(read(f->fd, &c, 1), 1);
	if (w->calls < w->stop_after)
		return;
	if (w->set_events >= 0)
		loop_fd_set(loop, f, w->set_events);
	loop_stop(loop);
}

static void watch_init(struct watch *w, int fd, unsigned stop_after)
{
	*w = (struct watch){ .stop_after = stop_after, .set_events = -1 };
	loop_fd_init(&w->f, fd, watch_fn);
}

static void stop_fn(struct loop_timer *t)
{
	loop_stop(loop);
}

static void run_for_ms(unsigned ms)
{
	struct loop_timer t;

	loop_timer_init(&t, stop_fn);
	loop_timer_in(loop, &t, ms * NS_PER_MS);
	loop_run(loop);
	loop_timer_stop(loop, &t);
}

/* --- descriptors --- */

START_TEST(test_read_is_level_triggered)
{
	struct watch w;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[0], 3);
	loop_fd_set(loop, &w.f, LOOP_READ);
	put_byte(p[1]);
	loop_run(loop); /* nobody reads it: it shows again and again */
	ck_assert_uint_eq(w.calls, 3);
	ck_assert_int_eq(w.events, LOOP_READ);
	w = (struct watch){ .f = w.f, .drain = true, .stop_after = 1, .set_events = -1 };
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 1);
	w.drain = false;
	run_for_ms(20);
	ck_assert_uint_eq(w.calls, 1); /* empty now */
	loop_fd_set(loop, &w.f, 0);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(test_change_of_events)
{
	struct watch w;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[1], 1);
	w.set_events = LOOP_READ; /* a pipe's writing end is never readable */
	loop_fd_set(loop, &w.f, LOOP_READ);
	run_for_ms(20);
	ck_assert_uint_eq(w.calls, 0);
	loop_fd_set(loop, &w.f, LOOP_READ | LOOP_WRITE);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 1);
	ck_assert_int_eq(w.events, LOOP_WRITE);
	ck_assert_int_eq(w.f.events, LOOP_READ);
	run_for_ms(20);
	ck_assert_uint_eq(w.calls, 1);
	loop_fd_set(loop, &w.f, LOOP_WRITE);
	w.set_events = 0;
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 2);
	run_for_ms(20);
	ck_assert_uint_eq(w.calls, 2);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* A hang-up shows as whatever is watched. */
START_TEST(test_hang_up)
{
	static const int masks[] = { LOOP_READ, LOOP_WRITE, LOOP_READ | LOOP_WRITE };
	struct watch w;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[1], 1);
	w.set_events = 0;
	close(p[0]);
	loop_fd_set(loop, &w.f, masks[_i]);
	loop_run(loop);
	ck_assert_int_eq(w.events, masks[_i]);
	close(p[1]);
}
END_TEST

/* epoll refuses regular files; they are always ready. */
START_TEST(test_regular_file)
{
	FILE *file = tmpfile();
	struct watch w;

	ck_assert_ptr_nonnull(file);
	watch_init(&w, fileno(file), 2);
	w.set_events = 0;
	loop_fd_set(loop, &w.f, LOOP_READ | LOOP_WRITE);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 2);
	fclose(file);
}
END_TEST

/* Both are ready in one batch; whoever comes first takes both away. */
static unsigned nfreed;

static void free_all_fn(struct loop_fd *f, int events)
{
	struct watch *w = container_of(f, struct watch, f), **all = w->free;
	int i;

	for (i = 0; i < 2; i++) {
		loop_fd_set(loop, &all[i]->f, 0);
		close(all[i]->f.fd);
		memset(all[i], 0xee, sizeof(*all[i]));
		free(all[i]);
		nfreed++;
	}
	loop_stop(loop);
}

START_TEST(test_free_in_callback)
{
	struct watch *w[2];
	int i, p[2][2];

	for (i = 0; i < 2; i++) {
		make_pipe(p[i]);
		put_byte(p[i][1]);
		w[i] = malloc(sizeof(*w[i]));
		ck_assert_ptr_nonnull(w[i]);
		watch_init(w[i], p[i][0], 1);
		w[i]->f.fn = free_all_fn;
		w[i]->free = w;
		loop_fd_set(loop, &w[i]->f, LOOP_READ);
	}
	loop_run(loop);
	ck_assert_uint_eq(nfreed, 2);
	run_for_ms(20);
	ck_assert_uint_eq(nfreed, 2);
}
END_TEST

/* The number of a closed descriptor is in use again: at once, or a turn later;
 * with the old file still held open elsewhere (epoll then keeps its entry). */
START_TEST(test_same_number_again)
{
	bool turn_between = _i & 1, old_stays_open = _i & 2;
	int old[2], fresh[2], number, held = -1;
	struct watch w;

	make_pipe(old);
	number = old[0];
	watch_init(&w, number, 1);
	w.drain = true;
	loop_fd_set(loop, &w.f, LOOP_READ);
	put_byte(old[1]);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 1);

	if (old_stays_open)
		held = dup(number);
	loop_fd_set(loop, &w.f, 0);
	close(number);
	if (turn_between)
		run_for_ms(1);
	make_pipe(fresh);
	if (fresh[0] != number) {
		ck_assert_int_eq(dup2(fresh[0], number), number);
		close(fresh[0]);
	}
	watch_init(&w, number, 1);
	w.drain = true;
	loop_fd_set(loop, &w.f, LOOP_READ);
	if (old_stays_open)
		put_byte(old[1]); /* it does not speak for the number any more */
	run_for_ms(20);
	ck_assert_uint_eq(w.calls, 0);
	put_byte(fresh[1]);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 1);
	loop_fd_set(loop, &w.f, 0);
	close(number);
	close(fresh[1]);
	close(old[1]);
	if (held >= 0)
		close(held);
}
END_TEST

START_TEST(test_stop_and_start_in_one_turn)
{
	struct watch w;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[0], 1);
	w.drain = true;
	loop_fd_set(loop, &w.f, LOOP_READ);
	run_for_ms(1);
	loop_fd_set(loop, &w.f, 0);
	loop_fd_set(loop, &w.f, LOOP_READ);
	put_byte(p[1]);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 1);
	loop_fd_set(loop, &w.f, 0);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(test_closed_before_stopped)
{
	struct watch w;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[0], 1);
	loop_fd_set(loop, &w.f, LOOP_READ);
	close(p[0]);
	loop_run(loop);
}
END_TEST

/* --- timers --- */

struct late {
	struct loop_timer t;
	uint64_t due_ns;
};

static unsigned nlate;

static void late_fn(struct loop_timer *t)
{
	struct late *late = container_of(t, struct late, t);

	ck_assert_uint_ge(loop_now_ns(loop), late->due_ns);
	ck_assert_uint_ge(loop_clock_ns(loop), late->due_ns);
	ck_assert_uint_lt(loop_now_ns(loop), late->due_ns + 5 * NS_PER_SEC);
	if (--nlate == 0)
		loop_stop(loop);
}

START_TEST(test_timers_are_not_early)
{
	enum { N = 200 };
	struct late late[N];
	struct prng r;
	unsigned i;

	prng_init(&r, 1, 4);
	for (i = 0; i < N; i++) {
		uint64_t delay_ns = prng_below(&r, 150 * NS_PER_MS);

		loop_timer_init(&late[i].t, late_fn);
		loop_timer_in(loop, &late[i].t, delay_ns);
		late[i].due_ns = loop_now_ns(loop) + delay_ns;
	}
	nlate = N;
	loop_run(loop);
	ck_assert_uint_eq(nlate, 0);
	/* A turn for each, another for some; not a busy loop. */
	ck_assert_uint_le(loop_turns(loop), 3 * N);
}
END_TEST

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), 0);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Waiting for one timer takes its time, few turns and hardly any CPU. */
START_TEST(test_timer_sleeps)
{
	static const unsigned delays_ms[] = { 1, 7, 300 };
	uint64_t start_ns = loop_clock_ns(loop), cpu_start_ns = cpu_ns();

	run_for_ms(delays_ms[_i]);
	ck_assert_uint_ge(loop_clock_ns(loop) - start_ns, delays_ms[_i] * NS_PER_MS);
	ck_assert_uint_le(loop_turns(loop), 6);
	ck_assert_uint_lt(cpu_ns() - cpu_start_ns, 100 * NS_PER_MS);
}
END_TEST

static void nothing_fn(struct loop_timer *t)
{
}

/* With no timer, and with one that was stopped, nothing wakes the loop but the pipe. */
START_TEST(test_idle_loop_sleeps)
{
	struct loop_timer stopped;
	struct watch w;
	uint64_t turns;
	pid_t pid;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[0], 1);
	w.drain = true;
	loop_fd_set(loop, &w.f, LOOP_READ);
	if (_i == 0)
		loop_timer_stop(loop, &hang); /* the harness has a limit of its own */
	loop_timer_init(&stopped, nothing_fn);
	loop_timer_in(loop, &stopped, 100 * NS_PER_MS);
	put_byte(p[1]);
	loop_run(loop); /* libev is armed for it now */
	loop_timer_stop(loop, &stopped);

	pid = byte_later(p[1], 300);
	turns = loop_turns(loop);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 2);
	ck_assert_uint_eq(loop_turns(loop) - turns, 2); /* to sleep, and for the byte */
	reap(pid);
	loop_fd_set(loop, &w.f, 0);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* An earlier timer takes over from a later one that libev is armed for. */
static void earlier_fn(struct loop_fd *f, int events)
{
	struct watch *w = container_of(f, struct watch, f);
	static struct loop_timer t;

	loop_fd_set(loop, f, 0);
	loop_timer_init(&t, stop_fn);
	loop_timer_in(loop, &t, 10 * NS_PER_MS);
	w->calls++;
}

START_TEST(test_timer_set_in_callback)
{
	uint64_t start_ns = loop_clock_ns(loop);
	struct watch w;
	pid_t pid;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[0], 1);
	w.f.fn = earlier_fn;
	loop_fd_set(loop, &w.f, LOOP_READ);
	pid = byte_later(p[1], 50);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 1);
	ck_assert_uint_ge(loop_clock_ns(loop) - start_ns, 60 * NS_PER_MS);
	ck_assert_uint_lt(loop_clock_ns(loop) - start_ns, 10 * NS_PER_SEC);
	reap(pid);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* Set-up before the first turn may be slow: a delay counts from its start. */
START_TEST(test_delay_before_run)
{
	struct late late;

	usleep(50 * 1000);
	loop_timer_init(&late.t, late_fn);
	loop_timer_in(loop, &late.t, 20 * NS_PER_MS);
	late.due_ns = loop_clock_ns(loop) + 19 * NS_PER_MS;
	nlate = 1;
	loop_run(loop);
	ck_assert_uint_eq(nlate, 0);
}
END_TEST

/* --- turns --- */

struct phase_log {
	struct loop_task task[LOOP_PHASES];
	char text[8];
	uint64_t now_ns;
	struct watch w;
};

static struct phase_log phases;

static void phase_fn(struct loop_task *t)
{
	phases.text[strlen(phases.text)] = "cdf"[t->phase];
	ck_assert_uint_eq(loop_now_ns(loop), phases.now_ns); /* one turn, one time */
	if (t->phase < LOOP_FLUSH)
		loop_task_queue(loop, &phases.task[t->phase + 1]);
	if (t->phase == LOOP_DECIDE)
		loop_stop(loop); /* the flush still runs */
}

static void phase_fd_fn(struct loop_fd *f, int events)
{
	loop_fd_set(loop, f, 0);
	phases.text[0] = 'F';
	phases.now_ns = loop_now_ns(loop);
	ck_assert_uint_le(loop_clock_ns(loop) - phases.now_ns, 5 * NS_PER_SEC);
	loop_task_queue(loop, &phases.task[LOOP_COLLECT]);
}

START_TEST(test_one_turn)
{
	int p[2], i;

	make_pipe(p);
	for (i = 0; i < LOOP_PHASES; i++)
		loop_task_init(&phases.task[i], (enum loop_phase)i, phase_fn);
	watch_init(&phases.w, p[0], 1);
	phases.w.f.fn = phase_fd_fn;
	loop_fd_set(loop, &phases.w.f, LOOP_READ);
	put_byte(p[1]);
	loop_run(loop);
	ck_assert_str_eq(phases.text, "Fcdf");
	close(p[0]);
	close(p[1]);
}
END_TEST

static unsigned busy_runs;

static void busy_fn(struct loop_task *t)
{
	busy_runs++;
	loop_task_queue(loop, t);
}

/* A task that is never done keeps neither a descriptor nor a timer waiting. */
START_TEST(test_no_starvation)
{
	static const enum loop_phase in[] = { LOOP_COLLECT, LOOP_DECIDE, LOOP_FLUSH };
	struct loop_task busy;
	struct watch w;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[0], 5);
	w.set_events = 0;
	loop_fd_set(loop, &w.f, LOOP_READ);
	put_byte(p[1]);
	loop_task_init(&busy, in[_i], busy_fn);
	loop_task_queue(loop, &busy);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 5);
	ck_assert_uint_ge(busy_runs, loop_turns(loop) * 2); /* rounds go on in a turn */
	run_for_ms(20);
	loop_task_cancel(loop, &busy);
	close(p[0]);
	close(p[1]);
}
END_TEST

static void busy_for_a_while_fn(struct loop_task *t)
{
	if (++busy_runs == 1000)
		loop_stop(loop);
	else
		loop_task_queue(loop, t);
}

/* More rounds than one turn has: the loop must not sleep on the rest. */
START_TEST(test_no_sleep_with_work_left)
{
	struct loop_task busy;

	loop_task_init(&busy, LOOP_FLUSH, busy_for_a_while_fn);
	loop_task_queue(loop, &busy);
	loop_run(loop);
	ck_assert_uint_eq(busy_runs, 1000);
	ck_assert_uint_gt(loop_turns(loop), 10);
}
END_TEST

/* Nor does a timer that restarts itself in the past keep others waiting. */
static void at_once_fn(struct loop_timer *t)
{
	busy_runs++;
	loop_timer_at(loop, t, 0);
}

START_TEST(test_no_starvation_by_timer)
{
	struct loop_timer busy;
	struct watch w;
	int p[2];

	make_pipe(p);
	watch_init(&w, p[0], 5);
	w.set_events = 0;
	loop_fd_set(loop, &w.f, LOOP_READ);
	put_byte(p[1]);
	loop_timer_init(&busy, at_once_fn);
	loop_timer_at(loop, &busy, 0);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 5);
	ck_assert_uint_ge(busy_runs, 5);
	run_for_ms(20);
	loop_timer_stop(loop, &busy);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(test_stop_before_run)
{
	loop_stop(loop);
	loop_run(loop);
	ck_assert_uint_eq(loop_turns(loop), 1);
	run_for_ms(10); /* and the stop is used up */
	ck_assert_uint_ge(loop_turns(loop), 2);
}
END_TEST

static void slow_fn(struct loop_task *t)
{
	usleep(30 * 1000);
}

START_TEST(test_longest_turn)
{
	struct loop_task slow;

	loop_task_init(&slow, LOOP_DECIDE, slow_fn);
	loop_task_queue(loop, &slow);
	run_for_ms(1);
	ck_assert_uint_ge(loop_longest_turn_ns(loop), 30 * NS_PER_MS);
	loop_lag_reset(loop);
	ck_assert_uint_eq(loop_longest_turn_ns(loop), 0);
	run_for_ms(200); /* sleeping is not lag */
	ck_assert_uint_lt(loop_longest_turn_ns(loop), 200 * NS_PER_MS);
	ck_assert_uint_gt(loop_longest_turn_ns(loop), 0);
}
END_TEST

/* --- a process that was stopped --- */

static struct loop_timer overslept;
static int first_heard; /* 'f', or 't': the timer came before what had happened long before */

static void overslept_fn(struct loop_timer *t)
{
	if (!first_heard)
		first_heard = 't';
	loop_stop(loop);
}

static void long_ready(struct loop_fd *f, int events)
{
	if (!first_heard)
		first_heard = 'f';
	loop_fd_set(loop, f, 0);
}

static _Noreturn void stopped_child(int fd)
{
	struct loop_fd f;

	loop = loop_ev_new();
	if (!loop)
		_exit(2);
	loop_fd_init(&f, fd, long_ready);
	loop_fd_set(loop, &f, LOOP_READ);
	loop_timer_init(&overslept, overslept_fn);
	loop_timer_in(loop, &overslept, 300 * NS_PER_MS);
	loop_run(loop);
	_exit(first_heard == 'f' ? 0 : 1);
}

/* SIGCONT ends epoll_wait(2) with EINTR: the loop wakes up late, and of no descriptor. */
START_TEST(test_stopped_in_its_sleep)
{
	int p[2], status;
	pid_t pid;

	make_pipe(p);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		stopped_child(p[0]);
	usleep(100 * 1000);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	put_byte(p[1]);
	usleep(400 * 1000);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	reap(pid);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* --- signals --- */

static unsigned nsignals;

static void signal_fn(struct loop_signal *s)
{
	ck_assert_int_eq(s->signo, SIGUSR1);
	nsignals++;
	loop_stop(loop);
}

START_TEST(test_signal)
{
	struct loop_signal s = { 0 };

	loop_signal_stop(loop, &s); /* harmless */
	loop_signal_start(loop, &s, SIGUSR1, signal_fn);
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	loop_run(loop);
	ck_assert_uint_eq(nsignals, 1);
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	loop_run(loop);
	ck_assert_uint_eq(nsignals, 2);
	loop_signal_stop(loop, &s);
	loop_signal_stop(loop, &s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop_ev");
	TCase *tc = tcase_create("loop_ev");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_read_is_level_triggered);
	tcase_add_test(tc, test_change_of_events);
	tcase_add_loop_test(tc, test_hang_up, 0, 3);
	tcase_add_test(tc, test_regular_file);
	tcase_add_test(tc, test_free_in_callback);
	tcase_add_loop_test(tc, test_same_number_again, 0, 4);
	tcase_add_test(tc, test_stop_and_start_in_one_turn);
	unit_add_abort(tc, test_closed_before_stopped);
	tcase_add_test(tc, test_timers_are_not_early);
	tcase_add_loop_test(tc, test_timer_sleeps, 0, 3);
	tcase_add_loop_test(tc, test_idle_loop_sleeps, 0, 2);
	tcase_add_test(tc, test_timer_set_in_callback);
	tcase_add_test(tc, test_delay_before_run);
	tcase_add_test(tc, test_one_turn);
	tcase_add_loop_test(tc, test_no_starvation, 0, 3);
	tcase_add_test(tc, test_no_sleep_with_work_left);
	tcase_add_test(tc, test_no_starvation_by_timer);
	tcase_add_test(tc, test_stop_before_run);
	tcase_add_test(tc, test_longest_turn);
	tcase_add_test(tc, test_stopped_in_its_sleep);
	tcase_add_test(tc, test_signal);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
