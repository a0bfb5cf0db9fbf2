/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rig.h - what the checks of the exports stand on: a real LUN over one
 * simulated path to a disk in memory, and a loop body of its own, which polls
 * real sockets but owns the clock.
 *
 * rig_pump() lets everything happen that can happen now, and what the model
 * does within some milliseconds; the long timers (handshake, patience) run
 * only when rig_advance() moves the time.
 */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

#include "core/lun.h"
#include "path/sim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rig_conf {
	uint32_t block_bytes; /* 0: 512 */
	uint64_t nblocks;     /* 0: 8192 */
	uint32_t phys_block_bytes, discard_granularity_blocks;
	unsigned caps;	    /* enum path_cap */
	bool read_only, rotational;
	unsigned max_reqs;  /* 0: default */
	bool late;	    /* the path's first check takes a second */
};

struct rig {
	struct rig_conf conf;
	struct loop *loop;
	struct lun *lun;
	struct sim_path *sp;
	bool path_released;
	uint8_t *disk;
	uint64_t disk_bytes;
	/* what the next commands meet */
	bool hold;	 /* they take for ever, until rig_release() */
	bool busy;	 /* submit() says -EAGAIN: nothing is sent */
	int fail_errno;	 /* they end with it */
	unsigned fail_op; /* only this cmd_op; CMD_OP_NR: all */
	struct outcome next; /* of the next one, */
	bool fail_next;	     /* if this is set */
	/* what was seen */
	void (*seen)(const struct cmd *cmd); /* NULL, or told of each */
	unsigned ncmds[CMD_OP_NR], fua, no_unmap;
	uint64_t largest_discard, discard_lba;
	unsigned inflight;
};

void rig_start(struct rig *r, const struct rig_conf *conf);
/* Requests must be back; stops and frees the LUN. */
void rig_stop(struct rig *r);
void rig_pump(struct rig *r);
void rig_advance(struct rig *r, uint64_t ns);
/* Commands that were held end now; nothing is held any more. */
void rig_release(struct rig *r);
/* A pattern that tells every byte from its neighbours and every seed from the others. */
uint8_t rig_byte(uint64_t at, unsigned seed);
void rig_fill(struct rig *r, unsigned seed);
/* @len bytes as they would lie at @at. */
void rig_pattern(uint8_t *buf, uint64_t at, uint64_t len, unsigned seed);
bool rig_is_pattern(const uint8_t *buf, uint64_t at, uint64_t len, unsigned seed);
bool rig_is_zero(const uint8_t *buf, uint64_t len);

/* The loop alone. */
struct loop *rig_loop_new(void);
/* @stale: descriptors are heard twice before the phases, as after a poll that is stale: see loop_ev.c. */
void rig_loop_stale(struct loop *l, bool stale);
void rig_loop_pump(struct loop *l);
void rig_loop_advance(struct loop *l, uint64_t ns);

#endif
