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

static void range_augment(struct range_node *n)
{
	uint64_t m = n->end;
	struct range_node *c;

	if ((c = RB_LEFT(n, tree)))
		m = MAX(m, c->max);
	if ((c = RB_RIGHT(n, tree)))
		m = MAX(m, c->max);
	n->max = m;
}

#undef RB_AUGMENT
#define RB_AUGMENT(x) range_augment(x)

static int range_cmp(const struct range_node *a, const struct range_node *b)
{
	if (a->lba != b->lba)
		return a->lba < b->lba ? -1 : 1;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	return a->slot < b->slot ? -1 : a->slot > b->slot;
}

RB_PROTOTYPE(range_tree, range_node, tree, range_cmp)
RB_GENERATE(range_tree, range_node, tree, range_cmp)

static void range_repair(struct range_node *n)
{
	for (; n; n = RB_PARENT(n, tree))
		range_augment(n);
}

static void range_insert(struct range_tree *t, struct range_node *n)
{
	struct range_node *old;

	n->max = n->end;
	old = RB_INSERT(range_tree, t, n);
	assert(!old);
	range_repair(n);
}

static void range_remove(struct range_tree *t, struct range_node *n)
{
	struct range_node *low = RB_PARENT(n, tree);

	/* The lowest node whose subtree changes: where tree.h takes a node out. */
	if (RB_LEFT(n, tree) && RB_RIGHT(n, tree)) {
		struct range_node *next = RB_RIGHT(n, tree);

		while (RB_LEFT(next, tree))
			next = RB_LEFT(next, tree);
		low = RB_PARENT(next, tree) == n ? next : RB_PARENT(next, tree);
	}
	RB_REMOVE(range_tree, t, n);
	range_repair(low);
}

static struct req *range_req(struct range_node *n)
{
	return container_of(n, struct req, range);
}

/* What a visit is about: @r and @ghost may be NULL. */
struct visit {
	const struct range_node *range;
	struct req *r;
	struct ghost *ghost;
	struct req_list *ready;
};

typedef void visit_fn(struct range_node *found, struct visit *v);

/* Call @fn for each entry below @n that overlaps the range. Depth is that of a red-black tree. */
static void range_visit(struct range_node *n, struct visit *v, visit_fn *fn)
{
	if (!n || n->max <= v->range->lba)
		return;
	range_visit(RB_LEFT(n, tree), v, fn);
	if (n->lba >= v->range->end)
		return;
	if (n->end > v->range->lba && n != v->range)
		fn(n, v);
	range_visit(RB_RIGHT(n, tree), v, fn);
}

static void count_write(struct range_node *found, struct visit *v)
{
	v->r->nblockers++;
}

static void count_ghost(struct range_node *found, struct visit *v)
{
	if (!ghost_is_same(container_of(found, struct ghost, range), v->r))
		v->r->nblockers++;
}

static void unblock(struct range_node *found, struct visit *v)
{
	struct req *r = range_req(found), *pos;

	if (found->seq < v->range->seq)
		return;
	/* The ghost of what it waited for takes over, or was what it waited for. */
	if (v->ghost && req_is_write(r) && ghost_is_same(v->ghost, r) == !v->r)
		return;
	assert(r->nblockers > 0 && r->state == REQ_BLOCKED);
	if (--r->nblockers)
		return;
	TAILQ_FOREACH_REVERSE (pos, v->ready, req_list, fifo)
		if (pos->range.seq < found->seq)
			break;
	if (pos)
		TAILQ_INSERT_AFTER(v->ready, pos, r, fifo);
	else
		TAILQ_INSERT_HEAD(v->ready, r, fifo);
}

void rangelock_init(struct rangelock *l)
{
	RB_INIT(&l->writes);
	RB_INIT(&l->reads);
	RB_INIT(&l->ghosts);
	l->nwrites = l->nreads = l->nghosts = 0;
}

bool rangelock_acquire(struct rangelock *l, struct req *r)
{
	struct visit v = { .range = &r->range, .r = r };

	assert(!r->locked && r->nblocks > 0);
	r->range.lba = r->lba;
	r->range.end = r->lba + r->nblocks;
	r->range.seq = r->seq;
	r->nblockers = 0;
	if (l->nwrites && !fault_strikes(PLANT_NO_RANGE_LOCK))
		range_visit(RB_ROOT(&l->writes), &v, count_write);
	if (req_is_write(r)) {
		if (l->nghosts)
			range_visit(RB_ROOT(&l->ghosts), &v, count_ghost);
		range_insert(&l->writes, &r->range);
		l->nwrites++;
		r->locked = true;
	} else if (r->nblockers) {
		range_insert(&l->reads, &r->range);
		l->nreads++;
		r->locked = true;
	}
	return !r->nblockers;
}

