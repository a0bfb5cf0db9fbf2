/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_paths.c - paths come, change and go: what that does to groups, limits,
 * geometry and the state of the LUN.
 */
#include "core/lun_priv.h"

#include "base/fault.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- limits -------------------------------------------------------------------- */

static uint32_t limit_min(uint32_t a, uint32_t b)
{
	return b && b < a ? b : a;
}

static unsigned lun_auto_depth(const struct lun *lun)
{
	const struct path *p;
	unsigned depth = 0;

	if (lun->par.depth)
		return lun->par.depth;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->info_valid)
			depth = MAX(depth, p->info.depth);
	return depth ? depth : DEPTH_DEFAULT;
}

void lun_update_limits(struct lun *lun)
{
	uint32_t bytes = lun->par.max_cmd_bytes ? lun->par.max_cmd_bytes : CMD_BYTES_MAX;
	struct lun_limits lim = { .max_segs = CMD_SEGS_MAX, .caps = ~0u };
	bool any_usable = lun->nusable > 0;
	unsigned depth;
	struct path *p;

	if (!lun->geo_valid)
		return;
	lim.max_blocks = MAX(bytes / lun->geo.block_bytes, 1u);
	lim.max_discard_blocks = lim.max_zero_blocks = UINT32_MAX;
	ready_forget(lun);
	depth = MIN(lun_auto_depth(lun), (unsigned)lun->cmds.n);
	if (depth != lun->qd.max)
		qdepth_set_max(&lun->qd, depth);
	TAILQ_FOREACH (p, &lun->paths, link) {
		p->depth = lun->par.path_depth ? lun->par.path_depth : p->info.depth;
		p->depth = p->depth ? MIN(p->depth, depth) : depth;
		/* What hangs at one path must leave slots to send it again by another. */
		if (lun->npaths > 1 && p->depth + depth / 8 > depth && depth > 1)
			p->depth = depth - MAX(depth / 8, 1u);
		crawl_review(p);
		if (crawl_on_trial(p))
			p->depth = 1;
		if (!p->info_valid || (any_usable && !path_is_usable(p)))
			continue;
		lim.max_blocks = limit_min(lim.max_blocks, p->info.max_blocks);
		lim.max_segs = limit_min(lim.max_segs, p->info.max_segs);
		lim.max_discard_blocks = limit_min(lim.max_discard_blocks, p->info.max_discard_blocks);
		lim.max_zero_blocks = limit_min(lim.max_zero_blocks, p->info.max_zero_blocks);
		lim.caps &= p->info.caps;
	}
	host_update(lun);
	lun->limits = lim;
	lun->geo.max_cmd_blocks = lim.max_blocks;
}

/* --- geometry and identity ------------------------------------------------------- */

