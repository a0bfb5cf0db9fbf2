/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fate.c - a command at the array: is it allowed (O3, O4, O8), what becomes of
 * it, what does it do to the medium.
 */
#include "fate.h"

#include "cover.h"

#include "array_priv.h"

#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOST_NS (30 * NS_PER_SEC)

/* --- what core may send ---------------------------------------------------------- */

static uint32_t limit_of(uint32_t a)
{
	return a ? a : UINT32_MAX;
}

static void check_ability(struct nexus *n, const struct cmd *cmd)
{
	const struct path_info *i = &n->told;
	static const unsigned need[CMD_OP_NR] = {
		[CMD_WRITE_ZEROES] = PATH_CAP_WRITE_ZEROES,
		[CMD_DISCARD] = PATH_CAP_DISCARD,
		[CMD_STATUS] = PATH_CAP_STATUS,
	};
	uint32_t max = UINT32_MAX;

	/* It may have waited in the driver while the device told us so: it will turn it down. */
	if (n->w->opt->sg && cmd->sent_ns <= n->check_end_ns)
		return;
	if (~i->caps & need[cmd->op])
		world_fail(n->w, "O4", "path %u got a %s, which it cannot do", n->id, cmd_op_name(cmd->op));
	if ((cmd->flags & CMD_F_FUA) && !(i->caps & PATH_CAP_FUA))
		world_fail(n->w, "O4", "path %u got a FUA, which it cannot do", n->id);
	if (cmd->op == CMD_READ || cmd->op == CMD_WRITE)
		max = limit_of(i->max_blocks);
	else if (cmd->op == CMD_WRITE_ZEROES)
		max = limit_of(i->max_zero_blocks);
	else if (cmd->op == CMD_DISCARD)
		max = limit_of(i->max_discard_blocks);
	if (cmd->nblocks > max)
		world_fail(n->w, "O4", "path %u got a %s of %u blocks, it takes %u", n->id,
			   cmd_op_name(cmd->op), cmd->nblocks, max);
	if (cmd->niov > limit_of(i->max_segs))
		world_fail(n->w, "O4", "path %u got %u segments, it takes %u", n->id, cmd->niov, i->max_segs);
}

static void check_shape(struct nexus *n, const struct cmd *cmd)
{
	const struct swarm *cfg = &n->w->cfg;
	size_t bytes = 0;
	uint32_t nblocks = 0;

	if (cmd->op == CMD_FLUSH)
		return;
	for (unsigned i = 0; i < cmd->niov; i++)
		bytes += cmd->iov[i].iov_len;
	for (unsigned i = 0; i < cmd->nsegs; i++)
		nblocks += cmd->seg[i].nblocks;
	if (!cmd->nblocks || cmd->nblocks != nblocks || cmd->lba >= cfg->nblocks ||
	    cmd->nblocks > cfg->nblocks - cmd->lba)
		world_fail(n->w, "O1", "%s of blocks %llu+%u (its parts: %u) is malformed",
			   cmd_op_name(cmd->op), (unsigned long long)cmd->lba, cmd->nblocks, nblocks);
	if ((cmd->op == CMD_READ || cmd->op == CMD_WRITE) && bytes != (size_t)nblocks * cfg->block_bytes)
		world_fail(n->w, "O1", "%s of %u blocks brings %zu bytes", cmd_op_name(cmd->op), nblocks, bytes);
}

static unsigned lun_depth_bound(const struct swarm *cfg)
{
	unsigned depth = 0;

	if (cfg->par.depth)
		return cfg->par.depth;
	for (unsigned i = 0; i < cfg->npaths; i++)
		depth = MAX(depth, cfg->path[i].info.depth ? cfg->path[i].info.depth : DEPTH_DEFAULT);
	return depth;
}

static unsigned host_inflight(const struct nexus *n)
{
	unsigned inflight = 0;

	for (unsigned i = 0; i < n->w->cfg.npaths; i++)
		if (n->w->array.nexus[i].cfg->host == n->cfg->host)
			inflight += n->w->array.nexus[i].inflight;
	return inflight;
}

