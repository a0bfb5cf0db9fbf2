/* SPDX-License-Identifier: GPL-2.0-or-later */
/* holders.h - who holds a block device, as sysfs and procfs show it; no device is opened. */
#ifndef PATH_HOLDERS_H
#define PATH_HOLDERS_H

#include <limits.h>

enum holder_kind {
	HOLDER_MOUNT,
	HOLDER_SWAP,
	HOLDER_MULTIPATH, /* a device-mapper map of multipathd, or a partition of one */
	HOLDER_LVM,
	HOLDER_CRYPT,
	HOLDER_DM, /* any other map */
	HOLDER_MD,
	HOLDER_LOOP,  /* a loop device whose backing file it is */
	HOLDER_OTHER, /* bcache and the like */
	HOLDER_KIND_NR
};

struct holder {
	enum holder_kind kind;
	char on[NAME_MAX + 1];	 /* what is held: the device, a partition, what is built on it */
	char by[NAME_MAX + 1];	 /* the device on top of that, "dm-0"; "" for a mount or swap */
	char name[NAME_MAX + 1]; /* the map's name, the mount point, else "" */
};

/*
 * Call @fn with each holder of @block ("sda", bare), of its partitions, and of the devices built
 * on these, from the bottom upwards.  A device that is reached twice is told of twice.
 */
typedef void holder_fn(void *arg, const struct holder *h);
void holders_each(const char *block, holder_fn *fn, void *arg);

/* "mount", "multipath", ... */
extern const char *const holder_kind_names[HOLDER_KIND_NR];

#endif
