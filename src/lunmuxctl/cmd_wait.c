/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_wait.c - wait: until a LUN is what the user wants it to be.
 *
 * The daemon holds the answer back, so nothing is polled but a daemon that is
 * not there (yet): scripts start it and wait for it in the next line.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <poll.h>
#include <string.h>

#define RETRY_MS 50
#define GRACE_MS 2000 /* the daemon tells of its own timeout; so long we let it */

/* Is this the answer of a daemon that may come (back) later? */
static bool is_passing(enum ctl_code code)
{
	return code == CTL_E_UNREACHABLE || code == CTL_E_NO_SUCH_LUN ||
	       code == CTL_E_STOPPING || code == CTL_E_BUSY;
}

static bool means_down(const struct options *o, enum ctl_code code)
{
	return o->state && !strcmp(o->state, "down") &&
	       (code == CTL_E_UNREACHABLE || code == CTL_E_STOPPING);
}

static json_t *wait_args(const struct options *o, const char *name, uint64_t left_ms)
{
	json_t *args = must(json_pack("{s:s, s:I, s:s*}", "name", name, "timeout_ms",
				      (json_int_t)left_ms, "state", o->state));

	if (o->paths && json_object_set_new(args, "paths", json_integer(o->paths)) < 0)
		must(NULL);
	return args;
}

/* One try. */
static void wait_once(const struct options *o, const char *given, uint64_t due_ms,
		      char *name, struct answer *a)
{
	uint64_t now = clock_ms(), left = due_ms > now ? due_ms - now : 0;
	json_t *args;

	memset(a, 0, sizeof(*a));
	if (given)
		snprintf(name, NAME_BYTES_MAX + 1, "%s", given);
	else if (names_only(o->rundir, name, &a->err) < 0)
		return;
	args = wait_args(o, name, left);
	ask(o->rundir, given ? given : name, "wait", args, due_ms + GRACE_MS, a);
	json_decref(args);
}

void cmd_wait(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r)
{
	uint64_t start = clock_ms(), due = start + o->timeout_ms;
	char name[NAME_BYTES_MAX + 1] = "";
	struct answer a;

	if (argc && !ctl_name_ok(argv[0])) {
		ctl_fail(&a.err, CTL_E_NO_SUCH_LUN, "%s is no name of a LUN", argv[0]);
		report_error(r, NULL, &a.err);
		return;
	}
	for (;;) {
		wait_once(o, argc ? argv[0] : NULL, due, name, &a);
		if (a.ok) {
			report_add(r, a.result);
			return;
		}
		if (name[0] && means_down(o, a.err.code)) {
			report_add(r,
				   must(json_pack("{s:s, s:s, s:s, s:I}", "name", name,
						  "state", "no-daemon", "health",
						  "down", "waited_ms",
						  (json_int_t)(clock_ms() - start))));
			return;
		}
		if (!is_passing(a.err.code) || clock_ms() >= due) {
			report_error(r, name[0] ? name : NULL, &a.err);
			return;
		}
		poll(NULL, 0, RETRY_MS);
	}
}
