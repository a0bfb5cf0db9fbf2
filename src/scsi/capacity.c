/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capacity.c - parse READ CAPACITY, MODE SENSE and GET LBA STATUS data.
 *
 * These numbers decide where data is written: what is not plausible is refused
 * rather than repaired.
 */
#include "scsi/capacity.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/units.h"

bool capacity_parse10(const uint8_t *buf, size_t len, struct capacity *ret,
		      bool *ret_needs16)
{
	struct capacity c = {0};
	uint32_t last;

	if (len < READ_CAPACITY_10_BYTES)
		return false;
	last = get_be32(&buf[0]);
	c.block_bytes = get_be32(&buf[4]);
	if (c.block_bytes == 0)
		return false;
	if (last != UINT32_MAX)
		c.nblocks = (uint64_t)last + 1;
	*ret_needs16 = last == UINT32_MAX;
	*ret = c;
	return true;
}

bool capacity_parse16(const uint8_t *buf, size_t len, struct capacity *ret)
{
	struct capacity c = {0};
	uint64_t last;

	if (len < 12)
		return false;
	last = get_be64(&buf[0]);
	c.block_bytes = get_be32(&buf[8]);
	if (c.block_bytes == 0 || last == UINT64_MAX)
		return false;
	c.nblocks = last + 1;
	if (len > 12 && buf[12] & 0x01)
		c.prot_type = (uint8_t)(((buf[12] >> 1) & 7) + 1);
	if (len > 13)
		c.phys_exponent = buf[13] & 0x0f;
	if (len > 15) {
		c.lbpme = buf[14] & 0x80;
		c.lbprz = buf[14] & 0x40;
		c.lowest_aligned = get_be16(&buf[14]) & 0x3fff;
	}
	*ret = c;
	return true;
}

bool capacity_is_served(const struct capacity *c)
{
	uint32_t size = c->block_bytes;

	if (size < BLOCK_BYTES_MIN || size > BLOCK_BYTES_MAX || (size & (size - 1)))
		return false;
	return c->nblocks > 0 && c->nblocks <= (uint64_t)INT64_MAX / size;
}

/* The mode page @code in @p of @len bytes, or NULL; *ret_len without its header. */
static const uint8_t *find_mode_page(const uint8_t *p, size_t len, uint8_t code,
				     size_t *ret_len)
{
	while (len >= 2) {
		bool subpage = p[0] & 0x40;
		size_t header = subpage ? 4 : 2, body;

		if (len < header)
			return NULL;
		body = subpage ? get_be16(&p[2]) : p[1];
		if (!subpage && (p[0] & 0x3f) == code) {
			*ret_len = MIN(body, len - header);
			return p + header;
		}
		if (body > len - header)
			return NULL;
		p += header + body;
		len -= header + body;
	}
	return NULL;
}

/* SPC-6 "Mode parameter header formats"; SBC-4 "Caching mode page". */
bool caching_parse(const uint8_t *buf, size_t len, bool ten, struct caching *ret)
{
	size_t header = ten ? 8 : 4, descs, page_len = 0;
	struct caching c = {0};
	const uint8_t *page;
	uint8_t param;

	if (len < header)
		return false;
	len = MIN(len, ten ? 2 + (size_t)get_be16(buf) : 1 + (size_t)buf[0]);
	if (len < header)
		return false;
	param = ten ? buf[3] : buf[2];
	descs = ten ? get_be16(&buf[6]) : buf[3];
	c.write_protect = param & 0x80;
	c.dpofua = param & 0x10;
	if (descs <= len - header) {
		page = find_mode_page(buf + header + descs, len - header - descs, 0x08,
				      &page_len);
		if (page && page_len >= 1) {
			c.has_page = true;
			c.write_cache = page[0] & 0x04;
			c.read_cache = !(page[0] & 0x01);
		}
	}
	*ret = c;
	return true;
}

static enum lba_state lba_state(uint8_t byte)
{
	switch (byte & 0x0f) {
	case 1:
		return LBA_DEALLOCATED;
	case 2:
		return LBA_ANCHORED;
	default:
		return LBA_DATA;
	}
}

/* SBC-4 "GET LBA STATUS parameter data". */
unsigned lba_status_parse(const uint8_t *buf, size_t len, uint64_t lba,
			  uint64_t nblocks, struct lba_extent *ret, unsigned max)
{
	uint64_t end = nblocks > UINT64_MAX - lba ? UINT64_MAX : lba + nblocks;
	uint64_t at = lba;
	const uint8_t *d = buf + 8;
	unsigned n = 0;

	if (len < 8)
		return 0;
	len = MIN(len, 4 + (size_t)get_be32(buf));
	for (len = len < 8 ? 0 : len - 8; len >= 16 && at < end; len -= 16, d += 16) {
		uint64_t start = get_be64(&d[0]), count = get_be32(&d[8]), stop;
		enum lba_state state = lba_state(d[12]);

		/* Only the first may start early, inside an extent of the device. */
		if (start > at || (start < at && at != lba) || count <= at - start)
			break;
		stop = count > end - start ? end : start + count;
		if (n > 0 && ret[n - 1].state == state) {
			ret[n - 1].nblocks += stop - at;
		} else {
			if (n == max)
				break;
			ret[n++] = (struct lba_extent){at, stop - at, state};
		}
		at = stop;
	}
	return n;
}
