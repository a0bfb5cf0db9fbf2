/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_attach.c - attach to the kernel's nbd driver, keep attached, detach.
 *
 *             START     DONE      FAILED    GONE      BYE       DUE       DETACH    STOP
 *   off       attaching -         -         -         -         -         -         stopped
 *   attaching -         attached  waiting*  -         -         -         -         (after it)
 *   waiting   attaching -         -         -         -         attaching off       stopped
 *   attached  -         -         -         attaching off       -         detaching stopped+
 *   detaching -         off       attached  +         +         -         -         (after it)
 *
 * * or off, see nbd_attach_start().  + the connection's end is noted, and acted on when the job ends.
 *
 * One thread asks the kernel, one job at a time.  While it does the loop serves
 * on, which the kernel may need to answer.  The socket is the server's before
 * anything is asked that could wait for an answer on it: the queue is set and
 * the size is made equal in a job of its own, afterwards.
 *
 * The kernel says 0 to a socket that it has no need for, and drops it (its old
 * one is not dead yet): then ours reads end-of-file, and we try again soon.
 */
#include <config.h>

#include "export/nbd_attach.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"
#include "core/lun.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* The old socket is about to die. */
#define RETRY_SOON_NS (200 * NS_PER_MS)
/* Anything else: the module is loaded, the device that was named becomes free. */
#define RETRY_LATER_NS (2 * NS_PER_SEC)
/* The queue may be udev's to set: it comes to the device when it comes to it. */
#define TUNE_AGAIN_NS (5 * NS_PER_SEC)
/* A connection that ends sooner was no good: not at once again. */
#define SHORT_LIFE_NS NS_PER_SEC
#define SEND_BUFFER_BYTES (1024 * 1024) /* the kernel's: writes need not wait for us to read */
#define STOP_NS (2 * NS_PER_SEC)
#define STACK_BYTES (256u * 1024u)
#define KERNEL_BLOCK_MAX 4096u /* nbd_set_size(): a page */

enum job_kind { JOB_ATTACH, JOB_SETTLE, JOB_DETACH };

struct job {
	enum job_kind kind;
	/* in */
	struct nbd_device_spec spec;
	int index;
	int fd, kernel_fd; /* of an attach: ours, the kernel's */
	bool force;
	/* out */
	int res; /* of an attach: 0 or -errno; index is set */
	bool takeover, grown;
	int tune_res;
	char text[320];
};

struct nbd_attach {
	struct loop *loop;
	struct nbd_server *srv;
	struct lun *lun;
	struct lun_observer observer;
	struct nbd_attach_conf conf;
	enum nbd_attach_state state;
	int want_index;
	bool keep;
	int index; /* of the device, -1: none */
	char backend[NBD_BACKEND_BYTES];
	char error[320];
	unsigned attempts, takeovers;
	/* the connection at the server */
	bool connected, bye;
	uint64_t since_ns;
	uint64_t size_bytes; /* that the kernel was asked to show */
	struct loop_task gone_task;
	struct loop_timer retry, stop_timer;
	bool stopping, serving;
	void (*stopped)(void *arg);
	void *stopped_arg;
	/* the job: the thread's from todo to ended */
	struct job job;
	bool busy, settle_due;
	bool tuned_late; /* it was given a second chance */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool todo, end; /* under the lock */
	struct loop_fd event;
};

static const char *const state_names[NBD_A_NR] = {
	[NBD_A_OFF] = "detached",   [NBD_A_ATTACHING] = "attaching", [NBD_A_WAITING] = "waiting",
	[NBD_A_ATTACHED] = "attached", [NBD_A_DETACHING] = "detaching", [NBD_A_STOPPED] = "stopped",
};

/* --- the thread: no log, no loop, nothing but the job ----------------------------------------- */

static const char *why(int err)
{
	switch (err) {
	case -ENODEV:
		return "the kernel has no nbd driver. Hint: modprobe nbd";
	case -EPERM:
		return "no permission. Hint: it needs CAP_SYS_ADMIN; nbd-client, as root, can attach, too";
	case -EAGAIN:
		return "its old connection is not dead yet";
	}
	return strerror(-err);
}

