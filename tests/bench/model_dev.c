/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_dev.c - see model_dev.h.
 *
 * The disk: 7200 turns a minute, 200 MB/s, 50 us of work for each command, a seek of half a millisecond and up
 * to 8 more as the square root of the distance, then some part of a turn.  What
 * lies a little ahead is waited for, as the head passes over it.
 */
#include "model_dev.h"

#include "base/prng.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS 512u
#define DISK_BYTES_S 200000000ull
#define CMD_NS (50 * NS_PER_US)
#define TURN_NS 8333333ull
#define SEEK_MIN_NS (500 * NS_PER_US)
#define SEEK_MORE_NS (8 * NS_PER_MS)
#define AHEAD_BLOCKS 2048u
#define STARVED_NS (500 * NS_PER_MS)
#define HANG_NS (3600 * NS_PER_SEC)

struct dev_slot {
	struct wire_path *wp;
	struct cmd *cmd;
	struct loop_timer timer;
	uint64_t came_ns;
	TAILQ_ENTRY(dev_slot) link; /* in the disk's queue, or among the free ones */
};

struct wire_path {
	struct path path;
	struct dev *dev;
	struct wire wire;
	uint64_t busy_ns; /* until then */
	unsigned nbusy;
	bool checking, closing;
	struct loop_timer check_timer;
	struct loop_task close_task;
	TAILQ_HEAD(, dev_slot) free;
	struct dev_slot slots[SLOTS];
};

static uint64_t cmd_length(const struct cmd *cmd)
{
	return (uint64_t)cmd->nblocks * MODEL_BLOCK;
}

static void close_maybe(struct wire_path *wp)
{
	if (wp->closing && !wp->nbusy && !wp->checking)
		loop_task_queue(wp->dev->loop, &wp->close_task);
}

static void slot_end(struct loop_timer *t)
{
	struct dev_slot *s = container_of(t, struct dev_slot, timer);
	struct wire_path *wp = s->wp;
	struct cmd *cmd = s->cmd;

	TAILQ_INSERT_HEAD(&wp->free, s, link);
	wp->nbusy--;
	if (cmd->outcome.verdict == V_OK)
		wp->dev->inflight--;
	path_complete(cmd);
	path_room(&wp->path);
	close_maybe(wp);
}

/* It goes back by its path. */
static void slot_answer(struct dev_slot *s, uint64_t in_ns)
{
	const struct wire *w = &s->wp->wire;
	uint64_t now = loop_now_ns(s->wp->dev->loop);

	in_ns += w->late_ns;
	if (w->hangs_ns && now + in_ns >= w->hangs_ns)
		in_ns = HANG_NS;
	loop_timer_init(&s->timer, slot_end);
	loop_timer_in(s->wp->dev->loop, &s->timer, in_ns);
}

/* --- the disk ---------------------------------------------------------------------- */

static uint64_t disk_ns(struct dev *d, const struct cmd *cmd)
{
	uint64_t ahead = cmd->lba - d->head, far = cmd->lba > d->head ? ahead : d->head - cmd->lba;
	uint64_t ns = CMD_NS + cmd_length(cmd) * NS_PER_SEC / DISK_BYTES_S;

	d->seek_blocks += far;
	d->head = cmd->lba + cmd->nblocks;
	if (far == ahead && far <= AHEAD_BLOCKS)
		return ns + far * MODEL_BLOCK * NS_PER_SEC / DISK_BYTES_S;
	ns += SEEK_MIN_NS + (uint64_t)((double)SEEK_MORE_NS * sqrt((double)far / (double)MODEL_BLOCKS));
	return ns + prng_mix(++d->turn) % TURN_NS;
}

static struct dev_slot *disk_choose(struct dev *d)
{
	struct dev_slot *best = TAILQ_FIRST(&d->queue), *s;
	uint64_t least = UINT64_MAX;

	if (d->medium == MEDIUM_ARRIVAL || loop_now_ns(d->loop) - best->came_ns >= STARVED_NS)
		return best;
	TAILQ_FOREACH (s, &d->queue, link) {
		uint64_t lba = s->cmd->lba, far = lba > d->head ? lba - d->head : d->head - lba;

		if (far >= least)
			continue;
		least = far;
		best = s;
	}
	return best;
}

static void disk_next(struct dev *d)
{
	if (d->serving || TAILQ_EMPTY(&d->queue))
		return;
	d->serving = disk_choose(d);
	TAILQ_REMOVE(&d->queue, d->serving, link);
	loop_timer_in(d->loop, &d->medium_timer, disk_ns(d, d->serving->cmd));
}

static void disk_done(struct loop_timer *t)
{
	struct dev *d = container_of(t, struct dev, medium_timer);
	struct dev_slot *s = d->serving;

	d->serving = NULL;
	slot_answer(s, 0);
	disk_next(d);
}

