/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h - lunmuxd's inside: one LUN, wired from configuration to exports.
 *
 *   main.c     options, exit code
 *   daemon.c   life: start, ready, stop
 *   live.c     the configuration in force; reload.c what it means for paths and exports
 *   attach.c   /dev/nbdN
 *   paths.c    finds paths, opens them, and drops those that have gone
 *   byhand.c   paths that lunmuxctl adds and takes away
 *   hotplug.c  when to look for them: events, timer
 *   inflight.c writes that an earlier process has left
 *   exports.c  NBD, FUSE and what they tell the control socket
 *   state.c    RUNDIR/NAME: directory, lock, state file
 *   notify.c   what the service manager is told
 *   upgrade.c  going on as another version; handover.c what it leaves to that
 *
 * Included by nobody outside src/daemon.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "config.h"

#include "base/units.h"
#include "config/config.h"
#include "core/lun.h"
#include "daemon/handover.h"
#include "daemon/live.h"
#include "loop/loop.h"
#include "path/blk.h"
#include "path/blk_io.h"
#include "path/discover.h"
#include "path/inflight.h"
#include "path/sg.h"
#include "path/uevent.h"

#include <jansson.h>
#include <limits.h>

struct ctl_device_ops;
struct ctl_error;
struct ctl_path_ops;
struct ctl_server;
struct ctl_upgrade_ops;
struct fuse_export;
struct nbd_attach;
struct nbd_server;

/* A path that could not be opened: said once, until the words change; tried again at later scans. */
struct refusal {
	char name[PATH_NAME_BYTES]; /* "": free */
	char text[400];
	uint64_t since_ns, next_ns; /* not tried again before */
	bool seen;		    /* by this scan */
};
#define REFUSALS_MAX 32

/* What the next scan must know of a path, by path->index. */
struct path_note {
	struct path *path;
	char *name;			  /* it was opened by; path->name may be shorter */
	char ident[DISCOVER_IDENT_BYTES]; /* see discover_ident() */
	bool doubted;
	bool by_hand; /* add-path: no scan and no reload takes it away */
	uint64_t checked_ns; /* an event had it checked last */
	bool check_due;	     /* another one came too soon after that */
};

/* A path that del-path took away. */
struct taken {
	char name[PATH_NAME_BYTES];
	uint64_t since_ns;
	TAILQ_ENTRY(taken) link;
};

/* See upgrade.c. */
struct upgrade {
	enum { UPGRADE_NONE, UPGRADE_CHECKING, UPGRADE_WAITING } state;
	char exe[PATH_MAX]; /* where this program was started from; "": not known */
	char error[320];    /* of the last attempt */
	uint64_t frozen_ns; /* clients wait since then */
	struct loop_timer timer;
	/* The thread's, while it checks. */
	struct blk_work *work; /* NULL until there is one */
	struct blk_io job;
	struct loop_fd event;
	char format[8], conf_file[PATH_MAX], name[NAME_BYTES_MAX + 1];
	char said[256]; /* the first line */
	/* What an earlier lunmuxd has left, until it is taken over. */
	bool adopting;
	struct handover in;
	struct loop_task adopt;
	uint64_t count, wait_ns; /* upgrades of this process; how long clients waited at the last */
};

struct daemon {
	char **argv;
	const char *conf_file;
	const char *rundir;
	char dir[256]; /* RUNDIR/NAME */
	struct loop *loop;
	struct live live; /* the configuration and its changes */
	const struct lun_conf *lc;   /* of the start; see reload.c for what changes later */
	struct lun *lun;
	struct lun_observer observer;
	int lock_fd; /* of RUNDIR/NAME/state */
	struct upgrade upgrade;
	struct inflight inflight;
	bool inflight_known; /* its block size is */
	struct inflight_look look;
	struct loop_timer look_timer;

	struct blk_engine *engine; /* NULL until a block path is opened */
	struct sg_identity sg_identity;
	struct blk_identity blk_identity;
	struct loop_timer rescan_timer;
	struct path_note notes[PATHS_MAX];
	struct refusal refusals[REFUSALS_MAX];
	unsigned nrefused;
	TAILQ_HEAD(, taken) taken;
	unsigned ntaken;
	struct uevent_monitor uevents;
	bool told_no_events;
	uint64_t scan_rest_ns; /* events start no scan before */
	uint64_t scan_start_ns;
	/* A thread looks which paths there are: it may sleep for as long as a file system pleases. */
	struct blk_work *looker;
	struct blk_io look_job;
	struct loop_fd look_fd;
	bool looking, look_again;
	unsigned nfound; /* paths that the last scan found or the configuration names */

	struct nbd_server *nbd;
	struct fuse_export *fuse;
	struct nbd_attach *attach; /* NULL until it is asked for */
	uint64_t attach_due_ns;	   /* the start waits for it no longer */
	struct ctl_server *ctl;
	bool ready, exports_started, exports_stopping;
	unsigned exports_running; /* that have not reported their end */

	struct loop_signal sigterm, sigint, sighup;
	struct loop_timer ready_timer, warn_timer, exit_timer, watchdog_timer;
	char status[128]; /* what the service manager was told last */
	struct loop_task exit_task;
	bool waited; /* long enough for all paths: min_paths of them will do */
	bool stopping;
	int exit_code;
};

