/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - see client.h. */
#include "client.h"

#include "answer.h"

#include "world.h"

#include "base/hash.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* By no export. */
static bool asks_core(const struct world *w)
{
	return !w->opt->nbd && !w->opt->fuse;
}

/* --- choosing ---------------------------------------------------------------------- */

static enum req_op draw_kind(struct client *c)
{
	const struct swarm *cfg = &c->w->cfg;
	struct lun_geometry geo = { 0 };
	unsigned total = 0;
	uint64_t pick;
	int k = 0;

	for (int i = 0; i < REQ_OP_NR; i++)
		total += cfg->weight[i];
	pick = prng_below(&c->prng, total);
	while (pick >= cfg->weight[k])
		pick -= cfg->weight[k++];
	lun_geometry(c->w->lun, &geo);
	if ((k == REQ_DISCARD && !geo.can_discard) || (k == REQ_STATUS && !geo.can_status))
		return REQ_READ;
	if ((k == REQ_STATUS || k == REQ_DISCARD) && c->w->opt->fuse)
		return REQ_READ;
	if (k == REQ_STATUS && c->w->opt->nbd && !c->nbd.meta)
		return REQ_READ;
	return (enum req_op)k;
}

static void draw_range(struct op *op)
{
	struct client *c = op->client;
	const struct swarm *cfg = &c->w->cfg;
	uint64_t span = draw_pct(&c->prng, cfg->hot_pct) ? cfg->hot_blocks : cfg->nblocks;
	uint32_t max = cfg->max_io_blocks;

	if (op->kind == REQ_WRITE_ZEROES || op->kind == REQ_DISCARD || op->kind == REQ_STATUS)
		max = MAX(max, OP_CELLS_MAX / 2 / cfg->ncells_block);
	op->lba = prng_below(&c->prng, span);
	if (draw_pct(&c->prng, cfg->seq_pct))
		op->lba = c->seq_lba % cfg->nblocks;
	op->nblocks = (uint32_t)draw(&c->prng, 1, max);
	op->nblocks = (uint32_t)MIN(op->nblocks, cfg->nblocks - op->lba);
	c->seq_lba = op->lba + op->nblocks;
}

/* Whole cells are left as they are at both ends, less than a block of them. */
static void draw_rmw(struct op *op)
{
	struct client *c = op->client;
	uint32_t per = c->w->cfg.ncells_block;
	uint32_t head = (uint32_t)prng_below(&c->prng, per), tail = (uint32_t)prng_below(&c->prng, per);

	if (op->kind != REQ_WRITE || !draw_pct(&c->prng, c->w->cfg.rmw_pct))
		return;
	/* Who has asked for the size of a block has to keep to it. */
	if (c->w->opt->nbd && c->nbd.blocks)
		return;
	if (op->nblocks == 1 && head + tail >= per)
		tail = per - 1 - head;
	op->head_skip = head * CELL_BYTES;
	op->tail_skip = tail * CELL_BYTES;
}

static void op_set_cells(struct op *op)
{
	uint32_t per = op_world(op)->cfg.ncells_block;

	op->c0 = (uint32_t)op->lba * per + op->head_skip / CELL_BYTES;
	op->c1 = (uint32_t)(op->lba + op->nblocks) * per - op->tail_skip / CELL_BYTES;
}

static void op_choose(struct op *op)
{
	struct client *c = op->client;
	const struct swarm *cfg = &c->w->cfg;

	op->kind = draw_kind(c);
	op->flags = 0;
	op->head_skip = op->tail_skip = 0;
	if (op->kind == REQ_FLUSH) {
		op->lba = op->nblocks = op->c0 = op->c1 = 0;
		return;
	}
	draw_range(op);
	draw_rmw(op);
	op_set_cells(op);
	if (op_is_write(op) && draw_pct(&c->prng, cfg->fua_pct))
		op->flags |= REQ_F_FUA;
	if (op->kind == REQ_WRITE_ZEROES && draw_pct(&c->prng, 30))
		op->flags |= REQ_F_NO_UNMAP;
	if (op->kind == REQ_WRITE_ZEROES && draw_pct(&c->prng, cfg->fast_zero_pct))
		op->flags |= REQ_F_FAST_ZERO;
	if (op->kind == REQ_WRITE_ZEROES && c->w->opt->fuse)
		op->flags &= REQ_F_NO_UNMAP; /* fallocate() knows no more */
}

