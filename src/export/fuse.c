/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuse.c - one regular file as the root of a FUSE mount.
 *
 * libfuse only encodes and decodes; its descriptor is watched by our loop and
 * its own loop is never run.  The kernel's page cache is bypassed (direct_io):
 * other exports write to the same LUN.
 *
 * Back-pressure: a request that finds no slot or buffer is kept, alone, and the
 * descriptor is not read until it has been served.
 */
#define FUSE_USE_VERSION 312
#include "export/fuse.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/units.h"
#include "core/lun.h"
#include "export/io.h"
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FUSE_SLOTS 128
#define FUSE_MSGS_PER_TURN 32
#define FUSE_WRITE_MAX (1u * MIB)
#define FUSE_ATTR_SEC 3600.0 /* nobody but us can change the attributes */

struct fuse_slot {
	struct io io;
	struct fuse_export *f;
	fuse_req_t req; /* NULL: free */
	void *held;	/* a write's payload while no buffer is free */
	STAILQ_ENTRY(fuse_slot) link;
};

struct fuse_export {
	struct loop *loop;
	struct io_dev dev;
	struct lun_client client;
	struct lun_observer observer;
	bool observing;
	struct fuse_session *se;
	struct fuse_buf buf;
	struct loop_fd fd;
	struct loop_task task; /* stop, or go on reading */
	char *path;
	void (*stopped)(void *arg);
	void *arg;
	time_t mounted_at;
	STAILQ_HEAD(, fuse_slot) free_slots;
	unsigned busy;
	bool waiting; /* the last request waits for room */
	bool stopping, mounted, ended, told;
	struct fuse_slot slots[FUSE_SLOTS];
};

/* --- slots ------------------------------------------------------------------------ */

static void fuse_watch(struct fuse_export *f)
{
	bool want = !f->stopping && !f->ended && !f->waiting && !STAILQ_EMPTY(&f->free_slots);

	if (f->fd.fd >= 0)
		loop_fd_set(f->loop, &f->fd, want ? LOOP_READ : 0);
}

static struct fuse_slot *fuse_slot_get(struct fuse_export *f, fuse_req_t req)
{
	struct fuse_slot *s = STAILQ_FIRST(&f->free_slots);

	assert(s); /* the descriptor is not read without one */
	STAILQ_REMOVE_HEAD(&f->free_slots, link);
	s->req = req;
	f->busy++;
	return s;
}

static void fuse_slot_put(struct fuse_slot *s)
{
	struct fuse_export *f = s->f;

	free(s->held);
	s->held = NULL;
	s->req = NULL;
	STAILQ_INSERT_HEAD(&f->free_slots, s, link);
	f->busy--;
	if (f->stopping || f->ended)
		loop_task_queue(f->loop, &f->task);
	else
		fuse_watch(f);
}

static void fuse_answer(struct fuse_slot *s, int err)
{
	const struct io *io = &s->io;

	if (io->op == IO_FLUSH && fault_strikes(PLANT_FUSE_ERROR))
		err = 0;
	if (err == ESHUTDOWN)
		fuse_reply_none(s->req); /* its end is unknown: unmounting says so */
	else if (err)
		fuse_reply_err(s->req, err == ECANCELED ? EIO : err);
	else if (io->op == IO_READ)
		fuse_reply_buf(s->req, (const char *)io->data, io->length);
	else if (io->op == IO_WRITE)
		fuse_reply_write(s->req, io->length);
	else
		fuse_reply_err(s->req, 0);
}

static void fuse_io_done(struct io *io)
{
	struct fuse_slot *s = container_of(io, struct fuse_slot, io);

	fuse_answer(s, io->err);
	io_put(io);
	fuse_slot_put(s);
}

static void fuse_io_room(struct io *io)
{
	struct fuse_slot *s = container_of(io, struct fuse_slot, io);
	struct fuse_export *f = s->f;

	if (s->held) {
		if (!fault_strikes(PLANT_FUSE_HELD))
			memcpy(io->data, s->held, io->length);
		free(s->held);
		s->held = NULL;
	}
	io_start(io);
	f->waiting = false;
	loop_task_queue(f->loop, &f->task);
}

