/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_cmd.c - a core command as a CDB with its header, and a result as outcome.
 *
 * What a device claims and what it takes are two things: each optional command is
 * sent on its word, and given up for good when it turns that down.  Where there
 * is another way to do the same the command comes back as V_SAME and goes out
 * that way; else core falls back.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/req.h"
#include "path/sg_priv.h"
#include "scsi/sense_text.h"

#ifndef SG_FLAG_Q_AT_TAIL
#define SG_FLAG_Q_AT_TAIL 0x10 /* linux/include/scsi/sg.h; not in glibc's copy */
#endif

/* What WRITE SAME sends. */
static const uint8_t zero_block[BLOCK_BYTES_MAX];

void sg_hdr_init(struct sg_path *s, struct sg_slot *slot, unsigned cdb_len,
		 unsigned timeout_ms)
{
	struct sg_io_hdr *h = &slot->hdr;
	unsigned index = (unsigned)(slot - s->slots);

	_Static_assert(DEPTH_MAX < 0x10000, "a slot's index is half of its pack_id");
	slot->uses++;
	memset(h, 0, sizeof(*h));
	h->interface_id = 'S';
	h->dxfer_direction = SG_DXFER_NONE;
	h->cmd_len = (unsigned char)cdb_len;
	h->cmdp = slot->cdb;
	h->mx_sb_len = SENSE_BYTES_MAX;
	h->sbp = slot->aside->sense;
	h->timeout = timeout_ms;
	/* Without it the kernel queues at the head: the newest first. */
	h->flags = SG_FLAG_Q_AT_TAIL;
	h->pack_id = (int)((slot->uses & 0x7fff) << 16 | index);
	h->usr_ptr = slot;
}

static void hdr_data(struct sg_slot *slot, int direction, void *data, uint32_t len)
{
	slot->hdr.dxfer_direction = direction;
	slot->hdr.dxferp = data;
	slot->hdr.dxfer_len = len;
}

/* As far as any path of the LUN knows. */
static bool has_cache(const struct sg_path *s)
{
	return s->feat.write_cache || (s->identity->cache_on && !(s->refused & SG_NO_SYNC));
}

static void encode_rw(struct sg_path *s, struct sg_slot *slot, struct cmd *cmd)
{
	bool write = cmd->op == CMD_WRITE;
	unsigned flags = 0, len;

	if (write && (cmd->flags & CMD_F_FUA)) {
		if (s->feat.fua_bit) {
			flags = CDB_FUA;
			slot->feature = SG_NO_FUA;
		} else {
			slot->flush_after = has_cache(s);
		}
	}
	if (write)
		len = cdb_write(slot->cdb, cmd->lba, cmd->nblocks, flags);
	else
		len = cdb_read(slot->cdb, cmd->lba, cmd->nblocks, 0);
	slot->class = write ? SCSI_WRITE : SCSI_READ;
	sg_hdr_init(s, slot, len, s->io_timeout_ms);
	assert(cmd->niov > 0);
	hdr_data(slot, write ? SG_DXFER_TO_DEV : SG_DXFER_FROM_DEV,
		 cmd->iov[0].iov_base, cmd->nblocks * s->feat.block_bytes);
	if (cmd->niov > 1) {
		slot->hdr.dxferp = cmd->iov;
		slot->hdr.iovec_count = (unsigned short)cmd->niov;
	}
}

void sg_encode_flush(struct sg_path *s, struct sg_slot *slot)
{
	slot->class = SCSI_FLUSH;
	slot->feature = SG_NO_SYNC;
	sg_hdr_init(s, slot, cdb_sync_cache(slot->cdb, 0, 0, 0), s->io_timeout_ms);
}

static void encode_write_same(struct sg_path *s, struct sg_slot *slot, struct cmd *cmd,
			      bool unmap, bool force16)
{
	unsigned flags = (unmap ? CDB_UNMAP : 0) | (force16 ? CDB_FORCE16 : 0);
	unsigned len;

	slot->feature = unmap ? SG_NO_WS_UNMAP : SG_NO_WRITE_SAME;
	if (s->feat.ws_ndob && force16) {
		flags |= CDB_NDOB;
		slot->feature = SG_NO_NDOB;
	}
	len = cdb_write_same(slot->cdb, cmd->lba, cmd->nblocks, flags);
	slot->class = SCSI_WRITE_SAME;
	sg_hdr_init(s, slot, len, s->io_timeout_ms);
	if (!(flags & CDB_NDOB))
		hdr_data(slot, SG_DXFER_TO_DEV, (void *)(uintptr_t)zero_block,
			 s->feat.block_bytes);
}

