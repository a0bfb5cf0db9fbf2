// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_hold.c - one lock on the file below a LUN, whatever its paths are.
 *
 * O_EXCL guards a block device, but two loop devices on one file, or a loop
 * device and the file itself, do not know of each other, and two daemons over
 * them would each keep an elevator and a cache of their own.  So the file
 * carries an OFD write lock.  Such a lock belongs to the open file, and two
 * of them conflict even in one process: the paths of an engine therefore share
 * one descriptor, which is for the lock and for looking at allocation, never
 * for data.  The lock ends with the process, however that ends; it covers the
 * whole file, so qemu's locks on the same image collide with it as they should.
 */
#include <config.h>

#include "path/blk_path.h"
#include "path/blk_target.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static int say_locked(const struct blk_target *t, char *err, size_t err_size)
{
	char user[300];

	if (!blk_find_user(0, t->file_dev, t->file_ino, true, user, sizeof(user)))
		snprintf(user, sizeof(user), "another process");
	return blk_say(err, err_size, -EBUSY, "%s: %s is locked: %s", t->dev, t->file, user);
}

static int lock_file(const struct blk_target *t, int *ret_fd, char *err, size_t err_size)
{
	struct flock fl = { .l_type = t->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };
	_cleanup_close_ int fd = -1;
	struct stat st;

	fd = open(t->file, (t->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != t->file_dev || st.st_ino != t->file_ino) {
		/* Permission for the loop device but not for the file, or a read-only file system. */
		log_info("%s: cannot open %s to lock it against other processes", t->dev, t->file);
		return 0;
	}
	if (fcntl(fd, F_OFD_SETLK, &fl) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return say_locked(t, err, err_size);
		log_info("%s: its file system has no locks: %s", t->file, strerror(errno));
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

int blk_hold_get(struct blk_engine *e, const struct blk_target *t, struct blk_hold **ret,
		 char *err, size_t err_size)
{
	struct blk_hold *h;
	struct statfs fs;
	int fd = -1, r;

	TAILQ_FOREACH(h, &e->holds, link) {
		if (h->dev == t->file_dev && h->ino == t->file_ino) {
			h->refs++;
			*ret = h;
			return 0;
		}
	}
	r = lock_file(t, &fd, err, err_size);
	if (r < 0 || fd < 0)
		return r;
	h = calloc(1, sizeof(*h));
	if (!h) {
		close(fd);
		return blk_say(err, err_size, -ENOMEM, "%s: out of memory", t->dev);
	}
	h->dev = t->file_dev;
	h->ino = t->file_ino;
	h->fd = fd;
	h->in_memory = fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
	h->refs = 1;
	TAILQ_INSERT_TAIL(&e->holds, h, link);
	*ret = h;
	return 0;
}

void blk_hold_put(struct blk_engine *e, struct blk_hold *h)
{
	if (!h || --h->refs > 0)
		return;
	TAILQ_REMOVE(&e->holds, h, link);
	close(h->fd);
	free(h);
}
