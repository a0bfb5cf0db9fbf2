/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_int.h - what the files of the NBD server share, and nobody else includes.
 *
 *   nbd_server.c     life of the server, its clients, shares of the buffers
 *   nbd_listen.c     sockets: stale ones, live ones, accept
 *   nbd_conn.c       life of a connection: states, input, output, patience
 *   nbd_handshake.c  options
 *   nbd_transmit.c   requests
 *   nbd_reply.c      replies, the error table
 *   nbd_handover.c   connections from one process to the next
 */
#ifndef EXPORT_NBD_INT_H
#define EXPORT_NBD_INT_H

#include "base/log.h"
#include "base/pool.h"
#include "core/record.h"
#include "export/io.h"
#include "export/nbd_proto.h"
#include "export/nbd_server.h"
#include "loop/loop.h"

#include <sys/queue.h>

/* Requests of a connection in a turn, while another one that has fewer under way was heard within that time: see
 * most_at_once(). */
#define NBD_SHARE    16u
#define NBD_HEARD_NS NS_PER_SEC
/* Of more requests at once than the first, and no more than the second, half is carried out before the rest: see
 * most_at_once(). */
#define NBD_HALF_MIN   16u
#define NBD_HALVES_MAX 64u
/* Bytes that one receive may take: many requests, or a whole option. */
#define NBD_RBUF_BYTES (128u * KIB)
/* A write up to this size waits in the connection's own read buffer until it is there whole, and
 * holds nothing of the LUN's meanwhile. A larger one is received into its request. */
#define NBD_INLINE_BYTES (32u * KIB)
/* Behind a large payload no more than this is read with it: the next large one shall go straight
 * into its own buffer, too. */
#define NBD_BEHIND_BYTES (4u * KIB)
/* A payload over REQ_BYTES_MAX is thrown away and answered; over this it ends the connection. */
#define NBD_DRAIN_BYTES_MAX (128u * MIB)
/* An option over NBD_OPTION_BYTES_MAX is skipped and answered; over this it ends the connection. */
#define NBD_SKIP_BYTES_MAX (1u * MIB)
#define NBD_HS_OUT_BYTES 8192u	  /* unsent answers to options */
#define NBD_HS_ANSWER_BYTES 2048u /* the longest answer to one option, names apart */
#define NBD_IOVS 256u		  /* of one sendmsg */
#define NBD_HDR_BYTES 32u	  /* largest header of a reply */

_Static_assert(NBD_RBUF_BYTES >= NBD_OPTION_BYTES_MAX + sizeof(struct nbd_option), "an option fits");
_Static_assert(NBD_RBUF_BYTES >= 2 * (NBD_INLINE_BYTES + 28), "an inline write fits");
_Static_assert(NBD_HS_ANSWER_BYTES + NBD_STRING_MAX < NBD_HS_OUT_BYTES, "an answer fits");

enum nbd_state {
	NBD_S_FLAGS,   /* greeting sent; the client's flags are due */
	NBD_S_OPTION,  /* an option is due */
	NBD_S_SKIP,    /* an option that is too long is thrown away */
	NBD_S_REQUEST, /* a request is due, or c->cur is being admitted */
	NBD_S_QUOTA,   /* c->cur waits for the server's shares */
	NBD_S_ROOM,    /* c->cur waits for the LUN */
	NBD_S_PAYLOAD, /* c->cur's payload is received into its buffer */
	NBD_S_DRAIN,   /* c->cur is refused; its payload is thrown away */
	NBD_S_CLOSING, /* nothing is read; what is in flight is answered */
	NBD_S_DEAD,    /* socket closed; requests at the LUN run to their end */
	NBD_S_NR
};

enum nbd_event {
	NBD_E_FLAGS,	/* the client's flags are good */
	NBD_E_TOO_LONG, /* an option is over the limit */
	NBD_E_SKIPPED,	/* and has been thrown away */
	NBD_E_EXPORT,	/* EXPORT_NAME or GO: transmission begins */
	NBD_E_NO_QUOTA,
	NBD_E_QUOTA,
	NBD_E_NO_ROOM,
	NBD_E_ROOM,
	NBD_E_PAYLOAD,	   /* a large payload follows */
	NBD_E_REFUSED,	   /* so it does, and nobody wants it */
	NBD_E_PAYLOAD_END, /* all of it is here */
	NBD_E_FINISH,	   /* ABORT, DISC, stop: answer what is in flight, then close */
	NBD_E_DEAD,	   /* the socket is gone, or must go */
	NBD_E_NR
};

/* One request of a client, from its header to the last byte of its reply. */
struct nbd_slot {
	struct io io;
	struct nbd_conn *conn;
	uint64_t cookie;
	uint16_t type, flags; /* as they came */
	uint64_t offset;
	uint32_t length;
	int err;	      /* refused: the answer, a positive errno */
	bool charged, common; /* counted in the shares; in the common one */
	uint64_t charge_bytes;
	unsigned charge_reqs;
	bool in_lun;
	/* Reply: hdr, then body. */
	uint8_t hdr[NBD_HDR_BYTES];
	unsigned hdr_len;
	const void *body;
	uint64_t body_len;
	STAILQ_ENTRY(nbd_slot) out;
	TAILQ_ENTRY(nbd_slot) lun;
};

