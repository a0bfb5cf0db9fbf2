/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discover_loop.h - which loop device stands for which file. */
#ifndef PATH_DISCOVER_LOOP_H
#define PATH_DISCOVER_LOOP_H

#include "base/limits.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel says about an attached loop device. */
struct loop_backing {
	char file[PATH_MAX]; /* "" if unknown; as the kernel prints it in our namespace */
	bool deleted;	     /* the name is gone, the file is not */
	bool known;	     /* dev and ino are valid */
	dev_t dev;
	ino_t ino;
	uint64_t offset, sizelimit; /* bytes */
	bool autoclear;
};

/* From an open loop device: certain.  -ENXIO: nothing is attached.  -ENOTTY: no loop device. */
int loop_backing_fd(int fd, struct loop_backing *ret);
/* Without opening it, from sysfs and the file's name: not certain, since the name may mean another
 * file in our mount namespace.  -ENXIO: nothing is attached, or no loop device. */
int loop_backing_sysfs(dev_t rdev, struct loop_backing *ret);

/*
 * Every loop device that stands for the whole of @file (by device and inode
 * number, under whatever name it was attached; a hidden part at an offset or
 * below a size limit is another LUN), "/dev/loop0" first.  Returns how many
 * there are, of which at most @max are in @names; 0 also where the machine has
 * no loop driver; -errno of stat(@file) or of sysfs.
 */
int discover_loop_scan(const char *file, char (*names)[PATH_NAME_BYTES], int max);

/* Call @fn with each attached loop device, "loop0", by number, and what sysfs says about it; as
 * loop_backing_sysfs() not certain. */
typedef void discover_loop_fn(void *arg, const char *loop, const struct loop_backing *b);
void discover_loop_each(discover_loop_fn *fn, void *arg);

#endif
