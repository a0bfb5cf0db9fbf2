/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - the model above the core: closed-loop clients that think, wait for
 * room, give up, keep their buffers for a while, and check every answer (O1,
 * O2 through the oracle; O5, O6 and O8 here).
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "fuse_kernel.h"
#include "nbd_client.h"
#include "swarm.h"

#include "loop/loop.h"

struct world;
struct client;

/* At most; a read-back goes by such pieces, too. */
#define OP_CELLS_MAX 1024u
#define OP_EXTENTS_MAX 16u

enum op_state { OP_IDLE, OP_WAITING, OP_OUT, OP_ANSWERED };

struct op {
	struct client *client;
	unsigned id;
	enum op_state state;
	struct loop_timer timer; /* think, or give the request back */
	struct loop_timer cancel_timer;
	struct lun_waiter waiter;
	struct req *req;

	enum req_op kind;
	unsigned flags;
	uint64_t lba;
	uint32_t nblocks, head_skip, tail_skip;
	uint32_t c0, c1; /* cells */
	uint32_t wid;
	uint32_t begin; /* tick */
	uint64_t begin_ns;
	bool canceled;
	uint32_t *max_inv; /* OP_CELLS_MAX: a read's snapshot */

	/* What the array knows of it. */
	unsigned sends;		/* commands that named it */
	bool sent_main;		/* one of them carried its own operation */
	unsigned max_tries;
	uint64_t over_ns; /* the time of one of its commands may be over then; 0: of none yet */
	unsigned others;	/* bit a path that turned it away */
	unsigned once;		/* answers with VF_RETRY_ONCE */
	bool other_all;		/* every usable path had, the last one for good */
	bool enospc, unsupported;
	uint64_t sum; /* of what was read, as it was answered */
	bool haunted; /* nobody knows the end of one of them */
	bool resend;	  /* its process was killed: the same once more */
	bool sent_before; /* one that was killed has sent it */
	bool again; /* it failed and shall be tried again */

	/* The payload, or the extents that a status was answered with. */
	void *data;
	unsigned nextents;
	const void *io; /* by FUSE: what stands for it in the export */
	/* By NBD and FUSE: what is asked for; data is the client's own. */
	uint64_t cookie; /* 0: nothing */
	uint32_t got;	 /* bytes of data that have come */
	int err;	 /* of a reply whose end is to come */
};

struct client {
	struct lun_client lun; /* as the core knows it */
	uint32_t told;	       /* tick of its last failed flush for a lost cache */
	uint32_t told_since;   /* what was lost before is meant by it */
	struct world *w;
	unsigned id;
	struct prng prng;
	uint64_t seq_lba;
	struct nbd_client nbd;
	struct op ops[SIM_IODEPTH_MAX];
};

static inline bool op_is_write(const struct op *op)
{
	return op->kind == REQ_WRITE || op->kind == REQ_WRITE_ZEROES || op->kind == REQ_DISCARD;
}

static inline bool op_is_read(const struct op *op)
{
	return op->kind == REQ_READ || op->kind == REQ_STATUS;
}

static inline struct world *op_world(const struct op *op)
{
	return op->client->w;
}

struct clients {
	struct world *w;
	struct client client[SIM_CLIENTS_MAX + 1]; /* the last one reads back */
	uint32_t *snapshots;
	unsigned nout; /* requests that are out */
	unsigned nstarted, nanswered;
	bool quiet; /* nothing new */
	bool late_orphan; /* a write of before some loss had a client that has left */
	bool adrift; /* a debt may be, that no client has left behind: see nbd_client.c */
	bool reading_back;
	uint64_t readback_lba;
};

void clients_init(struct clients *cs, struct world *w);
void clients_fini(struct clients *cs);
void clients_start(struct clients *cs);
/* Client @i goes, with all that it asks for, and comes back. */
void client_reconnect(struct clients *cs, unsigned i);
/* By NBD: its connection has ended without an answer to what was out; one is there. */
void client_lost(struct client *c);
void client_connected(struct client *c);
/* The answer to @op has come, 0 or a positive errno. */
void op_answer(struct op *op, int err);
size_t op_bytes(const struct op *op);
/* @cell has fallen back: reads that are out may return that. */
void clients_reverted(struct clients *cs, uint32_t cell);
/* Nothing new is asked for; what waits for room is given up. */
void clients_quiet(struct clients *cs);
void clients_read_back(struct clients *cs);
/* The process is killed: what was not answered never will be. */
void clients_killed(struct clients *cs);
/* They have another one: most writes are sent again. */
void clients_reconnect(struct clients *cs);
/* No request is out or kept, nobody is about to ask. */
bool clients_idle(const struct clients *cs);
/* A write is out. */
bool clients_write(const struct clients *cs);
/* Begin of the oldest request that is out, TICK_NEVER if none is. */
uint32_t clients_oldest_begin(const struct clients *cs);
/* The oldest one, NULL if none is. */
struct op *clients_oldest(struct clients *cs);

#endif
