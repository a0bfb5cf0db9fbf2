/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_upgrade.c - upgrade: a daemon becomes the program that is installed now.
 *
 * The old one begins it and answers at once; then its status is asked until it
 * tells of the end.  The one that answers may be either; while the process is
 * neither, nobody accepts, and the question waits in the socket's backlog or is
 * cut off.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <poll.h>
#include <string.h>

#define LOOK_MS 20

static json_int_t number(const json_t *upgrade, const char *key)
{
	return json_integer_value(json_object_get(upgrade, key));
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* True: it has ended, @r has how. */
static bool has_ended(const json_t *status, const char *old_version, json_int_t before, const char *name,
		      struct report *r)
{
	const json_t *daemon = json_object_get(status, "daemon");
	const json_t *upgrade = json_object_get(daemon, "upgrade");
	struct ctl_error err;

	if (strcmp(text(upgrade, "state"), "none"))
		return false;
	if (number(upgrade, "count") > before) {
		report_add(r, must(json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", name, "previous",
					     old_version, "version", text(daemon, "version"), "wait_ms",
					     number(upgrade, "wait_ms"), "pid",
					     json_integer_value(json_object_get(daemon, "pid")))));
		return true;
	}
	if (text(upgrade, "error")[0]) {
		ctl_fail(&err, CTL_E_FAILED, "%s", text(upgrade, "error"));
		ctl_hint(&err, "the lunmuxd that ran goes on as before");
	} else {
		ctl_fail(&err, CTL_E_FAILED, "the new lunmuxd could not take over, and has started anew");
		ctl_hint(&err, "its log says why; clients that connect again are served");
	}
	report_error(r, name, &err);
	return true;
}

/* Takes @a, the answer to the verb. */
static void wait_for_end(const struct options *o, const char *name, uint64_t due_ms, struct answer *a,
			 struct report *r)
{
	json_int_t before = number(json_object_get(a->result, "upgrade"), "count");
	json_t *first = a->result;
	bool ended = false;

	while (!ended) {
		poll(NULL, 0, LOOK_MS);
		ask(o->rundir, name, "status", NULL, due_ms, a);
		if (a->ok) {
			ended = has_ended(a->result, text(first, "version"), before, name, r);
			json_decref(a->result);
		} else if (a->err.code != CTL_E_UNREACHABLE && a->err.code != CTL_E_NO_SUCH_LUN) {
			report_error(r, name, &a->err);
			break;
		}
		if (!ended && clock_ms() >= due_ms) {
			ctl_fail(&a->err, CTL_E_TIMEOUT, "it has not ended yet");
			ctl_hint(&a->err, "status and the daemon's log tell how it goes on");
			report_error(r, name, &a->err);
			break;
		}
	}
	json_decref(first);
}

void cmd_upgrade(const struct command *cmd, const struct options *o, int argc, char **argv,
		 struct report *r)
{
	uint64_t due_ms = clock_ms() + o->timeout_ms;
	char name[NAME_BYTES_MAX + 1];
	struct answer a;
	json_t *args;

	if (!which_lun(o, argc, argv, 1, name, r))
		return;
	args = must(json_pack("{s:s}", "name", name));
	ask(o->rundir, name, cmd->name, args, due_ms, &a);
	json_decref(args);
	if (a.ok)
		wait_for_end(o, name, due_ms, &a, r);
	else
		report_error(r, name, &a.err);
}
