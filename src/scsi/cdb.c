/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cdb.c - build command descriptor blocks.
 *
 * Bytes only: which form a device takes, and whether it takes a command at all,
 * is known to the caller.
 */
#include "scsi/cdb.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

#define RW_FUA	   0x08 /* byte 1 of READ and WRITE */
#define WS_ANCHOR  0x10 /* byte 1 of WRITE SAME */
#define WS_UNMAP   0x08 /* byte 1 of WRITE SAME */
#define WS_NDOB	   0x01 /* byte 1 of WRITE SAME(16) */
#define SYNC_IMMED 0x02 /* byte 1 of SYNCHRONIZE CACHE */

static void cdb_clear(uint8_t *cdb, uint8_t opcode)
{
	memset(cdb, 0, CDB_BYTES_MAX);
	cdb[0] = opcode;
}

unsigned cdb_test_unit_ready(uint8_t cdb[static CDB_BYTES_MAX])
{
	cdb_clear(cdb, OP_TEST_UNIT_READY);
	return 6;
}

unsigned cdb_request_sense(uint8_t cdb[static CDB_BYTES_MAX], bool descriptor,
			   uint8_t alloc_bytes)
{
	cdb_clear(cdb, OP_REQUEST_SENSE);
	cdb[1] = descriptor ? 0x01 : 0;
	cdb[4] = alloc_bytes;
	return 6;
}

unsigned cdb_inquiry(uint8_t cdb[static CDB_BYTES_MAX], uint16_t alloc_bytes)
{
	assert(alloc_bytes >= 5);
	cdb_clear(cdb, OP_INQUIRY);
	put_be16(&cdb[3], alloc_bytes);
	return 6;
}

unsigned cdb_inquiry_vpd(uint8_t cdb[static CDB_BYTES_MAX], uint8_t page,
			 uint16_t alloc_bytes)
{
	assert(alloc_bytes >= 4);
	cdb_clear(cdb, OP_INQUIRY);
	cdb[1] = 0x01; /* EVPD */
	cdb[2] = page;
	put_be16(&cdb[3], alloc_bytes);
	return 6;
}

unsigned cdb_mode_sense6(uint8_t cdb[static CDB_BYTES_MAX], uint8_t page, bool dbd,
			 uint8_t alloc_bytes)
{
	assert(page <= 0x3f);
	cdb_clear(cdb, OP_MODE_SENSE_6);
	cdb[1] = dbd ? 0x08 : 0;
	cdb[2] = page; /* page control 00b: current values */
	cdb[4] = alloc_bytes;
	return 6;
}

unsigned cdb_mode_sense10(uint8_t cdb[static CDB_BYTES_MAX], uint8_t page, bool dbd,
			  uint16_t alloc_bytes)
{
	assert(page <= 0x3f);
	cdb_clear(cdb, OP_MODE_SENSE_10);
	cdb[1] = dbd ? 0x08 : 0;
	cdb[2] = page;
	put_be16(&cdb[7], alloc_bytes);
	return 10;
}

unsigned cdb_read_capacity10(uint8_t cdb[static CDB_BYTES_MAX])
{
	cdb_clear(cdb, OP_READ_CAPACITY_10);
	return 10;
}

unsigned cdb_read_capacity16(uint8_t cdb[static CDB_BYTES_MAX], uint32_t alloc_bytes)
{
	cdb_clear(cdb, OP_SERVICE_ACTION_IN_16);
	cdb[1] = SA_READ_CAPACITY_16;
	put_be32(&cdb[10], alloc_bytes);
	return 16;
}

unsigned cdb_get_lba_status(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba,
			    uint32_t alloc_bytes)
{
	cdb_clear(cdb, OP_SERVICE_ACTION_IN_16);
	cdb[1] = SA_GET_LBA_STATUS;
	put_be64(&cdb[2], lba);
	put_be32(&cdb[10], alloc_bytes);
	return 16;
}

/* READ, WRITE, SYNCHRONIZE CACHE and WRITE SAME lay out address and count alike. */
static unsigned cdb_block(uint8_t *cdb, uint8_t op10, uint8_t op16, uint64_t lba,
			  uint32_t nblocks, unsigned flags)
{
	if (lba <= UINT32_MAX && nblocks <= UINT16_MAX && !(flags & CDB_FORCE16)) {
		cdb_clear(cdb, op10);
		put_be32(&cdb[2], (uint32_t)lba);
		put_be16(&cdb[7], (uint16_t)nblocks);
		return 10;
	}
	cdb_clear(cdb, op16);
	put_be64(&cdb[2], lba);
	put_be32(&cdb[10], nblocks);
	return 16;
}

