/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_lu.c - the array as a SCSI device: its answers to the commands of a check, and how outcomes
 * look on the wire. See sg_kernel.h; layouts as in SPC-6 and SBC-5.
 */
#include "sg_kernel.h"

#include "world.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- sense ------------------------------------------------------------------- */

static void put_sense(struct kcmd *k, bool deferred, uint8_t key, uint8_t asc, uint8_t ascq)
{
	/* Both formats, by turns. */
	bool descriptor = k->hdr.pack_id >> 16 & 1;
	uint8_t *b = k->sense;

	memset(b, 0, 18);
	b[0] = (uint8_t)((descriptor ? 0x72 : 0x70) + deferred);
	if (descriptor) {
		b[1] = key, b[2] = asc, b[3] = ascq;
	} else {
		b[2] = key, b[7] = 10, b[12] = asc, b[13] = ascq;
	}
	k->hdr.sb_len_wr = descriptor ? 8 : 18;
	k->hdr.status = 0x02;
	k->hdr.driver_status = 0x08;
	k->hdr.resid = (int)k->hdr.dxfer_len;
}

static void put_access(struct kcmd *k)
{
	enum access_state a = k->n->access;

	put_sense(k, false, 0x2, 0x04, a == ACCESS_TRANSITIONING ? 0x0a : a == ACCESS_STANDBY ? 0x0b : 0x0c);
}

/* --- outcomes ------------------------------------------------------------------ */

static void encode_good(struct kcmd *k, const struct outcome *o)
{
	uint32_t bytes = k->hdr.dxfer_len;

	k->expect = o->verdict;
	if (o->verdict == V_OK_INFO) {
		put_sense(k, false, 0x1, 0x17, 0x01);
		k->hdr.resid = 0;
	}
	if (k->op != CMD_READ && k->op != CMD_WRITE)
		return;
	k->hdr.resid = (int)(bytes - bytes / k->nblocks * o->done_blocks);
	if (!o->done_blocks)
		k->expect = V_SAME;
}

static void encode_other(struct kcmd *k, const struct outcome *o)
{
	if (o->flags & VF_STREAK)
		k->hdr.host_status = 0x07; /* DID_ERROR */
	else if (o->flags & VF_GHOST)
		k->hdr.host_status = 0x02; /* DID_BUS_BUSY */
	else if (o->flags & VF_ALL_ERR)
		put_sense(k, false, 0x2, 0x3e, 0x00);
	else if (o->flags & VF_RETRY_ONCE)
		put_sense(k, false, 0x3, 0x0c, 0x00);
	else if (k->hdr.pack_id >> 17 & 1)
		k->hdr.status = 0x02; /* without a sense */
	else
		put_sense(k, false, 0xb, 0x47, 0x00);
	if (o->flags & VF_RETRY_ONCE)
		k->expect = V_SAME;
}

static void encode_same(struct kcmd *k, const struct outcome *o)
{
	if (o->flags & VF_DEFERRED)
		put_sense(k, true, 0x3, 0x0c, 0x00);
	else if (o->flags & VF_CACHE)
		put_sense(k, false, 0x6, 0x29, 0x00);
	else if (o->flags & VF_IDENTITY)
		put_sense(k, false, 0x6, 0x3f, 0x0e);
	else
		put_sense(k, false, 0x6, 0x2f, 0x00);
}

static void encode_error(struct kcmd *k, const struct outcome *o)
{
	if (o->err == ENOSPC)
		put_sense(k, false, 0x7, 0x27, 0x07);
	else if (o->err == EOPNOTSUPP)
		put_sense(k, false, 0x5, 0x20, 0x00);
	else
		put_sense(k, false, 0x3, 0x11, 0x00);
}

static void encode_later(struct kcmd *k, const struct outcome *o)
{
	if (o->flags & VF_RETRY_ONCE) {
		put_sense(k, false, 0x3, 0x03, 0x00);
		k->expect = V_SAME;
	} else if (o->flags & VF_STREAK) {
		k->hdr.status = 0x30; /* ACA ACTIVE */
	} else {
		put_sense(k, false, 0x2, 0x04, 0x01);
	}
}

