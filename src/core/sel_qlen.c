/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sel_qlen.c - the path with the fewest commands in flight; of equals the one used longest ago. */
#include "core/path.h"
#include "core/sel.h"

static struct path *qlen_pick(struct sel_state *s, const struct sel_ask *ask)
{
	struct path *best = ask->cand[0];

	for (unsigned i = 1; i < ask->n; i++)
		if (ask->cand[i]->inflight < best->inflight ||
		    (ask->cand[i]->inflight == best->inflight && ask->cand[i]->use_seq < best->use_seq))
			best = ask->cand[i];
	return best;
}

const struct sel_ops sel_queue_length_ops = { .name = "queue-length", .pick = qlen_pick };
