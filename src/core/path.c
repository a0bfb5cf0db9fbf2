/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path.c - one path: its state table, its part of the account, what drivers
 * call.
 *
 *               CHECK     UP      STANDBY  UNAVAIL  TRANSIT  SUSPECT  MARGINAL  DOWN    DISABLE   ENABLE  REMOVE
 *   found       checking  active  standby  unavail. trans.   suspect  marginal  failed  disabled  -       gone
 *   checking    -         active  standby  unavail. trans.   suspect  marginal  failed  disabled  -       gone
 *   active      checking  -       standby  unavail. trans.   suspect  marginal  failed  disabled  -       gone
 *   standby     checking  active  -        unavail. trans.   suspect  marginal  failed  disabled  -       gone
 *   unavailable checking  active  standby  -        trans.   suspect  marginal  failed  disabled  -       gone
 *   transition. checking  active  standby  unavail. -        suspect  marginal  failed  disabled  -       gone
 *   suspect     checking  active  standby  unavail. trans.   -        marginal  failed  disabled  -       gone
 *   failed      -         active  standby  unavail. trans.   suspect  marginal  -       disabled  -       gone
 *   marginal    checking  active  standby  unavail. trans.   suspect  -         failed  disabled  -       gone
 *   disabled    -         -       -        -        -        -        -         -       -         found   gone
 *   gone        -         -       -        -        -        -        -         -       -         -       -
 *
 * UP and MARGINAL of a path with an overdue command are SUSPECT.
 */
#include "core/lun_priv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define STAY PATH_STATE_NR

static const uint8_t path_moves[PATH_STATE_NR][PEV_NR] = {
#define ROW(check, up, standby, unavail, trans, suspect, marginal, down, disable, enable)          \
	{                                                                                          \
		[PEV_CHECK] = (check), [PEV_UP] = (up), [PEV_STANDBY] = (standby),                 \
		[PEV_UNAVAILABLE] = (unavail), [PEV_TRANSITIONING] = (trans),                      \
		[PEV_SUSPECT] = (suspect), [PEV_MARGINAL] = (marginal), [PEV_DOWN] = (down),       \
		[PEV_DISABLE] = (disable), [PEV_ENABLE] = (enable), [PEV_REMOVE] = PATH_GONE,      \
	}
	[PATH_FOUND] = ROW(PATH_CHECKING, PATH_ACTIVE, PATH_STANDBY, PATH_UNAVAILABLE,
			PATH_TRANSITIONING, PATH_SUSPECT, PATH_MARGINAL,
			PATH_FAILED, PATH_DISABLED, STAY),
	[PATH_CHECKING] = ROW(STAY, PATH_ACTIVE, PATH_STANDBY, PATH_UNAVAILABLE,
			PATH_TRANSITIONING, PATH_SUSPECT, PATH_MARGINAL,
			PATH_FAILED, PATH_DISABLED, STAY),
	[PATH_ACTIVE] = ROW(PATH_CHECKING, STAY, PATH_STANDBY, PATH_UNAVAILABLE,
			PATH_TRANSITIONING, PATH_SUSPECT, PATH_MARGINAL,
			PATH_FAILED, PATH_DISABLED, STAY),
	[PATH_STANDBY] = ROW(PATH_CHECKING, PATH_ACTIVE, STAY, PATH_UNAVAILABLE,
			PATH_TRANSITIONING, PATH_SUSPECT, PATH_MARGINAL,
			PATH_FAILED, PATH_DISABLED, STAY),
	[PATH_UNAVAILABLE] = ROW(PATH_CHECKING, PATH_ACTIVE, PATH_STANDBY, STAY,
			PATH_TRANSITIONING, PATH_SUSPECT, PATH_MARGINAL,
			PATH_FAILED, PATH_DISABLED, STAY),
	[PATH_TRANSITIONING] = ROW(PATH_CHECKING, PATH_ACTIVE, PATH_STANDBY, PATH_UNAVAILABLE,
			STAY, PATH_SUSPECT, PATH_MARGINAL,
			PATH_FAILED, PATH_DISABLED, STAY),
	[PATH_SUSPECT] = ROW(PATH_CHECKING, PATH_ACTIVE, PATH_STANDBY, PATH_UNAVAILABLE,
			PATH_TRANSITIONING, STAY, PATH_MARGINAL,
			PATH_FAILED, PATH_DISABLED, STAY),
	[PATH_FAILED] = ROW(STAY, PATH_ACTIVE, PATH_STANDBY, PATH_UNAVAILABLE,
			PATH_TRANSITIONING, PATH_SUSPECT, PATH_MARGINAL,
			STAY, PATH_DISABLED, STAY),
	[PATH_MARGINAL] = ROW(PATH_CHECKING, PATH_ACTIVE, PATH_STANDBY, PATH_UNAVAILABLE,
			PATH_TRANSITIONING, PATH_SUSPECT, STAY,
			PATH_FAILED, PATH_DISABLED, STAY),
	[PATH_DISABLED] = ROW(STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, PATH_FOUND),
	[PATH_GONE] = { STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY, STAY },
#undef ROW
};

