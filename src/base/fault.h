/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault.h - named places where a test may make the world fail.
 *
 * PLANT_*: bugs planted in the core, and PLANT_SG_* in path/sg and scsi, on purpose; tests/sim must
 * find each of them.
 *
 * A site costs one load and one branch when no fault is armed.  Faults are
 * armed by tests in the process only, never by the environment or a client.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* One line a site: symbol, name as reports print it. */
#define FAULT_SITES(X)                              \
	X(FAULT_ALLOC, "alloc")                     \
	X(FAULT_SG_WRITE_EDOM, "sg-write-edom")     \
	X(FAULT_SG_WRITE_ENOMEM, "sg-write-enomem") \
	X(FAULT_URING_SETUP, "uring-setup")         \
	X(FAULT_URING_FLAGS, "uring-flags")         \
	X(FAULT_URING_SQ_FULL, "uring-sq-full")     \
	X(PLANT_NO_RANGE_LOCK, "plant-no-range-lock")      \
	X(PLANT_CANCEL_UNLOCKS, "plant-cancel-unlocks")    \
	X(PLANT_CANCEL_SENT, "plant-cancel-sent")          \
	X(PLANT_SLOT_LEAK, "plant-slot-leak")              \
	X(PLANT_LUN_DEPTH, "plant-lun-depth")              \
	X(PLANT_PATH_DEPTH, "plant-path-depth")            \
	X(PLANT_HOST_DEPTH, "plant-host-depth")            \
	X(PLANT_ROOM_LOST, "plant-room-lost")              \
	X(PLANT_NO_BUDGET, "plant-no-budget")              \
	X(PLANT_RESID_IGNORED, "plant-resid-ignored")      \
	X(PLANT_SPLIT_DATA, "plant-split-data")            \
	X(PLANT_RMW_TAIL, "plant-rmw-tail")                \
	X(PLANT_ERROR_HIDDEN, "plant-error-hidden")        \
	X(PLANT_MERGE_FAILS_ALL, "plant-merge-fails-all")  \
	X(PLANT_DOUBLE_REPLY, "plant-double-reply")        \
	X(PLANT_TSF_IS_ERROR, "plant-tsf-is-error")        \
	X(PLANT_ABILITY_UNCHECKED, "plant-ability-unchecked")\
	X(PLANT_HOLD_FOREVER, "plant-hold-forever")        \
	X(PLANT_FLUSH_ONE_PATH, "plant-flush-one-path")    \
	X(PLANT_FLUSH_FORGETS, "plant-flush-forgets")      \
	X(PLANT_WRITER_GONE, "plant-writer-gone")          \
	X(PLANT_CLEAN_WRITE, "plant-clean-write")          \
	X(PLANT_FUA_DROPPED, "plant-fua-dropped")          \
	X(PLANT_STALE_CHECK, "plant-stale-check")          \
	X(PLANT_SIZE_IGNORED, "plant-size-ignored")        \
	X(PLANT_ATTENTION, "plant-attention-ignored")    \
	X(PLANT_NO_LEDGER, "plant-no-ledger")            \
	X(PLANT_HASH_EQUAL, "plant-hash-equal")          \
	X(PLANT_LEDGER_LOST, "plant-ledger-lost")        \
	X(PLANT_LEDGER_DISCARD, "plant-ledger-discard")  \
	X(PLANT_GHOST_EARLY, "plant-ghost-early")        \
	X(PLANT_HEDGE_BUFFER, "plant-hedge-buffer")      \
	X(PLANT_NOT_POISONED, "plant-not-poisoned")      \
	X(PLANT_POISON_FIRST, "plant-poison-first")      \
	X(PLANT_POISON_DIES, "plant-poison-dies")        \
	X(PLANT_DEBT_DIES, "plant-debt-dies")            \
	X(PLANT_RESET_POISONS, "plant-reset-poisons")    \
	X(PLANT_ANY_WITNESS, "plant-any-witness")        \
	X(PLANT_LATE_ACK, "plant-late-ack")              \
	X(PLANT_DOUBT_IGNORED, "plant-doubt-ignored")    \
	X(PLANT_IDENTITY_ONCE, "plant-identity-once")    \
	X(PLANT_FAILBACK_BLIND, "plant-failback-blind")  \
	X(PLANT_SG_PRESSURE, "plant-sg-pressure")        \
	X(PLANT_SG_QUEUE, "plant-sg-queue")              \
	X(PLANT_SG_SPIN, "plant-sg-spin")                \
	X(PLANT_SG_WITHHELD, "plant-sg-withheld")        \
	X(PLANT_SG_ATTENTION, "plant-sg-attention")      \
	X(PLANT_SG_RESID, "plant-sg-resid")              \
	X(PLANT_SG_DEFERRED, "plant-sg-deferred")        \
	X(PLANT_SG_NAME, "plant-sg-name")                \
	X(PLANT_SUSPECT_USED, "plant-suspect-used")      \
	X(PLANT_NBD_SHORT, "plant-nbd-short")            \
	X(PLANT_NBD_UNTOLD, "plant-nbd-untold")          \
	X(PLANT_NBD_FUA, "plant-nbd-fua")                \
	X(PLANT_NBD_BYE, "plant-nbd-bye")                \
	X(PLANT_NBD_KICK, "plant-nbd-kick")              \
	X(PLANT_NBD_TWICE, "plant-nbd-twice")            \
	X(PLANT_FUSE_SYNC, "plant-fuse-sync")            \
	X(PLANT_FUSE_ERROR, "plant-fuse-error")          \
	X(PLANT_FUSE_HELD, "plant-fuse-held")

enum fault_site {
#define X(sym, name) sym,
	FAULT_SITES(X)
#undef X
	FAULT_NR
};

extern bool fault_any; /* is anything armed at all? */

/* True if the fault at @site strikes now. */
bool fault_strikes_slow(enum fault_site site);
static inline bool fault_strikes(enum fault_site site)
{
	return __builtin_expect(fault_any, 0) && fault_strikes_slow(site);
}

/* Strike at the @nth call from now (1 = the next), @times times; times 0 = always from then on. */
void fault_arm(enum fault_site site, uint64_t nth, uint64_t times);
void fault_disarm_all(void);
/* How often the site was passed since it was armed. */
uint64_t fault_count(enum fault_site site);
const char *fault_name(enum fault_site site);
/* -1 if there is none of that name. */
int fault_by_name(const char *name);

#endif
