/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_priv.h - the LUN's inside, shared by core's own files only.
 *
 *   lun.c          making, ending, submitting, statistics
 *   lun_live.c     parameters that change while I/O runs
 *   lun_pool.c     requests, buffers and who waits for them
 *   lun_run.c      one turn: reap, finish, dispatch
 *   ready.c        the paths that may take the next command, in order
 *   lun_cmd.c      commands: built from the elevator, advanced, split
 *   lun_verdict.c  verdict -> action: the one switch
 *   lun_paths.c    paths come, go and change: limits, LUN state
 *   lun_group.c    which group carries the I/O: failback
 *   inject.c       test faults
 *   resize.c       the paths are asked for their size
 *   record.c       rings of the last moves and commands
 *   ledger.c       which writes may still land
 *   hedge.c        overdue commands: suspect paths, requests sent again
 *   flush.c        flush rounds
 *   cache.c        a lost write cache, and who must be told
 *   host.c         what the paths of one adapter share
 *   health.c       flapping and failing paths
 *   crawl.c        paths that take longer than others
 *   path.c probe.c the path's state table and its checks
 */
#ifndef CORE_LUN_PRIV_H
#define CORE_LUN_PRIV_H

#include "base/buf.h"
#include "base/log.h"
#include "base/fault.h"
#include "base/pool.h"
#include "base/units.h"
#include "core/cmd.h"
#include "core/elv.h"
#include "core/group.h"
#include "core/ledger.h"
#include "core/lun.h"
#include "core/path.h"
#include "core/qdepth.h"
#include "core/rangelock.h"
#include "core/ready.h"
#include "core/record.h"
#include "core/sel.h"

STAILQ_HEAD(cmd_list, cmd);
TAILQ_HEAD(path_list, path);

/* Smallest limits of the usable paths (of all checked ones if none is usable). */
struct lun_limits {
	uint32_t max_blocks, max_segs, max_discard_blocks, max_zero_blocks;
	unsigned caps; /* what all of them can do */
};

/* A flush round covers every request that asked before it started. */
struct flush_engine {
	struct req_list waiting; /* for the next round */
	struct req_list running; /* of this round */
	unsigned ncmds;		 /* commands of this round that have not ended */
	int err;		 /* first error of this round */
	bool active;		 /* a round runs */
	bool failed;		 /* err is the device's word */
	bool dirty;		 /* a path that has gone was: any flush covers it */
	bool due;		 /* it was to be flushed in this round */
	uint64_t round, good;	 /* rounds begun; the last one that ended well */
	uint64_t begun_ns;
};

/* No part of the request was put into a volatile cache. */
#define CACHE_GEN_NONE UINT64_MAX

struct cache {
	TAILQ_HEAD(, lun_client) clients;
	struct lun_client nobody; /* requests without a client */
	unsigned orphans_owed, orphans_unflushed; /* clients that have left so */
	unsigned orphans_both; /* counted in each; at most as many as either */
	uint64_t orphans_acked; /* largest of these */
	uint64_t gen, lost_gen, counted_gen;
	bool written;	   /* something volatile was sent: since_ns is valid */
	uint64_t since_ns; /* the oldest of it, not earlier than the last good flush began */
	uint64_t lost_age_ns;
	bool asking;	   /* flush answers are held */
	bool proven;
	char cause[PATH_NAME_BYTES + 128];
	struct loop_timer timer;
};

struct lun {
	struct loop *loop;
	struct lun_params par;
	enum lun_state state;
	uint64_t now_ns; /* of this turn */

	bool geo_valid;
	struct lun_geometry geo;
	uint64_t grow_asked;   /* paths were asked whether they have so many blocks, too */
	uint64_t shrunk_told;  /* the alarm was about so many blocks */
	struct lun_limits limits;

	struct path_list paths; /* all, in the order they were added */
	unsigned npaths, nusable;
	unsigned nprompt; /* usable ones without an overdue command */
	struct path *by_index[PATHS_MAX];
	struct host hosts[PATHS_MAX];
	struct groups groups;
	const struct sel_ops *sel;
	struct sel_state sel_state;
	struct ready ready;
	bool any_suspect; /* of the paths */
	bool any_closed;
	SLIST_HEAD(, path) to_flush;

	struct elv elv;
	struct rangelock lock;
	struct ledger ledger;
	struct qdepth qd;
	struct flush_engine flush;
	struct cache cache;

