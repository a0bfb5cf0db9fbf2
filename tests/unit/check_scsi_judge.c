/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_scsi_judge.c - one case for each row of the outcome tables (host status,
 * SAM status, sense), named by the row; then the rules that stand above the
 * tables: which field decides, what a sense adds, residual counts, bad LBAs.
 */
#include "scsi/judge.h"

#include <errno.h>

#include "base/units.h"
#include "base/verdict.h"
#include "scsi/sense.h"
#include "scsi_test.h"

#define G  VF_GHOST
#define I  VF_IDENTITY
#define A  VF_ALUA
#define M  VF_MODE
#define C  VF_CACHE
#define P  VF_RESERV
#define NO VF_NOT_RUN

#define BLOCK	512u
#define LBA	1000u
#define NBLOCKS 8u

/* The letters of a verdict in messages; verdict_name() is another archive's. */
static const char *name_of(enum verdict v)
{
	static const char *const names[V_NR] = {"OK",	 "OK_INFO", "SAME",  "LATER",
						"OTHER", "FAIL",    "GROUP", "SLOW",
						"ERR",	 "CANCELED"};

	return v < V_NR ? names[v] : "?";
}

static struct scsi_result command(enum scsi_class class)
{
	struct scsi_result r = {
		.class = class,
		.block_bytes = BLOCK,
		.lba = LBA,
		.nblocks = NBLOCKS,
		.write_cache = true,
	};

	if (class == SCSI_READ || class == SCSI_WRITE)
		r.dxfer_len = NBLOCKS * BLOCK;
	return r;
}

static size_t make_sense(uint8_t *buf, bool descriptor, bool deferred, uint8_t key,
			 uint8_t asc, uint8_t ascq)
{
	memset(buf, 0, 18);
	if (descriptor) {
		buf[0] = deferred ? 0x73 : 0x72;
		buf[1] = key;
		buf[2] = asc;
		buf[3] = ascq;
		return 8;
	}
	buf[0] = deferred ? 0x71 : 0x70;
	buf[2] = key;
	buf[7] = 10;
	buf[12] = asc;
	buf[13] = ascq;
	return 18;
}

static void expect(const char *name, const struct outcome *o, enum verdict v,
		   unsigned flags, int err)
{
	ck_assert_msg(o->verdict == v, "%s: %s, not %s", name, name_of(o->verdict),
		      name_of(v));
	ck_assert_msg(o->flags == flags, "%s: flags %#x, not %#x", name, o->flags,
		      flags);
	ck_assert_msg(o->err == err, "%s: err %d, not %d", name, o->err, err);
}

/* --- sections 4 and 5 --- */

