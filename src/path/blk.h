/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk.h - the block path driver: block devices, loop devices and plain files
 * as paths to a LUN.
 *
 * Everything is called in the loop's thread.
 */
#ifndef PATH_BLK_H
#define PATH_BLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blk_engine;
struct loop;
struct path;

/* --- the engine: one per process, under all block paths -------------------- */

enum blk_engine_kind {
	BLK_ENGINE_AUTO,  /* io_uring, and libaio where the kernel refuses it */
	BLK_ENGINE_URING, /* io_uring or nothing */
	BLK_ENGINE_AIO,
	BLK_ENGINE_MEMORY, /* libaio for files in memory: all ends inside io_submit(2) */
};

/* @depth: commands in flight over all paths together, 1..DEPTH_MAX; one more
 * than that is answered by -EAGAIN in path_ops.submit.  Says in the log which
 * kernel interface it took.  0, -EINVAL, -ENOMEM, or the errno of the kernel's
 * refusal. */
int blk_engine_new(struct loop *l, unsigned depth, enum blk_engine_kind kind,
		   struct blk_engine **ret);
/* All paths must have been released (asserted).  Accepts NULL. */
void blk_engine_free(struct blk_engine *e);
/* Is nothing of it in the kernel, or in a thread? Accepts NULL. */
bool blk_engine_is_idle(const struct blk_engine *e);
/* "io_uring" or "libaio". */
const char *blk_engine_name(const struct blk_engine *e);

/* --- paths ------------------------------------------------------------------ */

/* direct_io of the configuration, for plain files.  A block device is always
 * opened O_DIRECT: a page cache per node would hide from one path what another
 * has written. */
enum blk_direct {
	BLK_DIRECT_AUTO, /* where the file takes it at our block size */
	BLK_DIRECT_ON,	 /* or refuse the path */
	BLK_DIRECT_OFF,
};

/*
 * Which file "file:NAME" was for the first path of a LUN.  Its owner has one for each LUN,
 * zeroed before the first blk_path_new(), which fills it in.  NAME may be given to another file
 * while paths to the old one are in use, and the two must not be taken for one LUN.
 */
struct blk_identity {
	bool known;
	uint64_t dev, ino;
};

struct blk_conf {
	/* The LUN's identity as configured, never NULL: "file:/srv/lab.img", or a WWID in one of
	 * the forms that the kernel or multipath prints. */
	const char *wwid;
	enum blk_direct direct_io;
	uint32_t file_block_bytes; /* logical block of a plain file; 0 = 512 */
	bool read_only;		   /* open for reading only */
	/* Each check reads so much, rounded up to blocks, at most CHECK_READ_BYTES_MAX; 0 = one
	 * block. */
	uint32_t check_read_bytes;
	struct blk_identity *identity; /* shared by the LUN's paths; may be NULL */
};

/*
 * Open @dev as a path.  This is the only call that may wait for the device
 * (open(2), one read to learn what O_DIRECT wants); later checks run beside
 * the loop.  @conf and @dev are copied.
 *
 * A device is held O_EXCL, so nobody mounts it or changes what a loop device
 * stands for while it is a path.  A file, and the file behind a loop device
 * where we may open it, carries an OFD write lock: another lunmuxd on the same
 * file is refused whichever loop device it came through.  The paths of one
 * engine share that lock, so several of them may name one file; one block
 * device may be a path only once.
 *
 * 0: *ret is the caller's until lun_add_path() takes it; before that it may be
 * given to blk_path_free().  Else -errno, and @err (of @err_size bytes) holds a
 * line for the administrator: "WHERE: what: why (hint)".
 *   -ENOENT, -ENXIO   it is not there, a loop device has no file attached
 *   -EISDIR, -ENOTBLK a directory; neither a block device nor a plain file
 *   -EACCES           no permission
 *   -EBUSY            mounted, claimed or locked; the line says where and by whom
 *   -EINVAL           empty, or not a whole number of blocks; O_DIRECT asked for in vain
 *   -EREMCHG          it is another LUN than conf->wwid
 */
int blk_path_new(struct blk_engine *e, const struct blk_conf *conf, const char *dev,
		 struct path **ret, char *err, size_t err_size);
/* A path that no LUN has taken.  Accepts NULL. */
void blk_path_free(struct path *p);

#endif
