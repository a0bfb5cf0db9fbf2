/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk_io.h - the seam inside the block driver: one asynchronous operation on a
 * file descriptor, and the engines that carry it out.
 *
 *   blk.c        makes a struct blk_io of a command and judges its end
 *   blk_engine.c gathers them over a turn, delivers their ends
 *   uring.c      carries them by io_uring
 *   aio.c        carries them by libaio
 *   blk_work.c   carries by a thread what has no asynchronous system call
 *
 * Units: bytes; results are bytes or -errno, as the kernel returns them.
 */
#ifndef PATH_BLK_IO_H
#define PATH_BLK_IO_H

#include "base/pool.h"
#include "loop/loop.h"

#include <sys/queue.h>
#include <sys/uio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct blk_engine;
struct blk_path;
struct blk_work;

enum blk_io_op {
	BLK_IO_READ,
	BLK_IO_WRITE,
	BLK_IO_SYNC,   /* fdatasync */
	BLK_IO_FALLOC, /* fallocate with mode over off, len */
	BLK_IO_WORK,   /* work() in a thread */
};

enum blk_io_flag {
	BLK_IO_F_DSYNC = 1 << 0, /* WRITE: stable before it ends */
	/* Through the page cache: the data may be there, or the call may sleep until it is. */
	BLK_IO_F_CACHED = 1 << 1,
	/* A file in memory: the call never sleeps. */
	BLK_IO_F_MEMORY = 1 << 2,
};

struct blk_io {
	/* --- set by the submitter; left alone until done() -------------------- */
	enum blk_io_op op;
	unsigned flags; /* enum blk_io_flag */
	int fd;
	int mode; /* FALLOC */
	unsigned niov;
	const struct iovec *iov;
	uint64_t off, len;
	/* WORK only. Runs in another thread: it touches what its io names and nothing else. */
	int (*work)(struct blk_io *io);
	/* Called once from the collect phase. The io may be submitted again from here. */
	void (*done)(struct blk_io *io, int res);
	/* --- private to the engine --------------------------------------------- */
	STAILQ_ENTRY(blk_io) link;
	int res;
};

STAILQ_HEAD(blk_io_list, blk_io);

/* Start @io: it is sent in the flush phase of this turn. Never fails, never calls done(). */
void blk_io_submit(struct blk_engine *e, struct blk_io *io);
/* End @io with @res in the next collect phase, without asking the kernel. */
void blk_io_post(struct blk_engine *e, struct blk_io *io, int res);

/* The engine that is best for files in memory: @e itself or a companion of it. */
struct blk_engine *blk_engine_memory(struct blk_engine *e);

/* --- an engine's body --------------------------------------------------------- */

struct blk_engine_ops {
	const char *name;
	/* Set e->body up; completions signal e->event.fd, or the body sees to it by itself that
	 * blk_engine_collect() is called. 0 or -errno. */
	int (*open)(struct blk_engine *e);
	/* Nothing is in flight. Called also after a failed open. */
	void (*close)(struct blk_engine *e);
	/* Send what is in e->pending, in order; what the kernel does not take stays. False: call
	 * again when something has ended, or a little later. */
	bool (*submit)(struct blk_engine *e);
	/* blk_io_end() for each that has ended since. */
	void (*reap)(struct blk_engine *e);
};

extern const struct blk_engine_ops blk_uring_ops, blk_aio_ops;

TAILQ_HEAD(blk_path_list, blk_path);
TAILQ_HEAD(blk_hold_list, blk_hold);

struct blk_engine {
	struct loop *loop;
	const struct blk_engine_ops *ops;
	void *body;
	unsigned depth;
	bool in_memory; /* BLK_ENGINE_MEMORY */
	bool no_memory; /* there is none of that kind, and none is tried again */
	struct loop_fd event; /* eventfd: threads (and libaio) signal their completions */
	struct loop_task flush, collect;
	struct loop_timer retry; /* the kernel had no memory for us, and nothing is in flight */
	struct blk_work *work;
	struct blk_engine *memory; /* for files in memory; NULL until there is one */
	struct blk_io_list pending; /* gathered, not sent */
	struct blk_io_list posted;  /* ended without the kernel */
	/* How many were submitted since the last collect, and between the two before it. */
	unsigned gathered, batch;
	unsigned inflight; /* in the kernel or in a thread */
	struct pool slots; /* struct blk_slot, one for each command */
	struct blk_path_list paths, starved;
	struct blk_hold_list holds;
	bool room;  /* a slot came back since the last collect */
	bool ended; /* something came back from the kernel since then */
};

/* Deliver what has ended, whoever has noticed. In the collect phase. */
void blk_engine_collect(struct blk_engine *e);
/* For bodies: the first of e->pending now belongs to the kernel (or a thread). */
static inline void blk_io_sent(struct blk_engine *e)
{
	STAILQ_REMOVE_HEAD(&e->pending, link);
	e->inflight++;
}

/* For bodies: @io, which was taken from e->pending, has ended. */
static inline void blk_io_end(struct blk_engine *e, struct blk_io *io, int res)
{
	e->inflight--;
	e->ended = true;
	io->done(io, res);
}

/* --- threads -------------------------------------------------------------------- */

/* @event_fd is written to when a job has ended. No thread runs before the first job. */
int blk_work_new(int event_fd, struct blk_work **ret);
/* All jobs must have been taken back (asserted). Accepts NULL. */
void blk_work_free(struct blk_work *w);
/* Run io->work(io), which becomes io->res. */
void blk_work_queue(struct blk_work *w, struct blk_io *io);
/* A job that has ended, or NULL. */
struct blk_io *blk_work_take(struct blk_work *w);

#endif
