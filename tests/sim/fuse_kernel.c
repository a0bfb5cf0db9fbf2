/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuse_kernel.c - see fuse_kernel.h. */
#define FUSE_USE_VERSION 312
#include "fuse_kernel.h"

#include "world.h"

#include "base/units.h"
#include "export/fuse.h"
#include "export/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPS_MAX (SIM_IODEPTH_MAX * (SIM_CLIENTS_MAX + 1))

/* A request from its receipt to its reply. */
struct fuse_req {
	struct op *op;
};

struct fuse_session {
	struct fuse_lowlevel_ops ops;
	void *export;
	bool mounted;
};

/* One world at a time in a process: libfuse's calls have no room for a context. */
static struct {
	struct world *w;
	struct fuse_session *se;
	struct loop_fd *watch;
	struct loop_timer wake;
	struct prng prng;
	int fd; /* of nothing: the export sets its flags */
	struct op *pending[OPS_MAX]; /* asked for and not received, oldest first */
	unsigned npending;
	struct fuse_req reqs[SIM_CLIENTS_MAX + 1][SIM_IODEPTH_MAX];
	struct op *current; /* being handed over */
	bool stopped;
} fk = { .fd = -1 };

/* --- the programs -------------------------------------------------------------------- */

static void answer(struct fuse_req *req, int err)
{
	struct op *op = req->op;

	if (op->state != OP_OUT || !op->cookie)
		world_fail(fk.w, "O5", "operation %u was answered twice", op->id);
	op->io = NULL;
	op_answer(op, err);
}

bool fuse_is_up(const struct world *w)
{
	return w->fuse && fk.se && fk.se->mounted && !w->stop_asked;
}

void fuse_send(struct op *op)
{
	assert(fk.npending < OPS_MAX);
	op->cookie = 1;
	op->io = NULL;
	fk.pending[fk.npending++] = op;
	fuse_world_watch(op_world(op));
}

struct op *fuse_op(const struct world *w, const struct req *r)
{
	const struct clients *cs = &w->clients;

	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++)
		for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
			if (r->owner && cs->client[i].ops[k].io == r->owner)
				return (struct op *)&cs->client[i].ops[k];
	return NULL;
}

/* --- the kernel ------------------------------------------------------------------------ */

static bool is_readable(void)
{
	return fk.npending && fk.watch && (fk.watch->events & LOOP_READ);
}

static void wake_due(struct loop_timer *t)
{
	if (is_readable())
		fk.watch->fn(fk.watch, LOOP_READ);
	fuse_world_watch(fk.w);
}

void fuse_world_watch(struct world *w)
{
	if (w->fuse && is_readable() && !loop_timer_running(&fk.wake))
		loop_timer_in(w->loop, &fk.wake, draw(&fk.prng, 1, draw_pct(&fk.prng, 5) ? 5000 : 20) * NS_PER_US);
}

void fuse_world_poll(struct world *w)
{
	if (w->fuse && is_readable())
		fk.watch->fn(fk.watch, LOOP_READ);
}

static struct op *take_pending(void)
{
	struct op *op = fk.pending[0];

	fk.npending--;
	memmove(fk.pending, fk.pending + 1, fk.npending * sizeof(struct op *));
	return op;
}

/* Which io stands for the operation that is being handed over. */
int __real_io_admit(struct io *io);
int __wrap_io_admit(struct io *io);
int __wrap_io_admit(struct io *io)
{
	if (fk.current)
		fk.current->io = io;
	return __real_io_admit(io);
}

void __real_loop_fd_init(struct loop_fd *f, int fd, void (*fn)(struct loop_fd *f, int events));
void __wrap_loop_fd_init(struct loop_fd *f, int fd, void (*fn)(struct loop_fd *f, int events));
void __wrap_loop_fd_init(struct loop_fd *f, int fd, void (*fn)(struct loop_fd *f, int events))
{
	__real_loop_fd_init(f, fd, fn);
	if (fd >= 0 && fd == fk.fd)
		fk.watch = f;
}

/* --- libfuse: the session ------------------------------------------------------------------ */

struct fuse_session *fuse_session_new(struct fuse_args *args, const struct fuse_lowlevel_ops *op, size_t op_size,
				      void *userdata)
{
	assert(op_size == sizeof(*op) && !fk.se);
	fk.se = calloc(1, sizeof(*fk.se));
	assert(fk.se);
	fk.se->ops = *op;
	fk.se->export = userdata;
	return fk.se;
}

int fuse_session_mount(struct fuse_session *se, const char *mountpoint)
{
	struct fuse_conn_info conn = { 0 };

	se->mounted = true;
	se->ops.init(se->export, &conn);
	return 0;
}

int fuse_session_fd(struct fuse_session *se)
{
	return fk.fd;
}

int fuse_session_exited(struct fuse_session *se)
{
	return 0;
}

/* Who waits for an answer gets ENOTCONN. */
void fuse_session_unmount(struct fuse_session *se)
{
	se->mounted = false;
	while (fk.npending)
		op_answer(take_pending(), ESHUTDOWN);
}

void fuse_session_destroy(struct fuse_session *se)
{
	assert(!se->mounted && se == fk.se);
	free(se);
	fk.se = NULL;
}

