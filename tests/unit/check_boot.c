/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_boot.c - proves that units and device links get the names that systemd
 * and udev give them, and that a device is found to be a path of the right LUN,
 * or what it is attached as, from sysfs alone.
 *
 * What the generator writes as a whole, tests/lint/units.sh has systemd read.
 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boot/boot.h"
#include "unit.h"

static char root[] = "/tmp/lunmux-check-boot.XXXXXX";
static struct config *conf;

/* Made once: the trees are only read. */
static void make_file(const char *name, const char *text)
{
	char path[400], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (slash = path + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0755);
	}
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void parse(void)
{
	struct conf_errors errs = { 0 };
	char text[1000];

	snprintf(text, sizeof(text),
		 "multipaths {\n"
		 "multipath {\n wwid naa.600a098038303053742b463230313233\n alias db01\n}\n"
		 "multipath {\n wwid file:%s/lab.img\n alias lab-1.x\n}\n"
		 "multipath {\n wwid 3600140500000000000000000000000ff\n alias named\n path /dev/sg7\n"
		 "export {\n nbd_device /dev/nbd3\n}\n}\n"
		 "}\n",
		 root);
	config_parse("f", text, strlen(text), &conf, &errs);
	ck_assert_msg(errs.nmsgs == 0, "%s", errs.nmsgs ? errs.msgs[0].text : "");
}

static void setup(void)
{
	char text[400];

	ck_assert_ptr_nonnull(mkdtemp(root));
	boot_sys_root = root;
	boot_proc_root = root;
	make_file("lab.img", "");
	make_file("other.img", "");
	snprintf(text, sizeof(text), "%s/lab.img\n", root);
	make_file("block/loop4/loop/backing_file", text);
	snprintf(text, sizeof(text), "%s/other.img\n", root);
	make_file("block/loop5/loop/backing_file", text);
	make_file("block/loop6/size", "0\n");
	make_file("class/scsi_generic/sg3/device/wwid", "naa.600a098038303053742b463230313233\n");
	make_file("class/scsi_generic/sg4/device/wwid", "naa.600a098038303053742b463230313234\n");
	make_file("class/scsi_generic/sg7/device/wwid", "naa.600140500000000000000000000000ff\n");
	make_file("class/scsi_generic/sg8/device/wwid", "naa.600140500000000000000000000000ff\n");
	make_file("block/sda/device/scsi_generic/sg3/dev", "21:3\n");
	make_file("block/sdb/device/scsi_generic/sg4/dev", "21:4\n");
	make_file("block/sdc/size", "1\n");
	make_file("block/nbd0/backend", "lunmux:file:/srv/a:b.img:lab-1.x\n");
	make_file("block/nbd1/backend", "somebody:else\n");
	make_file("block/nbd2/size", "0\n");
	make_file("block/nbd3/pid", "4711\n");
	make_file("4711/comm", "nbd-client\n");
	make_file("block/nbd4/backend", "lunmux:3600a0980:../../etc\n");
	parse();
}

