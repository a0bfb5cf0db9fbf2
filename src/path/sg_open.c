/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_open.c - open a path's sg files, learn what kernel and host allow, hold the
 * block device beside it.
 *
 * The only place of this driver that may wait for the kernel: nothing here makes
 * it talk to the device, but opening a block device whose host is in error
 * recovery waits for that.
 *
 * An sg file takes 16 commands, so depth decides the number of files.  Two more
 * are the check's, whose commands must find room when all else is full, and the
 * reserve, whose memory is put aside for when the kernel has no other.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"
#include "path/sg_priv.h"
#include "path/sg_sysfs.h"

#define SG_VERSION_MIN 30000 /* sg_io_hdr came with version 3 */
/* Files for data: so many for one path; and the n-th path of a LUN has no more than an n-th of so many. */
#define FILES_WANTED_PATH 16u
#define FILES_WANTED	   64u
#define FILES_LARGE	   1u /* of 16, with half a megabyte */

/* "sg3" of "/dev/sg3"; a link is followed. False if it is no such name. */
static bool sg_name(const char *dev, char *ret, size_t size)
{
	char real[PATH_MAX];
	const char *base;
	unsigned n;
	int end;

	if (strncmp(dev, "/dev/sg", 7) && realpath(dev, real))
		dev = real;
	base = strrchr(dev, '/');
	base = base ? base + 1 : dev;
	/* The kernel has 32768 of them; nothing that might overflow. */
	if (sscanf(base, "sg%6u%n", &n, &end) != 1 || base[end])
		return false;
	return (size_t)snprintf(ret, size, "%s", base) < size;
}

static int open_error(const char *dev, int err, char *errbuf, size_t size)
{
	const char *hint = "";

	switch (err) {
	case ENOENT:
		hint = "; is the device there (lsscsi -g), and the sg module loaded "
		       "(modprobe sg)?";
		break;
	case EACCES:
	case EPERM:
		hint = "; reading and writing must be allowed: group disk, or a udev "
		       "rule for this device";
		break;
	case EROFS:
		hint = "; sg needs write access even to send a read command";
		break;
	case EBUSY:
		hint = "; another program has it open exclusively";
		break;
	case ENXIO:
	case ENODEV:
		hint = "; the device has gone";
		break;
	default:
		break;
	}
	snprintf(errbuf, size, "%s: open: %s%s", dev, strerror(err), hint);
	return -err;
}

