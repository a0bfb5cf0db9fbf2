/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elv.h - the elevator: requests that wait for a slot, sorted by block for
 * merging and by age for fairness.
 *
 * Every queued request stands in one of two trees (by lba) and in one of two
 * lists (by age): reads and writes apart.  A policy (struct elv_ops) only
 * chooses which request is next; the neighbours that merge with it are found
 * in the tree, so every policy merges.
 */
#ifndef CORE_ELV_H
#define CORE_ELV_H

#include "base/policy.h"
#include "core/req.h"

enum elv_dir { ELV_READ, ELV_WRITE, ELV_DIRS };

RB_HEAD(elv_tree, req);
TAILQ_HEAD(req_list, req);

struct elv;

struct elv_ops {
	const char *name;
	/* The next request to send, still queued; NULL only if the elevator is empty. */
	struct req *(*choose)(struct elv *e, uint64_t now_ns);
	/* Requests from @from on were chosen, up to block @end. */
	void (*sent)(struct elv *e, enum elv_dir dir, uint64_t end_lba);
};

struct elv_tunables {
	/* A request older than this goes first at the next end of a batch. */
	uint64_t expire_ns[ELV_DIRS];
	unsigned fifo_batch;	 /* commands of one sweep before ages are looked at */
	unsigned writes_starved; /* read batches before a write batch must run */
};

struct elv {
	const struct elv_ops *ops;
	struct elv_tunables tun;
	struct elv_tree tree[ELV_DIRS];
	struct req_list fifo[ELV_DIRS];
	unsigned n[ELV_DIRS];
	/* deadline */
	uint64_t pos[ELV_DIRS]; /* the sweep: end of the last command */
	enum elv_dir dir;	/* of the running batch */
	unsigned batch;		/* commands in it so far */
	unsigned starved;	/* read batches while writes waited */
};

extern const struct elv_ops elv_deadline_ops;
extern const struct elv_ops elv_fifo_ops;

/* @kind: not ELV_AUTO. Requests may be queued: a policy is changed live. */
void elv_set_policy(struct elv *e, enum elv_kind kind);
void elv_init(struct elv *e, enum elv_kind kind, const struct elv_tunables *tun);
/* @r goes by its todo_lba and todo_blocks (> 0). Age is r->seq: a request that comes back takes
 * its old place. */
void elv_insert(struct elv *e, struct req *r);
void elv_remove(struct elv *e, struct req *r);
enum elv_dir elv_dir(const struct req *r);
static inline unsigned elv_count(const struct elv *e)
{
	return e->n[ELV_READ] + e->n[ELV_WRITE];
}
static inline struct req *elv_choose(struct elv *e, uint64_t now_ns)
{
	return elv_count(e) ? e->ops->choose(e, now_ns) : NULL;
}
/* The request that ends where @r begins, or begins where @r ends, and may be merged with it. */
struct req *elv_before(struct elv *e, struct req *r);
struct req *elv_after(struct elv *e, struct req *r);
/* The first request of @dir at or after @lba in the tree, NULL if none. */
struct req *elv_at_or_after(struct elv *e, enum elv_dir dir, uint64_t lba);
/* Trees, lists and counts agree, and are in order. Asserts. */
void elv_verify(struct elv *e);

#endif
