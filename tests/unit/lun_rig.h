/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_rig.h - one LUN over simulated paths whose model obeys the test: a memory
 * disk, outcomes ordered in advance, paths that go down.  Included by one file
 * of a program.
 */
#ifndef TESTS_UNIT_LUN_RIG_H
#define TESTS_UNIT_LUN_RIG_H

#include "base/units.h"
#include "core/lun.h"
#include "path/sim.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifndef BS
#define BS 512u
#define NBLOCKS 4096u
#endif

/* The medium, and what the next commands on each path shall meet. */
struct model {
	uint8_t disk[NBLOCKS * BS];
	unsigned ncmds[8], reads, writes, flushes, zeroes;
	uint32_t largest;
	unsigned inflight, inflight_max;
	struct outcome next[8]; /* outcome of the next commands, while fail_n[i] > 0 */
	unsigned fail_n[8];
	bool down[8];	/* checks fail, commands fail */
	bool stall;	/* commands take for ever (an hour) */
	bool stall_path[8];
	uint64_t lat_ns[8];	/* service time; 0: 100 us */
	bool serial;		/* each path works at one command at a time */
	uint64_t busy_until_ns[8];
	uint64_t bytes[8];
	uint64_t check_ns[8]; /* a check takes so long; 0: a millisecond */
	enum access_state access[8];
	unsigned nchecks[8], nflushes[8], news[8];
	uint32_t unexplained[8];
	bool no_cache;
	uint64_t bad_lba; /* medium error; 0 none */
	unsigned caps;
	unsigned prio[8];
	bool explicit_alua;	/* of all paths: serves when activated */
	uint64_t transition_ns;
	unsigned nactivated[8];
	enum access_state activated; /* what that makes of a path */
	unsigned lacks[8]; /* of caps */
	uint32_t max_blocks, phys_block_bytes;
	unsigned host_tags;
	uint64_t other_size[8];
	bool other_ident[8];	/* checks tell another identity, */
	bool sly;		/* those that ask */
	unsigned nfull[8];	/* of nchecks */
	const char *flaw[8]; /* what checks read cannot be read, and why */
	const char *stranger[8]; /* the driver itself says that it is another LUN, and why */
	char lba_log[4096];
	size_t log_len;
};

static struct model m;
static struct loop *loop;
static struct lun *lun;
static struct sim_path *sps[8];
/* Set before start(): what the driver would have filled in. */
static void (*tweak_path)(struct path *p, unsigned i);

static void model_fate(void *model, struct sim_path *sp, struct cmd *cmd, struct sim_fate *f)
{
	m.ncmds[sp->id]++;
	m.inflight++;
	m.inflight_max = MAX(m.inflight_max, m.inflight);
	m.largest = MAX(m.largest, cmd->nblocks);
	m.reads += cmd->op == CMD_READ;
	m.writes += cmd->op == CMD_WRITE;
	m.flushes += cmd->op == CMD_FLUSH;
	m.nflushes[sp->id] += cmd->op == CMD_FLUSH;
	m.zeroes += cmd->op == CMD_WRITE_ZEROES;
	if (m.log_len < sizeof(m.lba_log) - 32)
		m.log_len += (size_t)snprintf(m.lba_log + m.log_len, 32, "%llu ",
					      (unsigned long long)cmd->lba);
	m.bytes[sp->id] += (uint64_t)cmd->nblocks * BS;
	f->end_ns = m.lat_ns[sp->id] ? m.lat_ns[sp->id] : 100 * NS_PER_US;
	if (m.serial) {
		uint64_t now = loop_now_ns(loop);

		m.busy_until_ns[sp->id] = MAX(m.busy_until_ns[sp->id], now) + f->end_ns;
		f->end_ns = m.busy_until_ns[sp->id] - now;
	}
	if (m.stall || m.stall_path[sp->id])
		f->end_ns = 3600 * NS_PER_SEC;
	f->apply_ns = f->end_ns;
	f->outcome.verdict = V_OK;
	f->outcome.done_blocks = cmd->nblocks;
	if (m.down[sp->id]) {
		f->apply_ns = SIM_NEVER;
		f->outcome.verdict = V_FAIL;
		f->outcome.flags = VF_GHOST;
		f->outcome.err = EIO;
	} else if (m.fail_n[sp->id]) {
		m.fail_n[sp->id]--;
		f->outcome = m.next[sp->id];
		if (f->outcome.verdict != V_OK)
			f->apply_ns = SIM_NEVER;
	} else if (m.bad_lba && cmd->op == CMD_READ && m.bad_lba >= cmd->lba &&
		   m.bad_lba < cmd->lba + cmd->nblocks) {
		f->apply_ns = SIM_NEVER;
		f->outcome.verdict = V_ERR;
		f->outcome.err = EIO;
	}
}

static void model_apply(void *model, struct sim_path *sp, struct cmd *cmd)
{
	uint8_t *at = m.disk + (size_t)cmd->lba * BS;

	if (cmd->op == CMD_WRITE_ZEROES)
		memset(at, 0, (size_t)cmd->nblocks * BS);
	if (cmd->op != CMD_READ && cmd->op != CMD_WRITE)
		return;
	for (unsigned i = 0; i < cmd->niov; i++) {
		if (cmd->op == CMD_READ)
			memcpy(cmd->iov[i].iov_base, at, cmd->iov[i].iov_len);
		else
			memcpy(at, cmd->iov[i].iov_base, cmd->iov[i].iov_len);
		at += cmd->iov[i].iov_len;
	}
	ck_assert_uint_eq(at - (m.disk + (size_t)cmd->lba * BS), (size_t)cmd->nblocks * BS);
}

