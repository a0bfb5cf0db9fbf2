/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sel_service.c - the path with the fewest bytes in flight, as dm-service-time
 * (drivers/md/dm-ps-service-time.c) with equal relative throughput: a faster
 * path drains sooner and so gets more.
 */
#include "core/path.h"
#include "core/sel.h"

static uint64_t service_cost(const struct path *p)
{
	return p->inflight_bytes;
}

const struct sel_ops sel_service_time_ops = { .name = "service-time", .cost = service_cost };
