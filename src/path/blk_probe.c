// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_probe.c - open a device or file as a path and look at it: kind, size,
 * limits.  Identity is blk_target.c's part.
 *
 * Everything that is said about a device comes from the open descriptor or
 * from sysfs by its device number, never by its name: names move.
 */
#include <config.h>

#include "path/blk_probe.h"
#include "path/blk_target.h"
#include "path/discover_loop.h"
#include "base/cleanup.h"
#include "base/sys.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

int blk_say(char *err, size_t err_size, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_size, fmt, ap);
	va_end(ap);
	return r;
}

/* --- sysfs ------------------------------------------------------------------------ */

ssize_t blk_sysfs_text(dev_t rdev, const char *attr, char *buf, size_t size)
{
	char path[400], part[16];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(rdev), minor(rdev), attr);
	n = sys->read_file(path, buf, size);
	if (n != -ENOENT)
		return n;
	/* A partition has no queue and no device of its own; its disk is the directory above. */
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(rdev), minor(rdev));
	if (sys->read_file(path, part, sizeof(part)) <= 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../%s", major(rdev), minor(rdev), attr);
	return sys->read_file(path, buf, size);
}

bool blk_sysfs_u64(dev_t rdev, const char *attr, uint64_t *ret)
{
	char buf[32], *end;
	uint64_t v;

	if (blk_sysfs_text(rdev, attr, buf, sizeof(buf)) <= 0)
		return false;
	errno = 0;
	v = strtoull(buf, &end, 10);
	if (errno || end == buf || *end != '\0')
		return false;
	*ret = v;
	return true;
}

static uint64_t sysfs_or(dev_t rdev, const char *attr, uint64_t otherwise)
{
	uint64_t v;

	return blk_sysfs_u64(rdev, attr, &v) ? v : otherwise;
}

/* --- block devices ------------------------------------------------------------------ */

static void read_queue(const struct stat *st, struct blk_facts *f)
{
	uint64_t v, depth;
	char text[32];

	f->rotational = sysfs_or(st->st_rdev, "queue/rotational", 0);
	f->can_zero = sysfs_or(st->st_rdev, "queue/write_zeroes_max_bytes", 0) > 0;
	f->can_discard = sysfs_or(st->st_rdev, "queue/discard_max_bytes", 0) > 0;
	v = sysfs_or(st->st_rdev, "queue/discard_granularity", 0);
	f->discard_granularity = v <= UINT32_MAX ? (uint32_t)v : 0;
	f->write_cache =
		blk_sysfs_text(st->st_rdev, "queue/write_cache", text, sizeof(text)) <= 0 ||
		strcmp(text, "write through") != 0;
	/* Tags; a SCSI device may take fewer than its host has. */
	depth = sysfs_or(st->st_rdev, "queue/nr_requests", 0);
	v = sysfs_or(st->st_rdev, "device/queue_depth", depth);
	depth = MIN(depth, v);
	f->depth = depth <= UINT32_MAX ? (unsigned)depth : 0;
	/* What the kernel would split takes several slots of the device for one of ours. A loop
	 * device has no limit of its own, its file system splits as it pleases. */
	v = f->kind == BLK_LOOP ? 0 : sysfs_or(st->st_rdev, "queue/max_sectors_kb", 0);
	f->max_bytes = v <= UINT32_MAX / KIB ? (uint32_t)v * KIB : 0;
}

/* "2:0:0:1", the SCSI address that device/ points to, begins with the host. */
static void read_place(const struct stat *st, struct blk_facts *f)
{
	char path[80], link[300], vendor[16] = "", model[40] = "";
	const char *base;
	int host, c, t;
	unsigned lun;
	ssize_t n;

	f->numa_node = (int)sysfs_or(st->st_rdev, "device/numa_node", UINT64_MAX);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/device", major(st->st_rdev),
		 minor(st->st_rdev));
	n = readlink(path, link, sizeof(link) - 1);
	if (n > 0) {
		link[n] = '\0';
		base = strrchr(link, '/');
		base = base ? base + 1 : link;
		if (sscanf(base, "%d:%d:%d:%u", &host, &c, &t, &lun) == 4)
			f->host = host;
	}
	blk_sysfs_text(st->st_rdev, "device/vendor", vendor, sizeof(vendor));
	if (blk_sysfs_text(st->st_rdev, "device/model", model, sizeof(model)) > 0)
		snprintf(f->product, sizeof(f->product), "%s %s", vendor, model);
	else if (blk_sysfs_text(st->st_rdev, "dm/name", model, sizeof(model)) > 0)
		snprintf(f->product, sizeof(f->product), "device-mapper %s", model);
}

