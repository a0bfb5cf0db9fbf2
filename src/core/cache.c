/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.c - a LUN that has lost its write cache, and whom it must be told
 * (integrity: H9, H10).
 *
 * A unit attention of the kind "power on" (VF_CACHE) is a suspicion: a power
 * loss of the LUN raises one on every nexus, but a nexus that is new or was
 * reset raises one of its own.  So flush answers are held, every usable path is
 * checked, and it is decided once:
 *
 *   refuted    another usable path answers its check with no unit attention, and
 *              nothing has happened to it since the oldest volatile write was
 *              sent that might have eaten one (struct path, clean_since_ns)
 *   confirmed  no path does: the LUN was reset.  A deferred error (VF_DEFERRED)
 *              needs no asking
 *
 * Commands carry the number of suspicions so far (cmd->gen).  What commands of
 * before a confirmed one have written (lost_gen) may be gone.  If some of it has
 * been acknowledged and no flush has covered it, the next flush of each client
 * fails with EIO, once; so it is when it is acknowledged later.
 *
 * A flush that the device itself fails for good is told to every client that has
 * unflushed acknowledged writes: the device may not tell it twice.
 *
 * A client that leaves with such a debt, or with unflushed writes, leaves it to
 * the next that joins: it is the same one come back, as far as anybody can know.
 * A debt for the writes of others ends with it: each of them has its own.
 *
 * Both are noted where they outlive the process (lun_params.debts).  The next one
 * does not know its clients again: as many as there were share them, and of its
 * paths none is a witness for what was written before it.  What a flush was told
 * is struck off the note later, since its answer may never have left.
 *
 * FUA writes are stable when they are answered and owe nothing; so is everything
 * on a path that says that the write cache is off.  Discards are hints.
 */
#include "core/ledger_table.h"
#include "core/lun_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Flushes wait for the other paths' answers so long at most; then the worst is assumed. */
#define CACHE_ASK_NS (5 * NS_PER_SEC)
/* Debts without a client: more than can be connected at once need not be remembered. */
#define CACHE_ORPHANS_MAX 128u

static void cache_ask_over(struct loop_timer *t);

static bool client_has_unflushed(const struct lun *lun, const struct lun_client *cl)
{
	return cl->acked > lun->flush.good;
}

static bool orphans_have_unflushed(const struct lun *lun)
{
	return lun->cache.orphans_unflushed && lun->cache.orphans_acked > lun->flush.good;
}

/* --- the note for the next process ------------------------------------------------ */

static void cache_note(const struct lun *lun)
{
	const struct cache *c = &lun->cache;
	const struct lun_client *cl;
	unsigned owed = c->orphans_owed, unflushed = c->orphans_unflushed, nclients = 0;
	bool any = orphans_have_unflushed(lun), any_owed = owed > 0;

	if (!lun->par.debts || fault_strikes(PLANT_DEBT_DIES))
		return;
	TAILQ_FOREACH (cl, &c->clients, link) {
		nclients++;
		any_owed |= cl->owed;
		any |= client_has_unflushed(lun, cl);
	}
	/* Nobody will know which: all of them. */
	owed = any_owed ? owed + nclients : 0;
	unflushed = any ? unflushed + nclients : 0;
	if (c->asking && any) /* for all the next one will know */
		owed = MAX(owed, unflushed);
	ledger_debts_store(lun->par.debts,
			   (struct ledger_debts){ .owed = (uint16_t)MIN(owed, CACHE_ORPHANS_MAX),
						  .unflushed = (uint16_t)MIN(unflushed, CACHE_ORPHANS_MAX) });
}

static void cache_take_over(struct lun *lun)
{
	struct ledger_debts d = ledger_debts_load(*lun->par.debts);
	struct cache *c = &lun->cache;

	c->orphans_owed = MIN(d.owed, CACHE_ORPHANS_MAX);
	if (c->orphans_owed)
		log_warn("an earlier process has lost acknowledged writes with the LUN's cache, or may have, "
			 "and not told all clients: the next flush of %u fails", c->orphans_owed);
	if (!d.unflushed)
		return;
	c->orphans_unflushed = MIN(d.unflushed, CACHE_ORPHANS_MAX);
	c->orphans_acked = lun->flush.round + 1;
	c->written = true; /* at some time before any path of ours has answered */
	c->since_ns = 0;
}

void cache_init(struct lun *lun)
{
	struct cache *c = &lun->cache;

	TAILQ_INIT(&c->clients);
	loop_timer_init(&c->timer, cache_ask_over);
	if (lun->par.debts)
		cache_take_over(lun);
}

