/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lun.c - making a LUN, handing it requests, ending it, looking at it. */
#include "core/lun.h"

#include "core/lun_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void lun_params_default(struct lun_params *p)
{
	*p = (struct lun_params){
		.selector = SEL_SERVICE_TIME,
		.rr_min_io = 1,
		.elevator = ELV_AUTO,
		/* mq-deadline's */
		.read_expire_ns = 500 * NS_PER_MS,
		.write_expire_ns = 5 * NS_PER_SEC,
		.fifo_batch = 16,
		.writes_starved = 2,
		.grouping = GROUP_BY_PRIO,
		.failback = FAILBACK_IMMEDIATE,
		.no_path = NO_PATH_RETRY,
		.no_path_checks = 12,
		.polling_interval_ns = 5 * NS_PER_SEC,
		.max_polling_interval_ns = 20 * NS_PER_SEC,
		.identity_ns = IDENTITY_SEC * NS_PER_SEC,
		.fresh_ns = IDENTITY_FRESH_SEC * NS_PER_SEC,
		.flap_window_ns = 60 * NS_PER_SEC,
		.err_sample_ns = 60 * NS_PER_SEC,
		.err_rate = 100,
		.marginal_ns = 120 * NS_PER_SEC,
		.flush_scope = FLUSH_SCOPE_LU,
		.max_reqs = REQS_DEFAULT,
		.ghost_time_ns = GHOST_TIME_NS,
		.max_ghosts = LEDGER_GHOSTS,
		.buffer_bytes = BUF_ARENA_DEFAULT,
	};
}

static void lun_delay_due(struct loop_timer *t)
{
	lun_dirty(container_of(t, struct lun, delay_timer));
}

static void lun_stop_due(struct loop_timer *t)
{
	struct lun *lun = container_of(t, struct lun, stop_timer);

	if (lun->state == LUN_DRAINING)
		lun_set_state(lun, LUN_STOPPING, "the time to drain is over");
}

static void lun_notify_task(struct loop_task *t)
{
	struct lun *lun = container_of(t, struct lun, notify_task);
	struct lun_observer *o, *next;

	TAILQ_FOREACH_SAFE (o, &lun->observers, link, next)
		o->changed(o, lun);
}

int lun_check_params(const struct lun_params *p)
{
	if (p->depth > DEPTH_MAX || p->path_depth > DEPTH_MAX || p->host_depth > DEPTH_MAX)
		return -EINVAL;
	if (p->max_reqs < 1 || p->max_reqs > REQS_MAX || p->rr_min_io < 1 ||
	    p->rr_min_bytes > 1u << 31)
		return -EINVAL;
	if (p->buffer_bytes < REQ_BYTES_MAX || (p->buffer_bytes & (p->buffer_bytes - 1)))
		return -EINVAL;
	if (!p->max_ghosts || p->max_ghosts > LEDGER_GHOSTS_MAX)
		return -EINVAL;
	if (!p->polling_interval_ns || p->max_polling_interval_ns < p->polling_interval_ns)
		return -EINVAL;
	if (!p->fresh_ns || p->identity_ns <= p->fresh_ns)
		return -EINVAL;
	return 0;
}

