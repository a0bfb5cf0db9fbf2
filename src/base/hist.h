/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hist.h - a latency histogram: 8 buckets per power of two (12 % resolution),
 * a fixed array, one increment per sample.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 3
#define HIST_BUCKETS (62 << HIST_SUB_BITS)

struct hist {
	uint64_t count;
	uint64_t sum_ns, max_ns;
	uint64_t bucket[HIST_BUCKETS]; /* 32 bits would wrap in half a day of 100000 IOPS */
};

static inline unsigned hist_index(uint64_t ns)
{
	unsigned shift;

	if (ns < (1u << HIST_SUB_BITS))
		return (unsigned)ns;
	shift = 63u - (unsigned)__builtin_clzll(ns) - HIST_SUB_BITS;
	return ((shift + 1) << HIST_SUB_BITS) + (unsigned)((ns >> shift) & ((1u << HIST_SUB_BITS) - 1));
}

static inline void hist_add(struct hist *h, uint64_t ns)
{
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->bucket[hist_index(ns)]++;
}

/* Upper bound of the bucket that holds the @permille-th sample, 0 if empty. */
uint64_t hist_quantile_ns(const struct hist *h, unsigned permille);

#endif