/* Handshake; what it has settled. */
struct nbd_hs {
	bool fixed, no_zeroes;
	bool structured;
	bool knows_blocks;  /* asked for the block size */
	int meta_for;	    /* base:allocation was selected for: 0 none, 1 "", 2 the name */
	uint32_t opt, len;  /* of the option at hand */
	unsigned options;   /* so far */
	uint8_t out[NBD_HS_OUT_BYTES];
	size_t out_start, out_end;
};

struct nbd_conn {
	struct nbd_server *srv;
	TAILQ_ENTRY(nbd_conn) link;
	TAILQ_ENTRY(nbd_conn) line; /* NBD_S_QUOTA */
	uint64_t id, since_ns;
	char peer[64];
	enum nbd_state state;
	struct loop_fd fd;
	struct loop_task input;	 /* go on with what is in rbuf */
	struct loop_task output; /* send what is queued */
	struct loop_timer handshake, stall;

	/* input: bytes rbuf[r_start .. r_end-1] wait */
	uint8_t *rbuf;
	size_t r_start, r_end;
	uint64_t skip_left; /* SKIP, DRAIN */

	struct nbd_hs hs;

	/* transmission */
	struct lun_client client; /* joined in transmission */
	uint16_t tx_flags; /* as told to the client */
	bool meta;	   /* base:allocation is in force */
	struct pool slots;
	struct nbd_slot *cur; /* read, not yet at the LUN */
	uint32_t cur_got;     /* bytes of its payload */
	TAILQ_HEAD(, nbd_slot) at_lun;
	unsigned inflight;

	/* output */
	STAILQ_HEAD(, nbd_slot) out;
	uint64_t out_off;   /* sent of the first */
	uint64_t out_bytes; /* unsent */
	bool out_blocked;   /* the socket takes no more now */

	/* shares: see nbd_server.c */
	uint64_t own_bytes, common_bytes, held_bytes; /* the last: both together */
	unsigned own_reqs, common_reqs;

	/* What an earlier process had received and not carried out: read before the socket is. And
	 * its answers that were not sent, before ours. NULL when there is nothing more. */
	uint8_t *carry_in, *carry_out;
	size_t carry_in_len, carry_in_off, carry_out_len, carry_out_off;
	bool carry_untold; /* among the latter is the error of a flush */

	/* patience: see nbd_conn_stalled() */
	uint64_t in_since_ns, out_since_ns;
	uint64_t win_in, win_out;

	/* attached: see nbd_server_attach() */
	void (*gone)(void *arg, bool bye);
	void *gone_arg;
	bool bye; /* DISC has come */

	/* statistics */
	uint64_t requests, errors, bytes_read, bytes_written, unaligned;
	/* conn_process(): requests that came since the receive before the last, and before the last. */
	unsigned batch;
	uint64_t batch_start;
	struct loop_timer again; /* the rest of them, in the next turn */
	uint64_t next_offset; /* behind the last request */
	bool follows;	      /* that one began where the one before it ended */
	bool advised;
};

struct nbd_listener {
	struct nbd_server *srv;
	struct loop_fd fd;
	bool unix_bound; /* ours to unlink */
	uint64_t dev, ino;
};

enum nbd_server_state { NBD_SRV_UP, NBD_SRV_STOPPING, NBD_SRV_STOPPED };

struct nbd_server {
	struct loop *loop;
	struct lun *lun;
	struct nbd_conf conf;
	enum nbd_server_state state;
	struct io_dev dev;
	bool ready; /* dev is valid: clients are accepted */
	bool frozen; /* nothing is read: see nbd_server_freeze() */
	/* The LUN as connections of an earlier process know it; 0: there are none. */
	uint64_t carried_size_bytes;
	uint32_t carried_block_bytes;
	struct lun_observer observer;
	bool observing;
	struct nbd_listener unix_lis, tcp_lis;
	struct loop_timer accept_again;
	struct loop_task line_task, reap_task;
	TAILQ_HEAD(, nbd_conn) conns; /* by id; the dead ones, too */
	TAILQ_HEAD(, nbd_conn) line;  /* NBD_S_QUOTA, first come first */
	uint64_t next_id;
	unsigned nclients, ndead;
	/* Who asked for little last, and who before that. */
	struct {
		uint64_t id, ns;
	} modest[2];
	unsigned waiting; /* connections in QUOTA or ROOM */
	/* shares */
	uint64_t own_bytes_max, common_bytes_max, common_bytes;
	unsigned own_reqs_max, common_reqs_max, common_reqs;
	struct nbd_server_stats stats;
	struct log_limit noise; /* messages that clients can cause */
};