unsigned cdb_read(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba, uint32_t nblocks,
		  unsigned flags)
{
	unsigned len;

	assert(nblocks > 0);
	assert(!(flags & ~(CDB_FUA | CDB_FORCE16)));
	len = cdb_block(cdb, OP_READ_10, OP_READ_16, lba, nblocks, flags);
	cdb[1] = flags & CDB_FUA ? RW_FUA : 0;
	return len;
}

unsigned cdb_write(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba, uint32_t nblocks,
		   unsigned flags)
{
	unsigned len;

	assert(nblocks > 0);
	assert(!(flags & ~(CDB_FUA | CDB_FORCE16)));
	len = cdb_block(cdb, OP_WRITE_10, OP_WRITE_16, lba, nblocks, flags);
	cdb[1] = flags & CDB_FUA ? RW_FUA : 0;
	return len;
}

unsigned cdb_sync_cache(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba,
			uint32_t nblocks, unsigned flags)
{
	unsigned len;

	assert(!(flags & ~(CDB_IMMED | CDB_FORCE16)));
	len = cdb_block(cdb, OP_SYNC_CACHE_10, OP_SYNC_CACHE_16, lba, nblocks, flags);
	cdb[1] = flags & CDB_IMMED ? SYNC_IMMED : 0;
	return len;
}

unsigned cdb_write_same(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba,
			uint32_t nblocks, unsigned flags)
{
	unsigned len;

	assert(nblocks > 0);
	assert(!(flags & ~(CDB_UNMAP | CDB_NDOB | CDB_ANCHOR | CDB_FORCE16)));
	if (flags & CDB_NDOB)
		flags |= CDB_FORCE16;
	len = cdb_block(cdb, OP_WRITE_SAME_10, OP_WRITE_SAME_16, lba, nblocks, flags);
	if (flags & CDB_UNMAP)
		cdb[1] |= WS_UNMAP;
	if (flags & CDB_ANCHOR)
		cdb[1] |= WS_ANCHOR;
	if (flags & CDB_NDOB)
		cdb[1] |= WS_NDOB;
	return len;
}

unsigned cdb_unmap(uint8_t cdb[static CDB_BYTES_MAX], uint16_t param_bytes,
		   unsigned flags)
{
	assert(!(flags & ~CDB_ANCHOR));
	cdb_clear(cdb, OP_UNMAP);
	cdb[1] = flags & CDB_ANCHOR ? 0x01 : 0;
	put_be16(&cdb[7], param_bytes);
	return 10;
}

size_t cdb_unmap_param(uint8_t *buf, size_t size, const struct cdb_range *ranges,
		       unsigned n)
{
	size_t len = UNMAP_PARAM_BYTES(n);
	unsigned i;

	assert(n > 0 && n <= UNMAP_RANGES_MAX);
	assert(len <= size);
	memset(buf, 0, len);
	put_be16(&buf[0], (uint16_t)(len - 2)); /* UNMAP data length */
	put_be16(&buf[2], (uint16_t)(len - 8)); /* block descriptor data length */
	for (i = 0; i < n; i++) {
		put_be64(&buf[8 + 16 * i], ranges[i].lba);
		put_be32(&buf[16 + 16 * i], ranges[i].nblocks);
	}
	return len;
}

unsigned cdb_report_tpg(uint8_t cdb[static CDB_BYTES_MAX], bool ext_header,
			uint32_t alloc_bytes)
{
	cdb_clear(cdb, OP_MAINTENANCE_IN);
	cdb[1] = SA_REPORT_TPG |
		 (ext_header ? 0x20 : 0); /* parameter data format 001b */
	put_be32(&cdb[6], alloc_bytes);
	return 12;
}

unsigned cdb_set_tpg(uint8_t cdb[static CDB_BYTES_MAX], uint32_t param_bytes)
{
	cdb_clear(cdb, OP_MAINTENANCE_OUT);
	cdb[1] = SA_SET_TPG;
	put_be32(&cdb[6], param_bytes);
	return 12;
}

size_t cdb_set_tpg_param(uint8_t *buf, size_t size, const struct cdb_tpg *groups,
			 unsigned n)
{
	size_t len = STPG_PARAM_BYTES(n);
	unsigned i;

	assert(n > 0);
	assert(len <= size);
	memset(buf, 0, len);
	for (i = 0; i < n; i++) {
		assert(groups[i].state <= 0x0f);
		buf[4 + 4 * i] = groups[i].state;
		put_be16(&buf[6 + 4 * i], groups[i].group);
	}
	return len;
}