	struct cmd_list completed; /* ended, verdict not acted on yet */
	struct cmd_list retry;	   /* to be sent before anything new */
	struct cmd_list delayed;   /* V_LATER: by due_ns */
	struct req_list finished;  /* done() is due */
	uint64_t next_seq;

	struct pool reqs, cmds;
	struct buf_arena *arena;
	uint64_t trimmed_ns;
	uint8_t *zeroes; /* written where a path cannot WRITE_ZEROES */
	size_t zeroes_bytes;
	TAILQ_HEAD(, lun_waiter) waiters;
	bool serving_waiter; /* lun_req_get() is called for the first in the line */

	struct loop_task run_task, room_task, notify_task;
	struct loop_timer delay_timer, no_path_timer, failback_timer, stop_timer, activate_timer,
		overdue_timer;
	bool overdue_due;	  /* the timer has fired: look in this turn */
	bool overdue_excused;	  /* the last look was late, and not done */
	uint64_t overdue_set_ns;  /* the timer was started */
	uint64_t overdue_base_ns; /* the process was away until then: nothing counts as older */
	uint64_t activated_ns; /* a port group was asked to serve; 0: never */
	TAILQ_HEAD(, lun_observer) observers;
	bool stop_flushed;
	bool no_path_over; /* no_path_retry has ended, and no path has been proven since */
	enum queueing queueing;
	bool by_hand; /* the current group is lun_use_group()'s choice, not the best */
	bool failing_back; /* to the best group, as soon as its paths are known to be the LUN still */

	struct record *record;
	unsigned depth_told;  /* record_depth() */
	uint64_t hidden_told;
	struct log_limit error_log;
	struct lun_stats stats;
	uint64_t last_done_ns; /* of the last completion, 0 when idle */
};

/* Commands that only a split may take: one that must be split before it can be sent would
 * otherwise wait for commands that wait for the same. */
#define CMDS_FOR_SPLITS 4u

/* Hedges of one request, and their share of the pool of requests. */
#define HEDGES_MAX 7u
#define HEDGE_REQS 256u

/* Blocks that one zero-writing command can carry. */
#define LUN_ZEROES_BYTES (256u * KIB)

/* lun_run.c */
void lun_dirty(struct lun *lun); /* something happened: run in this turn's decide phase */
void lun_run_task(struct loop_task *t);
/* What waited for its range goes on; @ghost (or NULL) is what stays of it. */
void lun_unlock(struct req *r, struct ghost *ghost);
void lun_finish(struct req *r, int err); /* queue done() */
void lun_enter_phase(struct req *r);	 /* put r into elevator or flush engine by its phase */
void req_part_done(struct req *r, uint32_t nblocks, int err);
void lun_fail_queued(struct lun *lun, int err);
void lun_verify_pick(struct lun *lun);
struct path *lun_pick_path(struct lun *lun, const struct cmd *cmd);

/* lun.c */
void lun_stop_progress(struct lun *lun);
int lun_check_params(const struct lun_params *p); /* 0, -EINVAL */

/* lun_cmd.c */
struct cmd *cmd_get(struct lun *lun);	    /* NULL when only the reserve for splits is left */
void cmd_put(struct lun *lun, struct cmd *cmd);
struct cmd *cmd_build(struct lun *lun);
uint64_t cmd_bytes(const struct lun *lun, const struct cmd *cmd);
void cmd_advance(struct lun *lun, struct cmd *cmd, uint32_t nblocks);
struct cmd *cmd_split(struct lun *lun, struct cmd *cmd);
void cmd_write_zeroes_by_hand(struct lun *lun, struct cmd *cmd);
void cmd_end(struct lun *lun, struct cmd *cmd, int err); /* all parts are done with @err */
/* Nobody waits for any part of it: it must not be sent, again or at all. */
bool cmd_is_void(const struct cmd *cmd);
bool cmd_has_void_part(const struct cmd *cmd);
bool cmd_fits(const struct lun *lun, const struct cmd *cmd);

/* lun_verdict.c */
void lun_act(struct lun *lun, struct cmd *cmd);

