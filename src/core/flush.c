/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flush.c - flush rounds: when one starts, which paths it flushes, whom it
 * answers.  What a lost cache makes of the answer is cache.c's.
 *
 * A round serves every request that asked before it started: all of them saw
 * their writes acknowledged, and a command sent later covers these.  Requests
 * that come during a round wait for the next one.  With nothing dirty a round
 * has no command.
 *
 * A path is dirty from the end of a write that a cache may hold (and at first:
 * an earlier process may have written) until a flush that covers it is made;
 * a round that fails makes all of them dirty again.  With FLUSH_SCOPE_LU one
 * command on any path empties the LUN's cache; with FLUSH_SCOPE_ALL, or as soon as one path
 * has a cache of its own, every dirty path is flushed, and one that is being
 * checked is waited for.  A dirty path that is not usable keeps its mark then:
 * block devices are opened O_DIRECT and nodes of one file share its page cache,
 * so its writes are below the other paths and a flush there covers them; it is
 * flushed itself when it is back.
 */
#include "core/lun_priv.h"

#include "base/fault.h"

#include <assert.h>
#include <errno.h>

void flush_init(struct flush_engine *f)
{
	TAILQ_INIT(&f->waiting);
	TAILQ_INIT(&f->running);
}

void flush_add(struct lun *lun, struct req *r)
{
	TAILQ_INSERT_TAIL(&lun->flush.waiting, r, fifo);
	lun_dirty(lun);
}

bool flush_is_idle(const struct lun *lun)
{
	return !lun->flush.active && TAILQ_EMPTY(&lun->flush.waiting);
}

bool flush_is_needed(const struct lun *lun)
{
	const struct path *p;

	if (lun->geo.read_only)
		return false;
	if (lun->flush.dirty)
		return true;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->dirty)
			return true;
	return false;
}

static bool flush_every_path(const struct lun *lun)
{
	const struct path *p;

	if (fault_strikes(PLANT_FLUSH_ONE_PATH))
		return false;
	if (lun->par.flush_scope == FLUSH_SCOPE_ALL)
		return true;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->info_valid && (p->info.caps & PATH_CAP_OWN_CACHE))
			return true;
	return false;
}

static bool flush_send(struct lun *lun, struct path *pin)
{
	struct cmd *cmd = cmd_get(lun);

	if (!cmd)
		return false;
	cmd->op = CMD_FLUSH;
	cmd->pin = cmd->owed = pin;
	lun->flush.ncmds++;
	STAILQ_INSERT_TAIL(&lun->retry, cmd, link);
	return true;
}

static void flush_answer(struct lun *lun, struct req_list *list, int err)
{
	struct req *r;

	while ((r = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, r, fifo);
		lun_finish(r, cache_flush_answer(lun, r, err));
	}
}

static void flush_end_round(struct lun *lun)
{
	struct flush_engine *f = &lun->flush;
	struct path *p;

	f->active = false;
	f->dirty |= f->err != 0;
	if (f->err)
		TAILQ_FOREACH (p, &lun->paths, link)
			p->dirty = true;
	if (f->failed)
		cache_flush_failed(lun);
	if (!f->err) {
		f->good = f->round;
		cache_flushed(lun, f->begun_ns);
	}
	flush_answer(lun, &f->running, f->err);
	lun_dirty(lun);
}

/* Send what the round still has to send; end it when nothing is left. */
static void flush_progress(struct lun *lun)
{
	struct path *p;

	TAILQ_FOREACH (p, &lun->paths, link) {
		if (!p->flush_due)
			continue;
		if (!flush_send(lun, p))
			break; /* no command is free: the next one that ends brings us back */
		p->flush_due = p->dirty = false;
	}
	/* Without a pin: any path does for what one that has gone has written. */
	if (lun->flush.due && flush_send(lun, NULL))
		lun->flush.due = lun->flush.dirty = false;
	if (!lun->flush.ncmds && !lun->flush.due && !p && !lun->cache.asking)
		flush_end_round(lun);
}

void flush_force_round(struct lun *lun)
{
	struct flush_engine *f = &lun->flush;
	bool each = flush_every_path(lun), any = false;
	struct path *p;

	assert(!f->active);
	f->active = true;
	f->failed = false;
	f->err = 0;
	f->ncmds = 0;
	if (each)
		TAILQ_FOREACH (p, &lun->paths, link)
			if (p->dirty && path_keeps_cache(p))
				p->flush_due = any = true;
	if (!any) {
		if (!flush_send(lun, NULL)) {
			f->active = false; /* no command is free: tried again each turn */
			return;
		}
		if (!each)
			TAILQ_FOREACH (p, &lun->paths, link)
				p->dirty = false;
	}
	f->dirty = false;
	f->round++;
	f->begun_ns = loop_now_ns(lun->loop);
	lun->stats.flush_rounds++;
	flush_progress(lun);
}

/* A round of no command: nothing is dirty. */
static void flush_skip(struct lun *lun)
{
	struct flush_engine *f = &lun->flush;
	struct req *r;

	f->good = ++f->round;
	cache_flushed(lun, loop_now_ns(lun->loop));
	TAILQ_FOREACH (r, &f->waiting, fifo)
		lun->stats.flush_skipped++;
	flush_answer(lun, &f->waiting, 0);
}

/* After all that has ended in this turn was acted on: what it says of the cache comes before the
 * answer of a flush. */
void flush_start_round(struct lun *lun)
{
	struct flush_engine *f = &lun->flush;

	if (f->active)
		flush_progress(lun);
	if (f->active || TAILQ_EMPTY(&f->waiting))
		return;
	if (!flush_is_needed(lun) || fault_strikes(PLANT_FLUSH_FORGETS)) {
		if (!lun->cache.asking)
			flush_skip(lun);
		return;
	}
	flush_force_round(lun);
	if (f->active)
		TAILQ_CONCAT(&f->running, &f->waiting, fifo);
}

/* What it wrote is below the other paths now, but not on the medium. */
void flush_path_gone(struct lun *lun, const struct path *p)
{
	struct flush_engine *f = &lun->flush;

	if (!p->dirty || fault_strikes(PLANT_WRITER_GONE))
		return;
	f->dirty = true;
	f->due |= f->active && p->flush_due;
}

void flush_cmd_ended(struct lun *lun, struct cmd *cmd, int err, bool by_device)
{
	struct flush_engine *f = &lun->flush;

	assert(f->active && f->ncmds > 0);
	f->ncmds--;
	if (err && !f->err)
		f->err = err;
	f->failed |= err && by_device;
	/* Another path took it over: what this one has in its cache is still there. */
	if (cmd->owed && cmd->owed != cmd->path)
		cmd->owed->dirty = true;
	cmd_put(lun, cmd);
	lun_dirty(lun); /* the turn goes on with the round */
}

void flush_fail_waiting(struct lun *lun, int err)
{
	struct flush_engine *f = &lun->flush;
	struct path *p;
	struct req *r;

	while ((r = TAILQ_FIRST(&f->waiting))) {
		TAILQ_REMOVE(&f->waiting, r, fifo);
		lun_finish(r, err);
	}
	TAILQ_FOREACH (p, &lun->paths, link)
		p->flush_due = false;
	f->due = false;
	if (f->active && !f->ncmds) {
		f->err = f->err ? f->err : err;
		flush_end_round(lun);
	}
}
