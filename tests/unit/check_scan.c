/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_scan.c - lunmuxctl scan over a made-up sysfs and procfs: paths are gathered by LUN, each
 * kind of holder is found and told once, what is configured is known as such, and what is offered
 * for pasting is a good configuration that lists just these LUNs.
 */
#include <config.h>

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "check_json_doc.h"
#include "lunmuxctl/cmd.h"
#include "lunmuxctl/text.h"
#include "path/sg_sysfs.h"

static char root[] = "/tmp/check_scan.XXXXXX";
static char conf[64];
static struct report rep;

/* --- the machine ----------------------------------------------------------------------- */

static void make_dirs(char *path)
{
	for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
}

static void put_bytes(const char *name, const void *bytes, size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	make_dirs(path);
	f = fopen(path, "w");
	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	fwrite(bytes, 1, len, f);
	fclose(f);
}

static void __attribute__((format(printf, 2, 3))) put_file(const char *text, const char *fmt, ...)
{
	char name[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	put_bytes(name, text, strlen(text));
}

static void link_to(const char *name, const char *target)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	make_dirs(path);
	ck_assert_int_eq(symlink(target, path), 0);
}

/* sg@n at address @hctl is disk sd@letter of the LUN whose NAA designator ends in @last. */
static void put_path(int n, const char *hctl, char letter, uint8_t last, const char *state)
{
	static const uint8_t page80[] = {0, 0x80, 0, 6, ' ', 'S', 'N', '4', '2', ' '};
	uint8_t page83[24] = {0, 0x83, 0, 20, 1, 3, 0, 16, 0x60};
	char dir[64], name[128], target[64], text[64];

	page83[23] = last;
	snprintf(dir, sizeof(dir), "devices/%s", hctl);
	snprintf(name, sizeof(name), "%s/vpd_pg83", dir);
	put_bytes(name, page83, sizeof(page83));
	snprintf(name, sizeof(name), "%s/vpd_pg80", dir);
	put_bytes(name, page80, sizeof(page80));
	snprintf(text, sizeof(text), "naa.600000000000000000000000000000%02x\n", last);
	put_file(text, "%s/wwid", dir);
	put_file("LIO-ORG \n", "%s/vendor", dir);
	put_file("lab \033disk       \n", "%s/model", dir);
	put_file("0\n", "%s/type", dir);
	put_file(state, "%s/state", dir);
	put_file("", "%s/block/sd%c/x", dir, letter);
	put_file("21:1\n", "class/scsi_generic/sg%d/dev", n);
	snprintf(name, sizeof(name), "class/scsi_generic/sg%d/device", n);
	snprintf(target, sizeof(target), "../../../devices/%s", hctl);
	link_to(name, target);
	snprintf(text, sizeof(text), "8:%d\n", n * 16);
	put_file(text, "class/block/sd%c/dev", letter);
	put_file("4096\n", "class/block/sd%c/size", letter);
}

static void put_loop(int n, const char *file, const char *offset)
{
	char text[32];

	put_file(file, "block/loop%d/loop/backing_file", n);
	put_file(offset, "block/loop%d/loop/offset", n);
	put_file("0\n", "block/loop%d/loop/sizelimit", n);
	snprintf(text, sizeof(text), "7:%d\n", n);
	put_file(text, "class/block/loop%d/dev", n);
	put_file("8192\n", "class/block/loop%d/size", n);
}

/*
 * LUN a1: sg1 and sg10, held by a map of multipathd with LVM on a volume of which a file system is
 * mounted. LUN b2: sg2 and sg3, a partition of one mounted, another swap. Two loop devices of a
 * file, one of which an array has; one of a part of it; one on top of the logical volume.
 */