/* Has the kernel dropped its end? */
static bool is_dropped(int fd)
{
	char b;

	return recv(fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void job_attach(const struct nbd_kernel_ops *k, struct job *j)
{
	char backend[NBD_BACKEND_BYTES];
	int r = k->find(&j->spec, backend);

	if (r >= 0) {
		/* Whoever changed the alias keeps the device: the key is the WWID. */
		struct nbd_device_spec spec = j->spec;

		memcpy(spec.backend, backend, sizeof(backend));
		spec.size_bytes = 0;
		j->index = r;
		j->takeover = true;
		memcpy(j->spec.backend, backend, sizeof(backend));
		r = k->reconfigure(&spec, j->index, j->kernel_fd);
		if (r < 0)
			snprintf(j->text, sizeof(j->text), "/dev/nbd%d: cannot be taken over: %s", j->index,
				 why(r));
	} else if (r == -ENOENT) {
		r = k->connect(&j->spec, j->index, j->kernel_fd);
		if (r < 0 && j->index >= 0)
			snprintf(j->text, sizeof(j->text), "/dev/nbd%d: cannot be attached: %s", j->index,
				 r == -EBUSY ? "it is in use" : why(r));
		else if (r < 0)
			snprintf(j->text, sizeof(j->text), "cannot be attached: %s", why(r));
		else
			j->index = r;
	} else {
		snprintf(j->text, sizeof(j->text), "cannot be attached: %s", why(r));
	}
	close(j->kernel_fd);
	j->kernel_fd = -1;
	if (r >= 0 && is_dropped(j->fd)) {
		r = -EAGAIN;
		snprintf(j->text, sizeof(j->text), "/dev/nbd%d: %s", j->index, why(r));
	}
	j->res = MIN(r, 0);
}

/* What may wait until requests in flight are answered. */
static void job_settle(const struct nbd_kernel_ops *k, struct job *j)
{
	uint64_t size = k->size_bytes(j->index);
	char what[160];
	int r = k->tune(j->index, what, sizeof(what));

	j->res = 0;
	j->tune_res = r;
	if (r < 0)
		snprintf(j->text, sizeof(j->text),
			 "%s: %s; after a crash requests may wait for half a minute", what, strerror(-r));
	if (size == 0 || size >= j->spec.size_bytes)
		return;
	j->res = k->reconfigure(&j->spec, j->index, -1);
	if (j->res < 0)
		snprintf(j->text, sizeof(j->text), "/dev/nbd%d: cannot be made as large as the LUN: %s",
			 j->index, why(j->res));
	else
		j->grown = true;
}

static void job_detach(const struct nbd_kernel_ops *k, struct job *j)
{
	char who[NBD_USER_BYTES];

	if (!j->force && k->in_use(j->index, who, sizeof(who))) {
		j->res = -EBUSY;
		snprintf(j->text, sizeof(j->text), "/dev/nbd%d is in use: %s", j->index, who);
		return;
	}
	j->res = k->disconnect(j->index);
	if (j->res < 0)
		snprintf(j->text, sizeof(j->text), "/dev/nbd%d: cannot be detached: %s", j->index,
			 why(j->res));
}

static void *attach_thread(void *arg)
{
	struct nbd_attach *a = arg;
	uint64_t one = 1;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		while (!a->todo && !a->end)
			pthread_cond_wait(&a->wake, &a->lock);
		if (!a->todo)
			break;
		a->todo = false;
		pthread_mutex_unlock(&a->lock);
		switch (a->job.kind) {
		case JOB_ATTACH:
			job_attach(a->conf.kernel, &a->job);
			break;
		case JOB_SETTLE:
			job_settle(a->conf.kernel, &a->job);
			break;
		case JOB_DETACH:
			job_detach(a->conf.kernel, &a->job);
			break;
		}
		pthread_mutex_lock(&a->lock);
		/* Read before the next job is given, so it cannot overflow. */
		(void)!write(a->event.fd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* --- jobs ------------------------------------------------------------------------------------ */

static void fill_spec(const struct nbd_attach *a, struct nbd_device_spec *s)
{
	struct lun_geometry g = { 0 };

	lun_geometry(a->lun, &g);
	memset(s, 0, sizeof(*s));
	s->backend_key_len =
		(size_t)snprintf(s->backend, sizeof(s->backend), "lunmux:%s:", a->conf.wwid);
	if (a->index >= 0)
		memcpy(s->backend, a->backend, sizeof(s->backend));
	else
		snprintf(s->backend, sizeof(s->backend), "lunmux:%s:%s", a->conf.wwid, a->conf.name);
	s->size_bytes = g.nblocks * g.block_bytes;
	/* Larger blocks are read and modified by the server, as for any client. */
	s->block_bytes = MIN(g.block_bytes, KERNEL_BLOCK_MAX);
	s->flags = nbd_server_kernel_flags(a->srv);
	s->dead_sec = MAX(a->conf.dead_ns / NS_PER_SEC, 1u);
}

static struct job *job_new(struct nbd_attach *a, enum job_kind kind)
{
	struct job *j = &a->job;

	assert(!a->busy);
	memset(j, 0, sizeof(*j));
	j->kind = kind;
	j->fd = j->kernel_fd = -1;
	j->index = a->index;
	fill_spec(a, &j->spec);
	return j;
}

static void job_queue(struct nbd_attach *a)
{
	a->busy = true;
	pthread_mutex_lock(&a->lock);
	a->todo = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
}

static void told(struct nbd_attach *a)
{
	if (a->conf.changed)
		a->conf.changed(a->conf.arg);
}

/* Each reason once. */
static void attach_error(struct nbd_attach *a, const char *text)
{
	if (strcmp(a->error, text) != 0 && text[0] != '\0')
		log_err("nbd: %s", text);
	snprintf(a->error, sizeof(a->error), "%s", text);
}

static void attach_wait(struct nbd_attach *a, uint64_t delay_ns)
{
	a->state = NBD_A_WAITING;
	loop_timer_in(a->loop, &a->retry, delay_ns);
}

static void attach_go(struct nbd_attach *a)
{
	struct job *j = job_new(a, JOB_ATTACH);
	int fds[2], room = SEND_BUFFER_BYTES;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		attach_error(a, strerror(errno));
		attach_wait(a, RETRY_LATER_NS);
		return;
	}
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	j->fd = fds[0];
	j->kernel_fd = fds[1];
	if (a->index < 0)
		j->index = a->want_index;
	a->state = NBD_A_ATTACHING;
	job_queue(a);
}

static void settle(struct nbd_attach *a)
{
	if (a->busy || !a->settle_due || a->state != NBD_A_ATTACHED || !a->connected)
		return;
	a->settle_due = false;
	a->size_bytes = job_new(a, JOB_SETTLE)->spec.size_bytes;
	job_queue(a);
}

/* --- the connection's end ------------------------------------------------------------------------ */

static void conn_gone(void *arg, bool bye)
{
	struct nbd_attach *a = arg;

	a->connected = false;
	a->bye = bye;
	loop_task_queue(a->loop, &a->gone_task);
}

static void attach_off(struct nbd_attach *a)
{
	loop_timer_stop(a->loop, &a->retry);
	a->state = NBD_A_OFF;
	a->index = -1;
	a->settle_due = false;
}

static void gone(struct nbd_attach *a)
{
	if (a->connected || a->busy || a->state != NBD_A_ATTACHED || a->stopping)
		return;
	if (a->bye) {
		log_notice("nbd: /dev/nbd%d has been detached by somebody else (nbd-client -d?)",
			   a->index);
		attach_off(a);
	} else {
		log_notice("nbd: /dev/nbd%d has lost its connection: a new one", a->index);
		a->keep = true;
		loop_timer_stop(a->loop, &a->retry);
		if (loop_now_ns(a->loop) - a->since_ns < SHORT_LIFE_NS)
			attach_wait(a, RETRY_LATER_NS);
		else
			attach_go(a);
	}
	told(a);
}

static void gone_task(struct loop_task *t)
{
	gone(container_of(t, struct nbd_attach, gone_task));
}

/* --- ends of jobs ---------------------------------------------------------------------------------- */

static void attach_failed(struct nbd_attach *a, int err, const char *text)
{
	attach_error(a, text);
	if (err == -EAGAIN)
		attach_wait(a, RETRY_SOON_NS);
	else if (err == -EPERM || !a->keep)
		attach_off(a);
	else
		attach_wait(a, RETRY_LATER_NS);
}

static void attached(struct nbd_attach *a, struct job *j)
{
	char peer[32];
	int r;

	a->attempts++;
	if (j->res < 0) {
		close(j->fd);
		attach_failed(a, j->res, j->text);
		return;
	}
	snprintf(peer, sizeof(peer), "kernel /dev/nbd%d", j->index);
	r = nbd_server_attach(a->srv, j->fd, peer, conn_gone, a);
	a->index = j->index;
	memcpy(a->backend, j->spec.backend, sizeof(a->backend));
	if (r < 0) {
		/* The kernel's end is dead now, and waits for the next. */
		attach_failed(a, -EAGAIN, why(r));
		return;
	}
	a->state = NBD_A_ATTACHED;
	a->connected = true;
	a->bye = false;
	a->since_ns = loop_now_ns(a->loop);
	a->takeovers += j->takeover;
	attach_error(a, "");
	log_notice("nbd: /dev/nbd%d %s", a->index,
		   j->takeover ? "was there, and goes on by a new connection" : "is attached");
	a->settle_due = true;
}

static void settled(struct nbd_attach *a, const struct job *j)
{
	if (j->tune_res == -EACCES && j->res == 0 && !a->tuned_late && a->state == NBD_A_ATTACHED &&
	    a->connected && !a->stopping) {
		a->tuned_late = true;
		loop_timer_in(a->loop, &a->retry, TUNE_AGAIN_NS);
	} else if (j->text[0] != '\0') {
		log_warn("nbd: %s", j->text);
	}
	if (j->grown)
		log_notice("nbd: /dev/nbd%d has grown with the LUN to %llu bytes", a->index,
			   (unsigned long long)j->spec.size_bytes);
}

static void detached(struct nbd_attach *a, const struct job *j)
{
	a->attempts++;
	a->state = NBD_A_ATTACHED;
	if (j->res < 0) {
		/* At the end of the process it is no error that somebody needs the device. */
		if (a->stopping)
			log_notice("nbd: %s: it stays, and waits for the next lunmuxd", j->text);
		else
			attach_error(a, j->text);
		return;
	}
	log_notice("nbd: /dev/nbd%d is detached", a->index);
	a->error[0] = '\0';
	attach_off(a);
}

static void stop_end(struct nbd_attach *a)
{
	void (*stopped)(void *arg) = a->stopped;

	loop_timer_stop(a->loop, &a->stop_timer);
	lun_unobserve(a->lun, &a->observer);
	a->state = NBD_A_STOPPED;
	a->stopped = NULL;
	if (stopped)
		stopped(a->stopped_arg);
}

static void stop_step(struct nbd_attach *a)
{
	if (a->busy)
		return; /* its end brings us here again */
	if (a->serving && a->state == NBD_A_ATTACHED && a->connected) {
		job_new(a, JOB_DETACH);
		a->state = NBD_A_DETACHING;
		job_queue(a);
		return;
	}
	stop_end(a);
}

static void job_ended(struct loop_fd *f, int events)
{
	struct nbd_attach *a = container_of(f, struct nbd_attach, event);
	enum job_kind kind;
	uint64_t n;

	if (read(f->fd, &n, sizeof(n)) != sizeof(n))
		return;
	/* What the thread has written before is seen now. */
	pthread_mutex_lock(&a->lock);
	pthread_mutex_unlock(&a->lock);
	a->busy = false;
	kind = a->job.kind;
	switch (kind) {
	case JOB_ATTACH:
		attached(a, &a->job);
		break;
	case JOB_SETTLE:
		settled(a, &a->job);
		break;
	case JOB_DETACH:
		detached(a, &a->job);
		break;
	}
	if (a->state == NBD_A_STOPPED)
		return;
	if (a->stopping) {
		a->serving &= kind != JOB_DETACH;
		stop_step(a);
		return;
	}
	gone(a);
	settle(a);
	told(a);
}

/* --- asked for ---------------------------------------------------------------------------------------- */

static void retry_due(struct loop_timer *t)
{
	struct nbd_attach *a = container_of(t, struct nbd_attach, retry);

	if (a->state == NBD_A_ATTACHED) {
		a->settle_due = true;
		settle(a);
	} else {
		attach_go(a);
	}
}

int nbd_attach_start(struct nbd_attach *a, int index, bool keep)
{
	if (a->stopping)
		return -ESHUTDOWN;
	if (a->state == NBD_A_ATTACHED || a->state == NBD_A_ATTACHING)
		return -EALREADY;
	/* A connection of before has its last words to say. */
	if (a->state == NBD_A_DETACHING || a->busy || a->connected)
		return -EBUSY;
	loop_timer_stop(a->loop, &a->retry);
	a->want_index = index;
	a->keep = keep;
	a->error[0] = '\0';
	attach_go(a);
	return 0;
}

int nbd_attach_adopt(struct nbd_attach *a, int index, const char *backend, uint64_t size_bytes,
		     unsigned takeovers, const struct nbd_conn_state *st)
{
	int r;

	assert(a->state == NBD_A_OFF && !a->busy && !a->connected && index >= 0);
	r = nbd_server_adopt(a->srv, st, conn_gone, a);
	a->index = index;
	snprintf(a->backend, sizeof(a->backend), "%s", backend);
	a->takeovers = takeovers;
	a->keep = true;
	if (r < 0) {
		attach_failed(a, -EAGAIN, why(r));
		return r;
	}
	a->state = NBD_A_ATTACHED;
	a->connected = true;
	a->size_bytes = size_bytes;
	a->since_ns = loop_now_ns(a->loop) - MIN(st->age_ns, loop_now_ns(a->loop));
	a->settle_due = true;
	settle(a);
	return 0;
}

int nbd_attach_detach(struct nbd_attach *a, bool force)
{
	struct job *j;

	if (a->stopping)
		return -ESHUTDOWN;
	if (a->state == NBD_A_OFF)
		return -ENOTCONN;
	if (a->state == NBD_A_WAITING && a->index < 0) {
		loop_timer_stop(a->loop, &a->retry);
		a->error[0] = '\0';
		a->attempts++;
		attach_off(a);
		return 0;
	}
	if (a->busy)
		return -EBUSY;
	loop_timer_stop(a->loop, &a->retry);
	j = job_new(a, JOB_DETACH);
	j->force = force;
	a->error[0] = '\0';
	a->state = NBD_A_DETACHING;
	job_queue(a);
	return 0;
}

/* The LUN has changed: it may have grown. */
static void lun_changed(struct lun_observer *o, struct lun *lun)
{
	struct nbd_attach *a = container_of(o, struct nbd_attach, observer);
	struct lun_geometry g;

	if (a->state != NBD_A_ATTACHED || a->stopping || lun_get_state(lun) != LUN_UP ||
	    !lun_geometry(lun, &g) || g.nblocks * g.block_bytes == a->size_bytes)
		return;
	a->settle_due = true;
	settle(a);
}

static void stop_late(struct loop_timer *t)
{
	struct nbd_attach *a = container_of(t, struct nbd_attach, stop_timer);

	log_warn("nbd: the kernel does not answer about /dev/nbd%d", a->index);
	stop_end(a);
}

void nbd_attach_stop(struct nbd_attach *a, bool serving, void (*stopped)(void *arg), void *arg)
{
	assert(!a->stopping);
	a->stopping = true;
	a->serving = serving;
	a->stopped = stopped;
	a->stopped_arg = arg;
	loop_timer_stop(a->loop, &a->retry);
	loop_timer_in(a->loop, &a->stop_timer, STOP_NS);
	stop_step(a);
}

bool nbd_attach_busy(const struct nbd_attach *a)
{
	return a->busy;
}

void nbd_attach_get_info(const struct nbd_attach *a, struct nbd_attach_info *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->state = a->state;
	ret->state_name = state_names[a->state];
	ret->index = a->index;
	if (a->index >= 0)
		memcpy(ret->backend, a->backend, sizeof(ret->backend));
	memcpy(ret->error, a->error, sizeof(ret->error));
	ret->attempts = a->attempts;
	ret->takeovers = a->takeovers;
	ret->connected = a->connected && a->state == NBD_A_ATTACHED;
	ret->size_bytes = a->size_bytes;
	ret->dead_ns = a->conf.dead_ns;
}

/* --- life ------------------------------------------------------------------------------------------------ */

/* Signals are the loop's: the thread starts with all of them blocked. */
static int start_thread(struct nbd_attach *a)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	if (pthread_attr_init(&attr))
		return -ENOMEM;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&a->thread, &attr, attach_thread, a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return r;
}

int nbd_attach_new(struct loop *l, struct nbd_server *s, struct lun *lun,
		   const struct nbd_attach_conf *conf, struct nbd_attach **ret)
{
	struct nbd_attach *a = calloc(1, sizeof(*a));
	int fd, r;

	if (!a)
		return -ENOMEM;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0) {
		r = -errno;
		free(a);
		return r;
	}
	a->loop = l;
	a->srv = s;
	a->lun = lun;
	a->conf = *conf;
	a->index = -1;
	loop_fd_init(&a->event, fd, job_ended);
	loop_task_init(&a->gone_task, LOOP_COLLECT, gone_task);
	loop_timer_init(&a->retry, retry_due);
	loop_timer_init(&a->stop_timer, stop_late);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wake, NULL);
	r = start_thread(a);
	if (r < 0) {
		close(fd);
		free(a);
		return r;
	}
	loop_fd_set(l, &a->event, LOOP_READ);
	a->observer.changed = lun_changed;
	lun_observe(lun, &a->observer);
	*ret = a;
	return 0;
}

void nbd_attach_free(struct nbd_attach *a)
{
	if (!a)
		return;
	assert(a->state == NBD_A_STOPPED && !a->connected);
	pthread_mutex_lock(&a->lock);
	a->end = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	loop_fd_set(a->loop, &a->event, 0);
	close(a->event.fd);
	loop_task_cancel(a->loop, &a->gone_task);
	loop_timer_stop(a->loop, &a->retry);
	loop_timer_stop(a->loop, &a->stop_timer);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->wake);
	free(a);
}
