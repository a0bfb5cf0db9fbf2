/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verbs.c - what a client may ask for: one row a verb, arguments checked
 * before anything is done.
 */
#include "config.h"

#include "ctl/server_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/policy.h"
#include "core/path.h"
#include "ctl/json_build.h"

#define VERB_ARGS_MAX 4

struct verb {
	const char *name;
	bool changes;
	const char *args[VERB_ARGS_MAX]; /* besides "name" */
	enum ctl_end (*run)(struct ctl_call *call);
};

static enum ctl_end failed(struct ctl_call *call, enum ctl_code code,
			   const char *message)
{
	ctl_fail(&call->err, code, "%s", message);
	return CTL_FAILED;
}

static enum ctl_end done(struct ctl_call *call, json_t *result)
{
	if (!result)
		return failed(call, CTL_E_NO_MEMORY, "no memory for the answer");
	call->result = result;
	return CTL_DONE;
}

/* --- arguments -----------------------------------------------------------------------
 */

/* The string @key, or NULL with the error set. */
static const char *arg_string(struct ctl_call *call, const char *key)
{
	const json_t *v = json_object_get(call->args, key);

	if (!json_is_string(v)) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "%s: %s", key,
			 v ? "not a string" : "missing");
		return NULL;
	}
	return json_string_value(v);
}

/* *ret stays as it is when @key is missing. */
static bool arg_number(struct ctl_call *call, const char *key, json_int_t min,
		       json_int_t max, json_int_t *ret)
{
	const json_t *v = json_object_get(call->args, key);

	if (!v)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < min ||
	    json_integer_value(v) > max) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT,
			 "%s: not a whole number in %lld..%lld", key, (long long)min,
			 (long long)max);
		return false;
	}
	*ret = json_integer_value(v);
	return true;
}

/* --- finding a path
 * -------------------------------------------------------------------- */

/* "/dev/sg3", "sg3", or "2:0:0:1". */
static bool path_is_called(const struct path *p, const char *word)
{
	const char *base = strrchr(p->name, '/');

	return !strcmp(p->name, word) || (base && !strcmp(base + 1, word)) ||
	       (p->dev[0] && !strcmp(p->dev, word));
}

static void hint_paths(struct ctl_call *call)
{
	char list[sizeof(call->err.hint)];
	size_t len = 0;
	struct path *p;

	list[0] = '\0';
	for (p = lun_next_path(call->s->lun, NULL); p;
	     p = lun_next_path(call->s->lun, p)) {
		int n = snprintf(list + len, sizeof(list) - len, "%s%s",
				 len ? ", " : "", p->name);

		if (n < 0 || (size_t)n >= sizeof(list) - len - 40) {
			snprintf(list + len, sizeof(list) - len, " ...");
			break;
		}
		len += (size_t)n;
	}
	if (len)
		ctl_hint(&call->err, "its paths are %s", list);
	else
		ctl_hint(&call->err, "it has no path now");
}

/* NULL with the error set. */
static struct path *arg_path(struct ctl_call *call, const char *key)
{
	const char *word = arg_string(call, key);
	struct path *p, *found = NULL;

	if (!word)
		return NULL;
	for (p = lun_next_path(call->s->lun, NULL); p;
	     p = lun_next_path(call->s->lun, p)) {
		if (!path_is_called(p, word))
			continue;
		if (found && strcmp(p->name, word)) {
			ctl_fail(&call->err, CTL_E_BAD_ARGUMENT,
				 "path %s: means %s and %s", word, found->name,
				 p->name);
			ctl_hint(&call->err, "give the whole name");
			return NULL;
		}
		found = p;
	}
	if (!found) {
		ctl_fail(&call->err, CTL_E_NO_SUCH_PATH, "%s has no path %s",
			 lun_params(call->s->lun)->name, word);
		hint_paths(call);
	}
	return found;
}

/* --- reading
 * ------------------------------------------------------------------------------ */

static enum ctl_end verb_ping(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_str(&b, "version", s->version);
	jb_int(&b, "pid", getpid());
	jb_u64(&b, "uptime_ms", (loop_now_ns(s->loop) - s->start_ns) / NS_PER_MS);
	jb_int(&b, "protocol", CTL_PROTO_VERSION);
	return done(call, jb_end(&b));
}

static enum ctl_end verb_version(struct ctl_call *call)
{
	struct jb b = jb_begin();