static void machine(void)
{
	put_path(1, "2:0:0:1", 'a', 0xa1, "running\n");
	put_path(10, "3:0:0:1", 'b', 0xa1, "offline\n");
	put_path(2, "2:0:0:2", 'c', 0xb2, "running\n");
	put_path(3, "3:0:0:2", 'd', 0xb2, "running\n");
	put_file("", "class/block/sda/holders/dm-0");
	put_file("", "class/block/sdb/holders/dm-0");
	put_file("254:0\n", "class/block/dm-0/dev");
	put_file("mpatha\n", "class/block/dm-0/dm/name");
	put_file("mpath-3600000000000000000000000000000a1\n", "class/block/dm-0/dm/uuid");
	put_file("", "class/block/dm-0/holders/dm-1");
	put_file("254:1\n", "class/block/dm-1/dev");
	put_file("vg-lv\n", "class/block/dm-1/dm/name");
	put_file("LVM-abcdef\n", "class/block/dm-1/dm/uuid");
	put_file("1\n", "class/block/sdc/sdc1/partition");
	put_file("8:33\n", "class/block/sdc1/dev");
	put_file("2\n", "class/block/sdc/sdc2/partition");
	put_file("8:34\n", "class/block/sdc2/dev");
	put_loop(0, "/srv/my lab.img\n", "0\n");
	put_loop(1, "/srv/my lab.img\n", "0\n");
	put_loop(2, "/srv/my lab.img\n", "1048576\n");
	put_loop(3, "/dev/mapper/vg-lv\n", "0\n");
	put_file("", "block/loop4/size"); /* nothing attached */
	put_file("", "class/block/loop1/holders/md127");
	put_file("Filename Type Size Used Priority\n/dev/sdc2 partition 99 0 -2\n", "swaps");
	/* By number; by source, since btrfs makes the number up; nobody's. */
	put_file("20 1 8:33 / /boot\\040old rw shared:1 - ext4 /dev/whatever rw\n"
		 "21 1 0:40 /root /data rw - btrfs /dev/mapper/vg-lv rw\n"
		 "22 1 8:2 / / rw - ext4 /dev/sdz rw\n",
		 "self/mountinfo");
}

/* --- what is found -------------------------------------------------------------------- */

static void scan(const char *file)
{
	char *argv[] = {(char *)file};
	struct options o = {0};

	report_init(&rep, "scan", VIEW_SCAN);
	cmd_scan(NULL, &o, 1, argv, &rep);
}

static void configure(const char *text)
{
	put_file(text, "lunmux.conf");
}

static const char *str(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "(null)";
}

static json_t *lun_of(const char *wwid, long long offset)
{
	size_t i;
	json_t *l;

	json_array_foreach(rep.luns, i, l)
		if (!strcmp(str(l, "wwid"), wwid) && get_int(l, "offset_bytes") == offset)
			return l;
	ck_abort_msg("%s: not found", wwid);
}

/* "KIND ON BY NAME", one behind the other; and "NAME DEV BLOCK STATE". */
static const char *holders(const json_t *lun)
{
	static char text[1024];
	size_t i;
	json_t *h;

	text[0] = '\0';
	json_array_foreach(json_object_get(lun, "holders"), i, h)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s %s %s;",
			 str(h, "kind"), str(h, "on"), str(h, "by"), str(h, "name"));
	return text;
}

static const char *paths(const json_t *lun)
{
	static char text[1024];
	size_t i;
	json_t *p;

	text[0] = '\0';
	json_array_foreach(json_object_get(lun, "path_list"), i, p)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s %s %s;",
			 str(p, "name"), str(p, "dev"), str(p, "block"), str(p, "state"));
	return text;
}

static char *as_text(void)
{
	static char text[16384];
	FILE *f = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_nonnull(f);
	text_scan(rep.luns, f, false);
	fclose(f);
	return text;
}

static void expect_in(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in: %s", part, text);
}

static void setup(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(conf, sizeof(conf), "%s/lunmux.conf", root);
	sg_sys_root = root;
	sg_proc_root = root;
}