static bool encode_zeroes(struct sg_path *s, struct sg_slot *slot, struct cmd *cmd)
{
	bool unmap = s->feat.ws_unmap && !(cmd->flags & CMD_F_NO_UNMAP);

	if (!s->feat.write_same)
		return false;
	encode_write_same(s, slot, cmd, unmap, s->feat.ws16);
	return true;
}

static bool encode_discard(struct sg_path *s, struct sg_slot *slot, struct cmd *cmd)
{
	struct cdb_range range = {.lba = cmd->lba, .nblocks = cmd->nblocks};
	size_t len;

	switch (s->feat.discard) {
	case SG_DISCARD_UNMAP:
		len = cdb_unmap_param(slot->aside->param, sizeof(slot->aside->param), &range, 1);
		slot->class = SCSI_UNMAP;
		slot->feature = SG_NO_UNMAP;
		sg_hdr_init(s, slot, cdb_unmap(slot->cdb, (uint16_t)len, 0),
			    s->io_timeout_ms);
		hdr_data(slot, SG_DXFER_TO_DEV, slot->aside->param, (uint32_t)len);
		return true;
	case SG_DISCARD_WS16:
	case SG_DISCARD_WS10:
		encode_write_same(s, slot, cmd, true,
				  s->feat.discard == SG_DISCARD_WS16);
		return true;
	case SG_DISCARD_NONE:
		break;
	}
	return false;
}

static bool encode_status(struct sg_path *s, struct sg_slot *slot, struct cmd *cmd)
{
	if (!s->feat.lba_status)
		return false;
	slot->class = SCSI_OTHER;
	slot->feature = SG_NO_STATUS;
	sg_hdr_init(s, slot, cdb_get_lba_status(slot->cdb, cmd->lba, SG_PARAM_BYTES),
		    s->io_timeout_ms);
	hdr_data(slot, SG_DXFER_FROM_DEV, slot->aside->param, SG_PARAM_BYTES);
	return true;
}

/* The optional commands; false if this device has no such thing (any more). */
static bool encode_optional(struct sg_path *s, struct sg_slot *slot, struct cmd *cmd)
{
	if (cmd->op == CMD_STATUS)
		return encode_status(s, slot, cmd);
	/* Neither UNMAP nor WRITE SAME has a FUA bit. */
	slot->flush_after = (cmd->flags & CMD_F_FUA) && has_cache(s);
	return cmd->op == CMD_DISCARD ? encode_discard(s, slot, cmd)
				      : encode_zeroes(s, slot, cmd);
}

bool sg_encode(struct sg_path *s, struct sg_slot *slot, struct outcome *o)
{
	struct cmd *cmd = slot->cmd;

	slot->feature = 0;
	slot->flush_after = slot->flushing = false;
	memset(o, 0, sizeof(*o));
	switch (cmd->op) {
	case CMD_READ:
	case CMD_WRITE:
		encode_rw(s, slot, cmd);
		return true;
	case CMD_FLUSH:
		if (!has_cache(s)) {
			o->verdict = V_OK;
			return false;
		}
		sg_encode_flush(s, slot);
		return true;
	case CMD_WRITE_ZEROES:
	case CMD_DISCARD:
	case CMD_STATUS:
		if (encode_optional(s, slot, cmd))
			return true;
		o->verdict = V_ERR;
		o->flags = VF_NOT_RUN;
		o->err = EOPNOTSUPP;
		return false;
	case CMD_OP_NR:
		break;
	}
	assert(!"no such command");
	return false;
}

/* --- results --- */

void sg_judge_raw(const struct sg_path *s, const struct sg_slot *slot,
		  const struct sg_io_hdr *h, struct outcome *o)
{
	struct scsi_result r = {
		.class = slot->class,
		.host_status = h->host_status,
		.driver_status = h->driver_status,
		.status = h->status,
		.sense = slot->aside->sense,
		.sense_len = MIN((size_t)h->sb_len_wr, sizeof(slot->aside->sense)),
		.resid = h->resid,
		.dxfer_len = slot->hdr.dxfer_len,
		/* Without caching page and SYNCHRONIZE CACHE there is no cache that we
		   could know of. */
		.write_cache = s->feat.write_cache && s->feat.cache_known,
	};

	if (slot->cmd && slot->class != SCSI_FLUSH) {
		r.lba = slot->cmd->lba;
		r.nblocks = slot->cmd->nblocks;
		/* As it was sent: a check may have found another block size since. */
		r.block_bytes = r.nblocks ? r.dxfer_len / r.nblocks : 0;
	}
	scsi_judge(&r, o);
}

