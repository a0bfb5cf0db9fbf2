// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * aio.c - the libaio body of the block engine, for kernels and containers that
 * refuse io_uring.
 *
 * io_submit(2) is asynchronous only for O_DIRECT reads and writes, and quick
 * for memory (tmpfs).  Everything else goes to the threads: fallocate has no
 * iocb at all; a read through the page cache of a disk would sleep inside
 * io_submit; and fdatasync goes there too rather than by IOCB_CMD_FDSYNC,
 * which not every kernel and file system has, so that there is one way to
 * flush and it is the one that is tested.
 */
#include <config.h>

#include "path/blk_io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AIO_BATCH 128 /* iocbs of one io_submit, events of one look */

struct aio {
	io_context_t ctx;
	bool is_open;
	struct iocb iocbs[AIO_BATCH]; /* the kernel copies them */
	struct iocb *batch[AIO_BATCH];
};

/* In a thread. */
static int work_rw(struct blk_io *io)
{
	int flags = io->flags & BLK_IO_F_DSYNC ? RWF_DSYNC : 0;
	ssize_t n;

	if (io->op == BLK_IO_READ)
		n = preadv2(io->fd, io->iov, (int)io->niov, (off_t)io->off, 0);
	else
		n = pwritev2(io->fd, io->iov, (int)io->niov, (off_t)io->off, flags);
	return n < 0 ? -errno : (int)n;
}

static int work_sync(struct blk_io *io)
{
	return fdatasync(io->fd) < 0 ? -errno : 0;
}

static int work_falloc(struct blk_io *io)
{
	return fallocate(io->fd, io->mode, (off_t)io->off, (off_t)io->len) < 0 ? -errno : 0;
}

/* NULL: the kernel takes it. */
static int (*thread_job(const struct blk_io *io))(struct blk_io *io)
{
	switch (io->op) {
	case BLK_IO_READ:
	case BLK_IO_WRITE:
		return io->flags & BLK_IO_F_CACHED ? work_rw : NULL;
	case BLK_IO_SYNC:
		return work_sync;
	case BLK_IO_FALLOC:
		return work_falloc;
	case BLK_IO_WORK:
		break;
	}
	assert(!"work goes to threads by itself");
	return NULL;
}

static void prep(struct blk_engine *e, struct iocb *cb, const struct blk_io *io)
{
	if (io->op == BLK_IO_READ)
		io_prep_preadv(cb, io->fd, io->iov, (int)io->niov, (long long)io->off);
	else
		io_prep_pwritev(cb, io->fd, io->iov, (int)io->niov, (long long)io->off);
	if (io->op == BLK_IO_WRITE && io->flags & BLK_IO_F_DSYNC)
		cb->aio_rw_flags = RWF_DSYNC;
	/* What has ended inside io_submit() is found by the look that follows it. */
	if (!(io->flags & BLK_IO_F_MEMORY))
		io_set_eventfd(cb, e->event.fd);
	cb->data = (void *)io;
}

/* Up to AIO_BATCH iocbs from the head of pending; what is for threads goes there. */
static int gather(struct blk_engine *e, struct aio *a)
{
	struct blk_io_list skipped = STAILQ_HEAD_INITIALIZER(skipped);
	int (*job)(struct blk_io *io);
	struct blk_io *io;
	int n = 0;

	while (n < AIO_BATCH && (io = STAILQ_FIRST(&e->pending))) {
		job = thread_job(io);
		if (job) {
			blk_io_sent(e);
			io->work = job;
			blk_work_queue(e->work, io);
			continue;
		}
		prep(e, &a->iocbs[n], io);
		a->batch[n] = &a->iocbs[n];
		n++;
		STAILQ_REMOVE_HEAD(&e->pending, link);
		STAILQ_INSERT_TAIL(&skipped, io, link);
	}
	/* Still pending until io_submit() has taken them. */
	STAILQ_CONCAT(&skipped, &e->pending);
	STAILQ_CONCAT(&e->pending, &skipped);
	return n;
}