/* The depth was lowered, and what core had sent until then is not back: some of it may wait in the driver yet. Looked at
 * with each command, so that what comes after that is no excuse. */
static bool is_left_from_before(struct world *w, unsigned depth)
{
	struct lun_stats st;

	if (!w->depth_lowered)
		return false;
	lun_get_stats(w->lun, &st);
	w->depth_lowered = st.inflight > depth;
	return w->depth_lowered;
}

static void check_account(struct nexus *n)
{
	const struct swarm *cfg = &n->w->cfg;
	unsigned depth = lun_depth_bound(cfg), cap = cfg->par.path_depth ? cfg->par.path_depth : n->told.depth;

	if (!is_left_from_before(n->w, depth) && n->w->array.inflight >= depth)
		world_fail(n->w, "O4", "a command beyond the LUN's depth of %u", depth);
	if (n->cfg->host >= 0 && host_inflight(n) >= limit_of(cfg->par.host_depth))
		world_fail(n->w, "O4", "host %d got a command beyond its depth of %u", n->cfg->host,
			   cfg->par.host_depth);
	if (n->inflight >= limit_of(cap))
		world_fail(n->w, "O4", "path %u got a command beyond its depth of %u", n->id, cap);
}

/* Nobody knows at first. But it has to be found out: when it is asked again, or, if it was being
 * asked, when that is over. */
static void check_stranger(struct nexus *n, const struct cmd *cmd)
{
	uint64_t within = n->w->cfg.par.identity_ns / 8 * 9 + 10 * NS_PER_MS + n->w->slept_ns;

	if (n->stranger && world_now_ns(n->w) > MAX(n->stranger_ns + within, n->check_end_ns + 10 * NS_PER_MS))
		world_fail(n->w, "O3", "a %s reached a stranger on path %u, %llu ms after it has come",
			   cmd_op_name(cmd->op), n->id,
			   (unsigned long long)((world_now_ns(n->w) - n->stranger_ns) / NS_PER_MS));
}

static void check_identity(struct nexus *n, const struct cmd *cmd)
{
	if (!n->told_valid || n->good <= n->doubt)
		world_fail(n->w, "O3", "a %s to path %u without a check: %s (at %u, last good check began at %u)",
			   cmd_op_name(cmd->op), n->id, n->why, n->doubt, n->good);
	if ((n->other_lun || n->other_size) && !n->attention)
		world_fail(n->w, "O3", "a %s reached another LUN on path %u", cmd_op_name(cmd->op), n->id);
	check_stranger(n, cmd);
}

/* Whose request a part of a command is for; NULL: nobody waits for it. */
static struct op *seg_op(const struct world *w, const struct cmd_seg *seg)
{
	const struct req *r = seg->req;

	if (r->is_hedge)
		r = r->lead;
	if (!r || r->settled)
		return NULL;
	if (w->opt->fuse)
		return fuse_op(w, r);
	return w->opt->nbd ? nbd_client_op(r) : r->owner;
}

/* A path that does not answer gets nothing while another one does. */
static void check_suspects(struct nexus *n)
{
	const struct path *p;

	if (!n->path->overdue)
		return;
	for (p = lun_next_path(n->w->lun, NULL); p; p = lun_next_path(n->w->lun, (struct path *)p))
		if (p->state == PATH_ACTIVE && !p->overdue)
			world_fail(n->w, "O7", "path %u has an overdue command and got another, %s has none", n->id,
				   p->name);
}

