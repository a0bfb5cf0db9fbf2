// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk.c - the block path driver: a command becomes one asynchronous system
 * call (some more where zeroing asks for it: blk_zero.c), its errno or count
 * becomes an outcome.
 *
 * The memory that a command names is the kernel's until its completion; nothing
 * is ever cancelled.
 *
 * Knows of checks, loss and closing only that there is a descriptor or none
 * (blk_check.c).
 */
#include <config.h>

#include "path/blk_path.h"
#include "path/blk_errno.h"
#include "path/blk_target.h"
#include "base/log.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* --- completion --------------------------------------------------------------------- */

static struct outcome judge(const struct blk_slot *s, int res)
{
	const struct blk_path *p = s->p;
	const struct cmd *cmd = s->cmd;
	struct blk_errno_ctx ctx = { .op = cmd->op, .cached = p->facts.kind != BLK_DEVICE };
	uint64_t end = cmd->op == CMD_FLUSH ? p->facts.size_bytes
					    : (cmd->lba + cmd->nblocks) * p->facts.block_bytes;
	bool counts = cmd->op == CMD_READ || cmd->op == CMD_WRITE;

	if (s->step == STEP_RANGE)
		return (struct outcome){ .verdict = V_ERR, .flags = VF_NOT_RUN, .err = EINVAL };
	if (res >= 0 && (!counts || (uint64_t)res == s->io.len))
		return (struct outcome){ .verdict = V_OK, .done_blocks = cmd->nblocks };
	if (res != -EAGAIN && res != -ENOMEM)
		ctx.too_small = blk_too_small(p->fd, p->facts.kind, end);
	if (res < 0)
		return blk_outcome_errno(-res, &ctx);
	return blk_outcome_count((uint64_t)res, p->facts.block_bytes, cmd->nblocks, &ctx);
}

static void finish(struct blk_slot *s, int res)
{
	struct blk_path *p = s->p;
	struct blk_engine *e = p->e;
	struct cmd *cmd = s->cmd;

	cmd->outcome = judge(s, res);
	cmd->drv = NULL;
	if (cmd->outcome.verdict == V_FAIL)
		p->doubtful = true;
	assert(p->inflight > 0);
	if (--p->inflight == 0 && (p->stale || p->closing))
		blk_settle_later(p);
	pool_put(&e->slots, s);
	/* The slots are the engine's, whichever companion carried the command. */
	e->room = true;
	if (!TAILQ_EMPTY(&e->starved))
		loop_task_queue(e->loop, &e->collect);
	path_complete(cmd);
}

static void slot_done(struct blk_io *io, int res)
{
	struct blk_slot *s = container_of(io, struct blk_slot, io);

	if (s->step == STEP_RANGE || !blk_zero_next(s, &res))
		finish(s, res);
}

/* --- submission ------------------------------------------------------------------------ */

static void start_rw(struct blk_slot *s, enum blk_io_op op)
{
	const struct cmd *cmd = s->cmd;

	assert(cmd->niov > 0 && cmd->niov <= CMD_SEGS_MAX);
	s->io.op = op;
	s->io.iov = cmd->iov;
	s->io.niov = cmd->niov;
	if (op == BLK_IO_WRITE && cmd->flags & CMD_F_FUA)
		s->io.flags |= BLK_IO_F_DSYNC;
	blk_io_submit(s->p->data, &s->io);
}

static void start_status(struct blk_slot *s)
{
	assert(s->cmd->extents && s->cmd->max_extents > 0);
	s->io.op = BLK_IO_WORK;
	s->io.fd = blk_status_fd(s->p);
	s->io.mode = (int)s->p->facts.block_bytes;
	s->io.work = blk_extents_work;
	s->cmd->nextents = 0;
	blk_io_submit(s->p->e, &s->io);
}

