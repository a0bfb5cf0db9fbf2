/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elv_deadline.c - one-way sweep with expiry, as Linux mq-deadline
 * (block/mq-deadline.c): batches of one direction go up by block; between
 * batches reads come first until writes have starved, and a request past its
 * expiry is where the next batch starts.
 */
#include "core/elv.h"

static bool deadline_expired(const struct elv *e, enum elv_dir d, uint64_t now_ns)
{
	const struct req *r = TAILQ_FIRST(&e->fifo[d]);

	return r && now_ns - r->submit_ns >= e->tun.expire_ns[d];
}

static enum elv_dir deadline_direction(struct elv *e)
{
	if (!e->n[ELV_WRITE])
		return ELV_READ;
	if (!e->n[ELV_READ]) {
		e->starved = 0;
		return ELV_WRITE;
	}
	if (e->starved++ >= e->tun.writes_starved) {
		e->starved = 0;
		return ELV_WRITE;
	}
	return ELV_READ;
}

static struct req *deadline_choose(struct elv *e, uint64_t now_ns)
{
	struct req *r;

	if (e->n[e->dir] && e->batch < e->tun.fifo_batch) {
		r = elv_at_or_after(e, e->dir, e->pos[e->dir]);
		if (r)
			return r;
	}
	e->dir = deadline_direction(e);
	e->batch = 0;
	if (!deadline_expired(e, e->dir, now_ns)) {
		r = elv_at_or_after(e, e->dir, e->pos[e->dir]);
		if (r)
			return r;
	}
	return TAILQ_FIRST(&e->fifo[e->dir]);
}

static void deadline_sent(struct elv *e, enum elv_dir dir, uint64_t end_lba)
{
	e->pos[dir] = end_lba;
	e->batch++;
}

const struct elv_ops elv_deadline_ops = {
	.name = "deadline",
	.choose = deadline_choose,
	.sent = deadline_sent,
};
