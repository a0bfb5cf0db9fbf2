/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * health.c - how far a path is trusted: flapping and failing paths.
 *
 * A path that has failed HEALTH_FLAPS times within flap_window_ns comes back on
 * probation: its checks are good, it is PATH_MARGINAL, and carries data only if
 * nothing better is left.  A probation lasts one polling interval, twice as long
 * with each further failure, and marginal_ns at most; without a failure for
 * flap_window_ns + marginal_ns all is forgotten.
 *
 * Live I/O is the other judge: so many errors in a thousand commands, or commands
 * that take too long (crawl.c), make a path marginal for marginal_ns; then it
 * starts afresh.
 *
 * This decides how long and why; the moves are path.c's, the checks probe.c's.
 */
#include "core/lun_priv.h"

#include <stdio.h>

#define HEALTH_FLAPS 3u
/* Errors count only if they are not a few by chance. */
#define HEALTH_ERRORS_MIN 8u

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
	h->nfails = h->level = h->n = h->errors = 0;
	h->owed_ns = h->until_ns = 0;
	crawl_forget(p);
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
	health_start_sample(p, now_ns(p));
	crawl_forget(p);
	if (p->state != PATH_ACTIVE)
		return;
	health_owe(p, p->lun->par.marginal_ns);
	health_on_probation(p);
	path_event(p, PEV_MARGINAL, p->health.why);
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

void health_io(struct path *p, const struct cmd *cmd)
{
	enum verdict v = cmd->outcome.verdict;
	bool bad;

	if (v == V_CANCELED)
		return;
	bad = health_fails(p, v);
	bad |= crawl_ended(p, cmd, v == V_OK || v == V_OK_INFO);
	if (bad)
		health_demote(p);
}
