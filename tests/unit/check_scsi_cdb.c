/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_scsi_cdb.c - every builder gives the bytes of its table in SPC-6 or SBC-4,
 * the right length, and the 16-byte form exactly where the 10-byte one ends.
 */
#include "scsi/cdb.h"

#include "base/units.h"
#include "scsi_test.h"

enum op { RD, WR, SYNC, SAME };

static const struct rw_case {
	const char *name;
	enum op op;
	uint64_t lba;
	uint32_t nblocks;
	unsigned flags, len;
	uint8_t cdb[CDB_BYTES_MAX];
} rw_cases[] = {
	{"READ(10)",
	 RD,
	 0x12345678,
	 0x9abc,
	 0,
	 10,
	 {0x28, 0, 0x12, 0x34, 0x56, 0x78, 0, 0x9a, 0xbc, 0}},
	{"READ(10) at the last LBA",
	 RD,
	 0xffffffff,
	 1,
	 0,
	 10,
	 {0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0}},
	{"READ(10) of the longest",
	 RD,
	 0,
	 0xffff,
	 0,
	 10,
	 {0x28, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
	{"READ(16), LBA of 33 bits",
	 RD,
	 0x100000000,
	 8,
	 0,
	 16,
	 {0x88, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8}},
	{"READ(16), count of 17 bits",
	 RD,
	 1,
	 0x10000,
	 0,
	 16,
	 {0x88, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0}},
	{"READ(16) forced, FUA",
	 RD,
	 1,
	 2,
	 CDB_FORCE16 | CDB_FUA,
	 16,
	 {0x88, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}},
	{"WRITE(10)", WR, 7, 8, 0, 10, {0x2a, 0, 0, 0, 0, 7, 0, 0, 8}},
	{"WRITE(10) FUA", WR, 7, 8, CDB_FUA, 10, {0x2a, 8, 0, 0, 0, 7, 0, 0, 8}},
	{"WRITE(16) FUA",
	 WR,
	 0x0123456789abcdef,
	 0xfedcba98,
	 CDB_FUA,
	 16,
	 {0x8a, 8, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba,
	  0x98}},
	{"SYNCHRONIZE CACHE(10), all", SYNC, 0, 0, 0, 10, {0x35}},
	{"SYNCHRONIZE CACHE(10) IMMED",
	 SYNC,
	 5,
	 6,
	 CDB_IMMED,
	 10,
	 {0x35, 2, 0, 0, 0, 5, 0, 0, 6}},
	{"SYNCHRONIZE CACHE(16)", SYNC, 0, 0, CDB_FORCE16, 16, {0x91}},
	{"WRITE SAME(10)", SAME, 5, 6, 0, 10, {0x41, 0, 0, 0, 0, 5, 0, 0, 6}},
	{"WRITE SAME(10) UNMAP",
	 SAME,
	 5,
	 6,
	 CDB_UNMAP,
	 10,
	 {0x41, 8, 0, 0, 0, 5, 0, 0, 6}},
	{"WRITE SAME(16) UNMAP",
	 SAME,
	 5,
	 0x10000,
	 CDB_UNMAP,
	 16,
	 {0x93, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0, 0}},
	{"WRITE SAME NDOB is 16",
	 SAME,
	 5,
	 6,
	 CDB_NDOB | CDB_UNMAP,
	 16,
	 {0x93, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6}},
	{"WRITE SAME ANCHOR",
	 SAME,
	 5,
	 6,
	 CDB_ANCHOR | CDB_UNMAP,
	 10,
	 {0x41, 0x18, 0, 0, 0, 5, 0, 0, 6}},
};

START_TEST(test_rw)
{
	const struct rw_case *c = &rw_cases[_i];
	uint8_t cdb[CDB_BYTES_MAX];
	unsigned len = 0;

	memset(cdb, 0xee, sizeof(cdb));
	switch (c->op) {
	case RD:
		len = cdb_read(cdb, c->lba, c->nblocks, c->flags);
		break;
	case WR:
		len = cdb_write(cdb, c->lba, c->nblocks, c->flags);
		break;
	case SYNC:
		len = cdb_sync_cache(cdb, c->lba, c->nblocks, c->flags);
		break;
	case SAME:
		len = cdb_write_same(cdb, c->lba, c->nblocks, c->flags);
		break;
	}
	ck_assert_msg(len == c->len, "%s: %u bytes", c->name, len);
	ck_assert_msg(!memcmp(cdb, c->cdb, sizeof(cdb)), "%s", c->name);
}
END_TEST

static void expect(const char *name, const uint8_t *cdb, unsigned len,
		   unsigned want_len, const uint8_t want[static CDB_BYTES_MAX])
{
	ck_assert_msg(len == want_len, "%s: %u bytes", name, len);
	ck_assert_msg(!memcmp(cdb, want, CDB_BYTES_MAX), "%s", name);
}

#define EXPECT(want_len, call, ...)                                       \
	do {                                                              \
		static const uint8_t want[CDB_BYTES_MAX] = {__VA_ARGS__}; \
		unsigned len;                                             \
		memset(cdb, 0xee, sizeof(cdb));                           \
		len = call;                                               \
		expect(#call, cdb, len, want_len, want);                  \
	} while (0)

START_TEST(test_control)
{
	uint8_t cdb[CDB_BYTES_MAX];

	EXPECT(6, cdb_test_unit_ready(cdb), 0);
	EXPECT(6, cdb_request_sense(cdb, false, 252), 0x03, 0, 0, 0, 252);
	EXPECT(6, cdb_request_sense(cdb, true, 96), 0x03, 1, 0, 0, 96);
	EXPECT(6, cdb_inquiry(cdb, 36), 0x12, 0, 0, 0, 36);
	EXPECT(6, cdb_inquiry(cdb, 0x1234), 0x12, 0, 0, 0x12, 0x34);
	EXPECT(6, cdb_inquiry_vpd(cdb, 0x83, 0x400), 0x12, 1, 0x83, 4, 0);
	EXPECT(6, cdb_mode_sense6(cdb, 8, true, 192), 0x1a, 8, 8, 0, 192);
	EXPECT(10, cdb_mode_sense10(cdb, 8, false, 0x1ff), 0x5a, 0, 8, 0, 0, 0, 0, 1,
	       0xff);
	EXPECT(10, cdb_read_capacity10(cdb), 0x25);
	EXPECT(16, cdb_read_capacity16(cdb, 32), 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	       0, 0, 32);
	EXPECT(16, cdb_get_lba_status(cdb, 0x0102030405060708, 0x11223344), 0x9e, 0x12,
	       1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x22, 0x33, 0x44);
	EXPECT(10, cdb_unmap(cdb, 24, 0), 0x42, 0, 0, 0, 0, 0, 0, 0, 24);
	EXPECT(12, cdb_report_tpg(cdb, false, 0x400), 0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 4,
	       0);
	EXPECT(12, cdb_report_tpg(cdb, true, 0x400), 0xa3, 0x2a, 0, 0, 0, 0, 0, 0, 4,
	       0);
	EXPECT(12, cdb_set_tpg(cdb, 8), 0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8);
}
END_TEST

START_TEST(test_unmap_param)
{
	static const struct cdb_range ranges[] = {{0x0102030405060708, 0x11121314},
						  {9, 1}};
	static const uint8_t want[UNMAP_PARAM_BYTES(2)] = {
		0, 38, 0, 32, 0, 0, 0, 0, /* header */
		1, 2,  3, 4,  5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14,
		0, 0,  0, 0,				       /* first */
		0, 0,  0, 0,  0, 0, 0, 9, 0,	0,    0,    1, /* second */
	};
	uint8_t buf[sizeof(want)];

	memset(buf, 0xee, sizeof(buf));
	ck_assert_uint_eq(cdb_unmap_param(buf, sizeof(buf), ranges, 2), sizeof(want));
	ck_assert_mem_eq(buf, want, sizeof(want));
	ck_assert_uint_le(UNMAP_PARAM_BYTES(UNMAP_RANGES_MAX) - 2, UINT16_MAX);
	ck_assert_uint_gt(UNMAP_PARAM_BYTES(UNMAP_RANGES_MAX + 1) - 2, UINT16_MAX);
}
END_TEST

START_TEST(test_set_tpg_param)
{
	static const struct cdb_tpg groups[] = {{0x0102, 0}, {3, 1}};
	static const uint8_t want[STPG_PARAM_BYTES(2)] = {0, 0, 0, 0, 0, 0,
							  1, 2, 1, 0, 0, 3};
	uint8_t buf[sizeof(want)];

	memset(buf, 0xee, sizeof(buf));
	ck_assert_uint_eq(cdb_set_tpg_param(buf, sizeof(buf), groups, 2), sizeof(want));
	ck_assert_mem_eq(buf, want, sizeof(want));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_cdb");
	TCase *tc = tcase_create("cdb");

	tcase_add_loop_test(tc, test_rw, 0, ARRAY_SIZE(rw_cases));
	tcase_add_test(tc, test_control);
	tcase_add_test(tc, test_unmap_param);
	tcase_add_test(tc, test_set_tpg_param);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
