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
	q->peak = MAX(q->peak, q->inflight);
	if (q->inflight > q->inflight_max)
		q->inflight_max = q->inflight;
}

void qdepth_give(struct qdepth *q)
{
	assert(q->inflight > 0);
	q->inflight--;
}

static void qdepth_shrink(struct qdepth *q, unsigned limit, uint64_t now_ns)
{
	q->changed_ns = now_ns;
	q->peak = q->inflight;
	if (limit < q->limit) {
		q->limit = MAX(limit, 1u);
		q->shrunk++;
		q->shrunk_ns = now_ns;
	}
}

void qdepth_full(struct qdepth *q, uint64_t now_ns)
{
	/* One burst of refusals is one event: what is in flight now is what the LUN bears. */
	unsigned bears = MAX(q->inflight, 1u);

	qdepth_shrink(q, MIN(q->limit - q->limit / 4, bears), now_ns);
}

void qdepth_hint(struct qdepth *q, uint64_t now_ns)
{
	/* What is in flight now says nothing: it was some time ago. */
	unsigned tried = q->peak ? MIN(q->limit, q->peak) : q->limit;

	if (q->shrunk && now_ns - q->shrunk_ns < QDEPTH_BURST_NS)
		return;
	q->hidden++;
	qdepth_shrink(q, tried - (tried + 3) / 4, now_ns);
}

void qdepth_good(struct qdepth *q, uint64_t now_ns)
{
	if (q->limit == q->max || now_ns - q->changed_ns < QDEPTH_QUIET_NS)
		return;
	q->limit = MIN(q->max, q->limit + MAX(1u, q->max / 8));
	q->changed_ns = now_ns;
	q->peak = q->inflight;
}