static void fuse_start(struct fuse_export *f, fuse_req_t req, enum io_op op, unsigned flags, uint64_t offset,
		       uint32_t length, const void *payload)
{
	struct fuse_slot *s = fuse_slot_get(f, req);
	int r;

	s->io.op = op;
	s->io.flags = flags;
	s->io.offset = offset;
	s->io.length = length;
	r = io_admit(&s->io);
	if (r == -EAGAIN) {
		if (payload) {
			s->held = malloc(length);
			if (!s->held) {
				io_abandon(&s->io);
				io_put(&s->io);
				fuse_reply_err(req, ENOMEM);
				fuse_slot_put(s);
				return;
			}
			memcpy(s->held, payload, length);
		}
		f->waiting = true;
		return;
	}
	if (r != 0) {
		fuse_reply_err(req, r > 0 ? 0 : -r);
		fuse_slot_put(s);
		return;
	}
	if (payload)
		memcpy(s->io.data, payload, length);
	io_start(&s->io);
}

/* --- operations of the file --------------------------------------------------------- */

static void fuse_fill_attr(const struct fuse_export *f, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = FUSE_ROOT_ID;
	st->st_mode = S_IFREG | (f->dev.geo.read_only ? 0440 : 0660);
	st->st_nlink = 1;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_size = (off_t)f->dev.size_bytes;
	st->st_blocks = (blkcnt_t)(f->dev.size_bytes / 512);
	st->st_blksize = (blksize_t)MAX(4096u, f->dev.geo.phys_block_bytes);
	st->st_atime = st->st_mtime = st->st_ctime = f->mounted_at;
}

static void op_init(void *arg, struct fuse_conn_info *conn)
{
	conn->max_write = FUSE_WRITE_MAX;
	conn->max_background = FUSE_SLOTS / 2;
	conn->want |= conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO);
	/* The payload is copied into a buffer of the LUN anyway. */
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, ENOTDIR);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_export *f = fuse_req_userdata(req);
	struct stat st;

	fuse_fill_attr(f, &st);
	fuse_reply_attr(req, &st, FUSE_ATTR_SEC);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct fuse_export *f = fuse_req_userdata(req);
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_CTIME |
			  FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;

	/* Times mean nothing here. O_TRUNC and friends of a device are no error, but the size
	 * does not change; owner and mode are the mount's. */
	if ((to_set & ~(times | FUSE_SET_ATTR_SIZE)) ||
	    ((to_set & FUSE_SET_ATTR_SIZE) && (uint64_t)attr->st_size != f->dev.size_bytes &&
	     attr->st_size != 0)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	op_getattr(req, ino, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_export *f = fuse_req_userdata(req);

	if (f->dev.geo.read_only && (fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
		return;
	}
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fuse_export *f = fuse_req_userdata(req);
	uint64_t end = f->dev.size_bytes;

	if (off < 0 || (uint64_t)off >= end) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	fuse_start(f, req, IO_READ, 0, (uint64_t)off, (uint32_t)MIN((uint64_t)size, end - (uint64_t)off), NULL);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct fuse_export *f = fuse_req_userdata(req);
	uint64_t end = f->dev.size_bytes;
	unsigned flags = fi->flags & (O_SYNC | O_DSYNC) && !fault_strikes(PLANT_FUSE_SYNC) ? IO_F_FUA : 0;

	if (off < 0 || (uint64_t)off >= end) {
		fuse_reply_err(req, ENOSPC);
		return;
	}
	/* A short write at the end, as on a device. */
	size = MIN((uint64_t)size, end - (uint64_t)off);
	fuse_start(f, req, IO_WRITE, flags, (uint64_t)off, (uint32_t)size, buf);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	fuse_start(fuse_req_userdata(req), req, IO_FLUSH, 0, 0, 0, NULL);
}

/* close(2): says nothing about the medium. */
static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
			 struct fuse_file_info *fi)
{
	struct fuse_export *f = fuse_req_userdata(req);
	int what = mode & ~FALLOC_FL_KEEP_SIZE;

	if (off < 0 || len <= 0 || (uint64_t)off > f->dev.size_bytes ||
	    (uint64_t)len > f->dev.size_bytes - (uint64_t)off) {
		fuse_reply_err(req, what ? EINVAL : ENOSPC);
		return;
	}
	if (len > UINT32_MAX - (off_t)f->dev.block_bytes) {
		fuse_reply_err(req, EFBIG);
		return;
	}
	/* A punched hole must read back zero: that is WRITE_ZEROES that may unmap. */
	if (what == FALLOC_FL_PUNCH_HOLE)
		fuse_start(f, req, IO_WRITE_ZEROES, 0, (uint64_t)off, (uint32_t)len, NULL);
	else if (what == FALLOC_FL_ZERO_RANGE)
		fuse_start(f, req, IO_WRITE_ZEROES, IO_F_NO_UNMAP, (uint64_t)off, (uint32_t)len, NULL);
	else
		fuse_reply_err(req, what ? EOPNOTSUPP : 0);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_export *f = fuse_req_userdata(req);
	struct statvfs st = { .f_bsize = f->dev.block_bytes,
			      .f_frsize = f->dev.block_bytes,
			      .f_blocks = f->dev.geo.nblocks,
			      .f_namemax = 255 };

	fuse_reply_statfs(req, &st);
}

static const struct fuse_lowlevel_ops fuse_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.flush = op_flush,
	.release = op_release,
	.fallocate = op_fallocate,
	.statfs = op_statfs,
};

