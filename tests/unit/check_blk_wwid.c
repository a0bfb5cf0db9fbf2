// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_blk_wwid.c - a block device is recognised by what sysfs prints of it,
 * in the kernel's and in multipath's form; a partition is not its disk.  sysfs
 * is a table here.
 */
#include <config.h>

#include "path/blk_probe.h"
#include "base/sys.h"
#include "base/units.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

static const struct {
	const char *path, *text;
} files[] = {
	{ "8:0/device/wwid", "naa.6001405aabbccdd0123456789abcdef0" },
	{ "8:1/partition", "1" },
	{ "8:1/../device/wwid", "naa.6001405aabbccdd0123456789abcdef0" },
	{ "8:16/device/wwid", "t10.ATA     QEMU HARDDISK                           QM00001  " },
	{ "259:0/wwid", "eui.0025385b91b012aa" },
	{ "253:0/dm/uuid", "mpath-36001405aabbccdd0123456789abcdef0" },
	{ "254:0/serial", "data-7" },
};

static ssize_t fake_read_file(const char *path, char *buf, size_t size)
{
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		const char *prefix = "/sys/dev/block/";

		if (strncmp(path, prefix, strlen(prefix)) == 0 &&
		    strcmp(path + strlen(prefix), files[i].path) == 0)
			return snprintf(buf, size, "%s", files[i].text);
	}
	return -ENOENT;
}

static const struct {
	unsigned maj, min;
	const char *want;
	int result;
	const char *ident;
} rows[] = {
	{ 8, 0, "naa.6001405aabbccdd0123456789abcdef0", 0, "naa.6001405aabbccdd0123456789abcdef0" },
	{ 8, 0, "36001405aabbccdd0123456789abcdef0", 0, "36001405aabbccdd0123456789abcdef0" },
	{ 8, 0, "36001405AABBCCDD0123456789ABCDEF0", 0, "36001405AABBCCDD0123456789ABCDEF0" },
	{ 8, 0, "36001405aabbccdd0123456789abcdef1", -EREMCHG,
	  "naa.6001405aabbccdd0123456789abcdef0" },
	{ 8, 0, "36001405aabbccdd0123456789abcdef", -EREMCHG,
	  "naa.6001405aabbccdd0123456789abcdef0" },
	{ 8, 1, "36001405aabbccdd0123456789abcdef0", -EREMCHG,
	  "naa.6001405aabbccdd0123456789abcdef0-part1" },
	{ 8, 1, "36001405aabbccdd0123456789abcdef0-part1", 0,
	  "36001405aabbccdd0123456789abcdef0-part1" },
	{ 8, 16, "1ATA_QEMU_HARDDISK_QM00001", 0, "1ATA_QEMU_HARDDISK_QM00001" },
	{ 259, 0, "eui.0025385b91b012aa", 0, "eui.0025385b91b012aa" },
	{ 259, 0, "20025385b91b012aa", 0, "20025385b91b012aa" },
	{ 253, 0, "36001405aabbccdd0123456789abcdef0", 0, "36001405aabbccdd0123456789abcdef0" },
	{ 253, 0, "mpath-36001405aabbccdd0123456789abcdef0", 0,
	  "mpath-36001405aabbccdd0123456789abcdef0" },
	{ 254, 0, "data-7", 0, "data-7" },
	{ 254, 16, "data-7", -ENODATA, "" },
};

START_TEST(match)
{
	char ident[256] = "";
	int r = blk_wwid_match(makedev(rows[_i].maj, rows[_i].min), rows[_i].want, ident,
			       sizeof(ident));

	ck_assert_int_eq(r, rows[_i].result);
	ck_assert_str_eq(ident, rows[_i].ident);
}
END_TEST

int main(void)
{
	static struct sys_ops fake;
	Suite *s = suite_create("blk_wwid");
	TCase *tc = tcase_create("wwid");

	fake = sys_libc;
	fake.read_file = fake_read_file;
	sys = &fake;
	tcase_add_loop_test(tc, match, 0, ARRAY_SIZE(rows));
	suite_add_tcase(s, tc);
	return unit_main(s);
}
