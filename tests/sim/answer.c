/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c - see answer.h. */
#include "answer.h"

#include "world.h"

#include "base/units.h"

#include <errno.h>
#include <string.h>

/* A flush of this client has to fail, or may: something may have been lost. */
static bool cache_may_be_lost(struct world *w, uint32_t since)
{
	if (w->loss_tick > since || w->bare_reset_tick > since || w->array.flush_excuse > since)
		return true;
	/* Who was kept waiting by the kernel may have had no time to ask the other paths. */
	if (w->slept_ns && w->reset_tick > since)
		return true;
	/* A process that dies may not have struck off what it has told. */
	if (w->killer.tick > since && (w->loss_tick || w->reset_tick || w->array.flush_excuse))
		return true;
	return false;
}

/* A witness at the time of the reset may have fallen silent before it was heard, and when the last of the clients
 * is told there may be one again. */
static void look_for_witness(struct world *w)
{
	if (w->reset_tick > w->bare_reset_tick && !nexus_has_witness(&w->array.nexus[w->reset_nexus]))
		w->bare_reset_tick = w->reset_tick;
}

/* By NBD: the LUN may have acknowledged a write by now that had begun before a loss, and nobody has heard. */
static bool late_write_is_out(const struct world *w)
{
	const struct clients *cs = &w->clients;

	if (!w->opt->nbd)
		return false;
	for (unsigned i = 0; i < w->cfg.nclients; i++)
		for (unsigned k = 0; k < w->cfg.iodepth; k++) {
			const struct op *o = &cs->client[i].ops[k];

			if (op_is_write(o) && (o->cookie || o->resend) && w->oracle.wrs[o->wid].inv <= w->oracle.doubt)
				return true;
		}
	return cs->late_orphan;
}

/* By NBD nobody knows when the server has said it, only that it was asked before. */
static void op_note_told(struct op *op)
{
	struct client *c = op->client;

	c->told = op_world(op)->oracle.tick;
	c->told_since = op_world(op)->opt->nbd ? op->begin : c->told;
}

static bool eio_is_excused(struct world *w, struct op *op)
{
	bool flushes = op->kind == REQ_FLUSH || (op->flags & REQ_F_FUA);

	look_for_witness(w);
	if (op->nblocks && array_is_bad(&w->array, op->lba, op->nblocks))
		return true;
	if (w->failing_tick >= op->begin)
		return true; /* the no-path policy: its own check is in world_poll_lun() */
	if (op->once >= 2 || op->max_tries >= CMD_TRIES_MAX)
		return true;
	if (op->over_ns && loop_now_ns(w->loop) >= op->over_ns)
		return true;
	if (op->other_all)
		return true;
	if (flushes && w->array.flush_excuse > op->begin)
		return true;
	if (op->kind != REQ_FLUSH)
		return flushes && cache_may_be_lost(w, op->begin);
	if (op->begin <= op->client->told)
		return true; /* they are all told that were out together */
	if (!cache_may_be_lost(w, op->client->told_since) && w->oracle.late <= op->client->told_since &&
	    !late_write_is_out(w))
		return false;
	op_note_told(op);
	return true;
}

static bool error_is_excused(struct world *w, struct op *op, int err)
{
	bool flushes = op->kind == REQ_FLUSH || (op->flags & REQ_F_FUA);
	bool optional = op->kind == REQ_DISCARD || op->kind == REQ_STATUS || (op->flags & REQ_F_FAST_ZERO);

	switch (err) {
	case EIO:
		return eio_is_excused(w, op);
	case ENOSPC:
		return op->enospc || (flushes && w->array.flush_excuse > op->begin);
	case EOPNOTSUPP:
		/* Whether a LUN whose paths differ can do it changes with its paths. */
		return optional;
	case ECANCELED:
		return op->canceled && !op->sent_main;
	case ESHUTDOWN:
		return w->stop_asked;
	}
	return false;
}

static void check_error(struct world *w, struct op *op, int err)
{
	if (!error_is_excused(w, op, err))
		world_fail(w, err == ECANCELED ? "O5" : "O6",
			   "operation %u of client %u (%s %llu+%u%s, begun at %u, %u attempts at most) ended with %s"
			   " without a reason; it was told of a loss at %u, losses at %u, %u, a reset at %u",
			   op->id, op->client->id, req_op_name(op->kind), (unsigned long long)op->lba, op->nblocks,
			   op->flags & REQ_F_FUA ? " FUA" : "", op->begin, op->max_tries, strerror(err),
			   op->client->told, w->loss_tick, w->bare_reset_tick, w->reset_tick);
}