/* lun_paths.c */
void lun_path_changed(struct lun *lun, struct path *p);
void lun_update_limits(struct lun *lun);
/* Is a check of a path that is not in use under way, or about to be? */
bool lun_is_checking(const struct lun *lun);
void lun_learn(struct lun *lun, const struct path_info *info);
/* How many blocks it has, if that is fewer than the LUN has; else 0. */
uint64_t lun_fewer_blocks(const struct lun *lun, const struct path_info *info);
/* @p has passed its check but for lun_mismatch(): say so if that is because it is smaller. */
void lun_alarm_shrunk(struct lun *lun, const struct path *p, const struct path_info *info);
/* NULL if @info fits the LUN, else what does not, in words (static or in @buf). */
const char *lun_mismatch(struct lun *lun, const struct path_info *info, char *buf, size_t size);
/* NULL if @info is of the same LUN, else what it is (in @buf). */
const char *lun_stranger(struct lun *lun, const struct path_info *info, char *buf, size_t size);
void lun_path_closed(struct lun *lun, struct path *p);
void lun_path_proven(struct lun *lun);
/* Without a usable path: does it hold requests, and till when? @why: if it does. */
void lun_hold_or_fail(struct lun *lun, const char *why);
void lun_no_path_expired(struct loop_timer *t);
void lun_activate_due(struct loop_timer *t);
void lun_probe_others(struct lun *lun, const struct path *p);
void lun_notify(struct lun *lun);
void lun_set_state(struct lun *lun, enum lun_state to, const char *why);

/* lun_group.c */

/* What has happened to the path for which the groups are made anew. */
struct path_news {
	const struct path *path; /* NULL: nothing */
	bool came;		 /* has become usable */
	bool rose;		 /* that, or its priority is better now */
};

/* Before the groups are made anew for @p (or NULL). */
struct path_news lun_path_news(const struct path *p);
/* They were: stay, or use another one. */
void lun_choose_group(struct lun *lun, struct path_news news);
void lun_failback_due(struct loop_timer *t);

/* ledger.c */
int ledger_init(struct lun *lun);
void ledger_fini(struct lun *lun);
void ledger_drop(struct lun *lun);
/* The block size is known: do the entries that were found count in the same? Before any write. */
void ledger_learn(struct lun *lun);
void ledger_stats(const struct lun *lun, struct lun_stats *ret);
/* An entry for the write @r; false: there is none, it waits (nblockers). */
bool ledger_admit(struct lun *lun, struct req *r);
void ledger_serve(struct lun *lun);
void ledger_sending(struct lun *lun, struct cmd *cmd, const struct path *p); /* before submit() */
void ledger_sent(struct cmd *cmd);
void ledger_ended(struct lun *lun, struct cmd *cmd);
/* ghost_policy hold-ack: @r may not be answered yet; lun_finish() will be called again. */
bool ledger_holds(struct lun *lun, struct req *r);
void ledger_release_held(struct lun *lun);
/* @r ends. What it leaves behind, NULL if nothing. */
struct ghost *ledger_close(struct lun *lun, struct req *r);
void ledger_verify(struct lun *lun);

/* hedge.c */
void overdue_init(struct lun *lun);
void overdue_watch(struct lun *lun); /* at the end of a turn: keep the timer running */
void overdue_look(struct lun *lun);  /* before dispatch */
void overdue_cmd_ended(struct lun *lun, struct cmd *cmd);
/* True if @r was a hedge: its end has been taken care of. */
bool hedge_takes(struct req *r, int err);
void hedge_drop_all(struct req *lead);

/* record.c */
int record_init(struct lun *lun);
void record_fini(struct lun *lun);
/* At the end of a turn: the depth in force is another one than before? */
void record_depth(struct lun *lun);
/* @cmd has ended. */
void record_cmd(struct lun *lun, const struct cmd *cmd, uint64_t now_ns);

/* lun_pool.c */
void req_free(struct req *r); /* its last user has gone */
struct req *lun_hedge_get(struct lun *lun, const struct req *lead);
int lun_pool_init(struct lun *lun);
void lun_pool_fini(struct lun *lun);
void lun_pool_drop(struct lun *lun);
void lun_room_task(struct loop_task *t);
void lun_room(struct lun *lun);
/* At times, when something else has woken us: give back what buffers have not been used for a while. */
void lun_trim(struct lun *lun);

/* flush.c */
void flush_init(struct flush_engine *f);
void flush_add(struct lun *lun, struct req *r);
void flush_start_round(struct lun *lun);
bool flush_is_idle(const struct lun *lun);
bool flush_is_needed(const struct lun *lun); /* some acknowledged write may be volatile */
void flush_force_round(struct lun *lun);     /* a round that nobody asked for */
/* @by_device: @err is what the device says, not our want of a path. */
void flush_cmd_ended(struct lun *lun, struct cmd *cmd, int err, bool by_device);
void flush_fail_waiting(struct lun *lun, int err);
void flush_path_gone(struct lun *lun, const struct path *p);

