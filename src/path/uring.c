// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uring.c - the io_uring body of the block engine: one ring for all paths.
 *
 * The ring may do what we need and nothing else (restrictions are set before
 * it is enabled): its operations pass by a seccomp filter, so a hole elsewhere
 * in this process must not turn it into a way around one.
 *
 * The loop watches the ring's own descriptor: it is readable exactly while
 * completions wait, so what submission itself completes and the look after it
 * takes wakes nobody, and nothing has to be read to silence it.  (An eventfd
 * costs a read(2) a turn and fires for those, too.)
 *
 * Not used, because measuring found nothing or worse: SQPOLL (two cores, see doc/performance.md);
 * DEFER_TASKRUN, which wakes nobody who watches the descriptor; registered buffers, which serve only
 * commands of one segment, gain little at 4 KiB and pin the whole arena at
 * start; registered files, which gain little too and keep a closed device open
 * until the kernel gets round to it, so that a loop device could be neither
 * detached nor opened again O_EXCL.
 */
#include <config.h>

#include "path/blk_io.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Submission entries: what is gathered beyond them goes in a second call of the turn. */
#define URING_SQ_ENTRIES_MAX 512u

struct uring {
	struct io_uring ring;
	bool is_open, is_watched;
	struct blk_engine *e;
	struct loop_fd ready; /* the ring's own descriptor, readable while completions wait */
	struct loop_look look;
};

static void prep(struct io_uring_sqe *sqe, const struct blk_io *io)
{
	switch (io->op) {
	case BLK_IO_READ:
		if (io->niov == 1)
			io_uring_prep_read(sqe, io->fd, io->iov->iov_base,
					   (unsigned)io->iov->iov_len, io->off);
		else
			io_uring_prep_readv(sqe, io->fd, io->iov, io->niov, io->off);
		break;
	case BLK_IO_WRITE:
		if (io->niov == 1)
			io_uring_prep_write(sqe, io->fd, io->iov->iov_base,
					    (unsigned)io->iov->iov_len, io->off);
		else
			io_uring_prep_writev(sqe, io->fd, io->iov, io->niov, io->off);
		if (io->flags & BLK_IO_F_DSYNC)
			sqe->rw_flags = RWF_DSYNC;
		break;
	case BLK_IO_SYNC:
		io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
		break;
	case BLK_IO_FALLOC:
		io_uring_prep_fallocate(sqe, io->fd, io->mode, (off_t)io->off, (off_t)io->len);
		break;
	case BLK_IO_WORK:
		assert(!"work goes to threads");
	}
	io_uring_sqe_set_data(sqe, (void *)io);
}

static struct io_uring_sqe *get_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe;

	if (fault_strikes(FAULT_URING_SQ_FULL))
		return NULL;
	sqe = io_uring_get_sqe(&u->ring);
	if (!sqe && io_uring_submit(&u->ring) > 0)
		sqe = io_uring_get_sqe(&u->ring);
	return sqe;
}

static bool uring_submit(struct blk_engine *e)
{
	struct uring *u = e->body;
	struct io_uring_sqe *sqe;
	struct blk_io *io;
	int r;

	while ((io = STAILQ_FIRST(&e->pending)) && (sqe = get_sqe(u))) {
		prep(sqe, io);
		blk_io_sent(e);
	}
	/* The kernel stops behind an entry that it finds wrong (that one gets its completion). */
	do {
		r = io_uring_submit(&u->ring);
	} while (r > 0 && io_uring_sq_ready(&u->ring));
	/* No memory, or completions must be taken first: the entries stay in the ring. */
	if (r < 0 && r != -EAGAIN && r != -EBUSY && r != -EINTR && r != -ENOMEM)
		log_err("block I/O: io_uring_enter: %s", strerror(-r));
	return STAILQ_EMPTY(&e->pending) && !io_uring_sq_ready(&u->ring);
}

static void uring_reap(struct blk_engine *e)
{
	struct uring *u = e->body;
	struct io_uring_cqe *cqe;
	struct blk_io *io;
	int res;

	/* Ends by itself: nothing is sent from here, and the depth bounds what was. */
	while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
		io = io_uring_cqe_get_data(cqe);
		res = cqe->res;
		io_uring_cqe_seen(&u->ring, cqe);
		blk_io_end(e, io, res);
	}
}

static void ring_ready(struct loop_fd *f, int events)
{
	blk_engine_collect(container_of(f, struct uring, ready)->e);
}