static void check_status(struct world *w, const struct op *op)
{
	static const uint8_t zeroes[CELL_BYTES];
	const struct extent *e = op->data;
	uint64_t lba = op->lba, end = op->lba + op->nblocks;
	uint32_t per = w->cfg.ncells_block;

	if (!op->nextents || op->nextents > (w->opt->nbd ? NBD_EXTENTS_MAX : OP_EXTENTS_MAX))
		world_fail(w, "O1", "block status was answered with %u extents", op->nextents);
	for (unsigned i = 0; i < op->nextents; lba += e[i].nblocks, i++) {
		if (!e[i].nblocks)
			world_fail(w, "O1", "block status was answered with an empty extent");
		for (uint64_t b = lba; e[i].zero && b < MIN(lba + e[i].nblocks, end); b++)
			for (uint32_t c = (uint32_t)b * per; c < (uint32_t)(b + 1) * per; c++)
				oracle_read_cell(&w->oracle, c, op->begin, op->max_inv[c - op->c0], zeroes);
	}
}

static void check_write_end(struct world *w, const struct op *op, int err)
{
	enum wr_status status = err ? (op->sent_main || op->sent_before ? WR_UNKNOWN : WR_CANCELED) : WR_OK;

	if (status == WR_UNKNOWN && op->haunted)
		status = WR_HAUNTED;

	/* A discard is a hint: it may have been taken for any block, or for none. */
	if (op->kind == REQ_DISCARD && status == WR_OK)
		status = WR_UNKNOWN;
	oracle_write_end(&w->oracle, op->wid, status, op->flags & REQ_F_FUA, !op->canceled);
}

/* Not only because of what was lost. */
static bool flush_has_failed(const struct world *w, const struct op *op)
{
	return w->array.flush_excuse > MIN(op->client->told_since, op->begin);
}

/* By NBD the answers to writes that it stands for may still be on their way; @but: not those of this one. */
static void tell_of_those_out(struct world *w, const struct client *c, bool failed, const struct client *but)
{
	struct clients *cs = &w->clients;

	for (unsigned i = 0; w->opt->nbd && i < w->cfg.nclients; i++)
		for (unsigned k = 0; k < w->cfg.iodepth; k++) {
			const struct op *o = &cs->client[i].ops[k];

			if (o->client != but && op_is_write(o) && (o->cookie || o->resend))
				oracle_told_of(&w->oracle, c->id, o->wid, failed);
		}
}

/* A flush of @c has failed. */
static void clients_tell(struct world *w, const struct client *c, bool failed)
{
	oracle_told(&w->oracle, c->id, failed);
	tell_of_those_out(w, c, failed, NULL);
}

void answer_joined(struct client *c)
{
	oracle_client_left(&c->w->oracle, c->id);
	tell_of_those_out(c->w, c, false, c);
}

/* It may end well without having touched its blocks. By NBD a discard that the LUN cannot do does. */
static bool may_be_skipped(const struct world *w, const struct op *op)
{
	return op->kind == REQ_STATUS || (op->kind == REQ_DISCARD && w->opt->nbd);
}

void answer_check(struct op *op, int err)
{
	struct world *w = op_world(op);
	const uint8_t *data = op->data;

	if (err) {
		bool failed = flush_has_failed(w, op);

		check_error(w, op, err);
		if (op->kind == REQ_FLUSH && err != ECANCELED && !op->canceled)
			clients_tell(w, op->client, failed);
		/* Read back again what no path could be found for. */
		op->again = w->phase == WP_READBACK && !array_is_bad(&w->array, op->lba, op->nblocks);
		if (op->again)
			w->clients.readback_lba = MIN(w->clients.readback_lba, op->lba);
	} else if (op->nblocks && !may_be_skipped(w, op) && array_is_bad(&w->array, op->lba, op->nblocks)) {
		world_fail(w, "O6", "operation %u (%s %llu+%u) succeeded over a bad block", op->id,
			   req_op_name(op->kind), (unsigned long long)op->lba, op->nblocks);
	}
	if (op_is_write(op)) {
		if (!err && !(op->flags & REQ_F_FUA))
			w->acked_ns = world_now_ns(w);
		check_write_end(w, op, err);
		nemesis_provoke(&w->nemesis);
	}
	if (err)
		return;
	world_tick(w);
	if (op->kind == REQ_READ)
		for (uint32_t c = op->c0; c < op->c1; c++, data += CELL_BYTES)
			oracle_read_cell(&w->oracle, c, op->begin, op->max_inv[c - op->c0], data);
	else if (op->kind == REQ_STATUS)
		check_status(w, op);
	else if (op->kind == REQ_FLUSH && !op->canceled) {
		oracle_flushed(&w->oracle, op->client->id, op->begin);
		w->flushed_ns = MAX(w->flushed_ns, op->begin_ns);
	}
}

void op_told(struct op *op)
{
	struct world *w = op_world(op);

	clients_tell(w, op->client, flush_has_failed(w, op));
	op_note_told(op);
}