static int look_at_loop(const struct blk_target *t, int fd, const struct stat *st,
			struct blk_facts *f, char *err, size_t err_size)
{
	struct loop_backing *b = calloc(2, sizeof(*b));
	uint64_t part;
	int r;

	if (!b)
		return blk_say(err, err_size, -ENOMEM, "%s: out of memory", t->dev);
	r = loop_backing_fd(fd, b);
	if (r == 0) {
		f->kind = BLK_LOOP;
		/* A partition answers for its disk, of which it is a part. */
		f->loop_whole = b->offset == 0 && b->sizelimit == 0 &&
				!blk_sysfs_u64(st->st_rdev, "partition", &part);
		f->loop_autoclear = b->autoclear;
		f->backing_dev = b->dev;
		f->backing_ino = b->ino;
		/* The ioctl's name is cut at 63 bytes. */
		snprintf(f->backing, sizeof(f->backing), "%.*s", (int)sizeof(f->backing) - 1,
			 loop_backing_sysfs(st->st_rdev, b + 1) == 0 ? b[1].file : b->file);
		snprintf(f->product, sizeof(f->product), "loop %.*s",
			 (int)sizeof(f->product) - 6, f->backing);
	}
	free(b);
	if (r == -ENXIO)
		return blk_say(err, err_size, -ENXIO,
			       "%s: no file is attached to it (losetup %s FILE)", t->dev, t->dev);
	return 0; /* any other answer: it is no loop device */
}

static int look_at_device(const struct blk_target *t, int fd, const struct stat *st,
			  struct blk_facts *f, char *err, size_t err_size)
{
	unsigned pblock = 0;
	int block = 0, ro = 0, r;

	f->kind = BLK_DEVICE;
	f->rdev = st->st_rdev;
	f->direct = true;
	r = look_at_loop(t, fd, st, f, err, err_size);
	if (r < 0)
		return r;
	if (ioctl(fd, BLKGETSIZE64, &f->size_bytes) < 0 || ioctl(fd, BLKSSZGET, &block) < 0 ||
	    ioctl(fd, BLKPBSZGET, &pblock) < 0 || ioctl(fd, BLKROGET, &ro) < 0) {
		r = -errno;
		return blk_say(err, err_size, r, "%s: cannot ask for its size: %s", t->dev,
			       strerror(-r));
	}
	f->block_bytes = (uint32_t)block;
	f->phys_block_bytes = pblock;
	f->read_only = ro != 0;
	read_queue(st, f);
	if (f->kind != BLK_LOOP)
		read_place(st, f);
	if (f->size_bytes == 0)
		return blk_say(err, err_size, -ENXIO, "%s: its size is 0 (no medium, or detached)",
			       t->dev);
	return 0;
}

/* --- plain files ---------------------------------------------------------------------- */

static int look_at_file(const struct blk_target *t, int fd, const struct stat *st,
			const struct blk_facts *was, struct blk_facts *f, char *err, size_t err_size)
{
	struct statfs fs;

	f->kind = BLK_FILE;
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	f->size_bytes = (uint64_t)st->st_size;
	f->block_bytes = t->file_block_bytes;
	f->phys_block_bytes = (uint32_t)MAX(st->st_blksize, (blksize_t)t->file_block_bytes);
	f->write_cache = true;
	f->rotational = sysfs_or(st->st_dev, "queue/rotational", 0);
	f->in_memory = fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
	snprintf(f->product, sizeof(f->product), f->in_memory ? "file in memory" : "file");
	if (was) {
		f->direct = was->direct;
		f->can_zero = was->can_zero;
		f->can_discard = was->can_discard;
	}
	if (f->size_bytes == 0)
		return blk_say(err, err_size, -EINVAL,
			       "%s: the file is empty (truncate -s 1G %s makes room)", t->dev,
			       t->dev);
	return 0;
}

