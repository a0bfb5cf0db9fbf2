// SPDX-License-Identifier: GPL-2.0-or-later
/* check_blk_env.c - see the header. */
#include <config.h>

#include "check_blk_env.h"
#include "base/limits.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WAIT_NS (20 * NS_PER_SEC)

struct told told;

static struct {
	struct loop *loop;
	struct loop_task task;
	struct loop_timer watchdog;
	const unsigned *counter;
	unsigned target;
	bool timed_out;
} waiter;

/* --- the core that only counts ------------------------------------------------- */

static void look(void)
{
	if (waiter.loop)
		loop_task_queue(waiter.loop, &waiter.task);
}

void path_complete(struct cmd *cmd)
{
	ck_assert_uint_eq(cmd->tries, 0); /* each exactly once */
	cmd->tries = 1;
	told.completed++;
	look();
}

void path_room(struct path *p)
{
	told.rooms++;
	look();
}

void path_checked(struct path *p, enum check_result result, const struct path_info *info,
		  const char *why)
{
	told.checked++;
	told.result = result;
	told.has_info = info != NULL;
	if (info)
		told.info = *info;
	snprintf(told.why, sizeof(told.why), "%s", why ? why : "");
	look();
}

void path_lost(struct path *p, const char *why)
{
	told.lost++;
	look();
}

void path_closed(struct path *p)
{
	told.closed++;
	look();
}

/* --- waiting ---------------------------------------------------------------------- */

static void wait_task(struct loop_task *t)
{
	if (*waiter.counter >= waiter.target)
		loop_stop(waiter.loop);
}

static void wait_too_long(struct loop_timer *t)
{
	waiter.timed_out = true;
	loop_stop(waiter.loop);
}

void env_wait(struct env *v, const unsigned *counter, unsigned target)
{
	waiter.loop = v->loop;
	waiter.counter = counter;
	waiter.target = target;
	waiter.timed_out = false;
	loop_task_init(&waiter.task, LOOP_DECIDE, wait_task);
	loop_timer_init(&waiter.watchdog, wait_too_long);
	loop_timer_in(v->loop, &waiter.watchdog, WAIT_NS);
	loop_task_queue(v->loop, &waiter.task);
	loop_run(v->loop);
	loop_timer_stop(v->loop, &waiter.watchdog);
	loop_task_cancel(v->loop, &waiter.task);
	waiter.loop = NULL;
	ck_assert_msg(!waiter.timed_out, "waited for %u, got %u", target, *counter);
	ck_assert_uint_eq(*counter, target);
}

/* --- backing ----------------------------------------------------------------------- */

void make_file(const char *dir, char *file, size_t size, uint64_t nblocks)
{
	char cwd[100];
	int fd;

	/* Absolute: a loop device has another idea of where it is. */
	if (strcmp(dir, ".") == 0)
		dir = getcwd(cwd, sizeof(cwd)) ? cwd : "/tmp";
	ck_assert_int_lt(snprintf(file, size, "%s/check_blk.XXXXXX", dir), size);
	fd = mkstemp(file);
	ck_assert_msg(fd >= 0, "%s: %s", file, strerror(errno));
	ck_assert_int_eq(ftruncate(fd, (off_t)(nblocks * BLK)), 0);
	close(fd);
}

int loop_attach_to(const char *dev, const char *file)
{
	struct loop_config cfg = { 0 };
	int lo = open(dev, O_RDWR | O_CLOEXEC), r;

	if (lo < 0)
		return -errno;
	cfg.fd = (uint32_t)open(file, O_RDWR | O_CLOEXEC);
	r = ioctl(lo, LOOP_CONFIGURE, &cfg) < 0 ? -errno : 0;
	close((int)cfg.fd);
	close(lo);
	return r;
}

int loop_attach(const char *file, uint64_t offset, char *dev, size_t size)
{
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n, r = -1;

	if (ctl < 0)
		return -1;
	/* Another test may take the free one first. */
	for (int tries = 0; tries < 20 && r < 0; tries++) {
		n = ioctl(ctl, LOOP_CTL_GET_FREE);
		if (n < 0)
			break;
		snprintf(dev, size, "/dev/loop%d", n);
		/* Where no udevd makes nodes. */
		if (access(dev, F_OK) < 0 && mknod(dev, S_IFBLK | 0600, makedev(7, n)) < 0)
			break;
		r = loop_attach_to(dev, file);
	}
	close(ctl);
	if (r == 0 && offset) {
		struct loop_info64 info;
		int lo = open(dev, O_RDWR | O_CLOEXEC);

		ck_assert_int_eq(ioctl(lo, LOOP_GET_STATUS64, &info), 0);
		info.lo_offset = offset;
		ck_assert_int_eq(ioctl(lo, LOOP_SET_STATUS64, &info), 0);
		close(lo);
	}
	return r;
}

int loop_detach(const char *dev)
{
	int lo = open(dev, O_RDWR | O_CLOEXEC), r;

	if (lo < 0)
		return -errno;
	r = ioctl(lo, LOOP_CLR_FD, 0) < 0 ? -errno : 0;
	close(lo);
	return r;
}

