/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * upgrade.c - this process goes on with the program that is installed now, and
 * clients notice no more than a short wait.
 *
 *   none ---asked--> checking --good--> waiting --all is answered--> exec
 *    ^                  |bad               |not in time, exec failed, stop
 *    +------------------+------------------+
 *
 * First the new program is run with -t: it must know our handover, and take the
 * configuration.  Until then nobody is kept waiting.  Then nothing is read from
 * clients any more, and when the LUN has nothing in flight and no thread of ours
 * is in the kernel, we become the new program: same process, same sockets.  It
 * opens its own paths, as after a crash, and then takes the connections over.
 * What goes wrong before the exec leaves everything as it was; what goes wrong
 * after it is a crash, which clients get over by themselves.
 */
#include "daemon/daemon.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "core/path.h"
#include "ctl/proto.h"
#include "ctl/server.h"
#include "export/nbd_attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The new program may take so long to read the configuration. */
#define CHECK_MS 10000
/* Clients wait so long at most for what is in flight. */
#define WAIT_NS (2 * NS_PER_SEC)
#define LOOK_NS (NS_PER_MS / 2)

static const char *const state_names[] = {
	[UPGRADE_NONE] = "none", [UPGRADE_CHECKING] = "checking", [UPGRADE_WAITING] = "waiting"
};

static void upgrade_failed(struct daemon *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void upgrade_failed(struct daemon *d, const char *fmt, ...)
{
	struct upgrade *u = &d->upgrade;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(u->error, sizeof(u->error), fmt, ap);
	va_end(ap);
	u->state = UPGRADE_NONE;
	log_err("upgrade: %s; this lunmuxd goes on", u->error);
}

/* --- the new program, asked in a thread ------------------------------------------------ */

/* What it says, until it ends or the time is up. */
static void read_words(struct upgrade *u, int fd)
{
	uint64_t len = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		if (poll(&p, 1, CHECK_MS) <= 0)
			return;
		n = read(fd, u->said + len, sizeof(u->said) - 1 - len);
		if (n <= 0)
			break;
		len += (uint64_t)n;
		if (len == sizeof(u->said) - 1)
			break;
	}
	u->said[len] = '\0';
	u->said[strcspn(u->said, "\n")] = '\0';
}

/* A signal mask that is the loop's, nothing ignored, and no descriptor but these. */
static int spawn_check(struct upgrade *u, int out, pid_t *ret)
{
	char *const argv[] = { u->exe, (char *)"-t", (char *)"--takeover", u->format,
			       (char *)"-c", u->conf_file, u->name, NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&fa))
		return ENOMEM;
	if (posix_spawnattr_init(&attr)) {
		posix_spawn_file_actions_destroy(&fa);
		return ENOMEM;
	}
	r = posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_addopen(&fa, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&fa, out, STDERR_FILENO);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!r)
		r = posix_spawn(ret, u->exe, &fa, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	return r;
}

/* Its status as of waitpid(), or -errno. */
static int check_program(struct blk_io *io)
{
	struct upgrade *u = container_of(io, struct upgrade, job);
	_cleanup_close_ int in = -1, out = -1;
	int pipefd[2], status = 0, r;
	struct timespec tick = { .tv_nsec = 10 * 1000 * 1000 };
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	in = pipefd[0];
	out = pipefd[1];
	r = spawn_check(u, out, &pid);
	if (r)
		return -r;
	close(take_fd(&out));
	read_words(u, in);
	for (int ms = 0; (r = waitpid(pid, &status, WNOHANG)) == 0 && ms < CHECK_MS; ms += 10)
		nanosleep(&tick, NULL);
	if (r == pid)
		return status;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -ETIMEDOUT;
}

/* --- going over -------------------------------------------------------------------------- */

static void keep_fd(void *arg, int fd)
{
	(void)fcntl(fd, F_SETFD, arg ? 0 : FD_CLOEXEC);
}

static size_t list_disabled(const struct daemon *d, const char **names)
{
	struct path *p;
	size_t n = 0;

	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, p))
		if (p->state == PATH_DISABLED)
			names[n++] = path_opened_as(d, p);
	return n;
}

