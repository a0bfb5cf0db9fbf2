/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_record.c - events and trace: the rings of core/record.h, with the time of day. */
#include "config.h"

#include "ctl/verbs.h"

#include <time.h>

#include "core/path.h"
#include "core/record.h"

/* The time of day that @at_ns of the loop was, in milliseconds. */
static uint64_t wall_ms(const struct ctl_server *s, uint64_t at_ns)
{
	uint64_t now = loop_now_ns(s->loop);
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MS -
	       (now > at_ns ? (now - at_ns) / NS_PER_MS : 0);
}

static json_t *snap_event(struct ctl_server *s, const struct event *ev)
{
	struct jb b = jb_begin();

	jb_u64(&b, "seq", ev->seq);
	jb_u64(&b, "time_ms", wall_ms(s, ev->at_ns));
	jb_str(&b, "kind", event_kind_names[ev->kind]);
	jb_str(&b, "subject", ev->subject);
	jb_str(&b, "from", ev->from);
	jb_str(&b, "to", ev->to);
	jb_str(&b, "cause", ev->cause);
	return jb_end(&b);
}

json_t *ctl_snap_events(struct ctl_server *s, const struct ctl_wait *w)
{
	uint64_t next = lun_event_next(s->lun), since = w->since;
	const struct event *ev;
	json_t *list = json_array();
	struct jb b = jb_begin();
	uint64_t first, n;

	/* Without a number the last ones are meant, with one the next. */
	if (!since)
		since = next > w->max ? next - w->max : 1;
	ev = lun_event_get(s->lun, since);
	first = ev ? ev->seq : since;
	for (n = 0; ev && n < w->max; n++) {
		if (json_array_append_new(list, snap_event(s, ev)) < 0) {
			json_decref(list);
			list = NULL;
			break;
		}
		ev = lun_event_get(s->lun, first + n + 1);
	}
	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_u64(&b, "next", n ? first + n : MIN(since, next));
	jb_u64(&b, "lost", n ? first - since : 0);
	jb_set(&b, "events", list);
	return jb_end(&b);
}

enum ctl_end ctl_events_check(struct ctl_call *call)
{
	struct ctl_server *s = call->s;

	if (!lun_event_get(s->lun, call->wait.since ? call->wait.since : 1) &&
	    lun_get_state(s->lun) < LUN_STOPPED)
		return CTL_LATER;
	return ctl_verb_done(call, ctl_snap_events(s, &call->wait));
}

enum ctl_end verb_events(struct ctl_call *call)
{
	json_int_t since = 0, max = EVENTS_MAX, timeout_ms = 0;
	struct ctl_wait *w = &call->wait;

	if (!ctl_arg_number(call, "since", 0, INT64_MAX, &since) ||
	    !ctl_arg_number(call, "max", 1, EVENTS_MAX, &max) ||
	    !ctl_arg_number(call, "timeout_ms", 0, CTL_WAIT_MS_MAX, &timeout_ms))
		return CTL_FAILED;
	w->kind = CTL_WAIT_EVENTS;
	w->since = (uint64_t)since;
	w->max = (unsigned)max;
	w->start_ns = loop_now_ns(call->s->loop);
	w->due_ns = w->start_ns + (uint64_t)timeout_ms * NS_PER_MS;
	return timeout_ms ? ctl_events_check(call)
			  : ctl_verb_done(call, ctl_snap_events(call->s, w));
}

static json_t *snap_trace(struct ctl_server *s, const struct trace *t)
{
	struct jb b = jb_begin();

	jb_u64(&b, "seq", t->seq);
	jb_u64(&b, "time_ms", wall_ms(s, t->at_ns));
	jb_str(&b, "path", t->path);
	jb_str(&b, "op", cmd_op_name((enum cmd_op)t->op));
	jb_u64(&b, "lba", t->lba);
	jb_u64(&b, "blocks", t->nblocks);
	jb_u64(&b, "requests", t->nreqs);
	jb_u64(&b, "queue_ns", t->queue_ns);
	jb_u64(&b, "service_ns", t->service_ns);
	jb_str(&b, "verdict", verdict_name((enum verdict)t->verdict));
	jb_u64(&b, "tries", t->tries);
	jb_bool(&b, "hedge", t->hedge);
	return jb_end(&b);
}

enum ctl_end verb_trace(struct ctl_call *call)
{
	struct lun *lun = call->s->lun;
	uint64_t next = lun_trace_next(lun), seq;
	json_int_t max = 100;
	json_t *list;
	struct jb b;

	if (!ctl_arg_number(call, "max", 1, TRACE_MAX, &max))
		return CTL_FAILED;
	list = json_array();
	b = jb_begin();
	seq = next > (uint64_t)max ? next - (uint64_t)max : 1;
	for (; list && seq < next; seq++) {
		if (json_array_append_new(list, snap_trace(call->s, lun_trace_get(lun, seq))) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	jb_str(&b, "name", lun_params(lun)->name);
	jb_u64(&b, "next", next);
	jb_set(&b, "trace", list);
	return ctl_verb_done(call, jb_end(&b));
}
