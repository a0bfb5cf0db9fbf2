/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verbs_device.c - attach, detach: the LUN as a block device of the kernel.
 *
 * The kernel may take its time, so both only begin it; the device's "attempts"
 * in the status count what has ended, and "error" says how.
 */
#include "config.h"

#include "ctl/verbs.h"

#include "base/log.h"

static enum ctl_end begun(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_set(&b, "device", s->device->show(s->arg));
	return ctl_verb_done(call, jb_end(&b));
}

static bool has_device(struct ctl_call *call)
{
	if (call->s->device)
		return true;
	ctl_fail(&call->err, CTL_E_FAILED, "this lunmuxd cannot attach to the kernel");
	return false;
}

enum ctl_end verb_attach(struct ctl_call *call)
{
	const char *device = NULL;

	if (json_object_get(call->args, "device")) {
		device = ctl_arg_string(call, "device");
		if (!device)
			return CTL_FAILED;
	}
	if (!has_device(call) || !call->s->device->attach(call->s->arg, device, &call->err))
		return CTL_FAILED;
	log_notice("attach%s%s by lunmuxctl", device ? " " : "", device ? device : "");
	return begun(call);
}

enum ctl_end verb_detach(struct ctl_call *call)
{
	const json_t *force = json_object_get(call->args, "force");

	if (force && !json_is_boolean(force))
		return ctl_verb_failed(call, CTL_E_BAD_ARGUMENT, "force: neither true nor false");
	if (!has_device(call) ||
	    !call->s->device->detach(call->s->arg, json_is_true(force), &call->err))
		return CTL_FAILED;
	log_notice("detach%s by lunmuxctl", json_is_true(force) ? " --force" : "");
	return begun(call);
}
