/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record.h - what has happened to a LUN: a ring of its last moves (events) and
 * one of its last commands (trace), always written, read by the control socket.
 *
 * Records are numbered from 1 on; a reader that comes late finds that some are
 * gone by their numbers.  Times are the loop's.
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include "base/verdict.h"
#include "core/cmd.h"
#include "core/path.h"

#include <stdint.h>

struct lun;

#define EVENTS_MAX 1024u /* kept */
#define TRACE_MAX  1024u

enum event_kind {
	EVENT_LUN,    /* state of the LUN */
	EVENT_PATH,   /* state of a path */
	EVENT_GROUP,  /* another group carries the I/O */
	EVENT_DEPTH,  /* depth in force */
	EVENT_CONFIG, /* a setting, by reload or set */
	EVENT_CLIENT, /* of an export: came, went */
	EVENT_FAULT,  /* a test fault was armed or ended */
	EVENT_KIND_NR
};
extern const char *const event_kind_names[EVENT_KIND_NR];

struct event {
	uint64_t seq, at_ns;
	enum event_kind kind;
	char subject[80]; /* path, keyword, client; "" the LUN; the end of a long name */
	char from[32], to[32];
	char cause[CAUSE_BYTES];
};

/* Write one down and tell the LUN's observers. Strings are copied and cut. Clients may come and go
 * as often as they like: of theirs a bounded number a second is kept. */
void lun_event(struct lun *lun, enum event_kind kind, const char *subject, const char *from,
	       const char *to, const char *cause);
/* Number of the next event. */
uint64_t lun_event_next(const struct lun *lun);
/* Event @seq, or the oldest that is kept after it; NULL: there is none yet. */
const struct event *lun_event_get(const struct lun *lun, uint64_t seq);

struct trace {
	uint64_t seq, at_ns; /* when it ended */
	uint64_t lba;
	uint64_t queue_ns;   /* from the submit of its oldest request to this sending */
	uint64_t service_ns; /* from this sending to its end */
	uint32_t nblocks;
	uint16_t nreqs;
	uint8_t op, verdict; /* enum cmd_op, enum verdict */
	uint8_t tries;	     /* sendings, this one included */
	bool hedge;	     /* for a request that was overdue elsewhere */
	char path[PATH_TAG_BYTES]; /* "sg3": the end of its name */
};

uint64_t lun_trace_next(const struct lun *lun);
const struct trace *lun_trace_get(const struct lun *lun, uint64_t seq);

#endif