static void check_attempts(struct nexus *n, const struct cmd *cmd)
{
	struct array *a = &n->w->array;
	uint64_t over_ns = loop_now_ns(n->w->loop) + CMD_RETRY_SEC * NS_PER_SEC - cmd->spent_ns;

	/* One more for each V_CANCELED, which is not counted: paths do not go that often. */
	if (cmd->tries > CMD_TRIES_MAX)
		world_fail(n->w, "O8", "a %s is sent for the %u. time", cmd_op_name(cmd->op), cmd->tries + 1);
	if (cmd->spent_ns >= CMD_RETRY_SEC * NS_PER_SEC)
		world_fail(n->w, "O8", "a %s is sent although its time is over", cmd_op_name(cmd->op));
	if (cmd->op == CMD_FLUSH && (cmd->tries + 1 >= CMD_TRIES_MAX || cmd->spent_ns >= CMD_RETRY_SEC * NS_PER_SEC / 2))
		a->flush_excuse = world_tick(n->w);
	for (unsigned i = 0; i < cmd->nsegs; i++) {
		struct op *op = seg_op(n->w, &cmd->seg[i]);

		/* It may have waited in the driver, while the request was answered by another path; its client may
		 * have gone. */
		if (!op && (n->w->opt->sg || n->w->opt->nbd || n->w->opt->fuse))
			continue;
		if (!op)
			world_fail(n->w, "O5", "a %s of blocks %llu+%u is sent for nobody", cmd_op_name(cmd->op),
				   (unsigned long long)cmd->lba, cmd->nblocks);
		op->sends++;
		op->sent_main |= cmd->seg[i].req->phase == REQ_PH_MAIN;
		op->max_tries = MAX(op->max_tries, cmd->tries + 1);
		op->over_ns = MIN(op->over_ns ? op->over_ns : NS_NEVER, over_ns);
		if (op->state != OP_OUT)
			world_fail(n->w, "O5", "a %s of operation %u, which has been answered, is sent",
				   cmd_op_name(cmd->op), op->id);
	}
}

/* --- what becomes of it ------------------------------------------------------------- */

static bool strikes(struct nexus *n, enum sim_fault f)
{
	uint32_t rate = n->w->cfg.rate[f];

	/* Drawn in any case, so that one fault less shifts no other. */
	uint64_t x = prng_u64(&n->cmds);

	if (!rate || n->w->phase != WP_LOAD || x % rate)
		return false;
	cover_fault(f);
	return true;
}

static void fate_group(const struct nexus *n, struct outcome *o)
{
	o->verdict = V_GROUP;
	o->flags = VF_NOT_RUN | VF_ALUA;
	/* SPC-6: 04h/0Ah transition, 0Bh standby, 0Ch unavailable */
	o->ascq = n->access == ACCESS_TRANSITIONING ? 0x0a : n->access == ACCESS_STANDBY ? 0x0b : 0x0c;
}

/* The condition of path and array decides. True: it has. */
static bool fate_by_state(struct nexus *n, struct cmd *cmd, struct cmd_rec *rec, struct sim_fate *f)
{
	struct array *a = &n->w->array;
	struct outcome *o = &f->outcome;

	if (n->hang) {
		f->end_ns = LOST_NS;
		*o = (struct outcome){ .verdict = V_FAIL, .flags = VF_GHOST, .err = EIO };
		return true;
	}
	rec->effect_blocks = 0;
	if (n->down) {
		*o = (struct outcome){ .verdict = V_FAIL, .err = EIO };
	} else if (n->attention) {
		rec->ua = true;
		*o = (struct outcome){ .verdict = V_SAME, .flags = VF_IDENTITY | VF_NOT_RUN };
	} else if (n->access > ACCESS_NONOPTIMIZED) {
		fate_group(n, o);
	} else if (a->inflight >= n->w->cfg.lu_slots) {
		*o = (struct outcome){ .verdict = V_SLOW, .flags = VF_NOT_RUN };
	} else if (cmd->op != CMD_FLUSH && cmd->op != CMD_STATUS && array_is_bad(a, cmd->lba, cmd->nblocks)) {
		*o = (struct outcome){ .verdict = V_ERR, .err = EIO };
		/* What lies before the bad block may be done. */
		if (draw_pct(&n->cmds, 50))
			while (!array_is_bad(a, cmd->lba + rec->effect_blocks, 1))
				rec->effect_blocks++;
	} else {
		rec->effect_blocks = cmd->nblocks;
		return false;
	}
	return true;
}

static bool fate_is_optional(const struct cmd *cmd)
{
	return cmd->op == CMD_WRITE_ZEROES || cmd->op == CMD_DISCARD || cmd->op == CMD_STATUS;
}

