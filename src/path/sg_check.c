/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_check.c - who is there, how large is it, does it serve?
 *
 * A row of steps, most of them one command.  The commands go out one by one in a
 * slot and through a file of their own, so a check neither waits for data nor
 * delays it.
 *
 * A unit attention says that what was learned may be old: everything starts over.
 * INQUIRY never reports one (SPC-6), so the row begins and ends with TEST UNIT
 * READY.  A port group that does not serve is no failure of its path: what it will
 * not tell is left out, and asked for again before the path carries data.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "path/discover_sg.h"
#include "path/sg_steps.h"
#include "path/sg_sysfs.h"

#define UAS_MAX	     8 /* in a row at the first step */
#define RESTARTS_MAX 4 /* because of a unit attention, or a change of access, in the middle */
#define AGAIN_MAX    3 /* of one step, at once or after AGAIN_NS */
#define AGAIN_NS     (100 * NS_PER_MS)
#define NO_ROOM_MAX  50 /* AGAIN_NS apart, while sg has no memory or command left */

static const char *step_name(const struct sg_path *s)
{
	return sg_steps[s->check.step].name;
}

enum sg_next sg_check_end(struct sg_path *s, enum check_result result, const char *fmt,
			  ...)
{
	struct sg_check *c = &s->check;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	c->result = result;
	c->step = -1;
	loop_timer_stop(s->loop, &c->again_timer);
	loop_task_queue(s->loop, &c->end_task);
	return STEP_END;
}

enum sg_next sg_check_end_outcome(struct sg_path *s, const struct outcome *o)
{
	char text[CAUSE_BYTES];

	sg_outcome_text(o, text, sizeof(text));
	return sg_check_end(s, CHECK_DOWN, "%s: %s", step_name(s), text);
}

static void start_over(struct sg_path *s)
{
	struct sg_check *c = &s->check;

	c->step = 0;
	c->again = 0;
	c->flaw[0] = '\0';
	if (c->full)
		memset(&c->facts, 0, sizeof(c->facts));
	else
		c->facts = s->facts;
	c->facts.has_access = c->facts.tur_good = false;
}

static void send_step(struct sg_path *s)
{
	struct sg_check *c = &s->check;
	int rc = sg_send_check(s);

	switch (rc) {
	case 0:
		c->no_room = 0;
		return;
	case -EDOM:
	case -ENOMEM:
	case -EAGAIN:
	case -EINTR:
	case -EBUSY:
		if (++c->no_room <= NO_ROOM_MAX)
			loop_timer_in(s->loop, &c->again_timer, AGAIN_NS);
		else
			sg_check_end(s, CHECK_DOWN, "%s: write: %s", step_name(s),
				     strerror(-rc));
		return;
	default:
		sg_check_end(s, CHECK_DOWN, "%s: write: %s", step_name(s),
			     strerror(-rc));
		sg_write_refused(s, rc);
		return;
	}
}

/* From the current step to the next that sends something, or to the end. */
static void check_run(struct sg_path *s)
{
	struct sg_check *c = &s->check;

	while (c->step >= 0) {
		const struct sg_step *st = &sg_steps[c->step];

		assert((size_t)c->step < sg_nsteps);
		if (st->wanted && !st->wanted(s)) {
			c->step++;
			continue;
		}
		if (st->build) {
			st->build(s, sg_check_slot(s));
			send_step(s);
			return;
		}
		if (st->done(s, NULL) == STEP_NEXT)
			c->step++;
	}
}

static void run_again(struct loop_timer *t)
{
	check_run(container_of(t, struct sg_path, check.again_timer));
}

static bool is_unit_attention(const struct outcome *o)
{
	return o->host_status == 0 && o->scsi_status == 0x02 &&
	       o->sense_key == KEY_UNIT_ATTENTION && !(o->flags & VF_DEFERRED);
}