const char *lun_mismatch(struct lun *lun, const struct path_info *info, char *buf, size_t size)
{
	const struct lun_geometry *g = &lun->geo;
	uint32_t bs = info->block_bytes;

	if (bs < BLOCK_BYTES_MIN || bs > BLOCK_BYTES_MAX || (bs & (bs - 1))) {
		snprintf(buf, size, "its block size is %u bytes; %u to %u and a power of two can be served",
			 bs, BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
		return buf;
	}
	if (!info->nblocks)
		return "it has no blocks (no medium?)";
	if (info->nblocks > INT64_MAX / bs)
		return "its size does not fit 63 bits of bytes";
	if (!lun->geo_valid)
		return NULL;
	if (bs != g->block_bytes)
		snprintf(buf, size, "its block size is %u bytes, the LUN's is %u", bs, g->block_bytes);
	else if (info->nblocks < g->nblocks && !fault_strikes(PLANT_SIZE_IGNORED))
		snprintf(buf, size, "its size is %llu blocks, the LUN's is %llu",
			 (unsigned long long)info->nblocks, (unsigned long long)g->nblocks);
	else if (info->read_only && !g->read_only)
		return "it is write-protected, the LUN is not";
	else
		return NULL;
	return buf;
}

const char *lun_stranger(struct lun *lun, const struct path_info *info, char *buf, size_t size)
{
	if (!lun->geo_valid || strcmp(info->ident, lun->geo.ident) == 0)
		return NULL;
	snprintf(buf, size, "its identity is %.64s, the LUN's is %.64s", info->ident, lun->geo.ident);
	return buf;
}

/* Clients are told to prefer it: it has to be a block size, and below what a request may carry. */
static uint32_t phys_block_bytes(const struct path_info *info)
{
	uint32_t n = info->phys_block_bytes;

	return n < info->block_bytes || n > PHYS_BLOCK_BYTES_MAX || (n & (n - 1)) ? info->block_bytes : n;
}

void lun_learn(struct lun *lun, const struct path_info *info)
{
	struct lun_geometry *g = &lun->geo;

	if (lun->geo_valid) {
		g->write_cache |= info->write_cache;
		return;
	}
	g->block_bytes = info->block_bytes;
	g->phys_block_bytes = phys_block_bytes(info);
	g->nblocks = info->nblocks;
	g->read_only = info->read_only || lun->par.read_only;
	g->rotational = info->rotational;
	g->write_cache = info->write_cache;
	g->can_discard = !g->read_only && (info->caps & PATH_CAP_DISCARD);
	g->can_zero = !g->read_only;
	g->can_fast_zero = g->can_zero && (info->caps & PATH_CAP_WRITE_ZEROES) &&
			   (info->caps & PATH_CAP_FAST_ZERO);
	g->can_status = info->caps & PATH_CAP_STATUS;
	g->discard_granularity_blocks = MAX(info->discard_granularity_blocks, 1u);
	snprintf(g->ident, sizeof(g->ident), "%s", info->ident);
	snprintf(g->product, sizeof(g->product), "%s", info->product);
	lun->geo_valid = true;
	ledger_learn(lun);
	if (lun->par.elevator == ELV_AUTO)
		elv_set_policy(&lun->elv, g->rotational ? ELV_DEADLINE : ELV_FIFO);
	lun_update_limits(lun);
	log_info("%s, %llu blocks of %u bytes%s%s, elevator %s", g->product,
		 (unsigned long long)g->nblocks, g->block_bytes, g->read_only ? ", read-only" : "",
		 g->rotational ? ", rotating" : "", lun->elv.ops->name);
}

bool lun_geometry(const struct lun *lun, struct lun_geometry *ret)
{
	if (lun->geo_valid)
		*ret = lun->geo;
	return lun->geo_valid;
}

uint64_t lun_fewer_blocks(const struct lun *lun, const struct path_info *info)
{
	const struct lun_geometry *g = &lun->geo;

	return lun->geo_valid && info->block_bytes == g->block_bytes && info->nblocks < g->nblocks ? info->nblocks
												 : 0;
}

/* Once for each size: what every path says again at each of its checks. */
void lun_alarm_shrunk(struct lun *lun, const struct path *p, const struct path_info *info)
{
	struct lun_geometry *g = &lun->geo;

	if (!lun_fewer_blocks(lun, info) || info->nblocks == lun->shrunk_told)
		return;
	lun->shrunk_told = info->nblocks;
	log_err("%s: tells that the LUN has shrunk from %llu to %llu blocks: the size in use stays, and "
		"the path is not used; what lies behind the new end is lost to all paths unless the array "
		"makes the LUN as large again",
		p->name, (unsigned long long)g->nblocks, (unsigned long long)info->nblocks);
}

/* The smallest size that usable paths tell; 0 while one that may be usable soon has to tell yet. */
static uint64_t lun_agreed_blocks(struct lun *lun, uint64_t *ret_largest)
{
	uint64_t smallest = UINT64_MAX;
	bool pending = false;
	struct path *p;

	*ret_largest = 0;
	TAILQ_FOREACH (p, &lun->paths, link) {
		pending |= p->state == PATH_FOUND || p->state == PATH_CHECKING;
		if (!path_is_usable(p))
			continue;
		smallest = MIN(smallest, p->info.nblocks);
		*ret_largest = MAX(*ret_largest, p->info.nblocks);
	}
	return pending || !*ret_largest ? 0 : smallest;
}

/*
 * A path that tells of a larger LUN goes on with the size in force: a command beyond the old end
 * would fail on a path that has not seen the growth.  The others are asked once; those that do
 * not work are not waited for, and are not used later if they are smaller.
 */
static void lun_grow(struct lun *lun)
{
	struct lun_geometry *g = &lun->geo;
	uint64_t largest, agreed;
	struct path *p;

	if (!lun->geo_valid || lun->state >= LUN_DRAINING)
		return;
	agreed = lun_agreed_blocks(lun, &largest);
	if (agreed > g->nblocks) {
		log_notice("the LUN has grown from %llu to %llu blocks of %u bytes, all usable paths agree",
			   (unsigned long long)g->nblocks, (unsigned long long)agreed, g->block_bytes);
		g->nblocks = agreed;
		lun_notify(lun);
	}
	if (largest <= g->nblocks || largest == lun->grow_asked)
		return;
	/* First the note, since what is asked changes its state and comes here again. */
	lun->grow_asked = largest;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (path_is_usable(p) && p->info.nblocks < largest)
			probe_now(p, true);
}

/* --- state --------------------------------------------------------------------------- */

enum lun_state lun_get_state(const struct lun *lun)
{
	return lun->state;
}

void lun_set_state(struct lun *lun, enum lun_state to, const char *why)
{
	enum lun_state from = lun->state;
	uint64_t now = loop_now_ns(lun->loop);

	if (from == to)
		return;
	lun->state = to;
	if ((to == LUN_DARK || to == LUN_FAILING) && !lun->stats.dark_since_ns)
		lun->stats.dark_since_ns = now;
	if (to == LUN_UP && lun->stats.dark_since_ns) {
		lun->stats.dark_ns = MAX(lun->stats.dark_ns, now - lun->stats.dark_since_ns);
		lun->stats.dark_since_ns = 0;
	}
	if (to == LUN_DARK || to == LUN_FAILING)
		log_err("LUN %s -> %s: %s", lun_state_name(from), lun_state_name(to), why);
	else
		log_notice("LUN %s -> %s: %s", lun_state_name(from), lun_state_name(to), why);
	lun_event(lun, EVENT_LUN, "", lun_state_name(from), lun_state_name(to), why);
	lun_dirty(lun);
}

static bool lun_is_available(const struct lun *lun)
{
	const struct path *p;

	if (lun->par.expect_paths)
		return true;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (path_is_available(p))
			return true;
	return false;
}

void lun_no_path_expired(struct loop_timer *t)
{
	struct lun *lun = container_of(t, struct lun, no_path_timer);

	lun->no_path_over = !fault_strikes(PLANT_HOLD_FOREVER);
	if (lun->state == LUN_DARK && lun->no_path_over)
		lun_set_state(lun, LUN_FAILING, "no_path_retry has ended, requests fail now");
}

/* A path under its check is not lost: what it is will be known soon. */
bool lun_is_checking(const struct lun *lun)
{
	const struct path *p;

	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->state == PATH_FOUND || p->state == PATH_CHECKING)
			return true;
	return false;
}

