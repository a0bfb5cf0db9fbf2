/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger.h - which writes may still land (integrity: H1, H12).
 *
 * Every WRITE, WRITE_ZEROES and DISCARD has an entry from lun_submit() to its
 * end, and beyond while a command of it is still at a driver or has ended
 * without anybody knowing whether it is over (VF_GHOST).  Then the entry is a
 * ghost: other overlapping writes wait for it, see rangelock.h.
 *
 * Each entry has a slot in a table that the caller may have mapped from a file,
 * so that the next process knows what this one has left behind: it is written
 * before the first command is sent.  The table is plain memory for core.
 */
#ifndef CORE_LEDGER_H
#define CORE_LEDGER_H

#include "core/rangelock.h"
#include "loop/loop.h"

struct path;

/* How long after its end a command that nobody knows the end of may still land: FC's R_A_TOV is
 * 10 s, and twice that is usual. */
#define GHOST_TIME_NS (30ull * 1000000000)
/* What the kernel's error recovery may take after a command's time is over: the steps of the SCSI
 * error handler, each with a test of 10 s. */
#define GHOST_RECOVERY_NS (60ull * 1000000000)
/* Entries beyond one a request, for ghosts, unless told otherwise. With none left writes wait. */
#define LEDGER_GHOSTS 4096u
#define LEDGER_GHOSTS_MAX 65536u

enum ledger_slot_state {
	LEDGER_EMPTY, /* the rest means nothing */
	LEDGER_USED,
};

/* As it lies in the table, in the byte order of the machine: it does not outlive a boot. */
struct ledger_slot {
	uint32_t state; /* stored last */
	uint8_t op;	/* enum req_op */
	uint8_t reserved[3];
	uint64_t lba, nblocks;
	uint64_t hash;
	uint64_t sum;	    /* of op to hash; not of what follows */
	uint32_t path[2];   /* dev_id of the paths it was sent to; 0: none, UINT32_MAX: more, or unknown */
	uint64_t sent_ns;   /* CLOCK_MONOTONIC of the first sending */
	uint64_t reserved2;
};
_Static_assert(sizeof(struct ledger_slot) == 64, "a cache line");

/* A slot of so many blocks, from 0 on: a write of which nobody knows where it was. */
#define LEDGER_WHOLE UINT64_MAX
void ledger_make_whole(struct ledger_slot *s);

/* What a slot says, checked. */
enum ledger_reading { LEDGER_NOTHING, LEDGER_WRITE, LEDGER_BROKEN };
enum ledger_reading ledger_read_slot(const struct ledger_slot *s);
/* Number of slots that a LUN of so many requests and ghosts uses. */
static inline unsigned ledger_slots(unsigned max_reqs, unsigned max_ghosts)
{
	return max_reqs + max_ghosts;
}

struct ledger_entry {
	struct ghost ghost; /* range, op and hash; in the range lock's tree while is_ghost */
	struct ledger_slot *slot; /* NULL: it holds all writes for a while, see hold_writes_ns */
	struct req *req; /* while it is not a ghost */
	bool sent;	 /* the slot is written */
	bool is_ghost; /* its request has been answered */
	bool held;     /* ghost_policy hold-ack: its request waits to be answered */
	bool timed;    /* in the list by until_ns */
	bool restored; /* an earlier process has left it */
	bool whole;    /* a ghost of all blocks, like no write */
	unsigned cmds; /* at drivers */
	uint64_t until_ns; /* may land until then; 0: not after the last of cmds has ended */
	TAILQ_ENTRY(ledger_entry) due;
};

struct ledger {
	struct ledger_entry *entries; /* n, and the one without a slot */
	struct ledger_slot *slots, *own_slots;
	struct ledger_entry **free_entries; /* a stack */
	unsigned n, nfree;
	TAILQ_HEAD(ledger_due, ledger_entry) due; /* by until_ns: no command of these is at a driver */
	TAILQ_HEAD(, req) waiting;	/* writes without an entry */
	struct loop_timer timer;
	unsigned nghosts;  /* now */
	uint64_t ghosts;   /* since the start */
};

#endif
