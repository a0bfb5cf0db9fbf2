/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_attach.h - /dev/nbdN of a LUN: the kernel's nbd driver as a client of
 * the NBD server that survives us.
 *
 * The device outlives its socket: what the kernel had sent is sent again on the
 * socket that the next process brings (or the same, after a connection was
 * lost), found by the backend identifier.  So a file system on it meets a
 * pause, not an error, when lunmuxd crashes, is stopped or replaced, as long as
 * that takes less than the dead timeout.
 */
#ifndef EXPORT_NBD_ATTACH_H
#define EXPORT_NBD_ATTACH_H

#include "export/nbd_kernel.h"
#include "export/nbd_server.h"

enum nbd_attach_state {
	NBD_A_OFF,	 /* not attached, and nobody asks for it */
	NBD_A_ATTACHING, /* the kernel is being asked */
	NBD_A_WAITING,	 /* for the next attempt */
	NBD_A_ATTACHED,
	NBD_A_DETACHING, /* the kernel is being asked */
	NBD_A_STOPPED,	 /* by nbd_attach_stop() */
	NBD_A_NR
};

struct nbd_attach_conf {
	const struct nbd_kernel_ops *kernel;
	char wwid[WWID_BYTES_MAX + 1]; /* as all of its printed forms have it in common */
	char name[NAME_BYTES_MAX + 1];
	uint64_t dead_ns; /* how long requests wait in the kernel while nobody serves them */
	/* State or error have changed. From a task or a timer; may call nbd_attach_*(), but free. */
	void (*changed)(void *arg);
	void *arg;
};

struct nbd_attach;

/* Nothing is attached yet. A thread is started. 0, -ENOMEM, or -errno of the thread. @s and @lun must
 * outlive it. */
int nbd_attach_new(struct loop *l, struct nbd_server *s, struct lun *lun,
		   const struct nbd_attach_conf *conf, struct nbd_attach **ret);

/* Take over the device that a predecessor has left, else attach as @index or NBD_ANY_INDEX. The LUN's
 * geometry must be known. @keep: try again whatever goes wrong but a want of rights; else a failure
 * ends in NBD_A_OFF, except that a device which still has its old socket is waited for.
 * 0; -EALREADY: attached, or about to be; -EBUSY: being detached; -ESHUTDOWN. */
int nbd_attach_start(struct nbd_attach *a, int index, bool keep);

/* Go on with device @index, which is attached under identifier @backend by connection @st of an earlier
 * process (nbd_server_adopt()), was last asked to show @size_bytes, and has been taken over @takeovers
 * times. Only right after nbd_attach_new() (asserted). 0, or what nbd_server_adopt() says: the kernel gets
 * a new connection then. */
int nbd_attach_adopt(struct nbd_attach *a, int index, const char *backend, uint64_t size_bytes,
		     unsigned takeovers, const struct nbd_conn_state *st);

/* Detach. Unless @force, a device that somebody uses stays attached, and the error says who that is.
 * 0; -ENOTCONN: it is not attached; -EBUSY: being attached or detached; -ESHUTDOWN. */
int nbd_attach_detach(struct nbd_attach *a, bool force);

/* The process is about to stop. Detaches if nobody uses the device and @serving: the LUN can answer
 * what the kernel may ask meanwhile. A device in use stays and waits for our successor.  Then, or
 * after two seconds at the latest, @stopped is called, from a task or timer; it may stop the server,
 * which must live until it has. Nothing is attached or detached afterwards. */
void nbd_attach_stop(struct nbd_attach *a, bool serving, void (*stopped)(void *arg), void *arg);
/* Only when it is stopped and the server, too (asserted). Waits for the thread: when that hangs in the
 * kernel, do not call it (see nbd_attach_busy()). Accepts NULL. */
void nbd_attach_free(struct nbd_attach *a);
/* Does the thread still wait for the kernel? */
bool nbd_attach_busy(const struct nbd_attach *a);

struct nbd_attach_info {
	enum nbd_attach_state state;
	const char *state_name;
	int index; /* of the device, -1: none */
	char backend[NBD_BACKEND_BYTES];
	char error[320];    /* of the last attempt; "" */
	unsigned attempts;  /* to attach or detach, ended ones */
	unsigned takeovers; /* sockets given to a device that was there */
	bool connected;	    /* it has a connection to the server */
	uint64_t size_bytes; /* that the kernel was asked to show; 0: not yet */
	uint64_t dead_ns;
};
void nbd_attach_get_info(const struct nbd_attach *a, struct nbd_attach_info *ret);

#endif
