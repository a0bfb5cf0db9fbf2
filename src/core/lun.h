/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun.h - the LUN: one queue, one account, many paths.  What exports, drivers'
 * owners (daemon) and the control socket call.
 *
 * Everything is called in the loop's thread.
 */
#ifndef CORE_LUN_H
#define CORE_LUN_H

#include "base/hist.h"
#include "base/limits.h"
#include "base/policy.h"
#include "core/req.h"
#include "loop/loop.h"

#include <sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

struct lun;
struct path;
struct ledger_slot;

/* --- making one ------------------------------------------------------------ */

struct lun_params {
	char name[NAME_BYTES_MAX + 1];
	/* Identity that every path must show in path_info.ident; drivers judge it, core only
	 * compares paths with each other. Display here. */
	char wwid[WWID_BYTES_MAX];
	enum sel_kind selector;
	unsigned rr_min_io; /* round-robin: commands before the next path, >= 1 */
	uint64_t rr_min_bytes; /* or bytes, at most 2^31; 0: commands count */
	enum rr_weight rr_weight;
	/* By node, from the node of this process's memory, as the kernel tells; 0: unknown. Paths
	 * without a node, or with one that is not known, are taken to be local. */
	uint8_t numa_distance[NUMA_NODES_MAX];
	enum elv_kind elevator;
	/* deadline elevator, as in mq-deadline */
	uint64_t read_expire_ns, write_expire_ns;
	unsigned fifo_batch, writes_starved;
	enum group_policy grouping;
	enum failback_kind failback;
	uint64_t failback_ns; /* FAILBACK_AFTER */
	enum no_path_kind no_path;
	unsigned no_path_checks;       /* NO_PATH_RETRY: that many polling intervals */
	uint64_t polling_interval_ns;  /* between checks of a path */
	uint64_t max_polling_interval_ns; /* back-off ends here */
	/* A usable path is asked who it is so often (its other checks are cheap); and need not be if
	 * it was within the second time, which is shorter. */
	uint64_t identity_ns, fresh_ns;
	/* Flapping and marginal paths: core/health.c. */
	uint64_t flap_window_ns; /* in which failures are counted; 0: flapping is not looked at */
	uint64_t err_sample_ns;	 /* in which errors are counted */
	unsigned err_rate;	 /* so many in 1000 are too many; 0: live I/O is not looked at */
	uint64_t marginal_ns;	 /* a marginal path stays so; longest probation */
	enum flush_scope flush_scope; /* FLUSH_SCOPE_ALL where PATH_CAP_OWN_CACHE is set, too */
	bool read_only;
	/* Commands at the LUN, whatever the number of paths. 0 = auto: the largest depth that a
	 * path reports (the kernel counts it per LUN and nexus), DEPTH_DEFAULT if none does. */
	unsigned depth;
	unsigned path_depth; /* cap per path; 0 = what the path says */
	unsigned host_depth; /* cap of all paths through one host; 0 = three quarters of its tags */
	unsigned max_reqs;   /* requests of all clients */
	uint64_t buffer_bytes; /* power of two */
	uint32_t max_cmd_bytes; /* largest merged command; 0 = CMD_BYTES_MAX */
	bool expect_paths; /* paths may still appear: an empty LUN holds requests, too */
	/* A command that is out longer makes its path suspect, and its requests go again by another
	 * path; 0 = auto: from the path's own latency. */
	uint64_t suspect_after_ns;
	/* A write whose command has ended without anybody knowing how may land so much later; other
	 * overlapping writes wait (core/ledger.h). hold_ack: so does its answer, for LUNs that other
	 * hosts write, too. */
	uint64_t ghost_time_ns;
	bool ghost_hold_ack;
	unsigned max_ghosts; /* writes of which so much is remembered beyond their end */
	/* ledger_slots(max_reqs, max_ghosts) of them, what an earlier process has left; NULL = none, own memory.
	 * The caller's, as long as the LUN lives. What is found there may land for that time. */
	struct ledger_slot *slots;
	uint32_t slots_block_bytes; /* in which the earlier process has counted; 0: not known */
	uint64_t restored_ghost_ns;
	/* What is owed to clients (struct ledger_debts), kept up to date there, and what an earlier process
	 * has left. The caller's, as long as the LUN lives; NULL = it ends with the LUN. */
	uint64_t *debts;
	uint64_t hold_writes_ns; /* all writes wait for so long at the start */
};