static void model_ended(void *model, struct sim_path *sp, struct cmd *cmd)
{
	m.inflight--;
}

static void model_check(void *model, struct sim_path *sp, bool full, struct sim_check *c)
{
	c->end_ns = m.check_ns[sp->id] ? m.check_ns[sp->id] : NS_PER_MS;
	m.nchecks[sp->id]++;
	m.nfull[sp->id] += full;
	c->news = m.news[sp->id];
	if (m.down[sp->id]) {
		c->result = CHECK_DOWN;
		c->why = "down";
		return;
	}
	if (m.stranger[sp->id]) {
		c->result = CHECK_IDENTITY;
		c->why = m.stranger[sp->id];
		return;
	}
	c->result = m.flaw[sp->id] ? CHECK_MARGINAL : CHECK_OK;
	c->why = m.flaw[sp->id];
	c->info = (struct path_info){ .block_bytes = BS,
				      .nblocks = m.other_size[sp->id] ? m.other_size[sp->id] : NBLOCKS,
				      .write_cache = !m.no_cache,
				      .caps = m.caps & ~m.lacks[sp->id],
				      .access = m.access[sp->id],
				      .unexplained = m.unexplained[sp->id],
				      .max_blocks = m.max_blocks,
				      .phys_block_bytes = m.phys_block_bytes,
				      .host_tags = m.host_tags,
				      .prio = m.prio[sp->id],
				      .explicit_alua = m.explicit_alua,
				      .transition_ns = m.transition_ns,
				      .ident = "simulated" };
	if (m.other_ident[sp->id] && (full || !m.sly))
		strcpy(c->info.ident, "other");
}

static void model_activate(void *model, struct sim_path *sp)
{
	m.nactivated[sp->id]++;
	m.access[sp->id] = m.activated;
}

static const struct sim_model_ops model_ops = {
	.activate = model_activate,
	.fate = model_fate, .apply = model_apply, .check = model_check, .ended = model_ended
};

static void run_end(struct loop_timer *t)
{
}

static void run(uint64_t ns)
{
	uint64_t end = loop_now_ns(loop) + ns;
	struct loop_timer t;

	loop_timer_init(&t, run_end);
	loop_timer_at(loop, &t, end);
	while (loop_timer_running(&t))
		ck_assert(loop_sim_step(loop));
	lun_verify(lun);
}
static void start(unsigned npaths, void (*tweak)(struct lun_params *))
{
	struct lun_params par;

	memset(&m, 0, sizeof(m));
	m.caps = PATH_CAP_FUA;
	loop = loop_sim_new(1000 * NS_PER_SEC);
	lun_params_default(&par);
	par.max_ghosts = 64; /* lun_verify() looks at each of them, after every turn */
	par.polling_interval_ns = 500 * NS_PER_MS;
	par.max_polling_interval_ns = 2 * NS_PER_SEC;
	if (tweak)
		tweak(&par);
	ck_assert_int_eq(lun_new(loop, &par, &lun), 0);
	for (unsigned i = 0; i < npaths; i++) {
		char name[16];

		snprintf(name, sizeof(name), "sim%u", i);
		ck_assert_int_eq(sim_path_new(loop, name, 64, &model_ops, &m, i, &sps[i]), 0);
		if (tweak_path)
			tweak_path(&sps[i]->path, i);
		ck_assert_int_eq(lun_add_path(lun, &sps[i]->path), 0);
	}
	run(10 * NS_PER_MS);
}

static void finish(void)
{
	m.stall = false;
	memset(m.stall_path, 0, sizeof(m.stall_path));
	lun_stop(lun, NS_PER_SEC);
	for (int i = 0; i < 100000 && lun_get_state(lun) != LUN_STOPPED; i++)
		ck_assert(loop_sim_step(loop));
	while (loop_sim_step(loop))
		;
	lun_free(lun);
	loop_free(loop);
}

struct ask {
	struct req *r;
	int err;
	unsigned dones;
};

static void ask_done(struct req *r)
{
	struct ask *a = r->owner;

	a->err = r->err;
	a->dones++;
}

/* In whose name ask() asks. */
static struct lun_client *asker;

static void ask(struct ask *a, enum req_op op, uint64_t lba, uint32_t n, int fill, unsigned flags)
{
	size_t bytes = op == REQ_READ || op == REQ_WRITE ? (size_t)n * BS : 0;

	memset(a, 0, sizeof(*a));
	a->err = -1;
	a->r = lun_req_get(lun, bytes);
	ck_assert_ptr_nonnull(a->r);
	a->r->op = op;
	a->r->lba = lba;
	a->r->nblocks = n;
	a->r->flags = flags;
	a->r->done = ask_done;
	a->r->owner = a;
	a->r->client = asker;
	if (bytes)
		memset(a->r->data, fill, bytes);
	lun_submit(a->r);
}

static void answered(struct ask *a, int err)
{
	ck_assert_uint_eq(a->dones, 1);
	ck_assert_int_eq(a->err, err);
	lun_req_put(a->r);
}

#endif