static void met_unit_attention(struct sg_path *s, const struct outcome *o)
{
	struct sg_check *c = &s->check;
	unsigned most = c->step == 0 ? UAS_MAX : RESTARTS_MAX;
	unsigned *count = c->step == 0 ? &c->uas : &c->restarts;
	char text[CAUSE_BYTES - 32], why[CAUSE_BYTES];

	sg_outcome_text(o, text, sizeof(text));
	snprintf(why, sizeof(why), "its check met %s", text);
	log_debug("%s: %s", s->path.name, why);
	/* A data command that met it would not have run, and been followed by none. */
	if ((o->flags & (VF_IDENTITY | VF_MODE)) && !fault_strikes(PLANT_SG_ATTENTION))
		path_doubt(&s->path, why);
	if (++*count > most) {
		sg_check_end(s, CHECK_DOWN, "%s: %s again and again", step_name(s), text);
		return;
	}
	/* What a cheap check relies on may be what has changed. */
	c->full = true;
	start_over(s);
	check_run(s);
}

/* The sense of a group that does not serve says why (SPC-6, ASC 04h). */
static void note_access(struct sg_facts *f, const struct outcome *o)
{
	f->has_access = true;
	f->prio = 0;
	switch (o->ascq) {
	case 0x0a:
		f->access = ACCESS_TRANSITIONING;
		break;
	case 0x0c:
		f->access = ACCESS_UNAVAILABLE;
		break;
	default: /* 0Bh; RDAC's "not the owner" comes to the same */
		f->access = ACCESS_STANDBY;
		f->prio = 1;
		break;
	}
}

/* Spoiled on its way, where a data command would take another path: a check has no other,
 * and one aborted command makes no dead path.  Not what the LU itself said. */
static bool is_spoiled(const struct outcome *o)
{
	return o->verdict == V_OTHER && !(o->flags & (VF_NOT_RUN | VF_RETRY_GROUP));
}

static bool ask_again(struct sg_path *s)
{
	if (++s->check.again > AGAIN_MAX)
		return false;
	loop_timer_in(s->loop, &s->check.again_timer, AGAIN_NS);
	return true;
}

enum sg_next sg_check_again(struct sg_path *s, const char *why)
{
	if (!ask_again(s))
		sg_check_end(s, CHECK_DOWN, "%s: %s", step_name(s), why);
	return STEP_END;
}

enum sg_next sg_check_anew(struct sg_path *s, const char *why)
{
	struct sg_check *c = &s->check;

	if (++c->restarts > RESTARTS_MAX)
		return sg_check_end(s, CHECK_DOWN, "%s", why);
	c->full = true;
	start_over(s);
	return STEP_END;
}

/* Done with this answer: false if the step must be asked again, or the check has ended.
 */
static bool take_reply(struct sg_path *s, const struct outcome *o, size_t len)
{
	struct sg_check *c = &s->check;
	struct sg_reply r = {.o = o, .data = c->buf, .len = len};

	switch (o->verdict) {
	case V_OK:
	case V_OK_INFO:
		r.kind = REPLY_OK;
		break;
	case V_ERR:
		r.kind = REPLY_REFUSED;
		break;
	case V_GROUP:
		r.kind = REPLY_NOT_SERVING;
		note_access(&c->facts, o);
		break;
	case V_SAME:
	case V_SLOW:
		if (ask_again(s))
			return false;
		if (o->verdict == V_SLOW && sg_steps[c->step].spare)
			return true;
		sg_check_end_outcome(s, o);
		return false;
	case V_OTHER:
		if (!is_spoiled(o) || !ask_again(s))
			sg_check_end_outcome(s, o);
		return false;
	case V_LATER:
	case V_FAIL:
	case V_CANCELED:
	case V_NR:
		sg_check_end_outcome(s, o);
		return false;
	}
	return sg_steps[c->step].done(s, &r) == STEP_NEXT;
}

void sg_check_result(struct sg_path *s, const struct sg_io_hdr *h)
{
	struct sg_slot *slot = sg_check_slot(s);
	struct sg_check *c = &s->check;
	char why[sizeof(c->why)];
	struct outcome o;

	assert(c->running && c->step >= 0);
	sg_judge_raw(s, slot, h, &o);
	path_told(&s->path, o.flags & (VF_CACHE | VF_DEFERRED | VF_IDENTITY));
	if (c->aborting) {
		memcpy(why, c->why, sizeof(why));
		sg_check_end(s, CHECK_DOWN, "%s", why);
		return;
	}
	if (is_unit_attention(&o)) {
		met_unit_attention(s, &o);
		return;
	}
	if (take_reply(s, &o, slot->hdr.dxfer_len - (uint32_t)MAX(h->resid, 0))) {
		c->step++;
		c->again = 0;
		check_run(s);
	}
}