/* --- clients ------------------------------------------------------------------- */

void lun_client_join(struct lun *lun, struct lun_client *cl)
{
	struct cache *c = &lun->cache;

	assert(!cl->lun);
	*cl = (struct lun_client){ .lun = lun };
	TAILQ_INSERT_TAIL(&c->clients, cl, link);
	if (c->orphans_owed) {
		c->orphans_owed--;
		cl->owed = cl->own = true;
	}
	if (orphans_have_unflushed(lun)) {
		c->orphans_unflushed--;
		cl->acked = c->orphans_acked;
	}
	if (c->orphans_both && cl->owed && cl->acked)
		c->orphans_both--;
	cache_note(lun);
}

void lun_client_leave(struct lun_client *cl)
{
	struct lun *lun = cl->lun;
	struct cache *c;
	bool owed;

	if (!lun)
		return;
	c = &lun->cache;
	TAILQ_REMOVE(&c->clients, cl, link);
	cl->lun = NULL;
	owed = cl->owed && cl->own && !fault_strikes(PLANT_POISON_DIES);
	if (c->orphans_acked <= lun->flush.good)
		c->orphans_unflushed = c->orphans_both = 0;
	if (owed)
		c->orphans_owed = MIN(c->orphans_owed + 1, CACHE_ORPHANS_MAX);
	if (client_has_unflushed(lun, cl)) {
		c->orphans_unflushed = MIN(c->orphans_unflushed + 1, CACHE_ORPHANS_MAX);
		c->orphans_acked = MAX(c->orphans_acked, cl->acked);
		c->orphans_both = MIN(c->orphans_both + owed, MIN(c->orphans_owed, c->orphans_unflushed));
	}
	cache_note(lun);
}

void lun_client_untold(struct lun_client *cl)
{
	if (!cl->lun || !cl->told_loss)
		return;
	cl->owed = cl->own = true;
	cache_note(cl->lun);
}

/* --- from one process to the next -------------------------------------------------- */

void lun_client_debt(const struct lun_client *cl, struct lun_client_debt *ret)
{
	bool unflushed = client_has_unflushed(cl->lun, cl);

	*ret = (struct lun_client_debt){ .owed = cl->owed, .own = cl->own, .unflushed = unflushed,
					 .reported = unflushed && cl->acked <= cl->reported };
}

/* What is older than this process is written and not flushed. No path of ours can witness that the
 * cache was never lost since: all were opened later. */
static void cache_inherit_unflushed(struct lun *lun)
{
	struct cache *c = &lun->cache;

	if (c->written)
		return;
	c->written = true;
	c->since_ns = loop_now_ns(lun->loop);
}

void lun_client_inherit(struct lun_client *cl, const struct lun_client_debt *d)
{
	struct lun *lun = cl->lun;

	cl->owed |= d->owed;
	cl->own |= d->own;
	cl->told_loss = true; /* it may have been */
	if (d->unflushed) {
		cl->acked = lun->flush.round + 1;
		cl->reported = d->reported ? cl->acked : 0;
		cache_inherit_unflushed(lun);
	}
	cache_note(lun);
}

bool lun_orphans(const struct lun *lun, struct lun_orphans *ret)
{
	const struct cache *c = &lun->cache;

	if (c->asking)
		return false;
	ret->owed = c->orphans_owed;
	ret->unflushed = c->orphans_acked > lun->flush.good ? c->orphans_unflushed : 0;
	return true;
}

void lun_inherit_orphans(struct lun *lun, const struct lun_orphans *o)
{
	struct cache *c = &lun->cache;

	c->orphans_owed = MIN(c->orphans_owed + o->owed, CACHE_ORPHANS_MAX);
	if (o->unflushed) {
		c->orphans_unflushed = MIN(c->orphans_unflushed + o->unflushed, CACHE_ORPHANS_MAX);
		c->orphans_acked = MAX(c->orphans_acked, lun->flush.round + 1);
		cache_inherit_unflushed(lun);
	}
	cache_note(lun);
}

/* A request that came without a client: all of these are one. */
void cache_adopt(struct lun *lun, struct req *r)
{
	if (!lun->cache.nobody.lun)
		lun_client_join(lun, &lun->cache.nobody);
	r->client = &lun->cache.nobody;
}

unsigned cache_errors_owed(const struct lun *lun)
{
	const struct lun_client *cl;
	unsigned n = lun->cache.orphans_owed;

	TAILQ_FOREACH (cl, &lun->cache.clients, link)
		n += cl->owed;
	return n;
}

