/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_facts.c - from what a device has told to how it is used.
 *
 * A device without a page, or with one that says nothing, is taken to have
 * nothing optional, and a cache that may be on.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "path/sg_priv.h"

/* WRITE SAME (10) has 16 bits for the count; a device that tells no limit gets no more.
 */
#define WS_BLOCKS_UNTOLD 0xffffu
/* Linux never sends more (drivers/scsi/sd.h, SD_MAX_WS16_BLOCKS), so no device has seen
 * more. */
#define WS_BLOCKS_MAX 0x7fffffu
/* Zeroes that a disk really writes must be done within the timeout. */
#define ZERO_BYTES_MAX (128u * MIB)
/* READ (10) and WRITE (10) go no further, and no sg transfer is as long. */
#define RW_BLOCKS_MAX 0xffffu

#define SPC_5 7 /* "version" of standard INQUIRY data */

const char *sg_type_refused(const struct inquiry *inq)
{
	static const char *const names[0x20] = {
		[0x01] = "a tape",
		[0x02] = "a printer",
		[0x03] = "a processor",
		[0x04] = "a write-once device",
		[0x06] = "a scanner",
		[0x08] = "a medium changer",
		[0x0c] = "a storage array controller",
		[0x0d] = "an enclosure",
		[0x11] = "an object store",
		[0x14] = "a zoned disk",
		[0x1e] = "a well-known LU",
		[0x1f] = "of unknown type",
	};

	if (inq->qualifier != 0)
		return "no device at this LUN (peripheral qualifier not 0)";
	switch (inq->type) {
	case PDT_DISK:
	case PDT_CDROM:
	case SG_PDT_OPTICAL:
	case PDT_RBC:
		return NULL;
	default:
		return names[inq->type & 0x1f] ? names[inq->type & 0x1f] : "of a type";
	}
}

static bool is_read_only(const struct sg_facts *f)
{
	return f->inq.type == PDT_CDROM || (f->has_mode && f->caching.write_protect);
}

static enum sg_discard pick_discard(const struct sg_path *s)
{
	const struct sg_facts *f = &s->facts;

	if (!f->cap.lbpme || is_read_only(f))
		return SG_DISCARD_NONE;
	if ((f->has_lbp ? f->lbp.unmap : f->limits.max_unmap_blocks > 0) &&
	    !(s->refused & SG_NO_UNMAP))
		return SG_DISCARD_UNMAP;
	if (s->refused & (SG_NO_WS_UNMAP | SG_NO_WRITE_SAME))
		return SG_DISCARD_NONE;
	if (f->has_lbp && f->lbp.write_same16)
		return SG_DISCARD_WS16;
	if (f->has_lbp && f->lbp.write_same10)
		return SG_DISCARD_WS10;
	return SG_DISCARD_NONE;
}

static void write_same_features(const struct sg_path *s, struct sg_features *feat)
{
	const struct sg_facts *f = &s->facts;
	bool thin16 = f->cap.lbpme && f->has_lbp && f->lbp.write_same16;
	bool thin10 = f->cap.lbpme && f->has_lbp && f->lbp.write_same10;

	/* No bit says that WRITE SAME is there; these fields would have no meaning
	 * without. */
	feat->write_same = f->inq.type == PDT_DISK && !is_read_only(f) &&
			   (thin16 || thin10 || f->limits.max_write_same_blocks > 0) &&
			   !(s->refused & SG_NO_WRITE_SAME);
	feat->ws16 = !thin10 || thin16;
	/* The field came with SBC-4: do not even ask older devices. */
	feat->ws_ndob =
		feat->ws16 && f->inq.version >= SPC_5 && !(s->refused & SG_NO_NDOB);
	feat->ws_unmap = (feat->ws16 ? thin16 : thin10) && feat->read_zeroes &&
			 !(s->refused & SG_NO_WS_UNMAP);
}

void sg_make_features(struct sg_path *s)
{
	const struct sg_facts *f = &s->facts;
	struct sg_features *feat = &s->feat;

	memset(feat, 0, sizeof(*feat));
	feat->block_bytes = f->cap.block_bytes;
	feat->read_zeroes =
		f->cap.lbpme && (f->cap.lbprz || (f->has_lbp && f->lbp.read_zeroes));
	feat->cache_known = f->has_mode && f->caching.has_page;
	feat->write_cache = f->inq.type != PDT_CDROM && !(s->refused & SG_NO_SYNC) &&
			    (!feat->cache_known || f->caching.write_cache);
	/* Also while the cache is off: it could be switched on before we know. */
	feat->fua_bit = f->has_mode && f->caching.dpofua && !(s->refused & SG_NO_FUA);
	feat->discard = pick_discard(s);
	write_same_features(s, feat);
	feat->lba_status = f->cap.lbpme && !(s->refused & SG_NO_STATUS);
}