void lu_encode(struct kcmd *k, const struct outcome *o)
{
	k->hdr.resid = (int)k->hdr.dxfer_len;
	k->expect = o->verdict;
	switch (o->verdict) {
	case V_OK:
	case V_OK_INFO:
		k->hdr.resid = 0;
		encode_good(k, o);
		return;
	case V_SAME:
		encode_same(k, o);
		return;
	case V_OTHER:
		encode_other(k, o);
		return;
	case V_LATER:
		encode_later(k, o);
		return;
	case V_SLOW:
		k->hdr.status = o->flags & VF_LATER ? 0x08 : 0x28;
		return;
	case V_GROUP:
		put_access(k);
		return;
	case V_FAIL:
		k->hdr.host_status = o->flags & VF_GHOST ? 0x0e : 0x01;
		/* Or GOOD, and more left over than there was. */
		if ((o->flags & VF_GHOST) && (k->hdr.pack_id >> 17 & 1)) {
			k->hdr.host_status = 0;
			k->hdr.resid = (int)k->hdr.dxfer_len + 512;
		}
		return;
	case V_ERR:
		encode_error(k, o);
		return;
	case V_CANCELED:
	case V_NR:
		break;
	}
	world_fail(k->n->w, "model", "a device answers %s", verdict_name(o->verdict));
}

/* --- answers --------------------------------------------------------------------- */

static void answer(struct kcmd *k, const uint8_t *b, size_t len)
{
	size_t n = MIN(len, (size_t)k->hdr.dxfer_len);

	memcpy(k->data, b, n);
	k->hdr.resid = (int)(k->hdr.dxfer_len - n);
}

static void do_standard_inquiry(struct kcmd *k)
{
	uint8_t b[36] = { [2] = 7, [3] = 2, [4] = 31, [5] = TPGS_IMPLICIT << 4, [7] = 2 };
	char text[29];

	snprintf(text, sizeof(text), "%-8s%-16s%-4s", "MODEL", "Simulated", "1");
	memcpy(b + 8, text, 28);
	answer(k, b, sizeof(b));
}

size_t lu_page_83(const struct nexus *n, uint8_t *b)
{
	bool other = n->other_lun || n->stranger;

	memset(b, 0, 40);
	b[1] = 0x83, b[3] = 36;
	/* NAA 6 of the LU; its target port group and relative port are the nexus' number. */
	b[4] = 1, b[5] = 0x03, b[7] = 16, b[8] = 0x60, b[23] = other ? 0xb2 : 0xa1;
	b[24] = 1, b[25] = 0x15, b[27] = 4;
	put_be16(b + 30, (uint16_t)(n->id + 1));
	b[32] = 1, b[33] = 0x14, b[35] = 4;
	put_be16(b + 38, (uint16_t)(n->id + 1));
	return 40;
}

static size_t page_b0(const struct path_info *i, uint8_t *b)
{
	put_be32(b + 8, i->max_blocks);
	if (i->caps & PATH_CAP_DISCARD)
		put_be32(b + 20, i->max_discard_blocks ? i->max_discard_blocks : UINT32_MAX);
	put_be32(b + 24, 1);
	if (i->caps & PATH_CAP_WRITE_ZEROES)
		put_be64(b + 36, i->max_zero_blocks ? i->max_zero_blocks : 0xffff);
	return 60;
}

/* Every second device discards by WRITE SAME. */
static size_t page_b2(const struct nexus *n, uint8_t *b)
{
	if (n->info.caps & PATH_CAP_DISCARD)
		b[5] = (uint8_t)((n->id & 1 ? 0x40 : 0x80) | 0x04);
	b[6] = 2;
	return 4;
}

static void do_inquiry(struct kcmd *k)
{
	static const uint8_t pages[] = { 0x00, 0x83, 0xb0, 0xb1, 0xb2 };
	uint8_t b[128] = { 0 }, page = k->cdb[2];
	size_t len;

	if (!(k->cdb[1] & 1)) {
		do_standard_inquiry(k);
		return;
	}
	switch (page) {
	case 0x00:
		memcpy(b + 4, pages, sizeof(pages));
		len = sizeof(pages);
		break;
	case 0x83:
		answer(k, b, lu_page_83(k->n, b));
		return;
	case 0xb0:
		len = page_b0(&k->n->info, b);
		break;
	case 0xb1:
		put_be16(b + 4, 1);
		len = 60;
		break;
	case 0xb2:
		len = page_b2(k->n, b);
		break;
	default:
		put_sense(k, false, 0x5, 0x24, 0x00);
		return;
	}
	b[1] = page;
	put_be16(b + 2, (uint16_t)len);
	answer(k, b, len + 4);
}