int lun_new(struct loop *l, const struct lun_params *p, struct lun **ret)
{
	struct elv_tunables tun = {
		.expire_ns = { [ELV_READ] = p->read_expire_ns, [ELV_WRITE] = p->write_expire_ns },
		.fifo_batch = p->fifo_batch,
		.writes_starved = p->writes_starved,
	};
	struct lun *lun;
	int r = lun_check_params(p);

	if (r < 0)
		return r;
	lun = calloc(1, sizeof(*lun));
	if (!lun)
		return -ENOMEM;
	lun->loop = l;
	lun->par = *p;
	lun->state = LUN_STARTING;
	TAILQ_INIT(&lun->paths);
	TAILQ_INIT(&lun->finished);
	TAILQ_INIT(&lun->observers);
	STAILQ_INIT(&lun->completed);
	STAILQ_INIT(&lun->retry);
	STAILQ_INIT(&lun->delayed);
	lun->groups.current = -1;
	lun->sel = sel_by_kind(p->selector);
	elv_init(&lun->elv, p->elevator == ELV_AUTO ? ELV_DEADLINE : p->elevator, &tun);
	rangelock_init(&lun->lock);
	qdepth_init(&lun->qd, p->depth ? p->depth : DEPTH_DEFAULT);
	flush_init(&lun->flush);
	cache_init(lun);
	loop_task_init(&lun->run_task, LOOP_DECIDE, lun_run_task);
	loop_task_init(&lun->room_task, LOOP_COLLECT, lun_room_task);
	loop_task_init(&lun->notify_task, LOOP_FLUSH, lun_notify_task);
	loop_timer_init(&lun->delay_timer, lun_delay_due);
	loop_timer_init(&lun->no_path_timer, lun_no_path_expired);
	loop_timer_init(&lun->failback_timer, lun_failback_due);
	loop_timer_init(&lun->activate_timer, lun_activate_due);
	loop_timer_init(&lun->stop_timer, lun_stop_due);
	overdue_init(lun);
	lun->next_seq = HEDGES_MAX + 1; /* ghosts of an earlier process have none */
	r = lun_pool_init(lun);
	if (r == 0)
		r = ledger_init(lun);
	if (r == 0)
		r = record_init(lun);
	if (r < 0) {
		lun_free(lun);
		return r;
	}
	*ret = lun;
	return 0;
}

void lun_free(struct lun *lun)
{
	if (!lun)
		return;
	assert(TAILQ_EMPTY(&lun->paths) && TAILQ_EMPTY(&lun->observers));
	assert(!lun->stats.reqs_out && TAILQ_EMPTY(&lun->waiters));
	lun_client_leave(&lun->cache.nobody);
	assert(TAILQ_EMPTY(&lun->cache.clients));
	loop_task_cancel(lun->loop, &lun->run_task);
	loop_task_cancel(lun->loop, &lun->room_task);
	loop_task_cancel(lun->loop, &lun->notify_task);
	loop_timer_stop(lun->loop, &lun->delay_timer);
	loop_timer_stop(lun->loop, &lun->no_path_timer);
	loop_timer_stop(lun->loop, &lun->failback_timer);
	loop_timer_stop(lun->loop, &lun->activate_timer);
	loop_timer_stop(lun->loop, &lun->stop_timer);
	loop_timer_stop(lun->loop, &lun->overdue_timer);
	loop_timer_stop(lun->loop, &lun->cache.timer);
	ledger_fini(lun);
	lun_pool_fini(lun);
	record_fini(lun);
	free(lun);
}

void lun_vanish(struct lun *lun)
{
	ledger_drop(lun);
	lun_pool_drop(lun);
	record_fini(lun);
	free(lun);
}

/* --- requests -------------------------------------------------------------------- */

static void lun_assert_range(const struct lun *lun, const struct req *r)
{
	const struct lun_geometry *g = &lun->geo;
	size_t edge = r->head_skip || r->tail_skip ? g->block_bytes : 0;

	assert(lun->geo_valid && r->done);
	if (r->op == REQ_FLUSH) {
		assert(!r->nblocks && !r->lba);
		return;
	}
	assert(r->nblocks > 0 && r->lba < g->nblocks && r->nblocks <= g->nblocks - r->lba);
	assert(!req_is_write(r) || !g->read_only);
	assert(!edge || r->op == REQ_WRITE);
	assert(r->head_skip < g->block_bytes && r->tail_skip < g->block_bytes);
	if (r->op == REQ_READ || r->op == REQ_WRITE)
		assert(r->data_bytes >= (size_t)r->nblocks * g->block_bytes + edge);
	if (r->op == REQ_STATUS)
		assert(r->data_bytes >= sizeof(struct extent));
}

static void lun_count(struct lun *lun, const struct req *r)
{
	uint64_t bytes = (uint64_t)r->nblocks * lun->geo.block_bytes;

	lun->stats.reqs[r->op]++;
	if (r->op == REQ_READ)
		lun->stats.bytes_read += bytes;
	else if (r->op == REQ_WRITE)
		lun->stats.bytes_written += bytes;
	if (r->head_skip || r->tail_skip)
		lun->stats.rmw++;
}

