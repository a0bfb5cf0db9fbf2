/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_wait.c - verbs that are answered later: wait, when the LUN is so; and what they share. */
#include "config.h"

#include "ctl/verbs.h"

#include <string.h>

#include "core/path.h"

static enum ctl_end check_state(struct ctl_call *call)
{
	const struct ctl_wait *w = &call->wait;
	struct ctl_server *s = call->s;
	enum lun_state state = lun_get_state(s->lun);
	unsigned npaths, usable = ctl_count_usable(s, &npaths);
	json_t *result;

	if (usable >= w->min_usable && (!w->want_up || state == LUN_UP) &&
	    (!w->want_down || state != LUN_UP)) {
		uint64_t waited = (loop_now_ns(s->loop) - w->start_ns) / NS_PER_MS;

		result = ctl_snap_short(s);
		if (result &&
		    json_object_set_new(result, "waited_ms",
					json_integer((json_int_t)waited)) < 0) {
			json_decref(result);
			result = NULL;
		}
		return ctl_verb_done(call, result);
	}
	if (state >= LUN_DRAINING)
		return ctl_verb_failed(call, CTL_E_STOPPING, "the LUN is being stopped");
	return CTL_LATER;
}

enum ctl_end ctl_wait_check(struct ctl_call *call)
{
	switch (call->wait.kind) {
	case CTL_WAIT_STATE:
		return check_state(call);
	case CTL_WAIT_EVENTS:
		return ctl_events_check(call);
	case CTL_WAIT_DRAIN:
		return ctl_drain_check(call);
	case CTL_WAIT_FLUSH:
		return ctl_flush_check(call);
	case CTL_WAIT_RESIZE:
		return ctl_resize_check(call);
	case CTL_WAIT_ADD:
		return ctl_add_check(call);
	case CTL_WAIT_DEL:
		return ctl_del_check(call);
	}
	return CTL_LATER;
}

enum ctl_end ctl_wait_expired(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	unsigned npaths, usable = ctl_count_usable(s, &npaths);

	if (call->wait.kind == CTL_WAIT_RESIZE) {
		ctl_resize_expired(call);
		return CTL_FAILED;
	}
	if (call->wait.kind == CTL_WAIT_ADD) {
		ctl_add_expired(call);
		return CTL_FAILED;
	}
	if (ctl_wait_polls(&call->wait)) {
		ctl_fail(&call->err, CTL_E_TIMEOUT, "%s after %.1f s",
			 call->wait.kind == CTL_WAIT_FLUSH ? "the flush has not ended"
							   : "commands are still on the path",
			 (double)(call->wait.due_ns - call->wait.start_ns) / (double)NS_PER_SEC);
		ctl_hint(&call->err, "it goes on; the status shows what is in flight");
		return CTL_FAILED;
	}
	if (call->wait.kind == CTL_WAIT_EVENTS)
		return ctl_verb_done(call, ctl_snap_events(s, &call->wait));
	ctl_fail(&call->err, CTL_E_TIMEOUT,
		 "%s: still %s with %u of %u paths usable after %.1f s",
		 lun_params(s->lun)->name, lun_state_name(lun_get_state(s->lun)),
		 usable, npaths,
		 (double)(call->wait.due_ns - call->wait.start_ns) /
			 (double)NS_PER_SEC);
	ctl_hint(&call->err, "the status names the cause of each path");
	return CTL_FAILED;
}

enum ctl_end verb_wait(struct ctl_call *call)
{
	json_int_t paths = 0, timeout_ms = CTL_WAIT_MS_DEFAULT;
	struct ctl_wait *w = &call->wait;
	const char *state = NULL;

	if (!ctl_arg_number(call, "paths", 1, PATHS_MAX, &paths) ||
	    !ctl_arg_number(call, "timeout_ms", 0, CTL_WAIT_MS_MAX, &timeout_ms))
		return CTL_FAILED;
	if (json_object_get(call->args, "state")) {
		state = ctl_arg_string(call, "state");
		if (!state)
			return CTL_FAILED;
	}
	w->want_down = state && !strcmp(state, "down");
	w->want_up = state ? !strcmp(state, "up") : paths == 0;
	if (state && !w->want_up && !w->want_down) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT,
			 "state: %s is nothing to wait for", state);
		ctl_hint(&call->err, "up or down");
		return CTL_FAILED;
	}
	if (w->want_down && paths)
		return ctl_verb_failed(call, CTL_E_BAD_ARGUMENT,
			      "paths: no path is usable in state down, so none can be "
			      "waited for");
	w->kind = CTL_WAIT_STATE;
	w->min_usable = (unsigned)paths;
	w->start_ns = loop_now_ns(call->s->loop);
	w->due_ns = w->start_ns + (uint64_t)timeout_ms * NS_PER_MS;
	return ctl_wait_check(call);
}
