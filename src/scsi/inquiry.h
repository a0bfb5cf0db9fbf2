/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inquiry.h - standard INQUIRY data and vital product data pages.
 *
 * All parsers take @len bytes that the device really sent (dxfer_len - resid)
 * and believe no length in them beyond that.  They return false, and leave *ret
 * untouched, when there is not enough to say anything.
 */
#ifndef SCSI_INQUIRY_H
#define SCSI_INQUIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Peripheral device types (SPC-6 "Standard INQUIRY data"). */
#define PDT_DISK    0x00
#define PDT_TAPE    0x01
#define PDT_CDROM   0x05
#define PDT_CHANGER 0x08
#define PDT_RBC	    0x0e
#define PDT_ZBC	    0x14
#define PDT_NONE    0x1f

/* TPGS field: which ALUA a target does (a bit set). */
#define TPGS_IMPLICIT 1
#define TPGS_EXPLICIT 2

struct inquiry {
	uint8_t qualifier; /* 0: there is a LU; 1: may be; 3: none at this LUN */
	uint8_t type;	   /* PDT_* */
	uint8_t version;   /* 5 SPC-3, 6 SPC-4, 7 SPC-5 and later */
	uint8_t tpgs;	   /* TPGS_EXPLICIT: changes on SET TARGET PORT GROUPS only */
	bool removable, protect, cmdque;
	/* Trailing spaces cut, bytes that are not printable ASCII shown as '?'. */
	char vendor[8 + 1], product[16 + 1], revision[4 + 1];
};

bool inquiry_parse(const uint8_t *buf, size_t len, struct inquiry *ret);

#define VPD_SUPPORTED		  0x00
#define VPD_SERIAL		  0x80
#define VPD_DEVICE_ID		  0x83
#define VPD_BLOCK_LIMITS	  0xb0
#define VPD_BLOCK_CHARACTERISTICS 0xb1
#define VPD_PROVISIONING	  0xb2

/*
 * The body of VPD page @page at @buf: where it starts and how long it is, cut to
 * what is there.  False if the answer is another page, as devices without VPD
 * send standard INQUIRY data instead.
 */
bool vpd_body(const uint8_t *buf, size_t len, uint8_t page, const uint8_t **ret_body,
	      size_t *ret_len);

/* Is @page in the supported pages page (00h) at @buf? */
bool vpd_lists(const uint8_t *buf, size_t len, uint8_t page);

/*
 * Unit serial number page (80h) as text into @ret of @size bytes: outer spaces
 * and NULs cut, what is not printable as \xNN.  False if it is empty, or too long.
 */
bool vpd_serial(const uint8_t *buf, size_t len, char *ret, size_t size);

enum designator_assoc {
	ASSOC_LU = 0,
	ASSOC_PORT = 1,
	ASSOC_TARGET = 2,
	ASSOC_RESERVED = 3
};

enum designator_type {
	DESIG_VENDOR = 0x0,
	DESIG_T10 = 0x1,
	DESIG_EUI64 = 0x2,
	DESIG_NAA = 0x3,
	DESIG_REL_PORT = 0x4,
	DESIG_PORT_GROUP = 0x5,
	DESIG_LU_GROUP = 0x6,
	DESIG_MD5 = 0x7,
	DESIG_NAME = 0x8,
	DESIG_PCIE = 0x9,
	DESIG_UUID = 0xa,
};

#define CODE_SET_BINARY 1
#define CODE_SET_ASCII	2
#define CODE_SET_UTF8	3

struct designator {
	uint8_t type, assoc, code_set; /* as they stand in the page: any 4, 2, 4 bits */
	uint8_t len;
	const uint8_t *id; /* into the page's buffer */
};

/*
 * Designators of a device identification page (83h), in its order.  Start with
 * *at = 0; false at the end, and at a designator that runs over the page.
 */
bool vpd_next_designator(const uint8_t *buf, size_t len, size_t *at,
			 struct designator *ret);

struct port_id {
	bool has_group, has_rel_port;
	uint16_t group;	   /* target port group, as in REPORT TARGET PORT GROUPS */
	uint16_t rel_port; /* relative target port identifier */
};

/* Through which port the page (83h) was read; false if it does not say. */
bool vpd_port_id(const uint8_t *buf, size_t len, struct port_id *ret);

/* Block limits page (B0h); 0 where the device gives no limit or its page is too short.
 */
struct block_limits {
	bool wsnz;		     /* WRITE SAME takes no count of zero */
	uint16_t granularity_blocks; /* optimal transfer length granularity */
	uint32_t max_xfer_blocks, opt_xfer_blocks;
	uint32_t max_unmap_blocks, max_unmap_ranges;
	uint32_t unmap_granularity_blocks;
	uint32_t unmap_alignment_blocks; /* valid if has_unmap_alignment */
	bool has_unmap_alignment;
	uint64_t max_write_same_blocks;
};
bool vpd_block_limits(const uint8_t *buf, size_t len, struct block_limits *ret);

/* Block device characteristics page (B1h). */
struct block_chars {
	uint16_t rotation_rpm; /* 0 not told, 1 does not rotate */
	uint8_t zoned;	       /* 0 not told, 1 host aware, 2 device managed */
};
bool vpd_block_chars(const uint8_t *buf, size_t len, struct block_chars *ret);

/* Logical block provisioning page (B2h). */
struct provisioning {
	bool unmap, write_same16,
		write_same10; /* LBPU, LBPWS, LBPWS10: who may deallocate */
	bool anchor;	      /* ANC_SUP */
	bool read_zeroes;     /* LBPRZ xx1b: deallocated blocks read as zeroes */
	uint8_t type;	      /* 0 not told, 1 resource, 2 thin, 3 pool */
	uint8_t threshold_exponent;
};
bool vpd_provisioning(const uint8_t *buf, size_t len, struct provisioning *ret);

#endif
