/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_transmit.c - requests: from the header on the wire to io_start(), and
 * back from done() to the reply.
 *
 * One request at a time stands between wire and LUN (c->cur).  It is judged
 * first, then counted against the shares, then admitted (request and buffer of
 * the LUN), then its payload is put in place, then it is submitted.  Each step
 * may have to wait; nothing of the next request is looked at meanwhile.
 *
 * Invariant: each request is answered once, by nbd_reply(), or not at all
 * (connection dead or closing, ESHUTDOWN of the LUN).
 */
#include <config.h>

#include "export/nbd_int.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* What may come with each command. FUA must be accepted everywhere. */
static const struct {
	uint16_t flags;
	uint16_t needs; /* the transmission flag that offers the command; 0: always there */
	enum io_op op;
} cmds[NBD_CMD_NR] = {
	[NBD_READ] = {NBD_CF_FUA | NBD_CF_DF, 0, IO_READ},
	[NBD_WRITE] = {NBD_CF_FUA, 0, IO_WRITE},
	[NBD_DISC] = {NBD_CF_FUA, 0, IO_FLUSH},
	[NBD_FLUSH] = {NBD_CF_FUA, NBD_FLAG_SEND_FLUSH, IO_FLUSH},
	[NBD_TRIM] = {NBD_CF_FUA, NBD_FLAG_SEND_TRIM, IO_DISCARD},
	[NBD_CACHE] = {NBD_CF_FUA, NBD_FLAG_SEND_CACHE, IO_CACHE},
	[NBD_WRITE_ZEROES] = {NBD_CF_FUA | NBD_CF_NO_HOLE | NBD_CF_FAST_ZERO,
			      NBD_FLAG_SEND_WRITE_ZEROES, IO_WRITE_ZEROES},
	[NBD_BLOCK_STATUS] = {NBD_CF_FUA | NBD_CF_REQ_ONE, 0, IO_STATUS},
};

static bool is_unaligned(const struct nbd_slot *slot)
{
	uint64_t mask = slot->conn->srv->dev.block_bytes - 1;

	return ((slot->offset | slot->length) & mask) != 0;
}

/* The client sends parts of blocks. One that was told the block size should know better; any
 * other is served, at a price that its administrator should hear of once. */
static int judge_alignment(struct nbd_slot *slot)
{
	struct nbd_conn *c = slot->conn;
	uint32_t block = c->srv->dev.block_bytes;

	if (!is_unaligned(slot))
		return 0;
	c->unaligned++;
	if (c->hs.knows_blocks)
		return -EINVAL;
	if (!c->advised) {
		c->advised = true;
		nbd_noise(c->srv, LOG_L_NOTICE,
			  "nbd: client %llu (%s): requests are not multiples of the LUN's block of "
			  "%u bytes; writes are slow (read, modify, write). Hint: nbd-client -b %u",
			  (unsigned long long)c->id, c->peer, block, block);
	}
	return 0;
}

/* 0: go on; 1: nothing to do, a success; else a negative errno for the client. */
static int judge(struct nbd_slot *slot)
{
	struct nbd_conn *c = slot->conn;
	uint16_t allowed;
	int r;

	if (slot->type >= NBD_CMD_NR)
		return -EINVAL;
	allowed = cmds[slot->type].flags;
	if (!c->hs.structured)
		allowed &= (uint16_t)~NBD_CF_DF;
	if (!(c->tx_flags & NBD_FLAG_SEND_FAST_ZERO))
		allowed &= (uint16_t)~NBD_CF_FAST_ZERO;
	if (slot->flags & ~allowed)
		return -EINVAL;
	/* Read-only explains more than "not offered". */
	if (c->tx_flags & NBD_FLAG_READ_ONLY &&
	    (slot->type == NBD_WRITE || slot->type == NBD_TRIM || slot->type == NBD_WRITE_ZEROES))
		return -EPERM;
	if ((c->tx_flags & cmds[slot->type].needs) != cmds[slot->type].needs)
		return -EINVAL;
	if (slot->type == NBD_FLUSH)
		return slot->offset == 0 && slot->length == 0 ? 0 : -EINVAL;
	if (slot->type == NBD_BLOCK_STATUS && (!c->meta || slot->length == 0))
		return -EINVAL;
	r = judge_alignment(slot);
	if (r < 0)
		return r;
	r = io_check(&c->srv->dev, &slot->io);
	/* A LUN that cannot tell has data everywhere; a discard is a hint. */
	if (r == -EOPNOTSUPP && (slot->type == NBD_BLOCK_STATUS || slot->type == NBD_TRIM))
		return 1;
	return r;
}

