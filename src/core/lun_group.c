/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_group.c - which group of paths carries the I/O: the best, one that was
 * chosen by hand, or still the last, until a better one takes over (failback).
 * How groups are made and ranked is group.c's.
 *
 * There is no hurry to come back: the paths of the better group have been idle,
 * perhaps for days, so each that has not passed a full check of late is checked
 * first, and meanwhile the other group goes on.  A group that has lost its last
 * path is left at once: what is usable then was checked within identity_ns.
 */
#include "core/lun_priv.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

static void lun_tell_group(struct lun *lun, int to)
{
	char is[16], cause[80];

	if (to < 0)
		return; /* the LUN's own event tells */
	snprintf(is, sizeof(is), "%d", to);
	snprintf(cause, sizeof(cause), "priority %d, %u paths usable", lun->groups.g[to].prio,
		 lun->groups.g[to].nusable);
	/* The number that the old one has now would tell nothing. */
	lun_event(lun, EVENT_GROUP, "", "", is, cause);
}

static void lun_switch_group(struct lun *lun, int to)
{
	struct groups *gs = &lun->groups;

	lun->by_hand = lun->failing_back = false;
	if (gs->current == to)
		return;
	lun_tell_group(lun, to);
	groups_choose(gs, to);
	ready_forget(lun);
	if (to >= 0 && gs->n > 1)
		log_notice("group %d (priority %d, %u paths usable) carries the I/O now", to,
			   gs->g[to].prio, gs->g[to].nusable);
}

/* Those that are not are asked. One with an overdue command cannot be, and is not worth it now. */
static bool group_is_fresh(const struct group *g)
{
	bool fresh = true;

	for (unsigned i = 0; i < g->npaths; i++) {
		struct path *p = g->paths[i];

		if (!path_is_usable(p) || probe_is_fresh(p))
			continue;
		probe_refresh(p);
		fresh = false;
	}
	return fresh;
}

/* At once, or when the checks that are still needed have ended, each of which comes back to
 * lun_choose_group(). */
static void lun_switch_if_fresh(struct lun *lun, int to)
{
	if (fault_strikes(PLANT_FAILBACK_BLIND) || group_is_fresh(&lun->groups.g[to]))
		lun_switch_group(lun, to);
}

/* It is decided, and stays so while the checks run. */
static void lun_fail_back(struct lun *lun, int to)
{
	lun->failing_back = true;
	lun_switch_if_fresh(lun, to);
}

void lun_failback_due(struct loop_timer *t)
{
	struct lun *lun = container_of(t, struct lun, failback_timer);
	int best = groups_best(&lun->groups);

	if (best >= 0)
		lun_fail_back(lun, best);
	lun_notify(lun);
	lun_dirty(lun);
}

struct path_news lun_path_news(const struct path *p)
{
	struct path_news news = { .path = p };

	if (p && path_is_usable(p)) {
		news.came = !p->was_usable;
		news.rose = news.came || p->prio > p->was_prio;
	}
	return news;
}

void lun_choose_group(struct lun *lun, struct path_news news)
{
	struct groups *gs = &lun->groups;
	int best = groups_best(gs);

	if (best == gs->current || gs->current < 0) {
		loop_timer_stop(lun->loop, &lun->failback_timer);
		lun_switch_group(lun, best);
		return;
	}
	/* Marginal paths are used while there is nothing better that is known to be the LUN. This is
	 * no failback: if they are good again before that is known, the policy says what to do. */
	if (lun->failing_back || (!gs->g[gs->current].ngood && gs->g[best].ngood)) {
		lun_switch_if_fresh(lun, best);
		return;
	}
	switch (lun->par.failback) {
	case FAILBACK_IMMEDIATE:
		if (!lun->by_hand || (news.rose && (int)news.path->group < gs->current))
			lun_fail_back(lun, best);
		return;
	case FAILBACK_AFTER:
		if (!loop_timer_running(&lun->failback_timer))
			loop_timer_in(lun->loop, &lun->failback_timer, lun->par.failback_ns);
		return;
	case FAILBACK_FOLLOWOVER:
		if (news.came && (int)news.path->group == best && gs->g[best].nusable == 1)
			lun_fail_back(lun, best);
		return;
	case FAILBACK_MANUAL:
	case FAILBACK_NR:
		return;
	}
}

int lun_use_group(struct lun *lun, unsigned i)
{
	struct groups *gs = &lun->groups;

	if (i >= gs->n)
		return -EINVAL;
	if (!gs->g[i].nusable)
		return -ENETDOWN;
	lun_switch_group(lun, (int)i);
	loop_timer_stop(lun->loop, &lun->failback_timer);
	lun->by_hand = (int)i != groups_best(gs);
	lun_choose_group(lun, lun_path_news(NULL));
	lun_notify(lun);
	lun_dirty(lun);
	return 0;
}
