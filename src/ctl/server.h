/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.h - the control socket of one LUN: RUNDIR/NAME/ctl.sock, on the loop.
 *
 * Answers from memory at once, whatever the paths do.  Clients cost the I/O
 * nothing that counts: one verb a turn, a bounded share of the thread's time in
 * all (CTL_SHARE), bounded buffers, no call that waits.
 */
#ifndef CTL_SERVER_H
#define CTL_SERVER_H

#include <jansson.h>
#include <stdbool.h>

struct ctl_error;
struct loop;
struct lun;
struct path;
struct ctl_server;

/* The LUN as a block device of the kernel. */
struct ctl_device_ops {
	/* Begin to attach it, as @device ("/dev/nbd3"), or any if that is NULL; to detach it. False:
	 * not begun, @err says why. */
	bool (*attach)(void *arg, const char *device, struct ctl_error *err);
	bool (*detach)(void *arg, bool force, struct ctl_error *err);
	/* A new reference to what "exports" has of it; there is one after a beginning. */
	json_t *(*show)(void *arg);
};

/* Paths by hand. */
struct ctl_path_ops {
	/* Make @name ("/dev/sg3", "sg3") a path, which no scan takes away: it is under its first check
	 * then. *ret_new false: it was one. NULL: refused, @err says why. */
	struct path *(*add)(void *arg, const char *name, bool *ret_new, struct ctl_error *err);
	/* Take @p away, and do not take it back by yourself. False: not begun, @err says why. */
	bool (*remove)(void *arg, struct path *p, struct ctl_error *err);
};

/* This lunmuxd becomes the one that is installed now. */
struct ctl_upgrade_ops {
	/* Begin. False: not begun, @err says why. */
	bool (*begin)(void *arg, struct ctl_error *err);
	/* A new reference: "state", "count", "wait_ms", "error". */
	json_t *(*show)(void *arg);
};

struct ctl_conf {
	const char
		*rundir; /* RUNDIR/NAME must exist, NAME being the LUN's name; copied */
	const char *version; /* of the daemon; copied */
	/* Optional. What the exports say of themselves and their clients, for "status":
	 * a new reference to any JSON value, NULL if there is no memory. */
	json_t *(*exports)(void *arg);
	/* Optional. The devices that cannot be paths now, for "status", in the same way. */
	json_t *(*refused)(void *arg);
	/* Optional. The verbs reload and set: the result, a new reference, or NULL with @err set.
	 * May not free the server. */
	json_t *(*reload)(void *arg, struct ctl_error *err);
	json_t *(*set)(void *arg, const char *key, const char *value, struct ctl_error *err);
	/* Optional: attach and detach are refused without. */
	const struct ctl_device_ops *device;
	/* Optional: add-path and del-path are refused without. */
	const struct ctl_path_ops *paths;
	/* Optional: upgrade is refused without. */
	const struct ctl_upgrade_ops *upgrade;
	/* A listening socket of an earlier process, used if it is the one at RUNDIR/NAME/ctl.sock, else
	 * closed; 0 or less: none. */
	int listen_fd;
	void *arg;
};

/* Listen. 0; -EADDRINUSE: another process serves this socket; -EEXIST: something else
 * than a socket is in the way; -EINVAL, -ENAMETOOLONG: RUNDIR or the LUN's name make no
 * socket address; -ENOENT: no such directory; -ENOMEM; or what bind(2), listen(2) say.
 * A stale socket is replaced. Nothing is logged on failure. */
int ctl_server_new(struct loop *l, struct lun *lun, const struct ctl_conf *conf,
		   struct ctl_server **ret);
/* Waiting clients are told (as far as their socket takes it now), connections closed,
 * the socket removed. Before lun_free(). Accepts NULL. */
void ctl_server_free(struct ctl_server *s);

/* Its listening socket. */
int ctl_server_listener(const struct ctl_server *s);

#endif
