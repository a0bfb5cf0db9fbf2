/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sel_qlen.c - the path with the fewest commands in flight. */
#include "core/path.h"
#include "core/sel.h"

static uint64_t qlen_cost(const struct path *p)
{
	return p->inflight;
}

const struct sel_ops sel_queue_length_ops = { .name = "queue-length", .cost = qlen_cost };
