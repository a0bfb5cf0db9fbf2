/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elv.c - what every elevator policy shares: trees, age lists, neighbours.
 *
 * Invariant: a request is in tree[d] exactly when it is in fifo[d], and n[d]
 * counts both.  Knows no path, no slot and no time.
 */
#include "core/elv.h"

#include <assert.h>
#include <string.h>

static int elv_cmp(const struct req *a, const struct req *b)
{
	if (a->todo_lba != b->todo_lba)
		return a->todo_lba < b->todo_lba ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

RB_PROTOTYPE(elv_tree, req, tree, elv_cmp)
RB_GENERATE(elv_tree, req, tree, elv_cmp)

static const struct elv_ops *const elv_policies[ELV_NR] = {
	[ELV_DEADLINE] = &elv_deadline_ops,
	[ELV_FIFO] = &elv_fifo_ops,
};

void elv_set_policy(struct elv *e, enum elv_kind kind)
{
	assert(kind < ELV_NR && elv_policies[kind]);
	e->ops = elv_policies[kind];
	e->batch = e->starved = 0;
}

void elv_init(struct elv *e, enum elv_kind kind, const struct elv_tunables *tun)
{
	memset(e, 0, sizeof(*e));
	e->tun = *tun;
	for (int d = 0; d < ELV_DIRS; d++) {
		RB_INIT(&e->tree[d]);
		TAILQ_INIT(&e->fifo[d]);
	}
	elv_set_policy(e, kind);
}

enum elv_dir elv_dir(const struct req *r)
{
	/* The reads of a read-modify-write are reads. */
	return r->phase == REQ_PH_MAIN && req_is_write(r) ? ELV_WRITE : ELV_READ;
}

void elv_insert(struct elv *e, struct req *r)
{
	enum elv_dir d = elv_dir(r);
	struct req *old;

	assert(r->state == REQ_QUEUED && r->todo_blocks > 0);
	old = RB_INSERT(elv_tree, &e->tree[d], r);
	assert(!old);
	/* By age. New requests are the youngest; only one that comes back walks. */
	TAILQ_FOREACH_REVERSE (old, &e->fifo[d], req_list, fifo)
		if (old->seq < r->seq)
			break;
	if (old)
		TAILQ_INSERT_AFTER(&e->fifo[d], old, r, fifo);
	else
		TAILQ_INSERT_HEAD(&e->fifo[d], r, fifo);
	e->n[d]++;
}

void elv_remove(struct elv *e, struct req *r)
{
	enum elv_dir d = elv_dir(r);

	assert(e->n[d] > 0);
	RB_REMOVE(elv_tree, &e->tree[d], r);
	TAILQ_REMOVE(&e->fifo[d], r, fifo);
	e->n[d]--;
}

static bool elv_mergeable(const struct req *a, const struct req *b)
{
	if (a->phase != REQ_PH_MAIN || b->phase != REQ_PH_MAIN || a->op != b->op)
		return false;
	if (a->op != REQ_READ && a->op != REQ_WRITE)
		return false;
	if ((a->flags ^ b->flags) & REQ_F_FUA)
		return false;
	return a->todo_lba + a->todo_blocks == b->todo_lba;
}

struct req *elv_before(struct elv *e, struct req *r)
{
	struct req *b = RB_PREV(elv_tree, &e->tree[elv_dir(r)], r);

	return b && elv_mergeable(b, r) ? b : NULL;
}

struct req *elv_after(struct elv *e, struct req *r)
{
	struct req *a = RB_NEXT(elv_tree, &e->tree[elv_dir(r)], r);

	return a && elv_mergeable(r, a) ? a : NULL;
}

struct req *elv_at_or_after(struct elv *e, enum elv_dir dir, uint64_t lba)
{
	struct req key = { .todo_lba = lba };

	return RB_NFIND(elv_tree, &e->tree[dir], &key);
}

void elv_verify(struct elv *e)
{
	for (int d = 0; d < ELV_DIRS; d++) {
		unsigned in_tree = 0, in_fifo = 0;
		struct req *r, *last = NULL;

		RB_FOREACH (r, elv_tree, &e->tree[d]) {
			assert(r->state == REQ_QUEUED && (int)elv_dir(r) == d);
			assert(!last || elv_cmp(last, r) < 0);
			last = r;
			in_tree++;
		}
		last = NULL;
		TAILQ_FOREACH (r, &e->fifo[d], fifo) {
			assert(!last || last->seq < r->seq);
			last = r;
			in_fifo++;
		}
		assert(in_tree == in_fifo && in_tree == e->n[d]);
	}
}