static int forget(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void teardown(void)
{
	report_clear(&rep);
	nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
}

#define WWID_A "3600000000000000000000000000000a1"
#define WWID_B "3600000000000000000000000000000b2"

START_TEST(luns_and_paths)
{
	const json_t *l;

	machine();
	configure("");
	scan(conf);
	ck_assert_int_eq(rep.code, EXIT_OK);
	ck_assert_uint_eq(json_array_size(rep.luns), 5);
	l = lun_of(WWID_A, 0);
	ck_assert_str_eq(paths(l), "/dev/sg1 2:0:0:1 sda running;/dev/sg10 3:0:0:1 sdb offline;");
	ck_assert_str_eq(str(l, "vendor"), "LIO-ORG");
	ck_assert_str_eq(str(l, "product"), "lab ?disk");
	ck_assert_int_eq(get_int(l, "size_bytes"), 4096 * 512);
	ck_assert_str_eq(str(l, "kernel_wwid"), "naa.600000000000000000000000000000a1");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(l, "designators"), 0)),
			 "naa.600000000000000000000000000000a1");
	ck_assert_str_eq(str(l, "serial"), "SN42");
	ck_assert_str_eq(paths(lun_of(WWID_B, 0)),
			 "/dev/sg2 2:0:0:2 sdc running;/dev/sg3 3:0:0:2 sdd running;");
	l = lun_of("file:/srv/my lab.img", 0);
	ck_assert_str_eq(paths(l), "/dev/loop0 7:0 loop0 attached;/dev/loop1 7:1 loop1 attached;");
	ck_assert_int_eq(get_int(l, "size_bytes"), 8192 * 512);
	ck_assert_str_eq(paths(lun_of("file:/srv/my lab.img", 1048576)),
			 "/dev/loop2 7:2 loop2 attached;");
}
END_TEST

START_TEST(who_holds_them)
{
	machine();
	configure("");
	scan(conf);
	ck_assert_str_eq(holders(lun_of(WWID_A, 0)),
			 "multipath sda dm-0 mpatha;lvm dm-0 dm-1 vg-lv;mount dm-1  /data;"
			 "loop dm-1 loop3 ;multipath sdb dm-0 mpatha;");
	ck_assert_str_eq(holders(lun_of(WWID_B, 0)), "mount sdc1  /boot old;swap sdc2  ;");
	ck_assert_str_eq(holders(lun_of("file:/srv/my lab.img", 0)), "md loop1 md127 ;");
	ck_assert_str_eq(holders(lun_of("file:/srv/my lab.img", 1048576)), "");
}
END_TEST

START_TEST(what_is_configured)
{
	char *text;

	machine();
	configure("multipaths {\n"
		  " multipath {\n wwid naa.600000000000000000000000000000B2\n alias lun0\n }\n"
		  " multipath {\n wwid \"file:/srv/my lab.img\"\n alias lab\n }\n}\n");
	scan(conf);
	ck_assert_str_eq(str(lun_of(WWID_B, 0), "alias"), "lun0");
	ck_assert_str_eq(str(lun_of(WWID_B, 0), "config"), "(null)");
	ck_assert_str_eq(str(lun_of("file:/srv/my lab.img", 0), "alias"), "lab");
	/* A part of the file is another LUN, which cannot be configured. */
	ck_assert_str_eq(str(lun_of("file:/srv/my lab.img", 1048576), "alias"), "(null)");
	ck_assert_str_eq(str(lun_of("file:/srv/my lab.img", 1048576), "config"), "(null)");
	ck_assert_str_eq(str(lun_of(WWID_A, 0), "alias"), "(null)");
	/* lun0 is taken. */
	ck_assert_str_eq(str(lun_of(WWID_A, 0), "config"),
			 "multipath {\n"
			 "\t# in use by others: lunmuxd takes it once they let go\n"
			 "\twwid " WWID_A "\n\talias lun1\n}\n");
	text = as_text();
	expect_in(text, WWID_B "  LIO-ORG lab ?disk  2.0M  configured as lun0\n");
	expect_in(text, "  id       naa.600000000000000000000000000000a1\n");
	expect_in(text, "  path     /dev/sg10 3:0:0:1 sdb offline\n");
	expect_in(text, "  held     sda: multipath mpatha (dm-0)\n");
	expect_in(text, "  held     sdc1: mounted on /boot old\n");
	expect_in(text, "  held     sdc2: swap space\n");
}
END_TEST

