/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * judge.h - from the raw fields of a completed SCSI command to its outcome.
 *
 * The field names and values are those of struct sg_io_hdr (kernel
 * include/scsi/sg.h); the host status values are the kernel's DID_*
 * (include/scsi/scsi_status.h), the status codes those of SAM-6.
 */
#ifndef SCSI_JUDGE_H
#define SCSI_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outcome;

enum scsi_class {
	SCSI_READ,
	SCSI_WRITE,
	SCSI_FLUSH,
	SCSI_UNMAP,
	SCSI_WRITE_SAME,
	SCSI_TUR,   /* TEST UNIT READY */
	SCSI_OTHER, /* INQUIRY, READ CAPACITY and the like: reading, idempotent, LU
		       unchanged */
	SCSI_CLASS_NR
};

struct scsi_result {
	enum scsi_class class;
	unsigned host_status, driver_status;
	uint8_t status;
	const uint8_t *sense; /* borrowed; may be NULL when sense_len is 0 */
	size_t sense_len;     /* sb_len_wr: bytes that are really there */
	int32_t resid;
	uint32_t dxfer_len; /* bytes of data; READ and WRITE: nblocks * block_bytes */
	uint32_t block_bytes;
	uint64_t
		lba; /* of the command; with nblocks the plausible range of a bad LBA */
	uint32_t nblocks;
	bool write_cache; /* a volatile write cache is on, or not known to be off */
};

/*
 * Fill in all of *o.  outcome.err is set for every verdict but V_OK and
 * V_OK_INFO.  Notes for those who act on it:
 *
 * - V_OK, V_OK_INFO with done_blocks < nblocks: the device said GOOD for less
 *   than all; send the rest again.  Never with done_blocks 0: that is V_SAME.
 * - has_bad_lba says which sub-request of a merged command is guilty.  No byte of
 *   a failed READ is good enough for a client.
 * - The flags of a valid sense (VF_IDENTITY, VF_ALUA, VF_MODE, VF_CACHE,
 *   VF_RESERV, VF_DEFERRED) are there whatever decided the verdict.
 * - VF_UNSUPPORTED with V_OK: a flush that the device does not know and, its
 *   write cache being off, does not need.
 */
void scsi_judge(const struct scsi_result *r, struct outcome *o);

/*
 * What a failed write() to an sg file means for the command, @err > 0; nothing
 * was sent.  EDOM (16 commands are on this file already) is V_LATER like a
 * shortage of memory: a driver that counts its commands asserts against it.
 */
void scsi_judge_write_errno(int err, struct outcome *o);
/*
 * What a failed read() from an sg file means for the commands in flight on it,
 * @err > 0.  EAGAIN and EINTR are no outcome and must not come here (asserted).
 */
void scsi_judge_read_errno(int err, struct outcome *o);

#endif
