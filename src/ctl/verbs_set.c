/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_set.c - set, reload, upgrade: configuration or program change while I/O runs. What a setting
 * is and what it takes is known to the daemon alone. */
#include "config.h"

#include "ctl/verbs.h"

#include <stdio.h>

/* Strings as they are, numbers as the file would have them. */
static const char *arg_value(struct ctl_call *call, char *buf, size_t size)
{
	const json_t *v = json_object_get(call->args, "value");

	if (!json_is_integer(v))
		return ctl_arg_string(call, "value");
	snprintf(buf, size, "%lld", (long long)json_integer_value(v));
	return buf;
}

enum ctl_end verb_set(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	const char *key = ctl_arg_string(call, "key"), *value;
	char number[24];

	if (!key)
		return CTL_FAILED;
	value = arg_value(call, number, sizeof(number));
	if (!value)
		return CTL_FAILED;
	if (!s->set)
		return ctl_verb_failed(call, CTL_E_FAILED, "set: this daemon has no configuration");
	call->result = s->set(s->arg, key, value, &call->err);
	return call->result ? CTL_DONE : CTL_FAILED;
}

enum ctl_end verb_reload(struct ctl_call *call)
{
	struct ctl_server *s = call->s;

	if (lun_get_state(s->lun) >= LUN_DRAINING)
		return ctl_verb_failed(call, CTL_E_STOPPING, "the LUN is being stopped");
	if (!s->reload)
		return ctl_verb_failed(call, CTL_E_FAILED, "reload: this daemon has no configuration");
	call->result = s->reload(s->arg, &call->err);
	return call->result ? CTL_DONE : CTL_FAILED;
}

/* Begun; the status of what comes after tells how it ended. */
enum ctl_end verb_upgrade(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	struct jb b;

	if (!s->upgrade)
		return ctl_verb_failed(call, CTL_E_FAILED, "upgrade: this daemon cannot go over to another one");
	if (!s->upgrade->begin(s->arg, &call->err))
		return CTL_FAILED;
	b = jb_begin();
	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_str(&b, "version", s->version);
	jb_set(&b, "upgrade", s->upgrade->show(s->arg));
	return ctl_verb_done(call, jb_end(&b));
}