static const struct status_case {
	const char *name;
	unsigned host;
	uint8_t status;
	enum scsi_class class;
	enum verdict verdict;
	unsigned flags;
	int err;
} status_cases[] = {
	{"host 00 OK", 0x00, 0, SCSI_READ, V_OK, 0, 0},
	{"host 01 NO_CONNECT", 0x01, 0, SCSI_WRITE, V_FAIL, G, EIO},
	{"host 03 TIME_OUT", 0x03, 0, SCSI_WRITE, V_FAIL, G, EIO},
	{"host 04 BAD_TARGET", 0x04, 0, SCSI_WRITE, V_FAIL, G | I, EIO},
	{"host 02 BUS_BUSY", 0x02, 0, SCSI_WRITE, V_OTHER, G, EIO},
	{"host 05 ABORT", 0x05, 0, SCSI_WRITE, V_OTHER, G, EIO},
	{"host 05 ABORT of TASK SET FULL", 0x05, 0x28, SCSI_WRITE, V_SLOW, G, EIO},
	{"host 05 ABORT of BUSY", 0x05, 0x08, SCSI_WRITE, V_OTHER, G, EIO},
	{"host 06 PARITY", 0x06, 0, SCSI_WRITE, V_OTHER, G, EIO},
	{"host 07 ERROR", 0x07, 0, SCSI_WRITE, V_OTHER, G | VF_STREAK, EIO},
	{"host 07 ERROR with status 02", 0x07, 0x02, SCSI_WRITE, V_OTHER, G | VF_STREAK,
	 EIO},
	{"host 07 ERROR with status 18", 0x07, 0x18, SCSI_WRITE, V_ERR, NO | P, EIO},
	{"host 08 RESET", 0x08, 0, SCSI_WRITE, V_OTHER, G | A, EIO},
	{"host 09 BAD_INTR", 0x09, 0, SCSI_WRITE, V_OTHER, G, EIO},
	{"host 0a PASSTHROUGH", 0x0a, 0, SCSI_WRITE, V_OTHER, G, EIO},
	{"host 0b SOFT_ERROR", 0x0b, 0, SCSI_WRITE, V_SAME, G, EIO},
	{"host 0c IMM_RETRY", 0x0c, 0, SCSI_WRITE, V_SAME, G, EIO},
	{"host 0d REQUEUE", 0x0d, 0, SCSI_WRITE, V_SAME, G, EIO},
	{"host 0e TRANSPORT_DISRUPTED", 0x0e, 0, SCSI_WRITE, V_FAIL, G, EIO},
	{"host 0f TRANSPORT_FAILFAST", 0x0f, 0, SCSI_WRITE, V_FAIL, G, EIO},
	{"host 10 TARGET_FAILURE", 0x10, 0, SCSI_WRITE, V_ERR, 0, EIO},
	{"host 11 reservation", 0x11, 0, SCSI_WRITE, V_ERR, NO | P, EIO},
	{"host 11 reservation, TEST UNIT READY", 0x11, 0, SCSI_TUR, V_OK, P, 0},
	{"host 12 no space", 0x12, 0, SCSI_WRITE, V_ERR, NO, ENOSPC},
	{"host 13 medium", 0x13, 0, SCSI_READ, V_ERR, 0, EIO},
	{"host 14 TRANSPORT_MARGINAL", 0x14, 0, SCSI_WRITE, V_FAIL, G | VF_MARGINAL,
	 EIO},
	{"host other (15)", 0x15, 0, SCSI_WRITE, V_FAIL, G | VF_MARGINAL, EIO},
	{"host other (ffff)", 0xffff, 0, SCSI_WRITE, V_FAIL, G | VF_MARGINAL, EIO},
	{"status 00 GOOD", 0, 0x00, SCSI_WRITE, V_OK, 0, 0},
	{"status 00 GOOD, vendor bit 0", 0, 0x01, SCSI_WRITE, V_OK, 0, 0},
	{"status 02 CHECK CONDITION without sense", 0, 0x02, SCSI_WRITE, V_OTHER, 0,
	 EIO},
	{"status 04 CONDITION MET", 0, 0x04, SCSI_READ, V_OK, 0, 0},
	{"status 10 INTERMEDIATE", 0, 0x10, SCSI_READ, V_OK, 0, 0},
	{"status 14 INTERMEDIATE-CONDITION MET", 0, 0x14, SCSI_READ, V_OK, 0, 0},
	{"status 18 RESERVATION CONFLICT", 0, 0x18, SCSI_WRITE, V_ERR, NO | P, EIO},
	{"status 18 RESERVATION CONFLICT, TEST UNIT READY", 0, 0x18, SCSI_TUR, V_OK, P,
	 0},
	{"status 08 BUSY", 0, 0x08, SCSI_WRITE, V_SLOW, NO | VF_LATER, EIO},
	{"status 28 TASK SET FULL", 0, 0x28, SCSI_WRITE, V_SLOW, NO, EIO},
	{"status 30 ACA ACTIVE", 0, 0x30, SCSI_WRITE, V_LATER, NO | VF_STREAK, EIO},
	{"status 40 TASK ABORTED", 0, 0x40, SCSI_WRITE, V_OTHER, 0, EIO},
	{"status 22 COMMAND TERMINATED", 0, 0x22, SCSI_WRITE, V_OTHER, G, EIO},
	{"status other (7e)", 0, 0x7e, SCSI_WRITE, V_OTHER, G, EIO},
};

START_TEST(test_status)
{
	const struct status_case *c = &status_cases[_i];
	struct scsi_result r = command(c->class);
	struct outcome o;

	r.host_status = c->host;
	r.status = c->status;
	scsi_judge(&r, &o);
	expect(c->name, &o, c->verdict, c->flags, c->err);
	ck_assert_uint_eq(o.done_blocks, o.verdict == V_OK ? NBLOCKS : 0);
	ck_assert_uint_eq(o.scsi_status, c->status & 0xfe);
}
END_TEST

/* --- section 5a --- */