static bool lun_may_run(struct lun *lun, struct req *r)
{
	bool free = r->op == REQ_FLUSH || rangelock_acquire(&lun->lock, r);

	return req_is_write(r) ? ledger_admit(lun, r) && free : free;
}

void lun_submit(struct req *r)
{
	struct lun *lun = r->lun;

	assert(r->state == REQ_OWNED);
	lun_assert_range(lun, r);
	r->seq = lun->next_seq;
	lun->next_seq += HEDGES_MAX + 1; /* those between are its hedges' */
	r->submit_ns = loop_now_ns(lun->loop);
	r->gen = CACHE_GEN_NONE;
	if (!r->client)
		cache_adopt(lun, r);
	assert(r->client->lun == lun);
	if (!lun->last_done_ns)
		lun->last_done_ns = r->submit_ns;
	lun_count(lun, r);
	if (lun->state >= LUN_DRAINING) {
		lun_finish(r, ESHUTDOWN);
		return;
	}
	if (!lun_may_run(lun, r)) {
		lun->stats.blocked++;
		req_set_state(r, REQ_BLOCKED);
		return;
	}
	lun_enter_phase(r);
}

static bool lun_has_sent(const struct req *r)
{
	return (r->phase == REQ_PH_MAIN && r->todo_blocks != r->nblocks) || (r->entry && r->entry->sent);
}

void lun_cancel(struct req *r)
{
	struct lun *lun = r->lun;

	r->client = NULL;
	if (r->locked && fault_strikes(PLANT_CANCEL_UNLOCKS))
		lun_unlock(r, NULL);
	if (r->state == REQ_QUEUED) {
		/* Of a read-modify-write only reads have run before its main phase; but a hedge, which
		 * begins anew, may be ahead of it. */
		if (r->ncmds || (lun_has_sent(r) && !fault_strikes(PLANT_CANCEL_SENT)))
			return;
		elv_remove(&lun->elv, r);
		r->left_blocks = r->todo_blocks = 0;
	} else if (r->state != REQ_BLOCKED) {
		return;
	}
	lun->stats.canceled++;
	lun_finish(r, ECANCELED);
}

/* --- ending ------------------------------------------------------------------------- */

static bool lun_is_quiet(const struct lun *lun)
{
	return !lun->qd.inflight && !elv_count(&lun->elv) && STAILQ_EMPTY(&lun->retry) &&
	       STAILQ_EMPTY(&lun->delayed) && STAILQ_EMPTY(&lun->completed) && flush_is_idle(lun) &&
	       !lun->lock.nreads && !lun->lock.nwrites;
}

void lun_stop(struct lun *lun, uint64_t grace_ns)
{
	struct path *p;
	bool may_drain;

	TAILQ_FOREACH (p, &lun->paths, link)
		inject_off(p, "the LUN stops");
	if (lun->state < LUN_DRAINING) {
		loop_timer_stop(lun->loop, &lun->no_path_timer);
		loop_timer_stop(lun->loop, &lun->failback_timer);
		loop_timer_stop(lun->loop, &lun->activate_timer);
		/* A check takes a moment; what is written might still be flushed. */
		may_drain = lun->nusable || (lun->geo_valid && lun_is_checking(lun));
		lun_set_state(lun, may_drain && grace_ns ? LUN_DRAINING : LUN_STOPPING, "asked to stop");
		loop_timer_in(lun->loop, &lun->stop_timer, grace_ns);
	} else if (lun->state == LUN_DRAINING && !grace_ns) {
		lun_set_state(lun, LUN_STOPPING, "asked to stop at once");
	}
	lun_dirty(lun);
}

void lun_stop_progress(struct lun *lun)
{
	struct path *p, *next;

	if (lun->any_closed) {
		lun->any_closed = false;
		TAILQ_FOREACH_SAFE (p, &lun->paths, link, next)
			if (p->closed) {
				lun->any_closed |= p->inflight > 0;
				lun_path_closed(lun, p);
			}
	}
	if (lun->state == LUN_DRAINING && lun_is_quiet(lun)) {
		if (flush_is_needed(lun) && !lun->stop_flushed) {
			lun->stop_flushed = true;
			flush_force_round(lun);
			lun_dirty(lun);
		} else {
			lun_set_state(lun, LUN_STOPPING, "drained and flushed");
		}
	}
	if (lun->state != LUN_STOPPING)
		return;
	TAILQ_FOREACH_SAFE (p, &lun->paths, link, next)
		lun_remove_path(lun, p, "stopping");
	if (!lun->npaths) {
		loop_timer_stop(lun->loop, &lun->stop_timer);
		lun_set_state(lun, LUN_STOPPED, "no path is left");
	}
}

