/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger_table.h - the ledger's slots as a process leaves them to the next one:
 * a head that says whose they are, then the slots.  Plain memory; who maps it
 * from a file and guards it is not known here (path/inflight.h).
 *
 * What is read may be anything: another version's, torn, or hostile.
 */
#ifndef CORE_LEDGER_TABLE_H
#define CORE_LEDGER_TABLE_H

#include "base/limits.h"
#include "core/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_HEAD_BYTES 4096u
#define LEDGER_VERSION 1u
#define LEDGER_SLOTS_MAX (REQS_MAX + LEDGER_GHOSTS_MAX)
#define BOOT_ID_BYTES 40u /* a UUID in text */

struct ledger_head {
	char magic[8];
	uint32_t version;
	uint32_t head_bytes, slot_bytes, nslots;
	int32_t pid; /* of the process that made it */
	uint32_t reserved;
	char boot_id[BOOT_ID_BYTES];
	char wwid[WWID_BYTES_MAX];
	uint64_t sum; /* of what stands before */
	/* Known later than the rest, and each stored at once: the complement is above it. */
	uint64_t block_bytes;
	uint64_t debts;
};
_Static_assert(sizeof(struct ledger_head) <= LEDGER_HEAD_BYTES, "it has a page");

enum ledger_kind {
	LEDGER_OURS,
	LEDGER_OTHER_LUN,
	LEDGER_OTHER_BOOT, /* its commands have ended with that */
	LEDGER_BAD,	   /* what it holds might be anything */
};

/* What clients have not been told, and what no flush has covered (cache.c). The next process cannot
 * tell its clients from these. */
struct ledger_debts {
	uint16_t owed;	    /* clients whose next flush fails */
	uint16_t unflushed; /* clients, if one of them has acknowledged writes that may be volatile */
};
void ledger_debts_store(uint64_t *at, struct ledger_debts d);
/* What cannot be read is taken for the worst. */
struct ledger_debts ledger_debts_load(uint64_t word);

/* A table of @nslots has so many bytes. */
size_t ledger_table_bytes(unsigned nslots);
/* Where they are. */
struct ledger_slot *ledger_table_slots(void *mem);
/* An empty one into @mem, which is zeroes. */
void ledger_table_make(void *mem, unsigned nslots, const char *boot_id, const char *wwid, int pid);
void ledger_table_set_block_bytes(void *mem, uint32_t block_bytes);
/* 0: not known. */
uint32_t ledger_table_block_bytes(const void *mem);
/* For ledger_debts_store(). */
uint64_t *ledger_table_debts(void *mem);

/* Whose is it? LEDGER_BAD: *ret_why says what is wrong with it, and only what the head says of its
 * LUN and process may be of use: see ledger_table_names(). */
enum ledger_kind ledger_table_kind(const void *mem, size_t bytes, const char *boot_id,
				   const char *wwid, const char **ret_why);
/* True if the head names @wwid, be it good or bad. */
bool ledger_table_names(const void *mem, size_t bytes, const char *wwid);

/* What was found in tables, to go into a new one. */
struct ledger_find {
	struct ledger_slot *slots; /* the caller's, of room */
	unsigned room, n;
	uint32_t block_bytes; /* of the first table with writes in it */
	unsigned nwrites, nbroken;
	struct ledger_debts debts; /* of all tables */
	bool whole; /* something was not to be understood, or is too much */
};

/* The used slots and the debts of a table that is LEDGER_OURS. */
void ledger_find_slots(struct ledger_find *f, const void *mem, size_t bytes);
/* Into the slots of a new table, which are empty and more than f->room. */
void ledger_find_store(const struct ledger_find *f, struct ledger_slot *into);

#endif
