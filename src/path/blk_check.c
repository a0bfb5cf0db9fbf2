// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_check.c - the checks of a block path, its loss and its end.
 *
 * A check is two steps: a thread looks at the device (or opens it anew, if it
 * was lost), because open(2) and ioctls of a sick device may sleep for minutes;
 * then a block or more is read through the engine, as data would be.
 *
 * What the kernel does when a loop device is detached (losetup -d) while we
 * hold it, as measured on 6.1 and 6.18:
 *   - the device stays attached, all I/O goes on, and sysfs says autoclear = 1;
 *     it is detached when the last one closes it.  So a check that finds
 *     autoclear switched on closes the device: the administrator wanted that.
 *   - detached, it has size 0: reads return 0, writes fail with ENOSPC, flushes
 *     with EIO.  Nobody can attach a file while we hold it O_EXCL (EBUSY), so a
 *     device without a file must not stay open.
 *   - without O_EXCL another file could come under our open descriptor.
 * A path without descriptor opens its device again at every full check, and
 * takes it if it is what the LUN is made of.
 *
 *   fd >= 0, !stale   commands are taken
 *   fd >= 0, stale    no new ones; closed when the last has ended
 *   fd < 0            none; a check opens
 *
 * Everything happens in settle(), a task: facts are noted by whoever finds
 * them, and only settle() starts a job.
 */
#include <config.h>

#include "path/blk_path.h"
#include "path/blk_errno.h"
#include "base/log.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One command that zeroes or discards more than this would hold its slot for too long; devices may
 * have to write for it, files change their allocation only. */
#define ZERO_BYTES_MAX_DEVICE (256ull * MIB)
#define ZERO_BYTES_MAX_FILE   (1024ull * MIB)

static void settle(struct blk_path *p);

/* --- what core hears --------------------------------------------------------------- */

static unsigned blk_caps(const struct blk_path *p)
{
	/* FUA is RWF_DSYNC, or a flush behind the command. A cache of its own: what another
	 * node has acknowledged is flushed there (integrity notes, H7). */
	unsigned caps = PATH_CAP_FUA | PATH_CAP_OWN_CACHE;

	if (p->facts.can_discard)
		caps |= PATH_CAP_DISCARD;
	if (p->facts.can_zero)
		caps |= PATH_CAP_WRITE_ZEROES;
	if (p->facts.can_zero && p->facts.kind != BLK_DEVICE)
		caps |= PATH_CAP_FAST_ZERO;
	if (blk_status_fd(p) >= 0)
		caps |= PATH_CAP_STATUS;
	return caps;
}

void blk_info(const struct blk_path *p, struct path_info *info)
{
	const struct blk_facts *f = &p->facts;
	uint64_t zero_max = f->kind == BLK_DEVICE ? ZERO_BYTES_MAX_DEVICE : ZERO_BYTES_MAX_FILE;

	memset(info, 0, sizeof(*info));
	info->block_bytes = f->block_bytes;
	info->phys_block_bytes = f->phys_block_bytes;
	info->nblocks = f->size_bytes / f->block_bytes;
	info->read_only = f->read_only;
	info->rotational = f->rotational;
	info->write_cache = f->write_cache;
	info->caps = blk_caps(p);
	info->max_blocks = f->max_bytes / f->block_bytes;
	info->max_segs = CMD_SEGS_MAX;
	info->max_discard_blocks = (uint32_t)(zero_max / f->block_bytes);
	info->max_zero_blocks = info->max_discard_blocks;
	info->discard_granularity_blocks = f->discard_granularity / f->block_bytes;
	info->depth = f->depth;
	info->access = ACCESS_ACTIVE;
	info->prio = 1;
	info->tpg = -1;
	memcpy(info->ident, f->ident, sizeof(info->ident));
	memcpy(info->product, f->product, sizeof(info->product));
}

static void end_check(struct blk_path *p, enum check_result result, const char *why)
{
	struct path_info info;

	p->check_wanted = false;
	if (result == CHECK_OK || result == CHECK_MARGINAL)
		blk_info(p, &info);
	path_checked(&p->path, result, result == CHECK_OK || result == CHECK_MARGINAL ? &info : NULL,
		     why);
}

/* --- the read ------------------------------------------------------------------------- */

