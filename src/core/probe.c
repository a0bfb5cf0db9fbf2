/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.c - when a path is checked, and what the answer makes of it.
 *
 * A healthy path is checked less and less often (polling_interval doubling to
 * max_polling_interval), any other every polling_interval.  A path carries
 * data only after a full check: identity, size, access state.  Every
 * identity_ns one more is made beside data: who exchanges a LUN under its paths
 * need not tell us, and what tells us may be taken by others.
 */
#include "core/lun_priv.h"

#include "base/prng.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* @doubt: no data until it has ended. */
static void probe_start(struct path *p, bool full, bool doubt)
{
	assert(!p->probe_running && p->state != PATH_GONE && p->state != PATH_DISABLED);
	loop_timer_stop(p->lun->loop, &p->probe_timer);
	p->probe_running = true;
	p->probe_again = p->probe_again_full = p->probe_refresh = false;
	p->probe_full = full;
	p->probe_began_ns = loop_now_ns(p->lun->loop);
	p->stats.checks++;
	if (p->state == PATH_FOUND || (doubt && path_is_usable(p)))
		path_event(p, PEV_CHECK, "checking what it is");
	p->ops->check(p, full);
}

static void probe_due(struct loop_timer *t)
{
	struct path *p = container_of(t, struct path, probe_timer);
	bool doubt = p->probe_again_full;
	bool full = doubt || p->probe_refresh || !path_is_usable(p) ||
		    loop_now_ns(p->lun->loop) >= p->identity_due_ns;

	/* A check might hang as well, or stop the process at a host without a tag. */
	if (p->overdue)
		return; /* overdue_cmd_ended() comes back to it */
	if (!p->probe_running)
		probe_start(p, full, doubt);
}

void probe_init(struct path *p)
{
	loop_timer_init(&p->probe_timer, probe_due);
	p->probe_interval_ns = p->lun->par.polling_interval_ns;
}

void probe_stop(struct path *p)
{
	loop_timer_stop(p->lun->loop, &p->probe_timer);
	p->probe_again = p->probe_again_full = p->probe_refresh = false;
	p->awaited = false;
	cache_path_left(p);
}

void probe_now(struct path *p, bool full)
{
	if (p->state == PATH_GONE || p->state == PATH_DISABLED)
		return;
	/* A suspect path would be used when its commands end, or nothing better is left. */
	if (full && (path_is_usable(p) || p->state == PATH_SUSPECT))
		path_event(p, PEV_CHECK, "its identity may have changed");
	p->probe_again = true;
	p->probe_again_full |= full;
	/* From the loop, not from inside the driver's own call. */
	if (!p->probe_running)
		loop_timer_in(p->lun->loop, &p->probe_timer, 0);
}

void probe_met_doubt(struct path *p, const char *why)
{
	if (p->state == PATH_GONE || p->state == PATH_DISABLED)
		return;
	path_trouble(p);
	if (!p->probe_running) {
		probe_now(p, true);
		return;
	}
	if (path_is_usable(p) || p->state == PATH_SUSPECT)
		path_event(p, PEV_CHECK, why);
	p->probe_full = true;
	p->probe_began_ns = loop_now_ns(p->lun->loop);
}

bool probe_is_fresh(const struct path *p)
{
	return p->identity_ns && loop_now_ns(p->lun->loop) - p->identity_ns < p->lun->par.fresh_ns;
}

void probe_refresh(struct path *p)
{
	if (p->state == PATH_GONE || p->state == PATH_DISABLED || probe_is_fresh(p))
		return;
	if (p->probe_running && p->probe_full)
		return;
	p->probe_again = p->probe_refresh = true;
	if (!p->probe_running)
		loop_timer_in(p->lun->loop, &p->probe_timer, 0);
}

void probe_reenter(struct path *p)
{
	if (p->state != PATH_MARGINAL)
		return;
	p->probe_again = p->probe_again_full = true;
	if (!p->probe_running)
		loop_timer_in(p->lun->loop, &p->probe_timer, 0);
}

void probe_doubt(struct path *p)
{
	if (p->probe_running && !fault_strikes(PLANT_STALE_CHECK))
		p->probe_again = p->probe_again_full = true;
}

/* Up to an eighth more or less, so that the paths of many LUNs do not keep step. */
static uint64_t probe_jitter(const struct path *p, uint64_t interval_ns)
{
	uint64_t x = prng_mix(p->stats.checks * 251 + p->index + (uint64_t)p->host * 65537);

	return interval_ns - interval_ns / 8 + x % (interval_ns / 4 + 1);
}

/* Till the next check, which is not later than who it is has to be asked. */
static uint64_t probe_pause(const struct path *p)
{
	uint64_t pause = probe_jitter(p, p->probe_interval_ns), now = loop_now_ns(p->lun->loop);

	if (!path_is_usable(p))
		return pause;
	if (p->identity_due_ns > now)
		return MIN(pause, p->identity_due_ns - now);
	if (!p->probe_full)
		return 0;
	/* It did not say, or took as long as what it said is good for: not again without a pause. */
	return MIN(pause, probe_jitter(p, p->lun->par.identity_ns));
}

void probe_reschedule(struct path *p)
{
	const struct lun_params *par = &p->lun->par;

	if (p->probe_running || p->state == PATH_GONE || p->state == PATH_DISABLED)
		return;
	if (p->probe_again) {
		loop_timer_in(p->lun->loop, &p->probe_timer, 0);
		return;
	}
	if (p->state != PATH_ACTIVE)
		p->probe_interval_ns = par->polling_interval_ns;
	if (p->state == PATH_TRANSITIONING) /* requests may wait for its end */
		p->probe_interval_ns = MIN(p->probe_interval_ns, NS_PER_SEC);
	loop_timer_in(p->lun->loop, &p->probe_timer, probe_pause(p));
}