void lun_params_default(struct lun_params *p);
/* 0, -ENOMEM or -EINVAL (sizes out of base/limits.h). Copies @p. */
int lun_new(struct loop *l, const struct lun_params *p, struct lun **ret);
/* Paths, requests and observers must be gone (asserted); see lun_stop(). Accepts NULL. */
void lun_free(struct lun *lun);

/* For the simulator: the process is killed. The memory of @lun goes and nothing else happens; its
 * loop (loop_sim_forget()) and its paths go with it. */
void lun_vanish(struct lun *lun);

/* --- paths ------------------------------------------------------------------ */

/* Core owns @p from here; the first check starts at once. 0, -ENOSPC (PATHS_MAX) or
 * -ESHUTDOWN; on failure @p is still the caller's. */
int lun_add_path(struct lun *lun, struct path *p);
/* Close the path: nothing new is sent, what is in flight ends, then it is released. */
void lun_remove_path(struct lun *lun, struct path *p, const char *why);
/* Something outside casts doubt on @p (a scan, an event of the kernel): no data until a full check
 * has said otherwise. Nothing happens to one that is disabled or closing. */
void lun_recheck_path(struct lun *lun, struct path *p, const char *why);
struct path *lun_find_path(struct lun *lun, const char *name);
/* In the order they were added; NULL at the end. */
struct path *lun_next_path(struct lun *lun, struct path *prev);
/* The administrator's: the path takes no data until reinstated. */
void lun_fail_path(struct lun *lun, struct path *p);
/* Back through a full check; a path that is not disabled is checked at once. -EPERM: it is in
 * quarantine, and stays there. */
int lun_reinstate_path(struct lun *lun, struct path *p);
/* The administrator vouches for a path in quarantine: a full check, and it comes back if that finds
 * the LUN; else quarantine again. -EINVAL: it is not in quarantine. */
int lun_accept_path(struct lun *lun, struct path *p);

/* --- geometry ---------------------------------------------------------------- */

struct lun_geometry {
	uint32_t block_bytes, phys_block_bytes;
	uint64_t nblocks;
	bool read_only, rotational, write_cache;
	bool can_discard, can_zero, can_fast_zero, can_status;
	uint32_t max_cmd_blocks; /* of one merged command now */
	uint32_t discard_granularity_blocks;
	char ident[256], product[64];
};

/* False until the first path has passed its check. Afterwards the block size never changes, and the
 * size only grows: when all usable paths have told that there is more. Observers are told. */
bool lun_geometry(const struct lun *lun, struct lun_geometry *ret);

/* The administrator says that it may have another size. Usable paths are asked one after the other,
 * while the others go on; the caller looks how far it is, and may give up at any time. A path that
 * tells of a smaller LUN fails, as ever, and none is asked after it. */
struct lun_resize {
	struct lun *lun;
	uint64_t old_blocks, new_blocks; /* the size in force: at the beginning, now */
	uint64_t told_blocks;		 /* what it might be: by the largest path, or one that shrank */
	char path[PATH_NAME_BYTES];	 /* that is asked, or was last, or still has less than told_blocks */
	/* private */
	uint64_t asked[(PATHS_MAX + 63) / 64];
};
enum lun_resize_state {
	RESIZE_RUNNING,
	RESIZE_SAME,
	RESIZE_GROWN,
	RESIZE_DIFFERS, /* not all usable paths tell of told_blocks */
	RESIZE_SHRUNK,	/* path tells of told_blocks */
	RESIZE_NO_PATH, /* none is usable any more */
};
/* 0; -ENETDOWN: no path is usable, or none has been yet; -ESHUTDOWN. */
int lun_resize_begin(struct lun *lun, struct lun_resize *ret);
enum lun_resize_state lun_resize_step(struct lun_resize *rs);

/* --- clients -------------------------------------------------------------------- */

/* Who submits requests and sees their answers: a connection, a file. A LUN that may have lost
 * acknowledged writes tells each of them once: its next REQ_FLUSH fails with EIO. Embedded by the
 * export, zeroed before lun_client_join(). */
struct lun_client {
	struct lun *lun; /* NULL: has not joined */
	/* private to cache.c */
	uint64_t acked;	     /* its last acknowledged write that was not stable: flush rounds begun, plus 1; 0: none */
	uint64_t reported;   /* that of which a failed flush was told */
	uint64_t told_round; /* flushes of that round fail */
	bool owed, own;	     /* its next flush fails; writes of its own are concerned */
	bool told_loss;	     /* some flush has failed for that */
	TAILQ_ENTRY(lun_client) link;
};

/* It inherits what one that has left was not told. */
void lun_client_join(struct lun *lun, struct lun_client *cl);
/* It sees no answer any more; lun_cancel() each request of it that is out first. Harmless if it has
 * not joined. */
