// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * discover_loop.c - find the loop devices that stand for a file.
 *
 * sysfs names the file as it is called in our root directory now, with
 * " (deleted)" behind a name that is gone; a file attached in another mount
 * namespace may print as a name that means something else here.  So the open
 * device is asked (LOOP_GET_STATUS64 answers with device and inode number), and
 * the name in sysfs counts only where we may not open the device.
 */
#include <config.h>

#include "path/discover_loop.h"
#include "base/cleanup.h"
#include "base/sys.h"
#include "path/sg_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define SYSFS_BLOCK "/sys/block"
static const char deleted_suffix[] = " (deleted)";

/* The kernel's 32-bit form (huge_encode_dev): minor 0-7, major, minor 8-19. */
static dev_t decode_dev(uint64_t d)
{
	return makedev((d >> 8) & 0xfff, (d & 0xff) | ((d >> 12) & 0xfff00));
}

int loop_backing_fd(int fd, struct loop_backing *ret)
{
	struct loop_info64 info = { 0 };

	if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return -errno;
	memset(ret, 0, sizeof(*ret));
	/* At most 63 bytes of the name, so not good enough to open; good enough to show. */
	snprintf(ret->file, sizeof(ret->file), "%.*s", LO_NAME_SIZE, (char *)info.lo_file_name);
	ret->known = true;
	ret->dev = decode_dev(info.lo_device);
	ret->ino = info.lo_inode;
	ret->offset = info.lo_offset;
	ret->sizelimit = info.lo_sizelimit;
	ret->autoclear = info.lo_flags & LO_FLAGS_AUTOCLEAR;
	return 0;
}

/* Attribute loop/@attr of the block device whose directory in sysfs is @dir. */
static ssize_t loop_attr(const char *dir, const char *attr, char *buf, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/loop/%s", dir, attr);
	return sys->read_file(path, buf, size);
}

static uint64_t loop_attr_u64(const char *dir, const char *attr)
{
	char buf[32];

	return loop_attr(dir, attr, buf, sizeof(buf)) > 0 ? strtoull(buf, NULL, 10) : 0;
}

static int backing_read(const char *dir, struct loop_backing *ret)
{
	const size_t suffix = sizeof(deleted_suffix) - 1;
	struct stat st;
	ssize_t len;

	memset(ret, 0, sizeof(*ret));
	len = loop_attr(dir, "backing_file", ret->file, sizeof(ret->file));
	if (len < 0)
		return len == -EFBIG ? -ENAMETOOLONG : -ENXIO;
	ret->offset = loop_attr_u64(dir, "offset");
	ret->sizelimit = loop_attr_u64(dir, "sizelimit");
	ret->autoclear = loop_attr_u64(dir, "autoclear");
	if (stat(ret->file, &st) == 0) {
		ret->known = true;
		ret->dev = st.st_dev;
		ret->ino = st.st_ino;
	} else if ((size_t)len > suffix &&
		   strcmp(ret->file + len - suffix, deleted_suffix) == 0) {
		/* A new file of the old name is not it. */
		ret->deleted = true;
	}
	return 0;
}

int loop_backing_sysfs(dev_t rdev, struct loop_backing *ret)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(rdev), minor(rdev));
	return backing_read(dir, ret);
}

/* Does /dev/loop@number stand for the whole file @st? */
static bool stands_for(const char *name, dev_t rdev, const struct stat *st)
{
	_cleanup_close_ int fd = -1;
	struct loop_backing *b = calloc(1, sizeof(*b));
	bool yes;

	if (!b)
		return false;
	/* Not O_EXCL: this is a look, it must not disturb who holds the device. */
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	yes = ((fd >= 0 && loop_backing_fd(fd, b) == 0) || loop_backing_sysfs(rdev, b) == 0) &&
	      b->known && b->dev == st->st_dev && b->ino == st->st_ino && b->offset == 0 &&
	      b->sizelimit == 0;
	free(b);
	return yes;
}

/* The number of "loop7", or -1. */
static int loop_number(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "loop", 4) != 0 || name[4] < '0' || name[4] > '9')
		return -1;
	n = strtol(name + 4, &end, 10);
	return *end == '\0' && n <= 0xfffff ? (int)n : -1;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return loop_number((*a)->d_name) - loop_number((*b)->d_name);
}

static int is_loop(const struct dirent *d)
{
	return loop_number(d->d_name) >= 0;
}

int discover_loop_scan(const char *file, char (*names)[PATH_NAME_BYTES], int max)
{
	char name[PATH_NAME_BYTES], attached[128];
	struct dirent **list;
	struct stat st, node;
	int n, found = 0;

	if (stat(file, &st) < 0)
		return -errno;
	n = scandir(SYSFS_BLOCK, &list, is_loop, by_number);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		int number = loop_number(list[i]->d_name);

		free(list[i]);
		/* Only what is attached is opened: to open the others would be for nothing. */
		snprintf(attached, sizeof(attached), SYSFS_BLOCK "/loop%d/loop", number);
		snprintf(name, sizeof(name), "/dev/loop%d", number);
		if (access(attached, F_OK) < 0 || stat(name, &node) < 0 ||
		    !S_ISBLK(node.st_mode) || !stands_for(name, node.st_rdev, &st))
			continue;
		if (found < max)
			memcpy(names[found], name, sizeof(name));
		found++;
	}
	free(list);
	return found;
}

void discover_loop_each(discover_loop_fn *fn, void *arg)
{
	_cleanup_free_ struct loop_backing *b = malloc(sizeof(*b));
	struct dirent **list;
	char dir[PATH_MAX];
	int n;

	snprintf(dir, sizeof(dir), "%s/block", sg_sys_root);
	n = scandir(dir, &list, is_loop, by_number);
	for (int i = 0; i < n; i++) {
		snprintf(dir, sizeof(dir), "%s/block/%s", sg_sys_root, list[i]->d_name);
		if (b && backing_read(dir, b) == 0)
			fn(arg, list[i]->d_name, b);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}
