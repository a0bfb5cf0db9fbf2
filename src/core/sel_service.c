/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sel_service.c - the path with the fewest bytes in flight, as dm-service-time
 * (drivers/md/dm-ps-service-time.c) with equal relative throughput: a faster
 * path drains sooner and so gets more.  Of equals the one used longest ago.
 */
#include "core/path.h"
#include "core/sel.h"

static struct path *service_pick(struct sel_state *s, const struct sel_ask *ask)
{
	struct path *best = ask->cand[0];

	for (unsigned i = 1; i < ask->n; i++)
		if (ask->cand[i]->inflight_bytes < best->inflight_bytes ||
		    (ask->cand[i]->inflight_bytes == best->inflight_bytes &&
		     ask->cand[i]->use_seq < best->use_seq))
			best = ask->cand[i];
	return best;
}

const struct sel_ops sel_service_time_ops = { .name = "service-time", .pick = service_pick };