static enum path_event probe_event_for(enum access_state a)
{
	switch (a) {
	case ACCESS_ACTIVE:
	case ACCESS_NONOPTIMIZED:
		return PEV_UP;
	case ACCESS_STANDBY:
		return PEV_STANDBY;
	case ACCESS_UNAVAILABLE:
		return PEV_UNAVAILABLE;
	case ACCESS_TRANSITIONING:
		return PEV_TRANSITIONING;
	}
	return PEV_DOWN;
}

/* Not merely down: it answers, and is something else. */
static void probe_quarantine(struct path *p, const char *why)
{
	p->stats.checks_failed++;
	p->quarantined = true;
	path_event(p, PEV_DISABLE, why);
}

/* It is kept out for another reason than before: this is the one to show. */
static void probe_stays(struct path *p, const char *why)
{
	if (strcmp(p->why, why) == 0)
		return;
	snprintf(p->why, sizeof(p->why), "%s", why);
	log_warn("%s: stays %s: %s", p->name, path_state_name(p->state), why);
	lun_notify(p->lun);
}

/* It is the LUN; what is it fit for? */
static void probe_verdict(struct path *p, enum path_event ev, const char *flaw)
{
	if (ev == PEV_UP && flaw && p->state == PATH_MARGINAL)
		probe_stays(p, flaw);
	else if (ev == PEV_UP && flaw)
		path_event(p, PEV_MARGINAL, flaw);
	else if (ev == PEV_UP && health_on_probation(p))
		path_event(p, PEV_MARGINAL, p->health.why);
	else
		path_event(p, ev, access_state_name(p->info.access));
}

/* Good, or with @flaw good enough for when nothing better is left. */
static void probe_good(struct path *p, const struct path_info *info, const char *flaw)
{
	struct lun *lun = p->lun;
	enum path_state was;
	char buf[CAUSE_BYTES];
	const char *mismatch;

	/* Where there is work, that has to prove it. */
	if (path_is_usable(p) && !lun->qd.inflight && !flaw)
		lun_path_proven(lun);
	if (!info) {
		/* A cheap check cannot bring a path back. */
		if (!path_is_usable(p))
			p->probe_again = p->probe_again_full = true;
		return;
	}
	mismatch = lun_stranger(lun, info, buf, sizeof(buf));
	if (mismatch) {
		probe_quarantine(p, mismatch);
		return;
	}
	mismatch = lun_mismatch(lun, info, buf, sizeof(buf));
	if (mismatch) {
		p->stats.checks_failed++;
		p->small_blocks = lun_fewer_blocks(lun, info);
		lun_alarm_shrunk(lun, p, info);
		if (p->state == PATH_FAILED)
			probe_stays(p, mismatch);
		path_event(p, PEV_DOWN, mismatch);
		return;
	}
	p->info = *info;
	p->info_valid = true;
	p->small_blocks = 0;
	p->prio = info->prio;
	if (p->probe_full) {
		p->identity_ns = loop_now_ns(lun->loop);
		p->identity_due_ns = fault_strikes(PLANT_IDENTITY_ONCE)
					     ? NS_NEVER
					     : p->probe_began_ns + probe_jitter(p, lun->par.identity_ns);
	}
	lun_learn(lun, info);
	was = p->state;
	probe_verdict(p, probe_event_for(info->access), flaw);
	/* Only now: a failback that waits for this check must not take what has just been told. */
	if (p->state == was && path_is_usable(p))
		lun_path_changed(lun, p); /* priority or limits may be new */
}

void path_told(struct path *p, unsigned news)
{
	if (!(news & (VF_CACHE | VF_DEFERRED | VF_IDENTITY)))
		return;
	path_trouble(p);
	if (news & VF_DEFERRED)
		cache_suspect(p->lun, p, true, "its check met a deferred error");
	else if (news & VF_CACHE)
		cache_suspect(p->lun, p, false, "its check met a unit attention");
}

void path_checked(struct path *p, enum check_result result, const struct path_info *info, const char *why)
{
	const struct lun_params *par = &p->lun->par;

	assert(p->probe_running);
	p->probe_running = false;
	p->awaited &= p->probe_again_full; /* the one that asks is still to come */
	/* Before the first one nobody knows what others were told. */
	if (info && (!p->info_valid || info->unexplained > p->info.unexplained))
		path_trouble(p);
	if (p->state == PATH_GONE || p->state == PATH_DISABLED)
		return;
	if ((result == CHECK_OK || result == CHECK_MARGINAL) && inject_fails_check(p)) {
		result = CHECK_DOWN;
		why = "test fault: its check fails";
	}
	switch (result) {
	case CHECK_OK:
		/* A doubt that came up while it ran is not answered by it. */
		if (!p->probe_again_full)
			probe_good(p, info, NULL);
		break;
	case CHECK_MARGINAL:
		assert(info && why);
		p->stats.checks_failed++;
		if (!p->probe_again_full)
			probe_good(p, info, why);
		break;
	case CHECK_DOWN:
		p->stats.checks_failed++;
		path_event(p, PEV_DOWN, why ? why : "does not answer its check");
		break;
	case CHECK_IDENTITY:
		probe_quarantine(p, why ? why : "it is another LUN now");
		return;
	}
	cache_path_checked(p, result == CHECK_OK);
	/* It may be what was waited for, also if it found nothing new. */
	if (!p->lun->nusable)
		lun_path_changed(p->lun, p);
	if (p->state == PATH_ACTIVE && result == CHECK_OK)
		p->probe_interval_ns = MIN(p->probe_interval_ns * 2, par->max_polling_interval_ns);
	probe_reschedule(p);
	lun_trim(p->lun);
}
