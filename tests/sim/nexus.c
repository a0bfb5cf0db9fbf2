/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nexus.c - one path to the array: its condition, what its checks find out,
 * and what core may know of it (O3).
 *
 * Core may send data only if the last full check that was good began after the
 * last doubt: the path was added, lost, failed, reinstated, or a command said
 * that its identity may have changed.
 */
#include "array_priv.h"
#include "cover.h"
#include "fate.h"
#include "sg_kernel.h"

#include "base/units.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void nexus_doubt(struct nexus *n, const char *why, bool blame)
{
	n->doubt = world_tick(n->w);
	n->why = why;
	n->blamed |= blame;
}

bool nexus_is_good(const struct nexus *n)
{
	return n->path && !n->removing && !n->down && !n->hang && !n->check_bad && !n->other_lun &&
	       !n->other_size && !n->stranger && !n->admin_failed && n->access <= ACCESS_NONOPTIMIZED;
}

/* Others ask the same device, too, and take what it has to tell: if core hears of the reset by
 * some path at all it may be that the next one knows of nothing, but that there was something. */
static void eat_attentions(struct nexus *teller)
{
	struct world *w = teller->w;

	for (unsigned i = 0; i < w->cfg.npaths; i++) {
		struct nexus *n = &w->array.nexus[i];

		if (!n->reset || !n->cfg->info_on_cheap || !draw_pct(&teller->checks, 20))
			continue;
		n->reset = false;
		n->info.unexplained++;
	}
}

void nexus_tell_reset(struct nexus *n)
{
	if (!n->reset)
		return;
	n->reset = false;
	world_reset_told(n->w, n);
	eat_attentions(n);
}

bool nexus_has_witness(const struct nexus *n)
{
	const struct world *w = n->w;

	for (unsigned i = 0; i < w->cfg.npaths; i++) {
		const struct nexus *q = &w->array.nexus[i];

		if (q != n && nexus_is_good(q) && !q->reset && !q->attention && path_is_usable(q->path) &&
		    !q->path->overdue && q->info.unexplained == q->told.unexplained &&
		    q->path->clean_since_ns < w->flushed_ns)
			return true;
	}
	return false;
}

static void nexus_check(void *model, struct sim_path *sp, bool full, struct sim_check *check)
{
	struct nexus *n = model;
	struct world *w = n->w;
	bool hang = n->hang || (n->check_bad && draw_pct(&n->checks, 30));

	/* It takes what a data command would have met, and starts over. */
	if (n->attention && !n->down && !hang) {
		n->attention = false;
		full = sp->check_full = true;
		nexus_doubt(n, "its check met a unit attention", false);
		path_doubt(&sp->path, "unit attention");
	}
	n->check_tick = world_tick(w);
	n->check_good = false;
	check->end_ns = hang ? 5 * NS_PER_SEC : draw(&n->checks, 1, 5000) * NS_PER_US;
	n->check_end_ns = world_now_ns(w) + check->end_ns;
	if (n->down || hang || (n->check_bad && draw_pct(&n->checks, 70))) {
		check->result = CHECK_DOWN;
		check->why = "the model says so";
		return;
	}
	check->info = n->info;
	check->info.access = n->access;
	check->no_info = !full && !n->cfg->info_on_cheap;
	/* A cheap check asks neither who it is nor how large. */
	if (full && (n->other_lun || n->stranger) && draw_pct(&n->checks, 50)) {
		check->result = CHECK_IDENTITY;
		check->why = "the model shows another LUN";
	} else if (full && (n->other_lun || n->stranger)) {
		snprintf(check->info.ident, sizeof(check->info.ident), "other");
	} else if (full && n->other_size) {
		/* Never more: a LUN that has grown stays so, and the clients know one size. */
		check->info.nblocks = draw_pct(&n->checks, 50) ? n->info.nblocks / 2 : n->info.nblocks - 1;
	} else {
		n->check_good = full;
	}
}

static void nexus_checked(void *model, struct sim_path *sp, bool full, struct sim_check *check)
{
	struct nexus *n = model;

	if (check->result == CHECK_OK && n->reset) {
		check->news = VF_CACHE | VF_IDENTITY;
		nexus_tell_reset(n);
	}
	world_trace(n->w, WE_CHECK, n->id, full, check->result, n->check_good);
	if (check->result != CHECK_OK || (full && !n->check_good)) {
		nexus_doubt(n, "its check failed", true);
		return;
	}
	if (full) {
		n->good = n->check_tick;
		n->good_ns = world_now_ns(n->w);
		if (n->good > n->doubt)
			n->blamed = false;
	}
	if (full || !check->no_info) {
		n->told = check->info;
		n->told_valid = true;
	}
}

static void nexus_released(void *model, struct sim_path *sp)
{
	nexus_left(model);
}

void nexus_left(struct nexus *n)
{
	if (n->inflight)
		world_fail(n->w, "O4", "path %u was released with %u commands in flight", n->id, n->inflight);
	array_spill(&n->w->array, n);
	n->path = NULL;
	n->seen_state = PATH_FOUND;
	n->keeps_cache = false;
	n->removing = n->admin_failed = n->told_valid = false;
	if (!n->w->stop_asked && !loop_timer_running(&n->undo))
		loop_timer_in(n->w->loop, &n->undo, 10 * NS_PER_MS);
}