/* What O_DIRECT asks of @fd: 0 = does not do it, or the alignment in bytes. */
static uint32_t direct_alignment(int fd, uint32_t block_bytes)
{
	uint32_t align = 0;
	void *buf;
#ifdef STATX_DIOALIGN /* Linux 6.1 */
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
	    sx.stx_mask & STATX_DIOALIGN)
		return MAX(sx.stx_dio_offset_align, sx.stx_dio_mem_align);
#endif
	/* The file system does not say: try. */
	if (posix_memalign(&buf, BUF_MIN_BYTES, block_bytes))
		return 0;
	if (fcntl(fd, F_SETFL, O_DIRECT) == 0) {
		/* The memory is to be as badly aligned as ours can be. */
		if (pread(fd, buf, block_bytes, 0) == (ssize_t)block_bytes)
			align = block_bytes;
		fcntl(fd, F_SETFL, 0);
	}
	free(buf);
	return align;
}

static int set_direct(const struct blk_target *t, int fd, struct blk_facts *f, char *err,
		      size_t err_size)
{
	uint32_t align;

	/* In memory O_DIRECT saves nothing, and newer kernels only pretend to do it. */
	if (t->direct == BLK_DIRECT_OFF || (t->direct == BLK_DIRECT_AUTO && f->in_memory))
		return 0;
	align = direct_alignment(fd, f->block_bytes);
	if (align && align <= f->block_bytes && fcntl(fd, F_SETFL, O_DIRECT) == 0) {
		f->direct = true;
		return 0;
	}
	if (t->direct == BLK_DIRECT_AUTO)
		return 0;
	if (align > f->block_bytes)
		return blk_say(err, err_size, -EINVAL,
			       "%s: direct_io on: its file system wants blocks of %u bytes for "
			       "that, the LUN has %u (direct_io auto)",
			       t->dev, align, f->block_bytes);
	return blk_say(err, err_size, -EINVAL,
		       "%s: direct_io on: its file system has no O_DIRECT (direct_io auto)", t->dev);
}

/* Behind the end of the file there is nothing to lose. */
static bool file_can_punch(int fd, const struct blk_facts *f)
{
	return !f->read_only &&
	       fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)f->size_bytes,
			 f->block_bytes) == 0;
}

/* --- both -------------------------------------------------------------------------------- */

int blk_probe_fd(const struct blk_target *t, int fd, const struct blk_facts *was,
		 struct blk_facts *ret, char *err, size_t err_size)
{
	struct blk_facts f = { .host = -1, .numa_node = -1 };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0) {
		r = -errno;
		return blk_say(err, err_size, r, "%s: %s", t->dev, strerror(-r));
	}
	if (S_ISBLK(st.st_mode))
		r = look_at_device(t, fd, &st, &f, err, err_size);
	else
		r = look_at_file(t, fd, &st, was, &f, err, err_size);
	if (r < 0)
		return r;
	if (t->read_only || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		f.read_only = true;
	if (f.read_only)
		f.can_zero = f.can_discard = false;
	if (f.size_bytes % f.block_bytes)
		return blk_say(err, err_size, -EINVAL,
			       "%s: %llu bytes are not a whole number of blocks of %u bytes", t->dev,
			       (unsigned long long)f.size_bytes, f.block_bytes);
	r = blk_target_match(t, &f, err, err_size);
	if (r < 0)
		return r;
	*ret = f;
	return 0;
}

bool blk_too_small(int fd, enum blk_kind kind, uint64_t end_bytes)
{
	uint64_t size;
	struct stat st;

	if (kind == BLK_FILE)
		return fstat(fd, &st) < 0 || (uint64_t)st.st_size < end_bytes;
	return ioctl(fd, BLKGETSIZE64, &size) < 0 || size < end_bytes;
}

