/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_sg.h - a small model of the kernel's sg driver and of one disk behind it,
 * answering sys->open, read, write, ioctl and read_file; and a stand-in for
 * core that notes what the driver under test calls.
 *
 * As the real one (measured on 6.1): 16 commands a file, then EDOM; data is
 * copied in at write() and out at read(); results wait until they are read, also
 * after the device is gone; a hang-up makes a file readable for ever.
 *
 * One device, a global; time is that of the simulated loop.
 */
#ifndef TESTS_UNIT_FAKE_SG_H
#define TESTS_UNIT_FAKE_SG_H

#include "core/cmd.h"
#include "core/path.h"
#include "path/sg_priv.h"

#include <stdbool.h>
#include <stdint.h>

#define FAKE_WWID  "3600000000000000000000000000000a1"
#define FAKE_FILES 64
#define FAKE_LOG   4096

/* One command as it was written. */
struct fake_log {
	uint8_t cdb[16];
	unsigned cdb_len, dxfer_len, iovec_count, timeout_ms;
	int direction, fd;
	uint8_t data[32]; /* the first bytes sent */
};

/* What becomes of the commands that match, instead of their execution. */
struct fake_inject {
	int opcode;	      /* -1: any */
	int page;	      /* INQUIRY: this VPD page, -1: any; -2: standard data */
	unsigned skip, times; /* let so many pass; strike so often */
	uint16_t host_status;
	uint8_t status, sense[32], sense_len;
	int resid;    /* with execute: leave so much out */
	bool execute; /* run it, then report this */
};

struct fake_sg {
	struct loop *loop;

	/* --- the device; tests change it after fake_sg_setup() --- */
	uint8_t type, version;
	char vendor[9], product[17], revision[5];
	uint8_t naa[16];
	const char *serial; /* VPD 80h; NULL: no such page */
	bool vpd;	    /* there are VPD pages at all */
	bool page83, pageb0, pageb1, pageb2;
	uint32_t block_bytes;
	uint64_t nblocks; /* told; the memory behind it is FAKE_DISK_BYTES at most */
	uint8_t phys_exponent, prot_type;
	bool cap16, lbpme, lbprz;
	bool mode6, mode10, mode_page, wce, dpofua, wp;
	bool sync, fua, unmap, write_same16, write_same10, ndob, lba_status;
	uint32_t max_xfer_blocks, max_unmap_blocks, unmap_granularity;
	uint64_t max_write_same;
	uint16_t rpm;
	bool rtpg_plain_only;
	uint8_t transition_sec;
	unsigned stpgs;	    /* SET TARGET PORT GROUPS that came */
	uint8_t tpgs;	    /* TPGS field; 0 no ALUA */
	uint8_t alua_state; /* of our group, 7; bit 7: preferred */
	bool standby_tells; /* capacity also when not active */
	bool tur_always;    /* TEST UNIT READY is GOOD all the same */

	/* --- the kernel --- */
	int version_num, open_errno, claim_errno;
	const char *block; /* sibling block device, or NULL */
	int queue_depth, can_queue, tablesize, ioerr_cnt;
	int write_errno; /* every write() to sg says so */
	bool removed;
	uint64_t write_blocks_ns; /* a write() sleeps so long */
	uint64_t delay_ns;	  /* of a command; not in order if reverse */
	bool hold;		  /* nothing completes until fake_sg_release() */
	bool reverse;		  /* of the results that are there, the newest first */
	bool crossed; /* the next result comes out of another file than its command's */
	int stranger; /* 1: next result has a wrong pack_id, 2: a wrong usr_ptr */

	/* --- what has happened --- */
	struct fake_log log[FAKE_LOG];
	unsigned nlog, nopen, max_per_file, claims_open;
	uint8_t *disk;
	bool *mapped;
};

extern struct fake_sg fake;
#define FAKE_DISK_BYTES (1u << 20)

/* Defaults: a 512-byte disk with all optional features, WCE=1; sys and sysfs root
 * replaced. */
void fake_sg_setup(struct loop *l);
void fake_sg_teardown(void);
/* The driver's files, for waking; NULL before there are any. */
void fake_sg_attach(struct sg_path *s);
void fake_sg_inject(const struct fake_inject *in);
/* CHECK CONDITION with fixed sense. */
void fake_sg_sense(int opcode, int page, unsigned skip, unsigned times, uint8_t key,
		   uint8_t asc, uint8_t ascq);
void fake_sg_release(void);
/* Only the @nth that waits, from 0, and without telling the driver. */
void fake_sg_release_one(unsigned nth);
/* Delete the device: ENODEV from now on, files hang up. */
void fake_sg_remove(void);
/* Commands of that opcode in the log. */
unsigned fake_sg_count(int opcode);

/* --- between fake_sg.c and fake_sg_dev.c --- */

struct fake_cmd {
	struct sg_io_hdr hdr;
	uint8_t cdb[16];
	uint8_t *data;
	struct loop_timer timer;
	bool ready;
	int fd;
	TAILQ_ENTRY(fake_cmd) link;
};

/* Fills in the results in c->hdr, and c->data. */
void fake_sg_execute(struct fake_cmd *c);

/* --- core's side --- */

struct fake_core {
	uint64_t wrote_max_ns;
	unsigned rooms, lost, doubts, closed, nchecked, fulls, depths, depth;
	enum check_result result;
	struct path_info info;
	bool has_info;
	unsigned news; /* enum verdict_flag, since somebody set it to 0 */
	bool unusable; /* what core thinks of the path */
	char why[200], lost_why[200];
	unsigned ndone;
	struct cmd *done[8192];
	void (*on_done)(struct cmd *cmd);
};
extern struct fake_core core;

/* Step the loop until @n commands are done (or a second, or nothing is left to do). */
void run_until_done(struct loop *l, unsigned n);
void run_all(struct loop *l);
/* Start a check and run to its end. */
void run_check(struct loop *l, struct path *p, bool full);

#endif
