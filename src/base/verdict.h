/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verdict.h - the shared vocabulary for how a command ended.
 *
 * A driver judges each completion once and hands core a struct outcome; core
 * acts on it in one switch (core/lun_verdict.c) and each export translates the
 * errno once.  Drivers and core know this file and not each other.
 */
#ifndef BASE_VERDICT_H
#define BASE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

enum verdict {
	V_OK,	    /* done, all of it (or done_blocks of it: see struct outcome) */
	V_OK_INFO,  /* done; worth a log line and a count */
	V_SAME,	    /* send again on this path at once; at most 3 times, then V_OTHER */
	V_LATER,    /* send again after a delay; the path is not blamed */
	V_OTHER,    /* send on another path; this one gets an error point, stays up */
	V_FAIL,	    /* this path has failed; send elsewhere, check before it returns */
	V_GROUP,    /* the port group does not serve now; read its state, use another */
	V_SLOW,	    /* the LUN is full: reduce its depth, send again */
	V_ERR,	    /* final answer to the client, outcome.err; never sent again */
	/* The command, or what has to follow it, was never sent and shall not be on this path, which is
	 * closing, or not usable any more. */
	V_CANCELED,
	V_NR
};

/* What a completion says besides its verdict (a bit set). */
enum verdict_flag {
	VF_GHOST = 1 << 0,    /* the end is unknown: a write may still land later */
	VF_IDENTITY = 1 << 1, /* identity and capacity must be read again first */
	VF_ALUA = 1 << 2,     /* the ALUA states must be read again */
	VF_MODE = 1 << 3,     /* the caching mode page must be read again */
	VF_CACHE = 1 << 4,    /* a volatile cache may have been lost */
	VF_RESERV = 1 << 5,   /* reservations or registrations changed */
	VF_DEFERRED = 1 << 6, /* deferred error: an earlier acknowledged command failed */
	VF_NOT_RUN = 1 << 7,  /* the command certainly did not run */
	VF_RETRY_GROUP = 1 << 8, /* V_OTHER: one try on another group, then outcome.err */
	VF_RETRY_ONCE = 1 << 9,	 /* one more try as the verdict says, then outcome.err */
	VF_ALL_ERR = 1 << 10,	 /* outcome.err is final once every path has answered so */
	VF_STREAK = 1 << 11, /* three in a row on a path: V_LATER becomes V_OTHER, V_OTHER V_FAIL */
	VF_LATER = 1 << 12,  /* not again at once (or on no other group): wait as for V_LATER */
	VF_MARGINAL = 1 << 13,	  /* the path returns only after a longer probation */
	VF_UNSUPPORTED = 1 << 14, /* the device does not know the command: do not use it again */
};

struct outcome {
	enum verdict verdict;
	unsigned flags;	      /* enum verdict_flag */
	int err;	      /* positive errno for V_ERR, and of last resort for the others */
	uint32_t done_blocks; /* V_OK*: blocks confirmed from the start of the command */
	uint64_t bad_lba;     /* V_ERR: first bad block, valid if has_bad_lba */
	bool has_bad_lba;
	/* For the log and the counters only; zero where there is none. */
	uint8_t scsi_status, sense_key, asc, ascq;
	uint8_t host_status, driver_status;
	int sys_errno; /* positive errno of a block path, else 0 */
};

/* May another path succeed where this command did not?  The only failover question. */
static inline bool verdict_try_other_path(enum verdict v)
{
	return v == V_OTHER || v == V_FAIL || v == V_GROUP || v == V_CANCELED;
}

/* The verdict's name as the log and lunmuxctl print it, "other" for V_OTHER. */
const char *verdict_name(enum verdict v);

#endif