/* The next piece of the whole: as much as one request takes, bad blocks alone. */
static void op_choose_readback(struct op *op)
{
	struct world *w = op_world(op);
	uint64_t *at = &w->clients.readback_lba;

	op->kind = REQ_READ;
	op->flags = 0;
	op->head_skip = op->tail_skip = 0;
	op->lba = *at;
	op->nblocks = 1;
	if (!array_is_bad(&w->array, *at, 1))
		while (op->nblocks < OP_CELLS_MAX / w->cfg.ncells_block && op->lba + op->nblocks < w->cfg.nblocks &&
		       !array_is_bad(&w->array, op->lba + op->nblocks, 1))
			op->nblocks++;
	*at += op->nblocks;
	op_set_cells(op);
}

/* --- asking --------------------------------------------------------------------------- */

size_t op_bytes(const struct op *op)
{
	uint32_t bs = op_world(op)->cfg.block_bytes;

	switch (op->kind) {
	case REQ_READ:
	case REQ_WRITE:
		return (size_t)op->nblocks * bs + (op->head_skip || op->tail_skip ? bs : 0);
	case REQ_STATUS:
		return OP_EXTENTS_MAX * sizeof(struct extent);
	default:
		return 0;
	}
}

static void op_done(struct req *r);

static void op_fill(struct op *op)
{
	uint64_t seed = op_world(op)->seed;

	if (op->kind == REQ_WRITE)
		for (uint32_t c = op->c0; c < op->c1; c++)
			cell_fill(seed, op->wid, c,
				  (uint8_t *)op->data + op->head_skip + (size_t)(c - op->c0) * CELL_BYTES);
	else if (op->kind == REQ_READ)
		memset(op->data, 0xdb, op_bytes(op));
}

static void op_begin(struct op *op)
{
	struct world *w = op_world(op);

	op->sends = op->max_tries = op->others = op->once = 0;
	op->over_ns = 0;
	op->sent_before = false;
	op->again = op->sent_main = op->other_all = op->enospc = op->unsupported = op->canceled = op->haunted = false;
	op->begin = w->oracle.tick;
	op->state = OP_OUT;
	w->clients.nout++;
	if (op_is_write(op)) {
		uint32_t oldest = clients_oldest_begin(&w->clients);

		op->wid = oracle_write_begin(&w->oracle, op->client->id, op->kind == REQ_WRITE ? WR_DATA : WR_ZERO, op->c0, op->c1,
					     MIN(oldest, w->oracle.tick));
	} else if (op_is_read(op)) {
		oracle_read_begin(&w->oracle, op->c0, op->c1, op->max_inv);
	}
	op->begin = world_tick(w);
	op->begin_ns = world_now_ns(w);
	op_fill(op);
}

/* A write that nobody has answered, as it was: to the oracle it is still the same. */
static void op_begin_again(struct op *op)
{
	op->resend = false;
	op->sent_before |= op->sent_main;
	op->sends = op->max_tries = op->others = op->once = 0;
	op->over_ns = 0;
	op->sent_main = op->other_all = op->enospc = op->unsupported = false;
	op->haunted |= op->sent_before;
	oracle_write_again(&op_world(op)->oracle, op->wid);
	op->begin_ns = world_now_ns(op_world(op));
	op->state = OP_OUT;
	op_fill(op);
}

/* To core, with op->req. */
static void op_submit(struct op *op)
{
	struct world *w = op_world(op);
	struct req *r = op->req;

	r->op = op->kind;
	r->flags = op->flags;
	r->lba = op->lba;
	r->nblocks = op->nblocks;
	r->head_skip = op->head_skip;
	r->tail_skip = op->tail_skip;
	r->done = op_done;
	r->owner = op;
	r->client = &op->client->lun;
	world_poll_lun(w);
	lun_submit(r);
	world_poll_lun(w);
	if (op->state == OP_OUT && draw_pct(&op->client->prng, w->cfg.cancel_pct))
		loop_timer_in(w->loop, &op->cancel_timer, draw(&op->client->prng, 0, 3000) * NS_PER_US);
}

/* False: there is no room, or no connection. */
static bool op_try(struct op *op)
{
	struct world *w = op_world(op);

	if (!asks_core(w)) {
		if (w->opt->nbd ? !nbd_client_is_up(op->client) : !fuse_is_up(w))
			return false;
	} else {
		op->req = lun_req_get(w->lun, op_bytes(op));
		if (!op->req)
			return false;
		op->data = op->req->data;
	}
	if (op->resend)
		op_begin_again(op);
	else
		op_begin(op);
	world_trace(w, WE_SUBMIT, op->id, (uint64_t)op->kind << 32 | op->flags, op->lba,
		    (uint64_t)op->wid << 32 | op->nblocks);
	if (w->opt->nbd)
		nbd_client_send(op);
	else if (w->opt->fuse)
		fuse_send(op);
	else
		op_submit(op);
	return true;
}