static int open_file(struct sg_path *s, struct sg_file *f, char *errbuf, size_t size)
{
	int fd, off = 0;

	/* O_NONBLOCK also here: else open() waits for error recovery. No O_EXCL: it
	 * would refuse our own second file. */
	fd = sys->open(s->path.name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return open_error(s->path.name, -fd, errbuf, size);
	f->sg = s;
	f->inflight = f->empty_wakes = 0;
	loop_fd_init(&f->lfd, fd, sg_file_event);
	/* We take results as they come. It is the default, but a wrong one would hang
	 * us. */
	sys->ioctl(fd, SG_SET_FORCE_PACK_ID, &off);
	return 0;
}

static int check_version(struct sg_path *s, char *errbuf, size_t size)
{
	int version = 0, rc;

	rc = sys->ioctl(s->files[0].lfd.fd, SG_GET_VERSION_NUM, &version);
	if (rc == 0 && version >= SG_VERSION_MIN)
		return 0;
	snprintf(errbuf, size, "%s: is not a SCSI generic device (version 3 or later)",
		 s->path.name);
	return rc < 0 ? rc : -ENOTTY;
}

static int read_address(struct sg_path *s, char *errbuf, size_t size)
{
	struct sg_scsi_id id = {0};
	int rc = sys->ioctl(s->files[0].lfd.fd, SG_GET_SCSI_ID, &id);

	if (rc < 0) {
		snprintf(errbuf, size, "%s: SG_GET_SCSI_ID: %s", s->path.name,
			 strerror(-rc));
		return rc;
	}
	s->path.dev_id = (uint32_t)SCSI_GENERIC_MAJOR << 20 | (uint32_t)strtoul(s->sg + 2, NULL, 10);
	s->path.host = id.host_no;
	s->path.numa_node = sg_host_node(id.host_no);
	snprintf(s->path.dev, sizeof(s->path.dev), "%d:%d:%d:%d", id.host_no,
		 id.channel, id.scsi_id, id.lun);
	sg_node_name(s->sg, s->path.node_name, sizeof(s->path.node_name));
	return 0;
}

unsigned sg_host_tags(const struct sg_path *s)
{
	long tags;

	if (!sg_host_long(s->path.host, "can_queue", &tags) || tags <= 0)
		return 0;
	return (unsigned)MIN(tags, INT_MAX);
}

unsigned sg_depth_now(const struct sg_path *s)
{
	long depth = SG_DEPTH_DEFAULT;
	unsigned tags = sg_host_tags(s);

	if (!sg_attr_long(s->sg, "queue_depth", &depth) || depth < 1)
		depth = SG_DEPTH_DEFAULT;
	/* write() sleeps when the host has no tag left, and its LUs share them. */
	if (tags)
		depth = MIN(depth, (long)MAX(tags / 2, 1u));
	if (s->depth_cap)
		depth = MIN(depth, (long)s->depth_cap);
	return (unsigned)MIN(depth, (long)DEPTH_MAX);
}

/*
 * In copying mode each page is a segment, so the host's segments bound a transfer
 * as well as its sectors do.
 */
static void read_limits(struct sg_path *s)
{
	int fd = s->files[0].lfd.fd, segs = 0, bytes = 0;
	uint64_t max = s->max_xfer_cap;

	if (sys->ioctl(fd, SG_GET_SG_TABLESIZE, &segs) == 0 && segs > 0)
		max = MIN(max, (uint64_t)segs * (uint64_t)sysconf(_SC_PAGESIZE));
	/* On an sg file BLKSECTGET counts bytes. */
	if (sys->ioctl(fd, BLKSECTGET, &bytes) == 0 && bytes > 0)
		max = MIN(max, (uint64_t)bytes);
	s->max_xfer_bytes = (uint32_t)MAX(max, BLOCK_BYTES_MAX);
}

/* @bytes for its buffer, 0: what sg has thought of. */
static void set_buffer(struct sg_file *f, uint32_t want)
{
	int bytes = (int)want;

	if (want)
		sys->ioctl(f->lfd.fd, SG_SET_RESERVED_SIZE, &bytes);
	/* As much as the kernel really has put aside. */
	bytes = 0;
	if (sys->ioctl(f->lfd.fd, SG_GET_RESERVED_SIZE, &bytes) < 0 || bytes < 0)
		bytes = 0;
	f->buffer_bytes = (uint32_t)bytes;
}

/* The last files of a path that has many are for large commands. */
static void set_buffers(struct sg_path *s)
{
	unsigned nlarge = s->nfiles >= FILES_WANTED_PATH ? FILES_LARGE : 0;

	for (unsigned i = 0; i < s->nfiles; i++)
		set_buffer(&s->files[i], i + nlarge < s->nfiles ? 0 : MIN(s->max_xfer_bytes, MERGE_BYTES_MAX));
	set_buffer(sg_reserve_file(s), s->max_xfer_bytes);
}

static int claim(struct sg_path *s, char *errbuf, size_t size)
{
	char block[64], msg[400];
	int rc;

	s->claim_fd = -1;
	if (!sg_block_name(s->sg, block, sizeof(block)))
		return 0;
	rc = sg_claim(block, &s->claim_fd, msg, sizeof(msg));
	if (rc < 0)
		snprintf(errbuf, size, "%s: in use: %s", s->path.name, msg);
	else if (s->claim_fd < 0)
		log_warn("%s: %s", s->path.name, msg);
	return rc;
}

/* While the machine starts udev may come to the disk after it has come to its sg device. Only then: to open
 * a disk that is sick takes its time. */
void sg_claim_again(struct sg_path *s)
{
	char block[64], msg[400];

	if (s->claim_fd != -EACCES || !sg_block_name(s->sg, block, sizeof(block)))
		return;
	if (sg_claim(block, &s->claim_fd, msg, sizeof(msg)) < 0)
		s->claim_fd = -1;
	if (s->claim_fd >= 0)
		log_info("%s: /dev/%s is held against other users now", s->path.name, block);
	else if (s->claim_fd != -EACCES)
		log_warn("%s: %s", s->path.name, msg);
}

/* One for each command that may be under way, so that each has a buffer (pick_file()), as long as the LUN has few
 * paths: each costs the kernel some 50 KiB, four paths 5 MiB. */
static unsigned files_wanted(const struct sg_path *s)
{
	unsigned share = MIN(FILES_WANTED / (s->identity->npaths + 1), FILES_WANTED_PATH);

	return MAX(MIN(share, s->nslots), (s->nslots + SG_CMDS_PER_FILE - 1) / SG_CMDS_PER_FILE);
}

/* Slots are made once, for the depth of the first open. */
static int make_slots(struct sg_path *s)
{
	unsigned i;

	s->nslots = s->depth;
	s->nfiles = files_wanted(s);
	s->slots = calloc(s->nslots + 1, sizeof(*s->slots));
	/* Not cleared, for that would touch all of it. */
	s->asides = malloc((s->nslots + 1) * sizeof(*s->asides));
	s->files = calloc(sg_all_files(s), sizeof(*s->files));
	if (!s->slots || !s->asides || !s->files)
		return -ENOMEM;
	for (i = 0; i <= s->nslots; i++)
		s->slots[i].aside = &s->asides[i];
	for (i = 0; i < sg_all_files(s); i++)
		loop_fd_init(&s->files[i].lfd, -1, sg_file_event);
	for (i = 0; i < s->nslots; i++)
		STAILQ_INSERT_TAIL(&s->free_slots, &s->slots[i], link);
	return 0;
}

/* Host and depth, to know how many files to open. */
static int probe_address(struct sg_path *s, char *errbuf, size_t size)
{
	struct sg_file first, *files = s->files;
	int rc;

	s->files = &first;
	rc = open_file(s, &first, errbuf, size);
	if (rc == 0) {
		rc = check_version(s, errbuf, size);
		if (rc == 0)
			rc = read_address(s, errbuf, size);
		sys->close(first.lfd.fd);
	}
	s->files = files;
	return rc;
}

static int open_all(struct sg_path *s, char *errbuf, size_t size)
{
	unsigned i;
	int rc;

	for (i = 0; i < sg_all_files(s); i++) {
		rc = open_file(s, &s->files[i], errbuf, size);
		if (rc < 0)
			return rc;
	}
	read_limits(s);
	set_buffers(s);
	return claim(s, errbuf, size);
}

/* What the kernel does on its own behalf over the same path. It is so for all paths of a
 * LUN, or for none. */
static void warn_company(struct sg_path *s)
{
	char name[64];

	if (!s->identity->told_handler &&
	    sg_attr_text(s->sg, "dh_state", name, sizeof(name)) > 0 && name[0] &&
	    strcmp(name, "detached")) {
		s->identity->told_handler = true;
		/* scsi_sysfs.c, sdev_store_dh_state(): "can't detach handler". */
		log_warn("%s: the kernel's device handler \"%s\" is attached; it takes "
			 "unit attentions that lunmux should see, and cannot be detached: "
			 "keep scsi_dh_%s from being loaded (\"install scsi_dh_%s "
			 "/bin/false\" in /etc/modprobe.d), and let the device be found "
			 "anew, by a reboot at the latest",
			 s->path.name, name, name, name);
	}
	if (!s->identity->told_sd && sg_block_name(s->sg, name, sizeof(name)) &&
	    !strncmp(name, "sd", 2)) {
		s->identity->told_sd = true;
		log_warn("%s: the kernel's sd driver shares the path, as /dev/%s; it is held "
			 "against others, but sd's own commands may take unit attentions "
			 "that lunmux should see (echo %s >/sys/bus/scsi/drivers/sd/unbind)",
			 s->path.name, name, s->path.dev);
	}
}

int sg_open_files(struct sg_path *s, char *errbuf, size_t size)
{
	int rc;

	if (!sg_name(s->path.name, s->sg, sizeof(s->sg))) {
		snprintf(errbuf, size,
			 "%s: is not an sg device (/dev/sgN); lsscsi -g shows which "
			 "one a disk has",
			 s->path.name);
		return -ENOTTY;
	}
	rc = probe_address(s, errbuf, size);
	if (rc < 0)
		return rc;
	s->depth = sg_depth_now(s);
	if (!s->slots && make_slots(s) < 0) {
		snprintf(errbuf, size, "%s: %s", s->path.name, strerror(ENOMEM));
		return -ENOMEM;
	}
	rc = open_all(s, errbuf, size);
	if (rc < 0) {
		sg_close_files(s);
		return rc;
	}
	warn_company(s);
	return 0;
}

void sg_close_files(struct sg_path *s)
{
	unsigned i;

	assert(s->inflight == 0);
	if (s->claim_fd >= 0)
		sys->close(s->claim_fd);
	s->claim_fd = -1;
	if (!s->files)
		return;
	for (i = 0; i < sg_all_files(s); i++) {
		struct sg_file *f = &s->files[i];

		if (f->lfd.fd < 0)
			continue;
		assert(f->inflight == 0);
		loop_fd_set(s->loop, &f->lfd, 0);
		sys->close(f->lfd.fd);
		f->lfd.fd = -1;
	}
}
