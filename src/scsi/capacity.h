/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capacity.h - how large a logical unit is, how it caches, which blocks it holds:
 * READ CAPACITY, the caching mode page, GET LBA STATUS (SBC-4).
 *
 * As in inquiry.h: @len is what really came, false leaves *ret untouched.
 */
#ifndef SCSI_CAPACITY_H
#define SCSI_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_CAPACITY_10_BYTES 8
#define READ_CAPACITY_16_BYTES 32

struct capacity {
	uint64_t nblocks;
	uint32_t block_bytes; /* as told, not 0; see capacity_is_served() */
	/* What only READ CAPACITY(16) tells. */
	uint8_t phys_exponent;	 /* 2^it logical blocks per physical block */
	uint16_t lowest_aligned; /* first LBA at the start of a physical block */
	uint8_t prot_type;	 /* protection information: 0 none, 1 to 3 */
	bool lbpme, lbprz;	 /* thin; deallocated blocks read as zeroes */
};

/*
 * READ CAPACITY(10).  *ret_needs16: the LU is larger than 32 bits of LBA can say;
 * true comes back, nblocks is 0, and READ CAPACITY(16) must be sent.
 */
bool capacity_parse10(const uint8_t *buf, size_t len, struct capacity *ret,
		      bool *ret_needs16);
/* READ CAPACITY(16); at least the 12 bytes of address and block length. */
bool capacity_parse16(const uint8_t *buf, size_t len, struct capacity *ret);

/* Do we serve such a LU: a block size that is a power of two within limits.h, at
 * least one block, and a size in bytes that fits off_t?  */
bool capacity_is_served(const struct capacity *c);

struct caching {
	bool write_protect;
	bool dpofua;   /* the FUA bit is understood */
	bool has_page; /* the page is there: without it the next two are not known */
	bool write_cache;
	bool read_cache;
};

/*
 * MODE SENSE data, @ten for the header of the 10-byte command: the device-specific
 * parameter, and the caching page (08h) wherever it stands among others.
 */
bool caching_parse(const uint8_t *buf, size_t len, bool ten, struct caching *ret);

enum lba_state { LBA_DATA, LBA_DEALLOCATED, LBA_ANCHORED };

struct lba_extent {
	uint64_t lba;
	uint64_t nblocks;
	enum lba_state state; /* LBA_DATA for what is mapped, or not known */
};

/*
 * GET LBA STATUS data for a command that started at @lba: at most @max extents
 * into @ret, the first at @lba, each where the last one ends, none beyond
 * @lba + @nblocks, neighbours of one state joined.  Returns how many; 0 if the
 * answer says nothing about @lba, which then is data.  Reading stops at the
 * first descriptor that is empty, leaves a gap, or goes back.
 */
unsigned lba_status_parse(const uint8_t *buf, size_t len, uint64_t lba,
			  uint64_t nblocks, struct lba_extent *ret, unsigned max);

#endif
