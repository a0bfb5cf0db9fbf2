/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sel_hist.c - the path that will probably be done first, by what it has taken
 * so far; the idea is that of drivers/md/dm-ps-historical-service-time.c.
 *
 * For each class of sizes a path has a moving average of the time per command:
 * the time from sending to completion, divided by the commands that the path
 * had in flight meanwhile (Little's law).  The path is taken for which
 *
 *     sum over classes (commands in flight x average) + average of the next one
 *
 * is smallest: that is when the next command will probably be done.  It is taken
 * to be as large as the last one was.  A class of which a path knows nothing is
 * taken to be like its neighbour, and a path that knows nothing at all like the
 * best of the others.
 *
 * What is known gets old.  A path that was not used for HIST_STALE_NS, and not
 * for the last HIST_STALE_CMDS commands of the LUN, gets one whatever its past
 * says; all that is known of it counts half then, and against that command half
 * again.  So a slow path costs little, and one that has become quick is back in
 * use after a few of these.
 *
 * Ranges: a sample is cut at HIST_SAMPLE_MAX_NS = 2^38 ns (4.5 minutes), so no
 * average is larger; commands in flight are at most DEPTH_MAX = 2^12, over all
 * classes together; so the sum is at most 2^50 and one average.
 */
#include "core/cmd.h"
#include "core/path.h"
#include "core/sel.h"

#include "base/units.h"

#define HIST_SAMPLE_MAX_NS (1ull << 38)
#define HIST_STALE_NS (2 * NS_PER_SEC)
#define HIST_STALE_CMDS 256u
/* A sample counts 1/8; 1/2 if it is the first after a pause. */
#define HIST_SHIFT 3
/* Nothing takes no time at all: counts of commands must show. */
#define HIST_SAMPLE_MIN_NS 100u

_Static_assert(DEPTH_MAX <= 1u << 12, "see the ranges above");

unsigned byte_class(const struct cmd *cmd, uint64_t bytes)
{
	static const uint32_t up_to[BYTE_CLASS_OTHER - 1] = { 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB };
	unsigned class = 0;

	if (cmd->op != CMD_READ && cmd->op != CMD_WRITE)
		return BYTE_CLASS_OTHER;
	while (class < ARRAY_SIZE(up_to) && bytes > up_to[class])
		class++;
	return class;
}

static bool is_stale(const struct sel_state *s, const struct path *p, unsigned inflight, uint64_t now_ns)
{
	return p->inflight == inflight && now_ns - p->last_done_ns >= HIST_STALE_NS &&
	       s->use_seq - p->use_seq >= HIST_STALE_CMDS;
}

void sel_hist_sent(const struct sel_state *s, struct path *p, uint64_t now_ns)
{
	if (!is_stale(s, p, 1, now_ns))
		return;
	for (unsigned c = 0; c < BYTE_CLASS_OTHER; c++)
		p->service_ewma_ns[c] = (p->service_ewma_ns[c] + 1) / 2;
	p->service_stale = true;
}

void sel_hist_done(struct path *p, const struct cmd *cmd, unsigned class, uint64_t now_ns)
{
	uint64_t ns = (now_ns - cmd->sent_ns) / MAX(MAX(cmd->sent_inflight, p->inflight), 1u);
	uint64_t *ewma;

	p->last_done_ns = now_ns;
	if (class == BYTE_CLASS_OTHER)
		return;
	ewma = &p->service_ewma_ns[class];
	ns = MIN(MAX(ns, HIST_SAMPLE_MIN_NS), HIST_SAMPLE_MAX_NS);
	if (!*ewma)
		*ewma = ns;
	else if (p->service_stale)
		*ewma = (*ewma + ns) / 2;
	else
		*ewma = *ewma - (*ewma >> HIST_SHIFT) + (ns >> HIST_SHIFT);
	p->service_stale = false;
}

/* 0 if the path knows nothing. */
static uint64_t average_ns(const struct path *p, unsigned class)
{
	for (unsigned d = 0; d < BYTE_CLASS_OTHER; d++) {
		if (class >= d && p->service_ewma_ns[class - d])
			return p->service_ewma_ns[class - d];
		if (class + d < BYTE_CLASS_OTHER && p->service_ewma_ns[class + d])
			return p->service_ewma_ns[class + d];
	}
	return 0;
}

/* Of the usable paths that know something the best; what a new one is taken for. */
static void averages_of_best(const struct sel_ask *ask, uint64_t best[BYTE_CLASS_OTHER])
{
	for (unsigned c = 0; c < BYTE_CLASS_OTHER; c++) {
		best[c] = 0;
		for (unsigned i = 0; i < ask->nusable; i++) {
			uint64_t ns = average_ns(ask->usable[i], c);

			if (ns && (!best[c] || ns < best[c]))
				best[c] = ns;
		}
		best[c] = MAX(best[c], HIST_SAMPLE_MIN_NS);
	}
}

static uint64_t done_in_ns(const struct path *p, unsigned next, const uint64_t best[BYTE_CLASS_OTHER])
{
	uint64_t sum = 0;

	for (unsigned c = 0; c < BYTE_CLASS_OTHER; c++) {
		unsigned n = p->inflight_class[c] + (c == next);
		uint64_t ns = n ? average_ns(p, c) : 0;

		sum += n * (ns ? ns : best[c]);
	}
	return sum;
}

static struct path *hist_pick(struct sel_state *s, const struct sel_ask *ask)
{
	uint64_t best_of[BYTE_CLASS_OTHER], least = UINT64_MAX;
	struct path *best = NULL;

	averages_of_best(ask, best_of);
	for (unsigned i = 0; i < ask->n; i++) {
		struct path *p = ask->cand[i];
		uint64_t ns = is_stale(s, p, 0, ask->now_ns) ? 0 : done_in_ns(p, s->class, best_of);

		if (!best || ns < least || (ns == least && p->use_seq < best->use_seq)) {
			best = p;
			least = ns;
		}
	}
	return best;
}

const struct sel_ops sel_historical_ops = { .name = "historical-service-time", .pick = hist_pick };