/*
 * The name is free again: has the device come back?  False, and the check has ended, if
 * not.  Another device under the name is another path even if it leads to our LUN, by
 * another host, say: whoever finds devices will find it.
 */
static bool reopen(struct sg_path *s)
{
	struct ident id;
	char msg[300], now[sizeof(s->kobject)];
	bool told = discover_sg_ident(s->sg, s->allow_vpd80, &id);

	if (s->sysfs_knows && !told) {
		sg_check_end(s, CHECK_DOWN, "the device has been removed");
		return false;
	}
	if (told && !wwid_matches(s->wwid, &id)) {
		sg_check_end(s, CHECK_DOWN, "the name now belongs to LUN %.80s",
			     id.wwid);
		return false;
	}
	sg_kobject(s->sg, now, sizeof(now));
	if (s->kobject[0] && strcmp(s->kobject, now) != 0 && !fault_strikes(PLANT_SG_NAME)) {
		sg_check_end(s, CHECK_DOWN, now[0] ? "the name now belongs to another device" :
						     "the device has been removed");
		return false;
	}
	if (sg_open_files(s, msg, sizeof(msg)) < 0) {
		sg_check_end(s, CHECK_DOWN, "%s", msg);
		return false;
	}
	s->stats.reopens++;
	s->state = SG_UP;
	s->refused = 0;
	s->facts_valid = s->facts_partial = false;
	return true;
}

void sg_check(struct path *p, bool full)
{
	struct sg_path *s = container_of(p, struct sg_path, path);
	struct sg_check *c = &s->check;

	assert(!c->running);
	c->running = true;
	c->aborting = false;
	c->uas = c->restarts = c->no_room = 0;
	c->activate = full && s->activate;
	s->activate &= !full;
	if (s->state == SG_SHUT && !reopen(s))
		return;
	if (s->state != SG_UP) {
		sg_check_end(s, CHECK_DOWN,
			     "the device is lost; %u commands are in flight",
			     s->inflight);
		return;
	}
	sg_claim_again(s);
	c->full = full || !s->facts_valid || s->facts_partial;
	s->depth = MIN(sg_depth_now(s), s->nslots);
	start_over(s);
	sg_watch(s, true);
	check_run(s);
}

void sg_check_abort(struct sg_path *s, const char *why)
{
	struct sg_check *c = &s->check;

	if (!c->running || c->step < 0)
		return;
	if (sg_check_slot(s)->state == SLOT_SENT) {
		snprintf(c->why, sizeof(c->why), "%s", why);
		c->aborting = true;
		return;
	}
	sg_check_end(s, CHECK_DOWN, "%s", why);
}

/* What core is told: facts, or of a path that could not read them, those of the LUN. */
static void make_result(struct sg_path *s, struct path_info *info)
{
	struct sg_check *c = &s->check;

	if (s->facts_partial) {
		*info = s->identity->info;
		sg_alua_info(&c->facts, info);
		info->depth = s->depth;
		info->host_tags = sg_host_tags(s);
	} else {
		sg_make_info(s, info);
		s->identity->info = *info;
	}
	info->unexplained = sg_hidden_errors(s);
}

static void check_ended(struct loop_task *t)
{
	struct sg_path *s = container_of(t, struct sg_path, check.end_task);
	struct sg_check *c = &s->check;
	struct path_info info;
	bool ok = c->result == CHECK_OK || c->result == CHECK_MARGINAL;
	char why[sizeof(c->why)];

	c->running = false;
	if (ok)
		make_result(s, &info);
	/* Core may start the next check at once, and that writes its own. */
	memcpy(why, c->why, sizeof(why));
	path_checked(&s->path, c->result, ok ? &info : NULL, c->result == CHECK_OK ? NULL : why);
	sg_drained(s);
}

void sg_check_init(struct sg_path *s)
{
	s->check.step = -1;
	loop_task_init(&s->check.end_task, LOOP_COLLECT, check_ended);
	loop_timer_init(&s->check.again_timer, run_again);
}

void sg_check_stop(struct sg_path *s)
{
	loop_task_cancel(s->loop, &s->check.end_task);
	loop_timer_stop(s->loop, &s->check.again_timer);
}