static void op_wait(struct op *op)
{
	struct world *w = op_world(op);

	op->state = OP_WAITING;
	if (asks_core(w))
		lun_wait_room(w->lun, &op->waiter);
}

static bool op_room(struct lun_waiter *waiter)
{
	struct op *op = container_of(waiter, struct op, waiter);

	assert(op->state == OP_WAITING);
	return op_try(op);
}

static void op_start(struct op *op)
{
	struct world *w = op_world(op);
	struct clients *cs = &w->clients;

	assert(op->state == OP_IDLE);
	if (cs->reading_back) {
		if (cs->readback_lba >= w->cfg.nblocks)
			return;
		op_choose_readback(op);
	} else {
		if (cs->quiet || cs->nstarted >= w->opt->nops)
			return;
		op_choose(op);
	}
	op->id = ++cs->nstarted;
	if (!op_try(op))
		op_wait(op);
}

static void op_think(struct op *op)
{
	struct client *c = op->client;

	op->state = OP_IDLE;
	if (c->w->clients.reading_back)
		loop_timer_in(c->w->loop, &op->timer, op->again ? 10 * NS_PER_MS : 0);
	else if (c->w->cfg.think_ns)
		loop_timer_in(c->w->loop, &op->timer, prng_below(&c->prng, 2 * c->w->cfg.think_ns));
	else
		loop_timer_in(c->w->loop, &op->timer, 0);
}

static uint64_t op_sum(const struct op *op)
{
	return op->kind == REQ_READ && !op->req->err ? hash64(op->data, op_bytes(op)) : 0;
}

static void op_put(struct op *op)
{
	if (op->sum != op_sum(op))
		world_fail(op_world(op), "O5", "the buffer of operation %u was changed after its answer", op->id);
	lun_req_put(op->req);
	op->req = NULL;
	op_think(op);
}

static void op_timer(struct loop_timer *t)
{
	struct op *op = container_of(t, struct op, timer);

	if (op->state == OP_ANSWERED)
		op_put(op);
	else
		op_start(op);
}

static void op_cancel(struct op *op)
{
	if (op->state != OP_OUT)
		return;
	world_trace(op_world(op), WE_CANCEL, op->id, 0, 0, 0);
	op->canceled = true;
	lun_cancel(op->req);
}

static void op_cancel_due(struct loop_timer *t)
{
	struct op *op = container_of(t, struct op, cancel_timer);
	struct client *c = op->client;

	op_cancel(op);
	/* Sometimes the whole client has gone. */
	if (draw_pct(&c->prng, 20))
		for (unsigned i = 0; i < c->w->cfg.iodepth; i++)
			op_cancel(&c->ops[i]);
	/* It may be asked again: the answer must not depend on the moment. */
	if (op->state == OP_OUT && draw_pct(&c->prng, 80))
		loop_timer_in(c->w->loop, t, draw(&c->prng, 1, 500) * NS_PER_US);
}

/* --- the answer ----------------------------------------------------------------------- */

static uint64_t draw_put_ns(struct op *op)
{
	bool slow = draw_pct(&op->client->prng, 40) && !op_world(op)->stop_asked;

	return draw(&op->client->prng, 1, slow ? 31000000 : 5000) * NS_PER_US;
}

void op_answer(struct op *op, int err)
{
	struct world *w = op_world(op);

	world_poll_lun(w);
	world_trace(w, WE_DONE, op->id, (uint64_t)err, 0, 0);
	answer_check(op, err);
	loop_timer_stop(w->loop, &op->cancel_timer);
	op->cookie = 0;
	op->state = OP_ANSWERED;
	w->clients.nout--;
	w->clients.nanswered++;
	if (w->cfg.stop_at && w->clients.nanswered == w->cfg.stop_at)
		world_stop(w, w->cfg.stop_grace_ns);
	if (!op->req) {
		op_think(op);
		return;
	}
	op->sum = op_sum(op);
	/* As long as a slow command takes, sometimes: it may not touch this buffer. */
	if (draw_pct(&op->client->prng, w->cfg.slow_put_pct))
		loop_timer_in(w->loop, &op->timer, draw_put_ns(op));
	else
		op_put(op);
}