static int handover_fill(struct daemon *d, struct handover *h)
{
	const char **names = calloc(PATHS_MAX, sizeof(*names));

	handover_init(h);
	h->disabled = names;
	if (!names)
		return -ENOMEM;
	h->ndisabled = list_disabled(d, names);
	snprintf(h->name, sizeof(h->name), "%s", d->lc->alias);
	snprintf(h->wwid, sizeof(h->wwid), "%s", d->lc->wwid);
	snprintf(h->version, sizeof(h->version), "%.31s", PACKAGE_VERSION);
	h->upgrades = d->upgrade.count + 1;
	h->frozen_ns = d->upgrade.frozen_ns;
	h->lock_fd = d->lock_fd;
	h->ctl_fd = ctl_server_listener(d->ctl);
	nbd_server_listeners(d->nbd, &h->unix_fd, &h->tcp_fd);
	nbd_server_told(d->nbd, &h->size_bytes, &h->block_bytes);
	if (d->attach)
		attach_save(d, h);
	return nbd_server_save(d->nbd, &h->conns, &h->nconns);
}

/* Returns only if it has failed: -errno. */
static int become(struct daemon *d, const struct handover *h, int file)
{
	char number[16];
	void *yes = d;
	int r;

	snprintf(number, sizeof(number), "%d", file);
	if (setenv(HANDOVER_ENV, number, 1) < 0)
		return -ENOMEM;
	handover_each_fd(h, keep_fd, yes);
	keep_fd(yes, file);
	/* Between the two programs nobody handles them: what is ignored stays so. SIGTERM may end us. */
	signal(SIGHUP, SIG_IGN);
	execv(d->upgrade.exe, d->argv);
	r = -errno;
	keep_fd(NULL, file);
	handover_each_fd(h, keep_fd, NULL);
	unsetenv(HANDOVER_ENV);
	loop_signal_stop(d->loop, &d->sighup);
	loop_signal_start(d->loop, &d->sighup, SIGHUP, d->sighup.fn);
	return r;
}

static void upgrade_go(struct daemon *d)
{
	_cleanup_close_ int file = -1;
	struct handover h;
	int r = handover_fill(d, &h);

	if (r == 0)
		r = file = handover_write(&h);
	if (r >= 0) {
		log_notice("upgrade: going over to %s with %zu connections", d->upgrade.exe, h.nconns);
		notify("RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)(loop_clock_ns(d->loop) / 1000));
		state_write(d, "upgrading");
		r = become(d, &h, file);
		notify("READY=1");
		state_write(d, "ready");
	}
	handover_clear(&h);
	nbd_server_thaw(d->nbd);
	upgrade_failed(d, "%s: %s", d->upgrade.exe, strerror(-r));
}

/* Nothing may be in the kernel that exec would wait for, or that would land in memory that is gone;
 * what sg has is none of that, but a write that is not back had better be known to be. */
static const char *upgrade_waits_for(const struct daemon *d)
{
	struct lun_stats st;

	if (!nbd_server_is_idle(d->nbd))
		return "requests of clients are not answered";
	lun_get_stats(d->lun, &st);
	if (st.inflight)
		return "commands have not come back from their paths";
	if (d->looking || !blk_engine_is_idle(d->engine))
		return "a device does not answer its check, or to the look for paths";
	if (d->attach && nbd_attach_busy(d->attach))
		return "the kernel does not answer about its nbd device";
	return NULL;
}

static void upgrade_look(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, upgrade.timer);
	const char *what = upgrade_waits_for(d);

	if (!what) {
		upgrade_go(d);
	} else if (loop_now_ns(d->loop) - d->upgrade.frozen_ns < WAIT_NS) {
		loop_timer_in(d->loop, t, LOOK_NS);
	} else {
		nbd_server_thaw(d->nbd);
		upgrade_failed(d, "%s, after %u s", what, (unsigned)(WAIT_NS / NS_PER_SEC));
	}
}

