/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_client.h - a client's connection to the production NBD server: options,
 * requests and replies over a wire that is slow, fast, or cut anywhere.  What it
 * asks for and whether the answer may be so is client.c's.
 *
 * What a client must hear of a lost cache goes from its connection to the next
 * that comes (core/cache.c), which the server takes to be the same client.  If
 * another one comes first nobody can say who was told what: then the
 * oracle asks no more of either.
 */
#ifndef SIM_NBD_CLIENT_H
#define SIM_NBD_CLIENT_H

#include "base/prng.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct nbd_slot;
struct op;
struct req;
struct wire;
struct world;

/* Of one answer to a block status: as many as the server's buffer gives. */
#define NBD_EXTENTS_MAX 256u

enum nbd_client_state {
	NC_AWAY, /* no connection, or none that the server has taken */
	NC_GREETING,
	NC_STRUCTURED,
	NC_META,
	NC_GO,
	NC_LEGACY, /* EXPORT_NAME was sent */
	NC_UP,
	NC_RUDE, /* nonsense was sent: the server has to close */
	NC_BYE /* DISC was sent: what is out is answered, and then there is an end */
};

struct nbd_client {
	struct prng prng, rudeness;
	enum nbd_client_state state;
	/* What it is: the kernel's driver, without a handshake; else what it negotiates. */
	bool attached, structured, meta, blocks, legacy, zeroes;
	bool slow;	 /* its bytes take their time */
	bool rude;	 /* it sends nonsense now and then */
	size_t out_room; /* of its wires */
	bool connecting; /* it wants a connection */

	struct wire *wire;
	struct loop_timer connect, tx, rx, drop;
	uint8_t *msg; /* received and not yet understood: msg[msg_off .. msg_len-1] */
	size_t msg_cap, msg_off, msg_len;
	uint64_t serial;
	uint32_t context;
	uint64_t ncut; /* as the server counts, when DISC was sent */
	bool deaf; /* closing: replies that will not be read are looked at for what they would have told */

	/* As core knows it. */
	bool joined, away; /* was, and its connection has ended */
	bool mixed; /* another one came, while it was away */
};

void nbd_client_init(struct client *c);
void nbd_client_fini(struct client *c);
/* It wants a connection, until it has one. */
void nbd_client_connect(struct client *c);
/* Closes its connection in one of many ways, and comes back. */
void nbd_client_drop(struct client *c);
void nbd_client_killed(struct client *c);
/* Requests can be sent. */
bool nbd_client_is_up(const struct client *c);
void nbd_client_send(struct op *op);

/* From the wire: there is something to read; the server has closed it, or begun to serve. */
void nbd_client_wakes(struct client *c);
/* It takes its replies too slowly. */
void nbd_client_is_full(struct client *c);
void nbd_client_closed(struct wire *wire);
void nbd_client_joined(struct wire *wire);

/* The operation that the LUN's request @r is for; NULL: its client has gone. */
struct op *nbd_client_op(const struct req *r);

/* The server: it comes with the LUN, and goes with the process. */
void nbd_world_start(struct world *w);
void nbd_world_killed(struct world *w);
void nbd_world_stop(struct world *w);
bool nbd_world_stopped(const struct world *w);
void nbd_world_fini(struct world *w);

#endif
