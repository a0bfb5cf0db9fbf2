/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sel_rr.c - each path in its turn, rr_min_io commands at a time; a full path misses its turn. */
#include "core/path.h"
#include "core/sel.h"

static struct path *rr_pick(struct sel_state *s, unsigned rr_min_io, struct path **cand, unsigned n,
			    struct path **usable, unsigned nusable)
{
	struct path *best = cand[0];

	for (unsigned i = 0; i < n; i++) {
		if (cand[i] == s->last && s->used < rr_min_io)
			return cand[i];
		if (cand[i]->use_seq < best->use_seq)
			best = cand[i];
	}
	return best;
}

const struct sel_ops sel_round_robin_ops = { .name = "round-robin", .pick = rr_pick };
