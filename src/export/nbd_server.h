/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_server.h - one LUN over NBD: listens, serves, and can be asked how it is.
 *
 * Everything is called in the loop's thread.
 */
#ifndef EXPORT_NBD_SERVER_H
#define EXPORT_NBD_SERVER_H

#include "base/limits.h"
#include "core/lun.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct nbd_server;

#define NBD_UNIX_PATH_MAX 108 /* sun_path, terminator included */

struct nbd_conf {
	char export_name[NBD_STRING_MAX + 1]; /* the empty name means this export, too */
	char description[256];		      /* free text for LIST and INFO; may be empty */
	char unix_path[NBD_UNIX_PATH_MAX];    /* "": no Unix socket */
	unsigned unix_mode;		      /* of the socket, 0660 */
	char tcp_host[64];		      /* "": no TCP; "127.0.0.1", "::1", "localhost" */
	uint16_t tcp_port;		      /* host byte order; 0: any free one (tests) */
	unsigned max_conns;		      /* 1..NBD_CONNS_MAX */
	uint64_t handshake_ns;		      /* from accept to the end of the handshake */
	uint64_t stall_ns; /* how long a client may stand in the way: see nbd_conn.c */
	bool multi_conn;   /* offer CAN_MULTI_CONN */
	/* Listening sockets of an earlier process, -1: none. Taken, and used if they are what the
	 * addresses above say. */
	int unix_fd, tcp_fd;
	/* nbd_server_stop() has ended; may be NULL. From a task; may call nbd_server_free(). */
	void (*stopped)(void *arg);
	void *arg;
};

/* Sets everything but the names and addresses. */
void nbd_conf_default(struct nbd_conf *conf);

/* Listen as @conf (copied) says. Clients are accepted once the LUN's geometry is known; until then
 * they wait in the socket's backlog. 0, or a negative errno: the reason has been logged. A stale
 * Unix socket (nobody answers connect()) is replaced, a live one is -EADDRINUSE. The directory of
 * the socket must exist. Neither @l nor @lun may go before nbd_server_free(). */
int nbd_server_new(struct loop *l, struct lun *lun, const struct nbd_conf *conf,
		   struct nbd_server **ret);

/* Of clients that come from now on; those that are there stay, also above the new limit. @max_conns
 * in 1..NBD_CONNS_MAX, @handshake_ns > 0 (asserted). */
void nbd_server_set_limits(struct nbd_server *s, unsigned max_conns, uint64_t handshake_ns);

/* Serve the stream socket @fd as if it had been accepted; it is the server's in any case, closed
 * on failure. 0; -EAGAIN: the geometry is not known yet; -ENOSPC: too many clients; -ENOMEM;
 * -ESHUTDOWN. */
int nbd_server_add(struct nbd_server *s, int fd);

/* The kernel's flags for nbd_server_attach(), as it is to be told them over netlink. */
uint16_t nbd_server_kernel_flags(const struct nbd_server *s);

/* Serve @fd as nbd_server_add() does, but without a handshake: the other end is the kernel's nbd
 * driver, which begins with requests. The limit of clients is not for it. @peer is its name in log
 * and status. @gone is called once when the connection has ended, whoever ended it; @bye: the other
 * end took its leave (DISC). It must do no more than note that. 0, or as nbd_server_add(); @gone
 * is not called then. */
int nbd_server_attach(struct nbd_server *s, int fd, const char *peer,
		      void (*gone)(void *arg, bool bye), void *arg);

/* Graceful: close and unlink the sockets, read nothing more, finish what is in flight, answer it,
 * close. What has not reached the LUN is not answered: the client sends it again to our
 * successor. Then conf.stopped() is called. Requests that the LUN holds for want of a path are
 * waited for: lun_stop() ends them. A second call changes nothing. */
void nbd_server_stop(struct nbd_server *s);
bool nbd_server_stopped(const struct nbd_server *s);
/* Only when stopped (asserted). Accepts NULL. */
void nbd_server_free(struct nbd_server *s);

/* "nbd+unix:///NAME?socket=PATH", else the TCP one; "" when there is neither. */
void nbd_server_uri(const struct nbd_server *s, char *buf, unsigned size);
/* The TCP port in use, 0 without TCP. */
uint16_t nbd_server_port(const struct nbd_server *s);

