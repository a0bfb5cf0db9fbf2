/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verbs.c - what a client may ask for: one row a verb, arguments checked
 * before anything is done.
 */
#include "config.h"

#include "ctl/verbs.h"

#include <stdio.h>
#include <string.h>

#include "core/path.h"

#define VERB_ARGS_MAX 5

struct verb {
	const char *name;
	bool changes;
	const char *args[VERB_ARGS_MAX]; /* besides "name" */
	enum ctl_end (*run)(struct ctl_call *call);
};

enum ctl_end ctl_verb_failed(struct ctl_call *call, enum ctl_code code,
			     const char *message)
{
	ctl_fail(&call->err, code, "%s", message);
	return CTL_FAILED;
}

enum ctl_end ctl_verb_done(struct ctl_call *call, json_t *result)
{
	if (!result)
		return ctl_verb_failed(call, CTL_E_NO_MEMORY, "no memory for the answer");
	call->result = result;
	return CTL_DONE;
}

/* --- arguments --- */

/* The string @key, or NULL with the error set. */
const char *ctl_arg_string(struct ctl_call *call, const char *key)
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
bool ctl_arg_number(struct ctl_call *call, const char *key, json_int_t min,
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

/* --- finding a path --- */

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
struct path *ctl_arg_path(struct ctl_call *call, const char *key)
{
	const char *word = ctl_arg_string(call, key);
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

/* --- the table --- */

static const struct verb verbs[] = {
	{"ping", false, {NULL}, verb_ping},
	{"version", false, {NULL}, verb_version},
	{"list", false, {NULL}, verb_list},
	{"status", false, {NULL}, verb_status},
	{"paths", false, {NULL}, verb_paths},
	{"stats", false, {NULL}, verb_stats},
	{"wait", false, {"paths", "state", "timeout_ms"}, verb_wait},
	{"events", false, {"since", "max", "timeout_ms"}, verb_events},
	{"trace", false, {"max"}, verb_trace},
	{"add-path", true, {"path", "timeout_ms"}, verb_add_path},
	{"del-path", true, {"path", "force", "timeout_ms"}, verb_del_path},
	{"resize", true, {"timeout_ms"}, verb_resize},
	{"fail-path", true, {"path"}, verb_fail_path},
	{"drain-path", true, {"path", "timeout_ms"}, verb_drain_path},
	{"flush", true, {"timeout_ms"}, verb_flush},
	{"reinstate-path", true, {"path"}, verb_reinstate_path},
	{"accept-path", true, {"path"}, verb_accept_path},
	{"switch-group", true, {"group"}, verb_switch_group},
	{"queueing", true, {"mode"}, verb_queueing},
	{"fail", true, {"when"}, verb_fail},
	{"attach", true, {"device"}, verb_attach},
	{"detach", true, {"force"}, verb_detach},
	{"inject", true, {"path", "fault", "delay_ms", "count", "percent"}, verb_inject},
	{"set", true, {"key", "value"}, verb_set},
	{"reload", true, {NULL}, verb_reload},
	{"upgrade", true, {NULL}, verb_upgrade},
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
	name = ctl_arg_string(call, "name");
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
