/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_scsi_capacity.c - READ CAPACITY, caching mode page and GET LBA STATUS from
 * fixtures and by hand; what is cut, contradictory or out of range is refused or
 * clipped.
 */
#include "scsi/capacity.h"

#include "base/units.h"
#include "scsi_test.h"

static uint8_t buf[512];

START_TEST(test_capacity10)
{
	struct capacity c;
	bool needs16;
	static const uint8_t small[] = {0x00, 0x00, 0x3f, 0xff, 0, 0, 2, 0};
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 16, 0};
	static const uint8_t most[] = {0xff, 0xff, 0xff, 0xfe, 0, 0, 2, 0};
	static const uint8_t zero[] = {0, 0, 0, 1, 0, 0, 0, 0};

	ck_assert(capacity_parse10(small, 8, &c, &needs16));
	ck_assert(!needs16 && c.nblocks == 0x4000 && c.block_bytes == 512);
	ck_assert(!c.lbpme && c.phys_exponent == 0 && c.prot_type == 0);
	ck_assert(capacity_parse10(most, 8, &c, &needs16));
	ck_assert(!needs16 && c.nblocks == 0xffffffff);
	ck_assert(capacity_parse10(huge, 8, &c, &needs16));
	ck_assert(needs16 && c.nblocks == 0 && c.block_bytes == 4096);
	ck_assert(!capacity_is_served(&c));
	ck_assert(!capacity_parse10(zero, 8, &c, &needs16));
	ck_assert(!capacity_parse10(small, 7, &c, &needs16));
}
END_TEST

START_TEST(test_capacity16)
{
	size_t len = hex_load("readcap16_thin.hex", buf, sizeof(buf));
	struct capacity c;

	ck_assert_uint_eq(len, READ_CAPACITY_16_BYTES);
	ck_assert(capacity_parse16(buf, len, &c));
	ck_assert_uint_eq(c.nblocks, 0x500000000);
	ck_assert(c.block_bytes == 512 && c.phys_exponent == 3 &&
		  c.lowest_aligned == 7);
	ck_assert(c.lbpme && c.lbprz && c.prot_type == 1);
	ck_assert(capacity_is_served(&c));
	ck_assert_msg(capacity_parse16(buf, 12, &c), "an old device gives 12 bytes");
	ck_assert(c.nblocks == 0x500000000 && !c.lbpme && c.prot_type == 0);
	ck_assert(!capacity_parse16(buf, 11, &c));
	buf[12] = 0x0e; /* P_TYPE without PROT_EN */
	ck_assert(capacity_parse16(buf, len, &c) && c.prot_type == 0);
	buf[12] = 0x05;
	ck_assert(capacity_parse16(buf, len, &c) && c.prot_type == 3);
	memset(buf, 0xff, 8);
	ck_assert_msg(!capacity_parse16(buf, len, &c), "2^64 blocks");
	memset(buf, 0, 12);
	ck_assert_msg(!capacity_parse16(buf, len, &c), "block length 0");
}
END_TEST

static const struct served_case {
	uint64_t nblocks;
	uint32_t block_bytes;
	bool served;
} served_cases[] = {
	{1, 512, true},
	{0, 512, false},
	{100, 2048, true},
	{100, 4096, true},
	{100, 65536, true},
	{100, 131072, false},
	{100, 256, false},
	{100, 520, false},
	{100, 4104, false},
	{(uint64_t)INT64_MAX / 512, 512, true},
	{(uint64_t)INT64_MAX / 512 + 1, 512, false},
	{UINT64_MAX, 4096, false},
};

START_TEST(test_served)
{
	const struct served_case *s = &served_cases[_i];
	struct capacity c = {.nblocks = s->nblocks, .block_bytes = s->block_bytes};

	ck_assert(capacity_is_served(&c) == s->served);
}
END_TEST

START_TEST(test_caching_fixtures)
{
	size_t len = hex_load("mode10_caching.hex", buf, sizeof(buf));
	struct caching c;

	ck_assert(caching_parse(buf, len, true, &c));
	ck_assert(c.has_page && c.write_cache && c.read_cache && c.dpofua &&
		  !c.write_protect);
	len = hex_load("mode6_readonly.hex", buf, sizeof(buf));
	ck_assert(caching_parse(buf, len, false, &c));
	ck_assert(c.has_page && !c.write_cache && !c.read_cache && !c.dpofua &&
		  c.write_protect);
}
END_TEST

