/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_change.c - verbs that do something to a path, a group, or what waits for one. */
#include "config.h"

#include "ctl/verbs.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/policy.h"
#include "core/path.h"

const char *ctl_path_warning(struct ctl_server *s)
{
	unsigned npaths, usable = ctl_count_usable(s, &npaths);

	if (usable)
		return NULL;
	return lun_no_path(s->lun) == NO_PATH_FAIL
		       ? "no path is usable now: requests fail"
		       : "no path is usable now: requests are held as no_path_retry "
			 "says";
}

enum ctl_end ctl_path_changed(struct ctl_call *call, struct path *p, bool changed,
			      const char *warning)
{
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(call->s->lun)->name);
	jb_bool(&b, "changed", changed);
	jb_set(&b, "path", ctl_snap_path(call->s, p));
	if (warning)
		jb_str(&b, "warning", warning);
	return ctl_verb_done(call, jb_end(&b));
}

enum ctl_end verb_fail_path(struct ctl_call *call)
{
	struct path *p = ctl_arg_path(call, "path");
	bool changed;

	if (!p)
		return CTL_FAILED;
	if (p->state == PATH_GONE)
		return ctl_verb_failed(call, CTL_E_NO_SUCH_PATH, "the path is leaving the LUN");
	changed = p->state != PATH_DISABLED;
	if (changed) {
		log_notice("%s: fail-path by lunmuxctl", p->name);
		lun_fail_path(call->s->lun, p);
	}
	return ctl_path_changed(call, p, changed, ctl_path_warning(call->s));
}

enum ctl_end verb_reinstate_path(struct ctl_call *call)
{
	struct path *p = ctl_arg_path(call, "path");
	const char *warning = NULL;
	bool disabled;

	if (!p)
		return CTL_FAILED;
	if (p->state == PATH_GONE)
		return ctl_verb_failed(call, CTL_E_NO_SUCH_PATH, "the path is leaving the LUN");
	if (p->quarantined) {
		ctl_fail(&call->err, CTL_E_FAILED, "%s is in quarantine: %s", p->name,
			 p->why);
		ctl_hint(&call->err,
			 "accept-path has it checked again, and takes it back if it is "
			 "this LUN");
		return CTL_FAILED;
	}
	disabled = p->state == PATH_DISABLED;
	if (disabled)
		log_notice("%s: reinstate-path by lunmuxctl", p->name);
	/* Any other path is checked at once, which is what the administrator hopes for.
	 */
	lun_reinstate_path(call->s->lun, p);
	if (!disabled && !path_is_usable(p))
		warning = "the path was not disabled: only its check can bring it back";
	return ctl_path_changed(call, p, disabled, warning);
}

enum ctl_end verb_accept_path(struct ctl_call *call)
{
	struct path *p = ctl_arg_path(call, "path");

	if (!p)
		return CTL_FAILED;
	if (!p->quarantined) {
		ctl_fail(&call->err, CTL_E_FAILED, "%s is not in quarantine, it is %s",
			 p->name, path_state_name(p->state));
		ctl_hint(&call->err, "reinstate-path takes back what fail-path took");
		return CTL_FAILED;
	}
	log_notice("%s: accept-path by lunmuxctl (%s)", p->name, p->why);
	lun_accept_path(call->s->lun, p);
	return ctl_path_changed(call, p, true, NULL);
}

/* --- groups --- */

/* A group by its number, or by one of its paths: numbers change with the ranks. */
static bool arg_group(struct ctl_call *call, unsigned *ret)
{
	const json_t *v = json_object_get(call->args, "group");
	json_int_t n = 0;
	struct path *p;

	if (!json_is_string(v)) {
		if (!v)
			ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "group: missing");
		if (!v || !ctl_arg_number(call, "group", 0, GROUPS_MAX - 1, &n))
			return false;
		*ret = (unsigned)n;
		return true;
	}
	p = ctl_arg_path(call, "group");
	if (!p)
		return false;
	*ret = p->group;
	return true;
}