/* What is pasted lists each LUN, so that nothing is left to paste. */
START_TEST(the_paste_is_good)
{
	char *text, *paste;
	size_t i;
	json_t *l;

	machine();
	configure("");
	scan(conf);
	text = as_text();
	paste = strstr(text, "\n# for ");
	ck_assert_ptr_nonnull(paste);
	configure(paste);
	report_clear(&rep);
	scan(conf);
	ck_assert_int_eq(rep.code, EXIT_OK);
	json_array_foreach(rep.luns, i, l)
	{
		ck_assert_str_eq(str(l, "config"), "(null)");
		if (!get_int(l, "offset_bytes"))
			ck_assert_msg(!strncmp(str(l, "alias"), "lun", 3), "%s is not listed",
				      str(l, "wwid"));
	}
	text = as_text();
	ck_assert_ptr_null(strstr(text, "multipaths {"));
}
END_TEST

START_TEST(known_by_the_serial_number)
{
	static const uint8_t page80[] = {0, 0x80, 0, 4, 'S', 'N', '4', '2'};

	put_bytes("class/scsi_generic/sg0/device/vpd_pg80", page80, sizeof(page80));
	put_file("ACME    \n", "class/scsi_generic/sg0/device/vendor");
	put_file("Old Disk        \n", "class/scsi_generic/sg0/device/model");
	put_file("0\n", "class/scsi_generic/sg0/device/type");
	/* No identity at all: each is a LUN of its own. */
	put_file("0\n", "class/scsi_generic/sg1/device/type");
	put_file("0\n", "class/scsi_generic/sg2/device/type");
	/* Not of a type that is served. */
	put_file("naa.500000000000000a\n", "class/scsi_generic/sg3/device/wwid");
	put_file("13\n", "class/scsi_generic/sg3/device/type");
	configure("");
	scan(conf);
	ck_assert_uint_eq(json_array_size(rep.luns), 4);
	expect_in(str(lun_of("SACME_Old_Disk_SN42", 0), "config"), "\n\tallow_vpd80 yes ");
	ck_assert_str_eq(str(lun_of("", 0), "config"), "(null)");
	ck_assert_str_eq(str(lun_of("3500000000000000a", 0), "config"), "(null)");
}
END_TEST

START_TEST(bad_configurations_and_no_devices)
{
	char *text;

	configure("multipaths { nonsense");
	scan(conf);
	ck_assert_int_eq(rep.code, EXIT_CONFIG);
	ck_assert_uint_eq(json_array_size(rep.errors), 1);
	text = as_text();
	expect_in(text, "no LUN: ");
	report_clear(&rep);
	/* What is listed is not known, so nothing is offered. */
	machine();
	scan(conf);
	ck_assert_uint_eq(json_array_size(rep.luns), 5);
	ck_assert_str_eq(str(lun_of(WWID_A, 0), "config"), "(null)");
	report_clear(&rep);
	unlink(conf);
	scan(conf);
	ck_assert_int_eq(rep.code, EXIT_CONFIG);
}
END_TEST

START_TEST(the_document)
{
	/* An EUI-64 and an NAA 3, of which multipath takes the first and udev the second. */
	static const uint8_t page83[] = {
		0, 0x83, 0, 24,
		1, 2, 0, 8, 0, 0x25, 0x38, 0x5b, 1, 2, 3, 4, /* EUI-64 */
		1, 3, 0, 8, 0x30, 1, 2, 3, 4, 5, 6, 7,	     /* NAA */
	};
	size_t i;
	json_t *l;

	machine();
	put_bytes("class/scsi_generic/sg20/device/vpd_pg83", page83, sizeof(page83));
	configure("multipaths {\n multipath {\n wwid " WWID_B "\n alias b\n }\n}\n");
	scan(conf);
	ck_assert_str_eq(str(lun_of("20025385b01020304", 0), "udev_wwid"), "33001020304050607");
	read_doc();
	json_array_foreach(rep.luns, i, l) check_value("scan", "", l);
	check_all_seen("scan");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scan");
	TCase *t = tcase_create("scan");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, luns_and_paths);
	tcase_add_test(t, who_holds_them);
	tcase_add_test(t, what_is_configured);
	tcase_add_test(t, the_paste_is_good);
	tcase_add_test(t, known_by_the_serial_number);
	tcase_add_test(t, bad_configurations_and_no_devices);
	tcase_add_test(t, the_document);
	suite_add_tcase(s, t);
	return unit_main(s);
}
