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