/* cache.c */
void cache_init(struct lun *lun);
void cache_adopt(struct lun *lun, struct req *r);
unsigned cache_errors_owed(const struct lun *lun);
void cache_sent(struct lun *lun, struct cmd *cmd, const struct path *p);
/* Since it was sent a loss of the cache was told, or suspected. */
bool cache_was_doubted(const struct lun *lun, const struct cmd *cmd);
/* The first @nblocks of it are in the cache. */
void cache_written(struct cmd *cmd, uint32_t nblocks);
/* @r is answered well. */
void cache_acked(struct lun *lun, struct req *r);
/* Was some of it in a cache that is lost? */
bool cache_is_lost(const struct lun *lun, const struct req *r);
void cache_flush_failed(struct lun *lun);
/* A round that began then has ended well. */
void cache_flushed(struct lun *lun, uint64_t begun_ns);
/* What @r of this round is answered. */
int cache_flush_answer(struct lun *lun, struct req *r, int err);
/* @p says that the LUN was reset; @proof: that an acknowledged write is lost. */
void cache_suspect(struct lun *lun, struct path *p, bool proof, const char *why);
/* @good: with nothing that smells of a reset. */
void cache_path_checked(struct path *p, bool good);
/* It will not answer. */
void cache_path_left(struct path *p);

/* health.c */
void health_init(struct path *p);
void health_stop(struct path *p);
/* It moved to PATH_FAILED. */
void health_failed(struct path *p);
/* VF_MARGINAL: when it returns, on a long probation. */
void health_distrust(struct path *p);
/* The administrator trusts it. */
void health_forgive(struct path *p);
/* Its check says that it serves: is it on probation (which starts now if one is due)? */
bool health_on_probation(struct path *p);
/* A command has ended; may make the path marginal. */
void health_io(struct path *p, const struct cmd *cmd);

/* crawl.c */
/* A command has ended on it, and was @good or not: it crawls, as health.why says. */
bool crawl_ended(struct path *p, const struct cmd *cmd, bool good);
/* Its depth is one, for a moment. */
bool crawl_on_trial(const struct path *p);
/* It, or another one of its group, is in another state; groups are others. Depths are set after that. */
void crawl_review(struct path *p);
/* It is judged afresh. */
void crawl_forget(struct path *p);

/* inject.c */
void inject_init(struct path *p);
void inject_off(struct path *p, const char *why);
/* An order is in force; the driver has ended @cmd. True: core hears of it later. */
bool inject_takes(struct cmd *cmd);
/* Before a command is given to the driver. True: it is not, and the path has failed. */
bool inject_refuses(struct path *p);
/* A check that was good counts as failed. */
bool inject_fails_check(struct path *p);

/* host.c */
void host_join(struct path *p);
void host_leave(struct path *p);
/* Which host each path belongs to, and how much each host takes. */
void host_update(struct lun *lun);

/* path.c, probe.c */
void path_init(struct path *p, struct lun *lun, unsigned index);
void path_send(struct path *p, struct cmd *cmd, uint64_t now_ns);
void path_account_end(struct path *p, struct cmd *cmd, uint64_t now_ns);
void path_start_close(struct path *p);
/* Something that a unit attention may have been lost with. */
void path_trouble(struct path *p);
/* Usable, or it will be known in a moment: what is in its own cache is flushed there. */
static inline bool path_keeps_cache(const struct path *p)
{
	return path_is_usable(p) || p->state == PATH_CHECKING;
}
void probe_init(struct path *p);
void probe_stop(struct path *p);
/* Check soon: @full before data may flow. */
void probe_now(struct path *p, bool full);
/* The driver says that it may be another LUN; a check that runs starts over as a full one. */
void probe_met_doubt(struct path *p, const char *why);
/* A full check beside data, soon, unless one was just made. */
void probe_refresh(struct path *p);
/* Its last full check is not long ago. */
bool probe_is_fresh(const struct path *p);
/* A probation is over: a full check, beside data if there is nothing better. */
void probe_reenter(struct path *p);
void probe_reschedule(struct path *p);
/* What a running check finds is out of date: it brings nothing back, another one follows. */
void probe_doubt(struct path *p);

/* verify.c */
#ifdef VERIFY
#define lun_verify_turn(lun) lun_verify(lun)
#else
#define lun_verify_turn(lun) ((void)0)
#endif

#endif
