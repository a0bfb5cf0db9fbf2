/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path.h - one way to the LUN, as core sees it: state table, account,
 * counters.
 *
 *   usable     commands may be sent now
 *   available  it may become usable again; requests are held for it
 */
#ifndef CORE_PATH_H
#define CORE_PATH_H

#include "base/hist.h"
#include "base/limits.h"
#include "base/verdict.h"
#include "core/cmd.h"
#include "core/inject.h"
#include "core/path_ops.h"
#include "loop/loop.h"

#include <sys/queue.h>

struct lun;

#define PATH_TAG_BYTES 18

/* Sizes of READ and WRITE: up to 4, 16, 64, 256 KiB, larger. */
enum { BYTE_CLASSES = 5, BYTE_CLASS_OTHER = BYTE_CLASSES };

enum path_state {
	PATH_FOUND,	    /* added, nothing known yet */
	PATH_CHECKING,	    /* its re-entry check runs; no data before it ends */
	PATH_ACTIVE,	    /* usable (optimized or not: see access) */
	PATH_STANDBY,	    /* healthy, its port group does not serve */
	PATH_UNAVAILABLE,   /* as standby; fewer commands are answered */
	PATH_TRANSITIONING, /* the port group is changing state */
	PATH_SUSPECT,	    /* a command is overdue */
	PATH_FAILED,	    /* does not answer; checked from time to time */
	PATH_MARGINAL,	    /* answers, but badly: used only if nothing better is left */
	PATH_DISABLED,	    /* by the administrator, or another LUN's identity was found */
	PATH_GONE,	    /* closing; leaves the LUN when the driver is done */
	PATH_STATE_NR
};

enum path_event {
	PEV_CHECK,	    /* a full check starts */
	PEV_UP,		    /* check: serves data */
	PEV_STANDBY,	    /* check or command: access state */
	PEV_UNAVAILABLE,
	PEV_TRANSITIONING,
	PEV_SUSPECT,	    /* a command is overdue */
	PEV_MARGINAL,	    /* check: serves data, but is on probation; live I/O: does it badly */
	PEV_DOWN,	    /* check failed, command said V_FAIL, device lost */
	PEV_DISABLE,	    /* administrator, or identity */
	PEV_ENABLE,	    /* administrator */
	PEV_REMOVE,
	PEV_NR
};

/* The paths of this LUN that go through one host adapter. */
struct host {
	int number;
	unsigned npaths, inflight;
	unsigned depth; /* commands over all of them; 0: no cap */
};

/* How far it is trusted: private to health.c. */
struct path_health {
	unsigned nfails, level; /* failures in the window; probations so far */
	uint64_t first_fail_ns, failed_ns;
	uint64_t owed_ns, until_ns; /* probation: to come, and running until then */
	uint64_t sample_ns;	    /* n commands since then, of which were errors */
	unsigned n, errors;
	char why[96];
	struct loop_timer timer;
};

/* How long its commands take: private to crawl.c. */
struct path_crawl {
	unsigned n, ncrawls, nlater; /* of the sample; samples in a row */
	uint64_t sum_ns, least_ns, most_ns;	/* the sample that is being taken */
	uint64_t began_ns[2];			/* it, and the one before it */
	uint64_t mean_ns, longest_ns, ended_ns; /* the last one; when */
	uint64_t trial_ns, excused_ns; /* gets one command at a time since then, 0: no; no trial until then */
	unsigned trial_n;
	uint64_t trial_least_ns;
};

struct path_stats {
	uint64_t cmds[CMD_OP_NR], bytes_read, bytes_written;
	uint64_t reqs;		 /* requests carried: > commands where they were merged */
	uint64_t errors[V_NR];	 /* completions by verdict */
	uint64_t failures;	 /* moves into PATH_FAILED */
	uint64_t overdue;	 /* commands that were out for too long */
	uint64_t checks, checks_failed;
	uint64_t busy_again;	 /* submit() said -EAGAIN */
	uint64_t write_max_ns;	 /* longest that the driver stood still in sending */
	uint32_t inflight_max;
	struct hist service;	 /* from send to completion */
};

/* In dev_id: a file on a file system of that device; alone: nothing of it outlives this process. */
#define PATH_DEV_FILE (1u << 31)

struct path {
	/* --- set by the driver before lun_add_path() -------------------------- */
	const struct path_ops *ops;
	char name[PATH_NAME_BYTES]; /* "/dev/sg3" */
	char dev[32];		    /* "2:0:0:1", "7:4"; for display */
	uint32_t dev_id;	    /* major << 20 | minor of the node, see below; 0: unknown */
	int host;		    /* failure domain: SCSI host number, -1 unknown */
	int numa_node;		    /* -1 unknown */
	char node_name[NODE_NAME_BYTES]; /* of the target, as its transport has it; "" unknown */

