/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sense.h - sense data of both formats, as one struct (SPC-6 "Sense data").
 */
#ifndef SCSI_SENSE_H
#define SCSI_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sense_key {
	KEY_NO_SENSE = 0x0,
	KEY_RECOVERED_ERROR = 0x1,
	KEY_NOT_READY = 0x2,
	KEY_MEDIUM_ERROR = 0x3,
	KEY_HARDWARE_ERROR = 0x4,
	KEY_ILLEGAL_REQUEST = 0x5,
	KEY_UNIT_ATTENTION = 0x6,
	KEY_DATA_PROTECT = 0x7,
	KEY_BLANK_CHECK = 0x8,
	KEY_VENDOR = 0x9,
	KEY_COPY_ABORTED = 0xa,
	KEY_ABORTED_COMMAND = 0xb,
	KEY_VOLUME_OVERFLOW = 0xd,
	KEY_MISCOMPARE = 0xe,
	KEY_COMPLETED = 0xf,
};

/* The longest sense data that SPC-6 allows: what a caller should make room for. */
#define SENSE_BYTES_MAX 252

struct sense {
	uint8_t key, asc, ascq;
	bool deferred; /* about an earlier command; this one did not run */
	bool has_info; /* info_lba is what the device gave, in range or not */
	uint64_t info_lba;
};

/*
 * Read @len bytes of sense data at @buf.  False if there is none that means
 * anything (too short, response code other than 70h to 73h): *ret is untouched.
 * Key 0 counts as valid.  @buf may be NULL when @len is 0.
 */
bool sense_parse(const uint8_t *buf, size_t len, struct sense *ret);

#endif
