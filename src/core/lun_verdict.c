/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_verdict.c - what a verdict makes of a command: the one switch.
 *
 * A command has one budget of attempts and one of time whatever the mix of
 * verdicts (CMD_TRIES_MAX, CMD_RETRY_SEC); only the no-path policy may hold it
 * without limit.
 */
#include "core/lun_priv.h"

#include "base/fault.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LATER_FIRST_MS 100u
#define LATER_MAX_MS 2000u

static void outcome_text(const struct cmd *cmd, char *buf, size_t size)
{
	const struct path_ops *ops = cmd->path->ops;
	const struct outcome *o = &cmd->outcome;
	char text[CAUSE_BYTES - 32];

	if (ops->outcome_text)
		ops->outcome_text(o, text, sizeof(text));
	else if (o->sys_errno)
		snprintf(text, sizeof(text), "%s", strerror(o->sys_errno));
	else
		snprintf(text, sizeof(text), "status %02x", o->scsi_status);
	snprintf(buf, size, "%s: %s", cmd_op_name(cmd->op), text);
}

/* Nobody waits for it: whatever became of it, it is not sent again. */
static bool act_void(struct lun *lun, struct cmd *cmd)
{
	if (!cmd_is_void(cmd))
		return false;
	cmd_end(lun, cmd, ECANCELED);
	return true;
}

static void act_final(struct lun *lun, struct cmd *cmd, int err)
{
	char text[CAUSE_BYTES];
	unsigned missed;

	if (act_void(lun, cmd))
		return;
	if (err && err != EOPNOTSUPP &&
	    log_allow(&lun->error_log, lun->now_ns, 20, 10 * NS_PER_SEC, &missed)) {
		if (missed)
			log_warn("%u messages about failed requests were left out", missed);
		outcome_text(cmd, text, sizeof(text));
		log_err("%s: block %llu+%u failed for good after %u attempts: %s (%s)", cmd->path->name,
			(unsigned long long)cmd->lba, cmd->nblocks, cmd->tries, strerror(err), text);
	}
	if (fault_strikes(PLANT_ERROR_HIDDEN))
		err = 0;
	if (cmd->op == CMD_FLUSH)
		flush_cmd_ended(lun, cmd, err, true);
	else
		cmd_end(lun, cmd, err);
}

static bool cmd_may_retry(const struct cmd *cmd)
{
	return cmd->tries < CMD_TRIES_MAX && cmd->spent_ns < CMD_RETRY_SEC * NS_PER_SEC;
}

static void act_resend(struct lun *lun, struct cmd *cmd)
{
	if (act_void(lun, cmd))
		return;
	if (!cmd_may_retry(cmd) && !fault_strikes(PLANT_NO_BUDGET)) {
		act_final(lun, cmd, cmd->outcome.err ? cmd->outcome.err : EIO);
		return;
	}
	STAILQ_INSERT_TAIL(&lun->retry, cmd, link);
}

static void act_later(struct lun *lun, struct cmd *cmd)
{
	struct cmd *c, *prev = NULL;

	if (act_void(lun, cmd))
		return;
	if (!cmd_may_retry(cmd)) {
		act_resend(lun, cmd);
		return;
	}
	cmd->delay_ms = cmd->delay_ms ? MIN(cmd->delay_ms * 2, LATER_MAX_MS) : LATER_FIRST_MS;
	cmd->spent_ns += cmd->delay_ms * NS_PER_MS;
	cmd->due_ns = lun->now_ns + cmd->delay_ms * NS_PER_MS;
	STAILQ_FOREACH (c, &lun->delayed, link) {
		if (c->due_ns > cmd->due_ns)
			break;
		prev = c;
	}
	if (prev)
		STAILQ_INSERT_AFTER(&lun->delayed, prev, cmd, link);
	else
		STAILQ_INSERT_HEAD(&lun->delayed, cmd, link);
	loop_timer_at(lun->loop, &lun->delay_timer, STAILQ_FIRST(&lun->delayed)->due_ns);
}

static void cmd_mark_tried(struct cmd *cmd, const struct path *p)
{
	cmd->tried[p->index / 64] |= 1ull << (p->index % 64);
}

/* False without a usable path: nobody has said anything then, and the no-path policy decides. */
static bool lun_all_tried(const struct lun *lun, const struct cmd *cmd)
{
	const struct path *p;

	if (!lun->nusable)
		return false;
	TAILQ_FOREACH (p, &lun->paths, link)
		if (path_is_usable(p) && !(cmd->tried[p->index / 64] >> (p->index % 64) & 1))
			return false;
	return true;
}

static void act_unmerge(struct lun *lun, struct cmd *cmd)
{
	cmd->unmerge = true;
	lun->stats.splits++;
	act_resend(lun, cmd);
}

/* Only the guilty part of a merged command fails. */
static void act_final_or_unmerge(struct lun *lun, struct cmd *cmd)
{
	if (cmd->nsegs > 1 && !fault_strikes(PLANT_MERGE_FAILS_ALL)) {
		memset(cmd->tried, 0, sizeof(cmd->tried));
		cmd->retried_once = false;
		act_unmerge(lun, cmd);
	} else {
		act_final(lun, cmd, cmd->outcome.err ? cmd->outcome.err : EIO);
	}
}

