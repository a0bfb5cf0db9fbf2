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

/* All are equal: whose turn is longest ago. */
static uint64_t rr_cost(const struct path *p)
{
	return 0;
}

const struct sel_ops sel_round_robin_ops = { .name = "round-robin", .cost = rr_cost, .stays = turn_goes_on };
