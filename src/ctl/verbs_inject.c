/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_inject.c - inject: test faults on a path, for drills. */
#include "config.h"

#include "ctl/verbs.h"

#include "base/policy.h"
#include "core/inject.h"
#include "core/path.h"

static bool arg_order(struct ctl_call *call, struct inject_order *o)
{
	const char *word = ctl_arg_string(call, "fault");
	json_int_t delay_ms = 0, count = 0, percent = 0;
	int fault;

	if (!word)
		return false;
	fault = name_lookup(inject_names, INJECT_NR, word);
	if (fault < 0) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "fault: there is no %s", word);
		ctl_hint(&call->err, "error, delay, drop, refuse, check, or off");
		return false;
	}
	if (!ctl_arg_number(call, "delay_ms", 1, (json_int_t)(INJECT_DELAY_MAX_NS / NS_PER_MS), &delay_ms) ||
	    !ctl_arg_number(call, "count", 1, 1000000000, &count) ||
	    !ctl_arg_number(call, "percent", 1, 100, &percent))
		return false;
	if ((fault == INJECT_DELAY) != (delay_ms > 0)) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT,
			 fault == INJECT_DELAY ? "delay: of how many milliseconds?"
					       : "delay_ms: only delay takes a time");
		return false;
	}
	if (fault == INJECT_OFF && (count || percent)) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "off: takes neither count nor percent");
		return false;
	}
	*o = (struct inject_order){ .fault = (enum inject_fault)fault,
				    .delay_ns = (uint64_t)delay_ms * NS_PER_MS,
				    .count = (unsigned)count,
				    .percent = (unsigned)percent };
	return true;
}

enum ctl_end verb_inject(struct ctl_call *call)
{
	struct path *p = ctl_arg_path(call, "path");
	struct inject_order order;
	bool changed;

	if (!p || !arg_order(call, &order))
		return CTL_FAILED;
	changed = order.fault != INJECT_OFF || p->inject.order.fault != INJECT_OFF;
	if (lun_inject(call->s->lun, p, &order) < 0)
		return ctl_verb_failed(call, CTL_E_STOPPING, "the path or the LUN is going");
	return ctl_path_changed(call, p, changed,
				order.fault == INJECT_OFF
					? NULL
					: "a test fault is in force until inject off or the daemon's end");
}
