/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.c - see record.h. Pages of the rings are touched when they are first written. */
#include "core/record.h"

#include "core/lun_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of clients, so that they push nothing else out of the ring. */
#define CLIENT_EVENTS 20u
#define CLIENT_EVENTS_NS (10 * NS_PER_SEC)

const char *const event_kind_names[EVENT_KIND_NR] = {
	[EVENT_LUN] = "lun",	   [EVENT_PATH] = "path",     [EVENT_GROUP] = "group",
	[EVENT_DEPTH] = "depth",   [EVENT_CONFIG] = "config", [EVENT_CLIENT] = "client",
	[EVENT_FAULT] = "fault",
};

struct record {
	struct event events[EVENTS_MAX];
	struct trace trace[TRACE_MAX];
	uint64_t nevents, ntrace; /* written so far; number n lies at (n - 1) % MAX */
	struct log_limit clients;
};

int record_init(struct lun *lun)
{
	lun->record = calloc(1, sizeof(*lun->record));
	return lun->record ? 0 : -ENOMEM;
}

void record_fini(struct lun *lun)
{
	free(lun->record);
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* The end of a name tells more than its start. */
static const char *name_end(const char *name, size_t size)
{
	size_t len = strlen(name);

	return len < size ? name : name + len - (size - 1);
}

void lun_event(struct lun *lun, enum event_kind kind, const char *subject, const char *from,
	       const char *to, const char *cause)
{
	struct record *rec = lun->record;
	uint64_t now = loop_now_ns(lun->loop);
	struct event *ev;
	unsigned missed;

	if (kind == EVENT_CLIENT &&
	    !log_allow(&rec->clients, now, CLIENT_EVENTS, CLIENT_EVENTS_NS, &missed))
		return;
	ev = &rec->events[rec->nevents++ % EVENTS_MAX];
	ev->seq = rec->nevents;
	ev->at_ns = now;
	ev->kind = kind;
	copy_text(ev->subject, sizeof(ev->subject), name_end(subject, sizeof(ev->subject)));
	copy_text(ev->from, sizeof(ev->from), from);
	copy_text(ev->to, sizeof(ev->to), to);
	copy_text(ev->cause, sizeof(ev->cause), cause);
	lun_notify(lun);
}

uint64_t lun_event_next(const struct lun *lun)
{
	return lun->record->nevents + 1;
}

/* The oldest number at or after @seq that a ring of @max still has, 0: none. */
static uint64_t oldest_kept(uint64_t n, uint64_t max, uint64_t seq)
{
	uint64_t first = n > max ? n - max + 1 : 1;

	seq = MAX(seq, first);
	return seq <= n ? seq : 0;
}

const struct event *lun_event_get(const struct lun *lun, uint64_t seq)
{
	const struct record *rec = lun->record;

	seq = oldest_kept(rec->nevents, EVENTS_MAX, seq);
	return seq ? &rec->events[(seq - 1) % EVENTS_MAX] : NULL;
}

void record_depth(struct lun *lun)
{
	const struct qdepth *q = &lun->qd;
	unsigned was = lun->depth_told;
	const char *cause;
	char from[16], to[16];

	if (q->limit == was)
		return;
	lun->depth_told = q->limit;
	if (!was)
		return; /* the first one */
	if (q->limit > was)
		cause = "the LUN has not been full for a while, or may have more";
	else if (q->max == q->limit)
		cause = "as configured, or as the paths tell";
	else
		cause = q->hidden > lun->hidden_told ? "the LUN was full, as the kernel's retries show"
						     : "the LUN was full";
	lun->hidden_told = q->hidden;
	snprintf(from, sizeof(from), "%u", was);
	snprintf(to, sizeof(to), "%u", q->limit);
	lun_event(lun, EVENT_DEPTH, "", from, to, cause);
}

/* --- trace --- */

void record_cmd(struct lun *lun, const struct cmd *cmd, uint64_t now_ns)
{
	struct record *rec = lun->record;
	const struct req *first = cmd->nsegs ? cmd->seg[0].req : NULL;
	struct trace *t = &rec->trace[rec->ntrace++ % TRACE_MAX];

	t->seq = rec->ntrace;
	t->at_ns = now_ns;
	t->lba = cmd->lba;
	t->nblocks = cmd->nblocks;
	t->queue_ns = first && cmd->sent_ns > first->submit_ns ? cmd->sent_ns - first->submit_ns : 0;
	t->service_ns = now_ns - cmd->sent_ns;
	t->nreqs = (uint16_t)cmd->nsegs;
	t->op = (uint8_t)cmd->op;
	t->verdict = (uint8_t)cmd->outcome.verdict;
	t->tries = (uint8_t)MIN(cmd->tries, 255u);
	t->hedge = first && first->is_hedge;
	memcpy(t->path, cmd->path->tag, sizeof(t->path));
}

uint64_t lun_trace_next(const struct lun *lun)
{
	return lun->record->ntrace + 1;
}

const struct trace *lun_trace_get(const struct lun *lun, uint64_t seq)
{
	const struct record *rec = lun->record;

	seq = oldest_kept(rec->ntrace, TRACE_MAX, seq);
	return seq ? &rec->trace[(seq - 1) % TRACE_MAX] : NULL;
}