	jb_str(&b, "version", call->s->version);
	jb_int(&b, "protocol", CTL_PROTO_VERSION);
	return done(call, jb_end(&b));
}

static enum ctl_end verb_list(struct ctl_call *call)
{
	return done(call, ctl_snap_short(call->s));
}

static enum ctl_end verb_status(struct ctl_call *call)
{
	return done(call, ctl_snap_status(call->s));
}

static enum ctl_end verb_paths(struct ctl_call *call)
{
	return done(call, ctl_snap_paths(call->s));
}

static enum ctl_end verb_stats(struct ctl_call *call)
{
	return done(call, ctl_snap_stats(call->s));
}

/* --- waiting
 * -------------------------------------------------------------------------------- */

enum ctl_end ctl_wait_check(struct ctl_call *call)
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
		return done(call, result);
	}
	if (state >= LUN_DRAINING)
		return failed(call, CTL_E_STOPPING, "the LUN is being stopped");
	return CTL_LATER;
}

void ctl_wait_expired(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	unsigned npaths, usable = ctl_count_usable(s, &npaths);

	ctl_fail(&call->err, CTL_E_TIMEOUT,
		 "%s: still %s with %u of %u paths usable after %.1f s",
		 lun_params(s->lun)->name, lun_state_name(lun_get_state(s->lun)),
		 usable, npaths,
		 (double)(call->wait.due_ns - call->wait.start_ns) /
			 (double)NS_PER_SEC);
	ctl_hint(&call->err, "the status names the cause of each path");
}

static enum ctl_end verb_wait(struct ctl_call *call)
{
	json_int_t paths = 0, timeout_ms = CTL_WAIT_MS_DEFAULT;
	struct ctl_wait *w = &call->wait;
	const char *state = NULL;

	if (!arg_number(call, "paths", 1, PATHS_MAX, &paths) ||
	    !arg_number(call, "timeout_ms", 0, CTL_WAIT_MS_MAX, &timeout_ms))
		return CTL_FAILED;
	if (json_object_get(call->args, "state")) {
		state = arg_string(call, "state");
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
		return failed(call, CTL_E_BAD_ARGUMENT,
			      "paths: no path is usable in state down, so none can be "
			      "waited for");
	w->min_usable = (unsigned)paths;
	w->start_ns = loop_now_ns(call->s->loop);
	w->due_ns = w->start_ns + (uint64_t)timeout_ms * NS_PER_MS;
	return ctl_wait_check(call);
}

/* --- changing
 * -------------------------------------------------------------------------------- */

/* What the administrator should know of the LUN after a path was taken away. */
static const char *path_warning(struct ctl_server *s)
{
	unsigned npaths, usable = ctl_count_usable(s, &npaths);

	if (usable)
		return NULL;
	return lun_no_path(s->lun) == NO_PATH_FAIL
		       ? "no path is usable now: requests fail"
		       : "no path is usable now: requests are held as no_path_retry "
			 "says";
}

static enum ctl_end path_changed(struct ctl_call *call, struct path *p, bool changed,
				 const char *warning)
{
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(call->s->lun)->name);
	jb_bool(&b, "changed", changed);
	jb_set(&b, "path", ctl_snap_path(call->s, p));
	if (warning)
		jb_str(&b, "warning", warning);
	return done(call, jb_end(&b));
}

static enum ctl_end verb_fail_path(struct ctl_call *call)
{
	struct path *p = arg_path(call, "path");
	bool changed;

	if (!p)
		return CTL_FAILED;
	if (p->state == PATH_GONE)
		return failed(call, CTL_E_NO_SUCH_PATH, "the path is leaving the LUN");
	changed = p->state != PATH_DISABLED;
	if (changed) {
		log_notice("%s: fail-path by lunmuxctl", p->name);
		lun_fail_path(call->s->lun, p);
	}
	return path_changed(call, p, changed, path_warning(call->s));
}

static enum ctl_end verb_reinstate_path(struct ctl_call *call)
{
	struct path *p = arg_path(call, "path");
	const char *warning = NULL;
	bool disabled;

	if (!p)
		return CTL_FAILED;
	if (p->state == PATH_GONE)
		return failed(call, CTL_E_NO_SUCH_PATH, "the path is leaving the LUN");
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
	return path_changed(call, p, disabled, warning);
}

static enum ctl_end verb_accept_path(struct ctl_call *call)
{
	struct path *p = arg_path(call, "path");

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
	return path_changed(call, p, true, NULL);
}

