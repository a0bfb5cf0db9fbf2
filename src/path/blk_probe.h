/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk_probe.h - what a device or a file is: kind, size, limits, identity.
 *
 * These calls may sleep in the kernel, and run in a thread of the engine once
 * the path is up.  They log nothing, allocate nothing that outlives them and
 * know no struct path.
 */
#ifndef PATH_BLK_PROBE_H
#define PATH_BLK_PROBE_H

#include "base/limits.h"
#include "path/blk.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum blk_kind { BLK_FILE, BLK_DEVICE, BLK_LOOP };

/* What the path shall be; constant while the path exists. */
struct blk_target {
	char *dev;  /* as configured */
	char *wwid; /* as configured */
	/* "file:" LUNs: the file's canonical name and who it is. */
	char *file;
	dev_t file_dev, file_rdev; /* file_rdev != 0: "file:" names a block device */
	ino_t file_ino;
	enum blk_direct direct;
	uint32_t file_block_bytes;
	bool read_only;
};

/* What it was found to be. */
struct blk_facts {
	enum blk_kind kind;
	dev_t rdev; /* of a device, else 0 */
	dev_t dev;  /* of a file */
	ino_t ino;
	uint64_t size_bytes;
	uint32_t block_bytes, phys_block_bytes;
	bool read_only, rotational;
	bool direct;	  /* opened O_DIRECT */
	bool in_memory;	  /* tmpfs: its I/O never sleeps */
	bool write_cache; /* a flush has something to do */
	bool can_discard;
	bool can_zero; /* better than by writing zeroes */
	uint32_t max_bytes;	     /* of one command, 0 = any */
	uint32_t discard_granularity; /* bytes, 0 = any */
	unsigned depth;		     /* 0 = any */
	int host, numa_node;	     /* -1 unknown */
	/* Loop devices. */
	bool loop_whole;     /* attached at offset 0 and without a size limit */
	bool loop_autoclear; /* goes when the last one closes it */
	dev_t backing_dev;
	ino_t backing_ino;
	char backing[256]; /* as sysfs names it; display, and for opening it */
	char ident[256];   /* as struct path_info has it */
	char product[64];
};

/* -errno as blk_path_new() has them, and a line for the administrator. */
int blk_target_init(struct blk_target *t, const struct blk_conf *conf, const char *dev,
		    char *err, size_t err_size);
void blk_target_fini(struct blk_target *t);

/* Open the target and look at it. 0: *ret_fd is the caller's. */
int blk_probe_open(const struct blk_target *t, struct blk_facts *ret, int *ret_fd, char *err,
		   size_t err_size);
/* Look at it again; @was: what it was before (NULL: just opened), for what only opening can find
 * out.  -ENXIO: nothing is behind it any more.  -EREMCHG: it is another LUN. */
int blk_probe_fd(const struct blk_target *t, int fd, const struct blk_facts *was,
		 struct blk_facts *ret, char *err, size_t err_size);
/* Has the device become too small for bytes up to @end_bytes?  Quick; never sleeps. */
bool blk_too_small(int fd, enum blk_kind kind, uint64_t end_bytes);

/* --- helpers of the family ------------------------------------------------------ */

/* Text and number of an attribute below /sys/dev/block/MAJOR:MINOR/.  A partition finds its
 * disk's queue/ and device/.  Length or -errno; false if it is not there or no number. */
ssize_t blk_sysfs_text(dev_t rdev, const char *attr, char *buf, size_t size);
bool blk_sysfs_u64(dev_t rdev, const char *attr, uint64_t *ret);
/* Identity by the device's own names (blk_wwid.c): 0 and @want in @ident; -EREMCHG and the best
 * name that it has; -ENODATA if it has none. */
int blk_wwid_match(dev_t rdev, const char *want, char *ident, size_t size);
/* Does somebody use a loop device on the whole of @file, other than as our path? */
bool blk_find_sibling_user(const char *file, char *buf, size_t size);
/* Who uses the block device or file (blk_inuse.c): "mounted on /mnt". False if nobody is found.
 * With @procs the open files of all processes are looked at, too. */
bool blk_find_user(dev_t rdev, dev_t dev, ino_t ino, bool procs, char *buf, size_t size);

#endif
