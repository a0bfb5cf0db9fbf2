/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.c - the life of lunmuxd: start, ready, stop.
 *
 * Stop: exports take nothing more; the LUN carries out what it has, flushes and
 * closes its paths; when both have ended, or after STOP_LIMIT_NS, we go.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "base/numa.h"
#include "core/path.h"
#include "ctl/proto.h"
#include "ctl/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* How long the start waits for all paths before it is content with some. */
#define READY_WAIT_NS (2 * NS_PER_SEC)
/* Pools, rings and libraries: what is mapped besides buffer_memory, rounded up. */
#define MEMORY_BESIDE_BUFFERS (64u << 20)

/* Under a small RLIMIT_MEMLOCK mlockall() itself may succeed, and every larger mmap() after it
 * fails: try one of the size that is to come, and rather run unlocked than not at all. */
static int daemon_lock_memory(size_t to_come)
{
	void *p;
	int r;

	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return -errno;
	p = mmap(NULL, to_come, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		r = -errno;
		munlockall();
		return r;
	}
	munmap(p, to_come);
	return 0;
}

/* Allocations of ours must not wait for write-back to our own device. */
static void daemon_guard_memory(const struct lun_conf *lc)
{
	struct rlimit no_core = { 0, 0 };
	int r = daemon_lock_memory(lc->buffer_memory_bytes + MEMORY_BESIDE_BUFFERS);

	if (r < 0)
		log_info("memory is not locked: %s (root, or LimitMEMLOCK=infinity in the unit)",
			 strerror(-r));
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		log_info("not marked as an I/O flusher: %s (CAP_SYS_RESOURCE is needed)", strerror(errno));
	setrlimit(RLIMIT_CORE, &no_core);
}

/* --- ready ------------------------------------------------------------------------- */

static void size_text(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 1024 && u < 5) {
		v /= 1024;
		u++;
	}
	snprintf(buf, size, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

static void daemon_count_paths(const struct daemon *d, unsigned *ret_usable, unsigned *ret_all)
{
	struct path *p;

	*ret_usable = *ret_all = 0;
	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, p)) {
		*ret_usable += path_is_usable(p);
		++*ret_all;
	}
	*ret_all = MAX(*ret_all, d->nfound);
}

static void daemon_status(struct daemon *d)
{
	unsigned usable, all;

	daemon_count_paths(d, &usable, &all);
	notify_status(d, usable, all);
}

static void daemon_cannot_serve(struct daemon *d)
{
	d->exit_code = 1;
	d->ready = true;
	raise(SIGTERM);
}

static void daemon_ready(struct daemon *d)
{
	struct lun_geometry g;
	unsigned usable, all;
	char size[32], uri[512] = "";
	uint64_t wait_ns;

	daemon_count_paths(d, &usable, &all);
	if (d->ready || d->stopping || d->upgrade.adopting || usable < d->live.lc->min_paths || !lun_geometry(d->lun, &g))
		return;
	if (!d->exports_started && exports_start(d) < 0) {
		daemon_cannot_serve(d);
		return;
	}
	d->exports_started = true;
	wait_ns = attach_wait_ns(d);
	if (wait_ns) {
		loop_timer_in(d->loop, &d->ready_timer, wait_ns);
		return;
	}
	d->ready = true;
	loop_timer_stop(d->loop, &d->ready_timer);
	loop_timer_stop(d->loop, &d->warn_timer);
	size_text(g.nblocks * g.block_bytes, size, sizeof(size));
	exports_uri(d, uri, sizeof(uri));
	log_notice("ready: %u/%u paths, %s, %s", usable, all, size, uri);
	state_write(d, "ready");
	notify("READY=1");
	daemon_status(d);
	/* To open devices takes its time; that nobody has waited for. */
	loop_lag_reset(d->loop);
}

/* Once the LUN is up: now, or when all paths have been judged, for which there is some time. */
void daemon_try_ready(struct daemon *d)
{
	if (d->ready || lun_get_state(d->lun) != LUN_UP)
		return;
	if (d->exports_started || paths_all_checked(d) || d->waited)
		daemon_ready(d);
	else if (!loop_timer_running(&d->ready_timer))
		loop_timer_in(d->loop, &d->ready_timer, READY_WAIT_NS);
}

static void daemon_ready_due(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, ready_timer);

	d->waited = true;
	daemon_ready(d);
}

static void daemon_still_waiting(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, warn_timer);
	unsigned usable, all;

	daemon_count_paths(d, &usable, &all);
	if (usable)
		log_warn("still waiting: %u/%u paths, min_paths wants %u", usable, all, d->live.lc->min_paths);
	else
		log_warn("still waiting for a usable path to %s", d->lc->wwid);
	loop_timer_in(d->loop, t, 30 * NS_PER_SEC);
}

static void daemon_lun_changed(struct lun_observer *o, struct lun *lun)
{
	struct daemon *d = container_of(o, struct daemon, observer);

	inflight_learn(d);
	upgrade_lun_changed(d);
	if (lun_get_state(lun) == LUN_STOPPED) {
		loop_task_queue(d->loop, &d->exit_task);
		return;
	}
	daemon_status(d);
	if (d->ready || lun_get_state(lun) != LUN_UP)
		return;
	/* At once: the kernel may hold the requests of those who used our predecessor. */
	if (attach_start(d) < 0) {
		daemon_cannot_serve(d);
		return;
	}
	daemon_try_ready(d);
}

/* --- stop ---------------------------------------------------------------------- */

static void daemon_maybe_exit(struct loop_task *t)
{
	struct daemon *d = container_of(t, struct daemon, exit_task);

	if (lun_get_state(d->lun) == LUN_STOPPED && !d->exports_running && !d->looking && !upgrade_is_busy(d))
		loop_stop(d->loop);
}