/* Bad luck decides; some of these have run all the same, in part or as a whole. */
static void fate_by_luck(struct nexus *n, struct cmd *cmd, struct cmd_rec *rec, struct sim_fate *f)
{
	bool part = draw_pct(&n->cmds, 50);
	uint32_t some = part ? (uint32_t)prng_below(&n->cmds, cmd->nblocks + 1) : cmd->nblocks;
	uint32_t shorter = (uint32_t)prng_below(&n->cmds, MAX(cmd->nblocks, 1u));
	unsigned news = (unsigned)prng_u64(&n->cmds) & (VF_ALUA | VF_MODE | VF_RESERV | VF_IDENTITY);
	struct outcome *o = &f->outcome;

	if (strikes(n, SF_LOST_CMD)) {
		f->end_ns = LOST_NS;
		rec->effect_blocks = some;
		*o = (struct outcome){ .verdict = V_FAIL, .flags = VF_GHOST, .err = EIO };
	} else if (strikes(n, SF_FAIL)) {
		rec->effect_blocks = some;
		*o = (struct outcome){ .verdict = V_FAIL, .flags = VF_GHOST, .err = EIO };
	} else if (strikes(n, SF_OTHER)) {
		rec->effect_blocks = some;
		*o = (struct outcome){ .verdict = V_OTHER, .err = part ? EIO : 0 };
	} else if (strikes(n, SF_OTHER_ALL)) {
		rec->effect_blocks = some;
		*o = (struct outcome){ .verdict = V_OTHER, .flags = VF_ALL_ERR, .err = EIO };
	} else if (strikes(n, SF_STREAK)) {
		rec->effect_blocks = some;
		*o = (struct outcome){ .verdict = part ? V_OTHER : V_LATER, .flags = VF_STREAK };
	} else if (strikes(n, SF_ONCE)) {
		rec->effect_blocks = some;
		*o = (struct outcome){ .verdict = part ? V_OTHER : V_LATER, .flags = VF_RETRY_ONCE, .err = EIO };
	} else if (strikes(n, SF_SAME)) {
		rec->effect_blocks = 0;
		*o = (struct outcome){ .verdict = V_SAME, .flags = VF_NOT_RUN };
	} else if (strikes(n, SF_LATER)) {
		rec->effect_blocks = 0;
		*o = (struct outcome){ .verdict = V_LATER, .flags = VF_NOT_RUN };
	} else if (strikes(n, SF_SLOW)) {
		rec->effect_blocks = 0;
		*o = (struct outcome){ .verdict = V_SLOW, .flags = part ? VF_NOT_RUN | VF_LATER : VF_NOT_RUN };
	} else if (strikes(n, SF_ENOSPC) && cmd->op != CMD_READ && cmd->op != CMD_STATUS) {
		rec->effect_blocks = cmd->op == CMD_FLUSH ? 0 : some;
		*o = (struct outcome){ .verdict = V_ERR, .err = ENOSPC };
	} else if (strikes(n, SF_UNSUPPORTED) && fate_is_optional(cmd)) {
		rec->effect_blocks = 0;
		*o = (struct outcome){ .verdict = V_ERR, .flags = part ? VF_UNSUPPORTED : 0, .err = EOPNOTSUPP };
	} else if (strikes(n, SF_SHORT) && (cmd->op == CMD_READ || cmd->op == CMD_WRITE)) {
		rec->effect_blocks = o->done_blocks = shorter;
	} else if (strikes(n, SF_DEFER)) {
		rec->effect_blocks = 0;
		rec->defer = true;
		*o = (struct outcome){ .verdict = V_SAME, .flags = VF_DEFERRED | VF_CACHE | VF_NOT_RUN };
	} else if (strikes(n, SF_INFO)) {
		o->verdict = V_OK_INFO;
		o->flags = news;
	}
}

/* Part of the flush command's effect is none of it. */
static void fate_flush(struct cmd *cmd, struct cmd_rec *rec, const struct outcome *o)
{
	if (cmd->op == CMD_FLUSH)
		rec->effect_blocks = o->verdict == V_OK || o->verdict == V_OK_INFO;
}

/* --- the record of a command ------------------------------------------------------- */

