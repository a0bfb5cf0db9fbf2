/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_dev.h - a LUN that takes time: paths of fixed bandwidth, latency and
 * command rate, before a medium that is a rotating disk or flash, with a task
 * set of its own.  No data is moved.  Everything happens in virtual time.
 */
#ifndef BENCH_MODEL_DEV_H
#define BENCH_MODEL_DEV_H

#include "core/lun.h"
#include "core/path.h"
#include "loop/loop.h"

#define MODEL_BLOCK 512u
#define MODEL_BLOCKS (1ull << 30) /* half a terabyte */

enum medium {
	MEDIUM_FLASH,	/* all places are equally near */
	MEDIUM_ARRIVAL, /* a disk that serves commands as they arrive */
	MEDIUM_SORTS,	/* one that takes the nearest first, as long as the oldest has not waited for 500 ms */
};

struct wire {
	uint64_t bytes_s;  /* its bandwidth */
	uint64_t cmd_ns;   /* it is taken for so long by each command */
	uint64_t late_ns;  /* and each command takes so much longer, without taking it */
	uint64_t hangs_ns; /* from then on nothing comes back; 0: never */
};

struct dev_slot;

struct dev {
	struct loop *loop;
	enum medium medium;
	unsigned task_set; /* TASK SET FULL beyond */
	/* statistics */
	uint64_t cmds, bytes, seek_blocks, full;
	/* private */
	unsigned inflight;
	uint64_t head, turn;
	struct dev_slot *serving;
	struct loop_timer medium_timer;
	TAILQ_HEAD(, dev_slot) queue; /* at the disk, oldest first */
};

void dev_init(struct dev *d, struct loop *l, enum medium medium, unsigned task_set);
/* A path to @d, not added to a LUN yet. Freed by core. */
struct path *dev_path(struct dev *d, const char *name, const struct wire *wire);

#endif
