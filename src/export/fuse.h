/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuse.h - the LUN as one file, through libfuse3's low-level interface on the
 * loop: for losetup, mkfs and mount where the kernel has no nbd.
 *
 * The mount ends with the process (the kernel repeats nothing): who needs a
 * device that survives a restart uses NBD.
 */
#ifndef EXPORT_FUSE_H
#define EXPORT_FUSE_H

#include <stddef.h>

struct fuse_export;
struct loop;
struct lun;

struct fuse_conf {
	/* The file to mount on; made if it is not there. A mount of a dead predecessor is
	 * taken away. Copied. */
	const char *path;
	/* fuse_export_stop() has ended, or somebody has unmounted the file; may be NULL. From a
	 * task; may call fuse_export_free(). */
	void (*stopped)(void *arg);
	void *arg;
};

/* Mount. The LUN's geometry must be known (-EAGAIN). 0, or a negative errno and a line in @err:
 * "PATH: what: why". */
int fuse_export_new(struct loop *l, struct lun *lun, const struct fuse_conf *conf,
		    struct fuse_export **ret, char *err, size_t err_size);
/* Take no more requests, finish those in flight, unmount (whoever still uses the file gets
 * ENOTCONN), then call stopped(). */
void fuse_export_stop(struct fuse_export *f);
/* Only when stopped (asserted). Accepts NULL. */
void fuse_export_free(struct fuse_export *f);
/* For the simulator: the process is killed. The memory goes, and nothing else happens. */
void fuse_export_vanish(struct fuse_export *f);

#endif