static struct cmd_rec *rec_get(struct nexus *n, const struct cmd *cmd)
{
	struct array *a = &n->w->array;
	struct cmd_rec *rec = a->recs;
	size_t bytes = cmd->op == CMD_WRITE ? (size_t)cmd->nblocks * n->w->cfg.block_bytes : 0, at = 0;

	if (rec)
		a->recs = rec->next;
	else
		rec = calloc(1, sizeof(*rec));
	assert(rec);
	if (rec->data_cap < bytes) {
		free(rec->data);
		rec->data = malloc(bytes);
		rec->data_cap = bytes;
		assert(rec->data);
	}
	/* As the kernel does: what the caller changes later does not reach the device. */
	for (unsigned i = 0; bytes && i < cmd->niov; i++) {
		memcpy(rec->data + at, cmd->iov[i].iov_base, cmd->iov[i].iov_len);
		at += cmd->iov[i].iov_len;
	}
	rec->op = cmd->op;
	rec->flags = cmd->flags;
	rec->lba = cmd->lba;
	rec->nexus = n;
	rec->minor = n->path->dev_id & 0xfffff;
	assert(rec->minor <= SIM_PATHS_MAX);
	rec->serial = ++a->ncmds;
	rec->haunts = false;
	TAILQ_INSERT_TAIL(&a->live, rec, live);
	rec->effect_blocks = cmd->nblocks;
	rec->applied = rec->ua = rec->met_reset = rec->killed = rec->defer = false;
	return rec;
}

static uint64_t draw_latency(struct nexus *n)
{
	const struct swarm_path *c = n->cfg;
	uint64_t ns = c->lat_ns + prng_below(&n->cmds, c->jitter_ns);

	if (c->tail_ns && draw_pct(&n->cmds, 3))
		ns += prng_below(&n->cmds, c->tail_ns);
	return ns;
}

void nexus_fate(void *model, struct sim_path *sp, struct cmd *cmd, struct sim_fate *f)
{
	struct nexus *n = model;
	struct array *a = &n->w->array;
	struct cmd_rec *rec;

	check_identity(n, cmd);
	check_ability(n, cmd);
	check_shape(n, cmd);
	check_account(n);
	check_suspects(n);
	if (strikes(n, SF_AGAIN)) {
		f->submit = -EAGAIN;
		f->end_ns = draw(&n->cmds, 1, 3000) * NS_PER_US;
	} else if (strikes(n, SF_NODEV) || (n->down && draw_pct(&n->cmds, 10))) {
		nexus_doubt(n, "submit said -ENODEV", true);
		f->submit = -ENODEV;
	}
	if (f->submit < 0) {
		world_trace(n->w, WE_REFUSE, n->id, (uint64_t)-f->submit, 0, 0);
		return;
	}
	check_attempts(n, cmd);
	killer_point(n->w, KILL_UNSENT);
	rec = rec_get(n, cmd);
	f->end_ns = draw_latency(n);
	f->apply_ns = prng_below(&n->cmds, f->end_ns + 1);
	f->outcome = (struct outcome){ .verdict = V_OK, .done_blocks = cmd->nblocks };
	if (!fate_by_state(n, cmd, rec, f))
		fate_by_luck(n, cmd, rec, f);
	if (f->end_ns == LOST_NS)
		f->apply_ns = prng_below(&n->cmds, LOST_NS + 1);
	fate_flush(cmd, rec, &f->outcome);
	cmd->drv = rec;
	rec->apply_ns = world_now_ns(n->w) + f->apply_ns;
	rec->end_ns = world_now_ns(n->w) + f->end_ns;
	a->inflight++;
	a->inflight_max = MAX(a->inflight_max, a->inflight);
	n->inflight++;
	n->ncmds++;
	n->inflight_max = MAX(n->inflight_max, n->inflight);
	world_trace(n->w, WE_CMD, (uint64_t)n->id << 32 | rec->serial, (uint64_t)cmd->op << 32 | cmd->flags,
		    cmd->lba, (uint64_t)cmd->nsegs << 32 | cmd->nblocks);
	killer_point(n->w, KILL_SENT);
}

/* --- what it does ----------------------------------------------------------------------- */

