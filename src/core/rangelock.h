/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rangelock.h - a request that overlaps an older write waits for it, in order
 * of arrival, so that each block behaves as one register (integrity: H2).
 *
 * Writes stand in an interval tree from submission to their end, waiting or
 * not; reads only while they wait.  Nobody waits for a read: a read beside a
 * younger write may return either value.  Nobody waits for a younger request,
 * so there is no deadlock.
 *
 * A ghost is a write that has been answered while one of its commands may still
 * land (integrity: H1).  Only writes wait for it, and of these not one that
 * would put the same bytes into the same range.
 */
#ifndef CORE_RANGELOCK_H
#define CORE_RANGELOCK_H

#include "core/elv.h"
#include "core/req.h"

RB_HEAD(range_tree, range_node);

struct ghost {
	struct range_node range;
	/* What it would do: for ghost_is_same(). */
	enum req_op op;
	bool known; /* false: nothing is the same */
	uint64_t hash;
};

struct rangelock {
	struct range_tree writes; /* all that have not ended */
	struct range_tree reads;  /* those that wait */
	struct range_tree ghosts;
	unsigned nwrites, nreads, nghosts;
};

void rangelock_init(struct rangelock *l);
/* True if @r (seq larger than that of all before) may run now; else it stands in the tree with
 * nblockers > 0 and comes back from rangelock_release(). */
bool rangelock_acquire(struct rangelock *l, struct req *r);
/* @r has ended, or gives up waiting: requests that waited for nothing else are appended to
 * @ready in order of arrival. Harmless for a read that did not wait. @ghost (or NULL) takes over
 * what the write @r held; its fields are set, range too. */
void rangelock_release(struct rangelock *l, struct req *r, struct ghost *ghost, struct req_list *ready);
/* A ghost of an earlier process; before any request. */
void rangelock_haunt(struct rangelock *l, struct ghost *g);
/* @g can no longer land. @ready as above. */
void rangelock_lay(struct rangelock *l, struct ghost *g, struct req_list *ready);
/* Some write that waits, NULL if none does. */
struct req *rangelock_first_blocked(struct rangelock *l);
/* Would @r put the same bytes there? */
bool ghost_is_same(const struct ghost *g, struct req *r);
/* Asserts that the trees are sound and every count of blockers is exact. O(n^2): tests only. */
void rangelock_verify(struct rangelock *l);

#endif
