/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_io.c - verbs that are answered when commands have ended: drain-path, flush. */
#include "config.h"

#include "ctl/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/path.h"

/* --- drain-path --- */

enum ctl_end ctl_drain_check(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	struct path *p = lun_find_path(s->lun, call->wait.path);
	struct jb b;

	if (p && p->inflight)
		return CTL_LATER;
	b = jb_begin();
	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_bool(&b, "changed", call->wait.changed);
	jb_set(&b, "path", p ? ctl_snap_path(s, p) : json_null());
	return ctl_verb_done(call, jb_end(&b));
}

bool ctl_arg_timeout(struct ctl_call *call)
{
	json_int_t timeout_ms = CTL_WAIT_MS_DEFAULT;

	if (!ctl_arg_number(call, "timeout_ms", 0, CTL_WAIT_MS_MAX, &timeout_ms))
		return false;
	call->wait.start_ns = loop_now_ns(call->s->loop);
	call->wait.due_ns = call->wait.start_ns + (uint64_t)timeout_ms * NS_PER_MS;
	return true;
}

enum ctl_end verb_drain_path(struct ctl_call *call)
{
	struct path *p = ctl_arg_path(call, "path");
	unsigned npaths;

	if (!p || !ctl_arg_timeout(call))
		return CTL_FAILED;
	if (p->state == PATH_GONE)
		return ctl_verb_failed(call, CTL_E_NO_SUCH_PATH, "the path is leaving the LUN");
	if (path_is_usable(p) && ctl_count_usable(call->s, &npaths) == 1) {
		ctl_fail(&call->err, CTL_E_FAILED, "%s is the last usable path", p->name);
		ctl_hint(&call->err, "fail-path takes it away all the same");
		return CTL_FAILED;
	}
	call->wait.kind = CTL_WAIT_DRAIN;
	call->wait.changed = p->state != PATH_DISABLED;
	snprintf(call->wait.path, sizeof(call->wait.path), "%s", p->name);
	if (call->wait.changed) {
		log_notice("%s: drain-path by lunmuxctl", p->name);
		lun_fail_path(call->s->lun, p);
	}
	return ctl_drain_check(call);
}

/* --- flush --- */

/* Lives until both the request and the client are done with it. */
struct ctl_flush {
	bool ended, abandoned;
	int err; /* positive */
};

static void flush_done(struct req *r)
{
	struct ctl_flush *f = r->owner;

	f->ended = true;
	f->err = r->err;
	if (f->abandoned)
		free(f);
	lun_req_put(r);
}

void ctl_wait_end(struct ctl_wait *w)
{
	struct ctl_flush *f = w->kind == CTL_WAIT_FLUSH ? w->flush : NULL;

	if (!f)
		return;
	w->flush = NULL;
	if (f->ended)
		free(f);
	else
		f->abandoned = true;
}

enum ctl_end ctl_flush_check(struct ctl_call *call)
{
	const struct ctl_flush *f = call->wait.flush;
	struct ctl_server *s = call->s;
	struct jb b;

	if (!f->ended)
		return CTL_LATER;
	if (f->err) {
		ctl_fail(&call->err, CTL_E_FAILED, "flush: %s", strerror(f->err));
		return CTL_FAILED;
	}
	b = jb_begin();
	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_u64(&b, "flushed_ms", (loop_now_ns(s->loop) - call->wait.start_ns) / NS_PER_MS);
	return ctl_verb_done(call, jb_end(&b));
}

enum ctl_end verb_flush(struct ctl_call *call)
{
	struct lun *lun = call->s->lun;
	struct lun_geometry g;
	struct ctl_flush *f;
	struct req *r;

	if (!ctl_arg_timeout(call))
		return CTL_FAILED;
	if (!lun_geometry(lun, &g))
		return ctl_verb_failed(call, CTL_E_FAILED, "flush: no path has been usable yet");
	if (lun_get_state(lun) >= LUN_DRAINING)
		return ctl_verb_failed(call, CTL_E_STOPPING, "the LUN is being stopped");
	f = calloc(1, sizeof(*f));
	r = f ? lun_req_get(lun, 0) : NULL;
	if (!r) {
		free(f);
		return ctl_verb_failed(call, CTL_E_BUSY, "flush: all requests are in use");
	}
	r->op = REQ_FLUSH;
	r->done = flush_done;
	r->owner = f;
	lun_submit(r);
	call->wait.kind = CTL_WAIT_FLUSH;
	call->wait.flush = f;
	return CTL_LATER;
}
