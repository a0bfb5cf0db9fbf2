/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * health.c - how far a path is trusted: flapping, failing, crawling.
 *
 * A path that has failed HEALTH_FLAPS times within flap_window_ns comes back on
 * probation: its checks are good, it is PATH_MARGINAL, and carries data only if
 * nothing better is left.  A probation lasts one polling interval, twice as long
 * with each further failure, and marginal_ns at most; without a failure for
 * flap_window_ns + marginal_ns all is forgotten.
 *
 * Live I/O is the other judge: so many errors in a thousand commands, or a mean
 * service time HEALTH_CRAWL times that of the best other path of its group, make a
 * path marginal for marginal_ns; then it starts afresh.
 *
 * Where commands wait in line, what is a few milliseconds longer on its way is soon
 * no such multiple, and yet each command that goes there is later than all others.
 * But so are those of a path of less bandwidth, which is worth its while.  When even
 * the quickest of a path takes longer than the slowest of the best, the two are
 * told apart by a trial: for a few commands it gets one at a time.
 *
 * This decides how long and why; the moves are path.c's, the checks probe.c's.
 */
#include "core/lun_priv.h"

#include <stdio.h>

#define HEALTH_FLAPS 3u
/* Errors count only if they are not a few by chance. */
#define HEALTH_ERRORS_MIN 8u
#define HEALTH_SAMPLES 64u /* READs and WRITEs of which a mean is made */
#define HEALTH_CRAWL 8u
#define HEALTH_CRAWLS 2u /* means in a row: one may be a hiccup */
#define HEALTH_TRIALS 8u /* READs and WRITEs, one at a time */
#define HEALTH_CRAWL_MIN_NS (2 * NS_PER_MS) /* quicker than that is no crawl */

static uint64_t now_ns(const struct path *p)
{
	return loop_now_ns(p->lun->loop);
}

static void health_due(struct loop_timer *t)
{
	probe_reenter(container_of(t, struct path, health.timer));
}

void health_init(struct path *p)
{
	loop_timer_init(&p->health.timer, health_due);
}

void health_stop(struct path *p)
{
	loop_timer_stop(p->lun->loop, &p->health.timer);
}

void health_forgive(struct path *p)
{
	struct path_health *h = &p->health;

	health_stop(p);
	h->nfails = h->level = h->n = h->errors = h->lat_n = h->ncrawls = 0;
	h->owed_ns = h->until_ns = h->trial_ns = h->excused_ns = 0;
}

/* The next probation is at least so long; it starts when the path answers again. */
static void health_owe(struct path *p, uint64_t ns)
{
	p->health.owed_ns = MAX(p->health.owed_ns, ns);
}

void health_failed(struct path *p)
{
	const struct lun_params *par = &p->lun->par;
	struct path_health *h = &p->health;
	uint64_t now = now_ns(p), quiet_since = MAX(h->failed_ns, h->until_ns), ns;

	if (!par->flap_window_ns || !p->info_valid)
		return;
	if (now > quiet_since && now - quiet_since >= par->flap_window_ns + par->marginal_ns)
		h->level = 0;
	if (!h->nfails || now - h->first_fail_ns >= par->flap_window_ns) {
		h->nfails = 0;
		h->first_fail_ns = now;
	}
	h->failed_ns = now;
	h->until_ns = 0;
	health_stop(p);
	if (++h->nfails < HEALTH_FLAPS && !h->level)
		return;
	ns = par->polling_interval_ns;
	for (unsigned i = 0; i < h->level && ns < par->marginal_ns; i++)
		ns *= 2;
	h->level++;
	health_owe(p, MIN(ns, par->marginal_ns));
	snprintf(h->why, sizeof(h->why), "it fails again and again");
}

void health_distrust(struct path *p)
{
	health_owe(p, p->lun->par.marginal_ns);
	snprintf(p->health.why, sizeof(p->health.why), "its transport is marginal");
}

bool health_on_probation(struct path *p)
{
	struct path_health *h = &p->health;
	uint64_t now = now_ns(p);

	if (h->owed_ns) {
		h->until_ns = now + h->owed_ns;
		h->owed_ns = 0;
		loop_timer_at(p->lun->loop, &h->timer, h->until_ns);
	}
	return h->until_ns > now;
}

uint64_t health_left_ns(const struct path *p)
{
	uint64_t now = now_ns(p);

	return p->state == PATH_MARGINAL && p->health.until_ns > now ? p->health.until_ns - now : 0;
}

/* --- live I/O -------------------------------------------------------------------------- */

static void health_start_sample(struct path *p, uint64_t now)
{
	struct path_health *h = &p->health;

	h->n = h->errors = 0;
	h->sample_ns = now;
}

static void health_demote(struct path *p)
{
	struct path_health *h = &p->health;

	health_start_sample(p, now_ns(p));
	h->lat_n = h->ncrawls = 0;
	h->lat_mean_ns = h->trial_ns = 0;
	if (p->state != PATH_ACTIVE)
		return;
	health_owe(p, p->lun->par.marginal_ns);
	health_on_probation(p);
	path_event(p, PEV_MARGINAL, h->why);
}

static bool is_error(enum verdict v)
{
	return v == V_SAME || v == V_OTHER || v == V_FAIL;
}

