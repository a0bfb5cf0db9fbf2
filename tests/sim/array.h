/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * array.h - the model below the core: the medium with its volatile caches, the
 * task set, and one nexus a path that decides what becomes of each command.
 *
 * A command takes effect before it is answered, or not at all, or, if its answer
 * says that its end is unknown, at any time within the ghost time after it.
 */
#ifndef SIM_ARRAY_H
#define SIM_ARRAY_H

#include "swarm.h"

#include "path/sim.h"

struct world;

/* A path as the array sees it, and what core may know of it. */
struct nexus {
	struct world *w;
	unsigned id;
	struct path *path; /* NULL: not in the LUN */
	const struct swarm_path *cfg;
	struct prng cmds, checks;
	struct path_info info; /* what a good check says now */

	/* Its condition. */
	bool down, hang, check_bad;
	bool other_lun, other_size; /* what it leads to */
	/* It leads to a LUN of the same contents, unheard of. Since then, or since nothing has kept
	 * core from asking. */
	bool stranger;
	uint64_t stranger_ns;
	bool attention;		    /* a unit attention waits for the next command */
	bool reset;		    /* likewise, one that tells of a reset */
	enum access_state access;
	bool admin_failed, removing;

	struct loop_timer undo; /* the nemesis': it heals then */

	/* What core has been told. All are ticks; 0: never. */
	uint32_t doubt;	     /* since then it needs a full check before data */
	const char *why;     /* cause of the doubt, NULL: there is none */
	bool blamed;	     /* core has a reason to fail it */
	uint32_t check_tick; /* the check that runs or ran last began then */
	bool check_good;
	uint64_t check_end_ns; /* when that one ends */
	uint32_t good; /* begin of the last full check that was good and has ended, */
	uint64_t good_ns; /* and its end */
	struct path_info told;
	bool told_valid;

	enum path_state seen_state;
	bool keeps_cache; /* its own cache is one that core flushes */
	unsigned inflight, inflight_max, ncmds, streak;
};

/* The LU's own cache: what it holds any flush writes down. */
#define CACHE_LU (SIM_PATHS_MAX + 1)

struct array {
	struct world *w;
	uint32_t ncells;
	uint8_t *now, *stable;	/* what is read, what survives */
	uint8_t *owner;		/* the cache of a volatile cell: path + 1 or CACHE_LU; 0: stable */
	uint64_t *dirty;	/* bit a cell: owner is not 0 */
	uint64_t *bad;		/* bit a block */
	struct prng prng;
	struct nexus nexus[SIM_PATHS_MAX];
	struct cmd_rec *recs; /* free ones */
	TAILQ_HEAD(, cmd_rec) live; /* at the array, or haunting it */
	unsigned inflight, inflight_max, ncmds;
	/* By minor number: the kernel is done with what killed processes have left. */
	uint64_t old_end_ns[SIM_PATHS_MAX + 1];
	uint64_t killed; /* serial: commands up to there that had not run at the last power loss never will */
	uint32_t flush_excuse; /* tick at which some flush command had a reason to fail for good */
};

void array_init(struct array *a, struct world *w);
void array_fini(struct array *a);
/* What a power loss now would leave of cell @c. */
const uint8_t *array_stable(const struct array *a, uint32_t c);
const uint8_t *array_now(const struct array *a, uint32_t c);
bool array_is_bad(const struct array *a, uint64_t lba, uint64_t nblocks);
/* Each volatile cell survives, in @pct of 100 cases, or not, as @r says. */
void array_lose_cache(struct array *a, struct prng *r, unsigned pct);
/* In mid load: so it is, commands that have not run never will, and each nexus will tell. */
void array_power_loss(struct array *a, struct prng *r);

/* Core cannot use @n any more: what its cache holds is below the other paths from now on. */
void array_spill(struct array *a, const struct nexus *n);

/* A new path object for @n, added to the LUN. False if the LUN takes none. */
bool nexus_add(struct nexus *n);
/* Core has to check @n before it may send data again; @blame: it may call it failed. */
void nexus_doubt(struct nexus *n, const char *why, bool blame);
/* The process is killed: its commands go on. */
void array_killed(struct array *a, struct prng *r);
/* Its unit attention, if there is one, is told now. */
void nexus_tell_reset(struct nexus *n);
/* May another path than @n know, as core sees it, that the LUN has kept its cache? */
bool nexus_has_witness(const struct nexus *n);
/* Each step: has core moved a path without a reason? */
void nexus_watch(struct nexus *n);
/* Each step, too: does the I/O go back to paths that were not checked of late? */
void nexus_watch_failback(struct world *w);
/* Would a path that core knows everything about carry data? */
bool nexus_is_good(const struct nexus *n);

#endif
