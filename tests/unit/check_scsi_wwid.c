/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_scsi_wwid.c - WWIDs as multipath prints them, which designator makes them,
 * which written forms name them, and when two identities are the same.
 */
#include "scsi/wwid.h"

#include "base/units.h"
#include "scsi/inquiry.h"
#include "scsi_test.h"

/* Building page 83h. */
struct page {
	uint8_t buf[4096];
	size_t len;
};

static void begin(struct page *p)
{
	memset(p, 0, sizeof(*p));
	p->buf[1] = 0x83;
	p->len = 4;
}

static void add(struct page *p, unsigned assoc, unsigned type, unsigned code_set,
		const void *id, size_t len)
{
	uint8_t *d = &p->buf[p->len];

	ck_assert_uint_le(len, 255);
	d[0] = (uint8_t)code_set;
	d[1] = (uint8_t)(assoc << 4 | type);
	d[3] = (uint8_t)len;
	memcpy(d + 4, id, len);
	p->len += 4 + len;
	p->buf[2] = (uint8_t)((p->len - 4) >> 8);
	p->buf[3] = (uint8_t)(p->len - 4);
}

static const uint8_t naa6[] = {0x60, 0x01, 0x40, 0x5a, 0xbc, 0xde, 0xf0, 0x12,
			       0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12};
static const uint8_t naa5[] = {0x50, 0x00, 0xc5, 0x00, 0x1a, 0x2b, 0x3c, 0x4d};
static const uint8_t naa2[] = {0x20, 0x04, 0x00, 0xa0, 0xb8, 0x11, 0x22, 0x33};
static const uint8_t naa3[] = {0x33, 0x33, 0x33, 0x30, 0x00, 0x00, 0x07, 0xd0};
static const uint8_t eui[] = {0x00, 0x25, 0x38, 0x5a, 0xb1, 0x00, 0x00, 0x01};
static const char iqn[] = "iqn.2003-01.org.example:lun.7\0";
static const char t10[] = "ACME    Disk  0042   ";

static void add_all(struct page *p, unsigned best)
{
	/* From the worst to the best, so that order cannot decide. */
	begin(p);
	add(p, 1, DESIG_NAA, 1, naa6, 16);
	add(p, 0, DESIG_VENDOR, 2, "vendor thing", 12);
	add(p, 0, DESIG_NAA, 1, naa3, 8);
	if (best >= 1)
		add(p, 0, DESIG_T10, 2, t10, sizeof(t10) - 1);
	if (best >= 2)
		add(p, 0, DESIG_NAME, 3, iqn, sizeof(iqn));
	if (best >= 3)
		add(p, 0, DESIG_EUI64, 1, eui, 8);
	if (best >= 4)
		add(p, 0, DESIG_NAA, 1, naa2, 8);
	if (best >= 5)
		add(p, 0, DESIG_NAA, 1, naa5, 8);
	if (best >= 6)
		add(p, 0, DESIG_NAA, 1, naa6, 16);
}

START_TEST(test_priority)
{
	static const char *const want[] = {
		"333333330000007d0",
		"1ACME_Disk_0042",
		"82003-01.org.example:lun.7",
		"20025385ab1000001",
		"3200400a0b8112233",
		"35000c5001a2b3c4d",
		"36001405abcdef0123456789abcdef012",
	};
	static const char *const udev[] = {
		"",
		"333333330000007d0",
		"333333330000007d0",
		"333333330000007d0",
		"333333330000007d0",
		"",
		"",
	};
	struct ident id;
	struct page p;

	add_all(&p, (unsigned)_i);
	ck_assert(ident_from_vpd83(p.buf, p.len, &id));
	ck_assert_str_eq(id.wwid, want[_i]);
	ck_assert_str_eq(id.udev_wwid, udev[_i]);
	ck_assert(wwid_matches(want[_i], &id));
	ck_assert(!udev[_i][0] || wwid_matches(udev[_i], &id));
}
END_TEST

