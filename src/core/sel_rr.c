/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sel_rr.c - each path in its turn; a full path misses the rest of its turn.
 *
 * A turn is rr_min_io commands, or with rr_min_bytes as many as it takes to
 * carry that; under rr_weight priorities it is the path's priority times as
 * long.  A command is not cut: the one that reaches the bytes is the turn's
 * last.
 */
#include "core/lun.h"
#include "core/path.h"
#include "core/sel.h"

#include "base/units.h"

static bool turn_goes_on(const struct sel_state *s, const struct lun_params *par)
{
	/* Products of 32 bits each. */
	uint64_t weight = par->rr_weight == RR_PRIORITIES ? MAX(s->last->prio, 1u) : 1;

	if (par->rr_min_bytes)
		return s->used_bytes < weight * par->rr_min_bytes;
	return s->used < weight * par->rr_min_io;
}

static struct path *rr_pick(struct sel_state *s, const struct sel_ask *ask)
{
	struct path *best = ask->cand[0];

	for (unsigned i = 0; i < ask->n; i++) {
		struct path *p = ask->cand[i];

		if (p == s->last && turn_goes_on(s, ask->par))
			return p;
		if (p->use_seq < best->use_seq)
			best = p;
	}
	return best;
}

const struct sel_ops sel_round_robin_ops = { .name = "round-robin", .pick = rr_pick };
