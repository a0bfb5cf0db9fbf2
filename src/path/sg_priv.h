/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_priv.h - inside of the sg driver; included by path/sg_*.c only.
 *
 *   sg.c        the path's life, and what core calls
 *   sg_open.c   open, size, claim, close the files
 *   sg_io.c     write() a slot, read() results, back-pressure, hang-up
 *   sg_cmd.c    a core command as CDB, a result as outcome
 *   sg_check.c  the check: goes from step to step
 *   sg_steps.c  its steps, a table
 *   sg_hidden.c looks for traces of what the kernel does not tell
 *   sg_facts.c  what a check learned, as path_info and as features
 */
#ifndef PATH_SG_PRIV_H
#define PATH_SG_PRIV_H

#include "base/units.h"
#include "base/verdict.h"
#include "core/path.h"
#include "loop/loop.h"
#include "path/sg.h"
#include "scsi/alua.h"
#include "scsi/capacity.h"
#include "scsi/cdb.h"
#include "scsi/inquiry.h"
#include "scsi/judge.h"
#include "scsi/sense.h"

#include <scsi/sg.h>
#include <sys/queue.h>

/* GET LBA STATUS: an 8-byte header and 31 descriptors; an UNMAP list of one range is
 * shorter. */
#define SG_PARAM_BYTES 504u
#define SG_LBA_EXTENTS 31u
/* Answers to the commands of a check; within the 32 KiB that sg reserves for each file.
 */
#define SG_CHECK_BYTES (16u * KIB)

#define SG_TIMEOUT_DEFAULT_NS (30 * NS_PER_SEC)
#define SG_XFER_DEFAULT_BYTES (1u * MIB)
/* Without queue_depth in sysfs. */
#define SG_DEPTH_DEFAULT 16u

/* Back-pressure: look again after that; hand the commands back after that without one
 * success. */
#define SG_STALL_RETRY_NS (5 * NS_PER_MS)
#define SG_STALL_LIMIT_NS (1 * NS_PER_SEC)
/* A file that has hung up is read by timer. */
#define SG_DRAIN_NS (20 * NS_PER_MS)
/* Readable, but empty, so often in a row: do not trust it, use the timer. */
#define SG_EMPTY_WAKES_MAX 16u

/*
 *           lost    drained  reopened  close     command outcome of submit()
 *   up      lost    -        -         closing   sent
 *   lost    -       shut     -         closing   -ENODEV; results are waited for
 *   shut    -       -        up        closing   -ENODEV; no file is open
 *   closing -       closed   -         -         -ENODEV
 *   closed  -       -        -         -         -ENODEV
 */
enum sg_state { SG_UP, SG_LOST, SG_SHUT, SG_CLOSING, SG_CLOSED };

enum sg_slot_state {
	SLOT_FREE,
	SLOT_QUEUED, /* has a CDB, waits for write() */
	SLOT_SENT,   /* the kernel's */
	SLOT_ENDED,  /* has its outcome without the kernel; a task completes it */
};

struct sg_file {
	struct sg_path *sg;
	struct loop_fd lfd;
	unsigned inflight;    /* slots that are SENT through it */
	unsigned empty_wakes; /* in a row */
	uint32_t buffer_bytes; /* sg keeps a buffer of that size, for one command at a time */
};

/* What few commands need: kept apart, so that pages of it are touched, and are memory, only then. */
struct sg_aside {
	uint8_t sense[SENSE_BYTES_MAX];
	uint8_t param[SG_PARAM_BYTES];
};

struct sg_slot {
	struct sg_io_hdr hdr; /* as written; results are read into another one */
	uint8_t cdb[CDB_BYTES_MAX];
	struct sg_aside *aside;
	enum sg_slot_state state;
	enum scsi_class class;
	struct cmd *cmd; /* NULL: the check's */
	struct sg_file *file;
	unsigned uses;		/* makes pack_id new each time */
	unsigned feature;	/* SG_NO_*: what to give up if the device knows no such
				   command */
	bool flush_after;	/* a SYNCHRONIZE CACHE must follow before it is done */
	bool flushing;		/* it is that SYNCHRONIZE CACHE */
	struct outcome outcome; /* SLOT_ENDED */
	STAILQ_ENTRY(sg_slot) link; /* free, queue or ended */
};

/* Peripheral device type of optical memory (SPC-6), a disk with another name. */
#define SG_PDT_OPTICAL 0x07

/* What a device has turned down; never asked for again while it stays open. */
enum sg_refused {
	SG_NO_FUA = 1 << 0,
	SG_NO_UNMAP = 1 << 1,	 /* UNMAP */
	SG_NO_WS_UNMAP = 1 << 2, /* WRITE SAME with the UNMAP bit */
	SG_NO_NDOB = 1 << 3,
	SG_NO_WRITE_SAME = 1 << 4,
	SG_NO_STATUS = 1 << 5,
	SG_NO_SYNC = 1 << 6,
	SG_NO_RTPG_EXT = 1 << 7, /* the extended header */
};

