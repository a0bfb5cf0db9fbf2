/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * group.h - paths ranked into groups; one group carries the I/O.
 *
 * Groups are made anew from the list of paths when a path comes, goes or
 * changes its priority; they keep no state but which of them is current (by
 * its priority and first path).
 */
#ifndef CORE_GROUP_H
#define CORE_GROUP_H

#include "base/limits.h"
#include "base/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct path;

struct group {
	int prio; /* of its best usable path; of its best path if none is usable */
	unsigned npaths, nusable;
	unsigned ngood; /* of the usable ones those that are not marginal */
	struct path *paths[PATHS_MAX];
};

/* All groups of a LUN, best first. */
struct groups {
	unsigned n;
	int current; /* index, -1: none is usable */
	/* The usable path by which current is known again when paths change; compared only. */
	const struct path *leader;
	struct group g[GROUPS_MAX];
};

/* Sort @paths (@n of them) into groups by @policy, best priority first; of equal priority the
 * group with more usable paths first, then the older. Paths beyond GROUPS_MAX groups join the
 * last one. current stays with its leader, or if that has failed or left with the next path that
 * was in it and is in a usable group; -1 if there is none. */
void groups_build(struct groups *gs, enum group_policy policy, struct path **paths, unsigned n);
/* Make group @to (-1: none) the current one. */
void groups_choose(struct groups *gs, int to);
/* Index of the best usable group, -1 if none. */
int groups_best(const struct groups *gs);

#endif