static const struct sense_case {
	const char *name;
	uint8_t key, asc, ascq;
	enum scsi_class class;
	enum verdict verdict;
	unsigned flags;
	int err;
} sense_cases[] = {
	{"0 NO SENSE */*", 0, 0, 0, SCSI_WRITE, V_SAME, 0, EIO},
	{"1 RECOVERED */*", 1, 0x17, 0x01, SCSI_READ, V_OK_INFO, 0, 0},
	{"1 0B/* health warning", 1, 0x0b, 0x01, SCSI_WRITE, V_OK_INFO, 0, 0},
	{"1 5D/* health warning", 1, 0x5d, 0x10, SCSI_WRITE, V_OK_INFO, 0, 0},
	{"2 04/00 not ready, no detail", 2, 0x04, 0x00, SCSI_WRITE, V_OTHER, NO, EIO},
	{"2 */* not below (04/10)", 2, 0x04, 0x10, SCSI_WRITE, V_OTHER, NO, EIO},
	{"2 */* not below (30/00)", 2, 0x30, 0x00, SCSI_WRITE, V_OTHER, NO, EIO},
	{"2 04/01 becoming ready", 2, 0x04, 0x01, SCSI_WRITE, V_LATER, NO, EIO},
	{"2 04/04 format in progress", 2, 0x04, 0x04, SCSI_WRITE, V_LATER, NO, EIO},
	{"2 04/05 rebuild in progress", 2, 0x04, 0x05, SCSI_WRITE, V_LATER, NO, EIO},
	{"2 04/06 recalculation in progress", 2, 0x04, 0x06, SCSI_WRITE, V_LATER, NO,
	 EIO},
	{"2 04/07 operation in progress", 2, 0x04, 0x07, SCSI_WRITE, V_LATER, NO, EIO},
	{"2 04/08 long write in progress", 2, 0x04, 0x08, SCSI_WRITE, V_LATER, NO, EIO},
	{"2 04/09 self-test in progress", 2, 0x04, 0x09, SCSI_WRITE, V_LATER, NO, EIO},
	{"2 04/11 notify required", 2, 0x04, 0x11, SCSI_WRITE, V_LATER, NO, EIO},
	{"2 04/14 space allocation in progress", 2, 0x04, 0x14, SCSI_WRITE, V_LATER, NO,
	 EIO},
	{"2 04/1A start stop unit in progress", 2, 0x04, 0x1a, SCSI_WRITE, V_LATER, NO,
	 EIO},
	{"2 04/1B sanitize in progress", 2, 0x04, 0x1b, SCSI_WRITE, V_LATER, NO, EIO},
	{"2 04/1D configuration in progress", 2, 0x04, 0x1d, SCSI_WRITE, V_LATER, NO,
	 EIO},
	{"2 04/24 depopulation in progress", 2, 0x04, 0x24, SCSI_WRITE, V_LATER, NO,
	 EIO},
	{"2 04/25 depopulation restoration", 2, 0x04, 0x25, SCSI_WRITE, V_LATER, NO,
	 EIO},
	{"2 04/02 START UNIT needed", 2, 0x04, 0x02, SCSI_WRITE, V_FAIL, NO, EIO},
	{"2 04/03 operator needed", 2, 0x04, 0x03, SCSI_WRITE, V_FAIL, NO, EIO},
	{"2 04/12 offline", 2, 0x04, 0x12, SCSI_WRITE, V_FAIL, NO, EIO},
	{"2 04/22 power cycle needed", 2, 0x04, 0x22, SCSI_WRITE, V_FAIL, NO, EIO},
	{"2 04/0A ALUA transition", 2, 0x04, 0x0a, SCSI_WRITE, V_GROUP,
	 NO | A | VF_LATER, EIO},
	{"6 04/0A ALUA transition", 6, 0x04, 0x0a, SCSI_WRITE, V_GROUP,
	 NO | A | VF_LATER, EIO},
	{"2 04/0B standby", 2, 0x04, 0x0b, SCSI_WRITE, V_GROUP, NO | A, EIO},
	{"2 04/0C unavailable", 2, 0x04, 0x0c, SCSI_WRITE, V_GROUP, NO | A, EIO},
	{"2 3A/* no medium", 2, 0x3a, 0x01, SCSI_READ, V_OTHER, NO | I | VF_ALL_ERR,
	 EIO},
	{"2 3E/* LU not configured, failed", 2, 0x3e, 0, SCSI_READ, V_OTHER,
	 NO | I | VF_ALL_ERR, EIO},
	{"3 11/* unreadable", 3, 0x11, 0x04, SCSI_READ, V_ERR, 0, EIO},
	{"3 13/* unreadable", 3, 0x13, 0x00, SCSI_READ, V_ERR, 0, EIO},
	{"3 14/* unreadable", 3, 0x14, 0x01, SCSI_READ, V_ERR, 0, EIO},
	{"3 other: 03", 3, 0x03, 0x00, SCSI_WRITE, V_SAME, VF_RETRY_ONCE, EIO},
	{"3 other: 0C", 3, 0x0c, 0x02, SCSI_WRITE, V_SAME, VF_RETRY_ONCE, EIO},
	{"3 other: 31", 3, 0x31, 0x00, SCSI_WRITE, V_SAME, VF_RETRY_ONCE, EIO},
	{"3 other: 32", 3, 0x32, 0x00, SCSI_WRITE, V_SAME, VF_RETRY_ONCE, EIO},
	{"4 3E/01 LU failure", 4, 0x3e, 0x01, SCSI_WRITE, V_OTHER, VF_RETRY_GROUP, EIO},
	{"4 44/* internal target failure", 4, 0x44, 0, SCSI_WRITE, V_OTHER,
	 VF_RETRY_GROUP, EIO},
	{"4 08/* LU communication failure", 4, 0x08, 0, SCSI_WRITE, V_OTHER,
	 VF_RETRY_GROUP, EIO},
	{"4 09/* servo fault", 4, 0x09, 0x01, SCSI_WRITE, V_OTHER, VF_RETRY_GROUP, EIO},
	{"4 */* other", 4, 0x15, 0x01, SCSI_WRITE, V_ERR, 0, EIO},
	{"4 3E other than 01", 4, 0x3e, 0x02, SCSI_WRITE, V_ERR, 0, EIO},
	{"5 20/00 opcode, READ", 5, 0x20, 0, SCSI_READ, V_ERR, NO | VF_UNSUPPORTED,
	 EOPNOTSUPP},
	{"5 20/00 opcode, UNMAP", 5, 0x20, 0, SCSI_UNMAP, V_ERR, NO | VF_UNSUPPORTED,
	 EOPNOTSUPP},
	{"5 20/00 opcode, flush with a cache", 5, 0x20, 0, SCSI_FLUSH, V_ERR,
	 NO | VF_UNSUPPORTED, EOPNOTSUPP},
	{"5 24/00 field", 5, 0x24, 0, SCSI_WRITE, V_ERR, NO | VF_UNSUPPORTED, EINVAL},
	{"5 24/00 field, WRITE SAME", 5, 0x24, 0, SCSI_WRITE_SAME, V_ERR,
	 NO | VF_UNSUPPORTED, EOPNOTSUPP},
	{"5 26/* parameter list", 5, 0x26, 0x02, SCSI_OTHER, V_ERR, NO | VF_UNSUPPORTED,
	 EINVAL},
	{"5 26/* parameter list, UNMAP", 5, 0x26, 0, SCSI_UNMAP, V_ERR,
	 NO | VF_UNSUPPORTED, EOPNOTSUPP},
	{"5 21/00 LBA out of range, WRITE", 5, 0x21, 0, SCSI_WRITE, V_ERR, NO | I,
	 ENOSPC},
	{"5 21/00 LBA out of range, UNMAP", 5, 0x21, 0, SCSI_UNMAP, V_ERR, NO | I,
	 ENOSPC},
	{"5 21/00 LBA out of range, WRITE SAME", 5, 0x21, 0, SCSI_WRITE_SAME, V_ERR,
	 NO | I, ENOSPC},
	{"5 21/00 LBA out of range, READ", 5, 0x21, 0, SCSI_READ, V_ERR, NO | I,
	 EINVAL},
	{"5 25/00 LU not supported", 5, 0x25, 0, SCSI_WRITE, V_FAIL, NO | I, EIO},
	{"5 94/01 not the owner", 5, 0x94, 0x01, SCSI_WRITE, V_GROUP, NO | A, EIO},
	{"5 other (24/01)", 5, 0x24, 0x01, SCSI_WRITE, V_ERR, NO, EIO},
	{"5 other (55/03)", 5, 0x55, 0x03, SCSI_WRITE, V_ERR, NO, EIO},
	{"6 28/00 medium changed", 6, 0x28, 0x00, SCSI_WRITE, V_SAME, NO | I, EIO},
	{"6 3F/01 microcode changed", 6, 0x3f, 0x01, SCSI_WRITE, V_SAME, NO | I, EIO},
	{"6 3F/02 operating definition changed", 6, 0x3f, 0x02, SCSI_WRITE, V_SAME,
	 NO | I, EIO},
	{"6 3F/03 inquiry data changed", 6, 0x3f, 0x03, SCSI_WRITE, V_SAME, NO | I,
	 EIO},
	{"6 3F/05 identifier changed", 6, 0x3f, 0x05, SCSI_WRITE, V_SAME, NO | I, EIO},
	{"6 3F/0E LUN map changed", 6, 0x3f, 0x0e, SCSI_WRITE, V_SAME, NO | I, EIO},
	{"6 29/00 power on or reset", 6, 0x29, 0x00, SCSI_WRITE, V_SAME,
	 NO | C | I | M | A, EIO},
	{"6 29/01 power on", 6, 0x29, 0x01, SCSI_WRITE, V_SAME, NO | C | I | M | A,
	 EIO},
	{"6 29/04 internal reset", 6, 0x29, 0x04, SCSI_WRITE, V_SAME,
	 NO | C | I | M | A, EIO},
	{"6 29/02 bus reset", 6, 0x29, 0x02, SCSI_WRITE, V_SAME, NO | I | A, EIO},
	{"6 29/03 device reset", 6, 0x29, 0x03, SCSI_WRITE, V_SAME, NO | I | A, EIO},
	{"6 29/05 transceiver mode", 6, 0x29, 0x05, SCSI_WRITE, V_SAME, NO | I | A,
	 EIO},
	{"6 29/06 transceiver mode", 6, 0x29, 0x06, SCSI_WRITE, V_SAME, NO | I | A,
	 EIO},
	{"6 29/07 nexus loss", 6, 0x29, 0x07, SCSI_WRITE, V_SAME, NO | I | A, EIO},
	{"6 2A/00 parameters changed", 6, 0x2a, 0x00, SCSI_WRITE, V_SAME, NO | M, EIO},
	{"6 2A/01 mode parameters changed", 6, 0x2a, 0x01, SCSI_WRITE, V_SAME, NO | M,
	 EIO},
	{"6 2A/03 reservations preempted", 6, 0x2a, 0x03, SCSI_WRITE, V_SAME, NO | P,
	 EIO},
	{"6 2A/04 reservations released", 6, 0x2a, 0x04, SCSI_WRITE, V_SAME, NO | P,
	 EIO},
	{"6 2A/05 registrations preempted", 6, 0x2a, 0x05, SCSI_WRITE, V_SAME, NO | P,
	 EIO},
	{"6 2A/06 ALUA state changed", 6, 0x2a, 0x06, SCSI_WRITE, V_SAME, NO | A, EIO},
	{"6 2A/07 transition failed", 6, 0x2a, 0x07, SCSI_WRITE, V_SAME, NO | A, EIO},
	{"6 2A/08 priority changed", 6, 0x2a, 0x08, SCSI_WRITE, V_SAME, NO | A, EIO},
	{"6 2A/09 capacity changed", 6, 0x2a, 0x09, SCSI_WRITE, V_SAME, NO | I, EIO},
	{"6 2F/* cleared by another initiator", 6, 0x2f, 0x00, SCSI_WRITE, V_SAME, NO,
	 EIO},
	{"6 38/07 soft threshold", 6, 0x38, 0x07, SCSI_WRITE, V_SAME, NO, EIO},
	{"6 0B/* warning", 6, 0x0b, 0x01, SCSI_WRITE, V_SAME, NO, EIO},
	{"6 5D/* failure prediction", 6, 0x5d, 0x00, SCSI_WRITE, V_SAME, NO, EIO},
	{"6 */* other (5A/01)", 6, 0x5a, 0x01, SCSI_WRITE, V_SAME, NO | I, EIO},
	{"6 */* other (29/08)", 6, 0x29, 0x08, SCSI_WRITE, V_SAME, NO | I, EIO},
	{"7 27/07 thin pool full", 7, 0x27, 0x07, SCSI_WRITE, V_ERR, NO, ENOSPC},
	{"7 */* write protected", 7, 0x27, 0x00, SCSI_WRITE, V_ERR, NO, EPERM},
	{"7 */* access denied", 7, 0x20, 0x02, SCSI_READ, V_ERR, NO, EPERM},
	{"8 blank check", 8, 0, 0, SCSI_READ, V_ERR, G, EIO},
	{"9 vendor", 9, 0x80, 0, SCSI_WRITE, V_ERR, G, EIO},
	{"A copy aborted", 0xa, 0, 0, SCSI_WRITE, V_ERR, G, EIO},
	{"D overflow", 0xd, 0, 0, SCSI_WRITE, V_ERR, G, EIO},
	{"B 10/* protection information", 0xb, 0x10, 0x01, SCSI_WRITE, V_ERR, 0, EIO},
	{"B 2E/* timed out at target", 0xb, 0x2e, 0x01, SCSI_WRITE, V_OTHER, 0, EIO},
	{"B 4E/00 overlapped tags", 0xb, 0x4e, 0x00, SCSI_WRITE, V_OTHER, 0, EIO},
	{"B 47/* parity or CRC", 0xb, 0x47, 0x03, SCSI_WRITE, V_OTHER, 0, EIO},
	{"B 48/* initiator detected", 0xb, 0x48, 0x00, SCSI_WRITE, V_OTHER, 0, EIO},
	{"B 4A/* command phase", 0xb, 0x4a, 0x00, SCSI_WRITE, V_OTHER, 0, EIO},
	{"B 4B/* data phase", 0xb, 0x4b, 0x00, SCSI_WRITE, V_OTHER, 0, EIO},
	{"B 0E/* information unit", 0xb, 0x0e, 0x01, SCSI_WRITE, V_OTHER, 0, EIO},
	{"B 44/* internal target failure", 0xb, 0x44, 0x00, SCSI_WRITE, V_OTHER, 0,
	 EIO},
	{"B */* aborted", 0xb, 0x00, 0x00, SCSI_WRITE, V_SAME, 0, EIO},
	{"E MISCOMPARE", 0xe, 0x1d, 0x00, SCSI_OTHER, V_ERR, 0, EIO},
	{"C no such key", 0xc, 0, 0, SCSI_WRITE, V_OTHER, 0, EIO},
	{"F COMPLETED under CHECK CONDITION", 0xf, 0, 0, SCSI_WRITE, V_OTHER, 0, EIO},
};