static const struct mode_case {
	const char *name;
	bool ten, parsed, has_page, write_cache;
	uint8_t len, bytes[40];
} mode_cases[] = {
	{"6: header only", false, true, false, false, 4, {3, 0, 0x10, 0}},
	{"6: no header", false, false, false, false, 3, {3, 0, 0x10}},
	{"6: says it is empty",
	 false,
	 false,
	 false,
	 false,
	 8,
	 {0, 0, 0x10, 0, 8, 2, 4, 0}},
	{"6: shortest page", false, true, true, true, 7, {6, 0, 0, 0, 8, 1, 4}},
	{"6: page without its first byte",
	 false,
	 true,
	 false,
	 false,
	 6,
	 {5, 0, 0, 0, 8, 18}},
	{"6: page of no bytes", false, true, false, false, 6, {5, 0, 0, 0, 8, 0}},
	{"6: data length leaves the page out",
	 false,
	 true,
	 false,
	 false,
	 8,
	 {3, 0, 0, 0, 8, 2, 4, 0}},
	{"6: data length larger than what came",
	 false,
	 true,
	 true,
	 true,
	 8,
	 {255, 0, 0, 0, 8, 18, 4, 0}},
	{"6: PS bit set", false, true, true, true, 8, {7, 0, 0, 0, 0x88, 2, 4, 0}},
	{"6: behind another page",
	 false,
	 true,
	 true,
	 true,
	 12,
	 {11, 0, 0, 0, 1, 2, 0xff, 0xff, 8, 2, 4, 0}},
	{"6: behind a subpage",
	 false,
	 true,
	 true,
	 true,
	 14,
	 {13, 0, 0, 0, 0x48, 1, 0, 2, 0xff, 0xff, 8, 2, 4, 0}},
	{"6: its own subpage is not it",
	 false,
	 true,
	 false,
	 false,
	 10,
	 {9, 0, 0, 0, 0x48, 1, 0, 2, 4, 0}},
	{"6: the page before runs over",
	 false,
	 true,
	 false,
	 false,
	 12,
	 {11, 0, 0, 0, 1, 9, 0, 0, 8, 2, 4, 0}},
	{"6: block descriptors run over",
	 false,
	 true,
	 false,
	 false,
	 8,
	 {7, 0, 0, 8, 8, 2, 4}},
	{"6: block descriptor skipped",
	 false,
	 true,
	 true,
	 true,
	 16,
	 {15, 0, 0, 8, 8, 2, 0, 0, 0, 0, 0, 0, 8, 2, 4, 0}},
	{"10: header only", true, true, false, false, 8, {0, 6, 0, 0x10, 0, 0, 0, 0}},
	{"10: cut header", true, false, false, false, 7, {0, 6, 0, 0x10, 0, 0, 0}},
	{"10: long LBA descriptor", true, true, true, false, 28, {0, 26, 0, 0, 1, 0,
								  0, 16, 8, 2, 4, 4,
								  8, 2,	 4, 4, 8, 2,
								  4, 4,	 8, 2, 4, 4,
								  8, 2,	 1, 0}},
};

START_TEST(test_caching)
{
	const struct mode_case *m = &mode_cases[_i];
	uint8_t *copy = exact_copy(m->bytes, m->len);
	struct caching c;

	ck_assert_msg(caching_parse(copy, m->len, m->ten, &c) == m->parsed, "%s",
		      m->name);
	free(copy);
	if (!m->parsed)
		return;
	ck_assert_msg(c.has_page == m->has_page, "%s", m->name);
	ck_assert_msg(c.write_cache == m->write_cache, "%s", m->name);
}
END_TEST

START_TEST(test_lba_status)
{
	size_t len = hex_load("lba_status.hex", buf, sizeof(buf));
	struct lba_extent e[8];

	ck_assert_uint_eq(lba_status_parse(buf, len, 0x1000, 0x10000, e, 8), 4);
	ck_assert(e[0].lba == 0x1000 && e[0].nblocks == 64 && e[0].state == LBA_DATA);
	ck_assert(e[1].lba == 0x1040 && e[1].nblocks == 192 &&
		  e[1].state == LBA_DEALLOCATED);
	ck_assert(e[2].lba == 0x1100 && e[2].nblocks == 256 &&
		  e[2].state == LBA_ANCHORED);
	ck_assert(e[3].lba == 0x1200 && e[3].nblocks == 8 && e[3].state == LBA_DATA);
	/* The device starts earlier than asked and ends later. */
	ck_assert_uint_eq(lba_status_parse(buf, len, 0x1030, 0x20, e, 8), 2);
	ck_assert(e[0].lba == 0x1030 && e[0].nblocks == 16);
	ck_assert(e[1].lba == 0x1040 && e[1].nblocks == 16);
	/* It does not speak of what was asked. */
	ck_assert_uint_eq(lba_status_parse(buf, len, 0xfff, 8, e, 8), 0);
	ck_assert_uint_eq(lba_status_parse(buf, len, 0x1040, 8, e, 8), 0);
	/* Cut off. */
	ck_assert_uint_eq(lba_status_parse(buf, len - 1, 0x1000, 0x10000, e, 8), 3);
	ck_assert_uint_eq(lba_status_parse(buf, 23, 0x1000, 0x10000, e, 8), 0);
	ck_assert_uint_eq(lba_status_parse(buf, 7, 0x1000, 0x10000, e, 8), 0);
	ck_assert_uint_eq(lba_status_parse(buf, len, 0x1000, 0x10000, e, 2), 2);
	ck_assert_uint_eq(lba_status_parse(buf, len, 0x1000, 0x10000, e, 0), 0);
	ck_assert_uint_eq(lba_status_parse(buf, len, 0x1000, 0, e, 8), 0);
}
END_TEST