/* --- nbd_server.c ----------------------------------------------------------- */

/* A message that clients can cause: at most some in ten seconds, whatever they do. */
void nbd_noise(struct nbd_server *s, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What @slot needs, for nbd_charge(). */
void nbd_price(struct nbd_slot *slot);
/* Count @slot's needs against the shares of its connection. False: not now. */
bool nbd_charge(struct nbd_slot *slot);
void nbd_uncharge(struct nbd_slot *slot);
void nbd_server_conn_dead(struct nbd_conn *c);
/* The last request of a dead connection has ended: free it, later. */
void nbd_server_reap(struct nbd_server *s);
/* The LUN in words of INFO and EXPORT_NAME, for a client with or without structured replies. */
uint16_t nbd_server_flags(const struct nbd_server *s, bool structured);
/* 0; -ENOMEM when @c is NULL. */
int nbd_server_welcome(struct nbd_server *s, struct nbd_conn *c);

/* --- nbd_handover.c --------------------------------------------------------- */

/* The geometry is known: is it what carried connections were told? Cuts them if not. */
void nbd_carried_check(struct nbd_server *s);

/* --- nbd_listen.c ----------------------------------------------------------- */

int nbd_listen_open(struct nbd_server *s);
/* Watch the sockets for clients, or not. */
void nbd_listen_watch(struct nbd_server *s, bool on);
void nbd_listen_close(struct nbd_server *s);
void nbd_peer_name(int fd, char *buf, size_t size);
/* A send buffer that takes what one turn can gather. */
void nbd_tune_client(int fd);
/* The sooner retry after accept() ran out of something. */
void nbd_accept_again(struct loop_timer *t);

/* --- nbd_conn.c ------------------------------------------------------------- */

extern const char *const nbd_state_names[NBD_S_NR];

/* Takes @fd. NULL: out of memory, @fd is closed. */
struct nbd_conn *nbd_conn_new(struct nbd_server *s, int fd);
/* The same without a handshake: requests are due at once. */
struct nbd_conn *nbd_conn_new_attached(struct nbd_server *s, int fd, const char *peer);
/* In NBD_S_FLAGS, and nothing has been said or asked yet. */
struct nbd_conn *nbd_conn_alloc(struct nbd_server *s, int fd);
/* Begin a window of patience, unless one runs. */
void nbd_patience_start(struct nbd_conn *c);
/* Watch the socket for what can be done now. */
void nbd_conn_watch(struct nbd_conn *c);
/* Dead and without requests only. */
void nbd_conn_free(struct nbd_conn *c);
/* The one place that moves a connection. */
void nbd_conn_event(struct nbd_conn *c, enum nbd_event ev);
/* Cut the connection because of what the client did; @why is for the log. */
void nbd_conn_cut(struct nbd_conn *c, const char *why);
/* The other side has closed it, @how. */
void nbd_conn_gone(struct nbd_conn *c, const char *how);
/* Go on with the input in a task. */
void nbd_conn_kick(struct nbd_conn *c);
static inline size_t nbd_avail(const struct nbd_conn *c)
{
	return c->r_end - c->r_start;
}
static inline const uint8_t *nbd_peek(const struct nbd_conn *c)
{
	return c->rbuf + c->r_start;
}
void nbd_consume(struct nbd_conn *c, size_t bytes);
/* A reply is complete in @slot: queue it. */
void nbd_conn_send(struct nbd_conn *c, struct nbd_slot *slot);
/* Bytes for the client that belong to no request; the room was checked before. */
void nbd_conn_put(struct nbd_conn *c, const void *data, size_t len);
/* The slot's request is over; it must be in no list. */
void nbd_slot_free(struct nbd_slot *slot);
/* Close if the connection is in NBD_S_CLOSING and all is answered. */
void nbd_conn_try_close(struct nbd_conn *c);

/* --- steps: consume input, true if there may be more to do now ---------------- */

bool nbd_hs_flags(struct nbd_conn *c);
bool nbd_hs_option(struct nbd_conn *c);
bool nbd_hs_skip(struct nbd_conn *c);
void nbd_hs_greet(struct nbd_conn *c);
bool nbd_tx_request(struct nbd_conn *c);
bool nbd_tx_payload(struct nbd_conn *c);
bool nbd_tx_drain(struct nbd_conn *c);
/* @len more bytes of the payload have been received in place. */
void nbd_tx_payload_got(struct nbd_conn *c, uint32_t len);
void nbd_tx_room(struct io *io);
void nbd_tx_done(struct io *io);
/* c->cur is the refused request of header @hdr, of whose payload @left bytes are to be thrown away. */
void nbd_tx_carry_drain(struct nbd_conn *c, const void *hdr, uint64_t left, int err);

/* --- nbd_reply.c ------------------------------------------------------------ */

/* Make and queue the answer; @err: a positive errno or 0. */
void nbd_reply(struct nbd_slot *slot, int err);

#endif
