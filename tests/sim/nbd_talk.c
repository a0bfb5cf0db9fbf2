/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nbd_talk.c - see nbd_talk.h. */
#include "nbd_talk.h"

#include "answer.h"
#include "wire.h"
#include "world.h"

#include "base/bytes.h"
#include "base/units.h"
#include "export/nbd_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define wrong(c, ...) world_fail((c)->w, "O5", __VA_ARGS__)

/* What has come and was not understood yet. */
static size_t have(const struct client *c)
{
	return c->nbd.msg_len - c->nbd.msg_off;
}

static const uint8_t *peek(const struct client *c)
{
	return c->nbd.msg + c->nbd.msg_off;
}

/* --- handshake -------------------------------------------------------------------------- */

static void say_option(struct client *c, uint32_t opt, const void *data, uint32_t len, enum nbd_client_state next)
{
	struct nbd_option o;

	put_be64(&o.magic, NBD_OPT_MAGIC);
	put_be32(&o.opt, opt);
	put_be32(&o.len, len);
	nbd_client_write(c, &o, sizeof(o));
	nbd_client_write(c, data, len);
	c->nbd.state = next;
}

static uint8_t *put_string(uint8_t *p, const char *s)
{
	size_t len = strlen(s);

	put_be32(p, (uint32_t)len);
	memcpy(p + 4, s, len);
	return p + 4 + len;
}

static void say_meta(struct client *c)
{
	static const char name[] = TALK_EXPORT, query[] = NBD_CONTEXT_BASE_ALLOCATION;
	uint8_t b[64], *p = b;

	p = put_string(p, name);
	put_be32(p, 1);
	p = put_string(p + 4, query);
	say_option(c, NBD_OPT_SET_META_CONTEXT, b, (uint32_t)(p - b), NC_META);
}

static void say_go(struct client *c)
{
	static const char name[] = TALK_EXPORT;
	uint8_t b[32], *p = b;

	if (c->nbd.legacy) {
		say_option(c, NBD_OPT_EXPORT_NAME, name, sizeof(name) - 1, NC_LEGACY);
		return;
	}
	p = put_string(p, name);
	put_be16(p, c->nbd.blocks);
	p += 2;
	if (c->nbd.blocks) {
		put_be16(p, NBD_INFO_BLOCK_SIZE);
		p += 2;
	}
	say_option(c, NBD_OPT_GO, b, (uint32_t)(p - b), NC_GO);
}

static void check_size(struct client *c, uint64_t bytes)
{
	if (bytes != c->w->cfg.nblocks * c->w->cfg.block_bytes)
		wrong(c, "client %u was told of %llu bytes", c->id, (unsigned long long)bytes);
}

void talk_up(struct client *c)
{
	c->nbd.state = NC_UP;
	client_connected(c);
}

static size_t hear_greeting(struct client *c)
{
	const struct nbd_greeting *g = (const void *)peek(c);
	uint8_t flags[4];

	if (have(c) < sizeof(*g))
		return 0;
	if (get_be64(&g->magic) != NBD_MAGIC || get_be64(&g->opt_magic) != NBD_OPT_MAGIC)
		wrong(c, "client %u was greeted by something else", c->id);
	put_be32(flags, NBD_F_FIXED_NEWSTYLE | (c->nbd.zeroes ? 0 : NBD_F_NO_ZEROES));
	nbd_client_write(c, flags, sizeof(flags));
	if (c->nbd.structured)
		say_option(c, NBD_OPT_STRUCTURED_REPLY, NULL, 0, NC_STRUCTURED);
	else
		say_go(c);
	return sizeof(*g);
}

static size_t hear_export(struct client *c)
{
	const struct nbd_export_reply *r = (const void *)peek(c);
	size_t len = sizeof(*r) - (c->nbd.zeroes ? 0 : sizeof(r->zeroes));

	if (have(c) < len)
		return 0;
	check_size(c, get_be64(&r->size));
	talk_up(c);
	return len;
}