static bool act_other_group(struct lun *lun, struct cmd *cmd)
{
	unsigned g = cmd->path->group;

	if (cmd->group_retried || g >= lun->groups.n)
		return false;
	for (unsigned i = 0; i < lun->groups.g[g].npaths; i++)
		cmd_mark_tried(cmd, lun->groups.g[g].paths[i]);
	cmd->group_retried = true;
	return !lun_all_tried(lun, cmd);
}

static void act_other(struct lun *lun, struct cmd *cmd)
{
	if (cmd->pin && path_keeps_cache(cmd->pin)) {
		/* No other path can empty this one's own cache. */
		cmd->same = 0;
		if (cmd->outcome.flags & VF_ALL_ERR)
			act_final(lun, cmd, cmd->outcome.err ? cmd->outcome.err : EIO);
		else
			act_later(lun, cmd);
		return;
	}
	cmd->pin = cmd->prefer = NULL;
	cmd->same = 0;
	if (cmd->outcome.flags & VF_RETRY_GROUP) {
		if (act_other_group(lun, cmd))
			act_resend(lun, cmd);
		else
			act_final_or_unmerge(lun, cmd);
		return;
	}
	cmd_mark_tried(cmd, cmd->path);
	if (!lun_all_tried(lun, cmd)) {
		act_resend(lun, cmd);
		return;
	}
	/* Every path says so: it is not the path. */
	if (cmd->outcome.flags & VF_ALL_ERR) {
		act_final_or_unmerge(lun, cmd);
		return;
	}
	memset(cmd->tried, 0, sizeof(cmd->tried));
	act_later(lun, cmd);
}

/* The device turned an optional operation down: it is not offered again. */
static bool act_unsupported(struct lun *lun, struct cmd *cmd)
{
	struct path *p = cmd->path;

	if (cmd->op == CMD_DISCARD)
		p->info.caps &= ~(unsigned)PATH_CAP_DISCARD;
	else if (cmd->op == CMD_STATUS)
		p->info.caps &= ~(unsigned)PATH_CAP_STATUS;
	else if (cmd->op == CMD_WRITE_ZEROES)
		p->info.caps &= ~(unsigned)PATH_CAP_WRITE_ZEROES;
	else
		return false;
	log_notice("%s: the LUN does not support %s; not used again", p->name, cmd_op_name(cmd->op));
	lun_update_limits(lun);
	if (cmd->op != CMD_WRITE_ZEROES || (cmd->seg[0].req->flags & REQ_F_FAST_ZERO))
		return false;
	cmd_write_zeroes_by_hand(lun, cmd);
	act_resend(lun, cmd);
	return true;
}

static void act_error(struct lun *lun, struct cmd *cmd)
{
	const struct outcome *o = &cmd->outcome;

	if (cmd->nsegs > 1) {
		act_final_or_unmerge(lun, cmd);
		return;
	}
	if ((o->err == EOPNOTSUPP || (o->flags & VF_UNSUPPORTED)) && act_unsupported(lun, cmd))
		return;
	act_final(lun, cmd, o->err ? o->err : EIO);
}

static void act_good(struct lun *lun, struct cmd *cmd)
{
	uint32_t done = cmd->outcome.done_blocks;

	qdepth_good(&lun->qd, lun->now_ns);
	lun_path_proven(lun);
	if (act_void(lun, cmd))
		return;
	if (cmd->op == CMD_FLUSH) {
		flush_cmd_ended(lun, cmd, 0, true);
		return;
	}
	/* The driver may have made a flush of FUA, before which the cache was lost. */
	if ((cmd->flags & CMD_F_FUA) && cache_was_doubted(lun, cmd)) {
		cmd->prefer = cmd->path;
		act_resend(lun, cmd);
		return;
	}
	cache_written(cmd, cmd->op == CMD_WRITE ? done : cmd->nblocks);
	if (cmd->op == CMD_STATUS)
		cmd->seg[0].req->nextents = cmd->nextents;
	if ((cmd->op != CMD_READ && cmd->op != CMD_WRITE) || done >= cmd->nblocks ||
	    fault_strikes(PLANT_RESID_IGNORED)) {
		cmd_end(lun, cmd, 0);
		return;
	}
	if (!done) {
		cmd->outcome.err = EIO;
		act_other(lun, cmd);
		return;
	}
	cmd_advance(lun, cmd, done);
	cmd->tries = 1; /* progress: the budget is for attempts without any */
	cmd->spent_ns = 0;
	act_resend(lun, cmd);
}

static void act_slow(struct lun *lun, struct cmd *cmd)
{
	if (fault_strikes(PLANT_TSF_IS_ERROR)) {
		path_event(cmd->path, PEV_DOWN, "task set full");
		act_resend(lun, cmd);
		return;
	}
	qdepth_full(&lun->qd, lun->now_ns);
	lun->stats.depth_shrunk = lun->qd.shrunk;
	/* With others in flight one of them makes room; alone, or again and again: wait. */
	if (lun->qd.inflight && cmd->tries < 4 && !(cmd->outcome.flags & VF_LATER))
		act_resend(lun, cmd);
	else
		act_later(lun, cmd);
}

