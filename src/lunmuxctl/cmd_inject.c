/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_inject.c - inject: the words of its command line. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "base/policy.h"

static bool is_fault(const char *word)
{
	return name_lookup(inject_names, INJECT_NR, word) >= 0;
}

/* "20", "20%" where that is allowed: a number of at least 1, 0 if it is none. */
static json_int_t number(const char *word, const char *unit)
{
	char *end;
	long n = strtol(word, &end, 10);

	if (end == word || n < 1 || (*end && strcmp(end, unit)))
		return 0;
	return n;
}

/* The words behind the fault: [MS] [count N] [percent P]. False with @err. */
static bool take_words(int argc, char **argv, const char *fault, json_t *args, struct ctl_error *err)
{
	int i = 0;

	if (!strcmp(fault, "delay")) {
		json_int_t ms = argc ? number(argv[0], "ms") : 0;

		if (!ms) {
			ctl_fail(err, CTL_E_USAGE, "inject: delay MS: a number of milliseconds");
			return false;
		}
		json_object_set_new(args, "delay_ms", json_integer(ms));
		i = 1;
	}
	for (; i < argc; i += 2) {
		bool percent = !strcmp(argv[i], "percent");
		json_int_t n = i + 1 < argc ? number(argv[i + 1], percent ? "%" : "") : 0;

		if (!n || (!percent && strcmp(argv[i], "count"))) {
			ctl_fail(err, CTL_E_USAGE, "inject: %s: not count N or percent P, N and P at least 1",
				 argv[i]);
			return false;
		}
		json_object_set_new(args, argv[i], json_integer(n));
	}
	return true;
}

/* [NAME] PATH FAULT ...: without NAME the second word is the fault. */
void cmd_inject(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r)
{
	int npath = argc > 2 && (is_fault(argv[2]) || !is_fault(argv[1])) ? 1 : 0;
	char name[NAME_BYTES_MAX + 1];
	char **rest = which_lun(o, argc, argv, npath ? argc : argc + 1, name, r);
	struct ctl_error err;
	struct answer a;
	json_t *args;

	if (!rest)
		return;
	args = json_pack("{s:s, s:s, s:s}", "name", name, "path", rest[0], "fault", rest[1]);
	if (!args) {
		ctl_fail(&err, CTL_E_USAGE, "inject: an argument is not UTF-8");
		report_error(r, name, &err);
		return;
	}
	if (!take_words(argc - npath - 2, rest + 2, rest[1], args, &err)) {
		json_decref(args);
		report_error(r, name, &err);
		return;
	}
	ask(o->rundir, name, cmd->name, args, clock_ms() + o->timeout_ms, &a);
	json_decref(args);
	if (a.ok)
		report_add(r, a.result);
	else
		report_error(r, name, &a.err);
}