/* The smaller limit, where 0 is none. */
static uint32_t limit(uint32_t a, uint64_t b)
{
	if (!b || (a && a < b))
		return a;
	return (uint32_t)MIN(b, UINT32_MAX);
}

static uint32_t write_same_blocks(const struct sg_facts *f, bool ws16)
{
	uint64_t told = f->limits.max_write_same_blocks;
	uint32_t most = ws16 && told ? WS_BLOCKS_MAX : WS_BLOCKS_UNTOLD;

	return limit(most, told);
}

static unsigned make_caps(const struct sg_path *s)
{
	const struct sg_features *feat = &s->feat;
	unsigned caps = 0;

	/* Without a cache every write is stable when it is done. */
	if (feat->fua_bit || !feat->write_cache)
		caps |= PATH_CAP_FUA;
	if (feat->discard != SG_DISCARD_NONE)
		caps |= PATH_CAP_DISCARD;
	if (feat->write_same)
		caps |= PATH_CAP_WRITE_ZEROES;
	if (feat->write_same && feat->ws_unmap)
		caps |= PATH_CAP_FAST_ZERO;
	if (feat->lba_status)
		caps |= PATH_CAP_STATUS;
	return caps;
}

static void provisioning_limits(const struct sg_path *s, struct path_info *info)
{
	const struct sg_facts *f = &s->facts;
	const struct sg_features *feat = &s->feat;
	uint32_t phys_blocks = info->phys_block_bytes / info->block_bytes;

	if (feat->write_same)
		info->max_zero_blocks = limit(write_same_blocks(f, feat->ws16),
					      ZERO_BYTES_MAX / info->block_bytes);
	switch (feat->discard) {
	case SG_DISCARD_UNMAP:
		info->max_discard_blocks = f->limits.max_unmap_blocks;
		break;
	case SG_DISCARD_WS16:
	case SG_DISCARD_WS10:
		info->max_discard_blocks =
			write_same_blocks(f, feat->discard == SG_DISCARD_WS16);
		break;
	case SG_DISCARD_NONE:
		return;
	}
	info->discard_granularity_blocks =
		MAX(f->limits.unmap_granularity_blocks, phys_blocks);
}

static uint32_t phys_bytes(const struct capacity *c)
{
	uint64_t bytes = (uint64_t)c->block_bytes << (c->phys_exponent & 0x0f);

	/* More than a megabyte is no physical block, whatever the device says. */
	return bytes <= MIB ? (uint32_t)bytes : c->block_bytes;
}

void sg_alua_info(const struct sg_facts *f, struct path_info *info)
{
	info->access = f->access;
	info->prio = (unsigned)MAX(f->prio, 0);
	info->tpg = f->has_tpg ? f->tpg : -1;
	info->transition_ns = f->transition_sec * NS_PER_SEC;
	info->explicit_alua = f->inq.tpgs == TPGS_EXPLICIT;
}

uint32_t sg_max_blocks(const struct sg_path *s, const struct sg_facts *f)
{
	return limit(limit(s->max_xfer_bytes / f->cap.block_bytes, RW_BLOCKS_MAX),
		     f->limits.max_xfer_blocks);
}

void sg_make_info(const struct sg_path *s, struct path_info *info)
{
	const struct sg_facts *f = &s->facts;

	memset(info, 0, sizeof(*info));
	info->block_bytes = f->cap.block_bytes;
	info->phys_block_bytes = phys_bytes(&f->cap);
	info->nblocks = f->cap.nblocks;
	info->read_only = is_read_only(f);
	info->rotational = f->has_chars && f->chars.rotation_rpm > 1;
	info->write_cache = s->feat.write_cache;
	info->caps = make_caps(s);
	info->max_blocks = sg_max_blocks(s, f);
	provisioning_limits(s, info);
	info->depth = s->depth;
	info->host_tags = sg_host_tags(s);
	sg_alua_info(f, info);
	snprintf(info->ident, sizeof(info->ident), "%s", f->ident.wwid);
	snprintf(info->product, sizeof(info->product), "%s %s %s", f->inq.vendor,
		 f->inq.product, f->inq.revision);
}
