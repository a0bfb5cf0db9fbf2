/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.c - the account of one host adapter: the commands of this LUN that are
 * in flight over all paths through it.
 *
 * An adapter has so many tags for everything behind it; whoever takes the last
 * one makes the next writer to an sg file sleep.  So the paths of one adapter
 * share a cap below its tags, whatever each of them may take.
 */
#include "core/lun_priv.h"

#include <assert.h>

static struct host *host_for(struct lun *lun, int number)
{
	struct host *free_one = NULL;

	for (unsigned i = 0; i < PATHS_MAX; i++) {
		struct host *h = &lun->hosts[i];

		if (h->npaths && h->number == number)
			return h;
		if (!h->npaths && !free_one)
			free_one = h;
	}
	assert(free_one); /* there are at most as many hosts as paths */
	*free_one = (struct host){ .number = number };
	return free_one;
}

void host_leave(struct path *p)
{
	if (!p->adapter)
		return;
	assert(!p->inflight && p->adapter->npaths > 0);
	p->adapter->npaths--;
	p->adapter = NULL;
}

void host_join(struct path *p)
{
	/* A device that was found anew may be at another one. */
	if (p->inflight || (p->adapter && p->adapter->number == p->host))
		return;
	host_leave(p);
	if (p->host < 0)
		return;
	p->adapter = host_for(p->lun, p->host);
	p->adapter->npaths++;
}

/* A quarter of the tags is left to other LUNs, and to the kernel; and one for each path, since
 * checks take tags, too. */
static unsigned host_cap(const struct lun *lun, const struct host *h, unsigned tags)
{
	unsigned cap = lun->par.host_depth, rest;

	if (!tags)
		return cap;
	rest = tags - MIN(tags, h->npaths);
	if (!cap)
		cap = tags - tags / 4;
	return MAX(MIN(cap, rest), 1u);
}

void host_update(struct lun *lun)
{
	struct path *p;

	TAILQ_FOREACH (p, &lun->paths, link)
		host_join(p);
	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->adapter && p->info_valid)
			p->adapter->depth = host_cap(lun, p->adapter, p->info.host_tags);
}
