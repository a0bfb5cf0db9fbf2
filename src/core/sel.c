/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sel.c - what the selectors share. */
#include "core/sel.h"

#include "core/path.h"

#include <assert.h>

static const struct sel_ops *const sel_kinds[SEL_NR] = {
	[SEL_LAST_USED] = &sel_last_used_ops,
	[SEL_ROUND_ROBIN] = &sel_round_robin_ops,
	[SEL_QUEUE_LENGTH] = &sel_queue_length_ops,
	[SEL_SERVICE_TIME] = &sel_service_time_ops,
	[SEL_HISTORICAL] = &sel_historical_ops,
	[SEL_NUMA] = &sel_numa_ops,
};

const struct sel_ops *sel_by_kind(enum sel_kind kind)
{
	assert(kind < SEL_NR);
	return sel_kinds[kind];
}

bool sel_is_before(const struct path *a, uint64_t cost_a, const struct path *b, uint64_t cost_b)
{
	if (cost_a != cost_b)
		return cost_a < cost_b;
	if (a->use_seq != b->use_seq)
		return a->use_seq < b->use_seq;
	return a->index < b->index;
}

struct path *sel_pick(const struct sel_ops *sel, struct sel_state *s, const struct sel_ask *ask)
{
	bool stays = s->last && sel->stays && sel->stays(s, ask->par);
	struct path *best = ask->cand[0];

	if (sel->pick)
		return sel->pick(s, ask);
	for (unsigned i = 0; i < ask->n; i++) {
		if (stays && ask->cand[i] == s->last)
			return s->last;
		if (sel_is_before(ask->cand[i], sel->cost(ask->cand[i]), best, sel->cost(best)))
			best = ask->cand[i];
	}
	return best;
}

void sel_used(struct sel_state *s, struct path *p, const struct cmd *cmd, uint64_t bytes,
	      uint64_t now_ns)
{
	unsigned class = byte_class(cmd, bytes);

	if (s->last != p) {
		s->last = p;
		s->used = 0;
		s->used_bytes = 0;
	}
	s->used++;
	if (class != BYTE_CLASS_OTHER) {
		s->used_bytes += bytes;
		s->class = class;
	}
	sel_hist_sent(s, p, now_ns);
	p->use_seq = ++s->use_seq;
}

void sel_forget(struct sel_state *s, struct path *p)
{
	if (s->last == p) {
		s->last = NULL;
		s->used = 0;
		s->used_bytes = 0;
	}
}
