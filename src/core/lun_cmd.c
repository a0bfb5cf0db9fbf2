/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_cmd.c - commands: built from what the elevator chooses and its
 * neighbours, advanced after a partial success, split after a failure.
 *
 * A command's segments are contiguous on the medium and in order; its iovec is
 * derived from them and made anew whenever they change.
 */
#include "core/lun_priv.h"

#include <assert.h>
#include <string.h>

static bool cmd_has_data(const struct cmd *cmd)
{
	return cmd->op == CMD_READ || cmd->op == CMD_WRITE;
}

uint64_t cmd_bytes(const struct lun *lun, const struct cmd *cmd)
{
	return cmd_has_data(cmd) ? (uint64_t)cmd->nblocks * lun->geo.block_bytes : 0;
}

static struct cmd *cmd_take(struct lun *lun)
{
	struct cmd *cmd = pool_get(&lun->cmds);

	if (cmd)
		memset(cmd, 0, offsetof(struct cmd, iov));
	return cmd;
}

struct cmd *cmd_get(struct lun *lun)
{
	return pool_free_count(&lun->cmds) > CMDS_FOR_SPLITS ? cmd_take(lun) : NULL;
}

void cmd_put(struct lun *lun, struct cmd *cmd)
{
	pool_put(&lun->cmds, cmd);
}

static void cmd_fill_iov(struct lun *lun, struct cmd *cmd)
{
	cmd->niov = 0;
	if (!cmd_has_data(cmd))
		return;
	for (unsigned i = 0; i < cmd->nsegs; i++) {
		struct cmd_seg *s = &cmd->seg[i];
		size_t len = (size_t)s->nblocks * lun->geo.block_bytes;
		uint8_t *data = s->data ? s->data : lun->zeroes;
		struct iovec *last = cmd->niov ? &cmd->iov[cmd->niov - 1] : NULL;

		if (!s->data && len > lun->zeroes_bytes) {
			cmd->niov = 0; /* does not fit: it is split before it is sent */
			return;
		}
		if (last && (uint8_t *)last->iov_base + last->iov_len == data)
			last->iov_len += len;
		else
			cmd->iov[cmd->niov++] = (struct iovec){ data, len };
	}
}

/* Move @nblocks of what @r still has to do into @cmd's end; the rest stays queued. */
static void cmd_append(struct lun *lun, struct cmd *cmd, struct req *r, uint32_t nblocks)
{
	assert(cmd->nsegs < CMD_SEGS_MAX && nblocks > 0 && nblocks <= r->todo_blocks);
	if (r->phase == REQ_PH_MAIN && (r->flags & REQ_F_FUA) && !(cmd->flags & CMD_F_FUA) &&
	    !fault_strikes(PLANT_FUA_DROPPED))
		r->need_flush = true;
	cmd->seg[cmd->nsegs++] = (struct cmd_seg){ r, nblocks, r->todo_data };
	cmd->nblocks += nblocks;
	r->ncmds++;
	elv_remove(&lun->elv, r);
	r->todo_lba += nblocks;
	r->todo_blocks -= nblocks;
	if (r->todo_data)
		r->todo_data += (size_t)nblocks * lun->geo.block_bytes;
	if (r->todo_blocks)
		elv_insert(&lun->elv, r);
	else
		req_set_state(r, REQ_SENT);
}

static uint32_t cmd_limit(const struct lun *lun, enum cmd_op op, bool zero_writing)
{
	const struct lun_limits *lim = &lun->limits;

	switch (op) {
	case CMD_READ:
		return lim->max_blocks;
	case CMD_WRITE:
		return zero_writing ? MIN(lim->max_blocks, (uint32_t)(lun->zeroes_bytes / lun->geo.block_bytes)) :
				      lim->max_blocks;
	case CMD_DISCARD:
		return lim->max_discard_blocks;
	case CMD_WRITE_ZEROES:
		return lim->max_zero_blocks;
	case CMD_STATUS:
	case CMD_FLUSH:
	case CMD_OP_NR:
		break;
	}
	return UINT32_MAX;
}