static void teardown(void)
{
	char command[100];

	config_free(conf);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

/* As systemd-escape --path prints them (252). */
static const struct {
	const char *path, *unit;
} units[] = {
	{ "/", "-" },
	{ "///", "-" },
	{ "/srv", "srv" },
	{ "//srv//db//", "srv-db" },
	{ "/srv/my data", "srv-my\\x20data" },
	{ "/srv/a-b_c:d.e", "srv-a\\x2db_c:d.e" },
	{ "/.hidden/.x", "\\x2ehidden-.x" },
	{ "/\xc3\xa4", "\\xc3\\xa4" },
	{ "/a\\b", "a\\x5cb" },
};

START_TEST(test_unit_names)
{
	char buf[100];

	ck_assert(boot_unit_name(units[_i].path, buf, sizeof(buf)));
	ck_assert_str_eq(buf, units[_i].unit);
}
END_TEST

START_TEST(test_unit_name_too_long)
{
	char buf[12];

	ck_assert(boot_unit_name("/ab", buf, sizeof(buf)));
	ck_assert(!boot_unit_name("/ab/cd/ef", buf, sizeof(buf)));
}
END_TEST

START_TEST(test_links)
{
	char buf[WWID_BYTES_MAX + 1];
	static const struct {
		const char *dev, *lun;
	} links[] = {
		{ "/dev/lunmux/db01", "db01" },
		{ "/dev/lunmux/db01-part12", "db01" },
		{ "/dev/lunmux/lab-1.x", "lab-1.x" },
		{ "/dev/disk/by-id/lunmux-3600a098038303053742b463230313233-part1", "db01" },
		{ "/dev/nbd3", "named" },
		{ "/dev/nbd3p2", "named" },
		{ "/dev/nbd3p", NULL },
		{ "/dev/nbd31", NULL },
		{ "/dev/nbd0", NULL },
		{ "/dev/lunmux/db01-part", NULL },
		{ "/dev/lunmux/db01-part1x", NULL },
		{ "/dev/lunmux/db012", NULL },
		{ "/dev/lunmux/", NULL },
		{ "/dev/disk/by-id/scsi-3600a098038303053742b463230313233", NULL },
		{ "UUID=3600", NULL },
	};

	boot_link_name("wwn-0x600A0980", buf);
	ck_assert_str_eq(buf, "3600a0980");
	boot_link_name("file:/srv/my lab.img", buf);
	ck_assert_str_eq(buf, "file:_srv_my_lab.img");
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		const struct lun_conf *l = boot_lun_of_link(conf, links[i].dev);

		ck_assert_msg((l != NULL) == (links[i].lun != NULL), "%s", links[i].dev);
		if (l)
			ck_assert_str_eq(l->alias, links[i].lun);
	}
}
END_TEST

static const struct {
	const char *name;
	enum boot_role role;
	const char *lun, *wwid;
} devices[] = {
	{ "sg3", BOOT_PATH, "db01", "naa.600a098038303053742b463230313233" },
	{ "sda", BOOT_PATH, "db01" },
	{ "sg4", BOOT_NOBODYS },
	{ "sdb", BOOT_NOBODYS },
	{ "sdc", BOOT_NOBODYS },
	{ "sdz", BOOT_NOBODYS },
	/* Paths that are named switch the search off. */
	{ "sg7", BOOT_PATH, "named" },
	{ "sg8", BOOT_NOBODYS },
	{ "loop4", BOOT_PATH, "lab-1.x" },
	{ "loop5", BOOT_NOBODYS },
	{ "loop6", BOOT_NOBODYS },
	{ "nbd0", BOOT_EXPORT, "lab-1.x", "file:/srv/a:b.img" },
	{ "nbd1", BOOT_NOBODYS },
	{ "nbd2", BOOT_NOBODYS },
	{ "nbd3", BOOT_NOBODYS },
	{ "nbd4", BOOT_NOBODYS },
	{ "..", BOOT_NOBODYS },
	{ "../block/sda", BOOT_NOBODYS },
	{ "", BOOT_NOBODYS },
};

START_TEST(test_whose)
{
	char name[NAME_BYTES_MAX + 1], wwid[WWID_BYTES_MAX + 1];

	ck_assert_int_eq(boot_whose(conf, devices[_i].name, name, wwid), devices[_i].role);
	if (devices[_i].lun)
		ck_assert_str_eq(name, devices[_i].lun);
	if (devices[_i].wwid)
		ck_assert_str_eq(wwid, devices[_i].wwid);
}
END_TEST

START_TEST(test_words)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	boot_put_word(f, "/a \"b\"\\50%\n");
	fclose(f);
	ck_assert_str_eq(text, "\"/a \\\"b\\\"\\\\50%%\\x0a\"");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot");
	TCase *tc = tcase_create("boot");

	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_unit_names, 0, sizeof(units) / sizeof(units[0]));
	tcase_add_test(tc, test_unit_name_too_long);
	tcase_add_test(tc, test_links);
	tcase_add_loop_test(tc, test_whose, 0, sizeof(devices) / sizeof(devices[0]));
	tcase_add_test(tc, test_words);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
