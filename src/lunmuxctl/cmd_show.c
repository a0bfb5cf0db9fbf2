/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_show.c - list, status, paths, stats, ping, reload: ask one LUN or all of them. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"

#define BATCH                                                                        \
	256u /* daemons asked at the same time: below the usual limit of descriptors \
	      */

/* A LUN whose daemon does not answer, as a line of the list. */
static json_t *dead_lun(const char *name, const struct ctl_error *err)
{
	return must(json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "name", name, "state",
			      "no-daemon", "health", "down", "error", "code",
			      ctl_code_name(err->code), "message", err->message));
}

static void take_answer(const struct command *cmd, const char *name, struct answer *a,
			struct report *r)
{
	if (a->ok) {
		if (cmd->view == VIEW_LIST || cmd->view == VIEW_STATUS || cmd->view == VIEW_PATHS)
			r->code = exit_worse(r->code, exit_of_health(a->result));
		report_add(r, a->result);
		return;
	}
	if (cmd->view == VIEW_LIST && a->err.code != CTL_E_DENIED) {
		r->code = exit_worse(r->code, EXIT_DOWN);
		report_add(r, dead_lun(name, &a->err));
		return;
	}
	report_error(r, name, &a->err);
}

static void ask_each_there_is(const struct options *o, const char *verb, bool none_is_ok,
			      take_fn *take, void *arg, struct report *r)
{
	uint64_t due = clock_ms() + o->timeout_ms;
	struct answer *answers = must(calloc(BATCH, sizeof(*answers)));
	struct ctl_error err;
	struct names ns = {0};

	if (names_scan(o->rundir, &ns, &err) < 0) {
		report_error(r, NULL, &err);
	} else if (ns.n == 0 && !none_is_ok) {
		ctl_fail(&err, CTL_E_NO_SUCH_LUN, "there is no LUN in %s", o->rundir);
		ctl_hint(&err, "\"lunmuxd NAME\" starts one, -R names another directory");
		report_error(r, NULL, &err);
	}
	for (size_t first = 0; first < ns.n; first += BATCH) {
		size_t n = MIN(ns.n - first, BATCH);

		ask_all(o->rundir, &ns, first, n, verb, due, answers);
		for (size_t i = 0; i < n; i++)
			take(arg, ns.name[first + i], &answers[i]);
	}
	free(answers);
	names_free(&ns);
}

void ask_each(const struct options *o, int argc, char **argv, const char *verb, bool none_is_ok,
	      take_fn *take, void *arg, struct report *r)
{
	struct answer a;

	if (argc == 0) {
		ask_each_there_is(o, verb, none_is_ok, take, arg, r);
		return;
	}
	ask(o->rundir, argv[0], verb, NULL, clock_ms() + o->timeout_ms, &a);
	take(arg, argv[0], &a);
}

struct show {
	const struct command *cmd;
	struct report *r;
	bool named;
};

static void show_take(void *arg, const char *name, struct answer *a)
{
	struct show *s = arg;

	/* A name that was asked for is an error, not a line that says "down". */
	if (s->named && !a->ok && s->cmd->view == VIEW_LIST)
		report_error(s->r, name, &a->err);
	else
		take_answer(s->cmd, name, a, s->r);
}

void cmd_show(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r)
{
	struct show s = {cmd, r, argc > 0};

	ask_each(o, argc, argv, cmd->name, cmd->view == VIEW_LIST, show_take, &s, r);
}
