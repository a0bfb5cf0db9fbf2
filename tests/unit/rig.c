/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rig.c - see rig.h. */
#include <config.h>

#include "rig.h"

#include "base/log.h"
#include "base/units.h"
#include "loop/loop_body.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* --- the loop: real descriptors, virtual time ------------------------------------------- */

#define FDS_MAX 1024
/* Time that one pump lets pass while nothing else happens. */
#define PUMP_NS (20 * NS_PER_MS)
/* "For ever", as far as held commands go. */
#define HOLD_NS (100 * NS_PER_SEC)

struct rig_loop {
	struct loop loop;
	struct loop_fd *fds[FDS_MAX];
	unsigned n;
	bool stale;
};

static uint64_t rl_clock(struct loop *l)
{
	return l->now_ns;
}

static void rl_fd_set(struct loop *l, struct loop_fd *f, int events)
{
	struct rig_loop *rl = container_of(l, struct rig_loop, loop);
	unsigned i;

	for (i = 0; i < rl->n && rl->fds[i] != f; i++)
		;
	if (events && i == rl->n) {
		assert(rl->n < FDS_MAX);
		rl->fds[rl->n++] = f;
	} else if (!events && i < rl->n) {
		rl->fds[i] = rl->fds[--rl->n];
	}
}

static void rl_signal_start(struct loop *l, struct loop_signal *s)
{
}

static bool rl_signal_stop(struct loop *l, struct loop_signal *s)
{
	return false;
}

static void rl_run(struct loop *l)
{
	abort();
}

static void rl_free(struct loop *l)
{
	free(container_of(l, struct rig_loop, loop));
}

static const struct loop_ops rl_ops = {
	.clock_ns = rl_clock,
	.fd_set = rl_fd_set,
	.signal_start = rl_signal_start,
	.signal_stop = rl_signal_stop,
	.run = rl_run,
	.free = rl_free,
};

struct loop *rig_loop_new(void)
{
	struct rig_loop *rl = calloc(1, sizeof(*rl));

	assert(rl);
	loop_common_init(&rl->loop, &rl_ops, 1000 * NS_PER_SEC);
	return &rl->loop;
}

static bool is_watched(const struct rig_loop *rl, const struct loop_fd *f)
{
	for (unsigned i = 0; i < rl->n; i++)
		if (rl->fds[i] == f)
			return true;
	return false;
}

void rig_loop_stale(struct loop *l, bool stale)
{
	container_of(l, struct rig_loop, loop)->stale = stale;
}

/* True if any descriptor was ready. */
static bool poll_once(struct rig_loop *rl)
{
	struct loop_fd *fds[FDS_MAX];
	struct pollfd p[FDS_MAX];
	unsigned n = rl->n;
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		fds[i] = rl->fds[i];
		p[i] = (struct pollfd){ .fd = fds[i]->fd };
		p[i].events = (short)((fds[i]->events & LOOP_READ ? POLLIN : 0) |
				      (fds[i]->events & LOOP_WRITE ? POLLOUT : 0));
	}
	if (n == 0 || poll(p, n, 0) <= 0)
		return false;
	for (unsigned i = 0; i < n; i++) {
		int events = (p[i].revents & POLLIN ? LOOP_READ : 0) |
			     (p[i].revents & POLLOUT ? LOOP_WRITE : 0);

		if (p[i].revents & (POLLERR | POLLHUP))
			events = LOOP_READ | LOOP_WRITE;
		if (!p[i].revents || !is_watched(rl, fds[i]))
			continue;
		events &= fds[i]->events;
		if (events) {
			any = true;
			fds[i]->fn(fds[i], events);
		}
	}
	return any;
}

static void rounds(struct loop *l)
{
	do {
		loop_turn_begin(l, l->now_ns);
		loop_round(l);
		loop_turn_end(l);
	} while (loop_tasks_queued(l));
}

