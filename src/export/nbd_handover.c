/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_handover.c - connections go on in the process that takes this one's place.
 *
 * A connection is saved while nothing of it is at the LUN.  Then all there is
 * to it is what the handshake has settled, what its client is owed, bytes that
 * were received and not carried out, and bytes that were not sent.  A request
 * of which a part is here is put back into the former as it came, so the next
 * process reads it as if from the socket: where the old one stood in it need
 * not be known, and nothing is answered twice.  The one exception is a write
 * that was refused while its payload still arrives ("drain"): its verdict is
 * carried.
 */
#include <config.h>

#include "export/nbd_int.h"

#include "base/bytes.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void nbd_server_freeze(struct nbd_server *s)
{
	struct nbd_conn *c;

	s->frozen = true;
	loop_timer_stop(s->loop, &s->accept_again);
	nbd_listen_watch(s, false);
	TAILQ_FOREACH(c, &s->conns, link)
		nbd_conn_watch(c);
}

void nbd_server_thaw(struct nbd_server *s)
{
	struct nbd_conn *c;

	s->frozen = false;
	nbd_listen_watch(s, true);
	TAILQ_FOREACH(c, &s->conns, link) {
		nbd_conn_watch(c);
		if (c->state != NBD_S_DEAD)
			nbd_conn_kick(c);
	}
}

bool nbd_server_is_idle(const struct nbd_server *s)
{
	const struct nbd_conn *c;

	TAILQ_FOREACH(c, &s->conns, link)
		if (c->inflight)
			return false;
	return s->frozen;
}

void nbd_server_listeners(const struct nbd_server *s, int *ret_unix, int *ret_tcp)
{
	*ret_unix = s->unix_lis.fd.fd;
	*ret_tcp = s->tcp_lis.fd.fd;
}

void nbd_server_told(const struct nbd_server *s, uint64_t *ret_size, uint32_t *ret_block)
{
	*ret_size = s->dev.size_bytes;
	*ret_block = s->dev.block_bytes;
}

void nbd_conn_state_clear(struct nbd_conn_state *st)
{
	free(st->in);
	free(st->out);
	st->in = st->out = NULL;
}

/* --- saving ---------------------------------------------------------------------------- */

/* The request at hand, as it came. */
static void put_header(const struct nbd_slot *slot, struct nbd_request_hdr *h)
{
	put_be32(&h->magic, NBD_REQUEST_MAGIC);
	put_be16(&h->flags, slot->flags);
	put_be16(&h->type, slot->type);
	put_be64(&h->cookie, slot->cookie);
	put_be64(&h->offset, slot->offset);
	put_be32(&h->length, slot->length);
}

static bool save_input(const struct nbd_conn *c, struct nbd_conn_state *st)
{
	size_t carried = c->carry_in ? c->carry_in_len - c->carry_in_off : 0;
	size_t got = c->state == NBD_S_PAYLOAD ? c->cur_got : 0;
	uint8_t *p;

	if (c->state == NBD_S_CLOSING)
		return true;
	st->in_len = (c->cur ? sizeof(struct nbd_request_hdr) : 0) + got + nbd_avail(c) + carried;
	if (st->in_len == 0)
		return true;
	p = st->in = malloc(st->in_len);
	if (!p)
		return false;
	if (c->cur) {
		put_header(c->cur, (void *)p);
		p += sizeof(struct nbd_request_hdr);
	}
	if (got)
		p = mempcpy(p, c->cur->io.data, got);
	if (nbd_avail(c))
		p = mempcpy(p, nbd_peek(c), nbd_avail(c));
	if (carried)
		memcpy(p, c->carry_in + c->carry_in_off, carried);
	return true;
}