static void hear_info(struct client *c, const uint8_t *data, uint32_t len)
{
	const struct nbd_info_export *e = (const void *)data;
	const struct nbd_info_block_size *b = (const void *)data;

	if (len >= sizeof(*e) && get_be16(&e->type) == NBD_INFO_EXPORT)
		check_size(c, get_be64(&e->size));
	else if (len >= sizeof(*b) && get_be16(&b->type) == NBD_INFO_BLOCK_SIZE &&
		 get_be32(&b->minimum) != c->w->cfg.block_bytes)
		wrong(c, "client %u was told of blocks of %u bytes", c->id, get_be32(&b->minimum));
}

static void option_is_done(struct client *c)
{
	if (c->nbd.state == NC_STRUCTURED && c->nbd.meta)
		say_meta(c);
	else if (c->nbd.state == NC_GO)
		talk_up(c);
	else
		say_go(c);
}

static size_t hear_option(struct client *c)
{
	static const uint32_t asked[] = { [NC_STRUCTURED] = NBD_OPT_STRUCTURED_REPLY,
					  [NC_META] = NBD_OPT_SET_META_CONTEXT, [NC_GO] = NBD_OPT_GO };
	const struct nbd_option_reply *r = (const void *)peek(c);
	const uint8_t *data = peek(c) + sizeof(*r);
	uint32_t len, type;

	if (have(c) < sizeof(*r) || have(c) < sizeof(*r) + get_be32(&r->len))
		return 0;
	len = get_be32(&r->len);
	type = get_be32(&r->type);
	if (get_be64(&r->magic) != NBD_REP_MAGIC || get_be32(&r->opt) != asked[c->nbd.state])
		wrong(c, "client %u heard an answer to option %u", c->id, get_be32(&r->opt));
	if (type == NBD_REP_ACK)
		option_is_done(c);
	else if (type == NBD_REP_INFO && c->nbd.state == NC_GO)
		hear_info(c, data, len);
	else if (type == NBD_REP_META_CONTEXT && c->nbd.state == NC_META && len > 4)
		c->nbd.context = get_be32(data);
	else
		wrong(c, "client %u heard %x of option %u", c->id, type, get_be32(&r->opt));
	return sizeof(*r) + len;
}

/* --- requests ------------------------------------------------------------------------------ */

static void say_request(struct client *c, unsigned flags, enum nbd_cmd type, uint64_t cookie, uint64_t offset,
			uint32_t length)
{
	struct nbd_request_hdr h;

	put_be32(&h.magic, NBD_REQUEST_MAGIC);
	put_be16(&h.flags, (uint16_t)flags);
	put_be16(&h.type, (uint16_t)type);
	put_be64(&h.cookie, cookie);
	put_be64(&h.offset, offset);
	put_be32(&h.length, length);
	nbd_client_write(c, &h, sizeof(h));
}

void talk_bye(struct client *c)
{
	say_request(c, 0, NBD_DISC, 0, 0, 0);
	c->nbd.state = NC_BYE;
}

/* What no server can make sense of: another magic, or a payload of 4 GiB; and whatever comes behind. */
void talk_rubbish(struct client *c)
{
	struct prng *r = &c->nbd.rudeness;
	uint8_t b[200];

	if (draw_pct(r, 30))
		say_request(c, 0, NBD_WRITE, 1, 0, UINT32_MAX);
	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(0xf0 | prng_u64(r));
	nbd_client_write(c, b, (size_t)draw(r, 28, sizeof(b)));
	c->nbd.state = NC_RUDE;
}

static uint32_t op_length(const struct op *op)
{
	return (op->c1 - op->c0) * CELL_BYTES;
}

void nbd_client_send(struct op *op)
{
	static const enum nbd_cmd types[REQ_OP_NR] = {
		[REQ_READ] = NBD_READ,	     [REQ_WRITE] = NBD_WRITE,
		[REQ_FLUSH] = NBD_FLUSH,     [REQ_DISCARD] = NBD_TRIM,
		[REQ_STATUS] = NBD_BLOCK_STATUS, [REQ_WRITE_ZEROES] = NBD_WRITE_ZEROES,
	};
	struct client *c = op->client;
	unsigned flags = 0;

	op->cookie = ++c->nbd.serial << 8 | (uint64_t)(op - c->ops);
	op->got = op->nextents = 0;
	op->err = 0;
	if (op->flags & REQ_F_FUA)
		flags |= NBD_CF_FUA;
	if (op->flags & REQ_F_NO_UNMAP)
		flags |= NBD_CF_NO_HOLE;
	if (op->flags & REQ_F_FAST_ZERO)
		flags |= NBD_CF_FAST_ZERO;
	if (op->kind == REQ_READ && c->nbd.structured && draw_pct(&c->nbd.prng, 30))
		flags |= NBD_CF_DF;
	say_request(c, flags, types[op->kind], op->cookie, (uint64_t)op->c0 * CELL_BYTES, op_length(op));
	if (op->kind == REQ_WRITE)
		nbd_client_write(c, (uint8_t *)op->data + op->head_skip, op_length(op));
}