static void set_io(struct nbd_slot *slot)
{
	struct io *io = &slot->io;

	io->op = slot->type < NBD_CMD_NR ? cmds[slot->type].op : IO_FLUSH;
	io->offset = slot->offset;
	io->length = slot->length;
	io->flags = 0;
	if (slot->flags & NBD_CF_FUA && !fault_strikes(PLANT_NBD_FUA))
		io->flags |= IO_F_FUA;
	if (slot->flags & NBD_CF_NO_HOLE)
		io->flags |= IO_F_NO_UNMAP;
	if (slot->flags & NBD_CF_FAST_ZERO)
		io->flags |= IO_F_FAST_ZERO;
}

/* --- c->cur ------------------------------------------------------------------------ */

static bool is_inline(const struct nbd_slot *slot)
{
	return slot->type == NBD_WRITE && slot->length <= NBD_INLINE_BYTES;
}

/* c->cur is answered without having run; its payload, if one follows, is thrown away first. */
static void refuse(struct nbd_conn *c, int err)
{
	struct nbd_slot *slot = c->cur;

	if (slot->type == NBD_WRITE && slot->length > 0) {
		if (slot->length > NBD_DRAIN_BYTES_MAX) {
			nbd_conn_cut(c, "a write of absurd length");
			return;
		}
		io_put(&slot->io);
		nbd_uncharge(slot);
		slot->err = err;
		c->skip_left = slot->length;
		nbd_conn_event(c, NBD_E_REFUSED);
		return;
	}
	c->cur = NULL;
	nbd_reply(slot, err);
}

static void submit(struct nbd_conn *c)
{
	struct nbd_slot *slot = c->cur;

	io_start(&slot->io);
	c->cur = NULL;
	slot->in_lun = true;
	c->inflight++;
	TAILQ_INSERT_TAIL(&c->at_lun, slot, lun);
}

/* c->cur has request and buffer. */
static void admitted(struct nbd_conn *c)
{
	struct nbd_slot *slot = c->cur;

	c->cur_got = 0;
	if (slot->type != NBD_WRITE) {
		submit(c);
	} else if (is_inline(slot)) {
		assert(nbd_avail(c) >= slot->length);
		memcpy(slot->io.data, nbd_peek(c), slot->length);
		nbd_consume(c, slot->length);
		submit(c);
	} else {
		nbd_conn_event(c, NBD_E_PAYLOAD);
	}
}

/* True: go on with the next step. */
static bool admit(struct nbd_conn *c)
{
	struct nbd_slot *slot = c->cur;
	int r;

	if (slot->io.state == IO_IDLE && !slot->charged) {
		nbd_price(slot);
		/* Resumed when one of its own requests gives its buffer back. */
		if (c->held_bytes > 0 && c->held_bytes + slot->charge_bytes > NBD_CONN_BYTES_MAX)
			return false;
		if (!nbd_charge(slot)) {
			nbd_conn_event(c, NBD_E_NO_QUOTA);
			return false;
		}
	}
	if (slot->io.state == IO_ADMITTED) {
		admitted(c);
		return true;
	}
	r = io_admit(&slot->io);
	if (r == -EAGAIN) {
		nbd_conn_event(c, NBD_E_NO_ROOM);
		return false;
	}
	if (r == 0)
		admitted(c);
	else
		refuse(c, r < 0 ? -r : 0);
	return true;
}

void nbd_tx_room(struct io *io)
{
	struct nbd_slot *slot = container_of(io, struct nbd_slot, io);

	assert(slot->conn->cur == slot);
	nbd_conn_event(slot->conn, NBD_E_ROOM);
	nbd_conn_kick(slot->conn);
}

/* --- the header ----------------------------------------------------------------------- */

static struct nbd_slot *new_slot(struct nbd_conn *c, const struct nbd_request_hdr *h)
{
	struct nbd_slot *slot = pool_get(&c->slots);

	if (!slot)
		return NULL;
	slot->conn = c;
	if (!slot->io.dev) {
		io_init(&slot->io, &c->srv->dev, nbd_tx_room, nbd_tx_done);
		slot->io.client = &c->client;
	}
	slot->cookie = get_be64(&h->cookie);
	slot->type = get_be16(&h->type);
	slot->flags = get_be16(&h->flags);
	slot->offset = get_be64(&h->offset);
	slot->length = get_be32(&h->length);
	c->follows = slot->offset == c->next_offset && slot->length > 0;
	c->next_offset = slot->offset + slot->length;
	slot->err = slot->io.err = 0;
	slot->charged = slot->in_lun = false;
	slot->hdr_len = 0;
	slot->body = NULL;
	slot->body_len = 0;
	set_io(slot);
	return slot;
}

