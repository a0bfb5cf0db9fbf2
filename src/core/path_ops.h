/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path_ops.h - what a path driver implements, and what it may call in core.
 *
 * One struct path is one way to the LUN.  A driver embeds it in its own struct
 * and finds that by container_of.  All calls are in the loop's thread.
 */
#ifndef CORE_PATH_OPS_H
#define CORE_PATH_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cmd;
struct outcome;
struct path;

enum path_cap {
	PATH_CAP_FUA = 1 << 0,
	PATH_CAP_DISCARD = 1 << 1,
	PATH_CAP_WRITE_ZEROES = 1 << 2,
	PATH_CAP_STATUS = 1 << 3,
	/* A write cache of this path's own: a flush on another path does not empty it. */
	PATH_CAP_OWN_CACHE = 1 << 4,
	/* WRITE_ZEROES is known to be quicker than writing zeroes. */
	PATH_CAP_FAST_ZERO = 1 << 5,
};

/* ALUA asymmetric access states (SPC-6, 5.16.2.5); drivers without ALUA say ACTIVE. */
enum access_state {
	ACCESS_ACTIVE,	      /* active/optimized */
	ACCESS_NONOPTIMIZED,  /* active/non-optimized */
	ACCESS_STANDBY,
	ACCESS_UNAVAILABLE,
	ACCESS_TRANSITIONING,
};

/* What a check of a path has found out. Units as named. */
struct path_info {
	uint32_t block_bytes; /* logical block */
	uint32_t phys_block_bytes;
	uint64_t nblocks;
	bool read_only, rotational;
	bool write_cache; /* acknowledged writes may be volatile: flush is needed */
	unsigned caps;	  /* enum path_cap */
	/* Limits of one command. max_segs counts iovecs. 0 = no limit of the path's own. */
	uint32_t max_blocks, max_segs, max_discard_blocks, max_zero_blocks;
	/* Where discard wants its ranges to start and end; 0 or 1 = anywhere. */
	uint32_t discard_granularity_blocks;
	unsigned depth; /* commands that this path takes at once; 0 = as many as the LUN's account gives */
	/* Commands that the host adapter takes at once for all that is behind it; 0 = unknown. */
	unsigned host_tags;
	enum access_state access;
	uint64_t transition_ns; /* ALUA: a transition takes no longer; 0: not told */
	/* It says that it stands by until it is told to serve: see activate(). */
	bool explicit_alua;
	/* Errors on this path that others have seen instead of us, the kernel or its handlers: only
	 * whether it grows counts. 0: the driver cannot tell. */
	uint32_t unexplained;
	int tpg;       /* target port group, 0..65535; -1 unknown */
	unsigned prio; /* higher is better; groups are made by it under group_by_prio */
	/* What the LUN says it is: compared with the LUN's, never parsed by core. For a human
	 * it is the printed WWID. */
	char ident[256];
	char product[64]; /* vendor, product and revision, or the backing file; for display */
};

enum check_result {
	CHECK_OK,	 /* *info is valid */
	/* As CHECK_OK, but what the check read cannot be read: the LUN's fault, it seems, and no
	 * reason to be without the path. *info is valid, @why required. */
	CHECK_MARGINAL,
	CHECK_DOWN,	 /* the path does not answer, or not well enough */
	CHECK_IDENTITY,	 /* it answers, and is another LUN than the configured one */
};

struct path_ops {
	const char *name; /* "sg", "blk", "sim" */
	/* Required. Start @cmd.
	 *  0        accepted: the driver owns @cmd and the memory that its iov names until it
	 *           calls path_complete() exactly once, from a later loop event or task, never
	 *           from inside this call.
	 *  -EAGAIN  no room: nothing was kept; the driver calls path_room() when there is.
	 *  -ENODEV  the path is gone: nothing was kept; core fails the path.
	 * Any other value is a bug (asserted). */
	int (*submit)(struct path *p, struct cmd *cmd);
	/* Optional. Send what submit() gathered. Called once per lun_run() after submits to
	 * this path, in the same turn. */
	void (*flush)(struct path *p);
	/* Required. Start the whole re-entry check: does it answer, is it the LUN, how large,
	 * which state. Never blocks. Ends in one path_checked(), from a later loop event or
	 * task. @full: everything again (before first use, after a failure); else the cheap
	 * periodic check is enough (*info of path_checked() may then be NULL). Runs beside
	 * data commands, in a slot of the driver's own. At most one at a time. */
	void (*check)(struct path *p, bool full);
	/* Optional. The next full check, which core starts at once, also asks the target to let the
	 * path's port group serve; after it has seen that the target has the LUN. */
	void (*activate)(struct path *p);
	/* Optional. What ended so, in words for log and status: "sense 3/11/00 (Medium Error, Unrecovered
	 * read error)". Codes stand there in any case. Always terminated. */
	void (*outcome_text)(const struct outcome *o, char *buf, size_t size);
	/* Required. Start to end: send nothing more, let what is in flight complete (a check is
	 * ended by path_checked() too), then call path_closed() from a later loop event or
	 * task. Never blocks. */
	void (*close)(struct path *p);
	/* Required. Free the driver's struct. Called by core after path_closed(), last. */
	void (*release)(struct path *p);
};

/* --- what a driver calls ------------------------------------------------- */

/* @cmd has ended, cmd->outcome says how. Never from inside submit(). Core acts on it in its
 * decide phase, not before this returns. */
void path_complete(struct cmd *cmd);
/* There is room again after -EAGAIN. May be called when nobody waits. */
void path_room(struct path *p);
/* The check that core started has ended. @info is copied; @why (may be NULL) goes into log and
 * status, "INQUIRY: host_status 01". */
void path_checked(struct path *p, enum check_result result, const struct path_info *info,
		  const char *why);
/* A command of the check that runs has met what concerns the LUN: enum verdict_flag (VF_CACHE,
 * VF_DEFERRED; VF_IDENTITY: a reset or a change).  The device says it once, so it is told at once,
 * whatever becomes of the check and of the path. Harmless at any time. */
void path_told(struct path *p, unsigned news);
/* Sending a row of commands to the kernel took so long, with the whole process standing still: the
 * longest is kept for statistics. */
void path_wrote(struct path *p, uint64_t took_ns);
/* The LUN was full or busy a moment ago, and the kernel has kept it to itself and sent the commands
 * again. At most a few times a second. */
void path_full(struct path *p);
/* The kernel takes so many commands on this path now; as path_info.depth. Fewer than before count as
 * path_full(), too. */
void path_depth(struct path *p, unsigned depth);
/* The device has gone (hang-up, deleted) or is doubtful (uevent): core stops using the path and
 * checks it. Harmless at any time. @why goes into the log. */
void path_lost(struct path *p, const char *why);
/* @p may lead to another LUN from now on, or to one of another size: no data until a full check has
 * said otherwise. A check that runs is that check, and the driver starts it over; else core starts one
 * at once. Harmless at any time. @why goes into the log. */
void path_doubt(struct path *p, const char *why);
/* close() has ended: the driver will not touch core's objects again, and release() may be called. */
void path_closed(struct path *p);

#endif
