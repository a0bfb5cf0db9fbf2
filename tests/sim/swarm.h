/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * swarm.h - what a seed draws before anything runs: the shape of the LUN, of
 * its paths and clients, and which faults exist at all and how often they come
 * (swarm testing: a run with few kinds of fault gets further into each).
 */
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include "base/prng.h"
#include "core/lun.h"
#include "core/path.h"

#include <stddef.h>

#define SIM_PATHS_MAX 8
#define SIM_CLIENTS_MAX 8
#define SIM_IODEPTH_MAX 16

/* Entities of the random numbers: a draw of one shifts no draw of another. */
enum sim_entity {
	ENT_SWARM = 1,
	ENT_NEMESIS,
	ENT_POWER,
	ENT_MEDIUM,
	ENT_KILLER,
	ENT_KERNEL,
	ENT_SLEEP, /* calls that the kernel keeps waiting, names that change hands */
	ENT_POLL,  /* descriptors that are heard while tasks are queued */
	ENT_CLIENT = 100, /* + client */
	ENT_CMDS = 200,	  /* + path: fates of commands */
	ENT_CHECKS = 300, /* + path */
	ENT_WIRE = 400,	  /* + client */
	ENT_RUDE = 500,	  /* + client: nonsense that it sends */
	ENT_FUSE = 600,
};

enum sim_fault {
	/* of one command */
	SF_OTHER,	/* V_OTHER, transient */
	SF_OTHER_ALL,	/* V_OTHER with VF_ALL_ERR: final once every path says so */
	SF_SAME,
	SF_LATER,
	SF_SLOW,	/* the array is full although our account is not: other initiators */
	SF_FAIL,	/* V_FAIL, the command ran or did not */
	SF_LOST_CMD,	/* no answer for 30 s */
	SF_SHORT,	/* V_OK for a part */
	SF_ENOSPC,	/* V_ERR ENOSPC */
	SF_UNSUPPORTED, /* an optional command is turned down */
	SF_INFO,	/* V_OK_INFO with news */
	SF_AGAIN,	/* submit says -EAGAIN */
	SF_NODEV,	/* submit says -ENODEV */
	SF_STREAK,	/* V_LATER and V_OTHER that count towards a streak */
	SF_ONCE,	/* VF_RETRY_ONCE */
	SF_DEFER,	/* a deferred error: some of the cache is lost */
	SF_CMD_NR,
	/* of a path or of all: the nemesis */
	SF_DIE = SF_CMD_NR, /* the path is dead for a while, in-flight commands fail */
	SF_HANG,	    /* commands of the path hang for 30 s, checks for 5 s */
	SF_HUP,		    /* path_lost() out of the blue */
	SF_ALUA,	    /* the port group changes state */
	SF_ADMIN,	    /* fail-path, reinstate-path */
	SF_REMOVE,	    /* the path is removed and added again */
	SF_SWAP,	    /* the path turns into another LUN */
	SF_RESIZE,	    /* the path turns into another size */
	SF_STRANGER,	    /* the path turns into a mirror of the LUN, and nobody says so */
	SF_CHECK,	    /* checks fail or take long */
	SF_DARK,	    /* all paths die at once */
	SF_SET,		    /* depth and selector are changed live */
	SF_LIMITS,	    /* a path's limits or abilities change */
	SF_HOG,		    /* somebody holds most of the memory for a while */
	SF_POWER,	    /* the array loses power, and its cache */
	SF_RESET,	    /* one nexus is reset, and says the same */
	SF_RECONNECT,	    /* a client goes and comes back */
	SF_NR
};

/* What a run can be made without: kinds of fault, and these. */
enum sim_cut {
	SC_KILLS = SF_NR, SC_STOP, SC_BAD, SC_CRASH, SC_CANCEL, SC_FUA, SC_RMW, SC_SLOW_PUT, CUT_NR
};

struct swarm_path {
	unsigned slots; /* of the driver, -EAGAIN above */
	uint64_t lat_ns, jitter_ns, tail_ns;
	struct path_info info;
	int host;
	bool info_on_cheap; /* cheap checks return an info, too */
};

struct swarm {
	struct lun_params par;
	uint32_t block_bytes;
	uint64_t nblocks;
	unsigned ncells_block; /* cells of 64 bytes in a block */
	unsigned npaths;
	struct swarm_path path[SIM_PATHS_MAX];
	unsigned lu_slots; /* the array's task set */
	bool write_cache;
	unsigned destage; /* chance in 256 that a write goes through to the medium by itself */

	unsigned nclients, iodepth;
	uint64_t think_ns;
	uint32_t max_io_blocks;
	uint64_t hot_blocks; /* most requests fall into so many blocks */
	unsigned hot_pct;
	unsigned seq_pct; /* a request starts where the last one ended */
	unsigned weight[REQ_OP_NR];
	unsigned fua_pct, rmw_pct, cancel_pct, fast_zero_pct, slow_put_pct;

	uint32_t rate[SF_NR]; /* command: one in so many; nemesis: weight; 0: not in this run */
	uint64_t nemesis_ns;  /* mean time between its deeds */
	unsigned nbad;	      /* bad blocks */
	unsigned stop_at;     /* lun_stop() in mid load after so many operations, 0: not */
	uint64_t stop_grace_ns;
	bool heal_one; /* at the end only one path is good */
	unsigned nkills; /* times that the process is killed in mid load */
	bool crash;    /* power loss before the orderly end */
};

void swarm_draw(struct swarm *s, uint64_t seed, unsigned nops);
void swarm_print(const struct swarm *s);
const char *sim_fault_name(enum sim_fault f);
/* Of enum sim_fault or enum sim_cut; and back, -1 for no such word. */
const char *swarm_cut_name(int cut);
int swarm_cut_by_name(const char *name, size_t len);
/* At most so many, and without what @without has a bit for. */
void swarm_cut(struct swarm *s, unsigned npaths, unsigned nclients, unsigned iodepth, uint64_t without);

/* Uniform in [lo, hi]. */
static inline uint64_t draw(struct prng *r, uint64_t lo, uint64_t hi)
{
	return lo + prng_below(r, hi - lo + 1);
}

static inline bool draw_pct(struct prng *r, unsigned pct)
{
	return prng_below(r, 100) < pct;
}

#endif