static struct op *op_of(struct client *c, uint64_t cookie)
{
	struct op *op = &c->ops[cookie & (SIM_IODEPTH_MAX - 1)];

	return cookie && op->cookie == cookie ? op : NULL;
}

struct op *nbd_client_op(const struct req *r)
{
	const struct nbd_slot *slot = container_of(r->owner, struct nbd_slot, io);
	struct wire *wire = wire_of(slot->conn->fd.fd);

	if (!wire || wire->client->nbd.wire != wire)
		return NULL;
	return op_of(wire->client, slot->cookie);
}

/* --- replies -------------------------------------------------------------------------------- */

static int errno_of(uint32_t error)
{
	switch (error) {
	case NBD_OK:
		return 0;
	case NBD_EIO:
		return EIO;
	case NBD_ENOSPC:
		return ENOSPC;
	case NBD_EINVAL: /* so is said what the LUN cannot do */
	case NBD_ENOTSUP:
		return EOPNOTSUPP;
	}
	return EPROTO;
}

static void answered(struct client *c, struct op *op, int err)
{
	if (!c->nbd.deaf) {
		op_answer(op, err);
		return;
	}
	if (op->kind == REQ_FLUSH && err)
		op_told(op);
	/* It is lost all the same, but not said twice. */
}

static struct op *asked_for(struct client *c, uint64_t cookie)
{
	struct op *op = op_of(c, cookie);

	if (!op && !c->nbd.deaf)
		wrong(c, "client %u heard an answer to cookie %llx, which it has not asked for, or has had an answer to",
		      c->id, (unsigned long long)cookie);
	return op;
}

static size_t hear_simple(struct client *c)
{
	const struct nbd_simple_reply *r = (const void *)peek(c);
	struct op *op;
	size_t len = 0;
	int err;

	if (have(c) < sizeof(*r))
		return 0;
	op = asked_for(c, get_be64(&r->cookie));
	if (!op)
		return have(c);
	err = errno_of(get_be32(&r->error));
	if (c->nbd.structured && (op->kind == REQ_READ || op->kind == REQ_STATUS))
		wrong(c, "operation %u has a simple reply", op->id);
	if (op->kind == REQ_READ && !err)
		len = op_length(op);
	if (have(c) < sizeof(*r) + len)
		return 0;
	memcpy(op->data, peek(c) + sizeof(*r), len);
	answered(c, op, err);
	return sizeof(*r) + len;
}

static void hear_data(struct client *c, struct op *op, const uint8_t *p, uint32_t len)
{
	uint64_t at = get_be64(p) - (uint64_t)op->c0 * CELL_BYTES;

	if (op->kind != REQ_READ || len <= 8 || at > op_length(op) || len - 8 > op_length(op) - at)
		wrong(c, "operation %u has data that it has not asked for", op->id);
	memcpy((uint8_t *)op->data + at, p + 8, len - 8);
	op->got += len - 8;
}

static void hear_extents(struct client *c, struct op *op, const uint8_t *p, uint32_t len)
{
	const struct nbd_extent *x = (const void *)(p + 4);
	uint32_t n = (len - 4) / (uint32_t)sizeof(*x), bs = c->w->cfg.block_bytes;
	struct extent *e = op->data;

	if (op->kind != REQ_STATUS || op->nextents || len < 4 || (len - 4) % sizeof(*x) || n > NBD_EXTENTS_MAX ||
	    get_be32(p) != c->nbd.context)
		wrong(c, "operation %u has %u extents of context %u", op->id, n, get_be32(p));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t bytes = get_be32(&x[i].length);

		if (bytes % bs)
			wrong(c, "operation %u has an extent of %u bytes", op->id, bytes);
		e[i].nblocks = bytes / bs;
		e[i].hole = get_be32(&x[i].flags) & NBD_EXTENT_HOLE;
		e[i].zero = get_be32(&x[i].flags) & NBD_EXTENT_ZERO;
	}
	op->nextents = n;
}