static const struct sim_model_ops nexus_ops = {
	.fate = nexus_fate,
	.apply = nexus_apply,
	.ended = nexus_ended,
	.check = nexus_check,
	.checked = nexus_checked,
	.released = nexus_released,
};

static void vanish(struct nexus *n)
{
	if (n->w->opt->sg)
		sgk_path_vanish(n);
	else
		sim_path_vanish(container_of(n->path, struct sim_path, path));
}

void nexus_killed(struct nexus *n)
{
	if (n->path)
		vanish(n);
	array_spill(&n->w->array, n);
	n->path = NULL;
	n->seen_state = PATH_FOUND;
	n->keeps_cache = n->blamed = false;
	n->removing = n->admin_failed = n->told_valid = false;
	n->inflight = n->streak = 0;
	/* A new process knows its LUN by the first path; drivers tell by the configured WWID. */
	n->other_lun = n->other_size = n->stranger = false;
}

void nexus_init(struct nexus *n, struct world *w, unsigned id)
{
	*n = (struct nexus){ .w = w, .id = id, .cfg = &w->cfg.path[id] };
	n->info = n->cfg->info;
	n->access = n->info.access;
	prng_init(&n->cmds, w->seed, ENT_CMDS + id);
	prng_init(&n->checks, w->seed, ENT_CHECKS + id);
}

static struct path *sim_new(struct nexus *n)
{
	struct sim_path *sp;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "sim%u", n->id);
	r = sim_path_new(n->w->loop, name, n->cfg->slots, &nexus_ops, n, n->id, &sp);
	assert(r == 0);
	sp->path.host = n->cfg->host;
	sp->path.dev_id = n->id + 1;
	return &sp->path;
}

bool nexus_add(struct nexus *n)
{
	int r;

	assert(!n->path);
	n->path = n->w->opt->sg ? sgk_path_new(n) : sim_new(n);
	n->path->numa_node = (int)(n->id % 3) - 1;
	n->good = n->streak = 0;
	nexus_doubt(n, "it was added", false);
	r = lun_add_path(n->w->lun, n->path);
	if (r == 0)
		return true;
	n->path->ops->release(n->path);
	n->path = NULL;
	return false;
}

/* Bit a path: usable, and of the group that carries the I/O; *ret_prompt: and answers in time. */
static unsigned carriers(struct world *w, unsigned *ret_prompt)
{
	struct lun_group_info g[GROUPS_MAX];
	unsigned n = lun_get_groups(w->lun, g, GROUPS_MAX), current, mask = 0;

	for (current = 0; current < n && !g[current].current; current++)
		;
	for (unsigned i = 0; i < w->cfg.npaths; i++) {
		const struct path *p = w->array.nexus[i].path;

		if (!p || !path_is_usable(p) || p->group != current)
			continue;
		mask |= 1u << i;
		*ret_prompt |= p->overdue ? 0 : 1u << i;
	}
	return mask;
}

void nexus_watch_failback(struct world *w)
{
	unsigned prompt = 0, was_prompt = w->prompt, now = carriers(w, &prompt), before = w->carriers;
	bool left = false;

	w->carriers = now;
	w->prompt = prompt;
	if (!before || !now || (now & before))
		return;
	for (unsigned i = 0; i < w->cfg.npaths; i++) {
		const struct path *p = w->array.nexus[i].path;

		/* Not one that was used because nothing was left. */
		left |= (was_prompt >> i & 1) && p && path_is_usable(p) && !p->overdue;
	}
	/* What worked was left for something better: there was time to look at that first. */
	for (unsigned i = 0; left && i < w->cfg.npaths; i++) {
		const struct nexus *n = &w->array.nexus[i];

		if ((now >> i & 1) && world_now_ns(w) - n->good_ns >= w->cfg.par.fresh_ns + w->slept_ns)
			world_fail(w, "O3", "failback to path %u, which was checked %llu ms ago", i,
				   (unsigned long long)((world_now_ns(w) - n->good_ns) / NS_PER_MS));
	}
}

void nexus_watch(struct nexus *n)
{
	const struct path *p;
	bool keeps;

	if (!n->path)
		return;
	p = n->path;
	if (p->overdue)
		n->stranger_ns = world_now_ns(n->w);
	keeps = path_is_usable(p) || p->state == PATH_CHECKING;
	if (n->keeps_cache && !keeps)
		array_spill(&n->w->array, n);
	n->keeps_cache = keeps;
	/* A check that began before the healing may still find what was; somebody looks after it. */
	if (p->state == PATH_DISABLED && n->w->phase >= WP_HEAL && nexus_is_good(n) && !loop_timer_running(&n->undo))
		loop_timer_in(n->w->loop, &n->undo, NS_PER_MS);
	if (p->state == n->seen_state)
		return;
	cover_move(n->seen_state, p->state);
	n->seen_state = p->state;
	/* A transition that outlasts the healing, which leaves a path as it is, outlasts its limit, too. */
	if (p->state == PATH_FAILED && n->access == ACCESS_TRANSITIONING)
		return;
	if ((p->state == PATH_FAILED || p->state == PATH_DISABLED) && !n->blamed)
		world_fail(n->w, "O6", "path %u became %s without a reason (\"%s\")", n->id,
			   path_state_name(p->state), p->why);
}
