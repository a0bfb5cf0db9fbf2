/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_scsi_inquiry.c - standard INQUIRY data and VPD pages from fixtures; short
 * pages read as "not told"; lengths that lie are cut to what is there.
 */
#include "scsi/inquiry.h"

#include "base/units.h"
#include "scsi_test.h"

static uint8_t page[1024];

START_TEST(test_standard)
{
	size_t len = hex_load("inquiry_disk.hex", page, sizeof(page));
	struct inquiry q;

	ck_assert(inquiry_parse(page, len, &q));
	ck_assert_uint_eq(q.qualifier, 0);
	ck_assert_uint_eq(q.type, PDT_DISK);
	ck_assert_uint_eq(q.version, 6);
	ck_assert_uint_eq(q.tpgs, TPGS_IMPLICIT | TPGS_EXPLICIT);
	ck_assert(!q.removable && !q.protect && q.cmdque);
	ck_assert_str_eq(q.vendor, "ACME");
	ck_assert_str_eq(q.product, "FlashArray");
	ck_assert_str_eq(q.revision, "8800");

	len = hex_load("inquiry_cdrom.hex", page, sizeof(page));
	ck_assert(inquiry_parse(page, len, &q));
	ck_assert_uint_eq(q.type, PDT_CDROM);
	ck_assert(q.removable && q.tpgs == 0);
	ck_assert_str_eq(q.product, "QEMU CD-ROM");
	ck_assert_str_eq(q.revision, "2.5+");
}
END_TEST

START_TEST(test_standard_short)
{
	size_t len = hex_load("inquiry_disk.hex", page, sizeof(page));
	struct inquiry q = {.type = 0x5a};

	ck_assert_uint_ge(len, 36);
	ck_assert(!inquiry_parse(page, 4, &q));
	ck_assert_uint_eq(q.type, 0x5a);
	ck_assert(inquiry_parse(page, 5, &q));
	ck_assert(q.tpgs == 0 && !q.cmdque && !q.vendor[0]);
	ck_assert(inquiry_parse(page, 18, &q));
	ck_assert_str_eq(q.vendor, "ACME");
	ck_assert_str_eq(q.product, "Fl");
	/* The additional length says that only 12 bytes are meant. */
	page[4] = 7;
	ck_assert(inquiry_parse(page, len, &q));
	ck_assert_str_eq(q.vendor, "ACME");
	ck_assert_str_eq(q.product, "");
	/* "LU not connected", as arrays answer for a LUN without a LU. */
	page[0] = 0x7f;
	ck_assert(inquiry_parse(page, len, &q));
	ck_assert(q.qualifier == 3 && q.type == PDT_NONE);
}
END_TEST

START_TEST(test_standard_text)
{
	size_t len = hex_load("inquiry_disk.hex", page, sizeof(page));
	struct inquiry q;

	memcpy(&page[8], "A\x01\xff\x1b[1m ", 8);
	memcpy(&page[16], "zero\0hidden text", 16);
	ck_assert(inquiry_parse(page, len, &q));
	ck_assert_str_eq(q.vendor, "A???[1m");
	ck_assert_str_eq(q.product, "zero");
}
END_TEST

START_TEST(test_supported)
{
	size_t len = hex_load("vpd00_disk.hex", page, sizeof(page));

	ck_assert(vpd_lists(page, len, VPD_DEVICE_ID));
	ck_assert(vpd_lists(page, len, VPD_PROVISIONING));
	ck_assert(!vpd_lists(page, len, 0xb3));
	ck_assert(!vpd_lists(page, len - 1, VPD_PROVISIONING));
	ck_assert(!vpd_lists(page, 4, VPD_SUPPORTED));
	page[3] = 2;
	ck_assert(!vpd_lists(page, len, VPD_DEVICE_ID));
	/* Standard INQUIRY data in place of the page. */
	len = hex_load("inquiry_disk.hex", page, sizeof(page));
	ck_assert(!vpd_lists(page, len, VPD_SUPPORTED));
	len = hex_load("inquiry_cdrom.hex", page, sizeof(page));
	ck_assert(!vpd_serial(page, len, (char *)&page[512], 512));
}
END_TEST

