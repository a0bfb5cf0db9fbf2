/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sel_numa.c - adapters near the memory first, by the distances that the kernel
 * tells; farther ones when the near ones are saturated.
 *
 * Near paths are saturated when none has room, or when the shortest queue among
 * them is clearly longer than the shortest one at the next distance: another
 * node costs a microsecond or so, and that is what a few commands in a queue
 * cost.  Within a distance it is queue-length.
 */
#include "core/path.h"
#include "core/sel.h"

/* Clearly longer: by twice, and so many. */
#define NUMA_SPILL 16u

static bool is_better(const struct path *a, const struct path *b)
{
	if (a->numa_distance != b->numa_distance)
		return a->numa_distance < b->numa_distance;
	if (a->inflight != b->inflight)
		return a->inflight < b->inflight;
	return a->use_seq < b->use_seq;
}

/* The best candidate farther away than @than (NULL: of all), NULL if there is none. */
static struct path *best_beyond(const struct sel_ask *ask, const struct path *than)
{
	struct path *best = NULL;

	for (unsigned i = 0; i < ask->n; i++) {
		struct path *p = ask->cand[i];

		if (than && p->numa_distance <= than->numa_distance)
			continue;
		if (!best || is_better(p, best))
			best = p;
	}
	return best;
}

static struct path *numa_pick(struct sel_state *s, const struct sel_ask *ask)
{
	struct path *p = best_beyond(ask, NULL), *next;

	while ((next = best_beyond(ask, p)) && p->inflight >= 2 * next->inflight + NUMA_SPILL)
		p = next;
	return p;
}

const struct sel_ops sel_numa_ops = { .name = "numa", .pick = numa_pick };
