// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_inuse.c - who uses a block device or a file: mounts, swap, devices built
 * on top (device-mapper, md), loop devices, and at last the open files of all
 * processes.  For error messages: it runs when something is refused.
 */
#include <config.h>

#include "path/blk_probe.h"
#include "path/discover_loop.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Does the file called @name stand for the device or the file that we ask for? */
static bool is_it(const char *name, dev_t rdev, dev_t dev, ino_t ino)
{
	struct stat st;

	if (stat(name, &st) < 0)
		return false;
	if (rdev)
		return S_ISBLK(st.st_mode) && st.st_rdev == rdev;
	return st.st_dev == dev && st.st_ino == ino;
}

static bool find_mount(dev_t rdev, dev_t dev, ino_t ino, char *buf, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	char *text = malloc(2 * PATH_MAX);
	struct mntent m;
	bool found = false;

	/* The device is compared, not the number of the mounted file system, which btrfs and
	 * others make up. */
	while (f && text && !found && getmntent_r(f, &m, text, 2 * PATH_MAX)) {
		if (m.mnt_fsname[0] != '/' || !is_it(m.mnt_fsname, rdev, dev, ino))
			continue;
		snprintf(buf, size, "mounted on %s", m.mnt_dir);
		found = true;
	}
	if (f)
		endmntent(f);
	free(text);
	return found;
}

static bool find_swap(dev_t rdev, dev_t dev, ino_t ino, char *buf, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/swaps", "re");
	char line[PATH_MAX], *end;

	while (f && fgets(line, sizeof(line), f)) {
		end = strpbrk(line, " \t\n");
		if (line[0] != '/' || !end)
			continue;
		*end = '\0';
		if (is_it(line, rdev, dev, ino)) {
			snprintf(buf, size, "used as swap space");
			return true;
		}
	}
	return false;
}

/* A dm or md device on top of it, by the name that its owner gave it. */
static bool find_holder(dev_t rdev, char *buf, size_t size)
{
	char path[300], name[128];
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(rdev), minor(rdev));
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "holders/%.64s/dm/name", e->d_name);
		if (blk_sysfs_text(rdev, path, name, sizeof(name)) > 0)
			snprintf(buf, size, "part of the device-mapper device %s", name);
		else
			snprintf(buf, size, "part of /dev/%.64s", e->d_name);
		return true;
	}
	return false;
}

/* A mounted partition claims the disk below it, too. */
static bool find_partition_user(dev_t rdev, char *buf, size_t size)
{
	char path[300], dev[32], user[256];
	_cleanup_closedir_ DIR *d = NULL;
	unsigned maj, min;
	struct dirent *e;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(rdev), minor(rdev));
	d = opendir(path);
	while (d && (e = readdir(d))) {
		/* Attributes and links to elsewhere are none, and there are fifty of them. */
		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		snprintf(path, sizeof(path), "%.64s/partition", e->d_name);
		if (blk_sysfs_text(rdev, path, dev, sizeof(dev)) <= 0)
			continue;
		snprintf(path, sizeof(path), "%.64s/dev", e->d_name);
		if (blk_sysfs_text(rdev, path, dev, sizeof(dev)) <= 0 ||
		    sscanf(dev, "%u:%u", &maj, &min) != 2 ||
		    !blk_find_user(makedev(maj, min), 0, 0, false, user, sizeof(user)))
			continue;
		snprintf(buf, size, "its partition /dev/%.64s is %s", e->d_name, user);
		return true;
	}
	return false;
}

/* Has process @pid it open?  Its name goes to @buf. */
static bool process_has(const char *pid, dev_t rdev, dev_t dev, ino_t ino, char *buf, size_t size)
{
	char path[600], comm[64] = "?";
	_cleanup_closedir_ DIR *d = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	struct dirent *e;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", pid, e->d_name);
		found = isdigit((unsigned char)e->d_name[0]) && is_it(path, rdev, dev, ino);
	}
	if (!found)
		return false;
	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	f = fopen(path, "re");
	if (f && fgets(comm, sizeof(comm), f))
		comm[strcspn(comm, "\n")] = '\0';
	snprintf(buf, size, "open in process %s (%s)", pid, comm);
	return true;
}

static bool find_process(dev_t rdev, dev_t dev, ino_t ino, char *buf, size_t size)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	struct dirent *e;
	char self[24];

	snprintf(self, sizeof(self), "%d", (int)getpid());
	while (d && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) && strcmp(e->d_name, self) != 0 &&
		    process_has(e->d_name, rdev, dev, ino, buf, size))
			return true;
	return false;
}

bool blk_find_user(dev_t rdev, dev_t dev, ino_t ino, bool procs, char *buf, size_t size)
{
	return find_mount(rdev, dev, ino, buf, size) || find_swap(rdev, dev, ino, buf, size) ||
	       (rdev && find_holder(rdev, buf, size)) ||
	       (rdev && find_partition_user(rdev, buf, size)) ||
	       (procs && find_process(rdev, dev, ino, buf, size));
}

bool blk_find_sibling_user(const char *file, char *buf, size_t size)
{
	char(*names)[PATH_NAME_BYTES] = calloc(PATHS_MAX, sizeof(*names));
	char user[300];
	struct stat st;
	bool found = false;
	int n;

	n = names ? discover_loop_scan(file, names, PATHS_MAX) : 0;
	for (int i = 0; i < n && i < (int)PATHS_MAX && !found; i++) {
		if (stat(names[i], &st) < 0 ||
		    !blk_find_user(st.st_rdev, 0, 0, false, user, sizeof(user)))
			continue;
		snprintf(buf, size, "%s is %s", names[i], user);
		found = true;
	}
	free(names);
	return found;
}
