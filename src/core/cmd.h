/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd.h - a command: what goes to one path and takes one slot.  It carries one
 * or more contiguous requests (merged), or a slice of a large one.
 */
#ifndef CORE_CMD_H
#define CORE_CMD_H

#include "base/limits.h"
#include "base/verdict.h"

#include <sys/queue.h>
#include <sys/uio.h>
#include <stdbool.h>
#include <stdint.h>

struct path;
struct req;

enum cmd_op {
	CMD_READ,
	CMD_WRITE,
	CMD_WRITE_ZEROES, /* only to paths with PATH_CAP_WRITE_ZEROES */
	CMD_DISCARD,	  /* only to paths with PATH_CAP_DISCARD */
	CMD_FLUSH,
	CMD_STATUS, /* only to paths with PATH_CAP_STATUS */
	CMD_OP_NR
};

enum cmd_flag {
	CMD_F_FUA = 1 << 0,	 /* only to paths with PATH_CAP_FUA */
	CMD_F_NO_UNMAP = 1 << 1, /* WRITE_ZEROES: keep provisioned */
};

/* A request's share of a command. */
struct cmd_seg {
	struct req *req;
	uint32_t nblocks;
	uint8_t *data; /* NULL: no data, or zeroes are written */
};

struct cmd {
	/* --- for the driver to read ------------------------------------------ */
	enum cmd_op op;
	unsigned flags; /* enum cmd_flag */
	uint64_t lba;
	uint32_t nblocks;
	/* Data of READ, WRITE: iov[0..niov-1], nblocks in all. */
	unsigned niov;
	/* STATUS: the answer, first extent starting at lba, at most max_extents; an answer may
	 * cover more or less than the range (at least its first block). */
	struct extent *extents;
	unsigned max_extents, nextents;
	struct path *path;

	/* --- for the driver to write ------------------------------------------ */
	/* Filled in before path_complete(). */
	struct outcome outcome;
	/* The driver's from submit() to path_complete(). */
	void *drv;

	/* --- private to core -------------------------------------------------- */
	STAILQ_ENTRY(cmd) link; /* completed, retry or delay list */
	TAILQ_ENTRY(cmd) inflight;
	uint64_t sent_ns;
	unsigned sent_inflight; /* commands on its path then, itself among them */
	uint64_t due_ns;    /* delayed: not before */
	struct path *pin;   /* only this path will do (flush) */
	struct path *owed;  /* flush: it is meant for this path's cache, whoever takes it */
	struct path *prefer; /* V_SAME: this path if it has room */
	struct path *last;   /* sent there last; compared only, it may be gone */
	unsigned tries;	    /* sendings so far */
	uint64_t spent_ns;  /* in them, and in delays; not without a path */
	unsigned same;	    /* V_SAME in a row */
	unsigned delay_ms;  /* last V_LATER delay */
	uint64_t gen;	    /* suspicions of a lost cache before it was sent (cache.c) */
	bool group_retried; /* VF_RETRY_GROUP was used */
	bool retried_once;  /* VF_RETRY_ONCE was used */
	bool overdue;	     /* it is, and its path counts it */
	bool replaced;	     /* a flush that another was sent for */
	bool unmerge;	     /* failed as a whole: every part goes alone */
	uint64_t tried[PATHS_MAX / 64]; /* paths by index that answered V_OTHER */
	unsigned nsegs;
	struct iovec iov[CMD_SEGS_MAX];
	struct cmd_seg seg[CMD_SEGS_MAX];
};

const char *cmd_op_name(enum cmd_op op);

#endif
