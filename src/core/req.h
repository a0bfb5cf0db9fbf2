/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * req.h - a client's request: the unit of work above the elevator.
 *
 * A request comes from lun_req_get() with its buffer, is filled in by its
 * submitter, belongs to the LUN from lun_submit() until done() is called, and
 * goes back by lun_req_put().  The LUN takes request and buffer into the pool
 * only when the submitter has put it and no command that names it is left in
 * any driver, so a late command can never touch another request's memory.
 *
 * Units: logical blocks of the LUN (lun_geometry()); bytes are the exports' job.
 */
#ifndef CORE_REQ_H
#define CORE_REQ_H

#include <sys/queue.h>
#include <sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lun;
struct lun_client;
struct req;
struct ledger_entry;

enum req_op {
	REQ_READ,
	REQ_WRITE,
	REQ_WRITE_ZEROES, /* must read back zero */
	REQ_DISCARD,	  /* a hint; contents undefined afterwards */
	REQ_FLUSH,	  /* lba and nblocks are 0 */
	REQ_STATUS,	  /* allocation of a range: struct extent[] into data */
	REQ_OP_NR
};

enum req_flag {
	REQ_F_FUA = 1 << 0,	  /* WRITE, WRITE_ZEROES, DISCARD: stable before done() */
	REQ_F_NO_UNMAP = 1 << 1,  /* WRITE_ZEROES: keep the blocks provisioned */
	REQ_F_FAST_ZERO = 1 << 2, /* WRITE_ZEROES: ENOTSUP at once rather than writing zeroes */
};

enum req_state {
	REQ_FREE,    /* in the pool */
	REQ_OWNED,   /* the submitter's, before lun_submit() */
	REQ_BLOCKED, /* waits for an older overlapping write */
	REQ_QUEUED,  /* in the elevator, at least partly */
	REQ_SENT,    /* every block is in some command */
	REQ_FLUSHING,/* in the flush engine */
	REQ_DONE,    /* done() was or is being called; the submitter's until lun_req_put() */
};

/* What the request is doing now; a request runs through some of them in this order. */
enum req_phase {
	REQ_PH_NONE,
	REQ_PH_HEAD,  /* read-modify-write: reading its first block */
	REQ_PH_TAIL,  /* read-modify-write: reading its last block */
	REQ_PH_MAIN,  /* the operation itself */
	REQ_PH_FLUSH, /* FUA by a flush, where the paths have no FUA */
};

/* One run of blocks in the answer to REQ_STATUS, in order, without gaps. */
struct extent {
	uint64_t nblocks;
	bool hole; /* not allocated */
	bool zero; /* reads as zeroes, certainly */
};

/* A range of blocks in one of the range lock's interval trees. */
struct range_node {
	RB_ENTRY(range_node) tree;
	uint64_t lba, end; /* first block, and the one behind the last */
	uint64_t max;	   /* largest end in this subtree */
	uint64_t seq;	   /* age */
	uint32_t slot;	   /* ghosts of an earlier process have no age: told apart by this */
};

struct req {
	/* --- set by the submitter ------------------------------------------- */
	enum req_op op;
	unsigned flags; /* enum req_flag */
	uint64_t lba;
	uint32_t nblocks;
	/* WRITE of parts of blocks: the payload lies at data + head_skip, the first head_skip
	 * and the last tail_skip bytes of the range are kept as they are on the medium (read
	 * under the range lock). Both below one block. If either is set the buffer must have
	 * room for one block more than the range. */
	uint32_t head_skip, tail_skip;
	/* Called once, from lun_run(), with err set. It may call lun_submit(), lun_req_get()
	 * and lun_req_put(), also for this request. */
	void (*done)(struct req *req);
	void *owner; /* the submitter's, not touched */
	/* Who gets the answer, and is told what a flush has to tell; joined. NULL: nobody special. */
	struct lun_client *client;

	/* --- set by lun_req_get() ------------------------------------------- */
	struct lun *lun;
	void *data;	   /* NULL for a request without data; READ, STATUS: another in done() */
	size_t data_bytes; /* usable bytes at data */

	/* --- result, valid in done() ---------------------------------------- */
	int err;	   /* 0 or a positive errno, see lun_submit() */
	unsigned nextents; /* REQ_STATUS: extents at data */

	/* --- private to core ------------------------------------------------ */
	enum req_state state;
	enum req_phase phase;
	uint64_t seq;	    /* order of arrival at this LUN */
	uint64_t submit_ns; /* loop_now_ns() at lun_submit() */
	bool put;	    /* the submitter has called lun_req_put() */
	bool locked;	    /* stands in the range lock's tree */
	bool need_flush;    /* FUA was asked for, and some part went without */
	bool no_entry;	    /* a write that waits for a free entry of the ledger */
	uint64_t gen;	    /* smallest of the commands that put some of it into a volatile cache */
	bool hashed;	    /* hash is valid */
	uint64_t hash;	    /* of what a WRITE puts down */
	unsigned ncmds;	    /* commands that name this request */
	unsigned nblockers; /* older overlapping writes, and ghosts, that have not ended */
	struct ledger_entry *entry; /* a write's, from lun_submit() to its end */

	/* hedge.c: the same work once more, on another path. The first to end decides. */
	bool is_hedge;
	bool overdue;	/* a command of it is */
	bool settled;	/* its outcome is known: commands that still name it change nothing */
	unsigned nhedges; /* so far */
	struct req *lead; /* of a hedge: what it is for, NULL when that has ended */
	TAILQ_HEAD(req_hedges, req) hedges; /* that have not ended */
	void *spare;	  /* buffer that a slow command may still fill; goes back with data */

	/* What is still to be put into commands in this phase. */
	uint64_t todo_lba;
	uint32_t todo_blocks;
	uint32_t left_blocks; /* blocks of this phase whose end is not known yet */
	uint8_t *todo_data;

	RB_ENTRY(req) tree;	 /* elevator, by lba */
	TAILQ_ENTRY(req) fifo;	 /* elevator, by age; also free, blocked, flush lists */
	TAILQ_ENTRY(req) aux;	 /* no_entry: the ledger's line; hedges: those of one request */
	struct range_node range; /* range lock */
};

static inline bool req_is_write(const struct req *r)
{
	return r->op == REQ_WRITE || r->op == REQ_WRITE_ZEROES || r->op == REQ_DISCARD;
}

/* Moves are checked against a table (asserted). */
void req_set_state(struct req *r, enum req_state to);
const char *req_op_name(enum req_op op);
const char *req_state_name(enum req_state s);

#endif