static enum cmd_op cmd_op_of(const struct lun *lun, const struct req *r)
{
	if (r->phase == REQ_PH_HEAD || r->phase == REQ_PH_TAIL)
		return CMD_READ;
	switch (r->op) {
	case REQ_READ:
		return CMD_READ;
	case REQ_WRITE:
		return CMD_WRITE;
	case REQ_WRITE_ZEROES:
		return lun->limits.caps & PATH_CAP_WRITE_ZEROES ? CMD_WRITE_ZEROES : CMD_WRITE;
	case REQ_DISCARD:
		return CMD_DISCARD;
	case REQ_STATUS:
		return CMD_STATUS;
	case REQ_FLUSH:
	case REQ_OP_NR:
		break;
	}
	assert(!"a flush is not queued in the elevator");
	return CMD_OP_NR;
}

static unsigned cmd_flags_of(const struct lun *lun, const struct req *r)
{
	unsigned flags = 0;

	if (r->phase != REQ_PH_MAIN)
		return 0;
	if ((r->flags & REQ_F_FUA) && (lun->limits.caps & PATH_CAP_FUA) && req_is_write(r))
		flags |= CMD_F_FUA;
	if (r->flags & REQ_F_NO_UNMAP)
		flags |= CMD_F_NO_UNMAP;
	return flags;
}

/*
 * Fill @cmd with @r, which the elevator has chosen, and its neighbours.  The
 * chosen one may use all that a command can carry, others join it up to
 * MERGE_BYTES_MAX and in whole: beyond that nothing is saved, and what could
 * go by several paths, or be answered while the next is read, would wait for
 * one command's end.
 */
static void cmd_gather(struct lun *lun, struct cmd *cmd, struct req *r, uint32_t limit)
{
	uint32_t merge = MIN(limit, MAX(MERGE_BYTES_MAX / lun->geo.block_bytes, 1u));
	uint32_t total = MIN(r->todo_blocks, limit);
	unsigned nsegs = 1;
	struct req *q;

	/* Front merges: step back while whole requests fit before the chosen one. */
	while (nsegs < lun->limits.max_segs && total < merge && (q = elv_before(&lun->elv, r)) &&
	       q->todo_blocks <= merge - total) {
		r = q;
		total += q->todo_blocks;
		nsegs++;
	}
	cmd->lba = r->todo_lba;
	/* Then forward, through the chosen one and on: back merges. */
	do {
		q = elv_after(&lun->elv, r);
		cmd_append(lun, cmd, r, MIN(r->todo_blocks, limit - cmd->nblocks));
		r = q;
	} while (r && cmd->nblocks < merge && r->todo_blocks <= merge - cmd->nblocks &&
		 cmd->nsegs < lun->limits.max_segs);
}

struct cmd *cmd_build(struct lun *lun)
{
	struct req *r = elv_choose(&lun->elv, lun->now_ns);
	enum elv_dir dir;
	struct cmd *cmd;

	if (!r || !(cmd = cmd_get(lun)))
		return NULL;
	dir = elv_dir(r);
	cmd->op = cmd_op_of(lun, r);
	cmd->flags = cmd_flags_of(lun, r);
	cmd_gather(lun, cmd, r, cmd_limit(lun, cmd->op, cmd->op == CMD_WRITE && r->op != REQ_WRITE));
	if (cmd->op == CMD_STATUS) {
		cmd->extents = cmd->seg[0].req->data;
		cmd->max_extents = (unsigned)(cmd->seg[0].req->data_bytes / sizeof(struct extent));
	}
	lun->elv.ops->sent(&lun->elv, dir, cmd->lba + cmd->nblocks);
	lun->stats.merged += cmd->nsegs - 1;
	cmd_fill_iov(lun, cmd);
	return cmd;
}

bool cmd_fits(const struct lun *lun, const struct cmd *cmd)
{
	if (cmd->unmerge && cmd->nsegs > 1)
		return false;
	if (cmd->op == CMD_FLUSH)
		return true;
	if (cmd->niov > lun->limits.max_segs)
		return false;
	return cmd->nblocks <= cmd_limit(lun, cmd->op, cmd->op == CMD_WRITE && !cmd->seg[0].data);
}

/* Take @nblocks off the front of @cmd's first segment. */
static void cmd_shift(struct lun *lun, struct cmd *cmd, uint32_t nblocks)
{
	struct cmd_seg *s = &cmd->seg[0];

	assert(cmd->nsegs > 0 && nblocks <= s->nblocks);
	cmd->lba += nblocks;
	cmd->nblocks -= nblocks;
	s->nblocks -= nblocks;
	if (s->data && !fault_strikes(PLANT_SPLIT_DATA))
		s->data += (size_t)nblocks * lun->geo.block_bytes;
	if (!s->nblocks)
		memmove(s, s + 1, --cmd->nsegs * sizeof(*s));
}