void rig_loop_pump(struct loop *l)
{
	struct rig_loop *rl = container_of(l, struct rig_loop, loop);
	uint64_t end = l->now_ns + PUMP_NS, due;

	for (unsigned i = 0; i < 100000; i++) {
		bool any = poll_once(rl);

		if (rl->stale)
			any |= poll_once(rl);
		rounds(l);
		if (any)
			continue;
		due = loop_next_due_ns(l);
		if (due > end)
			return;
		l->now_ns = MAX(l->now_ns, due);
	}
	assert(!"the loop spins");
}

void rig_loop_advance(struct loop *l, uint64_t ns)
{
	uint64_t end = l->now_ns + ns, due;

	rig_loop_pump(l);
	while ((due = loop_next_due_ns(l)) <= end) {
		l->now_ns = MAX(l->now_ns, due);
		rig_loop_pump(l);
	}
	l->now_ns = MAX(l->now_ns, end);
	rig_loop_pump(l);
}

/* --- the model of a disk ------------------------------------------------------------------- */

static void fate(void *model, struct sim_path *sp, struct cmd *cmd, struct sim_fate *f)
{
	struct rig *r = model;

	if (r->busy) {
		f->submit = -EAGAIN;
		f->end_ns = 3600 * NS_PER_SEC; /* not before rig_release() */
		return;
	}
	r->inflight++;
	r->ncmds[cmd->op]++;
	if (r->seen)
		r->seen(cmd);
	r->fua += (cmd->flags & CMD_F_FUA) != 0;
	r->no_unmap += (cmd->flags & CMD_F_NO_UNMAP) != 0;
	if (cmd->op == CMD_DISCARD) {
		r->largest_discard = MAX(r->largest_discard, cmd->nblocks);
		r->discard_lba = cmd->lba;
	}
	f->apply_ns = f->end_ns = r->hold ? HOLD_NS : 50 * NS_PER_US;
	f->outcome.verdict = V_OK;
	f->outcome.done_blocks = cmd->nblocks;
	if (r->fail_errno && (r->fail_op == CMD_OP_NR || r->fail_op == cmd->op)) {
		f->apply_ns = SIM_NEVER;
		f->outcome.verdict = V_ERR;
		f->outcome.err = r->fail_errno;
	}
	if (r->fail_next) {
		r->fail_next = false;
		f->apply_ns = SIM_NEVER;
		f->outcome = r->next;
	}
}

static void status(struct rig *r, struct cmd *cmd)
{
	uint32_t bs = r->conf.block_bytes;
	static const uint8_t zeroes[BLOCK_BYTES_MAX];

	for (uint32_t i = 0; i < cmd->nblocks; i++) {
		bool zero = memcmp(r->disk + (cmd->lba + i) * bs, zeroes, bs) == 0;
		struct extent *e = cmd->nextents ? &cmd->extents[cmd->nextents - 1] : NULL;

		if (e && e->zero == zero) {
			e->nblocks++;
		} else if (cmd->nextents < cmd->max_extents) {
			cmd->extents[cmd->nextents++] =
				(struct extent){ .nblocks = 1, .hole = zero, .zero = zero };
		} else {
			break;
		}
	}
}

static void apply(void *model, struct sim_path *sp, struct cmd *cmd)
{
	struct rig *r = model;
	uint8_t *at = r->disk + cmd->lba * r->conf.block_bytes;
	size_t len = (size_t)cmd->nblocks * r->conf.block_bytes;

	switch (cmd->op) {
	case CMD_READ:
	case CMD_WRITE:
		for (unsigned i = 0; i < cmd->niov; i++) {
			void *from = cmd->op == CMD_READ ? at : cmd->iov[i].iov_base;
			void *to = cmd->op == CMD_READ ? cmd->iov[i].iov_base : at;

			memcpy(to, from, cmd->iov[i].iov_len);
			at += cmd->iov[i].iov_len;
		}
		break;
	case CMD_WRITE_ZEROES:
	case CMD_DISCARD:
		memset(at, 0, len);
		break;
	case CMD_STATUS:
		status(r, cmd);
		break;
	case CMD_FLUSH:
	case CMD_OP_NR:
		break;
	}
}