/* A port group that changes its state will be known soon, too: its time is limited. So will one
 * that was asked to serve, or may have taken over. */
static bool lun_is_moving(const struct lun *lun)
{
	const struct path *p;

	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->state == PATH_TRANSITIONING || p->awaited)
			return true;
	return false;
}

/* The port group of @p has changed its state, so others will have changed theirs. */
void lun_probe_others(struct lun *lun, const struct path *p)
{
	struct path *q;

	TAILQ_FOREACH (q, &lun->paths, link)
		if (q != p && (q->state == PATH_STANDBY || q->state == PATH_UNAVAILABLE)) {
			q->awaited = true;
			probe_now(q, true);
		}
}

/* Where nobody serves until told to (SPC-6, explicit asymmetric access): the path that was asked
 * least recently, if its turn has come. */
static struct path *lun_whom_to_activate(const struct lun *lun)
{
	struct path *p, *best = NULL;

	if (lun->nusable || lun->state >= LUN_DRAINING || lun_is_checking(lun) || lun_is_moving(lun))
		return NULL;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->state == PATH_STANDBY && p->info_valid && p->info.explicit_alua && p->ops->activate &&
		    (!best || p->activated_ns < best->activated_ns))
			best = p;
	return best;
}

static void lun_activate(struct lun *lun)
{
	uint64_t now = loop_now_ns(lun->loop), due = lun->activated_ns + ACTIVATE_SEC * NS_PER_SEC;
	struct path *p = lun_whom_to_activate(lun);

	if (!p)
		return;
	if (lun->activated_ns && now < due) {
		loop_timer_at(lun->loop, &lun->activate_timer, due);
		return;
	}
	log_notice("%s: no port group serves, asking for this one", p->name);
	lun->activated_ns = p->activated_ns = now;
	p->awaited = true;
	p->ops->activate(p);
	probe_now(p, true);
}