/* --- from one process to the next ------------------------------------------------ */

/* A connection as it stands between two requests. */
struct nbd_conn_state {
	int fd; /* the connection's, which goes on owning it */
	char peer[64];
	const char *state; /* "flags", "option", "skip", "request", "drain", "closing" */
	bool kernel;	   /* of nbd_server_attach() */
	bool joined;	   /* is in transmission, or was */
	/* handshake, and what it has settled */
	bool fixed, no_zeroes, structured, knows_blocks, meta;
	int meta_for;
	unsigned options;
	uint32_t opt, opt_len;
	uint64_t skip_left; /* "skip", "drain" */
	int err;	    /* "drain": what will be answered */
	uint16_t tx_flags;
	bool bye, advised;
	struct lun_client_debt debt;
	bool untold; /* out has the error of a flush */
	uint64_t age_ns, requests, errors, bytes_read, bytes_written, unaligned;
	/* Bytes that were received and belong to requests that were not carried out; that are to be
	 * sent. malloc'ed, NULL when there are none. */
	uint8_t *in, *out;
	size_t in_len, out_len;
};
void nbd_conn_state_clear(struct nbd_conn_state *st);

/* Read nothing more and accept nobody; what is in flight is answered. */
void nbd_server_freeze(struct nbd_server *s);
/* Go on as if nothing had happened. */
void nbd_server_thaw(struct nbd_server *s);
/* Frozen, is no request of any connection at the LUN, not even of one that has gone? */
bool nbd_server_is_idle(const struct nbd_server *s);
/* All connections, of a server that is frozen and idle (asserted): @ret is an array of *ret_n, the
 * caller's. It changes nothing. 0, -ENOMEM. */
int nbd_server_save(const struct nbd_server *s, struct nbd_conn_state **ret, size_t *ret_n);
/* The listening sockets, -1: none. They stay the server's. */
void nbd_server_listeners(const struct nbd_server *s, int *ret_unix, int *ret_tcp);
/* The size and block size that clients were told. */
void nbd_server_told(const struct nbd_server *s, uint64_t *ret_size, uint32_t *ret_block);

/* Before the geometry is known and clients come: what nbd_server_told() has said there. */
void nbd_server_carry(struct nbd_server *s, uint64_t size_bytes, uint32_t block_bytes);
/* Go on with a connection of an earlier process, when the geometry is known. st->fd is the server's in
 * any case; the rest is copied. @gone as in nbd_server_attach(), NULL: none. 0; -EINVAL: it makes no
 * sense; -ENOMEM. */
int nbd_server_adopt(struct nbd_server *s, const struct nbd_conn_state *st,
		     void (*gone)(void *arg, bool bye), void *arg);

struct nbd_client_info {
	uint64_t id;	   /* 1, 2, ... in the order they came */
	char peer[64];	   /* "unix pid 4711 uid 0", "127.0.0.1:51234" */
	const char *state; /* as in the log: "option", "request", "payload", "dead", ... */
	bool dead;	   /* the connection is closed, its last requests are not */
	uint64_t since_ns; /* loop time of the accept */
	uint64_t requests, errors;
	uint64_t bytes_read, bytes_written;
	unsigned inflight;	 /* requests at the LUN */
	uint64_t buffer_bytes;	 /* buffers held by it */
	uint64_t unsent_bytes;	 /* replies that it has not taken yet */
	uint64_t unaligned;	 /* requests that were not whole blocks */
	bool structured, metadata; /* negotiated: structured replies, base:allocation */
};

/* The client after *@cursor (0 at the start), in order of id; false at the end. Clients may come
 * and go between two calls. */
bool nbd_server_next_client(const struct nbd_server *s, uint64_t *cursor,
			    struct nbd_client_info *ret);

struct nbd_server_stats {
	uint64_t accepted, refused; /* connections */
	uint64_t cut;		    /* closed by us: garbage, too slow, too many options */
	unsigned clients;	    /* connected now */
	unsigned orphans;	    /* requests of dead connections still at the LUN */
};
void nbd_server_get_stats(const struct nbd_server *s, struct nbd_server_stats *ret);

#endif
