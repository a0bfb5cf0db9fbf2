/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sel_qlen.c - the path with the fewest commands in flight; of equals the one used longest ago. */
#include "core/path.h"
#include "core/sel.h"

static struct path *qlen_pick(struct sel_state *s, unsigned rr_min_io, struct path **cand, unsigned n,
			      struct path **usable, unsigned nusable)
{
	struct path *best = cand[0];

	for (unsigned i = 1; i < n; i++)
		if (cand[i]->inflight < best->inflight ||
		    (cand[i]->inflight == best->inflight && cand[i]->use_seq < best->use_seq))
			best = cand[i];
	return best;
}

const struct sel_ops sel_queue_length_ops = { .name = "queue-length", .pick = qlen_pick };
