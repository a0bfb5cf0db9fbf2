/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verbs_paths.c - add-path, del-path: paths by hand.  The first is answered when
 * the path's first check has ended, the second when the path has left.
 */
#include "config.h"

#include "ctl/verbs.h"

#include <string.h>

#include "core/path.h"

static bool has_paths_by_hand(struct ctl_call *call)
{
	if (call->s->paths)
		return true;
	ctl_fail(&call->err, CTL_E_FAILED, "this lunmuxd takes no paths by hand");
	return false;
}

/* --- add-path --- */

enum ctl_end ctl_add_check(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	struct path *p = lun_find_path(s->lun, call->wait.path);

	if (p && (p->state == PATH_FOUND || p->state == PATH_CHECKING))
		return CTL_LATER;
	if (!p || p->state == PATH_GONE) {
		ctl_fail(&call->err, CTL_E_FAILED, "%s has left the LUN again%s%s", call->wait.path,
			 p ? ": " : "", p ? p->why : "");
		return CTL_FAILED;
	}
	/* Its first check only: one that was a path before is what it is. */
	if (call->wait.changed && (p->state == PATH_FAILED || p->quarantined)) {
		ctl_fail(&call->err, CTL_E_FAILED, "%s is refused: %s", p->name, p->why);
		lun_remove_path(s->lun, p, "it has not passed its first check");
		return CTL_FAILED;
	}
	return ctl_path_changed(call, p, call->wait.changed, NULL);
}

void ctl_add_expired(struct ctl_call *call)
{
	ctl_fail(&call->err, CTL_E_TIMEOUT, "%s has not answered its check after %.1f s", call->wait.path,
		 (double)(call->wait.due_ns - call->wait.start_ns) / (double)NS_PER_SEC);
	ctl_hint(&call->err, "it is a path now, and used when it does; del-path takes it away");
}

enum ctl_end verb_add_path(struct ctl_call *call)
{
	const char *name = ctl_arg_string(call, "path");
	struct path *p;

	if (!name || !ctl_arg_timeout(call) || !has_paths_by_hand(call))
		return CTL_FAILED;
	p = call->s->paths->add(call->s->arg, name, &call->wait.changed, &call->err);
	if (!p)
		return CTL_FAILED;
	log_notice("%s: add-path by lunmuxctl", p->name);
	call->wait.kind = CTL_WAIT_ADD;
	snprintf(call->wait.path, sizeof(call->wait.path), "%s", p->name);
	return ctl_add_check(call);
}

/* --- del-path --- */

enum ctl_end ctl_del_check(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	const struct path *p = lun_find_path(s->lun, call->wait.path);
	const char *warning;
	struct jb b;

	if (p && p->state == PATH_GONE)
		return CTL_LATER;
	b = jb_begin();
	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_bool(&b, "changed", true);
	jb_str(&b, "removed", call->wait.path);
	warning = ctl_path_warning(s);
	if (warning)
		jb_str(&b, "warning", warning);
	return ctl_verb_done(call, jb_end(&b));
}

enum ctl_end verb_del_path(struct ctl_call *call)
{
	const json_t *force = json_object_get(call->args, "force");
	struct path *p = ctl_arg_path(call, "path");
	unsigned npaths;

	if (!p || !ctl_arg_timeout(call))
		return CTL_FAILED;
	if (force && !json_is_boolean(force))
		return ctl_verb_failed(call, CTL_E_BAD_ARGUMENT, "force: neither true nor false");
	if (!has_paths_by_hand(call))
		return CTL_FAILED;
	if (p->state == PATH_GONE)
		return ctl_verb_failed(call, CTL_E_NO_SUCH_PATH, "the path is leaving the LUN");
	if (!json_is_true(force) && path_is_usable(p) && ctl_count_usable(call->s, &npaths) == 1) {
		ctl_fail(&call->err, CTL_E_FAILED, "%s is the last usable path", p->name);
		ctl_hint(&call->err, "with --force it is taken away all the same");
		return CTL_FAILED;
	}
	call->wait.kind = CTL_WAIT_DEL;
	snprintf(call->wait.path, sizeof(call->wait.path), "%s", p->name);
	log_notice("%s: del-path%s by lunmuxctl", p->name, json_is_true(force) ? " --force" : "");
	if (!call->s->paths->remove(call->s->arg, p, &call->err))
		return CTL_FAILED;
	return ctl_del_check(call);
}
