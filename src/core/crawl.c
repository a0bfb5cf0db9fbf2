/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crawl.c - does a path take longer than the others of its group do?
 *
 * It crawls when the mean service time of CRAWL_SAMPLES commands is CRAWL_TIMES that
 * of the best other path, twice in a row.
 *
 * Where commands wait in line, what is a few milliseconds longer on its way is soon
 * no such multiple, and yet each command that goes there is later than all others.
 * But so are those of a path of less bandwidth, which is worth its while.  When even
 * the quickest of a path takes longer than the slowest of the best, twice in a row,
 * the two are told apart by a trial: for a few commands it gets one at a time.
 *
 * A trial ends with these commands, when there is no other good path in the group,
 * when the path is no good one any more, and after TRIAL_NS.
 *
 * What follows from it is decided in health.c.
 */
#include "core/lun_priv.h"

#include <stdio.h>

#define CRAWL_SAMPLES 64u /* READs and WRITEs of which a mean is made */
#define CRAWL_TIMES 8u
#define CRAWL_ROW 2u /* in a row: one may be a hiccup */
#define CRAWL_MIN_NS (2 * NS_PER_MS) /* quicker than that is no crawl */
#define TRIAL_COMMANDS 8u /* READs and WRITEs, one at a time */
#define TRIAL_NS (10 * NS_PER_SEC)

static uint64_t now_ns(const struct path *p)
{
	return loop_now_ns(p->lun->loop);
}

/* --- the others --- */

/* The other good path of its group with the smallest mean; NULL: there is none of late. */
static const struct path_crawl *best_other(const struct path *p)
{
	const struct group *g = &p->lun->groups.g[p->group];
	const struct path_crawl *best = NULL;
	uint64_t now = now_ns(p);

	for (unsigned i = 0; i < g->npaths; i++) {
		const struct path *q = g->paths[i];

		if (q == p || q->state != PATH_ACTIVE || !q->crawl.mean_ns ||
		    now - q->crawl.ended_ns >= p->lun->par.err_sample_ns)
			continue;
		if (!best || q->crawl.mean_ns < best->mean_ns)
			best = &q->crawl;
	}
	return best;
}

/*
 * Half as long again: the slowest of a few dozen is not the slowest of all.  And the other's are of the same time: the
 * slowest of small commands says nothing about large ones.
 */
static bool is_later(const struct path_crawl *c, uint64_t least_ns, const struct path_crawl *best)
{
	return best && best->ended_ns >= c->began_ns[1] && least_ns >= CRAWL_MIN_NS &&
	       least_ns / 3 > best->longest_ns / 2;
}

/* --- trials --- */

bool crawl_on_trial(const struct path *p)
{
	return p->crawl.trial_ns != 0;
}

static unsigned group_good(const struct path *p, bool *on_trial)
{
	const struct group *g = &p->lun->groups.g[p->group];
	unsigned n = 0;

	*on_trial = false;
	for (unsigned i = 0; i < g->npaths; i++) {
		n += g->paths[i]->state == PATH_ACTIVE;
		*on_trial |= crawl_on_trial(g->paths[i]) && now_ns(p) - g->paths[i]->crawl.trial_ns < TRIAL_NS;
	}
	return n;
}

/* Its depth is another one, so who waits for room is to look again. */
static void trial_set(struct path *p, uint64_t since_ns)
{
	p->crawl.trial_ns = since_ns;
	p->crawl.trial_n = 0;
	lun_update_limits(p->lun);
	lun_dirty(p->lun);
}

static void trial_start(struct path *p)
{
	uint64_t now = now_ns(p);
	bool on_trial;

	if (now < p->crawl.excused_ns || p->state != PATH_ACTIVE || group_good(p, &on_trial) < 2 || on_trial)
		return;
	log_info("%s: its commands take long; it gets one at a time now", p->name);
	trial_set(p, MAX(now, 1));
}

void crawl_review(struct path *p)
{
	bool on_trial;

	if (crawl_on_trial(p) && (p->state != PATH_ACTIVE || group_good(p, &on_trial) < 2))
		p->crawl.trial_ns = 0;
}

void crawl_forget(struct path *p)
{
	struct path_crawl *c = &p->crawl;
	bool was_on_trial = crawl_on_trial(p);

	*c = (struct path_crawl){ 0 };
	if (was_on_trial)
		trial_set(p, 0);
}

/* @took_ns: of a command that had the path for itself, unless it had been sent before, or in the same turn. */
static bool trial_fails(struct path *p, const struct cmd *cmd, uint64_t took_ns)
{
	struct path_crawl *c = &p->crawl;
	const struct path_crawl *best;

	if (cmd->sent_ns <= c->trial_ns)
		return false;
	c->trial_least_ns = c->trial_n ? MIN(c->trial_least_ns, took_ns) : took_ns;
	if (++c->trial_n < TRIAL_COMMANDS)
		return false;
	trial_set(p, 0);
	best = best_other(p);
	if (best)
		c->excused_ns = now_ns(p) + p->lun->par.marginal_ns;
	if (!is_later(c, c->trial_least_ns, best))
		return false;
	snprintf(p->health.why, sizeof(p->health.why), "a command alone takes %llu us, the slowest of another path %llu us",
		 (unsigned long long)(c->trial_least_ns / 1000), (unsigned long long)(best->longest_ns / 1000));
	return true;
}

/* --- samples --- */

static bool sample_ended(struct path *p)
{
	struct path_crawl *c = &p->crawl;
	const struct path_crawl *best = best_other(p);
	bool crawls = best && c->mean_ns >= CRAWL_MIN_NS && c->mean_ns / CRAWL_TIMES > best->mean_ns;

	c->ncrawls = crawls ? c->ncrawls + 1 : 0;
	c->nlater = is_later(c, c->least_ns, best) ? c->nlater + 1 : 0;
	if (c->ncrawls < CRAWL_ROW) {
		if (c->nlater >= CRAWL_ROW)
			trial_start(p);
		return false;
	}
	snprintf(p->health.why, sizeof(p->health.why), "its commands take %llu us, those of another path %llu us",
		 (unsigned long long)(c->mean_ns / 1000), (unsigned long long)(best->mean_ns / 1000));
	return true;
}

static bool sample_add(struct path *p, uint64_t took_ns)
{
	struct path_crawl *c = &p->crawl;

	if (!c->n) {
		c->began_ns[1] = c->began_ns[0];
		c->began_ns[0] = p->lun->now_ns;
		c->sum_ns = c->most_ns = 0;
		c->least_ns = UINT64_MAX;
	}
	c->sum_ns += took_ns;
	c->least_ns = MIN(c->least_ns, took_ns);
	c->most_ns = MAX(c->most_ns, took_ns);
	if (++c->n < CRAWL_SAMPLES)
		return false;
	c->mean_ns = c->sum_ns / c->n;
	c->longest_ns = c->most_ns;
	c->ended_ns = p->lun->now_ns;
	c->n = 0;
	return sample_ended(p);
}

bool crawl_ended(struct path *p, const struct cmd *cmd, bool good)
{
	struct path_crawl *c = &p->crawl;
	uint64_t took = MIN(p->lun->now_ns - cmd->sent_ns, 3600 * NS_PER_SEC);

	if (!p->lun->par.err_rate || (c->trial_ns && now_ns(p) - c->trial_ns >= TRIAL_NS)) {
		if (crawl_on_trial(p))
			trial_set(p, 0);
		return false;
	}
	if (!good || (cmd->op != CMD_READ && cmd->op != CMD_WRITE))
		return false;
	return crawl_on_trial(p) ? trial_fails(p, cmd, took) : sample_add(p, took);
}