/* What was accepted may take so long to be carried out after SIGTERM. */
#define STOP_GRACE_NS (4 * NS_PER_SEC)
/* And this is the end, whatever hangs: a service manager waits longer. */
#define STOP_LIMIT_NS (5 * NS_PER_SEC)

/* daemon.c: runs until it is asked to stop; the exit code. */
int daemon_run(struct daemon *d);
/* Something that "ready" waits for may have happened. */
void daemon_try_ready(struct daemon *d);

/* reload.c: hooks of the control socket, and SIGHUP's */
json_t *reload_now(void *daemon, struct ctl_error *err);
json_t *reload_set(void *daemon, const char *key, const char *value, struct ctl_error *err);
void reload_init(struct daemon *d);

/* paths.c: 0 or a negative errno, logged */
int paths_start(struct daemon *d);
void paths_stop(struct daemon *d);
/* Have all paths that were found at the start been judged? */
bool paths_all_checked(const struct daemon *d);

/* Drop paths that the configuration named and names no more. */
void paths_reconfigured(struct daemon *d);
/* Look which paths there are: begin and end in the loop's thread, look between the two in any. It
 * touches what belongs to a scan, and what does not change after the start. */
void paths_scan_begin(struct daemon *d);
void paths_scan_look(struct daemon *d);
/* False: something is worth a look before long, event or not. */
bool paths_scan_end(struct daemon *d);

/* Open @name as a path of the LUN. 0, or a negative errno with the reason in @err. */
int paths_open(struct daemon *d, const char *name, enum discover_kind kind, struct path **ret, char *err,
	       size_t size);
/* The name that it was opened by. */
const char *path_opened_as(const struct daemon *d, const struct path *p);

json_t *paths_refused_json(void *daemon);

/* byhand.c */
void byhand_init(struct daemon *d);
void byhand_free(struct daemon *d);
/* Scans leave it alone. */
bool byhand_is_taken(struct daemon *d, const char *name);
/* Appends those to the refusals. */
void byhand_json(struct daemon *d, json_t *all);
extern const struct ctl_path_ops byhand_by_ctl;

/* hotplug.c: 0 or a negative errno, logged */
int hotplug_start(struct daemon *d);
void hotplug_stop(struct daemon *d);
/* After hotplug_stop(), when no look is under way. */
void hotplug_free(struct daemon *d);
/* Scan after @delay_ns at the latest. */
void hotplug_scan_in(struct daemon *d, uint64_t delay_ns);

/* inflight.c */
/* 0 or a negative errno, logged */
int inflight_start(struct daemon *d, struct lun_params *par);
/* The LUN has what was found there. */
void inflight_watch(struct daemon *d);
/* Before a client can write: the LUN's geometry may be known now. */
void inflight_learn(struct daemon *d);
/* The LUN is no more. */
void inflight_end(struct daemon *d);

/* exports.c: 0 or a negative errno, logged */
int exports_start_early(struct daemon *d);
int exports_start(struct daemon *d);
void exports_stop(struct daemon *d);
void exports_free(struct daemon *d);
/* Limits of clients, as the configuration has them now. */
void exports_reconfigured(struct daemon *d);
json_t *exports_json(void *daemon);
void exports_uri(const struct daemon *d, char *buf, unsigned size);

/* attach.c. As nbd_device says, the first time: 0, or a negative errno, logged; the geometry is known. */
int attach_start(struct daemon *d);
/* How long the start should still wait for the device; 0: not at all. */
uint64_t attach_wait_ns(const struct daemon *d);
/* Detach what nobody uses; then @stopped is called, perhaps at once. The LUN serves until then. */
void attach_stop(struct daemon *d, void (*stopped)(void *daemon));
/* After the server is gone. */
void attach_free(struct daemon *d);
/* The device goes on in the next program; here it comes from the last one. @st: its connection. */
void attach_save(struct daemon *d, struct handover *h);
int attach_adopt(struct daemon *d, const struct handover *h, const struct nbd_conn_state *st);
json_t *attach_json(struct daemon *d);
extern const struct ctl_device_ops attach_by_ctl;

/* upgrade.c */
/* First of all: before any descriptor is opened. */
void upgrade_init(struct daemon *d);
/* @p was opened as @name. */
void upgrade_opened(struct daemon *d, const char *name, struct path *p);
void upgrade_lun_changed(struct daemon *d);
/* The daemon ends: no upgrade any more. */
void upgrade_stop(struct daemon *d);
/* The thread is at work: it is waited for. */
bool upgrade_is_busy(const struct daemon *d);
void upgrade_free(struct daemon *d);
extern const struct ctl_upgrade_ops upgrade_by_ctl;

/* state.c: 0 or a negative errno, logged */
int state_open(struct daemon *d);
void state_write(struct daemon *d, const char *state);
void state_close(struct daemon *d);

/* notify.c: harmless without a service manager */
void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Between these two the manager's watchdog is kept content, while the loop turns. */
void notify_start(struct daemon *d);
void notify_stop(struct daemon *d);
void notify_status(struct daemon *d, unsigned usable, unsigned all);

#endif