static enum ctl_end group_changed(struct ctl_call *call, unsigned group, bool changed)
{
	static const char *const until[FAILBACK_NR] = {
		[FAILBACK_IMMEDIATE] = "failback is immediate: it will not outlast the "
				       "next path that comes up in a better group",
		[FAILBACK_AFTER] =
			"failback will return to the best group after its time",
	};
	enum failback_kind failback = lun_params(call->s->lun)->failback;
	struct lun_group_info info[GROUPS_MAX];
	struct jb b = jb_begin();

	lun_get_groups(call->s->lun, info, GROUPS_MAX);
	jb_str(&b, "name", lun_params(call->s->lun)->name);
	jb_bool(&b, "changed", changed);
	jb_u64(&b, "group", group);
	jb_int(&b, "prio", info[group].prio);
	jb_bool(&b, "by_hand", info[group].by_hand);
	if (info[group].by_hand && until[failback])
		jb_str(&b, "warning", until[failback]);
	return ctl_verb_done(call, jb_end(&b));
}

enum ctl_end verb_switch_group(struct ctl_call *call)
{
	struct lun_group_info info[GROUPS_MAX];
	unsigned group,
		n = MIN(lun_get_groups(call->s->lun, info, GROUPS_MAX), GROUPS_MAX);

	if (!arg_group(call, &group))
		return CTL_FAILED;
	switch (lun_use_group(call->s->lun, group)) {
	case 0:
		log_notice("switch-group %u by lunmuxctl", group);
		return group_changed(call, group, !info[group].current);
	case -ENETDOWN:
		ctl_fail(&call->err, CTL_E_FAILED, "group %u has no usable path",
			 group);
		return CTL_FAILED;
	default:
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "there is no group %u", group);
		if (n)
			ctl_hint(&call->err,
				 "a number in 0..%u, or a path of the group", n - 1);
		return CTL_FAILED;
	}
}

/* --- without a path --- */

static enum ctl_end lun_changed(struct ctl_call *call, bool changed)
{
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(call->s->lun)->name);
	jb_bool(&b, "changed", changed);
	jb_str(&b, "state", lun_state_name(lun_get_state(call->s->lun)));
	jb_str(&b, "queueing", queueing_names[lun_queueing(call->s->lun)]);
	return ctl_verb_done(call, jb_end(&b));
}

enum ctl_end verb_queueing(struct ctl_call *call)
{
	enum queueing old = lun_queueing(call->s->lun);
	const char *word = ctl_arg_string(call, "mode");
	int q;

	if (!word)
		return CTL_FAILED;
	q = name_lookup(queueing_names, QUEUEING_NR, word);
	if (q < 0) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "mode: there is no %s", word);
		ctl_hint(&call->err, "on, off, or default (as no_path_retry says)");
		return CTL_FAILED;
	}
	log_notice("queueing %s by lunmuxctl (was %s)", word, queueing_names[old]);
	lun_set_queueing(call->s->lun, (enum queueing)q);
	return lun_changed(call, (enum queueing)q != old);
}

enum ctl_end verb_fail(struct ctl_call *call)
{
	bool failing = lun_get_state(call->s->lun) == LUN_FAILING;
	const char *when = ctl_arg_string(call, "when");

	if (!when)
		return CTL_FAILED;
	if (strcmp(when, "now")) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "when: not now but %s", when);
		ctl_hint(&call->err, "fail-path takes one path out of use");
		return CTL_FAILED;
	}
	switch (lun_fail_now(call->s->lun)) {
	case 0:
		log_notice("fail now by lunmuxctl");
		return lun_changed(call, !failing);
	case -EBUSY:
		return ctl_verb_failed(call, CTL_E_FAILED,
			      "a path is usable, so no request is held");
	default:
		return ctl_verb_failed(call, CTL_E_STOPPING, "the LUN is being stopped");
	}
}