void fuse_opt_free_args(struct fuse_args *args)
{
}

int fuse_lowlevel_notify_inval_inode(struct fuse_session *se, fuse_ino_t ino, off_t off, off_t len)
{
	return 0;
}

int fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf)
{
	if (!fk.npending)
		return -EAGAIN;
	if (draw_pct(&fk.prng, 5))
		return -EINTR;
	fk.current = take_pending();
	return 1;
}

void fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf)
{
	struct op *op = fk.current;
	struct fuse_file_info fi = { .flags = O_RDWR | (op->flags & REQ_F_FUA ? O_DSYNC : 0) };
	struct fuse_req *req = &fk.reqs[op->client->id][op - op->client->ops];
	off_t off = (off_t)op->c0 * CELL_BYTES;
	size_t len = (size_t)(op->c1 - op->c0) * CELL_BYTES;

	req->op = op;
	switch (op->kind) {
	case REQ_READ:
		se->ops.read(req, FUSE_ROOT_ID, len, off, &fi);
		break;
	case REQ_WRITE:
		se->ops.write(req, FUSE_ROOT_ID, (const char *)op->data + op->head_skip, len, off, &fi);
		break;
	case REQ_WRITE_ZEROES:
		se->ops.fallocate(req, FUSE_ROOT_ID,
				  op->flags & REQ_F_NO_UNMAP ? FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE
							     : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  off, (off_t)len, &fi);
		break;
	case REQ_FLUSH:
		se->ops.fsync(req, FUSE_ROOT_ID, (int)prng_below(&fk.prng, 2), &fi);
		break;
	default:
		assert(!"a file has no such operation");
	}
	fk.current = NULL;
}

/* --- libfuse: replies ---------------------------------------------------------------------- */

void *fuse_req_userdata(fuse_req_t req)
{
	return fk.se->export;
}

int fuse_reply_err(fuse_req_t req, int err)
{
	answer(req, err);
	return 0;
}

/* The kernel hears of it when the file is unmounted, and that is now. */
void fuse_reply_none(fuse_req_t req)
{
	answer(req, ESHUTDOWN);
}

int fuse_reply_buf(fuse_req_t req, const char *buf, size_t size)
{
	const struct op *op = req->op;

	if (op->kind != REQ_READ || size != (size_t)(op->c1 - op->c0) * CELL_BYTES)
		world_fail(fk.w, "O1", "operation %u (%s of %u blocks) was answered with %zu bytes", op->id,
			   req_op_name(op->kind), op->nblocks, size);
	memcpy(op->data, buf, size);
	answer(req, 0);
	return 0;
}

int fuse_reply_write(fuse_req_t req, size_t count)
{
	const struct op *op = req->op;

	if (op->kind != REQ_WRITE || count != (size_t)(op->c1 - op->c0) * CELL_BYTES)
		world_fail(fk.w, "O1", "operation %u (%s of %u blocks) was answered with %zu bytes written", op->id,
			   req_op_name(op->kind), op->nblocks, count);
	answer(req, 0);
	return 0;
}

int fuse_reply_attr(fuse_req_t req, const struct stat *attr, double attr_timeout)
{
	assert(!"nobody asks for attributes");
	return 0;
}

int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	assert(!"nobody opens it");
	return 0;
}

int fuse_reply_statfs(fuse_req_t req, const struct statvfs *stbuf)
{
	assert(!"nobody asks for the file system");
	return 0;
}

/* --- the export ------------------------------------------------------------------------------ */

static void export_stopped(void *arg)
{
	fk.stopped = true;
}

void fuse_world_start(struct world *w)
{
	/* A regular file that is there; nothing is done to it. */
	struct fuse_conf conf = { .path = "/proc/self/exe", .stopped = export_stopped };
	char err[200];
	int r;

	if (!w->opt->fuse)
		return;
	if (fk.w != w)
		prng_init(&fk.prng, w->seed, ENT_FUSE);
	fk.w = w;
	fk.fd = fk.fd >= 0 ? fk.fd : open("/dev/null", O_RDWR | O_CLOEXEC);
	fk.stopped = false;
	loop_timer_init(&fk.wake, wake_due);
	r = fuse_export_new(w->loop, w->lun, &conf, &w->fuse, err, sizeof(err));
	if (r < 0)
		world_fail(w, "O6", "%s", err);
}

static void forget(struct world *w)
{
	w->fuse = NULL;
	fk.watch = NULL;
	fk.npending = 0;
	fk.current = NULL;
	fk.stopped = true;
}

void fuse_world_killed(struct world *w)
{
	struct clients *cs = &w->clients;

	if (!w->fuse)
		return;
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++)
		for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
			cs->client[i].ops[k].io = NULL;
	fuse_export_vanish(w->fuse);
	free(fk.se);
	fk.se = NULL;
	forget(w);
}

void fuse_world_stop(struct world *w)
{
	if (w->fuse)
		fuse_export_stop(w->fuse);
}

bool fuse_world_stopped(const struct world *w)
{
	return !w->fuse || fk.stopped;
}

void fuse_world_fini(struct world *w)
{
	fk.w = NULL;
	if (!w->fuse)
		return;
	loop_timer_stop(w->loop, &fk.wake);
	fuse_export_free(w->fuse);
	forget(w);
}