enum sg_discard { SG_DISCARD_NONE, SG_DISCARD_UNMAP, SG_DISCARD_WS16, SG_DISCARD_WS10 };

/* How commands are put to this device: of its facts, less what it has refused. */
struct sg_features {
	uint32_t block_bytes;
	bool write_cache; /* it is on, or not known to be off: flushes are sent */
	bool cache_known; /* the caching page was there */
	bool fua_bit;	  /* understood, and needed */
	enum sg_discard discard;
	bool write_same, ws16, ws_ndob, ws_unmap;
	bool lba_status, read_zeroes;
};

/* What the commands of a check have told. */
struct sg_facts {
	struct inquiry inq;
	struct ident ident;
	struct port_id port;
	struct capacity cap;
	struct caching caching;
	struct block_limits limits;
	struct block_chars chars;
	struct provisioning lbp;
	bool has_vpd, has_page80, has_page83, has_pageb0, has_pageb1,
		has_pageb2; /* as 00h lists */
	bool has_cap, has_mode, has_limits, has_chars, has_lbp;
	bool needs_cap16; /* READ CAPACITY(10) says that it is too large for it */
	bool withheld;	  /* READ CAPACITY or MODE SENSE met a group that did not serve */
	bool has_access;  /* from RTPG or a sense */
	bool has_tpg;	  /* tpg: from VPD 83h, or RTPG by the relative port */
	uint16_t tpg;
	uint8_t transition_sec; /* 0: not told */
	bool tur_good;		/* the last TEST UNIT READY */
	bool tur_trusted;	/* it was believed against RTPG */
	enum access_state access;
	int prio;
};

struct sg_check {
	bool running, full;
	bool activate;	       /* SET TARGET PORT GROUPS is still to be sent */
	bool aborting;	       /* its command is out; the rest is not wanted */
	int step;	       /* -1: its end is known, and path_checked() due */
	struct sg_facts facts; /* of this run */
	unsigned uas, restarts, again, no_room;
	enum check_result result;
	char why[CAUSE_BYTES];
	char flaw[CAUSE_BYTES]; /* what its READ met that is not the path's fault; "": nothing */
	struct loop_task end_task;
	struct loop_timer again_timer;
	uint8_t *buf; /* SG_CHECK_BYTES */
};

struct sg_path {
	struct path path;
	struct loop *loop;
	struct sg_identity *identity;

	/* configuration */
	char wwid[WWID_BYTES_MAX];
	bool allow_vpd80;
	unsigned io_timeout_ms, check_timeout_ms;
	unsigned depth_cap;
	uint32_t max_xfer_cap;
	uint32_t check_read_bytes; /* 0: checks read nothing */

	enum sg_state state;
	char sg[32];	/* "sg3" */
	int claim_fd;	/* the block device beside it; -1 none, another -errno: could not be held */
	unsigned depth; /* slots in use for data: what the kernel and the configuration
			   allow */
	uint32_t max_xfer_bytes;
	unsigned inflight;	/* over all files */

	/* files[0..nfiles-1] carry data, then come the check's and the reserve. */
	struct sg_file *files;
	unsigned nfiles;
	/* slot[0..nslots-1] are for data, the last one for the check. */
	struct sg_slot *slots;
	struct sg_aside *asides; /* of each */
	unsigned nslots;
	STAILQ_HEAD(, sg_slot) free_slots, queue, ended;

	bool starving;	 /* submit() said -EAGAIN */
	int stall_errno; /* write() had no room; 0: it has */
	uint64_t stall_since_ns;
	struct loop_timer stall_timer, drain_timer;
	struct loop_task ended_task, send_task, close_task;

	struct sg_facts facts; /* of the last good full check */
	bool facts_valid;
	bool facts_partial; /* the port group did not let us read all of them */
	unsigned refused;   /* enum sg_refused */
	struct sg_features feat;
	struct sg_check check;
	bool activate; /* the next full check asks the target to let the group serve */

	/* Traces of what the kernel keeps to itself (sg_hidden.c). */
	struct {
		struct loop_timer timer;
		bool based;	   /* base is of this busy time */
		bool counted;	   /* count has been read, and is to be compared */
		bool used;	   /* something was sent since the last look */
		uint32_t seen;	   /* results that told an error */
		uint32_t count, seen_then; /* ioerr_cnt, and seen when it was read */
		int32_t base;	   /* at most so many that we have not seen */
	} hidden;

	bool sysfs_knows; /* its identity, at the first open */
	char kobject[128]; /* the device that was opened first; "": not known */
	bool counted; /* in identity->npaths */
	bool told_eperm;
	/* TEST UNIT READY said GOOD where READ or WRITE did not: RTPG alone is
	 * believed. */
	bool tur_lies;
	struct sg_path_stats stats;
};

static inline struct sg_file *sg_check_file(struct sg_path *s)
{
	return &s->files[s->nfiles];
}

static inline struct sg_file *sg_reserve_file(struct sg_path *s)
{
	return &s->files[s->nfiles + 1];
}

static inline unsigned sg_all_files(const struct sg_path *s)
{
	return s->nfiles + 2;
}

