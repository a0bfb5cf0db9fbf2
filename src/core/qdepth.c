/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qdepth.c - see qdepth.h. Knows counts and times, no command and no path. */
#include "core/qdepth.h"

#include "base/limits.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

void qdepth_init(struct qdepth *q, unsigned max)
{
	memset(q, 0, sizeof(*q));
	q->limit = q->max = max;
	assert(max >= 1 && max <= DEPTH_MAX);
}

void qdepth_set_max(struct qdepth *q, unsigned max)
{
	assert(max >= 1 && max <= DEPTH_MAX);
	/* A limit that a full LUN has pulled down stays down and grows by itself. */
	if (q->limit == q->max || q->limit > max)
		q->limit = max;
	q->max = max;
}

void qdepth_take(struct qdepth *q)
{
	assert(q->inflight < q->limit);
	q->inflight++;
	if (q->inflight > q->inflight_max)
		q->inflight_max = q->inflight;
}

void qdepth_give(struct qdepth *q)
{
	assert(q->inflight > 0);
	q->inflight--;
}

void qdepth_full(struct qdepth *q, uint64_t now_ns)
{
	/* One burst of refusals is one event: what is in flight now is what the LUN bears. */
	unsigned bears = MAX(q->inflight, 1u);
	unsigned limit = MIN(q->limit - q->limit / 4, bears);

	q->changed_ns = now_ns;
	if (limit < q->limit) {
		q->limit = MAX(limit, 1u);
		q->shrunk++;
	}
}

void qdepth_good(struct qdepth *q, uint64_t now_ns)
{
	if (q->limit == q->max || now_ns - q->changed_ns < QDEPTH_QUIET_NS)
		return;
	q->limit = MIN(q->max, q->limit + MAX(1u, q->max / 8));
	q->changed_ns = now_ns;
}