START_TEST(test_sense)
{
	const struct sense_case *c = &sense_cases[_i / 2];
	struct scsi_result r = command(c->class);
	uint8_t sense[18];
	struct outcome o;

	r.status = 0x02;
	r.driver_status = 0x08;
	r.sense = sense;
	r.sense_len = make_sense(sense, _i & 1, false, c->key, c->asc, c->ascq);
	scsi_judge(&r, &o);
	expect(c->name, &o, c->verdict, c->flags, c->err);
	ck_assert(o.sense_key == c->key && o.asc == c->asc && o.ascq == c->ascq);
	ck_assert_uint_eq(o.driver_status, 0x08);
}
END_TEST

START_TEST(test_flush_without_cache)
{
	struct scsi_result r = command(SCSI_FLUSH);
	uint8_t sense[18];
	struct outcome o;

	r.status = 0x02;
	r.write_cache = false;
	r.sense = sense;
	r.sense_len = make_sense(sense, false, false, 5, 0x20, 0);
	scsi_judge(&r, &o);
	expect("5 20/00 SYNCHRONIZE CACHE, cache off", &o, V_OK, VF_UNSUPPORTED, 0);
	/* Every other error of such a flush stays one. */
	r.sense_len = make_sense(sense, false, false, 4, 0x15, 0);
	scsi_judge(&r, &o);
	expect("4 other, cache off", &o, V_ERR, 0, EIO);
}
END_TEST