static const struct serial_case {
	const char *name, *want; /* NULL: none */
	uint8_t len, bytes[24];
} serial_cases[] = {
	{"plain", "abc", 3, "abc"},
	{"padded", "a b", 7, "  a b  "},
	{"NULs", "abc", 6, "abc\0\0\0"},
	{"blank", NULL, 4, "    "},
	{"empty", NULL, 0, ""},
	{"all NUL", NULL, 4, "\0\0\0\0"},
	{"not printable", "a\\x01\\xff\\x5cz", 5, "a\x01\xff\\z"},
	{"as long as there is room", "0123456789abcdef0", 17, "0123456789abcdef0"},
	{"too long", NULL, 18, "0123456789abcdef01"},
};

START_TEST(test_serial)
{
	const struct serial_case *c = &serial_cases[_i];
	uint8_t buf[64] = {0, 0x80, 0, c->len};
	char serial[18];
	bool valid;

	memcpy(&buf[4], c->bytes, c->len);
	valid = vpd_serial(buf, 4 + (size_t)c->len, serial, sizeof(serial));
	ck_assert_msg(valid == !!c->want, "%s", c->name);
	if (c->want)
		ck_assert_str_eq(serial, c->want);
}
END_TEST

START_TEST(test_serial_page)
{
	size_t len = hex_load("vpd80_disk.hex", page, sizeof(page));
	char serial[32];

	ck_assert(vpd_serial(page, len, serial, sizeof(serial)));
	ck_assert_str_eq(serial, "S3Y9 0042");
	ck_assert(vpd_serial(page, 8, serial, sizeof(serial)));
	ck_assert_str_eq(serial, "S3");
	page[3] = 0xff; /* more than came */
	ck_assert(vpd_serial(page, len, serial, sizeof(serial)));
	ck_assert_str_eq(serial, "S3Y9 0042");
	page[1] = 0x83;
	ck_assert(!vpd_serial(page, len, serial, sizeof(serial)));
}
END_TEST

START_TEST(test_designators)
{
	static const struct designator want[] = {
		{DESIG_T10, ASSOC_LU, CODE_SET_ASCII, 24},
		{DESIG_NAA, ASSOC_LU, CODE_SET_BINARY, 16},
		{DESIG_NAA, ASSOC_PORT, CODE_SET_BINARY, 8},
		{DESIG_REL_PORT, ASSOC_PORT, CODE_SET_BINARY, 4},
		{DESIG_PORT_GROUP, ASSOC_PORT, CODE_SET_BINARY, 4},
	};
	size_t at = 0, i, len = hex_load("vpd83_array.hex", page, sizeof(page));
	struct designator d;
	struct port_id port;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ck_assert(vpd_next_designator(page, len, &at, &d));
		ck_assert(d.type == want[i].type && d.assoc == want[i].assoc);
		ck_assert(d.code_set == want[i].code_set && d.len == want[i].len);
	}
	ck_assert(!vpd_next_designator(page, len, &at, &d));
	ck_assert(vpd_port_id(page, len, &port));
	ck_assert(port.has_group && port.group == 0x1001);
	ck_assert(port.has_rel_port && port.rel_port == 3);

	len = hex_load("vpd83_scsi_debug.hex", page, sizeof(page));
	ck_assert(vpd_port_id(page, len, &port));
	ck_assert(port.group == 0x100 && port.rel_port == 1);
	/* The last byte is missing: all but the last designator. */
	for (at = 0, i = 0; vpd_next_designator(page, len - 1, &at, &d);)
		i++;
	ck_assert_uint_eq(i, 6);
	/* The LU's own designators say nothing of ports. */
	ck_assert(!vpd_port_id(page, 4 + 32 + 12, &port));
}
END_TEST

