/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_sg_claim.c - the block device beside an sg device is held, and one that
 * somebody uses is refused, saying who: over a made-up /sys and /proc.
 */
#include <config.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/sys.h"
#include "fake_sg.h"
#include "path/sg_sysfs.h"
#include "unit.h"

static char root[] = "/tmp/check_sg_claim.XXXXXX";
static struct loop *loop;
static struct sg_identity identity;
static char errbuf[512], warning[512];

static void put(const char *name, const char *text)
{
	char path[512], *at;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = 0;
		mkdir(path, 0755);
		*at = '/';
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void keep_warnings(enum log_level level, const char *line, void *arg)
{
	if (level == LOG_L_WARN)
		snprintf(warning, sizeof(warning), "%s", line);
}

static void setup(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	loop = loop_sim_new(NS_PER_SEC);
	fake_sg_setup(loop);
	sg_sys_root = sg_proc_root = root;
	log_set_level(LOG_L_WARN);
	log_set_hook(keep_warnings, NULL);
	warning[0] = 0;
	memset(&identity, 0, sizeof(identity));
	/* A disk with one partition. */
	put("class/scsi_generic/sg4/device/block/sda/size", "8\n");
	put("class/block/sda/dev", "8:0\n");
	put("class/block/sda/sda1/partition", "1\n");
	put("class/block/sda1/dev", "8:1\n");
	put("self/mountinfo",
	    "22 1 8:17 / /home rw,relatime shared:1 - ext4 /dev/sdb1 rw\n");
	put("swaps", "Filename Type Size Used Priority\n/dev/sdc partition 1 0 -2\n");
}

static int forget(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void teardown(void)
{
	nftw(root, forget, 16, FTW_DEPTH | FTW_PHYS);
	fake_sg_teardown();
	loop_free(loop);
}

static struct path *path;

static int open_path(void)
{
	struct sg_conf conf = {.wwid = FAKE_WWID, .identity = &identity};

	path = NULL;
	errbuf[0] = 0;
	return sg_path_new(loop, &conf, "/dev/sg4", &path, errbuf, sizeof(errbuf));
}

START_TEST(a_free_disk_is_held_until_release)
{
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	ck_assert_uint_eq(fake.claims_open, 1);
	path->ops->release(path);
	ck_assert_uint_eq(fake.claims_open, 0);
	ck_assert_uint_eq(fake.nopen, 0);
}
END_TEST

/* What stands in sysfs and proc, and what is said. */
static const struct {
	const char *file, *text;
	const char *says;
} users[] = {
	{"class/block/sda/holders/dm-3", "",
	 "/dev/sda is held by the device-mapper map mpatha (dm-3)"},
	{"class/block/sda1/holders/md0", "", "/dev/sda1 is held by /dev/md0"},
	{"self/mountinfo", "30 1 8:0 / /srv/data rw - ext4 /dev/disk/by-uuid/1-2 rw\n",
	 "/dev/sda is mounted on /srv/data; unmount it first"},
	{"self/mountinfo", "30 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n",
	 "/dev/sda1 is mounted on /boot"},
	{"swaps", "Filename Type\n/dev/sda1 partition 1 0 -2\n",
	 "/dev/sda1 is swap space"},
	{"class/block/sda/size", "8\n", "in use by another program"},
};

START_TEST(a_used_disk_is_refused_by_name)
{
	put("class/block/dm-3/dm/name", "mpatha\n");
	put(users[_i].file, users[_i].text);
	fake.claim_errno = EBUSY;
	ck_assert_int_eq(open_path(), -EBUSY);
	ck_assert_ptr_null(path);
	ck_assert_msg(strstr(errbuf, users[_i].says) &&
			      !strncmp(errbuf, "/dev/sg4: in use: ", 18),
		      "%s", errbuf);
	ck_assert_uint_eq(fake.nopen + fake.claims_open, 0);
}
END_TEST

/* No right to open the disk: its users are seen all the same. */
START_TEST(without_permission)
{
	fake.claim_errno = EACCES;
	identity.told_sd = true;
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	ck_assert_ptr_nonnull(strstr(warning, "/dev/sda cannot be held"));
	/* Said once, and held as soon as it may be. */
	fake_sg_attach(container_of(path, struct sg_path, path));
	warning[0] = '\0';
	run_check(loop, path, true);
	ck_assert_uint_eq(fake.claims_open, 0);
	ck_assert_str_eq(warning, "");
	fake.claim_errno = 0;
	run_check(loop, path, false);
	ck_assert_uint_eq(fake.claims_open, 1);
	run_check(loop, path, false);
	ck_assert_uint_eq(fake.claims_open, 1);
	path->ops->close(path);
	run_all(loop);
	path->ops->release(path);
	ck_assert_uint_eq(fake.claims_open, 0);
	fake.claim_errno = EACCES;
	put("class/block/sda/holders/dm-3", "");
	ck_assert_int_eq(open_path(), -EBUSY);
	ck_assert_ptr_nonnull(strstr(errbuf, "held by /dev/dm-3"));
}
END_TEST

START_TEST(no_disk_beside_it_is_fine)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/class/scsi_generic/sg4/device/block/sda/size",
		 root);
	remove(dir);
	*strrchr(dir, '/') = 0;
	remove(dir);
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	ck_assert_uint_eq(fake.claims_open, 0);
	ck_assert_str_eq(warning, "");
	path->ops->release(path);
}
END_TEST

