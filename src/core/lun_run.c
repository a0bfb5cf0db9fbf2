/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_run.c - one turn of a LUN: act on what has ended, answer, dispatch.
 *
 * The only place that picks a path or starts I/O.  Runs once in the decide
 * phase of a turn in which something happened to the LUN.
 */
#include "core/lun_priv.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void lun_dirty(struct lun *lun)
{
	loop_task_queue(lun->loop, &lun->run_task);
}

/* --- a request moves on ----------------------------------------------------- */

void lun_unlock(struct req *r, struct ghost *ghost)
{
	struct lun *lun = r->lun;
	struct req_list ready = TAILQ_HEAD_INITIALIZER(ready);
	struct req *q;

	rangelock_release(&lun->lock, r, ghost, &ready);
	while ((q = TAILQ_FIRST(&ready))) {
		TAILQ_REMOVE(&ready, q, fifo);
		lun_enter_phase(q);
	}
}

void lun_finish(struct req *r, int err)
{
	struct lun *lun = r->lun;

	if (hedge_takes(r, err))
		return;
	r->settled = true;
	r->err = err;
	hedge_drop_all(r);
	if (!err && ledger_holds(lun, r))
		return;
	if (!err)
		cache_acked(lun, r);
	req_set_state(r, REQ_DONE);
	TAILQ_INSERT_TAIL(&lun->finished, r, fifo);
	lun_dirty(lun);
	lun_unlock(r, ledger_close(lun, r));
}

static enum req_phase req_next_phase(const struct req *r)
{
	switch (r->phase) {
	case REQ_PH_NONE:
		if (r->op == REQ_FLUSH)
			return REQ_PH_FLUSH;
		if (r->head_skip || (r->tail_skip && r->nblocks == 1))
			return REQ_PH_HEAD;
		return r->tail_skip ? REQ_PH_TAIL : REQ_PH_MAIN;
	case REQ_PH_HEAD:
		return r->tail_skip && r->nblocks > 1 ? REQ_PH_TAIL : REQ_PH_MAIN;
	case REQ_PH_TAIL:
		return REQ_PH_MAIN;
	case REQ_PH_MAIN:
		return r->need_flush ? REQ_PH_FLUSH : REQ_PH_NONE;
	case REQ_PH_FLUSH:
		break;
	}
	return REQ_PH_NONE;
}

/* Where the edge blocks of a read-modify-write are read to: the block behind the range. */
static uint8_t *req_edge(const struct req *r)
{
	return (uint8_t *)r->data + (size_t)r->nblocks * r->lun->geo.block_bytes;
}

/* An edge block has been read: complete the buffer by what is kept of it. */
static void req_patch_edge(struct req *r)
{
	uint32_t bs = r->lun->geo.block_bytes;
	uint8_t *data = r->data, *edge = req_edge(r);

	if (r->phase == REQ_PH_HEAD)
		memcpy(data, edge, r->head_skip);
	if (r->tail_skip && !fault_strikes(PLANT_RMW_TAIL) && (r->phase == REQ_PH_TAIL || r->nblocks == 1))
		memcpy(data + (size_t)r->nblocks * bs - r->tail_skip, edge + bs - r->tail_skip,
		       r->tail_skip);
}

static int req_refusal(const struct lun *lun, const struct req *r)
{
	unsigned caps = lun->limits.caps;

	if (r->op == REQ_DISCARD && !(caps & PATH_CAP_DISCARD))
		return EOPNOTSUPP;
	if (r->op == REQ_STATUS && !(caps & PATH_CAP_STATUS))
		return EOPNOTSUPP;
	if (r->op == REQ_WRITE_ZEROES && (r->flags & REQ_F_FAST_ZERO) &&
	    (~caps & (PATH_CAP_WRITE_ZEROES | PATH_CAP_FAST_ZERO)))
		return EOPNOTSUPP;
	return 0;
}

void lun_enter_phase(struct req *r)
{
	struct lun *lun = r->lun;
	int err = 0;

	if (r->phase == REQ_PH_NONE)
		err = req_refusal(lun, r);
	if (r->is_hedge && !r->lead)
		err = ECANCELED;
	else if (lun->state == LUN_FAILING)
		err = EIO;
	else if (lun->state >= LUN_STOPPING)
		err = ESHUTDOWN;
	if (!err) {
		r->phase = req_next_phase(r);
		if (r->phase == REQ_PH_FLUSH) {
			req_set_state(r, REQ_FLUSHING);
			flush_add(lun, r);
			return;
		}
	}
	if (err || r->phase == REQ_PH_NONE) {
		lun_finish(r, err);
		return;
	}
	r->todo_lba = r->phase == REQ_PH_TAIL ? r->lba + r->nblocks - 1 : r->lba;
	r->todo_blocks = r->phase == REQ_PH_MAIN ? r->nblocks : 1;
	r->left_blocks = r->todo_blocks;
	if (r->phase != REQ_PH_MAIN)
		r->todo_data = req_edge(r);
	else
		r->todo_data = r->op == REQ_READ || r->op == REQ_WRITE ? r->data : NULL;
	req_set_state(r, REQ_QUEUED);
	elv_insert(&lun->elv, r);
	lun_dirty(lun);
}