void nbd_tx_carry_drain(struct nbd_conn *c, const void *hdr, uint64_t left, int err)
{
	c->cur = new_slot(c, hdr);
	assert(c->cur); /* a connection that is taken over has all its slots yet */
	c->cur->err = err;
	c->skip_left = left;
}

/* False: more bytes, or a slot, or an emptier output are needed first; or the end. */
static bool next_request(struct nbd_conn *c)
{
	const struct nbd_request_hdr *h = (const void *)nbd_peek(c);
	size_t whole = sizeof(*h);
	int r;

	if (nbd_avail(c) < sizeof(*h))
		return false;
	if (get_be32(&h->magic) != NBD_REQUEST_MAGIC) {
		nbd_conn_cut(c, "garbage where a request was due");
		return false;
	}
	if (get_be16(&h->type) == NBD_DISC) {
		c->bye = true;
		nbd_conn_event(c, NBD_E_FINISH);
		return false;
	}
	if (get_be16(&h->type) == NBD_WRITE && get_be32(&h->length) <= NBD_INLINE_BYTES)
		whole += get_be32(&h->length);
	if (nbd_avail(c) < whole)
		return false;
	/* Back-pressure: who does not take replies gives no requests. */
	if (c->out_bytes > NBD_REPLY_QUEUE_MAX)
		return false;
	c->cur = new_slot(c, h);
	if (!c->cur)
		return false;
	nbd_consume(c, sizeof(*h));
	c->requests++;
	r = judge(c->cur);
	if (r != 0)
		refuse(c, r < 0 ? -r : 0);
	return true;
}

bool nbd_tx_request(struct nbd_conn *c)
{
	return c->cur ? admit(c) : next_request(c);
}

/* --- payloads --------------------------------------------------------------------------- */

void nbd_tx_payload_got(struct nbd_conn *c, uint32_t len)
{
	assert(c->state == NBD_S_PAYLOAD && len <= c->cur->length - c->cur_got);
	c->cur_got += len;
}

bool nbd_tx_payload(struct nbd_conn *c)
{
	struct nbd_slot *slot = c->cur;
	uint32_t n = (uint32_t)MIN(nbd_avail(c), slot->length - c->cur_got);

	if (n > 0 && c->cur_got < slot->length) {
		memcpy(slot->io.data + c->cur_got, nbd_peek(c), n);
		nbd_consume(c, n);
		c->cur_got += n;
	}
	if (c->cur_got < slot->length)
		return false;
	nbd_conn_event(c, NBD_E_PAYLOAD_END);
	submit(c);
	return true;
}

bool nbd_tx_drain(struct nbd_conn *c)
{
	struct nbd_slot *slot = c->cur;
	size_t n = MIN(nbd_avail(c), c->skip_left);

	nbd_consume(c, n);
	c->skip_left -= n;
	if (c->skip_left > 0)
		return false;
	c->cur = NULL;
	nbd_conn_event(c, NBD_E_PAYLOAD_END);
	nbd_reply(slot, slot->err);
	return true;
}

/* --- the end ------------------------------------------------------------------------------ */

void nbd_tx_done(struct io *io)
{
	struct nbd_slot *slot = container_of(io, struct nbd_slot, io);
	struct nbd_conn *c = slot->conn;

	assert(slot->in_lun && c->inflight > 0);
	slot->in_lun = false;
	c->inflight--;
	TAILQ_REMOVE(&c->at_lun, slot, lun);
	if (c->state == NBD_S_DEAD) {
		nbd_slot_free(slot);
		if (c->inflight == 0)
			nbd_server_reap(c->srv);
		return;
	}
	/* The end of the request is unknown: an answer of any kind could be a lie. The client
	 * sends it again on its next connection. */
	if (io->err == ESHUTDOWN || io->err == ECANCELED) {
		nbd_conn_event(c, NBD_E_FINISH);
		nbd_slot_free(slot);
		loop_task_queue(c->srv->loop, &c->output);
		return;
	}
	if (io->err == 0 && slot->type == NBD_READ)
		c->bytes_read += slot->length;
	if (io->err == 0 && slot->type == NBD_WRITE)
		c->bytes_written += slot->length;
	nbd_reply(slot, io->err);
}