void lun_client_leave(struct lun_client *cl);
/* The error of a flush was answered, but could not be delivered: if it was for a loss, the next flush tells it.
 * Before lun_client_leave(). */
void lun_client_untold(struct lun_client *cl);

/* What the LUN owes a client; for the process that will serve it. */
struct lun_client_debt {
	bool owed, own;	 /* as above */
	bool unflushed;	 /* it has acknowledged writes that no flush has covered */
	bool reported;	 /* and was told of a failed flush of these */
};
void lun_client_debt(const struct lun_client *cl, struct lun_client_debt *ret);
/* After lun_client_join(). */
void lun_client_inherit(struct lun_client *cl, const struct lun_client_debt *d);
/* The same for clients that have left, by number. False: it is being asked whether the cache was
 * lost; not now. */
struct lun_orphans {
	unsigned owed, unflushed;
};
bool lun_orphans(const struct lun *lun, struct lun_orphans *ret);
void lun_inherit_orphans(struct lun *lun, const struct lun_orphans *o);

/* --- requests ------------------------------------------------------------------ */

/* A request with a buffer of at least @data_bytes (0: none), state REQ_OWNED, fields zeroed.
 * NULL when there is none now or somebody waits before the caller: see lun_wait_room(). */
struct req *lun_req_get(struct lun *lun, size_t data_bytes);
/* The submitter has no more use for it (and its data). In states REQ_OWNED and REQ_DONE only. */
void lun_req_put(struct req *req);

/* Be called back, in the order of asking, when lun_req_get() may succeed again. fn returns true
 * when it got what it needs, false to stay first in the line. Called from a task, never from
 * inside another lun_*() call. */
struct lun_waiter {
	bool (*fn)(struct lun_waiter *w);
	TAILQ_ENTRY(lun_waiter) link;
	bool waiting;
};
void lun_wait_room(struct lun *lun, struct lun_waiter *w);
void lun_wait_cancel(struct lun *lun, struct lun_waiter *w);

/* Hand @req to the LUN. Never calls done() itself. The range must lie inside the LUN and the
 * kind of operation must be one that lun_geometry() offers (asserted: exports check clients).
 * done() will find in req->err:
 *   0           done; WRITE with FUA is stable; READ: data is valid
 *   EIO         medium, hardware; no path and no_path_retry has ended; FLUSH: acknowledged writes may
 *               be lost, of whichever client
 *   ENOSPC      thin provisioning pool is full
 *   EPERM       write protected, reserved
 *   EOPNOTSUPP  the LUN does not know the operation (DISCARD, STATUS, REQ_F_FAST_ZERO)
 *   ESHUTDOWN   lun_stop(): the request did not run or its end is unknown; do not answer */
void lun_submit(struct req *req);
/* Its client has gone: a request of which nothing was sent ends with ECANCELED (done() is called
 * from the next lun_run()); any other runs to its end. What it writes is acknowledged to nobody. */
void lun_cancel(struct req *req);

/* --- state -------------------------------------------------------------------- */

enum lun_state {
	LUN_STARTING, /* no path has passed its check yet */
	LUN_UP,	      /* a path is usable */
	LUN_DARK,     /* none is; requests are held */
	LUN_FAILING,  /* none is, and no_path_retry has ended: requests fail */
	LUN_DRAINING, /* lun_stop(): what was accepted is carried out, nothing new is taken */
	LUN_STOPPING, /* what was not sent is given up, paths close */
	LUN_STOPPED,  /* no command is in flight, no path is left */
};
enum lun_state lun_get_state(const struct lun *lun);
const char *lun_state_name(enum lun_state s);

/* Told of changes of state, of paths, of the first geometry and of growth, from a task. */
struct lun_observer {
	void (*changed)(struct lun_observer *o, struct lun *lun);
	TAILQ_ENTRY(lun_observer) link;
};
void lun_observe(struct lun *lun, struct lun_observer *o);
void lun_unobserve(struct lun *lun, struct lun_observer *o);

/* End: nothing new is taken (ESHUTDOWN). While a path is usable, what was accepted is carried
 * out and caches are flushed, for at most @grace_ns; the rest ends with ESHUTDOWN, paths are
 * closed. Then the state is LUN_STOPPED. A second call with 0 stops waiting. */
void lun_stop(struct lun *lun, uint64_t grace_ns);

/* --- live changes ---------------------------------------------------------------- */

