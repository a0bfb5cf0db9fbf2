/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qdepth.h - the account of commands at the LUN: one for all paths.
 *
 * A full LUN (TASK SET FULL, BUSY) shrinks the limit below what was in flight,
 * also when only traces of it are seen; quiet time grows it back.  A command that hangs keeps its slot.
 */
#ifndef CORE_QDEPTH_H
#define CORE_QDEPTH_H

#include "base/fault.h"

#include <stdbool.h>
#include <stdint.h>

/* After this long without a full LUN the limit grows, and again after each such time. */
#define QDEPTH_QUIET_NS 1000000000ull
/* Hints so soon after a shrink are of the same burst. */
#define QDEPTH_BURST_NS 400000000ull

struct qdepth {
	unsigned limit;	   /* in force, 1..max */
	unsigned max;	   /* configured or reported */
	unsigned inflight; /* commands at the LUN */
	unsigned inflight_max;
	uint64_t changed_ns; /* of the last shrink or growth */
	uint64_t shrunk_ns;
	uint64_t shrunk;     /* times */
	uint64_t hidden;     /* of these by qdepth_hint() */
	unsigned peak;	     /* of inflight, since the last change of limit */
};

void qdepth_init(struct qdepth *q, unsigned max);
/* A smaller maximum takes effect as commands end. */
void qdepth_set_max(struct qdepth *q, unsigned max);
static inline bool qdepth_has_slot(const struct qdepth *q)
{
	return q->inflight < q->limit || fault_strikes(PLANT_LUN_DEPTH);
}
void qdepth_take(struct qdepth *q);
void qdepth_give(struct qdepth *q);
/* The LUN said that it is full. */
void qdepth_full(struct qdepth *q, uint64_t now_ns);
/* The LUN was full some time ago, and nobody has told: the kernel has sent the commands again by
 * itself. Several paths that say so of one burst count as one. */
void qdepth_hint(struct qdepth *q, uint64_t now_ns);
/* A command has ended well. */
void qdepth_good(struct qdepth *q, uint64_t now_ns);

#endif