bool path_is_usable(const struct path *p)
{
	return p->state == PATH_ACTIVE || p->state == PATH_MARGINAL || p->last_resort;
}

bool path_is_available(const struct path *p)
{
	return p->state != PATH_GONE;
}

bool path_has_own_room(const struct path *p)
{
	return !p->no_room && (p->inflight < p->depth || fault_strikes(PLANT_PATH_DEPTH));
}

bool path_has_room(const struct path *p)
{
	const struct host *h = p->adapter;

	if (h && h->depth && h->inflight >= h->depth && !fault_strikes(PLANT_HOST_DEPTH))
		return false;
	return path_has_own_room(p);
}

static void path_transition_over(struct loop_timer *t)
{
	struct path *p = container_of(t, struct path, transition_timer);

	p->transition_over = true;
	path_event(p, PEV_DOWN, "its port group has been in transition for too long");
}

static uint64_t path_transition_ns(const struct path *p)
{
	return p->info_valid && p->info.transition_ns ? p->info.transition_ns
						      : TRANSITION_SEC * NS_PER_SEC;
}

/* The end of its name behind the last slash, as much of that as there is room for. */
static void path_make_tag(struct path *p)
{
	const char *base = strrchr(p->name, '/');
	size_t len, n;

	base = base && base[1] ? base + 1 : p->name;
	len = strlen(base);
	n = MIN(len, sizeof(p->tag) - 1);
	memcpy(p->tag, base + len - n, n);
	p->tag[n] = '\0';
}

void path_init(struct path *p, struct lun *lun, unsigned index)
{
	p->lun = lun;
	p->index = index;
	p->state = PATH_FOUND;
	p->state_since_ns = p->clean_since_ns = loop_now_ns(lun->loop);
	p->dirty = true;
	p->depth = 1;
	p->numa_distance = NUMA_LOCAL_DISTANCE;
	if (p->numa_node >= 0 && (unsigned)p->numa_node < NUMA_NODES_MAX &&
	    lun->par.numa_distance[p->numa_node])
		p->numa_distance = lun->par.numa_distance[p->numa_node];
	path_make_tag(p);
	TAILQ_INIT(&p->cmds);
	loop_timer_init(&p->transition_timer, path_transition_over);
	probe_init(p);
	health_init(p);
	inject_init(p);
}

void path_trouble(struct path *p)
{
	p->clean_since_ns = loop_now_ns(p->lun->loop);
}

static void path_log_move(const struct path *p, enum path_state from, const char *why)
{
	bool bad = from == PATH_ACTIVE || p->state == PATH_FAILED || p->state == PATH_DISABLED;

	if (p->state == PATH_CHECKING)
		log_debug("%s: %s -> %s: %s", p->name, path_state_name(from), path_state_name(p->state), why);
	else if (bad)
		log_warn("%s: %s -> %s: %s", p->name, path_state_name(from), path_state_name(p->state), why);
	else
		log_notice("%s: %s -> %s: %s", p->name, path_state_name(from), path_state_name(p->state),
			   why);
}