/* Take over @p but for what the LUN was made with: name, wwid, NUMA distances, read_only, the sizes
 * of pools and buffers, the ledger's slots. A depth beyond the pool of commands is cut to that;
 * lun_params() has what is in force. 0; -EINVAL: nothing has changed. */
int lun_apply(struct lun *lun, const struct lun_params *p);
void lun_set_selector(struct lun *lun, enum sel_kind kind);
/* 0 = auto */
void lun_set_depth(struct lun *lun, unsigned depth);
/* Overrides no_path_retry until the next call: QUEUEING_ON holds requests without a limit, also if
 * they fail now; QUEUEING_OFF fails them while no path is usable. */
void lun_set_queueing(struct lun *lun, enum queueing q);
enum queueing lun_queueing(const struct lun *lun);
/* What holds without a path now: no_path_retry, or what overrides it. */
enum no_path_kind lun_no_path(const struct lun *lun);
/* Every request that is held for want of a path ends with EIO, and so do new ones until a path is
 * usable; no_path_retry counts again when a command has proven one. 0; -EBUSY: a path is usable,
 * nothing is held; -ESHUTDOWN: the LUN is being stopped. */
int lun_fail_now(struct lun *lun);
const struct lun_params *lun_params(const struct lun *lun);
/* The elevator in force: what auto has chosen, too. */
const char *lun_elevator(const struct lun *lun);

/* Ghosts of an earlier process that are left. */
unsigned lun_ghosts_of_others(const struct lun *lun);
/* For each of them: @fn returns until when it may land (loop_now_ns() time); later than now known
 * is ignored. */
typedef uint64_t lun_ghost_fn(void *arg, const struct ledger_slot *slot, uint64_t now_ns);
void lun_shorten_ghosts(struct lun *lun, lun_ghost_fn *fn, void *arg);

/* Let group @i (of lun_get_groups()) carry the I/O. It does so while it has a usable path and the
 * failback policy leaves it alone: manual for good, after N seconds, the others until a path comes
 * up (or is given a better priority) that they follow. 0; -EINVAL: there is no such group;
 * -ENETDOWN: it has no usable path. */
int lun_use_group(struct lun *lun, unsigned i);

/* --- statistics: read at any time, never written by readers ------------------------- */

struct lun_stats {
	uint64_t reqs[REQ_OP_NR], errors;
	uint64_t bytes_read, bytes_written;
	uint64_t cmds, merged;	 /* commands sent; requests that shared one */
	uint64_t splits;	 /* merged commands taken apart after an error */
	uint64_t retries, held;	 /* commands sent again; times the LUN went dark */
	uint64_t blocked;	 /* requests that waited for an overlapping write */
	uint64_t canceled, rmw;
	uint64_t flush_rounds, flush_skipped;
	uint64_t cache_losses, cache_suspicions; /* times; resets that may have been one */
	unsigned errors_owed; /* clients, those that have left included, whose next flush fails */
	uint64_t depth_shrunk, depth_hints; /* times; of these by traces of what the kernel hides */
	uint64_t overdue;	 /* commands that were out for too long */
	uint64_t hedges, hedges_won; /* requests sent again for that; that answered first */
	uint64_t ghosts;	 /* writes answered while a command of theirs might still land */
	unsigned ghosts_now;
	unsigned ghosts_others, ghosts_out; /* of these: an earlier process's; with a command at a driver */
	uint64_t ghosts_left_ns; /* all but those that are out are gone then */
	uint64_t writes_held_ns; /* all writes wait for so long; 0: they do not */
	unsigned inflight, inflight_max, depth, depth_max; /* commands at the LUN; depth in force, and when quiet */
	unsigned queued, held_now;		 /* requests in the elevator; commands to be sent again */
	unsigned reqs_out;			 /* requests out of the pool */
	uint64_t buf_bytes, buf_bytes_max;
	uint64_t dark_ns, dark_since_ns;	 /* longest time without a path; since when now (0: is up) */
	uint64_t gap_max_ns;			 /* longest time between two completions while busy */
	struct hist queue_time;			 /* submit to first send */
	struct hist latency[2];			 /* submit to done: reads, writes */
};
void lun_get_stats(const struct lun *lun, struct lun_stats *ret);
struct lun_group_info {
	int prio;
	unsigned npaths, nusable;
	bool current;
	bool by_hand; /* current, by lun_use_group() */
};
/* Number of groups; fills at most @max. */
unsigned lun_get_groups(const struct lun *lun, struct lun_group_info *ret, unsigned max);

/* Whole-structure check: elevator, range lock, account, states. Asserts. */
void lun_verify(struct lun *lun);

#endif
