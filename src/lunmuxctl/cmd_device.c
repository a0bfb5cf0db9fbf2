/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_device.c - attach, detach: the LUN as a block device of the kernel.
 *
 * The daemon begins it and answers at once; then its status is asked until the
 * attempt has ended, or the time is up.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <poll.h>
#include <string.h>

#define LOOK_MS 50
#define GRACE_MS 1000

/* The device in the answer to status; borrowed, NULL if there is none. */
static const json_t *device_of(const json_t *lun)
{
	json_t *e;
	size_t i;

	json_array_foreach(json_object_get(lun, "exports"), i, e)
	{
		const char *type = json_string_value(json_object_get(e, "type"));

		if (type && !strcmp(type, "nbd-kernel"))
			return e;
	}
	return NULL;
}

static const char *member(const json_t *device, const char *key)
{
	const char *s = json_string_value(json_object_get(device, key));

	return s ? s : "";
}

static bool has_ended(const json_t *device, json_int_t before)
{
	const char *state = member(device, "state");

	return json_integer_value(json_object_get(device, "attempts")) > before &&
	       (!strcmp(state, "attached") || !strcmp(state, "detached"));
}

static void report_end(const struct command *cmd, const char *name, const json_t *device,
		       bool force, struct report *r)
{
	bool attach = !strcmp(cmd->name, "attach");
	struct ctl_error err;

	if (!strcmp(member(device, "state"), attach ? "attached" : "detached")) {
		report_add(r, must(json_pack("{s:s, s:O}", "name", name, "device", device)));
		return;
	}
	ctl_fail(&err, CTL_E_FAILED, "%s",
		 member(device, "error")[0] ? member(device, "error") : "it was undone meanwhile");
	if (!attach && !force)
		ctl_hint(&err, "with --force it is detached all the same, and its users get errors");
	report_error(r, name, &err);
}

/* Takes @a, the answer to the verb. */
static void wait_for_end(const struct command *cmd, const struct options *o, const char *name,
			 uint64_t due_ms, struct answer *a, struct report *r)
{
	const json_t *device = json_object_get(a->result, "device");
	json_int_t before = json_integer_value(json_object_get(device, "attempts"));

	for (;;) {
		json_decref(a->result);
		poll(NULL, 0, LOOK_MS);
		/* Beyond the time by what one answer takes: then the kernel is to blame, not the daemon. */
		ask(o->rundir, name, "status", NULL, due_ms + GRACE_MS, a);
		if (!a->ok) {
			report_error(r, name, &a->err);
			return;
		}
		if (clock_ms() >= due_ms) {
			json_decref(a->result);
			ctl_fail(&a->err, CTL_E_TIMEOUT, "the kernel has not answered yet");
			ctl_hint(&a->err, "status shows the device");
			report_error(r, name, &a->err);
			return;
		}
		device = device_of(a->result);
		if (!device || has_ended(device, before))
			break;
	}
	report_end(cmd, name, device, o->force, r);
	json_decref(a->result);
}

/* [NAME] [/dev/nbdN]: a name has no slash. */
void cmd_device(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r)
{
	uint64_t due_ms = clock_ms() + o->timeout_ms;
	const char *device = NULL;
	char name[NAME_BYTES_MAX + 1];
	struct ctl_error err;
	struct answer a;
	json_t *args;

	if (argc && strchr(argv[argc - 1], '/'))
		device = argv[--argc];
	if (argc > 1 || (argc && !ctl_name_ok(argv[0]))) {
		ctl_fail(&err, CTL_E_NO_SUCH_LUN, "%s is no name of a LUN", argv[argc - 1]);
		report_error(r, NULL, &err);
		return;
	}
	if (argc) {
		strcpy(name, argv[0]);
	} else if (names_only(o->rundir, name, &err) < 0) {
		report_error(r, NULL, &err);
		return;
	}
	args = must(json_pack("{s:s, s:s*}", "name", name, "device", device));
	if (o->force)
		json_object_set_new(args, "force", json_true());
	ask(o->rundir, name, cmd->name, args, due_ms, &a);
	json_decref(args);
	if (a.ok)
		wait_for_end(cmd, o, name, due_ms, &a, r);
	else
		report_error(r, name, &a.err);
}
