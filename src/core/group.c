/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group.c - see group.h. Decides ranks; when to switch is core/lun_paths.c's decision. */
#include "core/group.h"

#include "core/path.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static int path_tpg(const struct path *p)
{
	return p->info_valid ? p->info.tpg : -1;
}

/* What is not known is equal to what is not known either: one group, not one for each path. */
static bool group_fits(enum group_policy policy, const struct path *a, const struct path *b)
{
	switch (policy) {
	case GROUP_FAILOVER:
	case GROUP_NR:
		break;
	case GROUP_MULTIBUS:
		return true;
	case GROUP_BY_PRIO:
		return a->prio == b->prio;
	case GROUP_BY_TPG:
		return path_tpg(a) == path_tpg(b);
	case GROUP_BY_NODE_NAME:
		return strcmp(a->node_name, b->node_name) == 0;
	}
	return false;
}

static struct group *group_for(struct groups *gs, enum group_policy policy, const struct path *p)
{
	struct group *g;

	for (unsigned i = 0; i < gs->n; i++) {
		g = &gs->g[i];
		if (group_fits(policy, g->paths[0], p))
			return g;
	}
	if (gs->n == GROUPS_MAX)
		return &gs->g[GROUPS_MAX - 1];
	g = &gs->g[gs->n++];
	g->npaths = g->nusable = g->ngood = 0;
	g->prio = 0;
	return g;
}

static void group_rank(struct group *g)
{
	bool first = true;

	g->nusable = g->ngood = 0;
	for (unsigned i = 0; i < g->npaths; i++) {
		g->nusable += path_is_usable(g->paths[i]);
		g->ngood += path_is_good(g->paths[i]);
	}
	for (unsigned i = 0; i < g->npaths; i++) {
		if (g->nusable && !path_is_usable(g->paths[i]))
			continue;
		if (g->ngood && !path_is_good(g->paths[i]))
			continue;
		if (first || (int)g->paths[i]->prio > g->prio)
			g->prio = (int)g->paths[i]->prio;
		first = false;
	}
}

static bool group_better(const struct group *a, const struct group *b)
{
	if (!a->ngood != !b->ngood)
		return a->ngood > 0;
	if (!a->nusable != !b->nusable)
		return a->nusable > 0;
	if (a->prio != b->prio)
		return a->prio > b->prio;
	return a->nusable > b->nusable;
}

/* Stable insertion sort of group indexes: at most GROUPS_MAX, and only when paths change. */
static void groups_sort(struct groups *gs)
{
	for (unsigned i = 1; i < gs->n; i++)
		for (unsigned j = i; j > 0 && group_better(&gs->g[j], &gs->g[j - 1]); j--) {
			struct group tmp = gs->g[j];

			gs->g[j] = gs->g[j - 1];
			gs->g[j - 1] = tmp;
		}
}

void groups_choose(struct groups *gs, int to)
{
	const struct group *g = to >= 0 ? &gs->g[to] : NULL;

	gs->current = to;
	gs->leader = NULL;
	for (unsigned i = 0; g && i < g->npaths && !gs->leader; i++)
		if (path_is_usable(g->paths[i]))
			gs->leader = g->paths[i];
}

/* Of @paths the one that stands for the current group: its leader, else the first that was in it
 * and is usable. Members are compared with @paths, they may be gone. */
static const struct path *groups_heir(const struct groups *gs, struct path **paths, unsigned n)
{
	const struct group *old = &gs->g[gs->current];

	for (unsigned i = 0; i < n; i++)
		if (paths[i] == gs->leader && path_is_usable(paths[i]))
			return paths[i];
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < old->npaths; j++)
			if (paths[i] == old->paths[j] && path_is_usable(paths[i]))
				return paths[i];
	return NULL;
}

void groups_build(struct groups *gs, enum group_policy policy, struct path **paths, unsigned n)
{
	const struct path *heir = gs->current >= 0 ? groups_heir(gs, paths, n) : NULL;

	gs->n = 0;
	for (unsigned i = 0; i < n; i++) {
		struct group *g = group_for(gs, policy, paths[i]);

		assert(g->npaths < PATHS_MAX);
		g->paths[g->npaths++] = paths[i];
	}
	for (unsigned i = 0; i < gs->n; i++)
		group_rank(&gs->g[i]);
	groups_sort(gs);
	for (unsigned i = 0; i < gs->n; i++)
		for (unsigned j = 0; j < gs->g[i].npaths; j++)
			gs->g[i].paths[j]->group = i;
	groups_choose(gs, heir ? (int)heir->group : -1);
	if (heir)
		gs->leader = heir;
}

int groups_best(const struct groups *gs)
{
	return gs->n && gs->g[0].nusable ? 0 : -1;
}