static void daemon_give_up(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, exit_timer);
	struct lun_stats st;

	lun_get_stats(d->lun, &st);
	log_err("%u commands%s have not come back in time; leaving them to the kernel", st.inflight,
		d->looking ? " and a look for paths" : "");
	/* Their memory is ours until they end: no tidying up, the process ends as it is. */
	state_write(d, "stopped");
	_exit(d->exit_code);
}

static void daemon_stop_serving(void *arg)
{
	struct daemon *d = arg;

	exports_stop(d);
	lun_stop(d->lun, STOP_GRACE_NS);
	loop_timer_in(d->loop, &d->exit_timer, STOP_LIMIT_NS);
	loop_task_queue(d->loop, &d->exit_task);
}

static void daemon_stop(struct loop_signal *s, struct daemon *d)
{
	if (d->stopping) {
		log_warn("asked to stop a second time: at once");
		_exit(d->exit_code ? d->exit_code : 1);
	}
	d->stopping = true;
	log_notice("stopping (%s)", strsignal(s->signo));
	notify("STOPPING=1");
	state_write(d, "stopping");
	paths_stop(d);
	upgrade_stop(d);
	/* The kernel may ask for data before it lets go of the device. */
	attach_stop(d, daemon_stop_serving);
}

static void daemon_on_term(struct loop_signal *s)
{
	daemon_stop(s, container_of(s, struct daemon, sigterm));
}

static void daemon_on_int(struct loop_signal *s)
{
	daemon_stop(s, container_of(s, struct daemon, sigint));
}

static void daemon_on_hup(struct loop_signal *s)
{
	struct ctl_error err; /* has been logged */

	json_decref(reload_now(container_of(s, struct daemon, sighup), &err));
}

/* --- start ------------------------------------------------------------------------------ */

static int daemon_start(struct daemon *d)
{
	struct ctl_conf ctl = { .rundir = d->rundir, .version = PACKAGE_VERSION, .exports = exports_json,
				.refused = paths_refused_json, .reload = reload_now,
				.set = reload_set, .device = &attach_by_ctl, .paths = &byhand_by_ctl, .upgrade = &upgrade_by_ctl,
				.listen_fd = d->upgrade.in.ctl_fd, .arg = d };
	struct lun_params par;
	int r;

	r = state_open(d);
	if (r < 0)
		return r;
	live_params(d->lc, &par);
	/* Without distances all paths are local, and numa is queue-length. */
	numa_distances("/sys", numa_here(), par.numa_distance);
	r = inflight_start(d, &par);
	if (r < 0)
		return r;
	r = lun_new(d->loop, &par, &d->lun);
	if (r < 0) {
		log_err("cannot set up the queue: %s", strerror(-r));
		return r;
	}
	byhand_init(d);
	reload_init(d);
	inflight_watch(d);
	d->observer.changed = daemon_lun_changed;
	lun_observe(d->lun, &d->observer);
	r = ctl_server_new(d->loop, d->lun, &ctl, &d->ctl);
	if (r < 0) {
		log_err("%s/ctl.sock: %s", d->dir, strerror(-r));
		return r;
	}
	r = exports_start_early(d);
	if (r < 0)
		return r;
	/* Last: sg files work only under the credentials that opened them. */
	return paths_start(d);
}

static void daemon_end(struct daemon *d)
{
	ctl_server_free(d->ctl);
	upgrade_free(d);
	exports_free(d);
	hotplug_free(d);
	byhand_free(d);
	if (d->lun)
		lun_unobserve(d->lun, &d->observer);
	lun_free(d->lun);
	inflight_end(d);
	blk_engine_free(d->engine);
	state_close(d);
}

int daemon_run(struct daemon *d)
{
	d->lock_fd = -1;
	upgrade_init(d);
	d->loop = loop_ev_new();
	if (!d->loop) {
		log_err("libev finds no way to wait for events");
		return 1;
	}
	loop_timer_init(&d->ready_timer, daemon_ready_due);
	loop_timer_init(&d->warn_timer, daemon_still_waiting);
	loop_timer_init(&d->exit_timer, daemon_give_up);
	loop_task_init(&d->exit_task, LOOP_COLLECT, daemon_maybe_exit);
	loop_signal_start(d->loop, &d->sigterm, SIGTERM, daemon_on_term);
	loop_signal_start(d->loop, &d->sigint, SIGINT, daemon_on_int);
	loop_signal_start(d->loop, &d->sighup, SIGHUP, daemon_on_hup);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTOU, SIG_IGN); /* "stty tostop" must not stop a LUN that logs from the background */
	daemon_guard_memory(d->lc);
	if (daemon_start(d) < 0) {
		/* Nothing has been served: the process ends as it is, but for what others can see of it. */
		exports_stop(d);
		if (d->ctl)
			ctl_server_free(d->ctl);
		state_close(d);
		return 1;
	}
	loop_timer_in(d->loop, &d->warn_timer, 5 * NS_PER_SEC);
	notify_start(d);
	loop_run(d->loop);
	notify_stop(d);
	loop_timer_stop(d->loop, &d->ready_timer);
	loop_timer_stop(d->loop, &d->warn_timer);
	loop_timer_stop(d->loop, &d->exit_timer);
	loop_task_cancel(d->loop, &d->exit_task);
	daemon_end(d);
	loop_signal_stop(d->loop, &d->sigterm);
	loop_signal_stop(d->loop, &d->sigint);
	loop_signal_stop(d->loop, &d->sighup);
	loop_free(d->loop);
	log_notice("stopped");
	return d->exit_code;
}