/*
 * A new command with the front of @cmd, as much as fits the limits now (one
 * segment if cmd->unmerge); the rest stays in @cmd. NULL if no command is free.
 */
struct cmd *cmd_split(struct lun *lun, struct cmd *cmd)
{
	bool zero_writing = cmd->op == CMD_WRITE && !cmd->seg[0].data;
	uint32_t limit = cmd_limit(lun, cmd->op, zero_writing);
	unsigned max_segs = cmd->unmerge ? 1 : lun->limits.max_segs;
	struct cmd *front = cmd_take(lun);

	if (!front)
		return NULL;
	front->op = cmd->op;
	front->flags = cmd->flags;
	front->lba = cmd->lba;
	front->tries = cmd->tries;
	front->spent_ns = cmd->spent_ns;
	front->delay_ms = cmd->delay_ms;
	front->group_retried = cmd->group_retried;
	front->last = cmd->last;
	memcpy(front->tried, cmd->tried, sizeof(front->tried));
	while (cmd->nsegs && front->nsegs < max_segs && front->nblocks < limit) {
		struct cmd_seg *s = &cmd->seg[0];
		uint32_t n = MIN(s->nblocks, limit - front->nblocks);

		front->seg[front->nsegs++] = (struct cmd_seg){ s->req, n, s->data };
		front->nblocks += n;
		if (n < s->nblocks)
			s->req->ncmds++; /* it is in both now */
		cmd_shift(lun, cmd, n);
	}
	assert(cmd->nsegs > 0);
	cmd_fill_iov(lun, front);
	cmd_fill_iov(lun, cmd);
	return front;
}

void cmd_write_zeroes_by_hand(struct lun *lun, struct cmd *cmd)
{
	assert(cmd->op == CMD_WRITE_ZEROES && cmd->nsegs == 1);
	cmd->op = CMD_WRITE;
	cmd->flags &= ~(unsigned)CMD_F_NO_UNMAP;
	cmd_fill_iov(lun, cmd);
}

/* A part of @r that was in a command has ended; @last: the command names it no longer. */
static void cmd_part_ended(struct req *r, uint32_t nblocks, int err, bool last)
{
	assert(r->ncmds > 0);
	r->ncmds -= last;
	if (!r->settled)
		req_part_done(r, nblocks, err);
	else if (r->put && !r->ncmds)
		req_free(r);
}

static bool req_is_void(const struct req *r)
{
	return r->settled || (r->is_hedge && !r->lead);
}

bool cmd_is_void(const struct cmd *cmd)
{
	if (cmd->op == CMD_FLUSH)
		return cmd->replaced;
	for (unsigned i = 0; i < cmd->nsegs; i++)
		if (!req_is_void(cmd->seg[i].req))
			return false;
	return true;
}

bool cmd_has_void_part(const struct cmd *cmd)
{
	for (unsigned i = 0; i < cmd->nsegs; i++)
		if (req_is_void(cmd->seg[i].req))
			return true;
	return false;
}

void cmd_advance(struct lun *lun, struct cmd *cmd, uint32_t nblocks)
{
	assert(nblocks <= cmd->nblocks);
	while (nblocks) {
		struct req *r = cmd->seg[0].req;
		uint32_t n = MIN(nblocks, cmd->seg[0].nblocks);

		bool last = n == cmd->seg[0].nblocks;

		cmd_shift(lun, cmd, n);
		nblocks -= n;
		cmd_part_ended(r, n, 0, last);
	}
	cmd_fill_iov(lun, cmd);
}

void cmd_end(struct lun *lun, struct cmd *cmd, int err)
{
	for (unsigned i = 0; i < cmd->nsegs; i++)
		cmd_part_ended(cmd->seg[i].req, cmd->seg[i].nblocks, err, true);
	cmd_put(lun, cmd);
}

const char *cmd_op_name(enum cmd_op op)
{
	static const char *const names[CMD_OP_NR] = {
		[CMD_READ] = "read",	   [CMD_WRITE] = "write", [CMD_WRITE_ZEROES] = "write-zeroes",
		[CMD_DISCARD] = "discard", [CMD_FLUSH] = "flush", [CMD_STATUS] = "block-status",
	};

	return op < CMD_OP_NR ? names[op] : "?";
}