bool loop_is_attached(const char *dev)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/loop", dev + strlen("/dev/"));
	return access(path, F_OK) == 0;
}

bool have_loops(void)
{
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int here;

	if (ctl < 0)
		return false;
	close(ctl);
	/*
	 * One such program at a time: they detach devices and expect the numbers free to attach
	 * again.  The lock ends with the process and its children.
	 */
	here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (here < 0 || flock(here, LOCK_EX) != 0) {
		perror("check_blk_env: the lock on the working directory");
		exit(EXIT_FAILURE);
	}
	return geteuid() == 0;
}

int skip_all(const char *why)
{
	const char *ci = getenv("CI");

	fprintf(stderr, "%s: %s\n", ci && strcmp(ci, "true") == 0 ? "FAIL" : "SKIP", why);
	return ci && strcmp(ci, "true") == 0 ? 1 : 77;
}

/* --- engine and path ------------------------------------------------------------------ */

void env_engine(struct env *v, enum blk_engine_kind kind, unsigned depth)
{
	memset(&told, 0, sizeof(told));
	v->loop = loop_ev_new();
	ck_assert_ptr_nonnull(v->loop);
	ck_assert_int_eq(blk_engine_new(v->loop, depth, kind, &v->engine), 0);
}

struct path *env_open(struct env *v, const char *dev, enum blk_direct direct, uint32_t block_bytes)
{
	struct blk_conf conf = { .direct_io = direct,
				 .file_block_bytes = block_bytes,
				 .check_read_bytes = v->check_read_bytes };
	char wwid[200], err[300] = "";
	struct path *p = NULL;
	int r;

	snprintf(wwid, sizeof(wwid), "file:%s", v->file);
	conf.wwid = wwid;
	r = blk_path_new(v->engine, &conf, dev, &p, err, sizeof(err));
	ck_assert_msg(r == 0, "%s", err);
	return p;
}

enum check_result env_check(struct env *v, struct path *p, bool full)
{
	p->ops->check(p, full);
	env_wait(v, &told.checked, told.checked + 1);
	return told.result;
}

void env_path(struct env *v, enum blk_direct direct, uint32_t block_bytes)
{
	v->path = env_open(v, v->dev, direct, block_bytes);
	ck_assert_msg(env_check(v, v->path, true) == CHECK_OK, "%s", told.why);
	ck_assert(told.has_info);
	v->info = told.info;
}

void env_close(struct env *v, struct path *p)
{
	p->ops->close(p);
	env_wait(v, &told.closed, told.closed + 1);
	p->ops->release(p);
}

void env_end(struct env *v)
{
	if (v->path)
		env_close(v, v->path);
	blk_engine_free(v->engine);
	loop_free(v->loop);
	if (strcmp(v->file, v->dev) != 0 && v->dev[0])
		loop_detach(v->dev);
	if (v->file[0])
		unlink(v->file);
}

/* --- commands ---------------------------------------------------------------------------- */

struct cmd *cmd_new(enum cmd_op op, uint64_t lba, uint32_t nblocks, unsigned flags)
{
	struct cmd *c = calloc(1, sizeof(*c));

	ck_assert_ptr_nonnull(c);
	c->op = op;
	c->lba = lba;
	c->nblocks = nblocks;
	c->flags = flags;
	memset(&c->outcome, 0xee, sizeof(c->outcome));
	return c;
}

void cmd_data(struct cmd *c, void *data, size_t bytes)
{
	c->iov[0].iov_base = data;
	c->iov[0].iov_len = bytes;
	c->niov = 1;
}

struct outcome env_run(struct env *v, struct cmd *c)
{
	struct outcome o;
	int r = v->path->ops->submit(v->path, c);

	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(c->tries, 0); /* never from inside submit() */
	env_wait(v, &told.completed, told.completed + 1);
	o = c->outcome;
	free(c);
	return o;
}

struct outcome env_rw(struct env *v, enum cmd_op op, uint64_t lba, void *data, uint32_t nblocks,
		      unsigned flags)
{
	struct cmd *c = cmd_new(op, lba, nblocks, flags);

	cmd_data(c, data, (size_t)nblocks * v->info.block_bytes);
	return env_run(v, c);
}

struct outcome env_op(struct env *v, enum cmd_op op, uint64_t lba, uint32_t nblocks, unsigned flags)
{
	return env_run(v, cmd_new(op, lba, nblocks, flags));
}

void *mem(size_t bytes)
{
	void *p;

	ck_assert_int_eq(posix_memalign(&p, 4096, bytes), 0);
	memset(p, 0, bytes);
	return p;
}

void pattern(void *data, size_t bytes, unsigned seed)
{
	uint8_t *b = data;

	for (size_t i = 0; i < bytes; i++)
		b[i] = (uint8_t)(1 + (seed * 31 + i / BLK * 7 + i) % 251);
}

bool all_zero(const void *data, size_t bytes)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < bytes; i++)
		if (b[i])
			return false;
	return true;
}
