// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_target.c - the identity of a block path.
 *
 * "file:NAME" is a file, whatever it is called: device and inode number are
 * compared, of the path itself, of the file behind a loop device that stands
 * for all of it, or of the one device below a device-mapper target of the same
 * size (a delay or a fault injector in a test; not crypt, not LVM).  Anything
 * else is a WWID that the kernel must print for the device (blk_wwid.c).
 */
#include <config.h>

#include "path/blk_target.h"
#include "path/discover_loop.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FILE_PREFIX	 "file:"
#define STACK_LEVELS_MAX 4 /* of device-mapper targets on top of each other */

static int resolve_file(struct blk_target *t, const struct blk_identity *id, char *err,
			size_t err_size)
{
	const char *name = t->wwid + strlen(FILE_PREFIX);
	struct stat st;
	int r;

	t->file = realpath(name, NULL);
	if (!t->file || stat(t->file, &st) < 0) {
		r = -errno;
		return blk_say(err, err_size, r, "wwid %s: %s", t->wwid,
			       r == -ENOENT ? "there is no such file" : strerror(-r));
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return blk_say(err, err_size, -ENOTBLK,
			       "wwid %s: is neither a plain file nor a block device", t->wwid);
	if (id && id->known && (st.st_dev != id->dev || st.st_ino != id->ino))
		return blk_say(err, err_size, -EREMCHG,
			       "%s: %s is another file than the one in use (it was replaced; restart "
			       "lunmuxd to serve the new one)",
			       t->dev, t->file);
	t->file_dev = st.st_dev;
	t->file_ino = st.st_ino;
	t->file_rdev = S_ISBLK(st.st_mode) ? st.st_rdev : 0;
	return 0;
}

int blk_target_init(struct blk_target *t, const struct blk_conf *conf, const char *dev,
		    char *err, size_t err_size)
{
	uint32_t block = conf->file_block_bytes ? conf->file_block_bytes : BLOCK_BYTES_MIN;

	memset(t, 0, sizeof(*t));
	if (block < BLOCK_BYTES_MIN || block > BLOCK_BYTES_MAX || (block & (block - 1)))
		return blk_say(err, err_size, -EINVAL,
			       "%s: %u bytes are no block size (a power of two, %u to %u)", dev,
			       block, BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
	t->file_block_bytes = block;
	t->direct = conf->direct_io;
	t->read_only = conf->read_only;
	t->dev = strdup(dev);
	t->wwid = strdup(conf->wwid);
	if (!t->dev || !t->wwid)
		return blk_say(err, err_size, -ENOMEM, "%s: out of memory", dev);
	if (strncmp(t->wwid, FILE_PREFIX, strlen(FILE_PREFIX)) == 0)
		return resolve_file(t, conf->identity, err, err_size);
	return 0;
}

void blk_target_fini(struct blk_target *t)
{
	free(t->dev);
	free(t->wwid);
	free(t->file);
	memset(t, 0, sizeof(*t));
}

static bool is_file(const struct blk_target *t, dev_t dev, ino_t ino)
{
	return dev == t->file_dev && ino == t->file_ino;
}

/* The one device below a device-mapper target of the same size, 0 if there is no such thing. */
static dev_t below(dev_t rdev)
{
	char path[80], attr[100], text[160];
	_cleanup_closedir_ DIR *d = NULL;
	uint64_t size, lower_size;
	unsigned maj, min;
	struct dirent *e;
	dev_t lower = 0;

	if (blk_sysfs_text(rdev, "dm/uuid", text, sizeof(text)) < 0 ||
	    strncmp(text, "CRYPT-", 6) == 0 || strncmp(text, "LVM-", 4) == 0 ||
	    !blk_sysfs_u64(rdev, "size", &size))
		return 0;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(rdev), minor(rdev));
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(attr, sizeof(attr), "slaves/%.64s/dev", e->d_name);
		if (lower || blk_sysfs_text(rdev, attr, text, sizeof(text)) <= 0 ||
		    sscanf(text, "%u:%u", &maj, &min) != 2)
			return 0;
		lower = makedev(maj, min);
	}
	if (!lower || !blk_sysfs_u64(lower, "size", &lower_size) || lower_size != size)
		return 0;
	return lower;
}

static bool stack_is_file(const struct blk_target *t, dev_t rdev)
{
	struct loop_backing *b = malloc(sizeof(*b));
	bool yes = false;

	for (int level = 0; b && rdev && !yes && level < STACK_LEVELS_MAX; level++) {
		yes = (t->file_rdev && rdev == t->file_rdev) ||
		      (loop_backing_sysfs(rdev, b) == 0 && b->known && b->offset == 0 &&
		       b->sizelimit == 0 && is_file(t, b->dev, b->ino));
		rdev = below(rdev);
	}
	free(b);
	return yes;
}

static int match_file(const struct blk_target *t, struct blk_facts *f, char *err, size_t err_size)
{
	bool yes = false;

	switch (f->kind) {
	case BLK_FILE:
		yes = is_file(t, f->dev, f->ino);
		break;
	case BLK_LOOP:
		yes = is_file(t, f->backing_dev, f->backing_ino) ||
		      (t->file_rdev && f->rdev == t->file_rdev);
		if (yes && !f->loop_whole)
			return blk_say(err, err_size, -EREMCHG,
				       "%s: shows only a part of %s (attached with an offset or a "
				       "size limit)",
				       t->dev, t->file);
		break;
	case BLK_DEVICE:
		yes = stack_is_file(t, f->rdev);
		break;
	}
	if (yes) {
		snprintf(f->ident, sizeof(f->ident), FILE_PREFIX "%.*s",
			 (int)(sizeof(f->ident) - sizeof(FILE_PREFIX)), t->file);
		return 0;
	}
	if (f->kind == BLK_LOOP)
		return blk_say(err, err_size, -EREMCHG, "%s: is another disk: %s is attached, not %s",
			       t->dev, f->backing, t->file);
	return blk_say(err, err_size, -EREMCHG, "%s: is another disk: it does not stand for %s",
		       t->dev, t->file);
}

int blk_target_match(const struct blk_target *t, struct blk_facts *f, char *err, size_t err_size)
{
	int r;

	if (t->file)
		return match_file(t, f, err, err_size);
	if (f->kind != BLK_DEVICE)
		return blk_say(err, err_size, -EREMCHG,
			       "%s: a file or a loop device has no WWID, the LUN's is %s "
			       "(wwid file:NAME)",
			       t->dev, t->wwid);
	r = blk_wwid_match(f->rdev, t->wwid, f->ident, sizeof(f->ident));
	if (r == -EREMCHG)
		return blk_say(err, err_size, r, "%s: is another disk: its WWID is %s, not %s",
			       t->dev, f->ident, t->wwid);
	if (r < 0)
		return blk_say(err, err_size, -EREMCHG,
			       "%s: the kernel knows no WWID of it, so it cannot be told that it "
			       "is %s (wwid file:%s)",
			       t->dev, t->wwid, t->dev);
	return 0;
}