static void act_group(struct lun *lun, struct cmd *cmd, const char *why)
{
	struct path *p = cmd->path;
	enum path_event ev = PEV_STANDBY;

	/* SPC-6 table of ASC 04h: 0Ah asymmetric access state transition, 0Ch unavailable. */
	if (cmd->outcome.ascq == 0x0a)
		ev = PEV_TRANSITIONING;
	else if (cmd->outcome.ascq == 0x0c)
		ev = PEV_UNAVAILABLE;
	if (path_is_usable(p))
		lun_probe_others(lun, p);
	path_event(p, ev, why);
	probe_now(p, true);
	cmd->prefer = NULL;
	act_resend(lun, cmd);
}

static void act_news(struct lun *lun, struct cmd *cmd, const char *why)
{
	unsigned flags = cmd->outcome.flags;
	struct path *p = cmd->path;

	if (flags & (VF_GHOST | VF_IDENTITY))
		path_trouble(p);
	/* A flush that has failed for that tells it by itself. */
	if ((flags & VF_DEFERRED) || ((flags & VF_CACHE) && cmd->outcome.verdict != V_ERR))
		cache_suspect(lun, p, flags & VF_DEFERRED, why);
	if (flags & VF_MARGINAL)
		health_distrust(p);
	if (!(flags & (VF_IDENTITY | VF_ALUA | VF_MODE)) || fault_strikes(PLANT_ATTENTION))
		return;
	log_info("%s: check: %s", p->name, why);
	probe_now(p, (flags & (VF_IDENTITY | VF_MODE)) != 0);
}

static void lun_measure_gap(struct lun *lun)
{
	if (lun->last_done_ns && lun->now_ns - lun->last_done_ns > lun->stats.gap_max_ns)
		lun->stats.gap_max_ns = lun->now_ns - lun->last_done_ns;
	lun->last_done_ns = lun->now_ns; /* lun_run_task() forgets it when nothing is left to do */
}

/* Three of the doubtful kind in a row on one path, and it is the path. */
static enum verdict act_streak(struct path *p, const struct cmd *cmd)
{
	enum verdict v = cmd->outcome.verdict;

	if (v == V_OK || v == V_OK_INFO)
		p->streak = 0;
	if (!(cmd->outcome.flags & VF_STREAK) || ++p->streak < PATH_STREAK_MAX)
		return v;
	p->streak = 0;
	return v == V_LATER ? V_OTHER : v == V_OTHER ? V_FAIL : v;
}

void lun_act(struct lun *lun, struct cmd *cmd)
{
	struct path *p = cmd->path;
	enum verdict v = act_streak(p, cmd);
	char why[CAUSE_BYTES] = "";

	path_account_end(p, cmd, lun->now_ns);
	cmd->spent_ns += lun->now_ns - MIN(cmd->sent_ns, lun->now_ns);
	record_cmd(lun, cmd, lun->now_ns);
	if (!fault_strikes(PLANT_SLOT_LEAK))
		qdepth_give(&lun->qd);
	ledger_ended(lun, cmd);
	overdue_cmd_ended(lun, cmd);
	lun_measure_gap(lun);
	health_io(p, cmd);
	if (v != V_OK || cmd->outcome.flags)
		outcome_text(cmd, why, sizeof(why));
	if (cmd->outcome.flags)
		act_news(lun, cmd, why);
	if ((cmd->outcome.flags & VF_RETRY_ONCE) && v != V_ERR) {
		if (cmd->retried_once) {
			act_final_or_unmerge(lun, cmd);
			return;
		}
		cmd->retried_once = true;
	}
	switch (v) {
	case V_OK_INFO:
		log_info("%s: %s", p->name, why);
		act_good(lun, cmd);
		return;
	case V_OK:
		act_good(lun, cmd);
		return;
	case V_SAME:
		if (++cmd->same > CMD_SAME_MAX) {
			act_other(lun, cmd);
			return;
		}
		cmd->prefer = p;
		act_resend(lun, cmd);
		return;
	case V_LATER:
		act_later(lun, cmd);
		return;
	case V_OTHER:
		log_info("%s: %s; trying another path", p->name, why);
		act_other(lun, cmd);
		return;
	case V_FAIL:
		path_event(p, PEV_DOWN, why);
		cmd->prefer = NULL;
		act_resend(lun, cmd);
		return;
	case V_GROUP:
		act_group(lun, cmd, why);
		return;
	case V_SLOW:
		act_slow(lun, cmd);
		return;
	case V_ERR:
		act_error(lun, cmd);
		return;
	case V_CANCELED:
		cmd->tries--;
		cmd->prefer = NULL;
		act_resend(lun, cmd);
		return;
	case V_NR:
		break;
	}
	assert(!"a driver made up a verdict");
}
