/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cdb.h - command descriptor blocks and the parameter lists that go with them.
 *
 * Every cdb_*() clears all CDB_BYTES_MAX bytes of @cdb, fills in the command
 * and returns its length in bytes (6, 10, 12 or 16).  Addresses and counts are in
 * logical blocks, the alloc_bytes and param_bytes in bytes.  What does not fit
 * a field is a programming error and asserted.  Clause names are those of
 * SPC-6 and SBC-4.
 */
#ifndef SCSI_CDB_H
#define SCSI_CDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CDB_BYTES_MAX 16

enum cdb_opcode {
	OP_TEST_UNIT_READY = 0x00,
	OP_REQUEST_SENSE = 0x03,
	OP_INQUIRY = 0x12,
	OP_MODE_SENSE_6 = 0x1a,
	OP_READ_CAPACITY_10 = 0x25,
	OP_READ_10 = 0x28,
	OP_WRITE_10 = 0x2a,
	OP_SYNC_CACHE_10 = 0x35,
	OP_WRITE_SAME_10 = 0x41,
	OP_UNMAP = 0x42,
	OP_MODE_SENSE_10 = 0x5a,
	OP_READ_16 = 0x88,
	OP_WRITE_16 = 0x8a,
	OP_SYNC_CACHE_16 = 0x91,
	OP_WRITE_SAME_16 = 0x93,
	OP_SERVICE_ACTION_IN_16 = 0x9e,
	OP_MAINTENANCE_IN = 0xa3,
	OP_MAINTENANCE_OUT = 0xa4,
};

/* Service actions of the last three. */
#define SA_READ_CAPACITY_16 0x10
#define SA_GET_LBA_STATUS   0x12
#define SA_REPORT_TPG	    0x0a
#define SA_SET_TPG	    0x0a

/* Options of the block commands (a bit set). */
enum cdb_flag {
	CDB_FUA = 1 << 0,     /* READ, WRITE: to or from the medium */
	CDB_FORCE16 = 1 << 1, /* the 16-byte form even where the 10-byte one fits */
	CDB_UNMAP = 1 << 2,   /* WRITE SAME: the device may deallocate */
	CDB_NDOB =
		1 << 3, /* WRITE SAME: no data-out buffer, zeroes; 16-byte form only */
	CDB_ANCHOR = 1 << 4, /* WRITE SAME, UNMAP: keep the space anchored */
	CDB_IMMED = 1 << 5,  /* SYNCHRONIZE CACHE: answer before it is done (never for a
				client's flush) */
};

unsigned cdb_test_unit_ready(uint8_t cdb[static CDB_BYTES_MAX]);
/* @descriptor: ask for descriptor format sense. */
unsigned cdb_request_sense(uint8_t cdb[static CDB_BYTES_MAX], bool descriptor,
			   uint8_t alloc_bytes);
/* Standard INQUIRY data; at least 5 bytes (SPC-6 "INQUIRY command"). */
unsigned cdb_inquiry(uint8_t cdb[static CDB_BYTES_MAX], uint16_t alloc_bytes);
unsigned cdb_inquiry_vpd(uint8_t cdb[static CDB_BYTES_MAX], uint8_t page,
			 uint16_t alloc_bytes);
/* @dbd: the target may leave the block descriptors out. */
unsigned cdb_mode_sense6(uint8_t cdb[static CDB_BYTES_MAX], uint8_t page, bool dbd,
			 uint8_t alloc_bytes);
unsigned cdb_mode_sense10(uint8_t cdb[static CDB_BYTES_MAX], uint8_t page, bool dbd,
			  uint16_t alloc_bytes);

unsigned cdb_read_capacity10(uint8_t cdb[static CDB_BYTES_MAX]); /* answers 8 bytes */
unsigned cdb_read_capacity16(uint8_t cdb[static CDB_BYTES_MAX], uint32_t alloc_bytes);
unsigned cdb_get_lba_status(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba,
			    uint32_t alloc_bytes);

/*
 * The 10-byte form where @lba fits 32 bits and @nblocks 16, unless @flags has
 * CDB_FORCE16; the 16-byte form otherwise.  @nblocks > 0.
 */
unsigned cdb_read(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba, uint32_t nblocks,
		  unsigned flags);
unsigned cdb_write(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba, uint32_t nblocks,
		   unsigned flags);
/* @nblocks 0: from @lba to the end of the LU, so 0, 0 is everything. */
unsigned cdb_sync_cache(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba,
			uint32_t nblocks, unsigned flags);
/*
 * @nblocks > 0: a count of 0 would mean "to the end of the LU" (SBC-4 "WRITE
 * SAME (10) command").  The data-out buffer is one logical block, none with CDB_NDOB.
 */
unsigned cdb_write_same(uint8_t cdb[static CDB_BYTES_MAX], uint64_t lba,
			uint32_t nblocks, unsigned flags);
/* @param_bytes: the length that cdb_unmap_param() returned. */
unsigned cdb_unmap(uint8_t cdb[static CDB_BYTES_MAX], uint16_t param_bytes,
		   unsigned flags);

struct cdb_range {
	uint64_t lba;
	uint32_t nblocks;
};

#define UNMAP_PARAM_BYTES(n) (8 + 16 * (size_t)(n))
#define UNMAP_RANGES_MAX     4095 /* what the 16-bit lengths of the list can say */

/*
 * UNMAP parameter list (SBC-4 "UNMAP parameter list") of @n ranges into @buf of
 * @size bytes; UNMAP_PARAM_BYTES(n) must fit.  Returns its length.
 */
size_t cdb_unmap_param(uint8_t *buf, size_t size, const struct cdb_range *ranges,
		       unsigned n);

/* @ext_header: ask for the header that has the implicit transition time (SPC-4 and
 * later). */
unsigned cdb_report_tpg(uint8_t cdb[static CDB_BYTES_MAX], bool ext_header,
			uint32_t alloc_bytes);
unsigned cdb_set_tpg(uint8_t cdb[static CDB_BYTES_MAX], uint32_t param_bytes);

struct cdb_tpg {
	uint16_t group;
	uint8_t state; /* enum alua_state */
};

#define STPG_PARAM_BYTES(n) (4 + 4 * (size_t)(n))

/* SET TARGET PORT GROUPS parameter list (SPC-6), as cdb_unmap_param(). */
size_t cdb_set_tpg_param(uint8_t *buf, size_t size, const struct cdb_tpg *groups,
			 unsigned n);

#endif
