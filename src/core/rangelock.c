/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rangelock.c - interval trees over <sys/tree.h>: a red-black tree by first
 * block in which each node knows the largest end below it.
 *
 * RB_AUGMENT of tree.h is called for the nodes of a rotation only, so insert
 * and remove repair the path to the root themselves.
 */
#include "core/rangelock.h"

#include "base/fault.h"
#include "base/units.h"

#include <assert.h>

static uint64_t lock_end(const struct req *r)
{
	return r->lba + r->nblocks;
}

static void lock_augment(struct req *r)
{
	uint64_t m = lock_end(r);
	struct req *c;

	if ((c = RB_LEFT(r, lock_tree)))
		m = MAX(m, c->lock_max);
	if ((c = RB_RIGHT(r, lock_tree)))
		m = MAX(m, c->lock_max);
	r->lock_max = m;
}

#undef RB_AUGMENT
#define RB_AUGMENT(x) lock_augment(x)

static int lock_cmp(const struct req *a, const struct req *b)
{
	if (a->lba != b->lba)
		return a->lba < b->lba ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_PROTOTYPE(lock_tree, req, lock_tree, lock_cmp)
RB_GENERATE(lock_tree, req, lock_tree, lock_cmp)

static void lock_repair(struct req *r)
{
	for (; r; r = RB_PARENT(r, lock_tree))
		lock_augment(r);
}

static void lock_insert(struct lock_tree *t, struct req *r)
{
	struct req *old;

	r->lock_max = lock_end(r);
	old = RB_INSERT(lock_tree, t, r);
	assert(!old);
	lock_repair(r);
	r->locked = true;
}

static void lock_remove(struct lock_tree *t, struct req *r)
{
	struct req *low = RB_PARENT(r, lock_tree);

	/* The lowest node whose subtree changes: where tree.h takes a node out. */
	if (RB_LEFT(r, lock_tree) && RB_RIGHT(r, lock_tree)) {
		struct req *next = RB_RIGHT(r, lock_tree);

		while (RB_LEFT(next, lock_tree))
			next = RB_LEFT(next, lock_tree);
		low = RB_PARENT(next, lock_tree) == r ? next : RB_PARENT(next, lock_tree);
	}
	RB_REMOVE(lock_tree, t, r);
	lock_repair(low);
	r->locked = false;
}

typedef void lock_visit_fn(struct req *found, struct req *r, struct req_list *ready);

/* Call @fn for each entry below @n that overlaps @r. Depth is that of a red-black tree. */
static void lock_visit(struct req *n, struct req *r, lock_visit_fn *fn, struct req_list *ready)
{
	if (!n || n->lock_max <= r->lba)
		return;
	lock_visit(RB_LEFT(n, lock_tree), r, fn, ready);
	if (n->lba >= lock_end(r))
		return;
	if (lock_end(n) > r->lba && n != r)
		fn(n, r, ready);
	lock_visit(RB_RIGHT(n, lock_tree), r, fn, ready);
}

static void lock_count(struct req *found, struct req *r, struct req_list *ready)
{
	r->nblockers++;
}

static void lock_unblock(struct req *found, struct req *r, struct req_list *ready)
{
	struct req *pos;

	if (found->seq < r->seq)
		return;
	assert(found->nblockers > 0 && found->state == REQ_BLOCKED);
	if (--found->nblockers)
		return;
	TAILQ_FOREACH_REVERSE (pos, ready, req_list, fifo)
		if (pos->seq < found->seq)
			break;
	if (pos)
		TAILQ_INSERT_AFTER(ready, pos, found, fifo);
	else
		TAILQ_INSERT_HEAD(ready, found, fifo);
}

void rangelock_init(struct rangelock *l)
{
	RB_INIT(&l->writes);
	RB_INIT(&l->reads);
	l->nwrites = l->nreads = 0;
}

bool rangelock_acquire(struct rangelock *l, struct req *r)
{
	assert(!r->locked && r->nblocks > 0);
	r->nblockers = 0;
	if (l->nwrites && !fault_strikes(PLANT_NO_RANGE_LOCK))
		lock_visit(RB_ROOT(&l->writes), r, lock_count, NULL);
	if (req_is_write(r)) {
		lock_insert(&l->writes, r);
		l->nwrites++;
	} else if (r->nblockers) {
		lock_insert(&l->reads, r);
		l->nreads++;
	}
	return !r->nblockers;
}

void rangelock_release(struct rangelock *l, struct req *r, struct req_list *ready)
{
	struct req *q, *next;

	if (!r->locked)
		return;
	if (!req_is_write(r)) {
		lock_remove(&l->reads, r);
		l->nreads--;
		return;
	}
	lock_remove(&l->writes, r);
	l->nwrites--;
	if (fault_strikes(PLANT_NO_RANGE_LOCK))
		return;
	lock_visit(RB_ROOT(&l->writes), r, lock_unblock, ready);
	if (!l->nreads)
		return;
	lock_visit(RB_ROOT(&l->reads), r, lock_unblock, ready);
	/* A read that need not wait any longer leaves the tree: nobody waits for it. */
	TAILQ_FOREACH_SAFE (q, ready, fifo, next)
		if (q->locked && !req_is_write(q)) {
			lock_remove(&l->reads, q);
			l->nreads--;
		}
}

static void lock_verify_node(struct req *n)
{
	uint64_t m;

	if (!n)
		return;
	lock_verify_node(RB_LEFT(n, lock_tree));
	lock_verify_node(RB_RIGHT(n, lock_tree));
	m = n->lock_max;
	lock_augment(n);
	assert(n->lock_max == m);
}

static unsigned lock_verify_tree(struct rangelock *l, struct lock_tree *t)
{
	struct req *r, *w;
	unsigned n = 0;

	lock_verify_node(RB_ROOT(t));
	RB_FOREACH (r, lock_tree, t) {
		unsigned blockers = 0;

		RB_FOREACH (w, lock_tree, &l->writes) {
			if (w->lba >= lock_end(r))
				break;
			if (w->seq < r->seq && w->lba < lock_end(r) && r->lba < lock_end(w))
				blockers++;
		}
		assert(blockers == r->nblockers);
		assert((r->state == REQ_BLOCKED) == (blockers > 0));
		n++;
	}
	return n;
}

void rangelock_verify(struct rangelock *l)
{
	if (fault_any)
		return; /* a planted bug breaks what is checked here */
	assert(lock_verify_tree(l, &l->writes) == l->nwrites);
	assert(lock_verify_tree(l, &l->reads) == l->nreads);
}