static void disk_arrival(struct loop_timer *t)
{
	struct dev_slot *s = container_of(t, struct dev_slot, timer);
	struct dev *d = s->wp->dev;

	s->came_ns = loop_now_ns(d->loop);
	TAILQ_INSERT_TAIL(&d->queue, s, link);
	disk_next(d);
}

/* --- the path ---------------------------------------------------------------------- */

static struct wire_path *wire_of(struct path *p)
{
	return container_of(p, struct wire_path, path);
}

static struct dev_slot *slot_take(struct wire_path *wp, struct cmd *cmd)
{
	struct dev_slot *s = TAILQ_FIRST(&wp->free);

	if (!s)
		return NULL;
	TAILQ_REMOVE(&wp->free, s, link);
	s->cmd = cmd;
	wp->nbusy++;
	return s;
}

static int wire_submit(struct path *p, struct cmd *cmd)
{
	struct wire_path *wp = wire_of(p);
	struct dev *d = wp->dev;
	uint64_t now = loop_now_ns(d->loop), left;
	struct dev_slot *s = slot_take(wp, cmd);

	if (!s)
		return -EAGAIN;
	cmd->outcome = (struct outcome){ .verdict = V_OK, .done_blocks = cmd->nblocks };
	wp->busy_ns = MAX(wp->busy_ns, now) + wp->wire.cmd_ns;
	if (d->inflight >= d->task_set) {
		d->full++;
		cmd->outcome = (struct outcome){ .verdict = V_SLOW, .flags = VF_NOT_RUN };
		slot_answer(s, wp->busy_ns - now);
		return 0;
	}
	wp->busy_ns += cmd_length(cmd) * NS_PER_SEC / wp->wire.bytes_s;
	left = wp->busy_ns - now;
	d->inflight++;
	d->cmds++;
	d->bytes += cmd_length(cmd);
	if (d->medium == MEDIUM_FLASH) {
		slot_answer(s, left + 100 * NS_PER_US);
	} else {
		loop_timer_init(&s->timer, disk_arrival);
		loop_timer_in(d->loop, &s->timer, left);
	}
	return 0;
}

static void wire_checked(struct loop_timer *t)
{
	struct wire_path *wp = container_of(t, struct wire_path, check_timer);
	struct path_info info = { .block_bytes = MODEL_BLOCK, .nblocks = MODEL_BLOCKS, .depth = SLOTS,
				  .tpg = -1, .access = ACCESS_ACTIVE, .ident = "model" };
	bool hangs = wp->wire.hangs_ns && loop_now_ns(wp->dev->loop) >= wp->wire.hangs_ns;

	wp->checking = false;
	path_checked(&wp->path, hangs ? CHECK_DOWN : CHECK_OK, hangs ? NULL : &info, hangs ? "it hangs" : NULL);
	close_maybe(wp);
}

static void wire_check(struct path *p, bool full)
{
	struct wire_path *wp = wire_of(p);
	bool hangs = wp->wire.hangs_ns && loop_now_ns(wp->dev->loop) >= wp->wire.hangs_ns;

	wp->checking = true;
	loop_timer_in(wp->dev->loop, &wp->check_timer,
		      hangs ? 5 * NS_PER_SEC : wp->wire.late_ns + 200 * NS_PER_US);
}

static void wire_closed(struct loop_task *t)
{
	path_closed(&container_of(t, struct wire_path, close_task)->path);
}

static void wire_close(struct path *p)
{
	wire_of(p)->closing = true;
	close_maybe(wire_of(p));
}

static void wire_release(struct path *p)
{
	free(wire_of(p));
}

static const struct path_ops wire_ops = {
	.name = "model",
	.submit = wire_submit,
	.check = wire_check,
	.close = wire_close,
	.release = wire_release,
};

struct path *dev_path(struct dev *d, const char *name, const struct wire *wire)
{
	struct wire_path *wp = calloc(1, sizeof(*wp));

	assert(wp);
	wp->path.ops = &wire_ops;
	snprintf(wp->path.name, sizeof(wp->path.name), "%s", name);
	wp->path.host = wp->path.numa_node = -1;
	wp->dev = d;
	wp->wire = *wire;
	loop_timer_init(&wp->check_timer, wire_checked);
	loop_task_init(&wp->close_task, LOOP_COLLECT, wire_closed);
	TAILQ_INIT(&wp->free);
	for (unsigned i = 0; i < SLOTS; i++) {
		wp->slots[i].wp = wp;
		TAILQ_INSERT_TAIL(&wp->free, &wp->slots[i], link);
		loop_timer_init(&wp->slots[i].timer, slot_end);
	}
	return &wp->path;
}

void dev_init(struct dev *d, struct loop *l, enum medium medium, unsigned task_set)
{
	*d = (struct dev){ .loop = l, .medium = medium, .task_set = task_set };
	TAILQ_INIT(&d->queue);
	loop_timer_init(&d->medium_timer, disk_done);
}