static void upgrade_checked(struct loop_fd *f, int events)
{
	struct daemon *d = container_of(f, struct daemon, upgrade.event);
	struct upgrade *u = &d->upgrade;
	struct blk_io *io;
	uint64_t n;

	if (read(f->fd, &n, sizeof(n)) < 0 || !(io = blk_work_take(u->work)))
		return;
	if (u->state != UPGRADE_CHECKING || d->stopping) {
		u->state = UPGRADE_NONE;
		loop_task_queue(d->loop, &d->exit_task); /* the end may wait for us */
		return;
	}
	if (io->res < 0) {
		upgrade_failed(d, "%s: %s", u->exe, strerror(-io->res));
	} else if (io->res != 0) {
		upgrade_failed(d, "%s cannot take over: %s", u->exe, u->said[0] ? u->said : "it died");
	} else {
		u->state = UPGRADE_WAITING;
		u->frozen_ns = loop_now_ns(d->loop);
		nbd_server_freeze(d->nbd);
		loop_timer_in(d->loop, &u->timer, 0);
	}
}

/* --- asked for ----------------------------------------------------------------------------- */

static int upgrade_thread(struct daemon *d)
{
	struct upgrade *u = &d->upgrade;
	int fd, r;

	if (u->work)
		return 0;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = blk_work_new(fd, &u->work);
	if (r < 0) {
		close(fd);
		return r;
	}
	loop_fd_init(&u->event, fd, upgrade_checked);
	loop_fd_set(d->loop, &u->event, LOOP_READ);
	u->job.work = check_program;
	return 0;
}

/* What makes it impossible, whatever the new program is like. */
static bool upgrade_is_possible(struct daemon *d, struct ctl_error *err)
{
	struct live_error lerr;

	if (d->stopping) {
		ctl_fail(err, CTL_E_STOPPING, "the daemon is ending");
	} else if (!d->ready || d->upgrade.adopting) {
		ctl_fail(err, CTL_E_BUSY, "the daemon is still starting");
	} else if (d->upgrade.state != UPGRADE_NONE) {
		ctl_fail(err, CTL_E_BUSY, "an upgrade is under way");
	} else if (d->fuse) {
		ctl_fail(err, CTL_E_FAILED, "the FUSE file %s cannot be handed over", d->lc->export.fuse_path);
		ctl_hint(err, "unmount what is on it, and restart the daemon; NBD can be handed over");
	} else if (!d->upgrade.exe[0]) {
		ctl_fail(err, CTL_E_FAILED, "the daemon does not know where its program is (no /proc?)");
	} else if (!live_try(&d->live, &lerr)) {
		ctl_fail(err, CTL_E_CONFIG, "%s", lerr.message);
		ctl_hint(err, "%s", lerr.hint);
	} else {
		return true;
	}
	return false;
}

static bool upgrade_begin(void *arg, struct ctl_error *err)
{
	struct daemon *d = arg;
	struct upgrade *u = &d->upgrade;
	int r;

	if (!upgrade_is_possible(d, err))
		return false;
	r = upgrade_thread(d);
	if (r < 0) {
		ctl_fail(err, CTL_E_FAILED, "no thread to be had: %s", strerror(-r));
		return false;
	}
	log_notice("upgrade by lunmuxctl: asking %s", u->exe);
	u->error[0] = u->said[0] = '\0';
	snprintf(u->format, sizeof(u->format), "%u", HANDOVER_FORMAT);
	snprintf(u->conf_file, sizeof(u->conf_file), "%s", d->conf_file);
	snprintf(u->name, sizeof(u->name), "%s", d->lc->alias);
	u->state = UPGRADE_CHECKING;
	blk_work_queue(u->work, &u->job);
	return true;
}

static json_t *upgrade_json(void *arg)
{
	const struct daemon *d = arg;
	const struct upgrade *u = &d->upgrade;

	bool arriving = u->adopting || (u->count && !d->ready);

	return json_pack("{s:s, s:I, s:I, s:s}", "state", arriving ? "adopting" : state_names[u->state],
			 "count", (json_int_t)u->count, "wait_ms", (json_int_t)(u->wait_ns / NS_PER_MS),
			 "error", u->error);
}

const struct ctl_upgrade_ops upgrade_by_ctl = { .begin = upgrade_begin, .show = upgrade_json };

void upgrade_stop(struct daemon *d)
{
	struct upgrade *u = &d->upgrade;

	loop_timer_stop(d->loop, &u->timer);
	if (u->state == UPGRADE_WAITING) {
		nbd_server_thaw(d->nbd);
		upgrade_failed(d, "the daemon is ending");
	}
}