static void rangelock_drop_read(struct rangelock *l, struct req *r)
{
	range_remove(&l->reads, &r->range);
	l->nreads--;
	r->locked = false;
}

void rangelock_release(struct rangelock *l, struct req *r, struct ghost *ghost, struct req_list *ready)
{
	struct visit v = { .range = &r->range, .r = r, .ghost = ghost, .ready = ready };
	struct req *q, *next;

	if (!r->locked)
		return;
	if (!req_is_write(r)) {
		rangelock_drop_read(l, r);
		return;
	}
	range_remove(&l->writes, &r->range);
	l->nwrites--;
	r->locked = false;
	if (ghost) {
		range_insert(&l->ghosts, &ghost->range);
		l->nghosts++;
	}
	if (fault_strikes(PLANT_NO_RANGE_LOCK))
		return;
	range_visit(RB_ROOT(&l->writes), &v, unblock);
	if (!l->nreads)
		return;
	range_visit(RB_ROOT(&l->reads), &v, unblock);
	/* A read that need not wait any longer leaves the tree: nobody waits for it. */
	TAILQ_FOREACH_SAFE (q, ready, fifo, next)
		if (q->locked && !req_is_write(q))
			rangelock_drop_read(l, q);
}

void rangelock_haunt(struct rangelock *l, struct ghost *g)
{
	assert(!l->nwrites);
	range_insert(&l->ghosts, &g->range);
	l->nghosts++;
}

void rangelock_lay(struct rangelock *l, struct ghost *g, struct req_list *ready)
{
	struct visit v = { .range = &g->range, .ghost = g, .ready = ready };

	range_remove(&l->ghosts, &g->range);
	l->nghosts--;
	range_visit(RB_ROOT(&l->writes), &v, unblock);
}

struct req *rangelock_first_blocked(struct rangelock *l)
{
	struct range_node *n;

	RB_FOREACH (n, range_tree, &l->writes)
		if (range_req(n)->state == REQ_BLOCKED)
			return range_req(n);
	return NULL;
}

static void range_verify_node(struct range_node *n)
{
	uint64_t m;

	if (!n)
		return;
	range_verify_node(RB_LEFT(n, tree));
	range_verify_node(RB_RIGHT(n, tree));
	m = n->max;
	range_augment(n);
	assert(n->max == m);
}

static bool range_blocks(const struct range_node *old, const struct range_node *n)
{
	return old->seq < n->seq && old->lba < n->end && n->lba < old->end;
}

static unsigned range_verify_tree(struct rangelock *l, struct range_tree *t)
{
	struct range_node *n, *w;
	unsigned count = 0;

	range_verify_node(RB_ROOT(t));
	RB_FOREACH (n, range_tree, t) {
		struct req *r = range_req(n);
		unsigned blockers = r->no_entry;

		/* In the order of their first blocks: none that begins behind @n overlaps it. */
		for (w = RB_MIN(range_tree, &l->writes); w && w->lba < n->end; w = RB_NEXT(range_tree, &l->writes, w))
			blockers += range_blocks(w, n);
		for (w = req_is_write(r) ? RB_MIN(range_tree, &l->ghosts) : NULL; w && w->lba < n->end;
		     w = RB_NEXT(range_tree, &l->ghosts, w))
			blockers += range_blocks(w, n) && !ghost_is_same(container_of(w, struct ghost, range), r);
		assert(blockers == r->nblockers);
		assert((r->state == REQ_BLOCKED) == (blockers > 0));
		count++;
	}
	return count;
}

void rangelock_verify(struct rangelock *l)
{
	unsigned n = 0;
	struct range_node *g;

	if (fault_any)
		return; /* a planted bug breaks what is checked here */
	assert(range_verify_tree(l, &l->writes) == l->nwrites);
	assert(range_verify_tree(l, &l->reads) == l->nreads);
	range_verify_node(RB_ROOT(&l->ghosts));
	RB_FOREACH (g, range_tree, &l->ghosts)
		n++;
	assert(n == l->nghosts);
}
