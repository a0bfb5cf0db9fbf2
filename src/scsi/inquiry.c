/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inquiry.c - standard INQUIRY data and VPD pages (SPC-6 "Vital product data",
 * SBC-4 "Vital product data (VPD) parameters").
 *
 * Arrays send short pages, pages of older revisions and lengths that are not
 * true.  A field that is not there reads as zero, which in these pages means
 * "not told".
 */
#include "scsi/inquiry.h"

#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "scsi/text.h"

#define VPD_HEADER_BYTES  4
#define INQUIRY_BYTES_MIN 5

/* A blank-padded ASCII field of @n bytes at @off, as much of it as there is. */
static void ascii_field(const uint8_t *buf, size_t len, size_t off, size_t n, char *ret)
{
	size_t i = 0;

	for (; i < n && off + i < len; i++) {
		uint8_t c = buf[off + i];

		ret[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
		if (c == 0)
			break;
	}
	while (i > 0 && ret[i - 1] == ' ')
		i--;
	ret[i] = '\0';
}

bool inquiry_parse(const uint8_t *buf, size_t len, struct inquiry *ret)
{
	struct inquiry q = {0};

	if (len < INQUIRY_BYTES_MIN)
		return false;
	len = MIN(len, INQUIRY_BYTES_MIN + (size_t)buf[4]);
	q.qualifier = buf[0] >> 5;
	q.type = buf[0] & 0x1f;
	q.removable = buf[1] & 0x80;
	q.version = buf[2];
	if (len > 5) {
		q.tpgs = (buf[5] >> 4) & 3;
		q.protect = buf[5] & 0x01;
	}
	if (len > 7)
		q.cmdque = buf[7] & 0x02;
	ascii_field(buf, len, 8, 8, q.vendor);
	ascii_field(buf, len, 16, 16, q.product);
	ascii_field(buf, len, 32, 4, q.revision);
	*ret = q;
	return true;
}

bool vpd_body(const uint8_t *buf, size_t len, uint8_t page, const uint8_t **ret_body,
	      size_t *ret_len)
{
	if (len < VPD_HEADER_BYTES || buf[1] != page)
		return false;
	/* Byte 1 of standard INQUIRY data is 00h or 80h too, but its byte 2 is a
	 * version. */
	if ((page == VPD_SUPPORTED || page == VPD_SERIAL) && buf[2] != 0)
		return false;
	*ret_body = buf + VPD_HEADER_BYTES;
	*ret_len = MIN(len - VPD_HEADER_BYTES, (size_t)get_be16(&buf[2]));
	return true;
}

bool vpd_lists(const uint8_t *buf, size_t len, uint8_t page)
{
	const uint8_t *body;

	return vpd_body(buf, len, VPD_SUPPORTED, &body, &len) && len > 0 &&
	       memchr(body, page, len);
}

static bool is_pad(uint8_t c)
{
	return c == ' ' || c == 0;
}

bool vpd_serial(const uint8_t *buf, size_t len, char *ret, size_t size)
{
	const uint8_t *p;
	struct text t;

	if (!vpd_body(buf, len, VPD_SERIAL, &p, &len))
		return false;
	while (len > 0 && is_pad(p[len - 1]))
		len--;
	for (; len > 0 && is_pad(*p); len--)
		p++;
	if (len == 0)
		return false;
	text_init(&t, ret, size);
	for (; len > 0; len--, p++) {
		if (*p == ' ')
			text_char(&t, ' ');
		else
			text_escaped(&t, *p);
	}
	return !t.overflow;
}

bool vpd_next_designator(const uint8_t *buf, size_t len, size_t *at,
			 struct designator *ret)
{
	const uint8_t *body, *d;
	size_t left;

	if (!vpd_body(buf, len, VPD_DEVICE_ID, &body, &len) || *at >= len)
		return false;
	d = body + *at;
	left = len - *at;
	if (left < 4 || left - 4 < d[3])
		return false;
	ret->code_set = d[0] & 0x0f;
	ret->assoc = (d[1] >> 4) & 3;
	ret->type = d[1] & 0x0f;
	ret->len = d[3];
	ret->id = d + 4;
	*at += 4 + (size_t)d[3];
	return true;
}

bool vpd_port_id(const uint8_t *buf, size_t len, struct port_id *ret)
{
	struct port_id p = {0};
	struct designator d;
	size_t at = 0;

	while (vpd_next_designator(buf, len, &at, &d)) {
		if (d.assoc != ASSOC_PORT || d.len != 4)
			continue;
		if (d.type == DESIG_PORT_GROUP && !p.has_group) {
			p.has_group = true;
			p.group = get_be16(d.id + 2);
		} else if (d.type == DESIG_REL_PORT && !p.has_rel_port) {
			p.has_rel_port = true;
			p.rel_port = get_be16(d.id + 2);
		}
	}
	if (!p.has_group && !p.has_rel_port)
		return false;
	*ret = p;
	return true;
}

/* The fields of a page that may be short: offsets are the standard's, from the header.
 */
struct page {
	const uint8_t *body;
	size_t len;
};

static const uint8_t *page_at(const struct page *p, size_t off, size_t n)
{
	static const uint8_t zeroes[8];

	off -= VPD_HEADER_BYTES;
	return off + n <= p->len ? p->body + off : zeroes;
}

bool vpd_block_limits(const uint8_t *buf, size_t len, struct block_limits *ret)
{
	struct block_limits b = {0};
	struct page p;
	uint32_t align;

	if (!vpd_body(buf, len, VPD_BLOCK_LIMITS, &p.body, &p.len))
		return false;
	b.wsnz = *page_at(&p, 4, 1) & 0x01;
	b.granularity_blocks = get_be16(page_at(&p, 6, 2));
	b.max_xfer_blocks = get_be32(page_at(&p, 8, 4));
	b.opt_xfer_blocks = get_be32(page_at(&p, 12, 4));
	b.max_unmap_blocks = get_be32(page_at(&p, 20, 4));
	b.max_unmap_ranges = get_be32(page_at(&p, 24, 4));
	b.unmap_granularity_blocks = get_be32(page_at(&p, 28, 4));
	align = get_be32(page_at(&p, 32, 4));
	b.has_unmap_alignment = align >> 31;
	b.unmap_alignment_blocks = align & 0x7fffffff;
	b.max_write_same_blocks = get_be64(page_at(&p, 36, 8));
	*ret = b;
	return true;
}

bool vpd_block_chars(const uint8_t *buf, size_t len, struct block_chars *ret)
{
	struct page p;

	if (!vpd_body(buf, len, VPD_BLOCK_CHARACTERISTICS, &p.body, &p.len))
		return false;
	ret->rotation_rpm = get_be16(page_at(&p, 4, 2));
	ret->zoned = (*page_at(&p, 8, 1) >> 4) & 3;
	return true;
}

bool vpd_provisioning(const uint8_t *buf, size_t len, struct provisioning *ret)
{
	struct page p;
	uint8_t flags;

	if (!vpd_body(buf, len, VPD_PROVISIONING, &p.body, &p.len))
		return false;
	flags = *page_at(&p, 5, 1);
	ret->threshold_exponent = *page_at(&p, 4, 1);
	ret->unmap = flags & 0x80;
	ret->write_same16 = flags & 0x40;
	ret->write_same10 = flags & 0x20;
	ret->read_zeroes = flags & 0x04;
	ret->anchor = flags & 0x02;
	ret->type = *page_at(&p, 6, 1) & 7;
	return true;
}
