/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hist.c - reading a histogram; filling one is inline in hist.h. */
#include <config.h>

#include <assert.h>

#include "base/hist.h"
#include "base/units.h"

_Static_assert(HIST_BUCKETS >= (61u + 1) << HIST_SUB_BITS, "UINT64_MAX has a bucket");

/* The largest value that hist_index() puts into bucket @i. */
static uint64_t bucket_last_ns(unsigned i)
{
	const unsigned nsub = 1u << HIST_SUB_BITS;
	unsigned shift;

	if (i < nsub)
		return i;
	shift = (i >> HIST_SUB_BITS) - 1;
	return ((uint64_t)(nsub + (i & (nsub - 1))) << shift) + (((uint64_t)1 << shift) - 1);
}

uint64_t hist_quantile_ns(const struct hist *h, unsigned permille)
{
	uint64_t rank, seen = 0;
	unsigned i;

	if (h->count == 0)
		return 0;
	/* The sample with this number, counted from 1, in ascending order. */
	rank = (uint64_t)(((unsigned __int128)h->count * MIN(permille, 1000u) + 999) / 1000);
	rank = MAX(rank, 1u);
	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return bucket_last_ns(i);
	}
	assert(!"the buckets hold all samples");
	return h->max_ns;
}