static void apply_read(struct array *a, const struct cmd *cmd, uint32_t ncells)
{
	const uint8_t *from = a->now + cmd->lba * a->w->cfg.block_bytes;
	size_t left = (size_t)ncells * CELL_BYTES;

	for (unsigned i = 0; i < cmd->niov; i++) {
		size_t n = MIN(left, cmd->iov[i].iov_len);

		memcpy(cmd->iov[i].iov_base, from, n);
		/* A buffer that was not filled holds anything. */
		memset((uint8_t *)cmd->iov[i].iov_base + n, 0xdb, cmd->iov[i].iov_len - n);
		from += n;
		left -= n;
	}
}

static bool block_is_zero(const struct array *a, uint64_t lba)
{
	uint32_t per = a->w->cfg.ncells_block;

	for (uint32_t i = 0; i < per; i++) {
		const uint8_t *c = array_now(a, (uint32_t)lba * per + i);

		if (c[0] || memcmp(c, c + 1, CELL_BYTES - 1) != 0)
			return false;
	}
	return true;
}

static void apply_status(struct nexus *n, struct cmd *cmd)
{
	struct array *a = &n->w->array;
	uint64_t end = cmd->lba + cmd->nblocks, lba;
	unsigned max = MIN(cmd->max_extents, (unsigned)draw(&n->cmds, 1, 8));

	cmd->nextents = 0;
	/* An answer may reach beyond what was asked for. */
	if (draw_pct(&n->cmds, 50))
		end = n->w->cfg.nblocks;
	for (lba = cmd->lba; lba < end; lba++) {
		bool zero = block_is_zero(a, lba);
		struct extent *e = &cmd->extents[cmd->nextents];

		if (cmd->nextents && e[-1].zero == zero) {
			e[-1].nblocks++;
			continue;
		}
		if (cmd->nextents == max)
			return;
		*e = (struct extent){ .nblocks = 1, .hole = zero, .zero = zero };
		cmd->nextents++;
	}
}

static void apply_writes(struct nexus *n, const struct cmd_rec *rec, uint32_t ncells)
{
	struct array *a = &n->w->array;
	uint32_t per = n->w->cfg.ncells_block, c0 = (uint32_t)rec->lba * per;
	bool fua = rec->flags & CMD_F_FUA;

	for (uint32_t i = 0; i < ncells; i++) {
		if (rec->op == CMD_DISCARD && i % per == 0 && draw_pct(&n->cmds, 50)) {
			i += per - 1; /* a hint: not taken for this block */
			continue;
		}
		array_write(a, n, c0 + i, rec->op == CMD_WRITE ? rec->data + (size_t)i * CELL_BYTES : NULL, fua);
	}
}

void nexus_apply(void *model, struct sim_path *sp, struct cmd *cmd)
{
	struct nexus *n = model;
	struct cmd_rec *rec = cmd->drv;
	uint32_t ncells = rec->effect_blocks * n->w->cfg.ncells_block;

	rec->killed = rec->serial <= n->w->array.killed;
	rec->met_reset = n->reset;
	if (rec->killed || rec->met_reset || (n->down && draw_pct(&n->cmds, 50))) {
		if (cmd->op == CMD_READ)
			apply_read(&n->w->array, cmd, 0);
		return; /* it got lost on the way: its end says V_FAIL */
	}
	rec->applied = true;
	world_trace(n->w, WE_APPLY, rec->serial, rec->effect_blocks, 0, 0);
	switch (cmd->op) {
	case CMD_READ:
		apply_read(&n->w->array, cmd, ncells);
		return;
	case CMD_WRITE:
	case CMD_WRITE_ZEROES:
	case CMD_DISCARD:
		apply_writes(n, rec, ncells);
		return;
	case CMD_FLUSH:
		if (rec->effect_blocks)
			array_flush(&n->w->array, n);
		return;
	case CMD_STATUS:
		if (rec->effect_blocks)
			apply_status(n, cmd);
		return;
	case CMD_OP_NR:
		break;
	}
	assert(!"no such command");
}

/* --- what core hears ------------------------------------------------------------------------ */

