/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk_path.h - the inside of a block path, for blk*.c only. */
#ifndef PATH_BLK_PATH_H
#define PATH_BLK_PATH_H

#include "core/path.h"
#include "path/blk_io.h"
#include "path/blk_probe.h"

/* --- holds: the lock on a file that several paths of one engine share ----------- */

struct blk_hold {
	TAILQ_ENTRY(blk_hold) link;
	dev_t dev;
	ino_t ino;
	int fd;
	bool in_memory; /* tmpfs */
	unsigned refs;
};

/* Lock the file of @t, or share the lock that we have. 0; also 0 and *ret NULL where the file
 * may not be opened or its file system has no locks. -EBUSY: another process has it. */
int blk_hold_get(struct blk_engine *e, const struct blk_target *t, struct blk_hold **ret,
		 char *err, size_t err_size);
/* Accepts NULL. */
void blk_hold_put(struct blk_engine *e, struct blk_hold *h);

/* --- a command in flight ------------------------------------------------------------ */

/* One command may take more than one system call. */
enum blk_step {
	STEP_MAIN,
	STEP_ALLOC, /* WRITE_ZEROES with CMD_F_NO_UNMAP by punch, then allocate */
	STEP_WRITE, /* WRITE_ZEROES by writing them */
	STEP_SYNC,  /* FUA of what has no RWF_DSYNC */
	STEP_RANGE, /* outside of the device: not sent */
};

struct blk_slot {
	struct blk_io io;
	struct cmd *cmd;
	struct blk_path *p;
	enum blk_step step;
	uint64_t zero_end; /* WRITE_ZEROES by writing: up to this byte */
	struct iovec zero_tail;
};

/* --- the path --------------------------------------------------------------------------- */

/* What goes on beside the data commands; one thing at a time. */
enum blk_job {
	JOB_NONE,
	JOB_PROBE, /* a thread looks at the device, or opens it */
	JOB_READ,  /* the check's block is being read */
	JOB_CLOSE, /* a thread closes it */
};

struct blk_path {
	struct path path;
	struct blk_engine *e;
	struct blk_engine *data; /* what carries reads and writes: e, or its companion for memory */
	struct blk_target target;
	struct blk_hold *hold; /* NULL: none could be had */
	TAILQ_ENTRY(blk_path) link, starved;
	bool is_starved;

	int fd;			/* -1: closed, or being opened */
	struct blk_facts facts; /* of fd */
	unsigned inflight;	/* data commands */
	bool no_zero_range;	/* the file system has no ZERO_RANGE */
	bool zero_by_write;	/* the device has no WRITE ZEROES after all */
	bool doubtful;		/* a command said that the device is gone: open it anew */
	bool stale;		/* fd is to be closed as soon as nothing is in flight */
	bool autoclear;		/* the loop device was so when we opened it */
	bool let_go;		/* it was to be detached; don't take it back before it was */
	bool closing;

	/* The job. A thread has it while job is JOB_PROBE or JOB_CLOSE. */
	enum blk_job job;
	bool check_wanted, check_full;
	struct loop_task settle;
	struct blk_io job_io;
	struct iovec job_iov;	/* what a check reads */
	uint32_t job_room;	/* bytes behind it; 0: none yet */
	uint32_t check_read_bytes;
	int job_fd;	      /* JOB_PROBE: in and out */
	bool job_reopen, job_opened;
	int job_res;
	struct blk_facts job_facts;
	char why[300];
};

/* blk_check.c: the path_ops of the same names, and what happens when something has changed. */
void blk_check(struct path *path, bool full);
void blk_close(struct path *path);
void blk_settle_init(struct blk_path *p);
static inline void blk_settle_later(struct blk_path *p)
{
	loop_task_queue(p->e->loop, &p->settle);
}
void blk_info(const struct blk_path *p, struct path_info *info);
/* The device was looked at and is ours: job_facts are the facts now. */
void blk_take_facts(struct blk_path *p);

/* BLK_IO_F_CACHED or _MEMORY, as it is for reads and writes of this path. */
static inline unsigned blk_io_flags(const struct blk_path *p)
{
	if (p->facts.in_memory)
		return BLK_IO_F_MEMORY;
	return p->facts.direct ? 0 : BLK_IO_F_CACHED;
}

/* blk_zero.c: start a WRITE_ZEROES or DISCARD of which io.off and io.len are set. */
void blk_zero_start(struct blk_slot *s);
/* A step of it has ended with *res: true if another was started, else *res is the end. */
bool blk_zero_next(struct blk_slot *s, int *res);

/* blk_extents.c: the work() of a STATUS command. */
int blk_extents_work(struct blk_io *io);
/* Which parts of @fd are allocated: extents from @off on, in blocks, at most @max and not beyond
 * @len bytes; neighbours of one kind are one. At least the first block is covered. Returns their
 * number or -errno. */
int blk_extents(int fd, uint64_t off, uint64_t len, uint32_t block_bytes, struct extent *ext,
		unsigned max);
/* The descriptor that knows allocation, -1 if there is none. */
int blk_status_fd(const struct blk_path *p);

#endif
