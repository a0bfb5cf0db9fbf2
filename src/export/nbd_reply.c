/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_reply.c - replies: simple ones, structured ones, and what an errno is
 * called on the wire.
 *
 * A structured READ is one chunk that carries all of the data and is sent only
 * when the read has succeeded, so it is always "done" and satisfies DF.
 */
#include <config.h>

#include "export/nbd_int.h"

#include "base/bytes.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* The error table: the only place that knows both sides. EOPNOTSUPP is ENOTSUP only where the
 * client asked for FAST_ZERO, anything else that it could not know is EINVAL. */
static const struct {
	int err;
	enum nbd_error wire;
	const char *text; /* for structured replies */
} errors[] = {
	{EPERM, NBD_EPERM, "read-only, or reserved for another host"},
	{EROFS, NBD_EPERM, "read-only"},
	{EACCES, NBD_EPERM, "read-only, or reserved for another host"},
	{EIO, NBD_EIO, "input/output error"},
	{ENOMEM, NBD_ENOMEM, "out of memory"},
	{EINVAL, NBD_EINVAL, "invalid: beyond the end, not whole blocks, or unknown flags"},
	{ENOSPC, NBD_ENOSPC, "no space: beyond the end, or the pool behind the LUN is full"},
	{EDQUOT, NBD_ENOSPC, "no space"},
	{EFBIG, NBD_ENOSPC, "no space"},
	{EOVERFLOW, NBD_EOVERFLOW, "more than 32 MiB, whole blocks around it included"},
	{EOPNOTSUPP, NBD_EINVAL, "not supported by the LUN"},
};

static enum nbd_error wire_error(const struct nbd_slot *slot, int err, const char **ret_text)
{
	unsigned i;

	if (err == EOPNOTSUPP && slot->type == NBD_WRITE_ZEROES && slot->flags & NBD_CF_FAST_ZERO) {
		*ret_text = "not faster than a write";
		return NBD_ENOTSUP;
	}
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		if (errors[i].err == err) {
			*ret_text = errors[i].text;
			return errors[i].wire;
		}
	}
	*ret_text = "input/output error";
	return NBD_EIO;
}

static void simple(struct nbd_slot *slot, enum nbd_error error)
{
	struct nbd_simple_reply *r = (void *)slot->hdr;

	put_be32(&r->magic, NBD_SIMPLE_REPLY_MAGIC);
	put_be32(&r->error, error);
	put_be64(&r->cookie, slot->cookie);
	slot->hdr_len = sizeof(*r);
}

/* One chunk, the last one of its request; @len bytes follow it. */
static void chunk(struct nbd_slot *slot, uint16_t type, uint32_t len)
{
	struct nbd_chunk *k = (void *)slot->hdr;

	put_be32(&k->magic, NBD_CHUNK_MAGIC);
	put_be16(&k->flags, NBD_CHUNK_F_DONE);
	put_be16(&k->type, type);
	put_be64(&k->cookie, slot->cookie);
	put_be32(&k->length, len);
	slot->hdr_len = sizeof(*k);
}

static void reply_read(struct nbd_slot *slot)
{
	if (!slot->conn->hs.structured) {
		simple(slot, NBD_OK);
	} else if (slot->length == 0) {
		chunk(slot, NBD_CHUNK_NONE, 0);
	} else {
		chunk(slot, NBD_CHUNK_OFFSET_DATA, 8 + slot->length);
		put_be64(slot->hdr + slot->hdr_len, slot->offset);
		slot->hdr_len += 8;
	}
	slot->body = slot->io.data;
	slot->body_len = slot->length;
}

/* Descriptors are written over the extents that they are made of: half their size. A LUN that
 * cannot tell, or told nothing, has data everywhere. */
static void reply_status(struct nbd_slot *slot)
{
	bool one = slot->flags & NBD_CF_REQ_ONE;
	struct nbd_extent *e;
	struct io_extent x;
	uint64_t covered = 0;
	unsigned pos = 0, n = 0;

	if (slot->io.state == IO_DONE) {
		e = (void *)slot->io.data;
		while ((n == 0 || !one) && io_next_extent(&slot->io, &pos, &covered, &x)) {
			put_be32(&e[n].length, (uint32_t)x.bytes);
			put_be32(&e[n].flags, (x.hole ? NBD_EXTENT_HOLE : 0) |
						      (x.zero ? NBD_EXTENT_ZERO : 0));
			n++;
		}
		slot->body = e;
		slot->body_len = n * sizeof(*e);
	}
	chunk(slot, NBD_CHUNK_BLOCK_STATUS, 4 + MAX(n, 1u) * (uint32_t)sizeof(*e));
	put_be32(slot->hdr + slot->hdr_len, NBD_CONTEXT_ID);
	slot->hdr_len += 4;
	if (n == 0) {
		put_be32(slot->hdr + slot->hdr_len, slot->length);
		put_be32(slot->hdr + slot->hdr_len + 4, 0);
		slot->hdr_len += sizeof(*e);
	}
}

static void reply_error(struct nbd_slot *slot, int err)
{
	const char *text;
	enum nbd_error error = wire_error(slot, err, &text);
	uint16_t len = (uint16_t)strlen(text);

	slot->conn->errors++;
	/* Commands without data in their reply may be answered by a simple one at any time. */
	if (!slot->conn->hs.structured ||
	    (slot->type != NBD_READ && slot->type != NBD_BLOCK_STATUS)) {
		simple(slot, error);
		return;
	}
	chunk(slot, NBD_CHUNK_ERROR, 6u + len);
	put_be32(slot->hdr + slot->hdr_len, error);
	put_be16(slot->hdr + slot->hdr_len + 4, len);
	slot->hdr_len += 6;
	slot->body = text;
	slot->body_len = len;
}

void nbd_reply(struct nbd_slot *slot, int err)
{
	assert(slot->hdr_len == 0);
	/* The hint is not taken, or the question has no answer: not the client's fault. */
	if (err == EOPNOTSUPP && (slot->type == NBD_TRIM || slot->type == NBD_BLOCK_STATUS)) {
		io_put(&slot->io);
		err = 0;
	}
	if (err != 0)
		reply_error(slot, err);
	else if (slot->type == NBD_READ)
		reply_read(slot);
	else if (slot->type == NBD_BLOCK_STATUS)
		reply_status(slot);
	else
		simple(slot, NBD_OK);
	assert(slot->hdr_len <= sizeof(slot->hdr));
	/* What the reply does not need goes back at once: others may wait for it. */
	if (slot->body == NULL || err != 0) {
		io_put(&slot->io);
		nbd_uncharge(slot);
	}
	nbd_conn_send(slot->conn, slot);
}