static void start(struct blk_slot *s)
{
	const struct blk_path *p = s->p;
	const struct cmd *cmd = s->cmd;
	uint64_t nblocks = p->facts.size_bytes / p->facts.block_bytes;

	/* Core knows the size; a file would grow if it did not. */
	if (cmd->op != CMD_FLUSH &&
	    (cmd->nblocks == 0 || cmd->lba > nblocks || cmd->nblocks > nblocks - cmd->lba)) {
		s->step = STEP_RANGE;
		blk_io_post(p->e, &s->io, -EINVAL);
		return;
	}
	s->io.off = cmd->lba * p->facts.block_bytes;
	s->io.len = (uint64_t)cmd->nblocks * p->facts.block_bytes;
	switch (cmd->op) {
	case CMD_READ:
		start_rw(s, BLK_IO_READ);
		break;
	case CMD_WRITE:
		start_rw(s, BLK_IO_WRITE);
		break;
	case CMD_WRITE_ZEROES:
	case CMD_DISCARD:
		blk_zero_start(s);
		break;
	case CMD_FLUSH:
		s->io.op = BLK_IO_SYNC;
		blk_io_submit(p->e, &s->io);
		break;
	case CMD_STATUS:
		start_status(s);
		break;
	case CMD_OP_NR:
		assert(!"no operation");
	}
}

static int blk_submit(struct path *path, struct cmd *cmd)
{
	struct blk_path *p = container_of(path, struct blk_path, path);
	struct blk_slot *s;

	if (p->fd < 0 || p->stale || p->closing)
		return -ENODEV;
	s = pool_get(&p->e->slots);
	if (!s) {
		if (!p->is_starved)
			TAILQ_INSERT_TAIL(&p->e->starved, p, starved);
		p->is_starved = true;
		return -EAGAIN;
	}
	s->cmd = cmd;
	s->p = p;
	s->step = STEP_MAIN;
	s->io.fd = p->fd;
	s->io.flags = blk_io_flags(p);
	s->io.done = slot_done;
	cmd->drv = s;
	p->inflight++;
	start(s);
	return 0;
}

/* --- making one ---------------------------------------------------------------------------- */

static void blk_release(struct path *path)
{
	blk_path_free(path);
}

static const struct path_ops blk_path_ops = {
	.name = "blk",
	.submit = blk_submit,
	.check = blk_check,
	.close = blk_close,
	.release = blk_release,
};

/* A block device may be a path once: its own O_EXCL would refuse it, without saying why. */
static int refuse_twice(struct blk_engine *e, const char *dev, char *err, size_t err_size)
{
	struct blk_path *other;
	struct stat st;

	if (stat(dev, &st) < 0 || !S_ISBLK(st.st_mode))
		return 0;
	TAILQ_FOREACH(other, &e->paths, link)
		if (other->facts.kind != BLK_FILE && other->facts.rdev == st.st_rdev)
			return blk_say(err, err_size, -EBUSY,
				       "%s: is a path already, as %s (name it once)", dev,
				       other->path.name);
	return 0;
}

/* Nobody else may use what we are going to write to, by whatever way. */
static int guard_file(struct blk_path *p, char *err, size_t err_size)
{
	const struct blk_target *t = &p->target;
	char user[300];

	if (!t->file || t->file_rdev)
		return 0;
	if (p->facts.kind == BLK_FILE &&
	    blk_find_user(0, t->file_dev, t->file_ino, false, user, sizeof(user)))
		return blk_say(err, err_size, -EBUSY, "%s: in use: %s", t->dev, user);
	if (blk_find_sibling_user(t->file, user, sizeof(user)))
		return blk_say(err, err_size, -EBUSY, "%s: the same disk is in use: %s", t->dev,
			       user);
	return blk_hold_get(p->e, t, &p->hold, err, err_size);
}

/* For the ledger: who knows whether writes that this process has left are over? */
static uint32_t dev_id(const struct blk_facts *f)
{
	if (f->rdev)
		return (uint32_t)(major(f->rdev) << 20 | minor(f->rdev));
	return f->in_memory ? PATH_DEV_FILE :
			      PATH_DEV_FILE | (uint32_t)(major(f->dev) << 20 | minor(f->dev));
}

