/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight.h - RUNDIR/NAME/inflight, the mapped file that the ledger's slots lie
 * in (integrity: H12), with what is owed to clients (H9), and what the kernel
 * still does for a process that has gone.
 *
 * The file is complete before it has its name, locked as long as its process
 * lives, and never shrinks or grows.  One process a WWID: the lock says so, under
 * whatever NAME it runs.
 */
#ifndef PATH_INFLIGHT_H
#define PATH_INFLIGHT_H

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_slot;

struct inflight_conf {
	const char *rundir, *name, *wwid; /* RUNDIR/NAME must exist */
	const char *boot_id;		  /* NULL: the kernel's */
	unsigned max_reqs, max_ghosts;
	/* Is NAME another LUN of this configuration? Then what is in its directory is its own
	 * business, unless it names our WWID. */
	bool (*is_other)(void *arg, const char *name);
	void *arg;
};

struct inflight {
	struct ledger_slot *slots; /* ledger_slots(max_reqs, max_ghosts) */
	uint64_t *debts;	   /* for ledger_debts_store(); what earlier processes have left */
	uint32_t block_bytes;	   /* in which those that were found count; 0: unknown, or none */
	unsigned nwrites;	   /* that earlier processes have left */
	bool whole;		   /* and something that could not be read: all of the LU */
	/* private */
	int fd;
	void *mem;
	size_t bytes;
};

/* Take over what earlier processes with this WWID have left in RUNDIR, into a new file. 0;
 * -EBUSY: a process with this WWID lives; or another negative errno. Logs in any case. */
int inflight_open(struct inflight *f, const struct inflight_conf *conf);
/* The slots are counted in these blocks from now on. */
void inflight_set_block_bytes(struct inflight *f, uint32_t block_bytes);
/* Accepts what inflight_open() has not opened, if it is zero. */
void inflight_close(struct inflight *f);

/* What sysfs says of the devices that an earlier process sent writes to. */
struct inflight_look {
	struct {
		uint32_t dev_id, round;
		uint64_t quiet_ns; /* nothing was under way then; 0: there was at every look */
	} dev[64];
	unsigned n, round;
};

/* Devices are looked at again, once each. */
void inflight_look_again(struct inflight_look *k);
/* Until when the write of @slot may land: @ghost_time_ns after its devices were seen idle (at once
 * where the kernel's word is the last one: loop devices, files); UINT64_MAX: not known. */
uint64_t inflight_until(struct inflight_look *k, const struct ledger_slot *slot, uint64_t now_ns,
			uint64_t ghost_time_ns);

#endif
