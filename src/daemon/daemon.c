/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.c - the life of lunmuxd: start, ready, reload, stop.
 *
 * Stop: exports take nothing more; the LUN carries out what it has, flushes and
 * closes its paths; when both have ended, or after STOP_LIMIT_NS, we go.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "base/numa.h"
#include "core/path.h"
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

/* Words that the configuration takes already, and that do nothing yet. */
static void daemon_warn_unused(const struct lun_conf *lc)
{
	if (lc->export.nbd_device.kind != NBD_DEVICE_NONE)
		log_warn("nbd_device: not attached: this version does not do it by itself "
			 "(nbd-client -unix does, see lunmuxd(8))");
}

static void params_from_conf(const struct lun_conf *lc, struct lun_params *p)
{
	lun_params_default(p);
	snprintf(p->name, sizeof(p->name), "%s", lc->alias);
	snprintf(p->wwid, sizeof(p->wwid), "%s", lc->wwid);
	p->selector = lc->path_selector;
	p->rr_min_io = lc->rr_min_io;
	p->rr_min_bytes = lc->rr_min_bytes;
	p->rr_weight = lc->rr_weight;
	/* Without distances all paths are local, and numa is queue-length. */
	numa_distances("/sys", numa_here(), p->numa_distance);
	p->elevator = lc->elevator;
	p->read_expire_ns = lc->read_expire_ns;
	p->write_expire_ns = lc->write_expire_ns;
	p->fifo_batch = lc->fifo_batch;
	p->writes_starved = lc->writes_starved;
	p->grouping = lc->path_grouping_policy;
	p->failback = lc->failback.kind;
	p->failback_ns = lc->failback.after_ns;
	p->no_path = lc->no_path_retry.kind;
	p->no_path_checks = lc->no_path_retry.checks;
	p->polling_interval_ns = lc->polling_interval_ns;
	p->max_polling_interval_ns = lc->max_polling_interval_ns;
	p->flap_window_ns = lc->marginal_ns ? lc->flap_window_ns : 0;
	p->err_sample_ns = lc->err_sample_ns;
	p->err_rate = lc->err_sample_ns && lc->marginal_ns ? lc->err_rate : 0;
	p->marginal_ns = lc->marginal_ns;
	p->flush_scope = lc->flush_scope == CONF_FLUSH_ALL ? FLUSH_SCOPE_ALL : FLUSH_SCOPE_LU;
	p->suspect_after_ns = lc->suspect_after_ns;
	p->ghost_time_ns = lc->ghost_time_ns;
	p->ghost_hold_ack = lc->ghost_policy == CONF_GHOST_HOLD_ACK;
	p->read_only = lc->read_only;
	p->depth = lc->queue_depth;
	p->path_depth = lc->path_depth;
	p->host_depth = lc->host_depth;
	p->max_reqs = lc->max_requests;
	p->buffer_bytes = lc->buffer_memory_bytes;
	p->expect_paths = true; /* the rescan may find one */
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

static void daemon_ready(struct daemon *d)
{
	struct lun_geometry g;
	unsigned usable, all;
	char size[32], uri[512] = "";

	daemon_count_paths(d, &usable, &all);
	if (d->ready || d->stopping || usable < d->lc->min_paths || !lun_geometry(d->lun, &g))
		return;
	if (exports_start(d) < 0) {
		d->exit_code = 1;
		d->ready = true;
		raise(SIGTERM);
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
		log_warn("still waiting: %u/%u paths, min_paths wants %u", usable, all, d->lc->min_paths);
	else
		log_warn("still waiting for a usable path to %s", d->lc->wwid);
	loop_timer_in(d->loop, t, 30 * NS_PER_SEC);
}

static void daemon_lun_changed(struct lun_observer *o, struct lun *lun)
{
	struct daemon *d = container_of(o, struct daemon, observer);

	if (lun_get_state(lun) == LUN_STOPPED) {
		loop_task_queue(d->loop, &d->exit_task);
		return;
	}
	daemon_status(d);
	if (d->ready || lun_get_state(lun) != LUN_UP)
		return;
	if (paths_all_checked(d) || d->waited)
		daemon_ready(d);
	else if (!loop_timer_running(&d->ready_timer))
		loop_timer_in(d->loop, &d->ready_timer, READY_WAIT_NS);
}

/* --- stop, reload ---------------------------------------------------------------------- */

static void daemon_maybe_exit(struct loop_task *t)
{
	struct daemon *d = container_of(t, struct daemon, exit_task);

	if (lun_get_state(d->lun) == LUN_STOPPED && !d->exports_running)
		loop_stop(d->loop);
}

static void daemon_give_up(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, exit_timer);
	struct lun_stats st;

	lun_get_stats(d->lun, &st);
	log_err("%u commands have not come back in time; leaving them to the kernel", st.inflight);
	/* Their memory is ours until they end: no tidying up, the process ends as it is. */
	state_write(d, "stopped");
	_exit(d->exit_code);
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
	exports_stop(d);
	lun_stop(d->lun, STOP_GRACE_NS);
	loop_timer_in(d->loop, &d->exit_timer, STOP_LIMIT_NS);
	loop_task_queue(d->loop, &d->exit_task);
}

static void daemon_on_term(struct loop_signal *s)
{
	daemon_stop(s, container_of(s, struct daemon, sigterm));
}

static void daemon_on_int(struct loop_signal *s)
{
	daemon_stop(s, container_of(s, struct daemon, sigint));
}

/* Validated first; a bad file changes nothing. */
static void daemon_reload(struct daemon *d)
{
	struct conf_errors errs = { 0 };
	const struct lun_conf *lc;
	struct config *c = NULL;

	if (config_load(d->conf_file, &c, &errs) < 0) {
		for (size_t i = 0; i < errs.nmsgs; i++)
			log_err("%s%s%s", errs.msgs[i].text, errs.msgs[i].hint ? "; " : "",
				errs.msgs[i].hint ? errs.msgs[i].hint : "");
		log_err("the configuration is bad: the old one stays in force");
		conf_errors_clear(&errs);
		return;
	}
	conf_errors_clear(&errs);
	lc = config_find(c, d->lc->alias);
	if (!lc || strcmp(lc->wwid, d->lc->wwid) != 0) {
		log_err("%s: %s %s: the old configuration stays in force", d->conf_file, d->lc->alias,
			lc ? "has another WWID now" : "is not listed any more");
		config_free(c);
		return;
	}
	lun_set_selector(d->lun, lc->path_selector);
	lun_set_depth(d->lun, lc->queue_depth);
	log_set_level(lc->log_level);
	log_notice("reloaded: path_selector, queue_depth and log_level are in force; "
		   "anything else takes effect at the next start");
	config_free(c);
}

static void daemon_on_hup(struct loop_signal *s)
{
	daemon_reload(container_of(s, struct daemon, sighup));
}

/* --- start ------------------------------------------------------------------------------ */

static int daemon_start(struct daemon *d)
{
	struct ctl_conf ctl = { .rundir = d->rundir, .version = PACKAGE_VERSION, .exports = exports_json,
				.refused = paths_refused_json, .arg = d };
	struct lun_params par;
	int r;

	r = state_open(d);
	if (r < 0)
		return r;
	params_from_conf(d->lc, &par);
	r = lun_new(d->loop, &par, &d->lun);
	if (r < 0) {
		log_err("cannot set up the queue: %s", strerror(-r));
		return r;
	}
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
	exports_free(d);
	if (d->lun)
		lun_unobserve(d->lun, &d->observer);
	lun_free(d->lun);
	blk_engine_free(d->engine);
	state_close(d);
}

int daemon_run(struct daemon *d)
{
	d->lock_fd = -1;
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
	daemon_guard_memory(d->lc);
	daemon_warn_unused(d->lc);
	if (daemon_start(d) < 0) {
		/* Nothing has been served: the process ends as it is. */
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