void lun_activate_due(struct loop_timer *t)
{
	lun_path_changed(container_of(t, struct lun, activate_timer), NULL);
}

/* Without a usable path: why requests fail at once, NULL if they are held. */
static const char *lun_why_fail(const struct lun *lun)
{
	if (!lun_is_available(lun))
		return "no path is left, and none can return";
	if (lun->no_path_over)
		return "no_path_retry has ended, and no path has proven itself since";
	if (lun_no_path(lun) == NO_PATH_FAIL && !lun_is_checking(lun) && !lun_is_moving(lun))
		return lun->queueing == QUEUEING_OFF ? "no usable path, queueing is off"
						     : "no usable path, no_path_retry is fail";
	return NULL;
}

/* From the first moment without a path: see lun_path_proven(). */
static void lun_start_no_path_timer(struct lun *lun)
{
	if (lun_is_moving(lun))
		return; /* it has a limit of its own, and then this one begins */
	if (lun_no_path(lun) == NO_PATH_RETRY && !lun->no_path_over &&
	    !loop_timer_running(&lun->no_path_timer))
		loop_timer_in(lun->loop, &lun->no_path_timer,
			      lun->par.no_path_checks * lun->par.polling_interval_ns);
}

static void lun_go_dark(struct lun *lun)
{
	const char *why = lun_why_fail(lun);

	lun->stats.held++;
	if (why) {
		lun_set_state(lun, LUN_FAILING, why);
		return;
	}
	lun_set_state(lun, LUN_DARK, "no usable path, requests are held");
	lun_start_no_path_timer(lun);
}

enum no_path_kind lun_no_path(const struct lun *lun)
{
	switch (lun->queueing) {
	case QUEUEING_ON:
		return NO_PATH_QUEUE;
	case QUEUEING_OFF:
		return NO_PATH_FAIL;
	case QUEUEING_DEFAULT:
	case QUEUEING_NR:
		break;
	}
	return lun->par.no_path;
}

enum queueing lun_queueing(const struct lun *lun)
{
	return lun->queueing;
}

void lun_hold_or_fail(struct lun *lun, const char *held_why)
{
	const char *why;

	if (lun->state != LUN_DARK && lun->state != LUN_FAILING)
		return;
	why = lun_why_fail(lun);
	if (why) {
		lun_set_state(lun, LUN_FAILING, why);
		return;
	}
	lun_set_state(lun, LUN_DARK, held_why);
	lun_start_no_path_timer(lun);
}

void lun_set_queueing(struct lun *lun, enum queueing q)
{
	lun->queueing = q;
	if (q == QUEUEING_ON) {
		lun->no_path_over = false;
		loop_timer_stop(lun->loop, &lun->no_path_timer);
	}
	lun_hold_or_fail(lun, "no usable path, requests are held as lunmuxctl queueing says");
}