static inline struct sg_slot *sg_check_slot(struct sg_path *s)
{
	return &s->slots[s->nslots];
}

/* --- sg_open.c --- */

/* Open all files of @s->path.name, read sysfs, claim the block device. 0 or -errno with
 * a message "WHERE: what: why; hint"; then nothing is open. */
int sg_open_files(struct sg_path *s, char *errbuf, size_t size);
/* Tries once more to hold the disk, if that was forbidden before. */
void sg_claim_again(struct sg_path *s);
/* Nothing may be in flight (asserted). Harmless when closed. */
void sg_close_files(struct sg_path *s);
/* Commands at once that kernel and configuration allow now. */
unsigned sg_depth_now(const struct sg_path *s);
/* Commands that its host takes at once; 0 unknown. */
unsigned sg_host_tags(const struct sg_path *s);

/* --- sg_io.c --- */

void sg_io_init(struct sg_path *s);
void sg_io_stop(struct sg_path *s);
/* The loop's callback of each file. */
void sg_file_event(struct loop_fd *f, int events);
/* Let the loop look at the open files, or not. */
void sg_watch(struct sg_path *s, bool on);
/* Write what is queued, as far as the kernel takes it. */
void sg_send_queue(struct sg_path *s);
/* Write the check's slot to the check's file: 0 or what write() said, -errno. */
int sg_send_check(struct sg_path *s);
/* write() said @rc, which is not back-pressure: say why, and give the path up where it
 * means that. */
void sg_write_refused(struct sg_path *s, int rc);
/* End queued slots that were never sent, with @o. */
void sg_cancel_queue(struct sg_path *s, const struct outcome *o);
/* The device has gone, or cannot be trusted: nothing more is sent. */
void sg_lost(struct sg_path *s, const char *why);
/* Is it time to close the files? Called whenever inflight may have become 0. */
void sg_drained(struct sg_path *s);

/* --- sg.c --- */

/* The outcome of @slot is known: hand its command back, or send what must follow. */
void sg_slot_done(struct sg_path *s, struct sg_slot *slot, const struct outcome *o);
/* The same from a task: for slots that end inside a call of core. */
void sg_slot_end_later(struct sg_path *s, struct sg_slot *slot,
		       const struct outcome *o);

/* --- sg_cmd.c --- */

/* Put @slot->cmd into CDB and header. False: it needs no command of its own, *o is its
 * outcome. */
bool sg_encode(struct sg_path *s, struct sg_slot *slot, struct outcome *o);
/* The SYNCHRONIZE CACHE that follows a command without a FUA bit. */
void sg_encode_flush(struct sg_path *s, struct sg_slot *slot);
/* Clear the header for a CDB of @cdb_len bytes; no data. */
void sg_hdr_init(struct sg_path *s, struct sg_slot *slot, unsigned cdb_len,
		 unsigned timeout_ms);
/* Result @h of a data slot: its outcome, and what it says about optional features. */
void sg_judge(struct sg_path *s, struct sg_slot *slot, const struct sg_io_hdr *h,
	      struct outcome *o);
/* The raw result of any slot. */
void sg_judge_raw(const struct sg_path *s, const struct sg_slot *slot,
		  const struct sg_io_hdr *h, struct outcome *o);
/* "host_status 01 (no connection)", "sense 2/3a/00"; @o is not V_OK. */
void sg_outcome_text(const struct outcome *o, char *buf, size_t size);

/* --- sg_check.c --- */

void sg_check_init(struct sg_path *s);
void sg_check_stop(struct sg_path *s);
void sg_check(struct path *p, bool full);
/* The result of the check's slot has come. */
void sg_check_result(struct sg_path *s, const struct sg_io_hdr *h);
/* End a running check, once its command is back. */
void sg_check_abort(struct sg_path *s, const char *why);

/* --- sg_hidden.c --- */

void sg_hidden_init(struct sg_path *s);
void sg_hidden_stop(struct sg_path *s);
/* A command is sent: look, as long as any are. */
void sg_hidden_watch(struct sg_path *s);
/* A result has come: does the kernel count it as an error? */
static inline void sg_hidden_seen(struct sg_path *s, const struct sg_io_hdr *h)
{
	s->hidden.seen += h->status || h->host_status || h->driver_status;
}

/* Errors that the kernel has counted and we have not seen, results on their way to us among them.
 * 0: it does not tell. */
uint32_t sg_hidden_errors(const struct sg_path *s);

/* --- sg_facts.c --- */

/* Device types that we serve; else why not. */
const char *sg_type_refused(const struct inquiry *inq);
/* Work out s->feat from s->facts and s->refused. */
void sg_make_features(struct sg_path *s);
/* Blocks of one READ or WRITE, as the kernel, its host and the device allow. */
uint32_t sg_max_blocks(const struct sg_path *s, const struct sg_facts *f);
/* The members about target port groups. */
void sg_alua_info(const struct sg_facts *f, struct path_info *info);
/* s->facts for core. */
void sg_make_info(const struct sg_path *s, struct path_info *info);

#endif