static uint64_t told_blocks(const struct nexus *n)
{
	return n->other_size ? n->info.nblocks - 1 : n->info.nblocks;
}

static void do_capacity16(struct kcmd *k)
{
	uint8_t b[32] = { 0 };

	put_be64(b, told_blocks(k->n) - 1);
	put_be32(b + 8, k->n->info.block_bytes);
	if (k->n->info.caps & PATH_CAP_DISCARD)
		b[14] = 0xc0;
	answer(k, b, sizeof(b));
}

static void do_capacity10(struct kcmd *k)
{
	uint8_t b[8];

	put_be32(b, (uint32_t)(told_blocks(k->n) - 1));
	put_be32(b + 4, k->n->info.block_bytes);
	answer(k, b, sizeof(b));
}

static void do_mode_sense(struct kcmd *k, bool ten)
{
	size_t head = ten ? 8 : 4;
	uint8_t b[64] = { 0 };

	b[ten ? 3 : 2] = k->n->info.caps & PATH_CAP_FUA ? 0x10 : 0;
	b[head] = 0x08, b[head + 1] = 0x12;
	b[head + 2] = k->n->w->cfg.write_cache ? 0x04 : 0;
	if (ten)
		put_be16(b, (uint16_t)(head + 0x14 - 2));
	else
		b[0] = (uint8_t)(head + 0x14 - 1);
	answer(k, b, head + 0x14);
}

static uint8_t spc_access(enum access_state a)
{
	switch (a) {
	case ACCESS_ACTIVE:
		return 0x0;
	case ACCESS_NONOPTIMIZED:
		return 0x1;
	case ACCESS_STANDBY:
		return 0x2;
	case ACCESS_UNAVAILABLE:
		return 0x3;
	case ACCESS_TRANSITIONING:
		break;
	}
	return 0xf;
}

static void do_rtpg(struct kcmd *k)
{
	const struct world *w = k->n->w;
	bool ext = k->cdb[1] & 0x20;
	uint8_t b[8 + 12 * SIM_PATHS_MAX] = { 0 };
	size_t n = ext ? 8 : 4;

	if (ext)
		b[4] = 0x10, b[5] = 60;
	for (unsigned i = 0; i < w->cfg.npaths; i++, n += 12) {
		b[n] = spc_access(w->array.nexus[i].access);
		b[n + 1] = 0xff;
		put_be16(b + n + 2, (uint16_t)(i + 1));
		b[n + 7] = 1;
		put_be16(b + n + 10, (uint16_t)(i + 1));
	}
	put_be32(b, (uint32_t)n - 4);
	answer(k, b, n);
}

/* What a check reads is looked at by nobody. */
static void do_read(struct kcmd *k)
{
	struct array *a = &k->n->w->array;
	bool ten = k->cdb[0] == 0x28;
	uint64_t lba = ten ? get_be32(k->cdb + 2) : get_be64(k->cdb + 2);
	uint32_t nblocks = ten ? get_be16(k->cdb + 7) : get_be32(k->cdb + 10);

	if (lba >= k->n->info.nblocks || nblocks > k->n->info.nblocks - lba)
		put_sense(k, false, 0x5, 0x21, 0x00);
	else if (array_is_bad(a, lba, nblocks))
		put_sense(k, false, 0x3, 0x11, 0x00);
	else
		answer(k, array_now(a, (uint32_t)lba * k->n->w->cfg.ncells_block),
		       (size_t)nblocks * k->n->info.block_bytes);
}

/* INQUIRY and REPORT TARGET PORT GROUPS are answered in every state. */
static bool needs_access(const struct kcmd *k)
{
	return k->cdb[0] != 0x12 && k->cdb[0] != 0xa3;
}

void lu_execute(struct kcmd *k)
{
	if (needs_access(k) && k->n->access > ACCESS_NONOPTIMIZED) {
		put_access(k);
		return;
	}
	switch (k->cdb[0]) {
	case 0x00:
		return;
	case 0x12:
		do_inquiry(k);
		return;
	case 0x1a:
	case 0x5a:
		do_mode_sense(k, k->cdb[0] == 0x5a);
		return;
	case 0x25:
		do_capacity10(k);
		return;
	case 0x28:
	case 0x88:
		do_read(k);
		return;
	case 0x9e:
		do_capacity16(k);
		return;
	case 0xa3:
		do_rtpg(k);
		return;
	default:
		put_sense(k, false, 0x5, 0x20, 0x00);
		return;
	}
}