/* A transition that does not end is a failure, and telling of it again does not make it one anew. */
static enum path_event path_judge_transition(struct path *p, enum path_event ev)
{
	if (ev == PEV_UP || ev == PEV_STANDBY || ev == PEV_UNAVAILABLE)
		p->transition_over = false;
	return ev == PEV_TRANSITIONING && p->transition_over ? PEV_DOWN : ev;
}

void path_event(struct path *p, enum path_event ev, const char *why)
{
	enum path_state from = p->state, to;

	assert(from < PATH_STATE_NR && ev < PEV_NR);
	ev = path_judge_transition(p, ev);
	if (ev == PEV_DOWN)
		probe_doubt(p);
	if ((ev == PEV_UP || ev == PEV_MARGINAL) && p->overdue)
		ev = PEV_SUSPECT;
	to = path_moves[from][ev];
	if (to == STAY)
		return;
	p->state = to;
	p->state_since_ns = loop_now_ns(p->lun->loop);
	snprintf(p->why, sizeof(p->why), "%s", why ? why : "");
	path_log_move(p, from, p->why);
	lun_event(p->lun, EVENT_PATH, p->name, path_state_name(from), path_state_name(to), p->why);
	/* Meanwhile others may ask the device, and be told. */
	if (from == PATH_FAILED || to == PATH_FAILED || to == PATH_FOUND)
		path_trouble(p);
	if (from == PATH_TRANSITIONING)
		loop_timer_stop(p->lun->loop, &p->transition_timer);
	switch (to) {
	case PATH_FAILED:
		p->stats.failures++;
		health_failed(p);
		probe_reschedule(p);
		break;
	case PATH_FOUND:
		p->quarantined = false; /* until its check says so again */
		probe_now(p, true);
		break;
	case PATH_DISABLED:
		probe_stop(p);
		health_stop(p);
		break;
	case PATH_GONE:
		probe_stop(p);
		health_stop(p);
		path_start_close(p);
		break;
	case PATH_TRANSITIONING:
		loop_timer_in(p->lun->loop, &p->transition_timer, path_transition_ns(p));
		break;
	case PATH_ACTIVE:
	case PATH_CHECKING:
	case PATH_STANDBY:
	case PATH_UNAVAILABLE:
	case PATH_SUSPECT:
	case PATH_MARGINAL:
	case PATH_STATE_NR:
		break;
	}
	lun_path_changed(p->lun, p);
}

/* --- account ----------------------------------------------------------------- */

void path_send(struct path *p, struct cmd *cmd, uint64_t now_ns)
{
	uint64_t bytes = cmd_bytes(p->lun, cmd);

	cmd->sent_ns = now_ns;
	cmd->last = p;
	TAILQ_INSERT_TAIL(&p->cmds, cmd, inflight);
	p->inflight++;
	if (p->inflight > p->stats.inflight_max)
		p->stats.inflight_max = p->inflight;
	if (p->adapter)
		p->adapter->inflight++;
	p->inflight_bytes += bytes;
	p->inflight_class[byte_class(cmd, bytes)]++;
	cmd->sent_inflight = p->inflight;
	p->last_used_ns = now_ns;
	if (!p->to_flush)
		SLIST_INSERT_HEAD(&p->lun->to_flush, p, flush_link);
	p->to_flush = true;
	p->stats.cmds[cmd->op]++;
	p->stats.reqs += cmd->nsegs;
	if (cmd->op == CMD_READ)
		p->stats.bytes_read += bytes;
	else if (cmd->op == CMD_WRITE)
		p->stats.bytes_written += bytes;
}