START_TEST(test_deferred)
{
	static const unsigned want = VF_DEFERRED | VF_CACHE | VF_NOT_RUN;
	struct scsi_result r = command(SCSI_WRITE);
	uint8_t sense[18];
	struct outcome o;
	int desc;

	for (desc = 0; desc < 2; desc++) {
		r.host_status = 0;
		r.status = 0x02;
		r.sense = sense;
		r.sense_len = make_sense(sense, desc, true, 3, 0x0c, 0);
		scsi_judge(&r, &o);
		expect("deferred", &o, V_SAME, want, EIO);
		ck_assert(o.sense_key == 3 && o.asc == 0x0c && !o.has_bad_lba);
		r.status = 0;
		scsi_judge(&r, &o);
		expect("deferred with GOOD", &o, V_SAME, want, EIO);
		r.host_status = 3;
		scsi_judge(&r, &o);
		expect("deferred with a host error", &o, V_FAIL, G | VF_DEFERRED | C,
		       EIO);
		r.sense_len = make_sense(sense, desc, true, 0, 0, 0);
		r.host_status = 0;
		scsi_judge(&r, &o);
		expect("deferred, key 0", &o, V_SAME, want, EIO);
	}
}
END_TEST

START_TEST(test_order)
{
	struct scsi_result r = command(SCSI_WRITE);
	uint8_t sense[18];
	struct outcome o;

	r.sense = sense;
	r.host_status = 3;
	r.sense_len = make_sense(sense, false, false, 6, 0x29, 2);
	scsi_judge(&r, &o);
	expect("timeout with 6 29/02: its news, not its \"did not run\"", &o, V_FAIL,
	       G | I | A, EIO);

	r.host_status = 1;
	r.sense_len = make_sense(sense, false, false, 0, 0, 0);
	scsi_judge(&r, &o);
	expect("NO_CONNECT with sense of zeroes", &o, V_FAIL, G, EIO);

	r.host_status = 0;
	r.status = 0x28;
	r.sense_len = make_sense(sense, false, false, 6, 0x2a, 9);
	scsi_judge(&r, &o);
	expect("TASK SET FULL with 6 2A/09", &o, V_SLOW, NO | I, EIO);

	r.status = 0x00;
	r.sense_len = make_sense(sense, false, false, 0xf, 0, 0);
	scsi_judge(&r, &o);
	expect("GOOD with COMPLETED", &o, V_OK_INFO, 0, 0);
	r.sense_len = make_sense(sense, true, false, 1, 0x17, 0);
	scsi_judge(&r, &o);
	expect("GOOD with RECOVERED", &o, V_OK_INFO, 0, 0);
	ck_assert_uint_eq(o.done_blocks, NBLOCKS);
	r.sense_len = make_sense(sense, true, false, 0, 0, 0);
	scsi_judge(&r, &o);
	expect("GOOD with NO SENSE", &o, V_OK, 0, 0);
	r.sense_len = make_sense(sense, true, false, 3, 0x11, 0);
	scsi_judge(&r, &o);
	expect("GOOD with a medium error", &o, V_ERR, 0, EIO);

	r.status = 0x02;
	r.sense_len = 7;
	make_sense(sense, false, false, 5, 0x20, 0);
	scsi_judge(&r, &o);
	expect("CHECK CONDITION with 7 bytes of fixed sense", &o, V_OTHER, 0, EIO);
}
END_TEST

