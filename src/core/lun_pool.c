/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_pool.c - requests, commands and buffers: allocated before the first I/O,
 * handed out in order of asking.
 *
 * Who finds nothing free waits in one line; while somebody waits nobody else
 * is served, so a large request is not starved by small ones.
 */
#include "core/lun_priv.h"

#include "base/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Beyond one command a slot: a merged command that is being taken apart, and flush rounds. */
#define CMDS_SPARE 16u
/* Buffers that were not used for so long are given back. */
#define TRIM_NS (60 * NS_PER_SEC)
_Static_assert(CMDS_SPARE >= 2 * CMDS_FOR_SPLITS, "flush rounds need some as well");

int lun_pool_init(struct lun *lun)
{
	unsigned ncmds = MAX(lun->par.depth ? lun->par.depth : DEPTH_DEFAULT * 4, 1u) + CMDS_SPARE;
	void *z;
	int r;

	TAILQ_INIT(&lun->waiters);
	r = pool_init(&lun->reqs, sizeof(struct req), lun->par.max_reqs + HEDGE_REQS);
	if (r < 0)
		return r;
	r = pool_init(&lun->cmds, sizeof(struct cmd), ncmds);
	if (r < 0)
		return r;
	r = buf_arena_new(lun->par.buffer_bytes, &lun->arena);
	if (r < 0)
		return r;
	/* Read-only and never touched: the kernel's one zero page stands behind all of it. */
	z = mmap(NULL, LUN_ZEROES_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (z == MAP_FAILED)
		return -errno;
	lun->zeroes = z;
	lun->zeroes_bytes = LUN_ZEROES_BYTES;
	return 0;
}

void lun_pool_fini(struct lun *lun)
{
	if (lun->zeroes)
		munmap(lun->zeroes, lun->zeroes_bytes);
	buf_arena_free(lun->arena);
	if (lun->cmds.n)
		pool_fini(&lun->cmds);
	if (lun->reqs.n)
		pool_fini(&lun->reqs);
}

void lun_pool_drop(struct lun *lun)
{
	munmap(lun->zeroes, lun->zeroes_bytes);
	buf_arena_drop(lun->arena);
	pool_drop(&lun->cmds);
	pool_drop(&lun->reqs);
}

static struct req *req_new(struct lun *lun, size_t data_bytes)
{
	struct req *r = pool_get(&lun->reqs);
	void *data = NULL;

	if (!r)
		return NULL;
	if (data_bytes) {
		data = buf_get(lun->arena, data_bytes);
		if (!data) {
			pool_put(&lun->reqs, r);
			return NULL;
		}
	}
	memset(r, 0, sizeof(*r));
	r->lun = lun;
	r->data = data;
	r->data_bytes = data_bytes;
	TAILQ_INIT(&r->hedges);
	req_set_state(r, REQ_OWNED);
	lun->stats.reqs_out++;
	return r;
}

struct req *lun_req_get(struct lun *lun, size_t data_bytes)
{
	if (!TAILQ_EMPTY(&lun->waiters) && !lun->serving_waiter)
		return NULL;
	return pool_free_count(&lun->reqs) > HEDGE_REQS ? req_new(lun, data_bytes) : NULL;
}

struct req *lun_hedge_get(struct lun *lun, const struct req *lead)
{
	return req_new(lun, lead->data_bytes);
}

void req_free(struct req *r)
{
	struct lun *lun = r->lun;

	assert(r->put && !r->ncmds && TAILQ_EMPTY(&r->hedges));
	req_set_state(r, REQ_FREE);
	if (r->data)
		buf_put(lun->arena, r->data, r->data_bytes);
	if (r->spare)
		buf_put(lun->arena, r->spare, r->data_bytes);
	r->data = r->spare = NULL;
	pool_put(&lun->reqs, r);
	lun->stats.reqs_out--;
	lun_room(lun);
}

void lun_req_put(struct req *r)
{
	assert(r->state == REQ_OWNED || r->state == REQ_DONE);
	assert(!r->put && !r->locked);
	r->put = true;
	if (!r->ncmds)
		req_free(r); /* else the last command does */
}

void lun_trim(struct lun *lun)
{
	uint64_t now = loop_now_ns(lun->loop);
	size_t bytes;

	if (now - lun->trimmed_ns < TRIM_NS)
		return;
	bytes = buf_trim(lun->arena);
	if (bytes < BUF_TRIM_BYTES_MAX)
		lun->trimmed_ns = now;
	if (bytes)
		log_debug("%zu KiB of buffers given back", bytes / KIB);
}

void lun_room(struct lun *lun)
{
	if (!TAILQ_EMPTY(&lun->waiters))
		loop_task_queue(lun->loop, &lun->room_task);
}

void lun_room_task(struct loop_task *t)
{
	struct lun *lun = container_of(t, struct lun, room_task);
	struct lun_waiter *w;

	while ((w = TAILQ_FIRST(&lun->waiters))) {
		bool served;

		lun->serving_waiter = true;
		served = w->fn(w);
		lun->serving_waiter = false;
		/* fn may have canceled itself, or another waiter; look at the line afresh. */
		if (!served)
			break;
		if (w == TAILQ_FIRST(&lun->waiters))
			lun_wait_cancel(lun, w);
	}
}

void lun_wait_room(struct lun *lun, struct lun_waiter *w)
{
	if (w->waiting)
		return;
	TAILQ_INSERT_TAIL(&lun->waiters, w, link);
	w->waiting = true;
	/* Something may have come free since the caller looked. */
	lun_room(lun);
}

void lun_wait_cancel(struct lun *lun, struct lun_waiter *w)
{
	if (!w->waiting)
		return;
	TAILQ_REMOVE(&lun->waiters, w, link);
	w->waiting = false;
	lun_room(lun);
}