/* --- groups
 * ---------------------------------------------------------------------------------- */

/* A group by its number, or by one of its paths: numbers change with the ranks. */
static bool arg_group(struct ctl_call *call, unsigned *ret)
{
	const json_t *v = json_object_get(call->args, "group");
	json_int_t n = 0;
	struct path *p;

	if (!json_is_string(v)) {
		if (!v)
			ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "group: missing");
		if (!v || !arg_number(call, "group", 0, GROUPS_MAX - 1, &n))
			return false;
		*ret = (unsigned)n;
		return true;
	}
	p = arg_path(call, "group");
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
	return done(call, jb_end(&b));
}

static enum ctl_end verb_switch_group(struct ctl_call *call)
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

/* --- without a path
 * -------------------------------------------------------------------------- */

static enum ctl_end lun_changed(struct ctl_call *call, bool changed)
{
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(call->s->lun)->name);
	jb_bool(&b, "changed", changed);
	jb_str(&b, "state", lun_state_name(lun_get_state(call->s->lun)));
	jb_str(&b, "queueing", queueing_names[lun_queueing(call->s->lun)]);
	return done(call, jb_end(&b));
}

static enum ctl_end verb_queueing(struct ctl_call *call)
{
	enum queueing old = lun_queueing(call->s->lun);
	const char *word = arg_string(call, "mode");
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

static enum ctl_end verb_fail(struct ctl_call *call)
{
	bool failing = lun_get_state(call->s->lun) == LUN_FAILING;
	const char *when = arg_string(call, "when");

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
		return failed(call, CTL_E_FAILED,
			      "a path is usable, so no request is held");
	default:
		return failed(call, CTL_E_STOPPING, "the LUN is being stopped");
	}
}

/* --- set
 * ----------------------------------------------------------------------------------------
 */

static enum ctl_end setting_changed(struct ctl_call *call, const char *key,
				    json_t *value, json_t *previous)
{
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(call->s->lun)->name);
	jb_str(&b, "key", key);
	jb_set(&b, "value", value);
	jb_set(&b, "previous", previous);
	return done(call, jb_end(&b));
}

static enum ctl_end set_selector(struct ctl_call *call)
{
	const char *value = arg_string(call, "value"), *near;
	enum sel_kind old = lun_params(call->s->lun)->selector;
	int kind;

	if (!value)
		return CTL_FAILED;
	kind = name_lookup(sel_kind_names, SEL_NR, value);
	if (kind < 0) {
		ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "selector: there is no %s",
			 value);
		near = ctl_nearest(value, sel_kind_names, SEL_NR);
		if (near)
			ctl_hint(&call->err, "did you mean %s?", near);
		else
			ctl_hint(&call->err, "one of %s, %s, %s, %s, %s, %s",
				 sel_kind_names[0], sel_kind_names[1],
				 sel_kind_names[2], sel_kind_names[3],
				 sel_kind_names[4], sel_kind_names[5]);
		return CTL_FAILED;
	}
	log_notice("selector %s by lunmuxctl (was %s)", sel_kind_names[kind],
		   sel_kind_names[old]);
	lun_set_selector(call->s->lun, kind);
	return setting_changed(call, "selector", json_string(sel_kind_names[kind]),
			       json_string(sel_kind_names[old]));
}
_Static_assert(SEL_NR == 6, "the hint above names all selectors");

static json_t *depth_json(unsigned depth)
{
	return depth ? json_integer(depth) : json_string("auto");
}

static enum ctl_end set_queue_depth(struct ctl_call *call)
{
	const json_t *v = json_object_get(call->args, "value");
	unsigned old = lun_params(call->s->lun)->depth;
	json_int_t depth = 0;

	if (!v)
		return failed(call, CTL_E_BAD_ARGUMENT, "value: missing");
	if (json_is_string(v)) {
		if (strcmp(json_string_value(v), "auto")) {
			ctl_fail(&call->err, CTL_E_BAD_ARGUMENT,
				 "queue_depth: %s is no depth", json_string_value(v));
			ctl_hint(&call->err, "a number in 1..%u, or auto", DEPTH_MAX);
			return CTL_FAILED;
		}
	} else if (!arg_number(call, "value", 1, DEPTH_MAX, &depth)) {
		ctl_hint(&call->err, "the depth of the LUN, or \"auto\"");
		return CTL_FAILED;
	}
	log_notice("queue_depth %u by lunmuxctl (was %u; 0: auto)", (unsigned)depth,
		   old);
	lun_set_depth(call->s->lun, (unsigned)depth);
	return setting_changed(call, "queue_depth", depth_json((unsigned)depth),
			       depth_json(old));
}

