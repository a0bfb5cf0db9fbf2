/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_group.c - which group of paths carries the I/O, and when a better one
 * takes over (failback).  How groups are made and ranked is group.c's.
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

	lun->by_hand = false;
	if (gs->current == to)
		return;
	lun_tell_group(lun, to);
	groups_choose(gs, to);
	if (to >= 0 && gs->n > 1)
		log_notice("group %d (priority %d, %u paths usable) carries the I/O now", to,
			   gs->g[to].prio, gs->g[to].nusable);
}

void lun_failback_due(struct loop_timer *t)
{
	struct lun *lun = container_of(t, struct lun, failback_timer);

	lun_switch_group(lun, groups_best(&lun->groups));
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
	/* Marginal paths are used while there is nothing better, and not for a moment longer. */
	if (!gs->g[gs->current].ngood && gs->g[best].ngood) {
		lun_switch_group(lun, best);
		return;
	}
	switch (lun->par.failback) {
	case FAILBACK_IMMEDIATE:
		if (!lun->by_hand || (news.rose && (int)news.path->group < gs->current))
			lun_switch_group(lun, best);
		return;
	case FAILBACK_AFTER:
		if (!loop_timer_running(&lun->failback_timer))
			loop_timer_in(lun->loop, &lun->failback_timer, lun->par.failback_ns);
		return;
	case FAILBACK_FOLLOWOVER:
		if (news.came && (int)news.path->group == best && gs->g[best].nusable == 1)
			lun_switch_group(lun, best);
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