/* What logs and lunmuxctl call it: the end of a long name, a number behind a file's second path. */
static void name_path(struct blk_path *p)
{
	const char *dev = p->target.dev;
	size_t len = strlen(dev), room = sizeof(p->path.name) - 8;
	struct blk_path *other;
	unsigned nth = 1;

	TAILQ_FOREACH(other, &p->e->paths, link)
		nth += strcmp(other->target.dev, dev) == 0;
	if (len <= room)
		snprintf(p->path.name, sizeof(p->path.name), "%.*s", (int)room, dev);
	else
		snprintf(p->path.name, sizeof(p->path.name), "...%.*s", (int)room - 3,
			 dev + len - (room - 3));
	len = strlen(p->path.name);
	if (nth > 1)
		snprintf(p->path.name + len, sizeof(p->path.name) - len, "#%u", nth);
	if (p->facts.rdev)
		snprintf(p->path.dev, sizeof(p->path.dev), "%u:%u", major(p->facts.rdev),
			 minor(p->facts.rdev));
	else
		snprintf(p->path.dev, sizeof(p->path.dev), "file");
	p->path.dev_id = dev_id(&p->facts);
	p->path.host = p->facts.host;
	p->path.numa_node = p->facts.numa_node;
}

static int path_init(struct blk_path *p, const struct blk_conf *conf, const char *dev, char *err,
		     size_t err_size)
{
	int r;

	r = refuse_twice(p->e, dev, err, err_size);
	if (r < 0)
		return r;
	r = blk_target_init(&p->target, conf, dev, err, err_size);
	if (r < 0)
		return r;
	p->check_read_bytes = MIN(conf->check_read_bytes, CHECK_READ_BYTES_MAX);
	r = blk_probe_open(&p->target, &p->job_facts, &p->fd, err, err_size);
	if (r < 0)
		return r;
	p->job_opened = true;
	blk_take_facts(p);
	return guard_file(p, err, err_size);
}

int blk_path_new(struct blk_engine *e, const struct blk_conf *conf, const char *dev,
		 struct path **ret, char *err, size_t err_size)
{
	struct blk_path *p = calloc(1, sizeof(*p));
	int r;

	assert(conf->wwid && err_size > 0);
	if (!p)
		return blk_say(err, err_size, -ENOMEM, "%s: out of memory", dev);
	p->e = e;
	p->data = e;
	p->fd = -1;
	p->path.ops = &blk_path_ops;
	blk_settle_init(p);
	r = path_init(p, conf, dev, err, err_size);
	if (r == 0)
		name_path(p);
	TAILQ_INSERT_TAIL(&e->paths, p, link);
	if (r < 0) {
		blk_path_free(&p->path);
		return r;
	}
	log_info("%s: %s, %llu blocks of %u bytes, %s", p->path.name, p->facts.product,
		 (unsigned long long)(p->facts.size_bytes / p->facts.block_bytes),
		 p->facts.block_bytes, p->facts.direct ? "O_DIRECT" : "through the page cache");
	if (conf->identity && p->target.file) {
		conf->identity->known = true;
		conf->identity->dev = p->target.file_dev;
		conf->identity->ino = p->target.file_ino;
	}
	*ret = &p->path;
	return 0;
}

void blk_path_free(struct path *path)
{
	struct blk_path *p;

	if (!path)
		return;
	p = container_of(path, struct blk_path, path);
	assert(p->inflight == 0 && p->job == JOB_NONE);
	if (p->is_starved)
		TAILQ_REMOVE(&p->e->starved, p, starved);
	TAILQ_REMOVE(&p->e->paths, p, link);
	loop_task_cancel(p->e->loop, &p->settle);
	if (p->fd >= 0)
		close(p->fd);
	blk_hold_put(p->e, p->hold);
	free(p->job_iov.iov_base);
	blk_target_fini(&p->target);
	free(p);
}