static bool health_fails(struct path *p, enum verdict v)
{
	const struct lun_params *par = &p->lun->par;
	struct path_health *h = &p->health;
	uint64_t now = now_ns(p);

	if (!h->n || now - h->sample_ns >= par->err_sample_ns)
		health_start_sample(p, now);
	h->n++;
	h->errors += is_error(v);
	if (!par->err_rate || h->errors < HEALTH_ERRORS_MIN ||
	    h->errors * 1000ull < h->n * (uint64_t)par->err_rate)
		return false;
	snprintf(h->why, sizeof(h->why), "%u of its last %u commands have failed", h->errors, h->n);
	return true;
}

/* The other good path of its group with the smallest mean; NULL: there is none of late. */
static const struct path_health *health_best(const struct path *p)
{
	const struct group *g = &p->lun->groups.g[p->group];
	const struct path_health *best = NULL;
	uint64_t now = now_ns(p);

	for (unsigned i = 0; i < g->npaths; i++) {
		const struct path *q = g->paths[i];

		if (q == p || q->state != PATH_ACTIVE || !q->health.lat_mean_ns ||
		    now - q->health.lat_ns >= p->lun->par.err_sample_ns)
			continue;
		if (!best || q->health.lat_mean_ns < best->lat_mean_ns)
			best = &q->health;
	}
	return best;
}

/* Half as long again: the slowest of a few dozen is not the slowest of all. */
static bool is_later(uint64_t least_ns, const struct path_health *best)
{
	return best && least_ns >= HEALTH_CRAWL_MIN_NS && least_ns / 3 > best->lat_longest_ns / 2;
}

/* --- trials --- */

bool health_on_trial(const struct path *p)
{
	return p->health.trial_ns && p->state == PATH_ACTIVE;
}

static bool is_any_on_trial(const struct path *p)
{
	const struct group *g = &p->lun->groups.g[p->group];

	for (unsigned i = 0; i < g->npaths; i++)
		if (health_on_trial(g->paths[i]))
			return true;
	return false;
}

static void trial_set(struct path *p, uint64_t since_ns)
{
	p->health.trial_ns = since_ns;
	p->health.trial_n = 0;
	lun_update_limits(p->lun);
}

static void trial_start(struct path *p)
{
	uint64_t now = now_ns(p);

	if (now < p->health.excused_ns || p->state != PATH_ACTIVE || is_any_on_trial(p))
		return;
	log_info("%s: its commands take long; it gets one at a time now", p->name);
	trial_set(p, MAX(now, 1));
}

/* @took_ns: of a command that had the path for itself, unless it had been sent before. */
static bool trial_fails(struct path *p, const struct cmd *cmd, uint64_t took_ns)
{
	struct path_health *h = &p->health;
	const struct path_health *best;

	if (cmd->sent_ns < h->trial_ns)
		return false;
	h->trial_least_ns = h->trial_n ? MIN(h->trial_least_ns, took_ns) : took_ns;
	if (++h->trial_n < HEALTH_TRIALS)
		return false;
	h->excused_ns = now_ns(p) + p->lun->par.marginal_ns;
	trial_set(p, 0);
	best = health_best(p);
	if (!is_later(h->trial_least_ns, best))
		return false;
	snprintf(h->why, sizeof(h->why), "a command alone takes %llu us, the slowest of another path %llu us",
		 (unsigned long long)(h->trial_least_ns / 1000), (unsigned long long)(best->lat_longest_ns / 1000));
	return true;
}

/* --- samples --- */

static bool sample_crawls(struct path *p)
{
	struct path_health *h = &p->health;
	const struct path_health *best = health_best(p);
	bool crawls = best && h->lat_mean_ns >= HEALTH_CRAWL_MIN_NS &&
		      h->lat_mean_ns / HEALTH_CRAWL > best->lat_mean_ns;

	if (!p->lun->par.err_rate || (!crawls && !is_later(h->lat_least_ns, best))) {
		h->ncrawls = 0;
		return false;
	}
	if (++h->ncrawls < HEALTH_CRAWLS)
		return false;
	if (!crawls) {
		trial_start(p);
		return false;
	}
	snprintf(h->why, sizeof(h->why), "its commands take %llu us, those of another path %llu us",
		 (unsigned long long)(h->lat_mean_ns / 1000), (unsigned long long)(best->lat_mean_ns / 1000));
	return true;
}

static bool health_crawls(struct path *p, const struct cmd *cmd)
{
	struct path_health *h = &p->health;
	uint64_t took = MIN(p->lun->now_ns - cmd->sent_ns, 3600 * NS_PER_SEC);

	if (cmd->op != CMD_READ && cmd->op != CMD_WRITE)
		return false;
	if (h->trial_ns)
		return trial_fails(p, cmd, took);
	h->lat_sum_ns = (h->lat_n ? h->lat_sum_ns : 0) + took;
	h->lat_least_ns = h->lat_n ? MIN(h->lat_least_ns, took) : took;
	h->lat_most_ns = h->lat_n ? MAX(h->lat_most_ns, took) : took;
	if (++h->lat_n < HEALTH_SAMPLES)
		return false;
	h->lat_mean_ns = h->lat_sum_ns / h->lat_n;
	h->lat_longest_ns = h->lat_most_ns;
	h->lat_ns = p->lun->now_ns;
	h->lat_n = 0;
	return sample_crawls(p);
}

void health_io(struct path *p, const struct cmd *cmd)
{
	enum verdict v = cmd->outcome.verdict;
	bool bad;

	if (v == V_CANCELED)
		return;
	bad = health_fails(p, v);
	if (v == V_OK || v == V_OK_INFO)
		bad |= health_crawls(p, cmd);
	if (bad)
		health_demote(p);
}