START_TEST(a_device_handler_is_warned_of)
{
	identity.told_sd = true;
	put("class/scsi_generic/sg4/device/dh_state", _i ? "alua\n" : "detached\n");
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	ck_assert((strstr(warning, "\"alua\"") != NULL) == (bool)_i);
	/* What to do; not "detach", which the kernel refuses. */
	ck_assert((strstr(warning, "install scsi_dh_alua /bin/false") != NULL) == (bool)_i);
	path->ops->release(path);
	/* Once for the LUN. */
	warning[0] = 0;
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	ck_assert_str_eq(warning, "");
	path->ops->release(path);
}
END_TEST

START_TEST(sd_is_warned_of_once)
{
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	ck_assert_ptr_nonnull(strstr(warning, "/dev/sg4: the kernel's sd driver shares the path, as /dev/sda"));
	ck_assert_ptr_nonnull(strstr(warning, "unbind"));
	path->ops->release(path);
	warning[0] = 0;
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	ck_assert_str_eq(warning, "");
	path->ops->release(path);
}
END_TEST

START_TEST(the_numa_node_of_the_adapter)
{
	put("class/scsi_host/host2/device/x", "");
	put("class/scsi_host/host2/numa_node", "1\n");
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	ck_assert_int_eq(path->numa_node, 1);
	path->ops->release(path);
}
END_TEST

/* While the path is closed after the loss of its device, so is the claim. */
START_TEST(a_lost_device_is_not_held)
{
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	fake_sg_attach(container_of(path, struct sg_path, path));
	run_check(loop, path, true);
	ck_assert_int_eq(core.result, CHECK_OK);
	fake_sg_remove();
	run_all(loop);
	ck_assert_uint_eq(fake.nopen + fake.claims_open, 0);
	fake.removed = false;
	/* Somebody was quicker. */
	fake.claim_errno = EBUSY;
	run_check(loop, path, true);
	ck_assert_int_eq(core.result, CHECK_DOWN);
	ck_assert_ptr_nonnull(strstr(core.why, "in use by another program"));
	fake.claim_errno = 0;
	run_check(loop, path, true);
	ck_assert_int_eq(core.result, CHECK_OK);
	ck_assert_uint_eq(fake.claims_open, 1);
	path->ops->close(path);
	run_all(loop);
	path->ops->release(path);
}
END_TEST

/* After a loss the name is opened again only if sysfs does not give it to another LUN.
 */
