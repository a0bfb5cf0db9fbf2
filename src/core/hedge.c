/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hedge.c - commands that are out for too long.
 *
 * Their path becomes suspect: it gets no new work while another is usable.
 * Their requests are sent again, as requests of their own with buffers of
 * their own (a slow READ may fill its memory at any moment, a slow WRITE read
 * it), and the first that ends decides.  The slow command keeps its slot
 * until it ends; that a slow write cannot overtake a newer one is the ledger's
 * work.
 */
#include "core/lun_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* In-flight commands are looked at so often. */
#define OVERDUE_TICK_NS (50 * NS_PER_MS)
/* suspect_after auto: SUSPECT_TIMES what the path's own latency makes likely, between these. */
#define SUSPECT_TIMES 8u
#define SUSPECT_MIN_NS (100 * NS_PER_MS)
#define SUSPECT_MAX_NS (5 * NS_PER_SEC)
/* Without any sample yet. */
#define SUSPECT_FIRST_NS NS_PER_SEC

/* --- how long is too long -------------------------------------------------------------- */

static uint64_t overdue_limit(const struct lun *lun, const struct path *p, enum cmd_op op)
{
	uint64_t fixed = lun->par.suspect_after_ns, limit;

	/* The others take what they take: a cache to empty, an extent to unmap. */
	if (op != CMD_READ && op != CMD_WRITE)
		return MAX(fixed, SUSPECT_MAX_NS);
	if (fixed)
		return fixed;
	if (!p->srv_ns)
		return SUSPECT_FIRST_NS;
	limit = SUSPECT_TIMES * (p->srv_ns + 4 * p->srv_dev_ns);
	return MIN(MAX(limit, SUSPECT_MIN_NS), SUSPECT_MAX_NS);
}

/* RFC 6298's estimator. What was overdue counts as just that, or one lost command would make the
 * path deaf to the next. */
static void overdue_learn(struct lun *lun, struct path *p, const struct cmd *cmd)
{
	uint64_t x = MIN(lun->now_ns - cmd->sent_ns, overdue_limit(lun, p, cmd->op)), diff;

	if (cmd->op != CMD_READ && cmd->op != CMD_WRITE)
		return;
	x = MAX(x, 1u);
	if (!p->srv_ns) {
		p->srv_ns = x;
		p->srv_dev_ns = x / 2;
		return;
	}
	diff = x > p->srv_ns ? x - p->srv_ns : p->srv_ns - x;
	p->srv_dev_ns += diff / 4;
	p->srv_dev_ns -= p->srv_dev_ns / 4;
	p->srv_ns += x / 8;
	p->srv_ns -= p->srv_ns / 8;
	p->srv_ns = MAX(p->srv_ns, 1u);
}

void overdue_cmd_ended(struct lun *lun, struct cmd *cmd)
{
	struct path *p = cmd->path;

	overdue_learn(lun, p, cmd);
	if (!cmd->overdue)
		return;
	cmd->overdue = false;
	assert(p->overdue > 0);
	if (--p->overdue)
		return;
	if (p->state == PATH_SUSPECT && (cmd->outcome.verdict == V_OK || cmd->outcome.verdict == V_OK_INFO))
		path_event(p, health_on_probation(p) ? PEV_MARGINAL : PEV_UP, "its overdue commands have ended");
	probe_now(p, p->state != PATH_ACTIVE); /* it was not checked meanwhile */
}

/* --- requests again ---------------------------------------------------------------------- */

static struct req *req_lead(struct req *r)
{
	return r->is_hedge ? r->lead : r;
}

/* Is every attempt at @lead waiting for an overdue command? */
static bool hedge_is_due(const struct req *lead)
{
	const struct req *h;

	if (lead->settled || lead->nhedges >= HEDGES_MAX || lead->phase == REQ_PH_FLUSH)
		return false;
	if (!lead->overdue)
		return false;
	TAILQ_FOREACH (h, &lead->hedges, aux)
		if (!h->overdue)
			return false;
	return true;
}

static void hedge_start(struct lun *lun, struct req *lead)
{
	struct req *h = lun_hedge_get(lun, lead);

	if (!h)
		return; /* the next look comes back to it */
	h->is_hedge = true;
	h->lead = lead;
	h->op = lead->op;
	h->flags = lead->flags;
	h->lba = lead->lba;
	h->nblocks = lead->nblocks;
	h->entry = lead->entry;
	h->hashed = lead->hashed;
	h->hash = lead->hash;
	h->gen = CACHE_GEN_NONE;
	/* As old as what it is for: see lun_submit(). */
	h->seq = lead->seq + ++lead->nhedges;
	h->submit_ns = lead->submit_ns;
	if (lead->phase != REQ_PH_MAIN) {
		h->head_skip = lead->head_skip;
		h->tail_skip = lead->tail_skip;
	}
	if (lead->op == REQ_WRITE)
		memcpy(h->data, lead->data, lead->data_bytes);
	TAILQ_INSERT_TAIL(&lead->hedges, h, aux);
	lun->stats.hedges++;
	lun_enter_phase(h);
}

static void hedge_flush(struct lun *lun, struct cmd *cmd)
{
	struct cmd *again;

	if (cmd->replaced || (cmd->pin && path_keeps_cache(cmd->pin)) || !(again = cmd_get(lun)))
		return;
	again->op = CMD_FLUSH;
	again->owed = cmd->owed;
	again->tries = cmd->tries;
	again->spent_ns = cmd->spent_ns;
	memcpy(again->tried, cmd->tried, sizeof(again->tried));
	again->tried[cmd->path->index / 64] |= 1ull << (cmd->path->index % 64);
	cmd->replaced = true;
	lun->stats.hedges++;
	STAILQ_INSERT_TAIL(&lun->retry, again, link);
}

