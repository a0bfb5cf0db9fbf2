/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_nbd_device.c - sysfs and procfs of a kernel that is a directory: whose
 * an nbd device is, how its queue is set, everybody who may use it.
 */
#include <config.h>

#include "base/units.h"
#include "export/nbd_kernel.h"
#include "unit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void setup(void)
{
	strcpy(root, "/tmp/lunmux-nbd.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	ck_assert_int_eq(system(cmd), 0);
}

static const char *at(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void dirs(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s", at(name));
	for (char *p = path + strlen(root) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		(void)mkdir(path, 0755);
		*p = '/';
	}
	(void)mkdir(path, 0755);
}

static void put(const char *name, const char *text)
{
	char dir[512];
	FILE *f;

	snprintf(dir, sizeof(dir), "%s", name);
	*strrchr(dir, '/') = '\0';
	dirs(dir);
	f = fopen(at(name), "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void expect_text(const char *name, const char *text)
{
	char got[128] = "";
	FILE *f = fopen(at(name), "r");

	ck_assert_ptr_nonnull(f);
	(void)!fgets(got, sizeof(got), f);
	fclose(f);
	ck_assert_str_eq(got, text);
}

static int find(void)
{
	static const char backend[] = "lunmux:3600a:db01";
	char whole[NBD_BACKEND_BYTES] = "";
	int r = nbd_device_find(root, backend, strlen("lunmux:3600a:"), whole);

	if (r >= 0)
		ck_assert_str_eq(whole, "lunmux:3600a:other");
	return r;
}

START_TEST(test_find)
{
	ck_assert_int_eq(find(), -ENOENT); /* no /sys/block at all */
	dirs("sys/block/sda");
	ck_assert_int_eq(find(), -ENODEV);
	dirs("sys/module/nbd");
	ck_assert_int_eq(find(), -ENOENT);
	dirs("sys/block/nbd0");
	put("sys/block/nbd1/backend", "\n");
	put("sys/block/nbd2/backend", "lunmux:3600ab:db01\n");
	put("sys/block/nbd3/backend", "lunmux:3600\n");
	put("sys/block/nbdx/backend", "lunmux:3600a:other\n");
	put("sys/block/nbd4x/backend", "lunmux:3600a:other\n");
	ck_assert_int_eq(find(), -ENOENT);
	put("sys/block/nbd17/backend", "lunmux:3600a:other\n");
	ck_assert_int_eq(find(), 17);
}
END_TEST

START_TEST(test_tune)
{
	char what[128] = "";

	ck_assert_int_eq(nbd_device_tune(root, 3, what, sizeof(what)), -ENOENT);
	ck_assert_str_eq(what, "/sys/block/nbd3/queue/io_timeout");
	put("sys/block/nbd3/queue/io_timeout", "30000\n");
	put("sys/block/nbd3/queue/max_sectors_kb", "1024\n");
	put("sys/block/nbd3/queue/scheduler", "[mq-deadline] kyber none\n");
	put("sys/block/nbd3/size", "2048\n");
	ck_assert_int_eq(nbd_device_tune(root, 3, what, sizeof(what)), 0);
	expect_text("sys/block/nbd3/queue/io_timeout", "20000\n"); /* a file keeps what was behind */
	/* Not touched: each write may wait for all that is in flight. */
	expect_text("sys/block/nbd3/queue/max_sectors_kb", "1024\n");
	expect_text("sys/block/nbd3/queue/scheduler", "nonedeadline] kyber none\n");
	put("sys/block/nbd3/queue/scheduler", "mq-deadline kyber [none]\n");
	ck_assert_int_eq(nbd_device_tune(root, 3, what, sizeof(what)), 0);
	expect_text("sys/block/nbd3/queue/scheduler", "mq-deadline kyber [none]\n");
	ck_assert_uint_eq(nbd_device_size(root, 3), 1 << 20);
	ck_assert_uint_eq(nbd_device_size(root, 4), 0);
}
END_TEST

static void expect_free(void)
{
	char who[NBD_USER_BYTES] = "";

	ck_assert_msg(!nbd_device_in_use(root, 3, who, sizeof(who)), "%s", who);
}

static void expect_user(const char *user)
{
	char who[NBD_USER_BYTES] = "";

	ck_assert(nbd_device_in_use(root, 3, who, sizeof(who)));
	ck_assert_str_eq(who, user);
}

START_TEST(test_in_use)
{
	char path[512];

	put("sys/block/nbd3/dev", "43:96\n");
	put("sys/block/nbd3/nbd3p1/dev", "43:97\n");
	dirs("sys/block/nbd3/holders");
	dirs("sys/block/nbd3/nbd3p1/holders");
	put("sys/block/loop4/loop/backing_file", "/dev/nbd31\n");
	dirs("proc/77/fd");
	put("proc/77/comm", "qemu\n");
	put("proc/swaps", "Filename Type\n/dev/nbd30 partition 1 0 -2\n");
	put("proc/self/mountinfo", "20 1 43:95 / /a rw - ext4 /dev/nbd2p9 rw\n"
				   "21 1 43:98 / /b rw - ext4 /dev/nbd4 rw\n"
				   "22 1 44:96 / /c rw - ext4 /dev/xyz rw\n");
	expect_free();

	put("proc/self/mountinfo", "20 1 43:97 / /srv/my\\040disk rw - ext4 /dev/disk/x rw\n");
	expect_user("mounted on /srv/my disk");
	put("proc/self/mountinfo", "");
	put("proc/swaps", "Filename Type\n/dev/nbd3p1 partition 1 0 -2\n");
	expect_user("used as swap");
	put("proc/swaps", "");
	put("sys/block/loop4/loop/backing_file", "/dev/nbd3\n");
	expect_user("under /dev/loop4");
	put("sys/block/loop4/loop/backing_file", "");
	snprintf(path, sizeof(path), "%s", at("proc/77/fd/5"));
	ck_assert_int_eq(symlink("/dev/nbd33", path), 0);
	expect_free();
	unlink(path);
	ck_assert_int_eq(symlink("/dev/nbd3", path), 0);
	expect_user("open in qemu (pid 77)");
	unlink(path);
	dirs("sys/block/nbd3/nbd3p1/holders/dm-2");
	expect_user("held by /dev/dm-2");
	rmdir(at("sys/block/nbd3/nbd3p1/holders/dm-2"));
	dirs("sys/block/nbd3/holders/md0");
	expect_user("held by /dev/md0");
	rmdir(at("sys/block/nbd3/holders/md0"));
	expect_free();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nbd_device");
	TCase *tc = tcase_create("nbd_device");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_find);
	tcase_add_test(tc, test_tune);
	tcase_add_test(tc, test_in_use);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