void path_account_end(struct path *p, struct cmd *cmd, uint64_t now_ns)
{
	uint64_t bytes = cmd_bytes(p->lun, cmd);
	unsigned class = byte_class(cmd, bytes);

	assert(p->inflight > 0 && p->inflight_class[class] > 0);
	if (cmd->outcome.verdict == V_OK || cmd->outcome.verdict == V_OK_INFO)
		sel_hist_done(p, cmd, class, now_ns);
	TAILQ_REMOVE(&p->cmds, cmd, inflight);
	p->inflight--;
	if (p->adapter)
		p->adapter->inflight--;
	p->inflight_bytes -= bytes;
	p->inflight_class[class]--;
	p->stats.errors[cmd->outcome.verdict]++;
	hist_add(&p->stats.service, now_ns - cmd->sent_ns);
	ready_update(p);
	/* Whatever became of it, some of it may be in a cache. */
	if (cmd->op == CMD_WRITE || cmd->op == CMD_WRITE_ZEROES || cmd->op == CMD_DISCARD)
		if ((!(cmd->flags & CMD_F_FUA) || cmd->outcome.verdict != V_OK) &&
		    !fault_strikes(PLANT_CLEAN_WRITE))
			p->dirty = true;
}

/* --- what drivers call --------------------------------------------------------- */

void path_complete(struct cmd *cmd)
{
	struct lun *lun = cmd->path->lun;

	assert(cmd->outcome.verdict < V_NR);
	if (__builtin_expect(cmd->path->inject.order.fault != INJECT_OFF, 0) && inject_takes(cmd))
		return;
	STAILQ_INSERT_TAIL(&lun->completed, cmd, link);
	lun_dirty(lun);
}

void path_room(struct path *p)
{
	if (!p->no_room || fault_strikes(PLANT_ROOM_LOST))
		return;
	p->no_room = false;
	ready_update(p);
	lun_dirty(p->lun);
}

void path_wrote(struct path *p, uint64_t took_ns)
{
	p->stats.write_max_ns = MAX(p->stats.write_max_ns, took_ns);
}

void path_full(struct path *p)
{
	struct lun *lun = p->lun;

	path_trouble(p); /* what the kernel hides may be a unit attention as well */
	qdepth_hint(&lun->qd, loop_now_ns(lun->loop));
	lun->stats.depth_shrunk = lun->qd.shrunk;
}

void path_depth(struct path *p, unsigned depth)
{
	if (!p->info_valid || p->info.depth == depth)
		return;
	log_notice("%s: the kernel takes %u commands at once now, not %u", p->name, depth, p->info.depth);
	if (depth < p->info.depth)
		path_full(p);
	p->info.depth = depth;
	lun_update_limits(p->lun);
	lun_dirty(p->lun);
}

void path_lost(struct path *p, const char *why)
{
	path_event(p, PEV_DOWN, why);
}

void path_doubt(struct path *p, const char *why)
{
	if (!fault_strikes(PLANT_DOUBT_IGNORED))
		probe_met_doubt(p, why);
}

void path_start_close(struct path *p)
{
	assert(!p->close_started);
	p->close_started = true;
	inject_off(p, "the path leaves");
	p->ops->close(p);
}

void path_closed(struct path *p)
{
	assert(p->close_started && !p->closed);
	p->closed = p->lun->any_closed = true;
	/* Commands that ended just now are still in core's list: leave after them. */
	lun_dirty(p->lun);
	lun_path_closed(p->lun, p);
}

const char *path_state_name(enum path_state s)
{
	static const char *const names[PATH_STATE_NR] = {
		[PATH_FOUND] = "found",
		[PATH_CHECKING] = "checking",
		[PATH_ACTIVE] = "active",
		[PATH_STANDBY] = "standby",
		[PATH_UNAVAILABLE] = "unavailable",
		[PATH_TRANSITIONING] = "transitioning",
		[PATH_SUSPECT] = "suspect",
		[PATH_FAILED] = "failed",
		[PATH_MARGINAL] = "marginal",
		[PATH_DISABLED] = "disabled",
		[PATH_GONE] = "gone",
	};

	return s < PATH_STATE_NR ? names[s] : "?";
}

const char *access_state_name(enum access_state s)
{
	static const char *const names[] = {
		[ACCESS_ACTIVE] = "active/optimized",
		[ACCESS_NONOPTIMIZED] = "active/non-optimized",
		[ACCESS_STANDBY] = "standby",
		[ACCESS_UNAVAILABLE] = "unavailable",
		[ACCESS_TRANSITIONING] = "transitioning",
	};

	return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "?";
}
