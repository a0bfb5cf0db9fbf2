/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sel_last.c - stay on the path used last while it is usable; wait when it is full. */
#include "core/path.h"
#include "core/sel.h"

static struct path *last_pick(struct sel_state *s, const struct sel_ask *ask)
{
	for (unsigned i = 0; i < ask->n; i++)
		if (ask->cand[i] == s->last)
			return ask->cand[i];
	for (unsigned i = 0; i < ask->nusable; i++)
		if (ask->usable[i] == s->last)
			return NULL;
	return ask->cand[0];
}

const struct sel_ops sel_last_used_ops = { .name = "last-used", .pick = last_pick };
