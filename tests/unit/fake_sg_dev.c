/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_sg_dev.c - the device behind fake_sg.c: what each command does to it, and
 * what it answers.
 */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "fake_sg.h"

/* --- the device: each handler fills in c->hdr and c->data --- */

static void check_condition(struct fake_cmd *c, uint8_t key, uint8_t asc, uint8_t ascq)
{
	uint8_t *sb = c->hdr.sbp;

	memset(sb, 0, 18);
	sb[0] = 0x70;
	sb[2] = key;
	sb[7] = 10;
	sb[12] = asc;
	sb[13] = ascq;
	c->hdr.status = 2;
	c->hdr.sb_len_wr = 18;
	c->hdr.driver_status = 8;
	c->hdr.resid = (int)c->hdr.dxfer_len;
}

/* @len bytes of answer, of which the command's allocation length takes its part. */
static void answer(struct fake_cmd *c, const uint8_t *buf, size_t len)
{
	size_t n = MIN(len, (size_t)c->hdr.dxfer_len);

	memcpy(c->data, buf, n);
	c->hdr.resid = (int)(c->hdr.dxfer_len - n);
}

static void do_standard_inquiry(struct fake_cmd *c)
{
	uint8_t b[36];
	char text[29];

	memset(b, 0, sizeof(b));
	b[0] = fake.type;
	b[2] = fake.version;
	b[3] = 2;
	b[4] = sizeof(b) - 5;
	b[5] = (uint8_t)(fake.tpgs << 4);
	b[7] = 2;
	snprintf(text, sizeof(text), "%-8s%-16s%-4s", fake.vendor, fake.product,
		 fake.revision);
	memcpy(b + 8, text, 28);
	answer(c, b, sizeof(b));
}

static size_t page_83(uint8_t *b)
{
	size_t n = 4;

	b[n] = 1, b[n + 1] = 0x03, b[n + 3] = 16;
	memcpy(b + n + 4, fake.naa, 16);
	n += 20;
	b[n] = 1, b[n + 1] = 0x15, b[n + 3] = 4; /* port group 7 */
	put_be16(b + n + 6, 7);
	n += 8;
	b[n] = 1, b[n + 1] = 0x14, b[n + 3] = 4; /* relative port 3 */
	put_be16(b + n + 6, 3);
	return n + 8 - 4;
}

static size_t page_b0(uint8_t *b)
{
	put_be32(b + 8, fake.max_xfer_blocks);
	put_be32(b + 20, fake.max_unmap_blocks);
	put_be32(b + 24, 1);
	put_be32(b + 28, fake.unmap_granularity);
	put_be64(b + 36, fake.max_write_same);
	return 60;
}

static size_t page_b2(uint8_t *b)
{
	b[5] = (uint8_t)((fake.unmap ? 0x80 : 0) | (fake.write_same16 ? 0x40 : 0) |
			 (fake.write_same10 ? 0x20 : 0) | (fake.lbprz ? 4 : 0));
	b[6] = 2;
	return 4;
}

static bool has_page(uint8_t page)
{
	switch (page) {
	case 0x00:
		return true;
	case 0x80:
		return fake.serial != NULL;
	case 0x83:
		return fake.page83;
	case 0xb0:
		return fake.pageb0;
	case 0xb1:
		return fake.pageb1;
	case 0xb2:
		return fake.pageb2;
	default:
		return false;
	}
}

static size_t page_00(uint8_t *b)
{
	static const uint8_t pages[] = {0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2};
	size_t i, n = 0;

	for (i = 0; i < sizeof(pages); i++) {
		if (has_page(pages[i]))
			b[4 + n++] = pages[i];
	}
	return n;
}

static void do_inquiry(struct fake_cmd *c)
{
	uint8_t b[512], page = c->cdb[2];
	size_t len = 0;

	if (!(c->cdb[1] & 1)) {
		do_standard_inquiry(c);
		return;
	}
	if (!fake.vpd || !has_page(page)) {
		check_condition(c, 5, 0x24, 0);
		return;
	}
	memset(b, 0, sizeof(b));
	b[0] = fake.type;
	b[1] = page;
	if (page == 0x00)
		len = page_00(b);
	else if (page == 0x80)
		len = (size_t)snprintf((char *)b + 4, 64, "%s", fake.serial);
	else if (page == 0x83)
		len = page_83(b);
	else if (page == 0xb0)
		len = page_b0(b);
	else if (page == 0xb1)
		put_be16(b + 4, fake.rpm), len = 60;
	else
		len = page_b2(b);
	put_be16(b + 2, (uint16_t)len);
	answer(c, b, len + 4);
}