static void tell_read(struct blk_path *p, const struct blk_io *io, int res)
{
	uint64_t n = io->len / p->facts.block_bytes;
	char what[48] = "block 0";

	if (n > 1)
		snprintf(what, sizeof(what), "%llu blocks at 0", (unsigned long long)n);
	if (res < 0)
		snprintf(p->why, sizeof(p->why), "reading %s: %s", what, strerror(-res));
	else
		snprintf(p->why, sizeof(p->why), "reading %s: %d of %u bytes", what, res,
			 (unsigned)io->len);
}

/* A block that cannot be read is not the path's fault; nothing coming at all is. */
static enum check_result read_result(const struct blk_path *p, int res)
{
	struct blk_errno_ctx ctx = { .op = CMD_READ, .cached = p->facts.kind != BLK_DEVICE };

	return res < 0 && blk_outcome_errno(-res, &ctx).verdict == V_ERR ? CHECK_MARGINAL : CHECK_DOWN;
}

static uint32_t read_bytes(const struct blk_path *p)
{
	uint32_t bs = p->facts.block_bytes, n = (p->check_read_bytes + bs - 1) / bs;

	if (p->facts.max_bytes)
		n = MIN(n, p->facts.max_bytes / bs);
	n = (uint32_t)MIN(n, p->facts.size_bytes / bs);
	return MAX(n, 1u) * bs;
}

static void read_done(struct blk_io *io, int res)
{
	struct blk_path *p = container_of(io, struct blk_path, job_io);

	p->job = JOB_NONE;
	if (res == (int)io->len) {
		end_check(p, CHECK_OK, NULL);
	} else {
		if (res == -ENXIO || res == -ENODEV || res == 0)
			p->doubtful = true;
		tell_read(p, io, res);
		end_check(p, read_result(p, res), p->why);
	}
	settle(p);
}

/* As much as is needed, and that may be more after the device was opened anew.  Of this path alone:
 * what checks the data on their way (btrfs) must not find another's. */
static bool make_room(struct blk_path *p, uint32_t bytes)
{
	void *mem;

	if (bytes <= p->job_room)
		return true;
	if (posix_memalign(&mem, BUF_MIN_BYTES, bytes))
		return false;
	free(p->job_iov.iov_base);
	p->job_iov.iov_base = mem;
	p->job_room = bytes;
	return true;
}

static void start_read(struct blk_path *p)
{
	assert(p->facts.block_bytes <= BLOCK_BYTES_MAX);
	if (!make_room(p, read_bytes(p))) {
		end_check(p, CHECK_DOWN, "out of memory for the read of its check");
		settle(p);
		return;
	}
	p->job = JOB_READ;
	p->job_iov.iov_len = read_bytes(p);
	p->job_io = (struct blk_io){
		.op = BLK_IO_READ,
		.flags = blk_io_flags(p),
		.fd = p->fd,
		.iov = &p->job_iov,
		.niov = 1,
		.len = p->job_iov.iov_len,
		.done = read_done,
	};
	blk_io_submit(p->data, &p->job_io);
}

/* --- the look ---------------------------------------------------------------------------- */

/* In a thread. */
static int probe_work(struct blk_io *io)
{
	struct blk_path *p = container_of(io, struct blk_path, job_io);

	if (p->job_reopen && p->job_fd >= 0) {
		close(p->job_fd);
		p->job_fd = -1;
	}
	p->job_opened = p->job_fd < 0;
	if (p->job_opened)
		return blk_probe_open(&p->target, &p->job_facts, &p->job_fd, p->why,
				      sizeof(p->why));
	return blk_probe_fd(&p->target, p->job_fd, &p->job_facts, &p->job_facts, p->why,
			    sizeof(p->why));
}

/* A loop device that is being detached is not ours any more, however well it works. */
static bool is_being_detached(const struct blk_path *p)
{
	if (p->job_facts.kind != BLK_LOOP || !p->job_facts.loop_autoclear)
		return false;
	return p->job_opened ? p->let_go : !p->autoclear;
}

void blk_take_facts(struct blk_path *p)
{
	p->facts = p->job_facts;
	p->data = p->facts.in_memory ? blk_engine_memory(p->e) : p->e;
	if (p->job_opened) {
		p->autoclear = p->facts.loop_autoclear;
		p->no_zero_range = p->zero_by_write = false;
		p->doubtful = false;
		p->let_go = false;
	}
}

