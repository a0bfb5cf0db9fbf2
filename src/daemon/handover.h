/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handover.h - what a lunmuxd leaves to the one that it becomes (upgrade.c): a
 * file in memory, whose number is in the environment.
 *
 * The process stays the same, so descriptors go on under their numbers.  The
 * file has a fixed head, then JSON, then the bytes that connections have
 * received or are owed; see handover.c.  An archive of its own, with live.h.
 */
#ifndef DAEMON_HANDOVER_H
#define DAEMON_HANDOVER_H

#include "base/limits.h"
#include "export/nbd_kernel.h"
#include "export/nbd_server.h"

#include <jansson.h>

/* Counted up when a lunmuxd that knows the old one could not go on with the new. */
#define HANDOVER_FORMAT 1u
#define HANDOVER_ENV	"LUNMUX_HANDOVER"

struct handover {
	char name[NAME_BYTES_MAX + 1], wwid[WWID_BYTES_MAX + 1];
	char version[32]; /* of the lunmuxd that wrote it */
	uint64_t upgrades; /* this one included */
	uint64_t frozen_ns; /* CLOCK_MONOTONIC: since when clients wait */
	/* RUNDIR/NAME/state with its lock, listening sockets; -1: none */
	int lock_fd, ctl_fd, unix_fd, tcp_fd;
	uint64_t size_bytes; /* as clients were told */
	uint32_t block_bytes;
	/* /dev/nbdN, whose connection is the one with "kernel"; -1: none */
	int device;
	char backend[NBD_BACKEND_BYTES];
	uint64_t device_bytes;
	unsigned takeovers;
	struct nbd_conn_state *conns;
	size_t nconns;
	/* Paths that are not to be used, by name: fail-path. */
	const char **disabled;
	size_t ndisabled;
	json_t *root; /* holds the strings of one that was read */
};

void handover_init(struct handover *h);
/* A file in memory, close-on-exec, or -errno. @h is left as it is. */
int handover_write(const struct handover *h);
/* @fd is any descriptor: nothing in it is believed. 0, or -EINVAL, -ENOMEM with the reason in @err. The
 * descriptors in it are this process's, and each is there once; whose they are is not asked. */
int handover_read(int fd, struct handover *ret, char *err, size_t size);
/* Frees what handover_read(), or the caller by malloc(), has put there. Closes nothing. */
void handover_clear(struct handover *h);
/* @fn for each descriptor that goes on. */
void handover_each_fd(const struct handover *h, void (*fn)(void *arg, int fd), void *arg);
/* Close all descriptors from 3 on that are not in @h; NULL: all. */
void handover_close_others(const struct handover *h);

#endif