static bool usable_all_turned_away(const struct world *w, const struct op *op)
{
	for (unsigned i = 0; i < w->cfg.npaths; i++) {
		const struct path *p = w->array.nexus[i].path;

		if (p && path_is_usable(p) && !(op->others >> i & 1))
			return false;
	}
	return true;
}

/* What the answer excuses: an operation may fail for good when its commands did so. */
static void note_excuses(struct nexus *n, const struct cmd *cmd)
{
	const struct outcome *o = &cmd->outcome;
	bool good = o->verdict == V_OK || o->verdict == V_OK_INFO;

	if (cmd->op == CMD_FLUSH && (o->verdict == V_ERR || (o->flags & (VF_ALL_ERR | VF_RETRY_ONCE))))
		n->w->array.flush_excuse = world_tick(n->w);
	for (unsigned i = 0; i < cmd->nsegs; i++) {
		struct op *op = seg_op(n->w, &cmd->seg[i]);

		if (!op)
			continue;
		op->haunted |= (o->flags & VF_GHOST) || cmd->seg[i].req->is_hedge;
		if (o->verdict == V_OTHER || o->verdict == V_SAME || (o->flags & VF_STREAK) || (good && !o->done_blocks))
			op->others |= 1u << n->id;
		if (o->flags & VF_ALL_ERR)
			op->other_all |= usable_all_turned_away(n->w, op);
		op->once += (o->flags & VF_RETRY_ONCE) != 0;
		op->enospc |= o->verdict == V_ERR && o->err == ENOSPC;
		op->unsupported |= o->verdict == V_ERR && o->err == EOPNOTSUPP;
	}
}

static void note_streak(struct nexus *n, const struct outcome *o)
{
	if (o->verdict == V_OK || o->verdict == V_OK_INFO)
		n->streak = 0;
	if (!(o->flags & VF_STREAK) || ++n->streak < PATH_STREAK_MAX)
		return;
	n->streak = 0;
	if (o->verdict == V_OTHER)
		nexus_doubt(n, "three doubtful answers in a row", true);
}

static void rec_free(struct cmd_rec *rec)
{
	struct array *a = &rec->nexus->w->array;

	TAILQ_REMOVE(&a->live, rec, live);
	rec->next = a->recs;
	a->recs = rec;
}

static void ghost_lands(struct loop_timer *t)
{
	struct cmd_rec *rec = container_of(t, struct cmd_rec, late);
	struct nexus *n = rec->nexus;

	if (rec->serial <= n->w->array.killed) {
		rec_free(rec);
		return;
	}
	world_trace(n->w, WE_APPLY, rec->serial, rec->effect_blocks, 1, 0);
	apply_writes(n, rec, rec->effect_blocks * n->w->cfg.ncells_block);
	rec_free(rec);
}

/* A write of which core has heard that nobody knows its end: it takes effect later. */
static bool rec_haunts(struct nexus *n, struct cmd_rec *rec, const struct outcome *o)
{
	uint64_t within = n->w->cfg.par.ghost_time_ns;

	if (rec->op != CMD_WRITE && rec->op != CMD_WRITE_ZEROES && rec->op != CMD_DISCARD)
		return false;
	if (!(o->flags & VF_GHOST) || rec->applied || rec->killed || !draw_pct(&n->cmds, 50))
		return false;
	rec->haunts = true;
	loop_timer_init(&rec->late, ghost_lands);
	loop_timer_in(n->w->loop, &rec->late, prng_below(&n->cmds, within));
	return true;
}

static bool rec_is_write(const struct cmd_rec *rec)
{
	return rec->op == CMD_WRITE || rec->op == CMD_WRITE_ZEROES || rec->op == CMD_DISCARD;
}

/* Nobody hears of its end; that may be as it would have been, or unknown, and then it lands later. */
static uint64_t rec_orphan(struct cmd_rec *rec, struct prng *r)
{
	struct nexus *n = rec->nexus;
	uint64_t *old_end_ns = &n->w->array.old_end_ns[rec->minor];
	uint64_t now_ns = world_now_ns(n->w), end_ns = MAX(rec->end_ns, now_ns) + n->w->cfg.par.ghost_time_ns;

	if (rec->haunts)
		return rec->late.due_ns;
	*old_end_ns = MAX(*old_end_ns, rec->end_ns);
	if (!rec_is_write(rec) || rec->applied || !rec->effect_blocks)
		return NS_NEVER;
	if (draw_pct(r, 60))
		return MAX(rec->apply_ns, now_ns);
	return now_ns + prng_below(r, end_ns - now_ns);
}