/* Not active: 02/04/0A, 0B, 0C, and true. */
static bool not_serving(struct fake_cmd *c)
{
	uint8_t state = fake.alua_state & 0x0f;

	if (!fake.tpgs || state <= 1 || state == 4) /* 4: LBA dependent, it serves */
		return false;
	check_condition(c, 2, 0x04, state == 0xf ? 0x0a : state == 2 ? 0x0b : 0x0c);
	return true;
}

static void do_tur(struct fake_cmd *c)
{
	if (!fake.tur_always)
		not_serving(c);
}

static void do_capacity10(struct fake_cmd *c)
{
	uint8_t b[8];

	if (!fake.standby_tells && not_serving(c))
		return;
	put_be32(b,
		 fake.nblocks > 0xffffffff ? 0xffffffff : (uint32_t)(fake.nblocks - 1));
	put_be32(b + 4, fake.block_bytes);
	answer(c, b, 8);
}

static void do_lba_status(struct fake_cmd *c)
{
	uint64_t lba = get_be64(c->cdb + 2), end = FAKE_DISK_BYTES / fake.block_bytes;
	uint8_t b[8 + 16 * 32];
	size_t n = 8;

	if (!fake.lba_status) {
		check_condition(c, 5, 0x20, 0);
		return;
	}
	memset(b, 0, sizeof(b));
	while (lba < end && n < sizeof(b)) {
		uint64_t to = lba + 1;

		while (to < end && fake.mapped[to] == fake.mapped[lba])
			to++;
		put_be64(b + n, lba);
		put_be32(b + n + 8, (uint32_t)(to - lba));
		b[n + 12] = fake.mapped[lba] ? 0 : 1;
		n += 16;
		lba = to;
	}
	put_be32(b, (uint32_t)n - 4);
	answer(c, b, n);
}

static void do_service_action_in(struct fake_cmd *c)
{
	uint8_t b[32];

	if ((c->cdb[1] & 0x1f) == 0x12) {
		do_lba_status(c);
		return;
	}
	if (!fake.cap16) {
		check_condition(c, 5, 0x20, 0);
		return;
	}
	if (!fake.standby_tells && not_serving(c))
		return;
	memset(b, 0, sizeof(b));
	put_be64(b, fake.nblocks - 1);
	put_be32(b + 8, fake.block_bytes);
	b[12] = fake.prot_type ? (uint8_t)((fake.prot_type - 1) << 1 | 1) : 0;
	b[13] = fake.phys_exponent;
	b[14] = (uint8_t)((fake.lbpme ? 0x80 : 0) | (fake.lbprz ? 0x40 : 0));
	answer(c, b, sizeof(b));
}

static void do_mode_sense(struct fake_cmd *c, bool ten)
{
	uint8_t b[64], page = c->cdb[2] & 0x3f;
	size_t head = ten ? 8 : 4, n = head;
	bool rbc = fake.type == 0x0e;

	if (!(ten ? fake.mode10 : fake.mode6)) {
		check_condition(c, 5, 0x20, 0);
		return;
	}
	if (!fake.mode_page && page != 0x3f) {
		check_condition(c, 5, 0x24, 0);
		return;
	}
	memset(b, 0, sizeof(b));
	b[ten ? 3 : 2] = (uint8_t)((fake.wp ? 0x80 : 0) | (fake.dpofua ? 0x10 : 0));
	if (fake.mode_page) {
		b[n] = rbc ? 6 : 8;
		b[n + 1] = 0x12;
		b[n + 2] = rbc ? !fake.wce : fake.wce ? 4 : 0;
		n += 0x14;
	}
	if (ten)
		put_be16(b, (uint16_t)(n - 2));
	else
		b[0] = (uint8_t)(n - 1);
	answer(c, b, n);
}

static void do_rtpg(struct fake_cmd *c)
{
	uint8_t buf[8 + 2 * 12], *b = buf;
	bool ext = c->cdb[1] & 0x20;

	if (!fake.tpgs) {
		check_condition(c, 5, 0x20, 0);
		return;
	}
	if (ext && fake.rtpg_plain_only) {
		check_condition(c, 5, 0x24, 0);
		return;
	}
	memset(buf, 0, sizeof(buf));
	put_be32(b, (ext ? 8 : 4) + 2 * 12 - 4);
	if (ext) {
		b[4] = 0x10;
		b[5] = fake.transition_sec;
		b += 4;
	}
	b[4] = 1; /* another group: non-optimized */
	b[5] = 0xff;
	put_be16(b + 6, 1);
	b[11] = 1;
	put_be16(b + 14, 1);
	b[16] = fake.alua_state;
	b[17] = 0xff;
	put_be16(b + 18, 7);
	b[23] = 1;
	put_be16(b + 26, 3);
	answer(c, buf, (ext ? 8 : 4) + 2 * 12);
}