bool upgrade_is_busy(const struct daemon *d)
{
	return d->upgrade.state == UPGRADE_CHECKING;
}

/* --- on the other side ------------------------------------------------------------------------ */

/* All or nothing: a connection that is not understood is better gone than wrong. */
static bool is_ours(const struct daemon *d, const struct handover *h)
{
	return strcmp(h->name, d->lc->alias) == 0 && strcmp(h->wwid, d->lc->wwid) == 0;
}

/* Clients that were told of a LUN must not meet silence when there is none: the sockets close. */
static void drop_all(struct daemon *d, const char *why)
{
	struct handover *h = &d->upgrade.in;

	log_err("upgrade: %s: connections of the earlier lunmuxd are closed", why);
	for (size_t i = 0; i < h->nconns; i++)
		close(h->conns[i].fd);
	handover_clear(h);
	d->upgrade.adopting = false;
}

static void upgrade_adopt(struct loop_task *t)
{
	struct daemon *d = container_of(t, struct daemon, upgrade.adopt);
	struct upgrade *u = &d->upgrade;
	unsigned lost = 0;

	for (size_t i = 0; i < u->in.nconns; i++) {
		const struct nbd_conn_state *st = &u->in.conns[i];
		int r = st->kernel ? attach_adopt(d, &u->in, st) : nbd_server_adopt(d->nbd, st, NULL, NULL);

		lost += r < 0;
	}
	u->count = u->in.upgrades;
	u->wait_ns = loop_clock_ns(d->loop) - u->in.frozen_ns;
	log_notice("upgrade: lunmuxd %s goes on where %s has left, after %.1f ms: %zu connections, %u lost",
		   PACKAGE_VERSION, u->in.version, (double)u->wait_ns / 1e6, u->in.nconns, lost);
	handover_clear(&u->in);
	u->adopting = false;
	daemon_try_ready(d);
}

void upgrade_init(struct daemon *d)
{
	const char *env = getenv(HANDOVER_ENV);
	struct upgrade *u = &d->upgrade;
	ssize_t n = readlink("/proc/self/exe", u->exe, sizeof(u->exe) - 1);
	char err[256];
	int fd;

	u->exe[MAX(n, 0)] = '\0';
	loop_timer_init(&u->timer, upgrade_look);
	loop_task_init(&u->adopt, LOOP_COLLECT, upgrade_adopt);
	handover_init(&u->in);
	if (!env)
		return;
	fd = atoi(env);
	unsetenv(HANDOVER_ENV);
	if (handover_read(fd, &u->in, err, sizeof(err)) < 0) {
		log_err("upgrade: the handover in descriptor %d: %s; starting anew", fd, err);
		handover_close_others(NULL);
		return;
	}
	if (!is_ours(d, &u->in)) {
		log_err("upgrade: the handover is of %s (%s); starting anew", u->in.name, u->in.wwid);
		handover_clear(&u->in);
		handover_close_others(NULL);
		return;
	}
	handover_close_others(&u->in);
	handover_each_fd(&u->in, keep_fd, NULL);
	u->adopting = true;
}

void upgrade_lun_changed(struct daemon *d)
{
	struct upgrade *u = &d->upgrade;
	enum lun_state state = lun_get_state(d->lun);
	struct lun_geometry g;

	if (!u->adopting)
		return;
	if (lun_geometry(d->lun, &g))
		loop_task_queue(d->loop, &u->adopt); /* when the server has heard of it, too */
	else if (state >= LUN_FAILING)
		drop_all(d, "no path to the LUN");
}

void upgrade_opened(struct daemon *d, const char *name, struct path *p)
{
	const struct handover *h = &d->upgrade.in;

	for (size_t i = 0; i < h->ndisabled; i++)
		if (strcmp(h->disabled[i], name) == 0)
			lun_fail_path(d->lun, p);
}

void upgrade_free(struct daemon *d)
{
	struct upgrade *u = &d->upgrade;

	loop_timer_stop(d->loop, &u->timer);
	loop_task_cancel(d->loop, &u->adopt);
	if (u->adopting)
		drop_all(d, "the daemon is ending");
	if (!u->work)
		return;
	loop_fd_set(d->loop, &u->event, 0);
	blk_work_free(u->work);
	close(u->event.fd);
}