START_TEST(a_reused_name_is_not_opened)
{
	static const char naa_a1[] = "naa.600000000000000000000000000000a1\n";
	static const char naa_b2[] = "naa.600000000000000000000000000000b2\n";
	char file[256];

	put("class/scsi_generic/sg4/device/wwid", naa_a1);
	ck_assert_msg(open_path() == 0, "%s", errbuf);
	fake_sg_attach(container_of(path, struct sg_path, path));
	run_check(loop, path, true);
	fake_sg_remove();
	run_all(loop);
	fake.removed = false;
	fake.nlog = 0;
	put("class/scsi_generic/sg4/device/wwid", naa_b2);
	run_check(loop, path, true);
	ck_assert_int_eq(core.result, CHECK_DOWN);
	ck_assert_ptr_nonnull(
		strstr(core.why, "belongs to LUN 3600000000000000000000000000000b2"));
	snprintf(file, sizeof(file), "%s/class/scsi_generic/sg4/device/wwid", root);
	remove(file);
	run_check(loop, path, true);
	ck_assert_ptr_nonnull(strstr(core.why, "removed"));
	ck_assert_uint_eq(fake.nlog, 0);
	put("class/scsi_generic/sg4/device/wwid", naa_a1);
	run_check(loop, path, true);
	ck_assert_int_eq(core.result, CHECK_OK);
	path->ops->close(path);
	run_all(loop);
	path->ops->release(path);
}
END_TEST

/* Nor if it leads to the same LUN: that is another path, and whoever looks for devices finds it. */
START_TEST(a_reused_name_of_the_same_lun_is_not_opened)
{
	char now[256], old[256];

	ck_assert_msg(open_path() == 0, "%s", errbuf);
	fake_sg_attach(container_of(path, struct sg_path, path));
	run_check(loop, path, true);
	fake_sg_remove();
	run_all(loop);
	fake.removed = false;
	fake.nlog = 0;
	snprintf(now, sizeof(now), "%s/class/scsi_generic/sg4", root);
	snprintf(old, sizeof(old), "%s/class/scsi_generic/old", root);
	ck_assert_int_eq(rename(now, old), 0);
	run_check(loop, path, true);
	ck_assert_ptr_nonnull(strstr(core.why, "removed"));
	put("class/scsi_generic/sg4/device/x", "");
	run_check(loop, path, true);
	ck_assert_int_eq(core.result, CHECK_DOWN);
	ck_assert_ptr_nonnull(strstr(core.why, "belongs to another device"));
	ck_assert_uint_eq(fake.nlog + fake.nopen, 0);
	/* Lost for another reason, the very device may be opened again. */
	snprintf(now, sizeof(now), "%s/class/scsi_generic/sg4/device/x", root);
	remove(now);
	*strrchr(now, '/') = 0;
	remove(now);
	*strrchr(now, '/') = 0;
	remove(now);
	ck_assert_int_eq(rename(old, now), 0);
	run_check(loop, path, true);
	ck_assert_int_eq(core.result, CHECK_OK);
	path->ops->close(path);
	run_all(loop);
	path->ops->release(path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sg_claim");
	TCase *t = tcase_create("claim");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_free_disk_is_held_until_release);
	tcase_add_loop_test(t, a_used_disk_is_refused_by_name, 0, ARRAY_SIZE(users));
	tcase_add_test(t, without_permission);
	tcase_add_test(t, no_disk_beside_it_is_fine);
	tcase_add_loop_test(t, a_device_handler_is_warned_of, 0, 2);
	tcase_add_test(t, sd_is_warned_of_once);
	tcase_add_test(t, the_numa_node_of_the_adapter);
	tcase_add_test(t, a_lost_device_is_not_held);
	tcase_add_test(t, a_reused_name_is_not_opened);
	tcase_add_test(t, a_reused_name_of_the_same_lun_is_not_opened);
	suite_add_tcase(s, t);
	return unit_main(s);
}