static const struct resid_case {
	const char *name;
	enum scsi_class class;
	uint32_t dxfer_len;
	int32_t resid;
	enum verdict verdict;
	unsigned flags;
	uint32_t done;
} resid_cases[] = {
	{"all", SCSI_READ, 4096, 0, V_OK, 0, 8},
	{"GOOD, resid 2048 of 4096", SCSI_READ, 4096, 2048, V_OK, 0, 4},
	{"rounded down to a block", SCSI_READ, 4096, 1, V_OK, 0, 7},
	{"a write rounds alike", SCSI_WRITE, 4096, 513, V_OK, 0, 6},
	{"one block", SCSI_WRITE, 4096, 3584, V_OK, 0, 1},
	{"less than a block is no progress", SCSI_READ, 4096, 3585, V_SAME, 0, 0},
	{"nothing came", SCSI_READ, 4096, 4096, V_SAME, 0, 0},
	{"more left than asked", SCSI_READ, 4096, 4097, V_FAIL, G, 0},
	{"negative", SCSI_WRITE, 4096, -1, V_FAIL, G, 0},
	{"UNMAP, list cut short", SCSI_UNMAP, 24, 8, V_SAME, 0, 0},
	{"UNMAP", SCSI_UNMAP, 24, 0, V_OK, 0, 8},
	{"WRITE SAME, block not taken", SCSI_WRITE_SAME, 512, 512, V_SAME, 0, 0},
	{"INQUIRY shorter than the room for it", SCSI_OTHER, 255, 155, V_OK, 0, 8},
	{"INQUIRY, more left than asked", SCSI_OTHER, 255, 256, V_FAIL, G, 0},
	{"no data, but some left", SCSI_TUR, 0, 1, V_FAIL, G, 0},
};