static void hedge_cmd(struct lun *lun, struct cmd *cmd)
{
	if (cmd->op == CMD_FLUSH) {
		hedge_flush(lun, cmd);
		return;
	}
	for (unsigned i = 0; i < cmd->nsegs; i++) {
		struct req *r = cmd->seg[i].req, *lead = req_lead(r);

		r->overdue = true;
		if (lead && hedge_is_due(lead))
			hedge_start(lun, lead);
	}
}

/* The slow command may still fill the old buffer: it stays with @lead until that has ended. */
static void hedge_swap_data(struct req *lead, struct req *h)
{
	if (fault_strikes(PLANT_HEDGE_BUFFER)) {
		memcpy(lead->data, h->data, lead->data_bytes);
		return;
	}
	lead->spare = lead->data;
	lead->data = h->data;
	h->data = NULL;
}

/* @h is the first to end: @lead has what it asked for, or an error that is as final as its own. */
static void hedge_decides(struct lun *lun, struct req *lead, struct req *h, int err)
{
	lun->stats.hedges_won++;
	if (lead->state == REQ_QUEUED) {
		elv_remove(&lun->elv, lead);
		req_set_state(lead, REQ_SENT);
	}
	lead->left_blocks = lead->todo_blocks = 0;
	if (lead->op == REQ_READ || lead->op == REQ_STATUS)
		hedge_swap_data(lead, h);
	lead->nextents = h->nextents;
	lead->gen = h->gen; /* all of it was written by this one */
	lun_finish(lead, err);
}

static void hedge_ended(struct lun *lun, struct req *h, int err)
{
	struct req *lead = h->lead;

	h->settled = true;
	req_set_state(h, REQ_DONE);
	if (lead) {
		TAILQ_REMOVE(&lead->hedges, h, aux);
		h->lead = NULL;
		if (lead->state == REQ_QUEUED || lead->state == REQ_SENT)
			hedge_decides(lun, lead, h, err);
	}
	lun_req_put(h);
}

bool hedge_takes(struct req *r, int err)
{
	if (r->is_hedge)
		hedge_ended(r->lun, r, err);
	return r->is_hedge;
}

void hedge_drop_all(struct req *lead)
{
	struct lun *lun = lead->lun;
	struct req *h;

	while ((h = TAILQ_FIRST(&lead->hedges))) {
		TAILQ_REMOVE(&lead->hedges, h, aux);
		h->lead = NULL; /* none of its commands is sent any more: cmd_is_void() */
		if (h->state != REQ_QUEUED)
			continue;
		elv_remove(&lun->elv, h);
		h->left_blocks -= h->todo_blocks;
		h->todo_blocks = 0;
		req_set_state(h, REQ_SENT);
		if (!h->left_blocks)
			lun_finish(h, ECANCELED);
	}
}

/* --- the look ------------------------------------------------------------------------------- */

static void overdue_blame(struct lun *lun, struct path *p, struct cmd *cmd, uint64_t age_ns)
{
	char why[96];

	if (!cmd->overdue) {
		cmd->overdue = true;
		p->overdue++;
		path_trouble(p);
		p->stats.overdue++;
		lun->stats.overdue++;
	}
	if (p->state != PATH_ACTIVE && p->state != PATH_MARGINAL)
		return;
	snprintf(why, sizeof(why), "%s of block %llu has been out for %llu ms", cmd_op_name(cmd->op),
		 (unsigned long long)cmd->lba, (unsigned long long)(age_ns / NS_PER_MS));
	path_event(p, PEV_SUSPECT, why);
}

static void overdue_look_at(struct lun *lun, struct path *p)
{
	uint64_t limit = overdue_limit(lun, p, CMD_READ);
	struct cmd *cmd;

	TAILQ_FOREACH (cmd, &p->cmds, inflight) {
		uint64_t since = MAX(cmd->sent_ns, lun->overdue_base_ns);
		uint64_t age = lun->now_ns > since ? lun->now_ns - since : 0;

		if (age < limit)
			return; /* oldest first, and the limits of other operations are larger */
		if (age < overdue_limit(lun, p, cmd->op))
			continue;
		overdue_blame(lun, p, cmd, age);
		if (lun->nprompt)
			hedge_cmd(lun, cmd);
	}
}

void overdue_look(struct lun *lun)
{
	struct path *p;

	if (!lun->overdue_due)
		return;
	lun->overdue_due = false;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->inflight)
			overdue_look_at(lun, p);
}

static void overdue_tick(struct loop_timer *t)
{
	struct lun *lun = container_of(t, struct lun, overdue_timer);
	uint64_t now = loop_now_ns(lun->loop);

	/* Stopped, or the whole machine was: what has ended meanwhile is heard of only now.  But what was not
	 * heard of by the next look either has not ended, however late that is. */
	if (now - lun->overdue_set_ns > 4 * OVERDUE_TICK_NS && !lun->overdue_excused) {
		lun->overdue_base_ns = now;
		lun->overdue_excused = true;
	} else {
		lun->overdue_due = true;
		lun->overdue_excused = false;
	}
	lun_dirty(lun);
}

void overdue_init(struct lun *lun)
{
	loop_timer_init(&lun->overdue_timer, overdue_tick);
}

void overdue_watch(struct lun *lun)
{
	if (!lun->qd.inflight || loop_timer_running(&lun->overdue_timer))
		return;
	lun->overdue_set_ns = lun->now_ns;
	loop_timer_in(lun->loop, &lun->overdue_timer, OVERDUE_TICK_NS);
}
