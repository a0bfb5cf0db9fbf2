/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_scsi_sense.c - both formats, current and deferred, read alike; every length
 * at which a field begins to be there; no byte read beyond the valid ones.
 */
#include "scsi/sense.h"

#include "base/units.h"
#include "scsi_test.h"

#define B(...) .len = sizeof((uint8_t[]){__VA_ARGS__}), .buf = {__VA_ARGS__}

static const struct sense_case {
	const char *name;
	bool valid;
	struct sense want;
	size_t len;
	uint8_t buf[64];
} cases[] = {
	{"fixed, current",
	 true,
	 {3, 0x11, 0, false, false, 0},
	 B(0x70, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0)},
	{"fixed, current, information",
	 true,
	 {3, 0x11, 4, false, true, 0x12345678},
	 B(0xf0, 0, 3, 0x12, 0x34, 0x56, 0x78, 10, 0, 0, 0, 0, 0x11, 4, 0, 0, 0, 0)},
	{"fixed, information not valid",
	 true,
	 {3, 0x11, 0, false, false, 0},
	 B(0x70, 0, 3, 1, 2, 3, 4, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0)},
	{"fixed, deferred",
	 true,
	 {3, 0x0c, 0, true, true, 7},
	 B(0xf1, 0, 3, 0, 0, 0, 7, 10, 0, 0, 0, 0, 0x0c, 0, 0, 0, 0, 0)},
	{"fixed, filemark bits are not the key",
	 true,
	 {6, 0x29, 2, false, false, 0},
	 B(0x70, 0, 0xe6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 2, 0, 0, 0, 0)},
	{"fixed, just 8",
	 true,
	 {5, 0, 0, false, false, 0},
	 B(0x70, 0, 5, 0, 0, 0, 0, 10)},
	{"fixed, 7 are too few", false, {0}, B(0x70, 0, 5, 0, 0, 0, 0)},
	{"fixed, 13 have no ASC",
	 true,
	 {5, 0, 0, false, false, 0},
	 B(0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20)},
	{"fixed, 14 have",
	 true,
	 {5, 0x20, 1, false, false, 0},
	 B(0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 1)},
	{"fixed, says less than came",
	 true,
	 {5, 0, 0, false, false, 0},
	 B(0x70, 0, 5, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0x20, 1, 0, 0, 0, 0)},
	{"fixed, says more than came",
	 true,
	 {5, 0x20, 1, false, false, 0},
	 B(0x70, 0, 5, 0, 0, 0, 0, 244, 0, 0, 0, 0, 0x20, 1)},
	{"fixed, all zero but the code",
	 true,
	 {0, 0, 0, false, false, 0},
	 B(0x70, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
	{"descriptor, current",
	 true,
	 {6, 0x29, 1, false, false, 0},
	 B(0x72, 6, 0x29, 1, 0, 0, 0, 0)},
	{"descriptor, reserved bits",
	 true,
	 {6, 0x29, 1, false, false, 0},
	 B(0xf2, 0xf6, 0x29, 1, 0, 0, 0, 0)},
	{"descriptor, deferred",
	 true,
	 {4, 0x44, 0, true, false, 0},
	 B(0x73, 4, 0x44, 0, 0, 0, 0, 0)},
	{"descriptor, just 4",
	 true,
	 {6, 0x29, 1, false, false, 0},
	 B(0x72, 6, 0x29, 1)},
	{"descriptor, 3 are too few", false, {0}, B(0x72, 6, 0x29)},
	{"descriptor, information",
	 true,
	 {3, 0x11, 0, false, true, 0x0102030405060708},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 12, 0, 0x0a, 0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"descriptor, information not valid",
	 true,
	 {3, 0x11, 0, false, false, 0},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 12, 0, 0x0a, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"descriptor, information behind another",
	 true,
	 {3, 0x11, 0, false, true, 9},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 20, 2, 6, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x80, 0, 0,
	   0, 0, 0, 0, 0, 0, 9)},
	{"descriptor, information of the wrong length",
	 true,
	 {3, 0x11, 0, false, false, 0},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 11, 0, 9, 0x80, 0, 1, 2, 3, 4, 5, 6, 7)},
	{"descriptor, information cut off",
	 true,
	 {3, 0x11, 0, false, false, 0},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 12, 0, 0x0a, 0x80, 0, 1, 2, 3, 4, 5, 6, 7)},
	{"descriptor, additional length leaves it out",
	 true,
	 {3, 0x11, 0, false, false, 0},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 11, 0, 0x0a, 0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8)},
	{"descriptor, an overrun hides what follows",
	 true,
	 {3, 0x11, 0, false, false, 0},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 16, 2, 200, 0, 0, 0, 0x0a, 0x80, 0, 1, 2, 3, 4, 5,
	   6, 7, 8)},
	{"descriptor, empty ones are stepped over",
	 true,
	 {3, 0x11, 0, false, true, 1},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 16, 5, 0, 5, 0, 0, 0x0a, 0x80, 0, 0, 0, 0, 0, 0,
	   0, 0, 1)},
	{"descriptor, half a header at the end",
	 true,
	 {3, 0x11, 0, false, false, 0},
	 B(0x72, 3, 0x11, 0, 0, 0, 0, 1, 0)},
	{"vendor format",
	 false,
	 {0},
	 B(0x7f, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x11, 0)},
	{"all zero",
	 false,
	 {0},
	 B(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
	{"code 74", false, {0}, B(0x74, 3, 0x11, 0, 0, 0, 0, 0)},
};

START_TEST(test_case)
{
	const struct sense_case *c = &cases[_i];
	uint8_t *buf = exact_copy(c->buf, c->len);
	struct sense s;

	memset(&s, 0x5a, sizeof(s));
	ck_assert_msg(sense_parse(buf, c->len, &s) == c->valid, "%s", c->name);
	free(buf);
	if (!c->valid) {
		ck_assert_msg(s.key == 0x5a, "%s: result touched", c->name);
		return;
	}
	ck_assert_msg(s.key == c->want.key && s.asc == c->want.asc &&
			      s.ascq == c->want.ascq,
		      "%s: %x/%02x/%02x", c->name, s.key, s.asc, s.ascq);
	ck_assert_msg(s.deferred == c->want.deferred, "%s: deferred", c->name);
	ck_assert_msg(s.has_info == c->want.has_info && s.info_lba == c->want.info_lba,
		      "%s: information", c->name);
}
END_TEST

START_TEST(test_empty)
{
	struct sense s;

	ck_assert(!sense_parse(NULL, 0, &s));
}
END_TEST

START_TEST(test_descriptor_bound)
{
	uint8_t buf[8 + 2 * 32 + 12] = {0x72, 3, 0x11, 0, 0, 0, 0, 2 * 32 + 12};
	struct sense s;
	unsigned i;

	for (i = 0; i < 32; i++)
		buf[8 + 2 * i] = 5;
	buf[8 + 64 + 1] = 0x0a;
	buf[8 + 64 + 2] = 0x80;
	ck_assert(sense_parse(buf, sizeof(buf), &s));
	ck_assert_msg(!s.has_info, "the 33rd descriptor was read");
	/* One fewer before it, and it is the 32nd. */
	memmove(&buf[8], &buf[10], sizeof(buf) - 10);
	ck_assert(sense_parse(buf, sizeof(buf) - 2, &s));
	ck_assert(s.has_info);
}
END_TEST

static void feed(const uint8_t *buf, size_t len)
{
	struct sense s;

	if (sense_parse(buf, len, &s)) {
		ck_assert_uint_le(s.key, 15);
		ck_assert_uint_ge(len, 4);
	}
}

START_TEST(test_robust)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		torment(cases[i].buf, cases[i].len, 500, feed);
	noise(SENSE_BYTES_MAX, 5000, feed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_sense");
	TCase *tc = tcase_create("sense");

	tcase_add_loop_test(tc, test_case, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, test_empty);
	tcase_add_test(tc, test_descriptor_bound);
	tcase_add_test(tc, test_robust);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
