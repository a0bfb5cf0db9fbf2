/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nemesis.c - see nemesis.h. */
#include "nemesis.h"

#include "world.h"

#include "cover.h"
#include "sg_kernel.h"

#include "base/units.h"

#include <assert.h>
#include <string.h>

static struct nexus *nexus_of(struct nemesis *ne, unsigned i)
{
	return &ne->w->array.nexus[i];
}

/* As an administrator would who knows that it is all right now. */
static void take_back(struct lun *lun, struct path *p)
{
	if (lun_reinstate_path(lun, p) < 0)
		lun_accept_path(lun, p);
}

static void do_admin(struct nexus *n)
{
	struct lun *lun = n->w->lun;

	if (!n->path)
		return;
	if (n->admin_failed) {
		n->admin_failed = false;
		nexus_doubt(n, "it was reinstated", true);
		take_back(lun, n->path);
	} else {
		n->admin_failed = true;
		nexus_doubt(n, "the administrator failed it", true);
		lun_fail_path(lun, n->path);
	}
}

/* A LUN knows itself by its first path (a driver compares that with the configured WWID, a model does
 * not): it may not be led astray before it has one. */
static bool lun_is_known(const struct world *w)
{
	struct lun_geometry g;

	return lun_geometry(w->lun, &g);
}

static void do_hang_up(struct nexus *n, const char *why)
{
	if (n->w->opt->sg) {
		sgk_hang_up(n);
		return;
	}
	nexus_doubt(n, why, true);
	path_lost(n->path, "hang-up");
}

static void do_remove(struct nexus *n)
{
	if (!n->path || n->removing || n->w->stop_asked)
		return;
	n->removing = true;
	nexus_doubt(n, "it was removed", true);
	lun_remove_path(n->w->lun, n->path, "the nemesis took it");
}

static void do_limits(struct nexus *n, struct prng *r)
{
	n->info.max_blocks = draw_pct(r, 50) ? 0 : (uint32_t)draw(r, 1, 64);
	n->info.max_segs = draw_pct(r, 50) ? 0 : (uint32_t)draw(r, 1, 8);
	n->info.max_zero_blocks = draw_pct(r, 50) ? 0 : (uint32_t)draw(r, 1, 64);
	n->info.caps ^= (unsigned)prng_u64(r) & (PATH_CAP_FUA | PATH_CAP_WRITE_ZEROES);
	n->info.prio = (unsigned)draw(r, 1, 3) * 10;
	if (n->path && !n->admin_failed && draw_pct(r, 50))
		take_back(n->w->lun, n->path); /* a check is asked for */
}

/* The path leads elsewhere from now on; the device tells whoever asks next. */
static void do_turn(struct nexus *n, bool lun, bool size)
{
	n->other_lun = lun;
	n->other_size = size;
	n->attention = true;
}

/* As above, but nobody tells. */
static void do_stranger(struct nexus *n)
{
	n->stranger = true;
	n->stranger_ns = world_now_ns(n->w);
}

static void do_set(struct world *w, struct prng *r)
{
	if (draw_pct(r, 50)) {
		unsigned was = w->cfg.par.depth;

		w->cfg.par.depth = (unsigned)draw(r, 1, 64);
		lun_set_depth(w->lun, w->cfg.par.depth);
		w->depth_lowered |= !was || w->cfg.par.depth < was;
		/* It takes no more than it has commands for. */
		w->cfg.par.depth = lun_params(w->lun)->depth;
	} else {
		lun_set_selector(w->lun, (enum sel_kind)draw(r, 0, SEL_NR - 1));
	}
}

static void hog_end(struct loop_timer *t)
{
	struct nemesis *ne = container_of(t, struct nemesis, hog_timer);

	loop_timer_stop(ne->w->loop, t); /* also called early, by nemesis_end() */
	for (unsigned i = 0; i < ARRAY_SIZE(ne->hogs); i++) {
		if (ne->hogs[i])
			lun_req_put(ne->hogs[i]);
		ne->hogs[i] = NULL;
	}
}

static void do_hog(struct nemesis *ne)
{
	struct prng *r = &ne->prng;

	if (loop_timer_running(&ne->hog_timer))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(ne->hogs); i++)
		ne->hogs[i] = lun_req_get(ne->w->lun, REQ_BYTES_MAX >> draw(r, 0, 2));
	loop_timer_in(ne->w->loop, &ne->hog_timer, draw(r, 1, 100) * NS_PER_MS);
}

static void do_path(struct nemesis *ne, enum sim_fault f, struct nexus *n)
{
	struct prng *r = &ne->prng;
	uint64_t for_ns = draw(r, 1, draw_pct(r, 70) ? 300 : 8000) * NS_PER_MS;

	switch (f) {
	case SF_DIE:
		n->down = true;
		if (n->path && draw_pct(r, 30))
			do_hang_up(n, "its device went away");
		break;
	case SF_HANG:
		n->hang = true;
		break;
	case SF_HUP:
		if (n->path)
			do_hang_up(n, "its device hung up");
		break;
	case SF_ALUA:
		n->access = (enum access_state)draw(r, ACCESS_ACTIVE, ACCESS_TRANSITIONING);
		break;
	case SF_ADMIN:
		do_admin(n);
		break;
	case SF_REMOVE:
		do_remove(n);
		break;
	case SF_SWAP:
	case SF_RESIZE:
		if (lun_is_known(ne->w))
			do_turn(n, f == SF_SWAP, f == SF_RESIZE);
		break;
	case SF_STRANGER:
		if (lun_is_known(ne->w))
			do_stranger(n);
		for_ns += 2 * ne->w->cfg.par.identity_ns;
		break;
	case SF_CHECK:
		n->check_bad = true;
		break;
	case SF_LIMITS:
		do_limits(n, r);
		break;
	default:
		return;
	}
	if (!loop_timer_running(&n->undo))
		loop_timer_in(ne->w->loop, &n->undo, for_ns);
}