static void status_extents(const struct sg_path *s, struct sg_slot *slot,
			   const struct sg_io_hdr *h)
{
	struct lba_extent e[SG_LBA_EXTENTS];
	struct cmd *cmd = slot->cmd;
	unsigned i, n;

	n = lba_status_parse(slot->aside->param, SG_PARAM_BYTES - (size_t)h->resid, cmd->lba,
			     cmd->nblocks, e, MIN(cmd->max_extents, SG_LBA_EXTENTS));
	for (i = 0; i < n; i++) {
		cmd->extents[i].nblocks = e[i].nblocks;
		cmd->extents[i].hole = e[i].state == LBA_DEALLOCATED;
		/* Anchored blocks are not mapped either; LBPRZ speaks of both (SBC-4).
		 */
		cmd->extents[i].zero = e[i].state != LBA_DATA && s->feat.read_zeroes;
	}
	if (n == 0) {
		cmd->extents[0].nblocks = cmd->nblocks;
		cmd->extents[0].hole = cmd->extents[0].zero = false;
		n = 1;
	}
	cmd->nextents = n;
}

/* The device knows no such command, or not with that bit: is there another way? */
static void give_up(struct sg_path *s, struct sg_slot *slot, struct outcome *o)
{
	static const struct {
		unsigned feature;
		const char *name;
	} names[] = {
		{SG_NO_FUA, "FUA"},
		{SG_NO_UNMAP, "UNMAP"},
		{SG_NO_WS_UNMAP, "WRITE SAME with UNMAP"},
		{SG_NO_NDOB, "WRITE SAME without data"},
		{SG_NO_WRITE_SAME, "WRITE SAME"},
		{SG_NO_STATUS, "GET LBA STATUS"},
		{SG_NO_SYNC, "SYNCHRONIZE CACHE"},
	};
	bool again = false;
	size_t i;

	/* A cache that is on and cannot be flushed stays an error, each time. */
	if (slot->feature == SG_NO_SYNC && o->verdict == V_ERR)
		return;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].feature == slot->feature && !(s->refused & slot->feature))
			log_notice("%s: the device has turned down %s (sense "
				   "%x/%02x/%02x)",
				   s->path.name, names[i].name, o->sense_key, o->asc,
				   o->ascq);
	}
	s->refused |= slot->feature;
	sg_make_features(s);
	if (slot->feature == SG_NO_SYNC)
		return;
	if (slot->class == SCSI_WRITE)
		again = true;
	else if (slot->cmd->op == CMD_WRITE_ZEROES)
		again = s->feat.write_same;
	else if (slot->cmd->op == CMD_DISCARD)
		again = s->feat.discard != SG_DISCARD_NONE;
	o->verdict = again ? V_SAME : V_ERR;
	o->err = EOPNOTSUPP;
}

void sg_judge(struct sg_path *s, struct sg_slot *slot, const struct sg_io_hdr *h,
	      struct outcome *o)
{
	sg_judge_raw(s, slot, h, o);
	if (o->verdict == V_GROUP && s->facts.tur_trusted)
		s->tur_lies = true;
	if ((o->flags & VF_UNSUPPORTED) && slot->feature)
		give_up(s, slot, o);
	if ((o->verdict == V_OK || o->verdict == V_OK_INFO) &&
	    slot->cmd->op == CMD_STATUS)
		status_extents(s, slot, h);
}

static void add_text(char *buf, size_t size, size_t *n, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void add_text(char *buf, size_t size, size_t *n, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf + *n, size - *n, fmt, ap);
	va_end(ap);
	*n = MIN(*n + (size_t)MAX(len, 0), size - 1);
}

void sg_outcome_text(const struct outcome *o, char *buf, size_t size)
{
	static const char *const host[] = {
		[0x01] = "no connection",
		[0x02] = "bus busy",
		[0x03] = "timeout",
		[0x04] = "bad target",
		[0x05] = "aborted",
		[0x06] = "parity error",
		[0x07] = "internal error",
		[0x08] = "reset",
		[0x0e] = "transport disrupted",
		[0x0f] = "transport failed fast",
	};
	const char *word = o->host_status < ARRAY_SIZE(host) ? host[o->host_status] : NULL;
	const char *comma = "";
	char words[CAUSE_BYTES];
	size_t n = 0;

	if (o->sys_errno) {
		snprintf(buf, size, "%s", strerror(o->sys_errno));
		return;
	}
	buf[0] = '\0';
	if (o->host_status) {
		add_text(buf, size, &n, "host_status %02x", o->host_status);
		add_text(buf, size, &n, word ? " (%s)" : "%s", word ? word : "");
		comma = ", ";
	}
	if (o->sense_key || o->asc) {
		sense_text(o->sense_key, o->asc, o->ascq, words, sizeof(words));
		add_text(buf, size, &n, "%ssense %x/%02x/%02x", comma, o->sense_key, o->asc, o->ascq);
		add_text(buf, size, &n, words[0] ? " (%s)" : "%s", words);
	} else if (!o->host_status || o->scsi_status) {
		add_text(buf, size, &n, "%sstatus %02x", comma, o->scsi_status);
	}
}