/* --- what is at stake ------------------------------------------------------------ */

static bool cache_has_unflushed(const struct lun *lun)
{
	const struct cache *c = &lun->cache;
	const struct lun_client *cl;

	if (orphans_have_unflushed(lun))
		return true;
	TAILQ_FOREACH (cl, &c->clients, link)
		if (client_has_unflushed(lun, cl))
			return true;
	return false;
}

static bool cmd_is_volatile(const struct cmd *cmd, const struct path *p)
{
	return (cmd->op == CMD_WRITE || cmd->op == CMD_WRITE_ZEROES) && !(cmd->flags & CMD_F_FUA) &&
	       p->info.write_cache;
}

void cache_sent(struct lun *lun, struct cmd *cmd, const struct path *p)
{
	struct cache *c = &lun->cache;

	cmd->gen = c->gen;
	if (c->written || !cmd_is_volatile(cmd, p))
		return;
	c->written = true;
	c->since_ns = lun->now_ns;
}

bool cache_was_doubted(const struct lun *lun, const struct cmd *cmd)
{
	return cmd->gen < lun->cache.gen;
}

void cache_written(struct cmd *cmd, uint32_t nblocks)
{
	if (!cmd_is_volatile(cmd, cmd->path))
		return;
	for (unsigned i = 0; i < cmd->nsegs && nblocks; i++) {
		struct req *r = cmd->seg[i].req;

		r->gen = MIN(r->gen, cmd->gen);
		nblocks -= MIN(nblocks, cmd->seg[i].nblocks);
	}
}

/* --- debts ------------------------------------------------------------------------- */

static void cache_count_loss(struct lun *lun)
{
	struct cache *c = &lun->cache;

	if (c->counted_gen == c->lost_gen)
		return;
	c->counted_gen = c->lost_gen;
	lun->stats.cache_losses++;
	log_err("CACHE LOST: %s. Acknowledged writes of the last %llu s that no flush had covered "
		"may be lost; the next flush of each client fails",
		c->cause, (unsigned long long)(c->lost_age_ns / NS_PER_SEC));
	lun_notify(lun);
}

/* What they had written is lost. Who was owed an error before is owed no second one. */
static void orphans_owe(struct lun *lun)
{
	struct cache *c = &lun->cache;

	if (c->orphans_acked > lun->flush.good)
		c->orphans_owed = MIN(c->orphans_owed + c->orphans_unflushed - c->orphans_both, CACHE_ORPHANS_MAX);
	c->orphans_unflushed = c->orphans_both = 0;
}

/* Everybody's: a flush covers the writes of all clients. */
static void cache_owe_all(struct lun *lun)
{
	struct cache *c = &lun->cache;
	struct lun_client *cl;

	cache_count_loss(lun);
	if (fault_strikes(PLANT_NOT_POISONED))
		return;
	TAILQ_FOREACH (cl, &c->clients, link) {
		cl->own |= client_has_unflushed(lun, cl);
		cl->owed = true;
		if (fault_strikes(PLANT_POISON_FIRST))
			break;
	}
	orphans_owe(lun);
	cache_note(lun);
}

bool cache_is_lost(const struct lun *lun, const struct req *r)
{
	return r->gen < lun->cache.lost_gen && !fault_strikes(PLANT_LATE_ACK);
}

void cache_acked(struct lun *lun, struct req *r)
{
	bool was_flushed;

	if (r->gen == CACHE_GEN_NONE || (r->flags & REQ_F_FUA) || !r->client)
		return;
	was_flushed = !client_has_unflushed(lun, r->client);
	r->client->acked = lun->flush.round + 1;
	if (was_flushed)
		cache_note(lun); /* before the answer leaves */
	if (!cache_is_lost(lun, r))
		return;
	cache_owe_all(lun);
	r->client->own |= r->client->owed;
}

/* The device has failed it, and no path does better. */
void cache_flush_failed(struct lun *lun)
{
	struct flush_engine *f = &lun->flush;
	struct cache *c = &lun->cache;
	struct lun_client *cl;

	TAILQ_FOREACH (cl, &c->clients, link) {
		if (!client_has_unflushed(lun, cl) || cl->acked <= cl->reported)
			continue;
		cl->owed = cl->own = true;
		/* What came during the round is not what has failed. */
		cl->reported = MIN(cl->acked, f->round);
		if (fault_strikes(PLANT_POISON_FIRST))
			break;
	}
	orphans_owe(lun);
	cache_note(lun);
}

