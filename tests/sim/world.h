/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - one run of one seed: the production core on a virtual clock, with
 * a model of the array below it and of clients above it.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "array.h"
#include "client.h"
#include "killer.h"
#include "nemesis.h"
#include "oracle.h"
#include "swarm.h"

#include "loop/loop.h"

enum world_phase {
	WP_LOAD,     /* clients and faults */
	WP_HEAL,     /* faults have ended, nothing new is asked for */
	WP_READBACK, /* everything is read */
	WP_STOP,     /* lun_stop() */
};

struct world_options {
	unsigned nops;
	bool trace, log;
	bool sg; /* paths are the sg driver's, over a model of the kernel; else path/sim's */
	bool nbd; /* clients speak NBD to the server; without it and fuse they ask core themselves */
	bool fuse; /* they use the file of the FUSE export */
	/* At most so many, and without these (bits of enum sim_cut). */
	unsigned max_paths, max_clients, max_iodepth;
	uint64_t without;
	char *ret_oracle; /* where the name of the oracle that fires goes, 16 bytes; or NULL */
	uint64_t until_ns;  /* stop there and print the state; NS_NEVER */
	int plant;	    /* enum fault_site, -1: none */
	unsigned verify_every; /* steps between two lun_verify() */
};

struct world_result {
	uint64_t hash, steps, virtual_ns;
	unsigned nops, ncmds;
};

struct world {
	const struct world_options *opt;
	uint64_t seed, start_ns;
	struct swarm cfg;
	struct loop *loop;
	struct lun *lun; /* NULL: the process was killed, and has no successor yet */
	struct nbd_server *nbd; /* NULL: there is none, or likewise */
	struct fuse_export *fuse; /* NULL: likewise, or it is not mounted yet */
	struct array array;
	struct oracle oracle;
	struct clients clients;
	struct nemesis nemesis;
	struct killer killer;
	unsigned carriers, prompt; /* bit a path: as nexus_watch_failback() saw it last */

	enum world_phase phase;
	uint64_t steps, hash;
	bool stop_asked;
	struct loop_timer stop_timer;
	enum lun_state lun_state;    /* as seen last */
	uint64_t dark_since_ns;	     /* when the LUN lost its last path */
	uint64_t dropped_step; /* in which a path was dropped whose name leads elsewhere */
	bool depth_lowered; /* and commands of before are out */
	uint64_t slept_ns; /* in all, in calls that the kernel kept waiting: what has a time limit may be so late */
	bool dark_counts; /* a step of this time without a path had no port group in transition */
	uint64_t unproven_since_ns;  /* the same, before the last good command: 0 after one */
	bool good_ended, good_before; /* a command has ended well in this step, in the last one */
	/* Some cache was lost, or may have been for all that core can know, with writes in it. */
	uint32_t loss_tick, bare_reset_tick;
	uint32_t reset_tick; /* a nexus has told of a reset */
	unsigned reset_nexus;
	uint64_t acked_ns;   /* a write that a flush would have to cover was answered */
	uint64_t flushed_ns; /* a flush that was asked for then was answered well */
	uint32_t failing_tick; /* the LUN was failing requests at this tick */
};

/* What is hashed and, with --trace, printed. */
enum world_event {
	WE_SUBMIT, WE_DONE, WE_CANCEL, WE_CMD, WE_REFUSE, WE_APPLY, WE_END, WE_CHECK, WE_NEMESIS, WE_LUN,
	WE_PHASE, WE_POWER, WE_KILL, WE_NR
};
void world_trace(struct world *w, enum world_event ev, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
/* An oracle has fired: prints what, the seed and the command that replays it; ends the process. */
_Noreturn void world_fail(struct world *w, const char *oracle, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A tick orders invocations and answers: the n-th thing that a client could tell apart. */
static inline uint32_t world_tick(struct world *w)
{
	return ++w->oracle.tick;
}
static inline uint64_t world_now_ns(const struct world *w)
{
	return loop_now_ns(w->loop);
}
/* Look at the LUN's state now: its moves are checked against the no-path policy. */
void world_poll_lun(struct world *w);

/* A new LUN, without paths yet. */
void world_new_lun(struct world *w, const struct lun_params *par);
/* Some of the cache is about to be lost; @told: and core hears so. */
void world_lost(struct world *w, bool told);
/* Core hears of a reset by @n. */
void world_reset_told(struct world *w, const struct nexus *n);

void world_stop(struct world *w, uint64_t grace_ns);

/* Runs the seed to its end, or never returns. */
void world_run(uint64_t seed, const struct world_options *opt, struct world_result *ret);

#endif