/* --- opening -------------------------------------------------------------------------------- */

static int say_busy(const struct blk_target *t, const struct stat *st, char *err, size_t err_size)
{
	char user[300];

	if (blk_find_user(st->st_rdev, 0, 0, true, user, sizeof(user)))
		return blk_say(err, err_size, -EBUSY, "%s: in use: %s", t->dev, user);
	return blk_say(err, err_size, -EBUSY,
		       "%s: in use by another process, or mounted in another namespace "
		       "(fuser -v %s, lsblk %s)",
		       t->dev, t->dev, t->dev);
}

static int say_open_error(const struct blk_target *t, const struct stat *st, int r, char *err,
			  size_t err_size)
{
	if (r == -EBUSY)
		return say_busy(t, st, err, err_size);
	if (r == -EACCES || r == -EPERM)
		return blk_say(err, err_size, -EACCES,
			       "%s: no permission to %s it as user %u (mode %04o, owner %u:%u; "
			       "`read_only yes` needs to read only)",
			       t->dev, t->read_only ? "read" : "read and write", geteuid(),
			       st->st_mode & 07777, st->st_uid, st->st_gid);
	return blk_say(err, err_size, r, "%s: cannot open: %s", t->dev, strerror(-r));
}

/* A medium or a file system that is read-only as a whole makes a read-only path.  A lack of
 * permission does not: that is more likely a mistake than a wish. */
static int open_target(const struct blk_target *t, const struct stat *st, char *err,
		       size_t err_size)
{
	int flags = O_CLOEXEC | O_NOCTTY, fd, ro = 0, r;

	if (S_ISBLK(st->st_mode))
		flags |= O_EXCL | O_DIRECT;
	fd = open(t->dev, flags | (t->read_only ? O_RDONLY : O_RDWR));
	if (fd >= 0)
		return fd;
	r = -errno;
	if (r == -EROFS || (S_ISBLK(st->st_mode) && (r == -EACCES || r == -EPERM))) {
		fd = open(t->dev, flags | O_RDONLY);
		if (fd >= 0 && (r == -EROFS || (ioctl(fd, BLKROGET, &ro) == 0 && ro)))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return say_open_error(t, st, r, err, err_size);
}

static int stat_target(const struct blk_target *t, struct stat *st, char *err, size_t err_size)
{
	int r;

	if (stat(t->dev, st) < 0) {
		r = -errno;
		return blk_say(err, err_size, r, "%s: %s", t->dev,
			       r == -ENOENT ? "there is no such device or file" : strerror(-r));
	}
	if (S_ISDIR(st->st_mode))
		return blk_say(err, err_size, -EISDIR,
			       "%s: is a directory (a path is a block device or a plain file)",
			       t->dev);
	/* Not opened: a FIFO would wait for its other end, a tape would rewind. */
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return blk_say(err, err_size, -ENOTBLK,
			       "%s: is %s, not a block device or a plain file", t->dev,
			       S_ISCHR(st->st_mode)   ? "a character device"
			       : S_ISFIFO(st->st_mode) ? "a FIFO"
						       : "a socket");
	return 0;
}

int blk_probe_open(const struct blk_target *t, struct blk_facts *ret, int *ret_fd, char *err,
		   size_t err_size)
{
	_cleanup_close_ int fd = -1;
	struct stat st, opened;
	int r;

	r = stat_target(t, &st, err, err_size);
	if (r < 0)
		return r;
	fd = open_target(t, &st, err, err_size);
	if (fd < 0)
		return fd;
	if (fstat(fd, &opened) < 0 || ((opened.st_mode ^ st.st_mode) & S_IFMT))
		return blk_say(err, err_size, -EAGAIN, "%s: was replaced while it was opened",
			       t->dev);
	r = blk_probe_fd(t, fd, NULL, ret, err, err_size);
	if (r < 0)
		return r;
	if (ret->kind == BLK_FILE) {
		r = set_direct(t, fd, ret, err, err_size);
		if (r < 0)
			return r;
		ret->can_zero = ret->can_discard = file_can_punch(fd, ret);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}