int lun_fail_now(struct lun *lun)
{
	if (lun->state >= LUN_DRAINING)
		return -ESHUTDOWN;
	if (lun->state == LUN_UP)
		return -EBUSY;
	lun->no_path_over = true;
	loop_timer_stop(lun->loop, &lun->no_path_timer);
	lun_set_state(lun, LUN_FAILING, "asked to fail what is held");
	return 0;
}

/* A command was good, or on an idle LUN a second check: the time without a path has ended. Until
 * then it goes on, so that a path which answers its checks and nothing else cannot hold requests
 * for ever. */
void lun_path_proven(struct lun *lun)
{
	if (lun->state != LUN_UP)
		return;
	lun->no_path_over = false;
	loop_timer_stop(lun->loop, &lun->no_path_timer);
}

static void lun_update_state(struct lun *lun)
{
	const char *why;

	if (lun->nusable && lun->state < LUN_DRAINING && lun->state != LUN_UP) {
		lun_set_state(lun, LUN_UP, "a path is usable");
		return;
	}
	switch (lun->state) {
	case LUN_STARTING:
		/* The size is known, clients may ask: what they wait for is bounded, too. */
		if (lun->geo_valid && !lun_is_checking(lun))
			lun_go_dark(lun);
		return;
	case LUN_FAILING:
		return;
	case LUN_DARK:
		why = lun_why_fail(lun);
		if (why)
			lun_set_state(lun, LUN_FAILING, why);
		else
			lun_start_no_path_timer(lun);
		return;
	case LUN_UP:
		if (!lun->nusable)
			lun_go_dark(lun);
		return;
	case LUN_DRAINING:
		/* A check takes a moment; what is written might still be flushed. */
		if (!lun->nusable && !lun_is_checking(lun))
			lun_set_state(lun, LUN_STOPPING, "no usable path to drain to");
		return;
	case LUN_STOPPING:
	case LUN_STOPPED:
		return;
	}
}

const char *lun_state_name(enum lun_state s)
{
	static const char *const names[] = {
		[LUN_STARTING] = "starting", [LUN_UP] = "up",		  [LUN_DARK] = "dark",
		[LUN_FAILING] = "failing",   [LUN_DRAINING] = "draining", [LUN_STOPPING] = "stopping",
		[LUN_STOPPED] = "stopped",
	};

	return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "?";
}

/* A suspect path is used only if there is no other, its host's others after those of other hosts. */
static void lun_rank_paths(struct lun *lun)
{
	struct path *p, *q;

	lun->any_suspect = false;
	lun->nprompt = lun->nusable = 0;
	TAILQ_FOREACH (p, &lun->paths, link) {
		lun->nprompt += p->state == PATH_ACTIVE || p->state == PATH_MARGINAL;
		lun->any_suspect |= p->state == PATH_SUSPECT;
	}
	TAILQ_FOREACH (p, &lun->paths, link) {
		p->last_resort = (!lun->nprompt || fault_strikes(PLANT_SUSPECT_USED)) &&
				 p->state == PATH_SUSPECT;
		p->host_suspect = false;
		if (lun->any_suspect && p->host >= 0)
			TAILQ_FOREACH (q, &lun->paths, link)
				p->host_suspect |= q->state == PATH_SUSPECT && q->host == p->host;
		lun->nusable += path_is_usable(p);
	}
}

/* --- a path has changed --------------------------------------------------------------- */

void lun_path_changed(struct lun *lun, struct path *changed)
{
	struct path_news news = lun_path_news(changed);
	struct path *all[PATHS_MAX], *p;
	unsigned n = 0;

	ready_forget(lun);
	lun_rank_paths(lun);
	TAILQ_FOREACH (p, &lun->paths, link) {
		all[n++] = p;
		p->was_usable = path_is_usable(p);
		p->was_prio = p->prio;
	}
	if (changed && !path_is_usable(changed))
		sel_forget(&lun->sel_state, changed);
	groups_build(&lun->groups, lun->par.grouping, all, n);
	lun_choose_group(lun, news);
	lun_update_limits(lun);
	lun_activate(lun);
	lun_update_state(lun);
	lun_notify(lun);
	lun_dirty(lun);
	lun_grow(lun);
}

