/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sel_last.c - stay on the path used last while it is usable; wait when it is full. */
#include "core/path.h"
#include "core/sel.h"

static struct path *last_pick(struct sel_state *s, unsigned rr_min_io, struct path **cand, unsigned n,
			      struct path **usable, unsigned nusable)
{
	for (unsigned i = 0; i < n; i++)
		if (cand[i] == s->last)
			return cand[i];
	for (unsigned i = 0; i < nusable; i++)
		if (usable[i] == s->last)
			return NULL;
	return cand[0];
}

const struct sel_ops sel_last_used_ops = { .name = "last-used", .pick = last_pick };
