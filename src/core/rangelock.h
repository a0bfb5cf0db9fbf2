/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rangelock.h - a request that overlaps an older write waits for it, in order
 * of arrival, so that each block behaves as one register (integrity: H2).
 *
 * Writes stand in an interval tree from submission to their end, waiting or
 * not; reads only while they wait.  Nobody waits for a read: a read beside a
 * younger write may return either value.  Nobody waits for a younger request,
 * so there is no deadlock.
 */
#ifndef CORE_RANGELOCK_H
#define CORE_RANGELOCK_H

#include "core/elv.h"
#include "core/req.h"

RB_HEAD(lock_tree, req);

struct rangelock {
	struct lock_tree writes; /* all that have not ended */
	struct lock_tree reads;	 /* those that wait */
	unsigned nwrites, nreads;
};

void rangelock_init(struct rangelock *l);
/* True if @r (seq larger than that of all before) may run now; else it stands in the tree with
 * nblockers > 0 and comes back from rangelock_release(). */
bool rangelock_acquire(struct rangelock *l, struct req *r);
/* @r has ended, or gives up waiting: requests that waited for nothing else are appended to
 * @ready in order of arrival. Harmless for a read that did not wait. */
void rangelock_release(struct rangelock *l, struct req *r, struct req_list *ready);
/* Asserts that the trees are sound and every count of blockers is exact. O(n^2): tests only. */
void rangelock_verify(struct rangelock *l);

#endif