/* --- observers, live changes, statistics ----------------------------------------------- */

void lun_notify(struct lun *lun)
{
	loop_task_queue(lun->loop, &lun->notify_task);
}

void lun_observe(struct lun *lun, struct lun_observer *o)
{
	TAILQ_INSERT_TAIL(&lun->observers, o, link);
}

void lun_unobserve(struct lun *lun, struct lun_observer *o)
{
	TAILQ_REMOVE(&lun->observers, o, link);
}

const struct lun_params *lun_params(const struct lun *lun)
{
	return &lun->par;
}

const char *lun_elevator(const struct lun *lun)
{
	return lun->elv.ops->name;
}

void lun_get_stats(const struct lun *lun, struct lun_stats *ret)
{
	const struct cmd *cmd;

	*ret = lun->stats;
	ret->inflight = lun->qd.inflight;
	ret->inflight_max = lun->qd.inflight_max;
	ret->depth = lun->qd.limit;
	ret->depth_max = lun->qd.max;
	ret->depth_shrunk = lun->qd.shrunk;
	ret->depth_hints = lun->qd.hidden;
	ret->queued = elv_count(&lun->elv);
	ledger_stats(lun, ret);
	ret->errors_owed = cache_errors_owed(lun);
	STAILQ_FOREACH (cmd, &lun->retry, link)
		ret->held_now++;
	STAILQ_FOREACH (cmd, &lun->delayed, link)
		ret->held_now++;
	ret->buf_bytes = buf_in_use(lun->arena);
	ret->buf_bytes_max = buf_high_water(lun->arena);
}

unsigned lun_get_groups(const struct lun *lun, struct lun_group_info *ret, unsigned max)
{
	const struct groups *gs = &lun->groups;

	for (unsigned i = 0; i < gs->n && i < max; i++)
		ret[i] = (struct lun_group_info){ .prio = gs->g[i].prio,
						  .npaths = gs->g[i].npaths,
						  .nusable = gs->g[i].nusable,
						  .current = (int)i == gs->current,
						  .by_hand = (int)i == gs->current && lun->by_hand };
	return gs->n;
}

void lun_verify(struct lun *lun)
{
	unsigned inflight = 0, usable = 0, n = 0;
	unsigned by_host[PATHS_MAX] = { 0 };
	struct path *p;
	struct cmd *cmd;

	elv_verify(&lun->elv);
	rangelock_verify(&lun->lock);
	ledger_verify(lun);
	TAILQ_FOREACH (p, &lun->paths, link) {
		unsigned k = 0, by_class[BYTE_CLASSES + 1] = { 0 };
		uint64_t bytes = 0;

		assert(lun->by_index[p->index] == p);
		TAILQ_FOREACH (cmd, &p->cmds, inflight) {
			assert(cmd->path == p);
			bytes += cmd_bytes(lun, cmd);
			by_class[byte_class(cmd, cmd_bytes(lun, cmd))]++;
			k++;
		}
		assert(k == p->inflight && bytes == p->inflight_bytes);
		assert(memcmp(by_class, p->inflight_class, sizeof(by_class)) == 0);
		if (p->adapter)
			by_host[p->adapter - lun->hosts] += k;
		inflight += k;
		usable += path_is_usable(p);
		n++;
	}
	for (unsigned i = 0; i < PATHS_MAX; i++)
		assert(by_host[i] == (lun->hosts[i].npaths ? lun->hosts[i].inflight : 0));
	assert(n == lun->npaths && usable == lun->nusable);
	if (!fault_any)
		assert(inflight == lun->qd.inflight);
	assert(lun->qd.limit >= 1 && lun->qd.limit <= lun->qd.max);
	assert((lun->groups.current >= 0) == (usable > 0));
	ready_verify(lun);
	lun_verify_pick(lun);
}