void req_part_done(struct req *r, uint32_t nblocks, int err)
{
	struct lun *lun = r->lun;

	assert(nblocks <= r->left_blocks);
	r->left_blocks -= nblocks;
	if (err && !r->err)
		r->err = err;
	if (r->err && r->state == REQ_QUEUED) {
		/* What has not been sent need not be. */
		elv_remove(&lun->elv, r);
		r->left_blocks -= r->todo_blocks;
		r->todo_blocks = 0;
		req_set_state(r, REQ_SENT);
	}
	if (r->left_blocks)
		return;
	assert(r->state == REQ_SENT);
	if (r->err) {
		lun_finish(r, r->err);
		return;
	}
	if (r->phase == REQ_PH_HEAD || r->phase == REQ_PH_TAIL)
		req_patch_edge(r);
	lun_enter_phase(r);
}

static void lun_call_done(struct lun *lun)
{
	struct req *r;

	while ((r = TAILQ_FIRST(&lun->finished))) {
		TAILQ_REMOVE(&lun->finished, r, fifo);
		if (r->err && r->err != ECANCELED)
			lun->stats.errors++;
		if (r->op == REQ_READ || r->op == REQ_WRITE)
			hist_add(&lun->stats.latency[r->op == REQ_WRITE], lun->now_ns - r->submit_ns);
		if (fault_strikes(PLANT_DOUBLE_REPLY))
			r->done(r);
		r->done(r);
	}
}

/* --- picking a path ------------------------------------------------------------ */

static bool cmd_has_tried(const struct cmd *cmd, const struct path *p)
{
	return cmd && (cmd->tried[p->index / 64] >> (p->index % 64) & 1);
}

/* Keep those whose host has no suspect path, if there are any. */
static unsigned prefer_other_hosts(struct path **cand, unsigned n)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		if (!cand[i]->host_suspect)
			cand[k++] = cand[i];
	return k ? k : n;
}

static struct path *lun_pick_in(struct lun *lun, const struct group *g, const struct cmd *cmd,
				bool good, unsigned *ret_untried)
{
	struct path *cand[PATHS_MAX], *usable[PATHS_MAX];
	struct sel_ask ask = {
		.par = &lun->par, .now_ns = lun->now_ns, .cand = cand, .usable = usable
	};
	unsigned nshunned = 0;

	for (unsigned i = 0; i < g->npaths; i++) {
		struct path *p = g->paths[i];

		if (!path_is_usable(p) || path_is_good(p) != good || cmd_has_tried(cmd, p))
			continue;
		usable[ask.nusable++] = p;
		if (!path_has_room(p))
			continue;
		cand[ask.n++] = p;
		nshunned += p->host_suspect;
	}
	*ret_untried += ask.nusable;
	if (nshunned)
		ask.n = prefer_other_hosts(cand, ask.n);
	return ask.n ? sel_pick(lun->sel, &lun->sel_state, &ask) : NULL;
}

/* The path for @cmd (NULL: for the elevator's next), or NULL to wait. */
struct path *lun_pick_path(struct lun *lun, const struct cmd *cmd)
{
	const struct group *current = &lun->groups.g[MAX(lun->groups.current, 0)];
	unsigned untried = 0;
	struct path *p;

	if (lun->groups.current < 0)
		return NULL;
	if (!cmd && ready_pick(lun, &p))
		return p;
	if (cmd && cmd->pin && path_keeps_cache(cmd->pin))
		return path_is_usable(cmd->pin) && path_has_room(cmd->pin) ? cmd->pin : NULL;
	if (cmd && cmd->prefer && path_is_usable(cmd->prefer) && path_has_room(cmd->prefer))
		return cmd->prefer;
	/* Those that are good first; marginal ones when none of these is left for this command. */
	for (int good = 1; good >= 0; good--) {
		p = lun_pick_in(lun, current, cmd, good, &untried);
		/* Every path of the current group has sent this command away: another group. */
		for (unsigned i = 0; cmd && i < lun->groups.n && !p && !untried; i++)
			if ((int)i != lun->groups.current)
				p = lun_pick_in(lun, &lun->groups.g[i], cmd, good, &untried);
		if (p || untried)
			return p;
	}
	if (!cmd)
		return NULL;
	/* Every usable path has: they all start over (the budget of attempts ends it). */
	p = lun_pick_in(lun, current, NULL, true, &untried);
	return p || untried ? p : lun_pick_in(lun, current, NULL, false, &untried);
}