	/* --- core's; read by ctl ------------------------------------------------ */
	struct lun *lun;
	unsigned index; /* 0..PATHS_MAX-1 within the LUN, stable while it exists */
	char tag[PATH_TAG_BYTES]; /* "sg3", for the trace */
	enum path_state state;
	uint64_t state_since_ns;
	char why[CAUSE_BYTES];	      /* cause of the last move, in words */
	struct path_info info; /* of the last good full check */
	bool info_valid;
	uint64_t small_blocks; /* its last full check told of so many, fewer than the LUN has; else 0 */
	/* PATH_DISABLED because another identity was found: why says which. */
	bool quarantined;
	bool dirty;    /* wrote since its last good flush; at first: an earlier process may have */
	bool flush_due; /* the running flush round has still to visit it */
	bool no_room;  /* submit() said -EAGAIN and path_room() has not come */
	bool to_flush; /* ops->flush is due in this lun_run() */
	SLIST_ENTRY(path) flush_link;
	unsigned inflight; /* commands at the driver */
	uint64_t inflight_bytes;
	unsigned inflight_class[BYTE_CLASSES + 1]; /* of inflight; the last is no data command */
	/* What it has taken, by class (sel_hist.c); 0: nothing known. */
	uint64_t service_ewma_ns[BYTE_CLASSES], last_done_ns;
	bool service_stale;
	unsigned numa_distance; /* from the memory of this process; 10 is local */
	unsigned depth;	       /* cap in force */
	struct host *adapter;  /* NULL: none is known */
	uint64_t last_used_ns, use_seq;
	unsigned ready_at; /* private to ready.c, as is the next */
	uint64_t ready_cost;
	unsigned prio;
	unsigned group; /* index into the LUN's groups */
	unsigned streak; /* VF_STREAK outcomes in a row */
	unsigned overdue;  /* commands in flight that are */
	bool last_resort;  /* suspect, and nothing better is left */
	bool host_suspect; /* another path of its host is: second choice */
	/* Service time of READ and WRITE: smoothed, and its mean deviation (as RFC 6298 does). */
	uint64_t srv_ns, srv_dev_ns;
	struct path_stats stats;
	struct path_health health;
	struct path_crawl crawl;
	struct inject inject;

	/* --- private to path.c, probe.c and lun_paths.c ---------------------------- */
	/* When the groups were made last. */
	bool was_usable;
	unsigned was_prio;
	struct loop_timer transition_timer;
	bool transition_over; /* took too long: counts as failed until another state is told */
	uint64_t activated_ns; /* ops->activate() was called last; 0: never */
	bool asked;   /* whether the LUN was reset (cache.c) */
	uint64_t clean_since_ns; /* nothing that may have eaten a unit attention */
	bool awaited; /* requests wait for its next check: its port group may serve now */
	TAILQ_ENTRY(path) link;
	TAILQ_HEAD(, cmd) cmds; /* in flight, oldest first */
	struct loop_timer probe_timer;
	bool probe_running, probe_again, probe_again_full;
	bool probe_refresh; /* the next check is a full one; beside data, nothing is doubted */
	bool probe_full;    /* the one that runs, or ran last */
	uint64_t probe_interval_ns, probe_began_ns;
	uint64_t identity_ns;	  /* the last full check that found the LUN ended; 0: none has */
	uint64_t identity_due_ns; /* the next one, at the latest */
	bool close_started, closed;
};

/* Commands may be sent: active or marginal. */
bool path_is_usable(const struct path *p);
/* Usable, and not only if nothing better is left. */
static inline bool path_is_good(const struct path *p)
{
	return p->state == PATH_ACTIVE;
}
bool path_is_available(const struct path *p);
/* Usable and below its cap. */
bool path_has_room(const struct path *p);
/* The same, but for what its adapter takes. */
bool path_has_own_room(const struct path *p);
/* The one place that moves a path: looks the move up, asserts on an impossible one, logs it once
 * with @why, starts and stops what the new state needs, tells the LUN. */
void path_event(struct path *p, enum path_event ev, const char *why);
/* Rest of its probation; 0 if it is on none. */
uint64_t health_left_ns(const struct path *p);
const char *path_state_name(enum path_state s);
const char *access_state_name(enum access_state s);

#endif