static void op_done(struct req *r)
{
	struct op *op = r->owner;

	if (op->state != OP_OUT || op->req != r)
		world_fail(op_world(op), "O5", "operation %u was answered twice", op->id);
	op->data = r->data; /* it may have come in another buffer */
	op->nextents = r->nextents;
	op_answer(op, r->err);
}

void client_reconnect(struct clients *cs, unsigned i)
{
	struct client *c = &cs->client[i];

	if (cs->w->opt->nbd) {
		nbd_client_drop(c);
		return;
	}
	if (cs->w->opt->fuse)
		return; /* the kernel has no other connection */
	for (unsigned k = 0; k < cs->w->cfg.iodepth; k++)
		op_cancel(&c->ops[k]);
	lun_client_leave(&c->lun);
	oracle_client_left(&cs->w->oracle, i);
	lun_client_join(cs->w->lun, &c->lun);
}

void clients_reverted(struct clients *cs, uint32_t cell)
{
	for (unsigned i = 0; i < cs->w->cfg.nclients; i++)
		for (unsigned k = 0; k < cs->w->cfg.iodepth; k++) {
			struct op *op = &cs->client[i].ops[k];

			if (op->state == OP_OUT && op_is_read(op) && cell >= op->c0 && cell < op->c1)
				op->max_inv[cell - op->c0] = 0;
		}
}

static void clients_join(struct clients *cs)
{
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++) {
		struct client *c = &cs->client[i];

		if (asks_core(cs->w))
			lun_client_join(cs->w->lun, &c->lun);
		else if (cs->w->opt->fuse)
			continue; /* the export is it, when it is mounted */
		else if (i < cs->w->cfg.nclients || i == SIM_CLIENTS_MAX)
			nbd_client_connect(c);
	}
}

/* --- the other side is killed --------------------------------------------------------------- */

/* A write without an answer that nobody will send again. */
static void op_drop(struct op *op)
{
	struct world *w = op_world(op);
	bool sent = op->sent_main || op->sent_before;

	op->cookie = 0;
	oracle_write_end(&w->oracle, op->wid, sent ? WR_HAUNTED : WR_CANCELED, false, false);
	op->resend = false;
	op->state = OP_IDLE;
	w->clients.nout--;
	w->clients.nanswered++;
}

static void op_killed(struct op *op, unsigned resend_pct)
{
	struct clients *cs = &op_world(op)->clients;

	op->req = NULL;
	op->cookie = 0;
	loop_timer_init(&op->timer, op_timer);
	loop_timer_init(&op->cancel_timer, op_cancel_due);
	op->waiter = (struct lun_waiter){ .fn = op_room };
	if (op->state == OP_WAITING && !op->resend) {
		cs->nstarted--;
	} else if (op->state == OP_OUT && !op_is_write(op)) {
		cs->nstarted--;
		cs->nout--;
	} else if (op->resend || op->state == OP_OUT) {
		/* A client that had gone before does not come back for it. */
		if (!op->canceled && draw_pct(&op->client->prng, resend_pct)) {
			op->state = OP_OUT;
			op->resend = true;
			return;
		}
		op_drop(op);
	}
	op->state = OP_IDLE;
}

/* The server may have the whole of it, and send it to a path after this. */
static void op_lost(struct op *op, unsigned resend_pct)
{
	struct world *w = op_world(op);
	struct clients *cs = &w->clients;

	op->cookie = 0;
	if (op->state != OP_OUT)
		return;
	if (!op_is_write(op)) {
		cs->nstarted--;
		cs->nout--;
		if (w->phase == WP_READBACK)
			cs->readback_lba = MIN(cs->readback_lba, op->lba);
		op_think(op);
		return;
	}
	op->sent_before = true;
	cs->late_orphan |= w->oracle.wrs[op->wid].inv <= w->oracle.doubt;
	w->acked_ns = world_now_ns(w);
	if (w->phase == WP_LOAD && !w->stop_asked && draw_pct(&op->client->prng, resend_pct)) {
		op->resend = true;
		op->state = OP_WAITING;
		return;
	}
	op_drop(op);
	op_think(op);
}

void client_lost(struct client *c)
{
	unsigned resend_pct = draw_pct(&c->prng, 80) ? 90 : 0;

	for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
		op_lost(&c->ops[k], resend_pct);
}

void client_connected(struct client *c)
{
	for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
		if (c->ops[k].state == OP_WAITING)
			op_try(&c->ops[k]);
}