START_TEST(test_limits)
{
	size_t len = hex_load("vpdb0_disk.hex", page, sizeof(page));
	struct block_limits b;

	ck_assert(vpd_block_limits(page, len, &b));
	ck_assert(b.wsnz && b.granularity_blocks == 8);
	ck_assert(b.max_xfer_blocks == 8192 && b.opt_xfer_blocks == 1024);
	ck_assert(b.max_unmap_blocks == 65536 && b.max_unmap_ranges == 128);
	ck_assert(b.unmap_granularity_blocks == 16 && b.has_unmap_alignment);
	ck_assert_uint_eq(b.unmap_alignment_blocks, 4);
	ck_assert_uint_eq(b.max_write_same_blocks, 0x20000);
	/* SBC-2: the page ended after the optimal transfer length. */
	page[3] = 12;
	ck_assert(vpd_block_limits(page, len, &b));
	ck_assert(b.max_xfer_blocks == 8192 && b.opt_xfer_blocks == 1024);
	ck_assert(b.max_unmap_blocks == 0 && !b.has_unmap_alignment);
	ck_assert_uint_eq(b.max_write_same_blocks, 0);
	/* Half a field is no field. */
	ck_assert(vpd_block_limits(page, 11, &b));
	ck_assert_uint_eq(b.max_xfer_blocks, 0);
	ck_assert(!vpd_block_limits(page, 3, &b));
}
END_TEST

START_TEST(test_chars_provisioning)
{
	size_t len = hex_load("vpdb1_ssd.hex", page, sizeof(page));
	struct block_chars c;
	struct provisioning p;

	ck_assert(vpd_block_chars(page, len, &c));
	ck_assert(c.rotation_rpm == 1 && c.zoned == 0);
	page[4] = 0x1c;
	page[5] = 0x20;
	page[8] = 0x10;
	ck_assert(vpd_block_chars(page, len, &c));
	ck_assert(c.rotation_rpm == 7200 && c.zoned == 1);
	ck_assert(vpd_block_chars(page, 5, &c));
	ck_assert(c.rotation_rpm == 0 && c.zoned == 0);
	ck_assert(!vpd_provisioning(page, len, &p));

	len = hex_load("vpdb2_thin.hex", page, sizeof(page));
	ck_assert(vpd_provisioning(page, len, &p));
	ck_assert(p.unmap && p.write_same16 && p.write_same10 && p.anchor &&
		  p.read_zeroes);
	ck_assert(p.type == 2 && p.threshold_exponent == 11);
	page[5] = 0x40;
	ck_assert(vpd_provisioning(page, len, &p));
	ck_assert(!p.unmap && p.write_same16 && !p.write_same10 && !p.anchor &&
		  !p.read_zeroes);
}
END_TEST

static void feed(const uint8_t *buf, size_t len)
{
	struct designator d;
	struct port_id port;
	struct inquiry q;
	struct block_limits b;
	struct block_chars c;
	struct provisioning p;
	char serial[64];
	size_t at = 0;

	if (inquiry_parse(buf, len, &q))
		ck_assert_uint_le(strlen(q.product), 16);
	vpd_lists(buf, len, 0x83);
	vpd_serial(buf, len, serial, sizeof(serial));
	while (vpd_next_designator(buf, len, &at, &d))
		ck_assert(d.id >= buf + 8 && d.id + d.len <= buf + len);
	vpd_port_id(buf, len, &port);
	vpd_block_limits(buf, len, &b);
	vpd_block_chars(buf, len, &c);
	vpd_provisioning(buf, len, &p);
}

/* Noise that starts like one of the pages. */
static void feed_pages(const uint8_t *buf, size_t len)
{
	static const uint8_t pages[] = {0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2};
	uint8_t *copy = exact_copy(buf, len);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pages) && len > 2; i++) {
		copy[1] = pages[i];
		copy[2] = 0;
		feed(copy, len);
	}
	free(copy);
}

START_TEST(test_robust)
{
	static const char *const files[] = {
		"inquiry_disk.hex", "inquiry_cdrom.hex", "vpd00_disk.hex",
		"vpd80_disk.hex",   "vpd83_array.hex",	 "vpdb0_disk.hex",
		"vpdb1_ssd.hex",    "vpdb2_thin.hex",	 "vpd83_scsi_debug.hex",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		torment(page, hex_load(files[i], page, sizeof(page)), 300, feed);
	noise(300, 1000, feed_pages);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_inquiry");
	TCase *tc = tcase_create("inquiry");

	tcase_add_test(tc, test_standard);
	tcase_add_test(tc, test_standard_short);
	tcase_add_test(tc, test_standard_text);
	tcase_add_test(tc, test_supported);
	tcase_add_loop_test(tc, test_serial, 0, ARRAY_SIZE(serial_cases));
	tcase_add_test(tc, test_serial_page);
	tcase_add_test(tc, test_designators);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_chars_provisioning);
	tcase_add_test(tc, test_robust);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