/* The path is as it was; where core cannot find that out by itself it is told as by an administrator. */
static void path_heal(struct nexus *n)
{
	bool turned = n->other_lun || n->other_size;

	n->down = n->hang = n->check_bad = n->stranger = false;
	if (n->w->opt->sg)
		sgk_heal(n);
	if (turned)
		do_turn(n, false, false);
	n->access = n->cfg->info.access;
	if (!n->path) {
		nexus_add(n);
		return;
	}
	if (n->removing)
		return;
	if (n->w->opt->sg && sgk_renamed(n)) {
		n->w->dropped_step = n->w->steps;
		do_remove(n);
		return;
	}
	if (n->admin_failed || n->path->state == PATH_DISABLED) {
		n->admin_failed = false;
		nexus_doubt(n, "it was reinstated", true);
		take_back(n->w->lun, n->path);
	}
}

static void nemesis_undo(struct loop_timer *t)
{
	struct nexus *n = container_of(t, struct nexus, undo);

	world_trace(n->w, WE_NEMESIS, n->id, SF_NR, 0, 0);
	path_heal(n);
}

/* The path that alone has written since the last flush, if there is one: the meanest choice. */
static struct nexus *only_dirty(struct nemesis *ne, struct nexus *otherwise)
{
	struct nexus *found = NULL;

	for (unsigned i = 0; i < ne->w->cfg.npaths; i++) {
		struct nexus *n = nexus_of(ne, i);

		if (!n->path || !n->path->dirty)
			continue;
		if (found)
			return otherwise;
		found = n;
	}
	return found ? found : otherwise;
}

static void nemesis_deed(struct loop_timer *t)
{
	struct nemesis *ne = container_of(t, struct nemesis, deed);
	const struct swarm *cfg = &ne->w->cfg;
	uint64_t pick = prng_below(&ne->prng, ne->total);
	struct nexus *n = nexus_of(ne, (unsigned)prng_below(&ne->prng, cfg->npaths));
	enum sim_fault f = SF_CMD_NR;

	while (pick >= cfg->rate[f])
		pick -= cfg->rate[f++];
	if (ne->provoked)
		f = SF_REMOVE;
	ne->provoked = false;
	if (f == SF_REMOVE)
		n = only_dirty(ne, n);
	world_trace(ne->w, WE_NEMESIS, n->id, f, 0, 0);
	cover_fault(f);
	if (f == SF_DARK)
		for (unsigned i = 0; i < cfg->npaths; i++)
			do_path(ne, SF_DIE, nexus_of(ne, i));
	else if (f == SF_SET)
		do_set(ne->w, &ne->prng);
	else if (f == SF_HOG)
		do_hog(ne);
	else if (f == SF_POWER)
		array_power_loss(&ne->w->array, &ne->prng);
	else if (f == SF_RESET)
		n->reset = true;
	else if (f == SF_RECONNECT)
		client_reconnect(&ne->w->clients, (unsigned)prng_below(&ne->prng, cfg->nclients));
	else
		do_path(ne, f, n);
	loop_timer_in(ne->w->loop, t, cfg->nemesis_ns / 2 + prng_below(&ne->prng, cfg->nemesis_ns));
}

static void nemesis_init_timers(struct nemesis *ne)
{
	loop_timer_init(&ne->deed, nemesis_deed);
	loop_timer_init(&ne->hog_timer, hog_end);
	for (unsigned i = 0; i < ne->w->cfg.npaths; i++)
		loop_timer_init(&nexus_of(ne, i)->undo, nemesis_undo);
}

void nemesis_init(struct nemesis *ne, struct world *w)
{
	*ne = (struct nemesis){ .w = w };
	prng_init(&ne->prng, w->seed, ENT_NEMESIS);
	nemesis_init_timers(ne);
	for (int f = SF_CMD_NR; f < SF_NR; f++)
		ne->total += w->cfg.rate[f];
}

void nemesis_killed(struct nemesis *ne)
{
	memset(ne->hogs, 0, sizeof(ne->hogs));
	ne->provoked = false;
	nemesis_init_timers(ne);
}

void nemesis_resume(struct nemesis *ne)
{
	for (unsigned i = 0; i < ne->w->cfg.npaths; i++)
		loop_timer_in(ne->w->loop, &nexus_of(ne, i)->undo, draw(&ne->prng, 1, 3000) * NS_PER_MS);
	nemesis_start(ne);
}

void nemesis_start(struct nemesis *ne)
{
	if (ne->total)
		loop_timer_in(ne->w->loop, &ne->deed, prng_below(&ne->prng, ne->w->cfg.nemesis_ns));
}

void nemesis_provoke(struct nemesis *ne)
{
	if (!ne->w->cfg.rate[SF_REMOVE] || !loop_timer_running(&ne->deed) || prng_below(&ne->prng, 32))
		return;
	ne->provoked = true;
	loop_timer_in(ne->w->loop, &ne->deed, 0);
}

void nemesis_heal(struct nemesis *ne, int only)
{
	nemesis_end(ne);
	for (unsigned i = 0; i < ne->w->cfg.npaths; i++)
		if (only < 0 || (int)i == only)
			path_heal(nexus_of(ne, i));
}

void nemesis_end(struct nemesis *ne)
{
	hog_end(&ne->hog_timer);
	loop_timer_stop(ne->w->loop, &ne->deed);
	for (unsigned i = 0; i < ne->w->cfg.npaths; i++)
		loop_timer_stop(ne->w->loop, &nexus_of(ne, i)->undo);
}
