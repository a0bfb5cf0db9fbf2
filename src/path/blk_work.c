// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_work.c - a few threads for the calls that have no asynchronous form:
 * open and close of a device that may be sick, lseek for allocated ranges, and
 * with libaio also fallocate, fdatasync and the page cache of a disk.
 *
 * The only threads of the program.  They share nothing with the loop's thread
 * but the job they run and the two lists below, under one lock; they never
 * log, never allocate and never touch a path.  A thread may sleep in the
 * kernel for as long as a device pleases, so a new one starts while none is
 * idle, up to a bound.
 */
#include <config.h>

#include "path/blk_io.h"
#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define WORK_THREADS_MAX 16
/* Probing reads a few sysfs files into buffers on the stack, the sanitizers want more. */
#define WORK_STACK_BYTES (256u * 1024u)

struct blk_work {
	int event_fd;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct blk_io_list todo, ended;
	unsigned nthreads, nidle, ntodo;
	unsigned njobs; /* queued and not yet taken back; the loop's thread only */
	bool stop;
	pthread_t threads[WORK_THREADS_MAX];
};

static void work_end(struct blk_work *w, struct blk_io *io)
{
	uint64_t one = 1;

	STAILQ_INSERT_TAIL(&w->ended, io, link);
	/* The counter is read long before it could overflow, so this cannot fail. */
	if (write(w->event_fd, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN);
}

static void *work_thread(void *arg)
{
	struct blk_work *w = arg;
	struct blk_io *io;
	int res;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->stop && STAILQ_EMPTY(&w->todo)) {
			w->nidle++;
			pthread_cond_wait(&w->wake, &w->lock);
			w->nidle--;
		}
		if (STAILQ_EMPTY(&w->todo))
			break;
		io = STAILQ_FIRST(&w->todo);
		STAILQ_REMOVE_HEAD(&w->todo, link);
		w->ntodo--;
		pthread_mutex_unlock(&w->lock);
		res = io->work(io);
		pthread_mutex_lock(&w->lock);
		io->res = res;
		work_end(w, io);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* With the lock held. Signals stay the loop's: the thread starts with all of them blocked. */
static void work_start_thread(struct blk_work *w)
{
	pthread_attr_t attr;
	sigset_t all, old;

	if (pthread_attr_init(&attr))
		return;
	pthread_attr_setstacksize(&attr, WORK_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!pthread_create(&w->threads[w->nthreads], &attr, work_thread, w))
		w->nthreads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}

void blk_work_queue(struct blk_work *w, struct blk_io *io)
{
	assert(io->work);
	w->njobs++;
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->todo, io, link);
	w->ntodo++;
	if (w->nidle < w->ntodo && w->nthreads < WORK_THREADS_MAX)
		work_start_thread(w);
	if (w->nthreads == 0) {
		/* No thread can be had at all: late is better than never. */
		STAILQ_INIT(&w->todo);
		w->ntodo = 0;
		io->res = io->work(io);
		work_end(w, io);
	}
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

struct blk_io *blk_work_take(struct blk_work *w)
{
	struct blk_io *io;

	if (w->njobs == 0)
		return NULL;
	pthread_mutex_lock(&w->lock);
	io = STAILQ_FIRST(&w->ended);
	if (io) {
		STAILQ_REMOVE_HEAD(&w->ended, link);
		w->njobs--;
	}
	pthread_mutex_unlock(&w->lock);
	return io;
}

int blk_work_new(int event_fd, struct blk_work **ret)
{
	struct blk_work *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->event_fd = event_fd;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	STAILQ_INIT(&w->todo);
	STAILQ_INIT(&w->ended);
	*ret = w;
	return 0;
}

void blk_work_free(struct blk_work *w)
{
	if (!w)
		return;
	assert(w->njobs == 0);
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->nthreads; i++)
		pthread_join(w->threads[i], NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