static bool save_output(const struct nbd_conn *c, struct nbd_conn_state *st)
{
	size_t carried = c->carry_out ? c->carry_out_len - c->carry_out_off : 0;
	size_t hs = c->hs.out_end - c->hs.out_start;
	const struct nbd_slot *slot;
	uint64_t skip = c->out_off;
	uint8_t *p;

	st->out_len = carried + hs;
	STAILQ_FOREACH(slot, &c->out, out)
		st->out_len += slot->hdr_len + slot->body_len;
	st->out_len -= c->out_off;
	if (st->out_len == 0)
		return true;
	p = st->out = malloc(st->out_len);
	if (!p)
		return false;
	st->untold = carried && c->carry_untold;
	if (carried)
		p = mempcpy(p, c->carry_out + c->carry_out_off, carried);
	p = mempcpy(p, c->hs.out + c->hs.out_start, hs);
	STAILQ_FOREACH(slot, &c->out, out) {
		uint64_t hdr = MIN(skip, slot->hdr_len), body = skip - hdr;

		st->untold |= slot->type == NBD_FLUSH && slot->io.err;
		p = mempcpy(p, slot->hdr + hdr, slot->hdr_len - hdr);
		if (slot->body_len > body)
			p = mempcpy(p, (const uint8_t *)slot->body + body, slot->body_len - body);
		skip = 0;
	}
	return true;
}

/* A request that waits, or of which a part is here, is due again. */
static enum nbd_state saved_state(enum nbd_state s)
{
	return s == NBD_S_QUOTA || s == NBD_S_ROOM || s == NBD_S_PAYLOAD ? NBD_S_REQUEST : s;
}

static bool save_conn(const struct nbd_conn *c, struct nbd_conn_state *st)
{
	const struct nbd_hs *hs = &c->hs;

	*st = (struct nbd_conn_state){
		.fd = c->fd.fd, .state = nbd_state_names[saved_state(c->state)],
		.kernel = c->gone != NULL, .joined = c->client.lun != NULL,
		.fixed = hs->fixed, .no_zeroes = hs->no_zeroes, .structured = hs->structured,
		.knows_blocks = hs->knows_blocks, .meta = c->meta, .meta_for = hs->meta_for,
		.options = hs->options, .opt = hs->opt, .opt_len = hs->len, .skip_left = c->skip_left,
		.tx_flags = c->tx_flags, .bye = c->bye, .advised = c->advised,
		.age_ns = loop_now_ns(c->srv->loop) - c->since_ns, .requests = c->requests,
		.errors = c->errors, .bytes_read = c->bytes_read, .bytes_written = c->bytes_written,
		.unaligned = c->unaligned,
	};
	memcpy(st->peer, c->peer, sizeof(st->peer));
	if (c->state == NBD_S_DRAIN)
		st->err = c->cur->err;
	else if (c->cur)
		st->requests--; /* it will be counted again */
	if (st->joined)
		lun_client_debt(&c->client, &st->debt);
	return save_input(c, st) && save_output(c, st);
}

int nbd_server_save(const struct nbd_server *s, struct nbd_conn_state **ret, size_t *ret_n)
{
	struct nbd_conn_state *all = calloc(s->nclients + 1, sizeof(*all));
	const struct nbd_conn *c;
	size_t n = 0;
	bool ok = all != NULL;

	assert(nbd_server_is_idle(s));
	TAILQ_FOREACH(c, &s->conns, link) {
		if (!ok)
			break;
		if (c->state != NBD_S_DEAD)
			ok = save_conn(c, &all[n++]);
	}
	if (!ok) {
		while (n > 0)
			nbd_conn_state_clear(&all[--n]);
		free(all);
		return -ENOMEM;
	}
	*ret = all;
	*ret_n = n;
	return 0;
}

/* --- going on ----------------------------------------------------------------------------- */

/* Where a connection may stand between two processes. */
static const struct {
	enum nbd_state state;
	bool joined;
	size_t in_min; /* bytes that must be there */
} carried_states[] = {
	{NBD_S_FLAGS, false, 0},   {NBD_S_OPTION, false, 0},
	{NBD_S_SKIP, false, 0},	   {NBD_S_REQUEST, true, 0},
	{NBD_S_CLOSING, true, 0},  {NBD_S_CLOSING, false, 0},
	{NBD_S_DRAIN, true, sizeof(struct nbd_request_hdr)},
};

static bool find_state(const struct nbd_conn_state *st, enum nbd_state *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(carried_states); i++) {
		*ret = carried_states[i].state;
		if (strcmp(nbd_state_names[*ret], st->state) == 0 &&
		    carried_states[i].joined == st->joined && st->in_len >= carried_states[i].in_min)
			return (*ret != NBD_S_SKIP || st->skip_left <= NBD_SKIP_BYTES_MAX) &&
			       (*ret != NBD_S_DRAIN || st->skip_left <= NBD_DRAIN_BYTES_MAX);
	}
	return false;
}