static void put_extent(unsigned i, uint64_t lba, uint32_t nblocks, uint8_t state)
{
	uint8_t *d = &buf[8 + 16 * i];
	int k;

	memset(d, 0, 16);
	for (k = 0; k < 8; k++)
		d[k] = (uint8_t)(lba >> (56 - 8 * k));
	for (k = 0; k < 4; k++)
		d[8 + k] = (uint8_t)(nblocks >> (24 - 8 * k));
	d[12] = state;
	memset(buf, 0, 8);
	buf[3] = (uint8_t)(4 + 16 * (i + 1));
}

START_TEST(test_lba_status_lies)
{
	struct lba_extent e[8];

	put_extent(0, 100, 10, 0);
	put_extent(1, 110, 10, 3); /* unknown is data too, and joined */
	put_extent(2, 120, 10, 1);
	ck_assert_uint_eq(lba_status_parse(buf, 56, 100, 100, e, 8), 2);
	ck_assert(e[0].nblocks == 20 && e[1].lba == 120);
	put_extent(2, 121, 10, 1);
	ck_assert_msg(lba_status_parse(buf, 56, 100, 100, e, 8) == 1, "gap");
	put_extent(2, 119, 10, 1);
	ck_assert_msg(lba_status_parse(buf, 56, 100, 100, e, 8) == 1, "overlap");
	put_extent(2, 120, 0, 1);
	ck_assert_msg(lba_status_parse(buf, 56, 100, 100, e, 8) == 1, "empty");
	put_extent(0, 90, 10, 1);
	ck_assert_msg(lba_status_parse(buf, 56, 100, 100, e, 8) == 0, "ends before");
	/* At the end of all LBAs nothing wraps. */
	put_extent(0, UINT64_MAX - 4, 0xffffffff, 1);
	ck_assert_uint_eq(lba_status_parse(buf, 24, UINT64_MAX - 4, 100, e, 8), 1);
	ck_assert(e[0].nblocks == 4 && e[0].state == LBA_DEALLOCATED);
	put_extent(0, 0, 0xffffffff, 15);
	ck_assert_uint_eq(lba_status_parse(buf, 24, 0xfffffffe, UINT64_MAX, e, 8), 1);
	ck_assert(e[0].nblocks == 1 && e[0].state == LBA_DATA);
}
END_TEST

static void feed(const uint8_t *p, size_t len)
{
	struct lba_extent e[4];
	struct capacity c;
	struct caching m;
	bool needs16;
	unsigned i, n;
	uint64_t at = 0x1000;

	capacity_parse10(p, len, &c, &needs16);
	if (capacity_parse16(p, len, &c))
		ck_assert(c.nblocks > 0 && c.block_bytes > 0);
	caching_parse(p, len, false, &m);
	caching_parse(p, len, true, &m);
	n = lba_status_parse(p, len, at, 0x300, e, ARRAY_SIZE(e));
	ck_assert_uint_le(n, ARRAY_SIZE(e));
	for (i = 0; i < n; i++) {
		ck_assert(e[i].lba == at && e[i].nblocks > 0);
		at += e[i].nblocks;
	}
	ck_assert_uint_le(at, 0x1300);
}

START_TEST(test_robust)
{
	static const char *const files[] = {"readcap16_thin.hex", "mode10_caching.hex",
					    "mode6_readonly.hex", "lba_status.hex"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		torment(buf, hex_load(files[i], buf, sizeof(buf)), 1000, feed);
	noise(200, 2000, feed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_capacity");
	TCase *tc = tcase_create("capacity");

	tcase_add_test(tc, test_capacity10);
	tcase_add_test(tc, test_capacity16);
	tcase_add_loop_test(tc, test_served, 0, ARRAY_SIZE(served_cases));
	tcase_add_test(tc, test_caching_fixtures);
	tcase_add_loop_test(tc, test_caching, 0, ARRAY_SIZE(mode_cases));
	tcase_add_test(tc, test_lba_status);
	tcase_add_test(tc, test_lba_status_lies);
	tcase_add_test(tc, test_robust);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