int cache_flush_answer(struct lun *lun, struct req *r, int err)
{
	struct lun_client *cl = r->client;

	if (r->op != REQ_FLUSH) /* a write with FUA: what the cache had of it may be lost */
		return err ? err : cache_is_lost(lun, r) ? EIO : 0;
	if (!cl || (err && !lun->flush.failed))
		return err;
	/* All that were out together hear it: they may stand for different files. */
	if (err || cl->owed) {
		cl->told_round = lun->flush.round;
		cl->told_loss = true;
	}
	cl->owed = cl->own = false;
	return !err && cl->told_round == lun->flush.round ? EIO : err;
}

void cache_flushed(struct lun *lun, uint64_t begun_ns)
{
	struct cache *c = &lun->cache;
	const struct path *p;

	c->since_ns = begun_ns;
	c->written = lun->lock.nwrites > 0;
	TAILQ_FOREACH (p, &lun->paths, link)
		c->written |= p->dirty;
	cache_note(lun);
}

/* --- a suspicion ---------------------------------------------------------------------- */

static void cache_end_asking(struct lun *lun)
{
	struct path *p;

	lun->cache.asking = false;
	loop_timer_stop(lun->loop, &lun->cache.timer);
	TAILQ_FOREACH (p, &lun->paths, link)
		p->asked = false;
	lun_dirty(lun);
}

static void cache_confirm(struct lun *lun)
{
	struct cache *c = &lun->cache;
	uint64_t now = loop_now_ns(lun->loop);

	cache_end_asking(lun);
	c->lost_gen = c->gen;
	c->lost_age_ns = c->written ? now - c->since_ns : 0;
	/* What was before is written off: a path that heard of the same reset is a witness again. */
	c->since_ns = now + 1;
	if (cache_has_unflushed(lun) || c->proven)
		cache_owe_all(lun);
	else
		log_notice("the LUN was reset (%s); no acknowledged write was unflushed", c->cause);
	c->proven = false;
	cache_note(lun);
}

static void cache_refute(struct lun *lun, const struct path *p)
{
	cache_end_asking(lun);
	cache_note(lun);
	log_notice("%s answers, and was not reset: the LUN has kept its cache, one path was concerned",
		   p->name);
}

/* All that were asked have answered, and none has refuted it? */
static void cache_maybe_confirm(struct lun *lun)
{
	const struct path *p;

	if (!lun->cache.asking)
		return;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->asked)
			return;
	cache_confirm(lun);
}

static void cache_ask_over(struct loop_timer *t)
{
	struct lun *lun = container_of(t, struct lun, cache.timer);

	log_warn("not every path has answered whether the LUN was reset; the worst is assumed");
	cache_confirm(lun);
}

static void cache_ask(struct lun *lun, const struct path *suspect)
{
	struct path *p;

	TAILQ_FOREACH (p, &lun->paths, link) {
		if (p == suspect || p->overdue || !path_keeps_cache(p))
			continue;
		p->asked = true;
		probe_now(p, false);
	}
}

void cache_suspect(struct lun *lun, struct path *p, bool proof, const char *why)
{
	struct cache *c = &lun->cache;

	path_trouble(p);
	p->asked = false;
	if (!proof && !cache_has_unflushed(lun) && !lun->lock.nwrites) {
		log_info("%s: reset (%s); no acknowledged write was unflushed", p->name, why);
		return;
	}
	c->gen++;
	if (!c->asking)
		snprintf(c->cause, sizeof(c->cause), "%s: %.120s", p->name, why);
	if (proof || fault_strikes(PLANT_RESET_POISONS)) {
		c->proven = proof;
		cache_confirm(lun);
		return;
	}
	if (!c->asking) {
		log_warn("%s: the LUN may have lost its cache (%s): asking the other paths, flushes wait",
			 p->name, why);
		c->asking = true;
		cache_note(lun);
		lun->stats.cache_suspicions++;
		loop_timer_in(lun->loop, &c->timer, CACHE_ASK_NS);
	}
	cache_ask(lun, p);
	cache_maybe_confirm(lun);
}

void cache_path_checked(struct path *p, bool good)
{
	struct lun *lun = p->lun;

	/* A check that began before the suspicion says nothing: another one follows. */
	if (!p->asked || p->probe_again)
		return;
	p->asked = false;
	if (good && path_is_usable(p) &&
	    (p->clean_since_ns < lun->cache.since_ns || fault_strikes(PLANT_ANY_WITNESS)))
		cache_refute(lun, p);
	else
		cache_maybe_confirm(lun);
}

void cache_path_left(struct path *p)
{
	if (!p->asked)
		return;
	p->asked = false;
	cache_maybe_confirm(p->lun);
}