static const struct {
	const char *key;
	enum ctl_end (*set)(struct ctl_call *call);
} settings[] = {
	{"selector", set_selector},
	{"path_selector", set_selector}, /* as lunmux.conf calls it */
	{"queue_depth", set_queue_depth},
};

static enum ctl_end verb_set(struct ctl_call *call)
{
	const char *keys[ARRAY_SIZE(settings)], *near;
	const char *key = arg_string(call, "key");

	if (!key)
		return CTL_FAILED;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (!strcmp(key, settings[i].key))
			return settings[i].set(call);
		keys[i] = settings[i].key;
	}
	ctl_fail(&call->err, CTL_E_BAD_ARGUMENT, "key: %s cannot be set", key);
	near = ctl_nearest(key, keys, ARRAY_SIZE(keys));
	if (near)
		ctl_hint(&call->err, "did you mean %s?", near);
	else
		ctl_hint(&call->err,
			 "selector or queue_depth; the rest is in lunmux.conf");
	return CTL_FAILED;
}

/* --- the table
 * --------------------------------------------------------------------------------------
 */

static const struct verb verbs[] = {
	{"ping", false, {NULL}, verb_ping},
	{"version", false, {NULL}, verb_version},
	{"list", false, {NULL}, verb_list},
	{"status", false, {NULL}, verb_status},
	{"paths", false, {NULL}, verb_paths},
	{"stats", false, {NULL}, verb_stats},
	{"wait", false, {"paths", "state", "timeout_ms"}, verb_wait},
	{"fail-path", true, {"path"}, verb_fail_path},
	{"reinstate-path", true, {"path"}, verb_reinstate_path},
	{"accept-path", true, {"path"}, verb_accept_path},
	{"switch-group", true, {"group"}, verb_switch_group},
	{"queueing", true, {"mode"}, verb_queueing},
	{"fail", true, {"when"}, verb_fail},
	{"set", true, {"key", "value"}, verb_set},
};

static const struct verb *find_verb(struct ctl_call *call, const char *name)
{
	const char *names[ARRAY_SIZE(verbs)], *near;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(name, verbs[i].name))
			return &verbs[i];
		names[i] = verbs[i].name;
	}
	ctl_fail(&call->err, CTL_E_UNKNOWN_VERB, "verb: there is no %s in lunmuxd %s",
		 name, call->s->version);
	near = ctl_nearest(name, names, ARRAY_SIZE(names));
	if (near)
		ctl_hint(&call->err, "did you mean %s?", near);
	return NULL;
}

static bool knows_arg(const struct verb *v, const char *key)
{
	if (!strcmp(key, "name"))
		return true;
	for (int i = 0; i < VERB_ARGS_MAX && v->args[i]; i++) {
		if (!strcmp(key, v->args[i]))
			return true;
	}
	return false;
}

static bool check_args(struct ctl_call *call, const struct verb *v)
{
	const char *name, *key;
	json_t *value;

	json_object_foreach((json_t *)call->args, key, value)
	{
		if (!knows_arg(v, key)) {
			ctl_fail(&call->err, CTL_E_BAD_ARGUMENT,
				 "%s: takes no argument %s", v->name, key);
			return false;
		}
	}
	if (!json_object_get(call->args, "name"))
		return true;
	name = arg_string(call, "name");
	if (!name)
		return false;
	if (strcmp(name, lun_params(call->s->lun)->name)) {
		ctl_fail(&call->err, CTL_E_NO_SUCH_LUN,
			 "this is the socket of %s, not of %s",
			 lun_params(call->s->lun)->name, name);
		return false;
	}
	return true;
}

enum ctl_end ctl_verb_run(struct ctl_call *call, const char *name)
{
	const struct verb *v = find_verb(call, name);

	if (!v || !check_args(call, v))
		return CTL_FAILED;
	if (v->changes && !call->may_change) {
		ctl_fail(&call->err, CTL_E_DENIED,
			 "%s: only for root and the user of lunmuxd", v->name);
		ctl_hint(&call->err,
			 "members of the group may use the verbs that only read");
		return CTL_FAILED;
	}
	return v->run(call);
}