static bool aio_submit(struct blk_engine *e)
{
	struct aio *a = e->body;
	struct blk_io *io;
	int n, done, r;

	while ((n = gather(e, a)) > 0) {
		done = 0;
		while (done < n) {
			r = io_submit(a->ctx, n - done, a->batch + done);
			if (r == -EAGAIN || r == -EINTR || r == 0)
				return false;
			if (r < 0) {
				/* The first one is at fault; it ends, the others go on. */
				io = STAILQ_FIRST(&e->pending);
				blk_io_sent(e);
				e->inflight--;
				blk_io_post(e, io, r);
				r = 1;
			} else {
				for (int i = 0; i < r; i++)
					blk_io_sent(e);
			}
			done += r;
		}
	}
	return true;
}

/*
 * The ring that io_getevents(2) reads from is mapped into this process, and the
 * kernel takes an index that was moved here as if it had moved it itself
 * (fs/aio.c, struct aio_ring).  The context is its address.  So a look takes no
 * system call, as with io_uring.
 */
struct aio_ring {
	unsigned id, nr;
	unsigned head, tail; /* head is ours, tail is the kernel's */
	unsigned magic, compat_features, incompat_features, header_length;
	struct io_event events[];
};

#define AIO_RING_MAGIC 0xa10a10a1u

static struct aio_ring *mapped_ring(io_context_t ctx)
{
	struct aio_ring *ring = (void *)ctx;

	if (ring->magic != AIO_RING_MAGIC || ring->incompat_features ||
	    ring->header_length != sizeof(*ring))
		return NULL;
	return ring;
}

static void reap_mapped(struct blk_engine *e, struct aio_ring *ring)
{
	unsigned head = ring->head;

	/* The event is written before the tail, and must be read before the head moves. */
	while (head != __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE)) {
		struct io_event ev = ring->events[head];

		head = head + 1 == ring->nr ? 0 : head + 1;
		__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
		blk_io_end(e, ev.data, (int)(long)ev.res);
	}
}

static void reap_by_call(struct blk_engine *e, struct aio *a)
{
	struct timespec no_wait = { 0, 0 };
	struct io_event events[AIO_BATCH];
	int n;

	do {
		n = io_getevents(a->ctx, 0, AIO_BATCH, events, &no_wait);
		for (int i = 0; i < n; i++)
			blk_io_end(e, events[i].data, (int)(long)events[i].res);
	} while (n == AIO_BATCH);
}

static void aio_reap(struct blk_engine *e)
{
	struct aio *a = e->body;
	struct aio_ring *ring = mapped_ring(a->ctx);

	if (ring)
		reap_mapped(e, ring);
	else
		reap_by_call(e, a);
}

static int aio_open(struct blk_engine *e)
{
	struct aio *a = calloc(1, sizeof(*a));
	/* All of the machine share fs.aio-max-nr. What ends inside io_submit() needs room until the look behind it. */
	unsigned nevents = e->in_memory ? AIO_BATCH : e->depth + PATHS_MAX;
	int r;

	if (!a)
		return -ENOMEM;
	e->body = a;
	r = io_setup((int)nevents, &a->ctx);
	if (r == -EAGAIN)
		log_msg(e->in_memory ? LOG_L_NOTICE : LOG_L_ERR,
			"block I/O: io_setup: no room for %u events. Hint: raise fs.aio-max-nr", nevents);
	a->is_open = r == 0;
	return r;
}

static void aio_close(struct blk_engine *e)
{
	struct aio *a = e->body;

	if (!a)
		return;
	if (a->is_open)
		io_destroy(a->ctx);
	free(a);
	e->body = NULL;
}

const struct blk_engine_ops blk_aio_ops = {
	.name = "libaio",
	.open = aio_open,
	.close = aio_close,
	.submit = aio_submit,
	.reap = aio_reap,
};
