/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault.c - the table behind fault.h.  It knows the names of the sites and
 * counts passes; what a strike means is each site's own business.
 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "base/fault.h"
#include "base/units.h"

static struct fault {
	bool armed;
	uint64_t nth, times; /* as armed */
	uint64_t passed;     /* since armed */
} faults[FAULT_NR];

static const char *const fault_names[FAULT_NR] = {
#define X(sym, name) [sym] = name,
	FAULT_SITES(X)
#undef X
};

bool fault_any;

bool fault_strikes_slow(enum fault_site site)
{
	struct fault *f = &faults[site];

	if (!f->armed)
		return false;
	f->passed++;
	if (f->passed < f->nth)
		return false;
	return f->times == 0 || f->passed - f->nth < f->times;
}

void fault_arm(enum fault_site site, uint64_t nth, uint64_t times)
{
	assert(site < FAULT_NR);
	assert(nth > 0);
	faults[site] = (struct fault){ .armed = true, .nth = nth, .times = times };
	fault_any = true;
}

/* The counts stay readable until the site is armed again. */
void fault_disarm_all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		faults[i].armed = false;
	fault_any = false;
}

uint64_t fault_count(enum fault_site site)
{
	assert(site < FAULT_NR);
	return faults[site].passed;
}

const char *fault_name(enum fault_site site)
{
	assert(site < FAULT_NR);
	return fault_names[site];
}

int fault_by_name(const char *name)
{
	int i;

	for (i = 0; i < FAULT_NR; i++)
		if (strcmp(fault_names[i], name) == 0)
			return i;
	return -1;
}
