/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_discover_sg.c - listed WWIDs are found among the sg devices of a made-up
 * sysfs, by each attribute that may tell it; nothing else is found, and nothing
 * is ever opened under /dev.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "path/discover.h"
#include "path/discover_loop.h"
#include "path/discover_sg.h"
#include "path/sg_sysfs.h"
#include "unit.h"

#define WWID "3600000000000000000000000000000a1"

static char root[] = "/tmp/check_discover_sg.XXXXXX";
static char names[8][PATH_NAME_BYTES];

static void put(const char *sg, const char *attr, const void *bytes, size_t len)
{
	char path[512], *at;
	FILE *f;

	snprintf(path, sizeof(path), "%s/class/scsi_generic/%s/device/%s", root, sg,
		 attr);
	for (at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		mkdir(path, 0755);
		*at = '/';
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fwrite(bytes, 1, len, f);
	fclose(f);
}

static void put_text(const char *sg, const char *attr, const char *text)
{
	put(sg, attr, text, strlen(text));
}

/* A page 83h with one NAA 6 designator that ends in @last. */
static void put_page83(const char *sg, uint8_t last)
{
	uint8_t page[24] = {0, 0x83, 0, 20, 1, 3, 0, 16, 0x60};

	page[23] = last;
	put(sg, "vpd_pg83", page, sizeof(page));
}

static int no_device(const char *path, int flags)
{
	ck_assert_msg(strncmp(path, "/dev/", 5) != 0, "%s was opened", path);
	return sys_libc.open(path, flags);
}

static struct sys_ops guarded;

static void setup(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	sg_sys_root = root;
	guarded = sys_libc;
	guarded.open = no_device;
	sys = &guarded;
}

static int forget(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void teardown(void)
{
	nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
	sys = &sys_libc;
}

START_TEST(no_sg_devices)
{
	ck_assert_int_eq(discover_sg_scan(WWID, false, names, 8), 0);
}
END_TEST

START_TEST(by_page_83_in_the_order_of_numbers)
{
	put_page83("sg10", 0xa1);
	put_page83("sg9", 0xa1);
	put_page83("sg2", 0xb2);
	put_page83("sg0", 0xa1);
	put_page83("sgx", 0xa1);
	put_page83("st0", 0xa1);
	ck_assert_int_eq(discover_sg_scan(WWID, false, names, 8), 3);
	ck_assert_str_eq(names[0], "/dev/sg0");
	ck_assert_str_eq(names[1], "/dev/sg9");
	ck_assert_str_eq(names[2], "/dev/sg10");
	ck_assert_int_eq(discover_sg_scan(WWID, false, names, 2), 2);
	ck_assert_int_eq(discover_sg_scan("naa.600000000000000000000000000000B2", false,
					  names, 8),
			 1);
	ck_assert_str_eq(names[0], "/dev/sg2");
	ck_assert_int_eq(
		discover_sg_scan("3600000000000000000000000000000c3", false, names, 8),
		0);
}
END_TEST

static const struct {
	const char *attr, *wwid;
} attrs[] = {
	{"naa.600000000000000000000000000000a1\n", WWID},
	{"eui.0025385b01234567\n", "20025385b01234567"},
	{"t10.ATA     QEMU HARDDISK   QM00005   \n", "1ATA_QEMU_HARDDISK_QM00005"},
};

START_TEST(by_the_wwid_attribute)
{
	put_text("sg1", "wwid", attrs[_i].attr);
	ck_assert_int_eq(discover_sg_scan(attrs[_i].wwid, false, names, 8), 1);
	ck_assert_int_eq(discover_sg_scan("2ffff", false, names, 8), 0);
}
END_TEST

START_TEST(by_serial_number_where_that_is_allowed)
{
	static const uint8_t page[] = {0, 0x80, 0, 6, ' ', 'S', 'N', '4', '2', ' '};

	put("sg1", "vpd_pg80", page, sizeof(page));
	put_text("sg1", "vendor", "ACME    \n");
	put_text("sg1", "model", "Old Disk        \n");
	ck_assert_int_eq(discover_sg_scan("SACME_Old_Disk_SN42", true, names, 8), 1);
	ck_assert_int_eq(discover_sg_scan("SACME_Old_Disk_SN42", false, names, 8), 0);
}
END_TEST

START_TEST(broken_attributes_are_nobody)
{
	static const uint8_t junk[] = {0, 0x83, 0xff, 0xff, 1, 3, 0, 200, 0x60};
	char longer[5000];

	put("sg1", "vpd_pg83", junk, sizeof(junk));
	put("sg2", "vpd_pg83", "", 0);
	memset(longer, 'a', sizeof(longer));
	memcpy(longer, "naa.", 4);
	put("sg3", "wwid", longer, sizeof(longer));
	put_text("sg4", "wwid", "naa.\n");
	put_text("sg5", "wwid", "\n");
	ck_assert_int_eq(discover_sg_scan(WWID, true, names, 8), 0);
	ck_assert_int_eq(discover_sg_scan("3", true, names, 8), 0);
}
END_TEST

/* --- both kinds --- */

static int loops;

int discover_loop_scan(const char *file, char (*to)[PATH_NAME_BYTES], int max)
{
	int i;

	ck_assert_int_eq(strncmp(file, "/srv/", 5), 0);
	for (i = 0; i < loops && i < max; i++)
		snprintf(to[i], PATH_NAME_BYTES, "/dev/loop%d", i);
	return loops;
}

START_TEST(kinds_and_names)
{
	struct discover_found found[4];
	char file[400] = "file:/srv/";

	put_page83("sg3", 0xa1);
	ck_assert_int_eq(discover_scan(WWID, false, found, 4), 1);
	ck_assert_int_eq(found[0].kind, DISCOVER_SG);
	ck_assert_str_eq(found[0].name, "/dev/sg3");
	loops = 2;
	ck_assert_int_eq(discover_scan("file:/srv/lab.img", false, found, 4), 2);
	ck_assert_int_eq(found[1].kind, DISCOVER_BLK);
	ck_assert_str_eq(found[1].name, "/dev/loop1");
	loops = 9; /* the scan counts more than there is room for */
	ck_assert_int_eq(discover_scan("file:/srv/lab.img", false, found, 4), 4);
	loops = 0;
	ck_assert_int_eq(discover_scan("file:/srv/lab.img", false, found, 4), 1);
	ck_assert_int_eq(found[0].kind, DISCOVER_BLK);
	ck_assert_str_eq(found[0].name, "/srv/lab.img");
	memset(file + 10, 'x', PATH_NAME_BYTES);
	ck_assert_int_eq(discover_scan(file, false, found, 4), -ENAMETOOLONG);
	loops = -ENOENT;
	ck_assert_int_eq(discover_scan("file:/srv/lab.img", false, found, 4), -ENOENT);
	ck_assert_int_eq(discover_scan(WWID, false, found, 0), 0);
}
END_TEST

/* --- which device has a name now --- */

START_TEST(a_name_is_not_the_device)
{
	char first[DISCOVER_IDENT_BYTES], again[DISCOVER_IDENT_BYTES], old[512], now[512];

	discover_ident("/dev/sg3", again);
	ck_assert_str_eq(again, "");
	put_text("sg3", "wwid", "naa.1\n");
	discover_ident("/dev/sg3", first);
	ck_assert_str_ne(first, "");
	ck_assert(!discover_ident_is_file(first));
	put_text("sg3", "wwid", "naa.2\n");
	discover_ident("/dev/sg3", again);
	ck_assert_str_eq(first, again);
	/* Another device of the same name and address. */
	snprintf(old, sizeof(old), "%s/class/scsi_generic/old", root);
	snprintf(now, sizeof(now), "%s/class/scsi_generic/sg3", root);
	ck_assert_int_eq(rename(now, old), 0);
	discover_ident("/dev/sg3", again);
	ck_assert_str_eq(again, "");
	put_text("sg3", "wwid", "naa.2\n");
	discover_ident("/dev/sg3", again);
	ck_assert_str_ne(again, "");
	ck_assert_str_ne(first, again);
}
END_TEST

START_TEST(number_and_address_are_shown)
{
	char id[DISCOVER_IDENT_BYTES], dir[512], link_to[512];
	FILE *f;

	put_text("sg7", "x", "");
	snprintf(link_to, sizeof(link_to), "%s/class/scsi_generic/sg8", root);
	mkdir(link_to, 0755);
	snprintf(link_to, sizeof(link_to), "%s/class/scsi_generic/sg8/device", root);
	ck_assert_int_eq(symlink("../../../2:0:0:1", link_to), 0);
	snprintf(dir, sizeof(dir), "%s/class/scsi_generic/sg8/dev", root);
	f = fopen(dir, "w");
	ck_assert_ptr_nonnull(f);
	fputs("21:8\n", f);
	fclose(f);
	discover_ident("/dev/sg8", id);
	ck_assert_msg(!strncmp(id, "21:8 2:0:0:1 ", 13), "%s", id);
}
END_TEST

START_TEST(files_and_links)
{
	char id[DISCOVER_IDENT_BYTES], other[DISCOVER_IDENT_BYTES], a[256], b[256];

	snprintf(a, sizeof(a), "%s/sg1", root);
	snprintf(b, sizeof(b), "%s/link", root);
	ck_assert_int_eq(close(creat(a, 0600)), 0);
	ck_assert_int_eq(symlink(a, b), 0);
	discover_ident(a, id);
	ck_assert(discover_ident_is_file(id));
	ck_assert_int_eq(discover_kind_of(a), DISCOVER_BLK);
	discover_ident(b, other);
	ck_assert_str_eq(id, other);
	ck_assert_int_eq(unlink(b), 0);
	discover_ident(b, other);
	ck_assert_str_eq(other, "");
	ck_assert_int_eq(symlink("/dev/null", b), 0);
	ck_assert_int_eq(discover_kind_of(b), DISCOVER_BLK);
	ck_assert_int_eq(discover_kind_of("/dev/sg5"), DISCOVER_SG);
	ck_assert_int_eq(discover_kind_of("/dev/sgx"), DISCOVER_BLK);
	ck_assert_int_eq(discover_kind_of("/dev/loop5"), DISCOVER_BLK);
}
END_TEST

/* A device below @place of the device tree; its target is listed as @name by a class.
 */
static const struct {
	const char *place, *attr, *text, *want;
} targets[] = {
	{"pci/host2/rport-2:0-0/target2:0:0/2:0:0:1",
	 "class/fc_transport/target2:0:0/node_name", "0x500a098080000001\n",
	 "0x500a098080000001"},
	{"platform/host3/session7/target3:0:0/3:0:0:1",
	 "class/iscsi_session/session7/targetname", "iqn.2026-11.example:lab\n",
	 "iqn.2026-11.example:lab"},
	{"pci/host4/port-4:0/end_device-4:0/target4:0:0/4:0:0:1",
	 "class/sas_device/end_device-4:0/sas_address", "0x5000c50000000001\n",
	 "0x5000c50000000001"},
	{"pseudo/adapter0/host5/target5:0:0/5:0:0:0", NULL, NULL, ""},
	/* another target's name is not ours */
	{"pci/host2/rport-2:0-1/target2:0:1/2:0:1:1",
	 "class/fc_transport/target2:0:0/node_name", "0x500a098080000001\n", ""},
};

static void make_dirs(char *path)
{
	char *at;

	for (at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		mkdir(path, 0755);
		*at = '/';
	}
}

START_TEST(node_names)
{
	char path[512], link[512], name[NODE_NAME_BYTES];
	FILE *f;

	snprintf(path, sizeof(path), "%s/devices/%s/", root, targets[_i].place);
	make_dirs(path);
	snprintf(link, sizeof(link), "%s/class/scsi_generic/sg3/device", root);
	make_dirs(link);
	ck_assert_int_eq(symlink(path, link), 0);
	if (targets[_i].attr) {
		snprintf(path, sizeof(path), "%s/%s", root, targets[_i].attr);
		make_dirs(path);
		f = fopen(path, "w");
		ck_assert_ptr_nonnull(f);
		fputs(targets[_i].text, f);
		fclose(f);
	}
	memset(name, 'x', sizeof(name));
	sg_node_name("sg3", name, sizeof(name));
	ck_assert_str_eq(name, targets[_i].want);
	sg_node_name("sg4", name, sizeof(name));
	ck_assert_str_eq(name, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("discover_sg");
	TCase *t = tcase_create("scan");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, no_sg_devices);
	tcase_add_test(t, by_page_83_in_the_order_of_numbers);
	tcase_add_loop_test(t, by_the_wwid_attribute, 0,
			    sizeof(attrs) / sizeof(attrs[0]));
	tcase_add_test(t, by_serial_number_where_that_is_allowed);
	tcase_add_test(t, broken_attributes_are_nobody);
	tcase_add_test(t, kinds_and_names);
	tcase_add_test(t, a_name_is_not_the_device);
	tcase_add_test(t, number_and_address_are_shown);
	tcase_add_test(t, files_and_links);
	tcase_add_loop_test(t, node_names, 0, sizeof(targets) / sizeof(targets[0]));
	suite_add_tcase(s, t);
	return unit_main(s);
}