/* -errno of a look that ended badly: is there any use in keeping the device open? */
static bool is_lost(int r)
{
	return r == -ENXIO || r == -ENODEV || r == -ENOENT || r == -ENOMEDIUM || r == -EREMCHG ||
	       r == -EBADF || r == -EIO;
}

static void probe_done(struct blk_io *io, int res)
{
	struct blk_path *p = container_of(io, struct blk_path, job_io);

	p->job = JOB_NONE;
	p->fd = p->job_fd;
	if (res == 0 && is_being_detached(p)) {
		p->let_go = true;
		p->stale = true;
		snprintf(p->why, sizeof(p->why), "%s: is being detached (losetup -d), letting go",
			 p->target.dev);
		end_check(p, CHECK_DOWN, p->why);
	} else if (res == 0) {
		blk_take_facts(p);
		start_read(p);
		return;
	} else {
		p->stale = p->fd >= 0 && is_lost(res);
		end_check(p, res == -EREMCHG ? CHECK_IDENTITY : CHECK_DOWN, p->why);
	}
	settle(p);
}

static void start_probe(struct blk_path *p)
{
	p->job = JOB_PROBE;
	p->job_fd = p->fd;
	p->job_reopen = p->check_full && p->doubtful && p->inflight == 0;
	p->job_facts = p->facts;
	/* While the thread may close it, nobody else may use it. */
	if (p->job_reopen)
		p->fd = -1;
	p->job_io = (struct blk_io){
		.op = BLK_IO_WORK,
		.work = probe_work,
		.done = probe_done,
	};
	blk_io_submit(p->e, &p->job_io);
}

/* --- closing -------------------------------------------------------------------------------- */

/* In a thread: the last close of a device may wait for it. */
static int close_work(struct blk_io *io)
{
	return close(io->fd) < 0 ? -errno : 0;
}

static void close_done(struct blk_io *io, int res)
{
	struct blk_path *p = container_of(io, struct blk_path, job_io);

	/* The descriptor is gone whatever close() says, and no data waits behind it: flushes
	 * have been asked for and answered. */
	if (res < 0)
		log_info("%s: close: %s", p->path.name, strerror(-res));
	p->job = JOB_NONE;
	settle(p);
}

static void start_close(struct blk_path *p)
{
	p->job = JOB_CLOSE;
	p->job_io = (struct blk_io){
		.op = BLK_IO_WORK,
		.fd = p->fd,
		.work = close_work,
		.done = close_done,
	};
	p->fd = -1;
	p->stale = false;
	blk_io_submit(p->e, &p->job_io);
}

/* --- deciding ---------------------------------------------------------------------- */

/* May release @p. */
static void settle(struct blk_path *p)
{
	if (p->job != JOB_NONE)
		return;
	if (p->fd >= 0 && p->inflight == 0 && (p->stale || p->closing)) {
		start_close(p);
		return;
	}
	if (p->check_wanted && p->closing) {
		end_check(p, CHECK_DOWN, "the path is closing");
	} else if (p->check_wanted && p->stale) {
		snprintf(p->why, sizeof(p->why), "%s: lost, %u commands still in flight",
			 p->target.dev, p->inflight);
		end_check(p, CHECK_DOWN, p->why);
	} else if (p->check_wanted) {
		start_probe(p);
		return;
	}
	if (p->closing && p->fd < 0)
		path_closed(&p->path);
}

static void settle_task(struct loop_task *t)
{
	settle(container_of(t, struct blk_path, settle));
}

void blk_settle_init(struct blk_path *p)
{
	loop_task_init(&p->settle, LOOP_COLLECT, settle_task);
}

void blk_check(struct path *path, bool full)
{
	struct blk_path *p = container_of(path, struct blk_path, path);

	assert(!p->check_wanted);
	p->check_wanted = true;
	p->check_full = full;
	blk_settle_later(p);
}

void blk_close(struct path *path)
{
	struct blk_path *p = container_of(path, struct blk_path, path);

	assert(!p->closing);
	p->closing = true;
	blk_settle_later(p);
}