/*
 * What ends while the loop sleeps is put into the ring by this very thread: the
 * kernel wakes it with EINTR for that.  The turn that follows finds it here;
 * without the look it took another epoll_wait() to hear of it.
 */
static void ring_look(struct loop_look *k)
{
	struct uring *u = container_of(k, struct uring, look);

	if (io_uring_cq_ready(&u->ring))
		blk_engine_collect(u->e);
}

/* --- opening ------------------------------------------------------------------- */

static const uint8_t allowed_ops[] = {
	IORING_OP_READ, IORING_OP_READV,     IORING_OP_WRITE, IORING_OP_WRITEV,
	IORING_OP_FSYNC, IORING_OP_FALLOCATE,
};

/* liburing 2.3 declares calls for these two, but its shared library does not export them. */
static int ring_register(struct uring *u, unsigned opcode, void *arg, unsigned n)
{
	long r = syscall(__NR_io_uring_register, u->ring.ring_fd, opcode, arg, n);

	return r < 0 ? -errno : 0;
}

static int restrict_ring(struct uring *u)
{
	struct io_uring_restriction res[ARRAY_SIZE(allowed_ops)];
	int r;

	memset(res, 0, sizeof(res));
	for (unsigned i = 0; i < ARRAY_SIZE(allowed_ops); i++) {
		res[i].opcode = IORING_RESTRICTION_SQE_OP;
		res[i].sqe_op = allowed_ops[i];
	}
	r = ring_register(u, IORING_REGISTER_RESTRICTIONS, res, ARRAY_SIZE(res));
	return r < 0 ? r : ring_register(u, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* Does the kernel know all that prep() uses? (5.6; all but the plain READ and WRITE are older.) */
static int probe_ops(struct uring *u)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&u->ring);
	int r = 0;

	if (!probe)
		return -ENOSYS;
	for (unsigned i = 0; i < ARRAY_SIZE(allowed_ops); i++)
		if (!io_uring_opcode_supported(probe, allowed_ops[i]))
			r = -ENOSYS;
	io_uring_free_probe(probe);
	return r;
}

/*
 * COOP_TASKRUN: what has ended is put into the ring when this thread is in the kernel anyway, and nobody interrupts it
 * for that. It is asleep, or soon makes a call; by TASKRUN_FLAG uring_reap() knows that there is something. (5.19.)
 */
static int init_ring(struct io_uring *ring, unsigned entries, struct io_uring_params *params)
{
	const unsigned wanted = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
	int r;

	params->flags |= wanted;
	r = fault_strikes(FAULT_URING_FLAGS) ? -EINVAL : io_uring_queue_init_params(entries, ring, params);
	if (r != -EINVAL)
		return r;
	params->flags &= ~wanted;
	return io_uring_queue_init_params(entries, ring, params);
}

static int uring_open(struct blk_engine *e)
{
	struct io_uring_params params = { 0 };
	unsigned entries = MIN(e->depth + PATHS_MAX, URING_SQ_ENTRIES_MAX);
	struct uring *u;
	int r;

	if (fault_strikes(FAULT_URING_SETUP))
		return -EPERM;
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	e->body = u;
	/* A completion slot for everything that can be in flight: the ring never overflows. */
	params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED;
	params.cq_entries = MAX(2 * entries, e->depth + PATHS_MAX);
	r = init_ring(&u->ring, entries, &params);
	if (r < 0)
		return r;
	u->is_open = true;
	r = probe_ops(u);
	if (r < 0)
		return r;
	r = restrict_ring(u);
	if (r < 0)
		return r;
	u->e = e;
	loop_fd_init(&u->ready, u->ring.ring_fd, ring_ready);
	loop_fd_set(e->loop, &u->ready, LOOP_READ);
	loop_look_start(e->loop, &u->look, ring_look);
	u->is_watched = true;
	return 0;
}

static void uring_close(struct blk_engine *e)
{
	struct uring *u = e->body;

	if (!u)
		return;
	if (u->is_watched) {
		loop_fd_set(e->loop, &u->ready, 0);
		loop_look_stop(&u->look);
	}
	if (u->is_open)
		io_uring_queue_exit(&u->ring);
	free(u);
	e->body = NULL;
}

const struct blk_engine_ops blk_uring_ops = {
	.name = "io_uring",
	.open = uring_open,
	.close = uring_close,
	.submit = uring_submit,
	.reap = uring_reap,
};