static void hear_payload(struct client *c, struct op *op, unsigned type, const uint8_t *p, uint32_t len)
{
	switch (type) {
	case NBD_CHUNK_NONE:
		return;
	case NBD_CHUNK_OFFSET_DATA:
		hear_data(c, op, p, len);
		return;
	case NBD_CHUNK_BLOCK_STATUS:
		hear_extents(c, op, p, len);
		return;
	case NBD_CHUNK_ERROR:
		if (len < 6 || len != 6u + get_be16(p + 4) || !get_be32(p))
			wrong(c, "operation %u has an error of %u bytes", op->id, len);
		op->err = errno_of(get_be32(p));
		return;
	}
	wrong(c, "operation %u has a chunk of type %x", op->id, type);
}

static size_t hear_chunk(struct client *c)
{
	const struct nbd_chunk *k = (const void *)peek(c);
	const uint8_t *payload = peek(c) + sizeof(*k);
	struct op *op;
	uint32_t len;
	bool done;

	if (have(c) < sizeof(*k))
		return 0;
	len = get_be32(&k->length);
	op = asked_for(c, get_be64(&k->cookie));
	if (!op)
		return have(c);
	if (!c->nbd.structured || len > (OP_CELLS_MAX + 16) * CELL_BYTES)
		wrong(c, "operation %u has a chunk of %u bytes", op->id, len);
	if (have(c) < sizeof(*k) + len)
		return 0;
	done = get_be16(&k->flags) & NBD_CHUNK_F_DONE;
	hear_payload(c, op, get_be16(&k->type), payload, len);
	if (!done)
		return sizeof(*k) + len;
	if (op->kind == REQ_READ && !op->err && op->got != op_length(op))
		wrong(c, "operation %u was answered with %u of %u bytes", op->id, op->got, op_length(op));
	answered(c, op, op->err);
	return sizeof(*k) + len;
}

static size_t hear_reply(struct client *c)
{
	if (have(c) < 4)
		return 0;
	switch (get_be32(peek(c))) {
	case NBD_SIMPLE_REPLY_MAGIC:
		return hear_simple(c);
	case NBD_CHUNK_MAGIC:
		return hear_chunk(c);
	}
	wrong(c, "client %u heard garbage where a reply was due", c->id);
}

/* --- reading ----------------------------------------------------------------------------------- */

/* The bytes of the next message, 0: there is none. */
static size_t hear(struct client *c)
{
	switch (c->nbd.state) {
	case NC_GREETING:
		return hear_greeting(c);
	case NC_STRUCTURED:
	case NC_META:
	case NC_GO:
		return hear_option(c);
	case NC_LEGACY:
		return hear_export(c);
	case NC_UP:
	case NC_RUDE:
	case NC_BYE:
		return hear_reply(c);
	case NC_AWAY:
		break;
	}
	return 0;
}

void talk_read(struct client *c, const void *data, size_t len)
{
	struct nbd_client *n = &c->nbd;
	size_t used;

	if (n->msg_off) {
		memmove(n->msg, n->msg + n->msg_off, have(c));
		n->msg_len -= n->msg_off;
		n->msg_off = 0;
	}
	if (n->msg_len + len > n->msg_cap) {
		n->msg_cap = 2 * (n->msg_len + len);
		n->msg = realloc(n->msg, n->msg_cap);
		assert(n->msg);
	}
	memcpy(n->msg + n->msg_len, data, len);
	n->msg_len += len;
	if (n->deaf && n->state != NC_UP && n->state != NC_RUDE && n->state != NC_BYE)
		return;
	while (n->state != NC_AWAY && (used = hear(c)) > 0)
		n->msg_off += used;
}