/* What ready.c says is what asking every path says. */
void lun_verify_pick(struct lun *lun)
{
	unsigned untried = 0;
	struct path *p;

	if (lun->groups.current >= 0 && !fault_any && ready_pick(lun, &p))
		assert(p == lun_pick_in(lun, &lun->groups.g[lun->groups.current], NULL, true, &untried) && untried > 0);
}

/* --- dispatch --------------------------------------------------------------------- */

static void lun_stamp_first_send(struct lun *lun, const struct cmd *cmd)
{
	if (cmd->tries)
		return;
	for (unsigned i = 0; i < cmd->nsegs; i++)
		hist_add(&lun->stats.queue_time, lun->now_ns - cmd->seg[i].req->submit_ns);
}

/* The request came, or the command was made, when the paths could do more than now. False: they
 * cannot do it at all. */
static bool lun_adapt(struct lun *lun, struct cmd *cmd)
{
	unsigned caps = lun->limits.caps;

	if (fault_strikes(PLANT_ABILITY_UNCHECKED))
		return true;
	if (cmd->op == CMD_WRITE_ZEROES && !(caps & PATH_CAP_WRITE_ZEROES))
		cmd_write_zeroes_by_hand(lun, cmd);
	if ((cmd->flags & CMD_F_FUA) && !(caps & PATH_CAP_FUA)) {
		cmd->flags &= ~(unsigned)CMD_F_FUA;
		for (unsigned i = 0; i < cmd->nsegs; i++)
			cmd->seg[i].req->need_flush = true;
	}
	if (cmd->op == CMD_DISCARD)
		return caps & PATH_CAP_DISCARD;
	return cmd->op != CMD_STATUS || (caps & PATH_CAP_STATUS);
}

/* 0: sent; -EAGAIN: that path is full; -ENODEV: that path is gone. */
static int lun_send(struct lun *lun, struct path *p, struct cmd *cmd)
{
	int r;

	assert(cmd->op == CMD_FLUSH || cmd->nsegs > 0);
	assert((cmd->op != CMD_READ && cmd->op != CMD_WRITE) || cmd->niov > 0);
	if (__builtin_expect(p->inject.order.fault == INJECT_REFUSE, 0) && inject_refuses(p))
		return -ENODEV;
	cmd->path = p;
	memset(&cmd->outcome, 0, sizeof(cmd->outcome));
	ledger_sending(lun, cmd, p);
	r = p->ops->submit(p, cmd);
	if (r == -EAGAIN) {
		p->no_room = true;
		ready_update(p);
		p->stats.busy_again++;
		return r;
	}
	if (r == -ENODEV) {
		path_event(p, PEV_DOWN, "the device is gone");
		return r;
	}
	assert(r == 0);
	lun_stamp_first_send(lun, cmd);
	ledger_sent(cmd);
	cache_sent(lun, cmd, p);
	qdepth_take(&lun->qd);
	path_send(p, cmd, lun->now_ns);
	if (cmd->tries++)
		lun->stats.retries++;
	lun->stats.cmds++;
	sel_used(&lun->sel_state, p, cmd, cmd_bytes(lun, cmd), lun->now_ns);
	ready_update(p);
	return 0;
}

/* Commands that were sent before, oldest first, ahead of anything new. One that waits for a path
 * of its own (it is pinned, or the others have sent it away) keeps its turn and stops nobody: that
 * path may hang. */
static void lun_dispatch_retry(struct lun *lun)
{
	struct cmd *cmd = STAILQ_FIRST(&lun->retry), *next;

	for (; cmd && qdepth_has_slot(&lun->qd); cmd = next) {
		struct cmd *part = NULL;
		struct path *p;

		next = STAILQ_NEXT(cmd, link);
		if (cmd_is_void(cmd)) {
			STAILQ_REMOVE(&lun->retry, cmd, cmd, link);
			cmd_end(lun, cmd, ECANCELED);
			continue;
		}
		if (cmd_has_void_part(cmd))
			cmd->unmerge = true;
		if (!lun_adapt(lun, cmd)) {
			STAILQ_REMOVE(&lun->retry, cmd, cmd, link);
			cmd_end(lun, cmd, EOPNOTSUPP);
			continue;
		}
		p = lun_pick_path(lun, cmd);
		if (!p)
			continue;
		if (!cmd_fits(lun, cmd)) {
			part = cmd_split(lun, cmd);
			if (!part)
				continue;
			STAILQ_INSERT_HEAD(&lun->retry, part, link);
			next = part;
			continue;
		}
		if (lun_send(lun, p, cmd) == 0)
			STAILQ_REMOVE(&lun->retry, cmd, cmd, link);
		else
			next = cmd; /* the path is full or gone now: pick again */
	}
}