void clients_killed(struct clients *cs)
{
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++) {
		unsigned resend_pct = draw_pct(&cs->client[i].prng, 80) ? 90 : 0;

		cs->client[i].lun = (struct lun_client){ 0 };
		nbd_client_killed(&cs->client[i]);
		for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
			op_killed(&cs->client[i].ops[k], resend_pct);
	}
}

void clients_reconnect(struct clients *cs)
{
	clients_join(cs);
	fuse_world_start(cs->w);
	for (unsigned i = 0; i < cs->w->cfg.nclients; i++)
		for (unsigned k = 0; k < cs->w->cfg.iodepth; k++) {
			struct op *op = &cs->client[i].ops[k];

			if (!op->resend)
				op_think(op);
			else if (!op_try(op))
				op_wait(op);
		}
}

/* --- all of them ------------------------------------------------------------------------- */

void clients_init(struct clients *cs, struct world *w)
{
	*cs = (struct clients){ .w = w };
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++) {
		struct client *c = &cs->client[i];

		c->w = w;
		c->id = i;
		prng_init(&c->prng, w->seed, ENT_CLIENT + i);
		nbd_client_init(c);
		for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++) {
			struct op *op = &c->ops[k];

			op->client = c;
			op->waiter.fn = op_room;
			loop_timer_init(&op->timer, op_timer);
			loop_timer_init(&op->cancel_timer, op_cancel_due);
		}
	}
	cs->snapshots = malloc(sizeof(uint32_t) * OP_CELLS_MAX * (SIM_CLIENTS_MAX + 1) * SIM_IODEPTH_MAX);
	assert(cs->snapshots);
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++)
		for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
			cs->client[i].ops[k].max_inv = cs->snapshots + (size_t)(i * SIM_IODEPTH_MAX + k) * OP_CELLS_MAX;
	clients_join(cs);
}

void clients_fini(struct clients *cs)
{
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++) {
		lun_client_leave(&cs->client[i].lun);
		nbd_client_fini(&cs->client[i]);
	}
	free(cs->snapshots);
}

void clients_start(struct clients *cs)
{
	fuse_world_start(cs->w);
	for (unsigned i = 0; i < cs->w->cfg.nclients; i++)
		for (unsigned k = 0; k < cs->w->cfg.iodepth; k++)
			op_think(&cs->client[i].ops[k]);
}

void clients_quiet(struct clients *cs)
{
	cs->quiet = true;
	for (unsigned i = 0; i < cs->w->cfg.nclients; i++)
		for (unsigned k = 0; k < cs->w->cfg.iodepth; k++) {
			struct op *op = &cs->client[i].ops[k];

			if (op->state != OP_WAITING)
				continue;
			if (asks_core(cs->w))
				lun_wait_cancel(cs->w->lun, &op->waiter);
			op->state = OP_IDLE;
			if (op->resend)
				op_drop(op);
		}
}

void clients_read_back(struct clients *cs)
{
	cs->reading_back = true;
	for (unsigned k = 0; k < 4; k++)
		op_think(&cs->client[SIM_CLIENTS_MAX].ops[k]);
}

static bool op_is_busy(const struct op *op)
{
	return op->req || op->cookie || loop_timer_running(&op->timer) ||
	       (op->state == OP_WAITING && op_world(op)->clients.reading_back);
}

bool clients_idle(const struct clients *cs)
{
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++)
		for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
			if (op_is_busy(&cs->client[i].ops[k]))
				return false;
	return true;
}

struct op *clients_oldest(struct clients *cs)
{
	struct op *oldest = NULL;

	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++)
		for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++) {
			struct op *op = &cs->client[i].ops[k];

			if (op->state == OP_OUT && (!oldest || op->begin < oldest->begin))
				oldest = op;
		}
	return oldest;
}

uint32_t clients_oldest_begin(const struct clients *cs)
{
	uint32_t oldest = TICK_NEVER;

	for (unsigned i = 0; i <= cs->w->cfg.nclients && i <= SIM_CLIENTS_MAX; i++)
		for (unsigned k = 0; k < cs->w->cfg.iodepth; k++) {
			const struct op *op = &cs->client[i].ops[k];

			if (op->state == OP_OUT)
				oldest = MIN(oldest, op->begin);
		}
	return oldest;
}

bool clients_write(const struct clients *cs)
{
	for (unsigned i = 0; i < cs->w->cfg.nclients; i++)
		for (unsigned k = 0; k < cs->w->cfg.iodepth; k++)
			if (cs->client[i].ops[k].state == OP_OUT && op_is_write(&cs->client[i].ops[k]))
				return true;
	return false;
}