START_TEST(test_resid)
{
	const struct resid_case *c = &resid_cases[_i];
	struct scsi_result r = command(c->class);
	struct outcome o;

	r.dxfer_len = c->dxfer_len;
	r.resid = c->resid;
	scsi_judge(&r, &o);
	expect(c->name, &o, c->verdict, c->flags, c->verdict == V_OK ? 0 : EIO);
	ck_assert_msg(o.done_blocks == c->done, "%s: %u blocks", c->name,
		      o.done_blocks);
}
END_TEST

START_TEST(test_resid_with_error)
{
	struct scsi_result r = command(SCSI_READ);
	uint8_t sense[18];
	struct outcome o;

	r.status = 0x02;
	r.sense = sense;
	r.sense_len = make_sense(sense, false, false, 3, 0x11, 0);
	r.resid = 2048;
	scsi_judge(&r, &o);
	expect("no byte of a failed READ counts", &o, V_ERR, 0, EIO);
	ck_assert_uint_eq(o.done_blocks, 0);
	r.sense_len = make_sense(sense, false, false, 1, 0x17, 0);
	scsi_judge(&r, &o);
	expect("recovered, but short", &o, V_OK_INFO, 0, 0);
	ck_assert_uint_eq(o.done_blocks, 4);
	r.sense_len = make_sense(sense, false, false, 6, 0x29, 0);
	r.resid = 5000;
	scsi_judge(&r, &o);
	expect("news is kept", &o, V_FAIL, G | C | I | M | A, EIO);
}
END_TEST

static const struct lba_case {
	const char *name;
	uint32_t info;
	bool valid, want;
} lba_cases[] = {
	{"first block", LBA, true, true},
	{"last block", LBA + NBLOCKS - 1, true, true},
	{"one too low", LBA - 1, true, false},
	{"one too high", LBA + NBLOCKS, true, false},
	{"valid bit off", LBA, false, false},
	{"nonsense", 0xffffffff, true, false},
};

START_TEST(test_bad_lba)
{
	const struct lba_case *c = &lba_cases[_i];
	struct scsi_result r = command(SCSI_READ);
	uint8_t sense[18];
	struct outcome o;

	r.status = 0x02;
	r.sense = sense;
	r.sense_len = make_sense(sense, false, false, 3, 0x11, 0);
	sense[0] |= c->valid ? 0x80 : 0;
	sense[3] = (uint8_t)(c->info >> 24);
	sense[4] = (uint8_t)(c->info >> 16);
	sense[5] = (uint8_t)(c->info >> 8);
	sense[6] = (uint8_t)c->info;
	scsi_judge(&r, &o);
	ck_assert_msg(o.has_bad_lba == c->want, "%s", c->name);
	ck_assert_msg(o.bad_lba == (c->want ? c->info : 0), "%s", c->name);
	/* A deferred error speaks of another command's block. */
	sense[0] = (uint8_t)((sense[0] & 0x80) | 0x71);
	scsi_judge(&r, &o);
	ck_assert_msg(!o.has_bad_lba, "%s: deferred", c->name);
}
END_TEST

