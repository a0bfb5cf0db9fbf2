/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_set.c - set: settings that change while I/O runs. */
#include "config.h"

#include "ctl/verbs.h"

#include <string.h>

#include "base/log.h"
#include "base/policy.h"

static enum ctl_end setting_changed(struct ctl_call *call, const char *key,
				    json_t *value, json_t *previous)
{
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(call->s->lun)->name);
	jb_str(&b, "key", key);
	jb_set(&b, "value", value);
	jb_set(&b, "previous", previous);
	return ctl_verb_done(call, jb_end(&b));
}

static enum ctl_end set_selector(struct ctl_call *call)
{
	const char *value = ctl_arg_string(call, "value"), *near;
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
		return ctl_verb_failed(call, CTL_E_BAD_ARGUMENT, "value: missing");
	if (json_is_string(v)) {
		if (strcmp(json_string_value(v), "auto")) {
			ctl_fail(&call->err, CTL_E_BAD_ARGUMENT,
				 "queue_depth: %s is no depth", json_string_value(v));
			ctl_hint(&call->err, "a number in 1..%u, or auto", DEPTH_MAX);
			return CTL_FAILED;
		}
	} else if (!ctl_arg_number(call, "value", 1, DEPTH_MAX, &depth)) {
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

enum ctl_end verb_set(struct ctl_call *call)
{
	const char *keys[ARRAY_SIZE(settings)], *near;
	const char *key = ctl_arg_string(call, "key");

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