/* --- the session ---------------------------------------------------------------------- */

static void fuse_gone(struct fuse_export *f)
{
	if (f->ended)
		return;
	f->ended = true;
	fuse_watch(f);
	if (!f->stopping)
		log_warn("fuse: %s was unmounted", f->path);
	loop_task_queue(f->loop, &f->task);
}

static void fuse_readable(struct loop_fd *fd, int events)
{
	struct fuse_export *f = container_of(fd, struct fuse_export, fd);

	for (int i = 0; i < FUSE_MSGS_PER_TURN; i++) {
		int r;

		if (f->waiting || STAILQ_EMPTY(&f->free_slots) || f->ended)
			break;
		r = fuse_session_receive_buf(f->se, &f->buf);
		if (r == -EINTR || r == -EAGAIN)
			break;
		if (r <= 0 || fuse_session_exited(f->se)) {
			fuse_gone(f);
			return;
		}
		fuse_session_process_buf(f->se, &f->buf);
	}
	if (fuse_session_exited(f->se))
		fuse_gone(f);
	fuse_watch(f);
}

static void fuse_unmount(struct fuse_export *f)
{
	if (f->fd.fd >= 0)
		loop_fd_set(f->loop, &f->fd, 0);
	f->fd.fd = -1;
	if (f->mounted)
		fuse_session_unmount(f->se);
	f->mounted = false;
}

static void fuse_task(struct loop_task *t)
{
	struct fuse_export *f = container_of(t, struct fuse_export, task);

	fuse_watch(f);
	if ((!f->stopping && !f->ended) || f->busy || f->told)
		return;
	f->ended = f->told = true;
	fuse_unmount(f);
	if (f->stopped)
		f->stopped(f->arg);
}

/* The file must be there; a mount whose daemon has died is in the way. */
static int fuse_prepare(const char *path, char *err, size_t err_size)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (stat(path, &st) < 0 && errno == ENOTCONN) {
		log_notice("fuse: %s: taking away the mount of a dead process", path);
		umount2(path, MNT_DETACH);
	}
	if (stat(path, &st) == 0) {
		if (S_ISREG(st.st_mode))
			return 0;
		snprintf(err, err_size, "fuse: %s: is not a regular file; name one, or a path that does not exist",
			 path);
		return -EEXIST;
	}
	fd = open(path, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		return 0;
	r = -errno;
	snprintf(err, err_size, "fuse: %s: cannot be made: %s", path, strerror(-r));
	return r;
}