static void do_stpg(struct fake_cmd *c)
{
	fake.stpgs++;
	if (!(fake.tpgs & 2)) {
		check_condition(c, 5, 0x20, 0);
		return;
	}
	/* header, then one descriptor: state, reserved, group */
	ck_assert_uint_eq(c->hdr.dxfer_len, 8);
	ck_assert_uint_eq(get_be16(c->data + 6), 7);
	fake.alua_state = c->data[4] & 0x0f;
}

static bool range(struct fake_cmd *c, bool sixteen, uint64_t *lba, uint32_t *n)
{
	*lba = sixteen ? get_be64(c->cdb + 2) : get_be32(c->cdb + 2);
	*n = sixteen ? get_be32(c->cdb + 10) : get_be16(c->cdb + 7);
	if (*lba > fake.nblocks || *n > fake.nblocks - *lba) {
		check_condition(c, 5, 0x21, 0);
		return false;
	}
	/* A large device has little behind it: tests stay below, or only look at the
	 * CDB. */
	if ((*lba + *n) * fake.block_bytes > FAKE_DISK_BYTES)
		*n = 0;
	return true;
}

static void do_read_write(struct fake_cmd *c, bool write, bool sixteen)
{
	uint64_t lba;
	uint32_t n, i;

	if (not_serving(c))
		return;
	if (write && (c->cdb[1] & 8) && !fake.fua) {
		check_condition(c, 5, 0x24, 0);
		return;
	}
	if (!range(c, sixteen, &lba, &n))
		return;
	if (!write) {
		memcpy(c->data, fake.disk + lba * fake.block_bytes,
		       (size_t)n * fake.block_bytes);
		return;
	}
	if (fake.wp) {
		check_condition(c, 7, 0x27, 0);
		return;
	}
	memcpy(fake.disk + lba * fake.block_bytes, c->data,
	       (size_t)n * fake.block_bytes);
	for (i = 0; i < n; i++)
		fake.mapped[lba + i] = true;
}

static void zero(uint64_t lba, uint32_t n, bool unmap)
{
	uint32_t i;

	memset(fake.disk + lba * fake.block_bytes, 0, (size_t)n * fake.block_bytes);
	for (i = 0; i < n; i++)
		fake.mapped[lba + i] = !unmap;
}

static void do_write_same(struct fake_cmd *c, bool sixteen)
{
	bool unmap = c->cdb[1] & 8, ndob = c->cdb[1] & 1;
	uint64_t lba;
	uint32_t n, i;

	if (!fake.max_write_same || (!sixteen && !fake.write_same10 && unmap)) {
		check_condition(c, 5, 0x20, 0);
		return;
	}
	if ((ndob && !fake.ndob) || (unmap && sixteen && !fake.write_same16)) {
		check_condition(c, 5, 0x24, 0);
		return;
	}
	ck_assert_uint_eq(c->hdr.dxfer_len, ndob ? 0 : fake.block_bytes);
	for (i = 0; i < c->hdr.dxfer_len; i++)
		ck_assert_uint_eq(c->data[i], 0);
	if (range(c, sixteen, &lba, &n))
		zero(lba, n, unmap);
}

static void do_unmap(struct fake_cmd *c)
{
	if (!fake.unmap) {
		check_condition(c, 5, 0x20, 0);
		return;
	}
	ck_assert_uint_eq(get_be16(c->data + 2), 16);
	zero(get_be64(c->data + 8), get_be32(c->data + 16), true);
}

void fake_sg_execute(struct fake_cmd *c)
{
	switch (c->cdb[0]) {
	case 0x00:
		do_tur(c);
		return;
	case 0x12:
		do_inquiry(c);
		return;
	case 0x1a:
	case 0x5a:
		do_mode_sense(c, c->cdb[0] == 0x5a);
		return;
	case 0x25:
		do_capacity10(c);
		return;
	case 0x28:
	case 0x88:
	case 0x2a:
	case 0x8a:
		do_read_write(c, c->cdb[0] & 2, c->cdb[0] & 0x80);
		return;
	case 0x35:
	case 0x91:
		if (!fake.sync)
			check_condition(c, 5, 0x20, 0);
		return;
	case 0x41:
	case 0x93:
		do_write_same(c, c->cdb[0] == 0x93);
		return;
	case 0x42:
		do_unmap(c);
		return;
	case 0x9e:
		do_service_action_in(c);
		return;
	case 0xa3:
		do_rtpg(c);
		return;
	case 0xa4:
		do_stpg(c);
		return;
	default:
		check_condition(c, 5, 0x20, 0);
		return;
	}
}