/* One designator and what becomes of it. */
static const struct one_case {
	const char *name, *want; /* NULL: no WWID */
	unsigned assoc, type, len;
	const void *id;
} one_cases[] = {
	{"NAA 6 of 8 bytes", NULL, 0, DESIG_NAA, 8, naa6},
	{"NAA 5 of 16 bytes", NULL, 0, DESIG_NAA, 16,
	 "\x50\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf"},
	{"NAA 7", NULL, 0, DESIG_NAA, 8, "\x70\1\2\3\4\5\6\7"},
	{"NAA all zero", NULL, 0, DESIG_NAA, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"NAA 6 and zeroes", NULL, 0, DESIG_NAA, 16,
	 "\x60\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"NAA all ones", NULL, 0, DESIG_NAA, 8, "\xff\xff\xff\xff\xff\xff\xff\xff"},
	{"NAA of no bytes", NULL, 0, DESIG_NAA, 0, ""},
	{"NAA of the port", NULL, 1, DESIG_NAA, 16, naa6},
	{"NAA of the target", NULL, 2, DESIG_NAA, 16, naa6},
	{"NAA, reserved association", NULL, 3, DESIG_NAA, 16, naa6},
	{"EUI-64, zero", NULL, 0, DESIG_EUI64, 8, "\0\0\0\0\0\0\0\0"},
	{"EUI-64 of 12", "20025385ab100000102030405", 0, DESIG_EUI64, 12,
	 "\x00\x25\x38\x5a\xb1\x00\x00\x01\x02\x03\x04\x05"},
	{"EUI-64 of 16", "2000102030405060708090a0b0c0d0e0f", 0, DESIG_EUI64, 16,
	 "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"},
	{"EUI-64 of 9", NULL, 0, DESIG_EUI64, 9, "\1\2\3\4\5\6\7\x8\x9"},
	{"name naa.", "36001405abcdef012", 0, DESIG_NAME, 24,
	 "naa.6001405ABCDEF012\0\0\0\0"},
	{"name eui.", "20025385ab1000001", 0, DESIG_NAME, 20, "eui.0025385AB1000001"},
	{"name iqn. keeps its case", "82003-01.org.Example:Lun", 0, DESIG_NAME, 28,
	 "iqn.2003-01.org.Example:Lun\0"},
	{"name of nothing", NULL, 0, DESIG_NAME, 4, "iqn."},
	{"name of NULs", NULL, 0, DESIG_NAME, 8, "naa.\0\0\0\0"},
	{"name naa. of no hex digits", NULL, 0, DESIG_NAME, 12, "naa.60:01405"},
	{"name eui. with more behind the NUL", NULL, 0, DESIG_NAME, 12,
	 "eui.0025\0\1\0"},
	{"name of another kind", NULL, 0, DESIG_NAME, 8, "xyz.1234"},
	{"T10, runs of spaces", "1ACME_Disk_0042", 0, DESIG_T10, 21, t10},
	{"T10, full vendor field", "1ACMECORPDisk", 0, DESIG_T10, 12, "ACMECORPDisk"},
	{"T10, vendor only", NULL, 0, DESIG_T10, 8, "ACME    "},
	{"T10, vendor and blanks", NULL, 0, DESIG_T10, 12, "ACME    \0\0  "},
	{"T10, short", NULL, 0, DESIG_T10, 4, "ACME"},
	{"T10, leading space as multipath", "1_ACME_Disk", 0, DESIG_T10, 12,
	 " ACME   Disk"},
	{"T10, bytes that do not print", "1ACME_\\x01\\xe9", 0, DESIG_T10, 10,
	 "ACME    \x01\xe9"},
	{"T10, trailing NULs", "1ACME_Disk", 0, DESIG_T10, 14, "ACME    Disk\0\0"},
	{"vendor specific", NULL, 0, DESIG_VENDOR, 8, "abcdefgh"},
	{"MD5", NULL, 0, DESIG_MD5, 16, naa6},
	{"reserved type", NULL, 0, 0xd, 16, naa6},
};

START_TEST(test_one)
{
	const struct one_case *c = &one_cases[_i];
	struct ident id;
	struct page p;
	bool found;

	begin(&p);
	add(&p, c->assoc, c->type, 1, c->id, c->len);
	found = ident_from_vpd83(p.buf, p.len, &id);
	ck_assert_msg(found == !!c->want, "%s: %s", c->name, id.wwid);
	if (c->want)
		ck_assert_msg(!strcmp(id.wwid, c->want), "%s: %s", c->name, id.wwid);
	else
		ck_assert_msg(!id.wwid[0] && !id.udev_wwid[0], "%s", c->name);
	if (c->assoc != ASSOC_LU)
		ck_assert_msg(!id.names[0], "%s: %s", c->name, id.names);
}
END_TEST

START_TEST(test_fixtures)
{
	uint8_t buf[512];
	struct ident id;
	size_t len = hex_load("vpd83_array.hex", buf, sizeof(buf));

	ck_assert(ident_from_vpd83(buf, len, &id));
	ck_assert_str_eq(id.wwid, "3600a0980383030486b422b5230536433");
	ck_assert_str_eq(id.udev_wwid, "");
	ck_assert_str_eq(id.names, "t10.ACME\\x20\\x20\\x20\\x20LUN\\x2080HkB+R0Sd3k "
				   "naa.600a0980383030486b422b5230536433");
	len = hex_load("vpd83_scsi_debug.hex", buf, sizeof(buf));
	ck_assert(ident_from_vpd83(buf, len, &id));
	ck_assert_str_eq(id.wwid, "1Linux_scsi_debug_2000");
	ck_assert_str_eq(id.udev_wwid, "333333330000007d0");
	ck_assert(wwid_matches("33333330000007d0", &id));
	ck_assert(wwid_matches("1Linux   scsi_debug      2000", &id));
}
END_TEST

static const struct match_case {
	const char *wwid, *configured;
	bool match;
} match_cases[] = {
	{"36001405abcdef012", "36001405abcdef012", true},
	{"36001405abcdef012", "6001405abcdef012", true},
	{"36001405abcdef012", "36001405ABCDEF012", true},
	{"36001405abcdef012", "naa.6001405abcdef012", true},
	{"36001405abcdef012", "NAA.6001405ABCDEF012", true},
	{"36001405abcdef012", "0x6001405abcdef012", true},
	{"36001405abcdef012", "0X6001405ABCDEF012", true},
	{"36001405abcdef012", "wwn-0x6001405abcdef012", true},
	{"36001405abcdef012", "scsi-36001405abcdef012", true},
	{"36001405abcdef012", "6001-405a-bcde-f012", true},
	{"36001405abcdef012", "60:01:40:5a:bc:de:f0:12", true},
	{"36001405abcdef012", " 36001405abcdef012", true},
	{"36001405abcdef012", "36001405abcdef013", false},
	{"36001405abcdef012", "36001405abcdef01", false},
	{"36001405abcdef012", "36001405abcdef0122", false},
	{"36001405abcdef012", "336001405abcdef012", false},
	{"36001405abcdef012", "26001405abcdef012", false},
	{"36001405abcdef012", "eui.6001405abcdef012", false},
	{"36001405abcdef012", "naa.36001405abcdef012", false},
	{"36001405abcdef012", "", false},
	{"36001405abcdef012", "   ", false},
	{"36001405abcdef012", "3", false},
	{"36001405abcdef012", "0x", false},
	{"36001405abcdef012", "----", false},
	{"20025385ab1000001", "20025385ab1000001", true},
	{"20025385ab1000001", "0025385ab1000001", true},
	{"20025385ab1000001", "eui.0025385AB1000001", true},
	{"20025385ab1000001", "0x0025385ab1000001", true},
	{"20025385ab1000001", "00-25-38-5a-b1-00-00-01", true},
	{"20025385ab1000001", "naa.0025385ab1000001", false},
	{"20025385ab1000001", "30025385ab1000001", false},
	{"82003-01.org.example:lun", "82003-01.org.example:lun", true},
	{"82003-01.org.example:lun", "iqn.2003-01.org.example:lun", true},
	{"82003-01.org.example:lun", "8iqn.2003-01.org.Example:LUN", true},
	{"82003-01.org.example:lun", "iqn.2003-01.org.example:lun2", false},
	{"82003-01.org.example:lun", "2003-01.org.example:lun", false},
	{"8iqn.2003-01", "8iqn.2003-01", true},
	{"1ACME_Disk_0042", "1ACME_Disk_0042", true},
	{"1ACME_Disk_0042", "1ACME    Disk  0042  ", true},
	{"1ACME_Disk_0042", "t10.ACME    Disk 0042", true},
	{"1ACME_Disk_0042", "t10.ACME_Disk_0042", true},
	{"1ACME_Disk_0042", "scsi-1ACME_Disk_0042", true},
	{"1ACME_Disk_0042", "ACME_Disk_0042", false},
	{"1ACME_Disk_0042", "1ACME_Disk_004", false},
	{"1ACME_Disk_0042", "1ACME_Disk_00421", false},
	{"1ACME_Disk_0042", "1acme_disk_0042", false},
	{"SQEMU_QEMU_HARDDISK_7", "SQEMU_QEMU_HARDDISK_7", true},
	{"SQEMU_QEMU_HARDDISK_7", "SQEMU    QEMU HARDDISK   7", true},
	{"SQEMU_QEMU_HARDDISK_7", "SQEMU_QEMU_HARDDISK_8", false},
	{"", "", false},
	{"", "3", false},
};

START_TEST(test_match)
{
	const struct match_case *c = &match_cases[_i];
	struct ident id = {0};

	strcpy(id.wwid, c->wwid);
	ck_assert_msg(wwid_matches(c->configured, &id) == c->match, "%s against %s",
		      c->configured, c->wwid);
	memset(&id, 0, sizeof(id));
	strcpy(id.udev_wwid, c->wwid);
	ck_assert_msg(wwid_matches(c->configured, &id) == c->match,
		      "udev's: %s against %s", c->configured, c->wwid);
}
END_TEST

START_TEST(test_order_is_nothing)
{
	struct ident a, b;
	struct page p;

	begin(&p);
	add(&p, 0, DESIG_NAA, 1, naa6, 16);
	add(&p, 0, DESIG_T10, 2, t10, sizeof(t10) - 1);
	add(&p, 1, DESIG_NAA, 1, naa5, 8);
	ck_assert(ident_from_vpd83(p.buf, p.len, &a));
	begin(&p);
	add(&p, 1, DESIG_NAA, 1, naa2, 8); /* the other port */
	add(&p, 0, DESIG_T10, 2, t10, sizeof(t10) - 1);
	add(&p, 0, DESIG_NAA, 1, naa6, 16);
	add(&p, 0, DESIG_NAA, 1, naa6, 16); /* said twice */
	ck_assert(ident_from_vpd83(p.buf, p.len, &b));
	ck_assert_str_eq(a.names, b.names);
	ck_assert(ident_equal(&a, &b));
}
END_TEST

START_TEST(test_equal)
{
	struct ident a, b, none = {0};
	struct page p;

	begin(&p);
	add(&p, 0, DESIG_NAA, 1, naa6, 16);
	ck_assert(ident_from_vpd83(p.buf, p.len, &a));
	add(&p, 0, DESIG_EUI64, 1, eui, 8);
	ck_assert(ident_from_vpd83(p.buf, p.len, &b));
	ck_assert_msg(!ident_equal(&a, &b), "one designator more");
	b = a;
	ck_assert(ident_equal(&a, &b));
	strcpy(a.serial, "1");
	ck_assert_msg(ident_equal(&a, &b), "serial known on one side");
	strcpy(b.serial, "2");
	ck_assert_msg(!ident_equal(&a, &b), "serials differ");
	ck_assert_msg(!ident_equal(&none, &none), "nothing is equal to nothing");
	/* The same bytes as another type, and a longer one with the same start. */
	begin(&p);
	add(&p, 0, DESIG_MD5, 1, naa6, 16);
	ck_assert(!ident_from_vpd83(p.buf, p.len, &b));
	ck_assert(b.names[0] && !ident_equal(&a, &b));
	begin(&p);
	add(&p, 0, DESIG_T10, 2, "ACME    x", 9);
	ck_assert(ident_from_vpd83(p.buf, p.len, &a));
	begin(&p);
	add(&p, 0, DESIG_T10, 2, "ACME    x\0y", 11);
	ck_assert(ident_from_vpd83(p.buf, p.len, &b));
	ck_assert_str_eq(a.wwid, b.wwid); /* multipath stops at the NUL */
	ck_assert(!ident_equal(&a, &b));
}
END_TEST

START_TEST(test_many)
{
	struct ident a, b;
	struct page p;
	int i;

	begin(&p);
	for (i = 0; i < 40; i++) {
		uint8_t id[8] = {0x50, 1, 1, 1, 1, 1, 1, (uint8_t)i};

		add(&p, 0, DESIG_NAA, 1, id, 8);
	}
	ck_assert(ident_from_vpd83(p.buf, p.len, &a));
	ck_assert(a.truncated);
	begin(&p);
	for (i = 39; i >= 0; i--) {
		uint8_t id[8] = {0x50, 1, 1, 1, 1, 1, 1, (uint8_t)i};

		add(&p, 0, DESIG_NAA, 1, id, 8);
	}
	ck_assert(ident_from_vpd83(p.buf, p.len, &b));
	ck_assert_str_eq(a.names, b.names);
	/* Names that are too long for the room: whole ones only. */
	begin(&p);
	for (i = 0; i < 10; i++) {
		uint8_t id[200];

		memset(id, 'a' + i, sizeof(id));
		add(&p, 0, DESIG_T10, 2, id, sizeof(id));
	}
	ck_assert(ident_from_vpd83(p.buf, p.len, &a));
	ck_assert(a.truncated);
	ck_assert_uint_eq(strlen(a.names) % 205,
			  204); /* "t10.", 200 bytes, a space between */
	ck_assert_uint_gt(strlen(a.names) + 205, IDENT_BYTES_MAX - 1);
}
END_TEST

START_TEST(test_too_long)
{
	uint8_t id[255];
	struct ident a;
	struct page p;

	begin(&p);
	memset(id, 'x', sizeof(id));
	add(&p, 0, DESIG_T10, 2, id, 254);
	ck_assert(ident_from_vpd83(p.buf, p.len, &a));
	ck_assert_uint_eq(strlen(a.wwid), 255);
	begin(&p);
	add(&p, 0, DESIG_T10, 2, id, 255);
	ck_assert_msg(!ident_from_vpd83(p.buf, p.len, &a), "a WWID was cut");
	ck_assert_str_eq(a.wwid, "");
}
END_TEST

START_TEST(test_serial)
{
	struct inquiry inq = {.vendor = "QEMU", .product = "QEMU HARDDISK"};
	uint8_t buf[64];
	size_t len = hex_load("vpd80_disk.hex", buf, sizeof(buf));
	struct ident id = {0};

	ck_assert(!ident_wwid_from_serial(&id, &inq));
	ck_assert(ident_add_serial(&id, buf, len));
	ck_assert_str_eq(id.serial, "S3Y9 0042");
	ck_assert(ident_wwid_from_serial(&id, &inq));
	ck_assert_str_eq(id.wwid, "SQEMU_QEMU_HARDDISK_S3Y9_0042");
	ck_assert_msg(!ident_wwid_from_serial(&id, &inq), "it has one already");
	ck_assert(wwid_matches("SQEMU    QEMU HARDDISK   S3Y9 0042", &id));
	ck_assert(ident_equal(&id, &id));
	/* Fields that are full are joined without a space. */
	memset(&id, 0, sizeof(id));
	strcpy(id.serial, "7");
	strcpy(inq.vendor, "ABCDEFGH");
	strcpy(inq.product, "0123456789abcdef");
	ck_assert(ident_wwid_from_serial(&id, &inq));
	ck_assert_str_eq(id.wwid, "SABCDEFGH0123456789abcdef7");
	memset(&id, 0, sizeof(id));
	memset(id.serial, 'x', sizeof(id.serial) - 1);
	ck_assert_msg(!ident_wwid_from_serial(&id, &inq), "a WWID was cut");
	ck_assert_str_eq(id.wwid, "");
	buf[3] = 0;
	ck_assert(!ident_add_serial(&id, buf, len));
	ck_assert_str_eq(id.serial, "");
}
END_TEST

static void feed(const uint8_t *buf, size_t len)
{
	struct ident id;

	if (ident_from_vpd83(buf, len, &id))
		ck_assert(id.wwid[0] && wwid_matches(id.wwid, &id));
	else
		ck_assert(!id.wwid[0]);
	ck_assert_uint_lt(strlen(id.names), sizeof(id.names));
	ck_assert(id.names[0] == '\0' || ident_equal(&id, &id));
}

static void feed_page(const uint8_t *buf, size_t len)
{
	uint8_t *copy = exact_copy(buf, len);
	size_t at;

	if (len > 3) {
		copy[1] = 0x83;
		copy[2] = 0x04;
	}
	/* Designators that chain, or noise would end at the first. */
	for (at = 4; at + 4 <= len; at += 4 + (size_t)copy[at + 3]) {
		copy[at + 1] &= 0x0b;
		copy[at + 3] &= 0x1f;
	}
	feed(copy, len);
	free(copy);
}

START_TEST(test_robust)
{
	uint8_t buf[512];
	struct page p;

	torment(buf, hex_load("vpd83_array.hex", buf, sizeof(buf)), 1000, feed);
	torment(buf, hex_load("vpd83_scsi_debug.hex", buf, sizeof(buf)), 1000, feed);
	add_all(&p, 6);
	torment(p.buf, p.len, 1000, feed);
	noise(1000, 1500, feed_page);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_wwid");
	TCase *tc = tcase_create("wwid");

	tcase_add_loop_test(tc, test_priority, 0, 7);
	tcase_add_loop_test(tc, test_one, 0, ARRAY_SIZE(one_cases));
	tcase_add_test(tc, test_fixtures);
	tcase_add_loop_test(tc, test_match, 0, ARRAY_SIZE(match_cases));
	tcase_add_test(tc, test_order_is_nothing);
	tcase_add_test(tc, test_equal);
	tcase_add_test(tc, test_many);
	tcase_add_test(tc, test_too_long);
	tcase_add_test(tc, test_serial);
	tcase_add_test(tc, test_robust);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