int lun_add_path(struct lun *lun, struct path *p)
{
	unsigned i;

	if (lun->state >= LUN_DRAINING)
		return -ESHUTDOWN;
	for (i = 0; i < PATHS_MAX && lun->by_index[i]; i++)
		;
	if (i == PATHS_MAX)
		return -ENOSPC;
	path_init(p, lun, i);
	lun->by_index[i] = p;
	TAILQ_INSERT_TAIL(&lun->paths, p, link);
	lun->npaths++;
	log_info("%s: added (%s%s%s)", p->name, p->ops->name, p->dev[0] ? ", " : "", p->dev);
	lun_path_changed(lun, p);
	probe_now(p, true);
	return 0;
}

void lun_remove_path(struct lun *lun, struct path *p, const char *why)
{
	assert(p->lun == lun);
	path_event(p, PEV_REMOVE, why);
}

void lun_recheck_path(struct lun *lun, struct path *p, const char *why)
{
	assert(p->lun == lun);
	if (p->state == PATH_GONE || p->state == PATH_DISABLED)
		return;
	log_info("%s: to be checked: %s", p->name, why);
	probe_now(p, true);
}

static void cmd_forget_path(struct cmd *cmd, const struct path *p)
{
	if (cmd->pin == p)
		cmd->pin = NULL;
	if (cmd->owed == p)
		cmd->owed = NULL;
	if (cmd->prefer == p)
		cmd->prefer = NULL;
	if (cmd->last == p)
		cmd->last = NULL;
	cmd->tried[p->index / 64] &= ~(1ull << (p->index % 64));
}

/* Wherever it is: one that is in flight on another path may be sent again later. */
static void cmds_forget_path(struct lun *lun, const struct path *p)
{
	const struct path *other;
	struct cmd *cmd;

	STAILQ_FOREACH (cmd, &lun->retry, link)
		cmd_forget_path(cmd, p);
	STAILQ_FOREACH (cmd, &lun->delayed, link)
		cmd_forget_path(cmd, p);
	TAILQ_FOREACH (other, &lun->paths, link)
		TAILQ_FOREACH (cmd, &other->cmds, inflight)
			cmd_forget_path(cmd, p);
}

/* The driver is done with @p; its last commands may still be in the completed list. */
void lun_path_closed(struct lun *lun, struct path *p)
{
	if (!p->closed || p->inflight)
		return; /* lun_stop_progress() and the next turn come back */
	assert(p->state == PATH_GONE && !p->probe_running);
	probe_stop(p);
	cmds_forget_path(lun, p);
	flush_path_gone(lun, p);
	sel_forget(&lun->sel_state, p);
	host_leave(p);
	assert(!p->to_flush);
	TAILQ_REMOVE(&lun->paths, p, link);
	lun->by_index[p->index] = NULL;
	lun->npaths--;
	log_info("%s: removed", p->name);
	lun_path_changed(lun, NULL);
	p->ops->release(p);
}

struct path *lun_find_path(struct lun *lun, const char *name)
{
	struct path *p;

	TAILQ_FOREACH (p, &lun->paths, link)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

struct path *lun_next_path(struct lun *lun, struct path *prev)
{
	return prev ? TAILQ_NEXT(prev, link) : TAILQ_FIRST(&lun->paths);
}

void lun_fail_path(struct lun *lun, struct path *p)
{
	path_event(p, PEV_DISABLE, "failed by the administrator");
}

int lun_reinstate_path(struct lun *lun, struct path *p)
{
	if (p->quarantined)
		return -EPERM;
	if (p->state == PATH_DISABLED)
		path_event(p, PEV_ENABLE, "reinstated by the administrator");
	else
		probe_now(p, p->state != PATH_ACTIVE);
	health_forgive(p);
	return 0;
}

int lun_accept_path(struct lun *lun, struct path *p)
{
	if (!p->quarantined)
		return -EINVAL;
	path_event(p, PEV_ENABLE, "accepted by the administrator");
	return 0;
}