static int fuse_mount(struct fuse_export *f, char *err, size_t err_size)
{
	char opts[160];
	char name[] = "lunmux", minus_o[] = "-o";
	char *argv[] = { name, minus_o, opts, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	int fd;

	snprintf(opts, sizeof(opts), "fsname=lunmux:%s,subtype=lunmux,default_permissions%s",
		 lun_params(f->dev.lun)->name, f->dev.geo.read_only ? ",ro" : "");
	f->se = fuse_session_new(&args, &fuse_ops, sizeof(fuse_ops), f);
	fuse_opt_free_args(&args);
	if (!f->se || fuse_session_mount(f->se, f->path) != 0) {
		snprintf(err, err_size, "fuse: %s: mount failed (/dev/fuse, fusermount3 or root is needed)",
			 f->path);
		return -EIO;
	}
	f->mounted = true;
	fd = fuse_session_fd(f->se);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		snprintf(err, err_size, "fuse: %s: %s", f->path, strerror(errno));
		return -EIO;
	}
	loop_fd_init(&f->fd, fd, fuse_readable);
	return 0;
}

/* The kernel keeps the file's size until it is told that it is old. */
static void fuse_lun_changed(struct lun_observer *o, struct lun *lun)
{
	struct fuse_export *f = container_of(o, struct fuse_export, observer);

	if (io_dev_grow(&f->dev) && f->mounted)
		fuse_lowlevel_notify_inval_inode(f->se, FUSE_ROOT_ID, -1, 0);
}

static void fuse_unobserve(struct fuse_export *f)
{
	if (f->observing)
		lun_unobserve(f->dev.lun, &f->observer);
	f->observing = false;
}

int fuse_export_new(struct loop *l, struct lun *lun, const struct fuse_conf *conf, struct fuse_export **ret,
		    char *err, size_t err_size)
{
	struct fuse_export *f = calloc(1, sizeof(*f));
	int r = -ENOMEM;

	if (!f)
		return r;
	f->loop = l;
	f->stopped = conf->stopped;
	f->arg = conf->arg;
	f->mounted_at = time(NULL);
	loop_fd_init(&f->fd, -1, fuse_readable);
	loop_task_init(&f->task, LOOP_COLLECT, fuse_task);
	STAILQ_INIT(&f->free_slots);
	r = io_dev_init(&f->dev, lun);
	if (r < 0)
		goto fail;
	lun_client_join(lun, &f->client);
	for (unsigned i = 0; i < FUSE_SLOTS; i++) {
		f->slots[i].f = f;
		io_init(&f->slots[i].io, &f->dev, fuse_io_room, fuse_io_done);
		f->slots[i].io.client = &f->client;
		STAILQ_INSERT_TAIL(&f->free_slots, &f->slots[i], link);
	}
	f->path = strdup(conf->path);
	r = f->path ? fuse_prepare(f->path, err, err_size) : -ENOMEM;
	if (r == 0)
		r = fuse_mount(f, err, err_size);
	if (r < 0)
		goto fail;
	fuse_watch(f);
	f->observer.changed = fuse_lun_changed;
	lun_observe(lun, &f->observer);
	f->observing = true;
	log_info("fuse: %s", f->path);
	*ret = f;
	return 0;
fail:
	f->ended = f->told = true;
	fuse_export_free(f);
	return r;
}

void fuse_export_stop(struct fuse_export *f)
{
	if (f->stopping)
		return;
	f->stopping = true;
	fuse_unobserve(f);
	fuse_watch(f);
	loop_task_queue(f->loop, &f->task);
}

void fuse_export_free(struct fuse_export *f)
{
	if (!f)
		return;
	assert(f->told && !f->busy);
	lun_client_leave(&f->client);
	fuse_unobserve(f);
	fuse_unmount(f);
	loop_task_cancel(f->loop, &f->task);
	if (f->se)
		fuse_session_destroy(f->se);
	free(f->buf.mem);
	free(f->path);
	free(f);
}

void fuse_export_vanish(struct fuse_export *f)
{
	for (unsigned i = 0; i < FUSE_SLOTS; i++)
		free(f->slots[i].held);
	free(f->buf.mem);
	free(f->path);
	free(f);
}