static void lun_dispatch(struct lun *lun)
{
	lun_dispatch_retry(lun);
	while (qdepth_has_slot(&lun->qd) && elv_count(&lun->elv)) {
		struct path *p = lun_pick_path(lun, NULL);
		struct cmd *cmd;

		if (!p || !(cmd = cmd_build(lun)))
			return;
		if (!lun_adapt(lun, cmd)) {
			cmd_end(lun, cmd, EOPNOTSUPP);
			continue;
		}
		if (lun_send(lun, p, cmd) < 0) {
			STAILQ_INSERT_TAIL(&lun->retry, cmd, link);
			lun_dispatch_retry(lun);
		}
	}
}

static void lun_flush_paths(struct lun *lun)
{
	struct path *p;

	while ((p = SLIST_FIRST(&lun->to_flush))) {
		SLIST_REMOVE_HEAD(&lun->to_flush, flush_link);
		p->to_flush = false;
		if (p->ops->flush)
			p->ops->flush(p);
	}
}

static void lun_release_delayed(struct lun *lun)
{
	struct cmd *cmd;

	while ((cmd = STAILQ_FIRST(&lun->delayed)) && cmd->due_ns <= lun->now_ns) {
		STAILQ_REMOVE_HEAD(&lun->delayed, link);
		STAILQ_INSERT_TAIL(&lun->retry, cmd, link);
	}
	if (cmd)
		loop_timer_at(lun->loop, &lun->delay_timer, cmd->due_ns);
}

/* Everything that is not at a path ends with @err. */
void lun_fail_queued(struct lun *lun, int err)
{
	struct cmd *cmd;
	struct req *r;

	if (err == ESHUTDOWN)
		ledger_release_held(lun); /* else they end with their ghosts: they have been written */
	STAILQ_CONCAT(&lun->retry, &lun->delayed);
	while ((cmd = STAILQ_FIRST(&lun->retry))) {
		STAILQ_REMOVE_HEAD(&lun->retry, link);
		if (cmd->op == CMD_FLUSH)
			flush_cmd_ended(lun, cmd, err, false);
		else
			cmd_end(lun, cmd, err);
	}
	flush_fail_waiting(lun, err);
	/* Ending a write lets the next one into the elevator: until nothing is left. */
	while (elv_count(&lun->elv)) {
		r = TAILQ_FIRST(&lun->elv.fifo[lun->elv.n[ELV_READ] ? ELV_READ : ELV_WRITE]);
		if (r->left_blocks > r->todo_blocks) {
			/* Parts are at a path: it ends when they do. */
			r->err = r->err ? r->err : err;
			req_part_done(r, 0, 0);
		} else {
			elv_remove(&lun->elv, r);
			r->left_blocks = r->todo_blocks = 0;
			lun_finish(r, err);
		}
	}
	/* Those that wait for a ghost. */
	while ((r = rangelock_first_blocked(&lun->lock)))
		lun_finish(r, err);
}

void lun_run_task(struct loop_task *t)
{
	struct lun *lun = container_of(t, struct lun, run_task);
	struct cmd *cmd;

	lun->now_ns = loop_now_ns(lun->loop);
	while ((cmd = STAILQ_FIRST(&lun->completed))) {
		STAILQ_REMOVE_HEAD(&lun->completed, link);
		lun_act(lun, cmd);
	}
	lun_release_delayed(lun);
	ledger_serve(lun);
	overdue_look(lun);
	flush_start_round(lun);
	lun_call_done(lun);
	if (lun->state == LUN_FAILING || lun->state == LUN_STOPPING)
		lun_fail_queued(lun, lun->state == LUN_FAILING ? EIO : ESHUTDOWN);
	else
		lun_dispatch(lun);
	lun_call_done(lun);
	lun_flush_paths(lun);
	overdue_watch(lun);
	record_depth(lun);
	lun_stop_progress(lun);
	if (!lun->qd.inflight && !elv_count(&lun->elv) && STAILQ_EMPTY(&lun->retry) &&
	    STAILQ_EMPTY(&lun->delayed))
		lun->last_done_ns = 0;
	lun_verify_turn(lun);
}