static void check(void *model, struct sim_path *sp, bool full, struct sim_check *c)
{
	struct rig *r = model;

	c->end_ns = r->conf.late ? NS_PER_SEC : NS_PER_MS;
	c->result = CHECK_OK;
	c->info = (struct path_info){
		.block_bytes = r->conf.block_bytes,
		.phys_block_bytes = r->conf.phys_block_bytes,
		.nblocks = r->conf.nblocks,
		.read_only = r->conf.read_only,
		.rotational = r->conf.rotational,
		.write_cache = true,
		.caps = r->conf.caps,
		.discard_granularity_blocks = r->conf.discard_granularity_blocks,
		.ident = "memory",
	};
}

static void ended(void *model, struct sim_path *sp, struct cmd *cmd)
{
	struct rig *r = model;

	r->inflight--;
}

static void released(void *model, struct sim_path *sp)
{
	struct rig *r = model;

	r->path_released = true;
}

static const struct sim_model_ops model_ops = {
	.fate = fate,
	.apply = apply,
	.check = check,
	.ended = ended,
	.released = released,
};

/* --- the rig ---------------------------------------------------------------------------------- */

void rig_start(struct rig *r, const struct rig_conf *conf)
{
	struct lun_params par;
	int rc;

	memset(r, 0, sizeof(*r));
	if (conf)
		r->conf = *conf;
	if (!r->conf.block_bytes)
		r->conf.block_bytes = 512;
	if (!r->conf.nblocks)
		r->conf.nblocks = 8192;
	r->fail_op = CMD_OP_NR;
	r->disk_bytes = r->conf.nblocks * r->conf.block_bytes;
	r->disk = calloc(1, r->disk_bytes);
	r->loop = rig_loop_new();
	lun_params_default(&par);
	par.max_ghosts = 64;
	strcpy(par.name, "disk");
	par.no_path = NO_PATH_QUEUE;
	if (r->conf.max_reqs)
		par.max_reqs = r->conf.max_reqs;
	rc = lun_new(r->loop, &par, &r->lun);
	assert(rc == 0);
	rc = sim_path_new(r->loop, "memory", 256, &model_ops, r, 0, &r->sp);
	assert(rc == 0);
	rc = lun_add_path(r->lun, &r->sp->path);
	assert(rc == 0);
	(void)rc;
	rig_pump(r);
}

void rig_stop(struct rig *r)
{
	rig_release(r);
	lun_stop(r->lun, NS_PER_SEC);
	while (lun_get_state(r->lun) != LUN_STOPPED)
		rig_advance(r, NS_PER_SEC);
	lun_free(r->lun);
	rig_pump(r);
	loop_free(r->loop);
	free(r->disk);
}

void rig_pump(struct rig *r)
{
	rig_loop_pump(r->loop);
}

void rig_advance(struct rig *r, uint64_t ns)
{
	rig_loop_advance(r->loop, ns);
}

void rig_release(struct rig *r)
{
	r->hold = r->busy = false;
	if (r->path_released)
		return;
	path_room(&r->sp->path);
	rig_pump(r);
	if (r->inflight > 0)
		rig_advance(r, HOLD_NS);
	assert(r->inflight == 0);
}

uint8_t rig_byte(uint64_t at, unsigned seed)
{
	return (uint8_t)((at * 0x9e3779b97f4a7c15ull + seed * 0xd1342543de82ef95ull) >> 56 | 1);
}

void rig_pattern(uint8_t *buf, uint64_t at, uint64_t len, unsigned seed)
{
	for (uint64_t i = 0; i < len; i++)
		buf[i] = rig_byte(at + i, seed);
}

bool rig_is_pattern(const uint8_t *buf, uint64_t at, uint64_t len, unsigned seed)
{
	for (uint64_t i = 0; i < len; i++)
		if (buf[i] != rig_byte(at + i, seed))
			return false;
	return true;
}

bool rig_is_zero(const uint8_t *buf, uint64_t len)
{
	while (len > 0 && *buf == 0)
		buf++, len--;
	return len == 0;
}

void rig_fill(struct rig *r, unsigned seed)
{
	rig_pattern(r->disk, 0, r->disk_bytes, seed);
}