static bool copy_bytes(uint8_t **ret, size_t *ret_len, const uint8_t *from, size_t len)
{
	if (len == 0)
		return true;
	*ret = malloc(len);
	if (!*ret)
		return false;
	memcpy(*ret, from, len);
	*ret_len = len;
	return true;
}

static void set_numbers(struct nbd_conn *c, const struct nbd_conn_state *st)
{
	struct nbd_hs *hs = &c->hs;

	snprintf(c->peer, sizeof(c->peer), "%s", st->peer);
	c->since_ns -= MIN(st->age_ns, c->since_ns);
	hs->fixed = st->fixed;
	hs->no_zeroes = st->no_zeroes;
	hs->structured = st->structured;
	hs->knows_blocks = st->knows_blocks;
	hs->meta_for = st->meta_for;
	hs->options = st->options;
	hs->opt = st->opt;
	hs->len = st->opt_len;
	c->meta = st->meta;
	c->tx_flags = st->tx_flags;
	c->skip_left = st->skip_left;
	c->bye = st->bye;
	c->advised = st->advised;
	c->requests = st->requests;
	c->errors = st->errors;
	c->bytes_read = st->bytes_read;
	c->bytes_written = st->bytes_written;
	c->unaligned = st->unaligned;
	c->carry_untold = st->untold;
}

/* A refused write: its header goes before the rest. */
static size_t take_drain(struct nbd_conn *c, const struct nbd_conn_state *st, enum nbd_state state)
{
	if (state != NBD_S_DRAIN)
		return 0;
	nbd_tx_carry_drain(c, st->in, st->skip_left, st->err);
	c->in_since_ns = loop_now_ns(c->srv->loop);
	nbd_patience_start(c);
	return sizeof(struct nbd_request_hdr);
}

int nbd_server_adopt(struct nbd_server *s, const struct nbd_conn_state *st,
		     void (*gone)(void *arg, bool bye), void *arg)
{
	enum nbd_state state;
	struct nbd_conn *c;
	size_t skip;

	if (!find_state(st, &state)) {
		close(st->fd);
		return -EINVAL;
	}
	c = nbd_conn_alloc(s, st->fd);
	if (!c)
		return -ENOMEM;
	set_numbers(c, st);
	(void)nbd_server_welcome(s, c);
	skip = take_drain(c, st, state);
	if (!copy_bytes(&c->carry_in, &c->carry_in_len, skip ? st->in + skip : st->in, st->in_len - skip) ||
	    !copy_bytes(&c->carry_out, &c->carry_out_len, st->out, st->out_len)) {
		nbd_conn_event(c, NBD_E_DEAD);
		return -ENOMEM;
	}
	c->out_bytes = c->carry_out_len;
	c->state = state;
	c->gone = gone;
	c->gone_arg = arg;
	if (!st->joined && state != NBD_S_CLOSING)
		loop_timer_in(s->loop, &c->handshake, s->conf.handshake_ns);
	if (st->joined) {
		lun_client_join(s->lun, &c->client);
		lun_client_inherit(&c->client, &st->debt);
	}
	loop_task_queue(s->loop, &c->output);
	nbd_conn_kick(c);
	return 0;
}

void nbd_server_carry(struct nbd_server *s, uint64_t size_bytes, uint32_t block_bytes)
{
	s->carried_size_bytes = size_bytes;
	s->carried_block_bytes = block_bytes;
}

void nbd_carried_check(struct nbd_server *s)
{
	struct nbd_conn *c;

	if (!s->carried_block_bytes || (s->dev.block_bytes == s->carried_block_bytes &&
					s->dev.size_bytes >= s->carried_size_bytes))
		return;
	log_err("nbd: the LUN has %llu bytes in blocks of %u now, had %llu in blocks of %u: connections of "
		"the earlier lunmuxd are closed", (unsigned long long)s->dev.size_bytes,
		s->dev.block_bytes, (unsigned long long)s->carried_size_bytes, s->carried_block_bytes);
	TAILQ_FOREACH(c, &s->conns, link)
		if (c->state != NBD_S_DEAD)
			nbd_conn_cut(c, "the LUN is not what it was");
}