/* The loop has forgotten its timers. */
void array_killed(struct array *a, struct prng *r)
{
	struct cmd_rec *rec, *next;

	a->inflight = 0;
	for (unsigned i = 0; i < a->w->cfg.npaths; i++)
		nexus_killed(&a->nexus[i]);
	TAILQ_FOREACH_SAFE (rec, &a->live, live, next) {
		uint64_t due_ns = rec_orphan(rec, r);

		if (due_ns == NS_NEVER) {
			rec_free(rec);
			continue;
		}
		rec->haunts = true;
		loop_timer_init(&rec->late, ghost_lands);
		loop_timer_at(a->w->loop, &rec->late, due_ns);
	}
}

void nexus_defers(struct nexus *n)
{
	world_lost(n->w, true);
	array_lose_cache(&n->w->array, &n->cmds, 70);
}

/* What the array has to say of itself comes before the fate of the command. */
static void ended_news(struct nexus *n, struct cmd_rec *rec, struct outcome *o)
{
	if (o->verdict == V_FAIL)
		return; /* it did not get there, or not back */
	if (rec->killed && !rec->applied) {
		*o = (struct outcome){ .verdict = V_OTHER, .flags = VF_GHOST, .err = EIO };
	} else if (rec->met_reset) {
		*o = (struct outcome){ .verdict = V_SAME, .flags = VF_NOT_RUN };
		if (n->reset)
			o->flags |= VF_CACHE | VF_IDENTITY | VF_MODE | VF_ALUA;
		nexus_tell_reset(n);
	} else if (rec->defer && !n->w->opt->sg) {
		nexus_defers(n);
	}
}

static bool is_good(const struct outcome *o)
{
	return o->verdict == V_OK || o->verdict == V_OK_INFO;
}

void nexus_over(struct nexus *n, struct cmd_rec *rec, struct outcome *o)
{
	ended_news(n, rec, o);
	if (is_good(o) && (!rec->applied || (n->down && draw_pct(&n->cmds, 50))))
		*o = (struct outcome){ .verdict = V_FAIL, .flags = VF_GHOST, .err = EIO };
	else if (n->removing && !n->w->opt->sg && !is_good(o) && !(o->flags & VF_CACHE) && draw_pct(&n->cmds, 30))
		*o = (struct outcome){ .verdict = V_CANCELED };
	n->w->array.inflight--;
	n->inflight--;
	world_trace(n->w, WE_END, rec->serial, o->verdict, o->flags, o->done_blocks);
	if (!rec_haunts(n, rec, o))
		rec_free(rec);
}

void nexus_heard(struct nexus *n, const struct cmd *cmd)
{
	const struct outcome *o = &cmd->outcome;

	n->w->good_ended |= is_good(o);
	cover_verdict(n->w, n->path, o->verdict);
	note_excuses(n, cmd);
	/* Also those that a driver has never sent. */
	if (cmd->op == CMD_FLUSH && cmd->tries >= CMD_TRIES_MAX)
		n->w->array.flush_excuse = world_tick(n->w);
	for (unsigned i = 0; i < cmd->nsegs; i++) {
		struct op *op = seg_op(n->w, &cmd->seg[i]);

		if (op)
			op->max_tries = MAX(op->max_tries, cmd->tries);
	}
	note_streak(n, o);
	if (o->verdict == V_FAIL)
		nexus_doubt(n, "a command said V_FAIL", true);
	else if (o->flags & (VF_IDENTITY | VF_MODE))
		nexus_doubt(n, "a command said that its identity may have changed", false);
}

void nexus_ended(void *model, struct sim_path *sp, struct cmd *cmd)
{
	struct nexus *n = model;

	nexus_over(n, cmd->drv, &cmd->outcome);
	cmd->drv = NULL;
	nexus_heard(n, cmd);
}
