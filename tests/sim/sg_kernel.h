/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_kernel.h - the kernel's sg driver as a model: base/sys.h's calls, answered
 * for the production path/sg above, with the array's nexuses as devices below.
 *
 * As the real one: 16 commands a file, then EDOM; ENOMEM now and then; data is
 * copied in at write() and out at read(); a file with results is readable until
 * they are read; the files of a device that is gone hang up for ever, and give
 * their last results all the same.
 *
 * /dev/sgN is nexus N - 1, until names change hands. What becomes of a data command, and what its CDB has
 * to be, is asked of fate.c; the commands of checks are answered by sg_lu.c.
 * What the driver calls in core (path_complete() and the like) is looked at on
 * its way, by the linker's --wrap.
 */
#ifndef SIM_SG_KERNEL_H
#define SIM_SG_KERNEL_H

#include "array.h"

#include "path/sg_priv.h"

/* The driver's time limits for a command, and for one of a check. */
#define SGK_IO_TIMEOUT_NS (30 * NS_PER_SEC)
#define SGK_CHECK_TIMEOUT_NS (5 * NS_PER_SEC)

/* A command in the kernel. */
struct kcmd {
	struct loop_timer apply, end;
	struct nexus *n;
	unsigned file; /* index */
	struct sg_io_hdr hdr; /* as written; then as it is read */
	uint8_t cdb[CDB_BYTES_MAX], sense[SENSE_BYTES_MAX];
	uint8_t *data; /* dxfer_len bytes */
	size_t data_cap;
	/* A data command: the array's record, core's command, what is to become of it. */
	struct cmd_rec *rec; /* NULL: the check's */
	struct cmd *cmd;
	enum cmd_op op;
	uint64_t lba;
	uint32_t nblocks;
	struct outcome outcome;
	enum verdict expect; /* what the driver has to make of it */
	struct extent extents[SG_LBA_EXTENTS];
	unsigned nextents;
	bool lost; /* nobody answers */
	bool recovered; /* the host has been made to */
	bool ready;
	bool defers; /* its result tells of a deferred error */
	TAILQ_ENTRY(kcmd) link;
};

/* In world_init(), before the array is made. */
void sgk_init(struct world *w);
void sgk_fini(void);
/* All files are closed and all results forgotten: the process was killed. */
void sgk_killed(void);
/* A new path of the driver's for @n; never NULL. */
struct path *sgk_path_new(struct nexus *n);
/* Its memory goes, without a call into loop or kernel. */
void sgk_path_vanish(struct nexus *n);
/* The device is deleted, and comes back under its name when @n heals. */
void sgk_hang_up(struct nexus *n);
void sgk_heal(struct nexus *n);
/* The name of the path, which exists, leads to another device by now: discovery would drop it, and find the device again. */
bool sgk_renamed(const struct nexus *n);
/* Each step: files that are readable, and watched again. */
void sgk_watch(struct nexus *n);
/* They are heard now. */
void sgk_poll(struct nexus *n);

/* After each turn of the loop: the time that its write() calls have slept. What was due meanwhile happens late, but
 * in the order of its time, as the process finds it. */
void sgk_turn_over(void);

/* --- sg_lu.c --- */

/* Answers a command of a check: data, status, sense. */
void lu_execute(struct kcmd *k);
/* Page 83h as sysfs has it; its length. */
size_t lu_page_83(const struct nexus *n, uint8_t *b);
/* Puts @o, and what the command has done, into status, sense and resid. */
void lu_encode(struct kcmd *k, const struct outcome *o);

#endif
