/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ready.c - see ready.h. A binary heap; each path knows where it is in it. */
#include "core/lun_priv.h"

#include <assert.h>

static bool is_before(const struct path *a, const struct path *b)
{
	return sel_is_before(a, a->ready_cost, b, b->ready_cost);
}

static void put(struct ready *h, unsigned i, struct path *p)
{
	h->at[i] = p;
	p->ready_at = i + 1;
}

static void sift_up(struct ready *h, unsigned i)
{
	struct path *p = h->at[i];

	for (unsigned up; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!is_before(p, h->at[up]))
			break;
		put(h, i, h->at[up]);
	}
	put(h, i, p);
}

static void sift_down(struct ready *h, unsigned i)
{
	struct path *p = h->at[i];

	for (unsigned down; (down = 2 * i + 1) < h->n; i = down) {
		if (down + 1 < h->n && is_before(h->at[down + 1], h->at[down]))
			down++;
		if (!is_before(h->at[down], p))
			break;
		put(h, i, h->at[down]);
	}
	put(h, i, p);
}

static void settle(struct ready *h, struct path *p)
{
	sift_up(h, p->ready_at - 1);
	sift_down(h, p->ready_at - 1);
}

static void ready_remove(struct ready *h, struct path *p)
{
	unsigned i = p->ready_at - 1;
	struct path *last = h->at[--h->n];

	p->ready_at = 0;
	if (last == p)
		return;
	put(h, i, last);
	settle(h, last);
}

static bool belongs(const struct lun *lun, const struct path *p)
{
	return path_is_good(p) && (int)p->group == lun->groups.current && path_has_own_room(p);
}

static void ready_make(struct lun *lun)
{
	struct ready *h = &lun->ready;
	struct path *p;

	h->n = 0;
	TAILQ_FOREACH (p, &lun->paths, link) {
		p->ready_at = 0;
		if (!belongs(lun, p))
			continue;
		p->ready_cost = lun->sel->cost(p);
		put(h, h->n++, p);
		sift_up(h, h->n - 1);
	}
	h->known = true;
}

void ready_forget(struct lun *lun)
{
	lun->ready.known = false;
}

void ready_update(struct path *p)
{
	struct lun *lun = p->lun;
	struct ready *h = &lun->ready;

	if (!h->known)
		return;
	if (!belongs(lun, p)) {
		if (p->ready_at)
			ready_remove(h, p);
		return;
	}
	p->ready_cost = lun->sel->cost(p);
	if (!p->ready_at)
		put(h, h->n++, p);
	settle(h, p);
}

bool ready_pick(struct lun *lun, struct path **ret)
{
	const struct groups *gs = &lun->groups;
	struct path *p, *last = lun->sel_state.last;

	if (!lun->sel->cost || lun->any_suspect || !gs->g[gs->current].ngood)
		return false;
	if (!lun->ready.known)
		ready_make(lun);
	p = lun->ready.n ? lun->ready.at[0] : NULL;
	if (last && last->ready_at && lun->sel->stays && lun->sel->stays(&lun->sel_state, &lun->par))
		p = last;
	if (p && !path_has_room(p))
		return false; /* its adapter is full, and those of others may not be */
	*ret = p;
	return true;
}

void ready_verify(struct lun *lun)
{
	const struct ready *h = &lun->ready;
	const struct path *p;
	unsigned n = 0;

	if (!h->known || fault_any) /* planted bugs are for others to find */
		return;
	TAILQ_FOREACH (p, &lun->paths, link) {
		assert(belongs(lun, p) == (p->ready_at > 0));
		n += p->ready_at > 0;
	}
	assert(n == h->n);
	for (unsigned i = 0; i < n; i++) {
		assert(h->at[i]->ready_at == i + 1);
		assert(h->at[i]->ready_cost == lun->sel->cost(h->at[i]));
		assert(!i || !is_before(h->at[i], h->at[(i - 1) / 2]));
	}
}