static const struct errno_case {
	const char *name;
	bool on_read;
	int err;
	enum verdict verdict;
	unsigned flags;
} errno_cases[] = {
	{"write EDOM", false, EDOM, V_LATER, NO},
	{"write ENOMEM", false, ENOMEM, V_LATER, NO},
	{"write EAGAIN", false, EAGAIN, V_LATER, NO},
	{"write EBUSY", false, EBUSY, V_LATER, NO},
	{"write EINTR", false, EINTR, V_LATER, NO},
	{"write EPERM", false, EPERM, V_FAIL, NO},
	{"write ENODEV", false, ENODEV, V_FAIL, NO | I},
	{"write ENXIO", false, ENXIO, V_FAIL, NO | I},
	{"write EINVAL", false, EINVAL, V_OTHER, NO | VF_ALL_ERR},
	{"write EMSGSIZE", false, EMSGSIZE, V_OTHER, NO | VF_ALL_ERR},
	{"read ENODEV", true, ENODEV, V_FAIL, G | I},
	{"read ENXIO", true, ENXIO, V_FAIL, G | I},
	{"read EIO", true, EIO, V_FAIL, G},
	{"read EFAULT", true, EFAULT, V_FAIL, G},
};

START_TEST(test_errno)
{
	const struct errno_case *c = &errno_cases[_i];
	struct outcome o;

	memset(&o, 0x5a, sizeof(o));
	if (c->on_read)
		scsi_judge_read_errno(c->err, &o);
	else
		scsi_judge_write_errno(c->err, &o);
	expect(c->name, &o, c->verdict, c->flags, EIO);
	ck_assert_int_eq(o.sys_errno, c->err);
	ck_assert_uint_eq(o.done_blocks, 0);
}
END_TEST

/* Any bytes in any field: some verdict, and these facts of every outcome. */
START_TEST(test_robust)
{
	struct prng p;
	unsigned i;

	prng_init(&p, 3, 1);
	for (i = 0; i < 20000; i++) {
		struct scsi_result r =
			command((enum scsi_class)prng_below(&p, SCSI_CLASS_NR));
		uint8_t sense[40], *copy;
		struct outcome o;
		size_t n;

		for (n = 0; n < sizeof(sense); n++)
			sense[n] = (uint8_t)prng_u64(&p);
		sense[0] = (uint8_t)(0x70 | prng_below(&p, 6));
		r.sense_len = prng_below(&p, sizeof(sense) + 1);
		copy = exact_copy(sense, r.sense_len);
		r.sense = copy;
		r.host_status =
			prng_chance(&p, 1, 2) ? 0 : (unsigned)prng_below(&p, 0x20);
		r.status = prng_chance(&p, 1, 2) ? 2 : (uint8_t)prng_u64(&p);
		r.resid =
			prng_chance(&p, 1, 2) ? 0 : (int32_t)prng_below(&p, 5000) - 10;
		r.write_cache = prng_chance(&p, 1, 2);
		scsi_judge(&r, &o);
		free(copy);
		ck_assert_uint_lt(o.verdict, V_NR);
		ck_assert_int_ne(o.verdict, V_CANCELED);
		if (o.verdict == V_OK || o.verdict == V_OK_INFO) {
			ck_assert(o.err == 0 && o.done_blocks > 0 &&
				  o.done_blocks <= NBLOCKS);
			ck_assert(!(o.flags & (VF_GHOST | VF_NOT_RUN)));
		} else {
			ck_assert(o.err > 0 && o.done_blocks == 0);
			ck_assert((o.flags & (VF_GHOST | VF_NOT_RUN)) !=
				  (VF_GHOST | VF_NOT_RUN));
		}
		ck_assert(!o.has_bad_lba ||
			  (o.bad_lba >= LBA && o.bad_lba < LBA + NBLOCKS));
	}
}
END_TEST

/* A test case for each row, so that a failure is reported by the row's name. */
static void add_rows(Suite *s)
{
	TCase *tc;
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(status_cases); i++) {
		tc = tcase_create(status_cases[i].name);
		tcase_add_loop_test(tc, test_status, i, i + 1);
		suite_add_tcase(s, tc);
	}
	for (i = 0; i < (int)ARRAY_SIZE(sense_cases); i++) {
		tc = tcase_create(sense_cases[i].name);
		tcase_add_loop_test(tc, test_sense, 2 * i, 2 * i + 2);
		suite_add_tcase(s, tc);
	}
}

int main(void)
{
	Suite *s = suite_create("scsi_judge");
	TCase *tc = tcase_create("rules");

	/* Twenty thousand of them, on a machine that may be busy. */
	tcase_set_timeout(tc, 60);
	add_rows(s);
	tcase_add_test(tc, test_flush_without_cache);
	tcase_add_test(tc, test_deferred);
	tcase_add_test(tc, test_order);
	tcase_add_loop_test(tc, test_resid, 0, ARRAY_SIZE(resid_cases));
	tcase_add_test(tc, test_resid_with_error);
	tcase_add_loop_test(tc, test_bad_lba, 0, ARRAY_SIZE(lba_cases));
	tcase_add_loop_test(tc, test_errno, 0, ARRAY_SIZE(errno_cases));
	tcase_add_test(tc, test_robust);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
