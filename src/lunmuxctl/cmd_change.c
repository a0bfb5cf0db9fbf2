/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_change.c - verbs that change something: one LUN, and only for those who may.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char **which_lun(const struct options *o, int argc, char **argv, int full, char *name,
		 struct report *r)
{
	struct ctl_error err;

	if (argc == full) {
		if (!ctl_name_ok(argv[0])) {
			ctl_fail(&err, CTL_E_NO_SUCH_LUN, "%s is no name of a LUN",
				 argv[0]);
			report_error(r, NULL, &err);
			return NULL;
		}
		strcpy(name, argv[0]);
		return argv + 1;
	}
	if (names_only(o->rundir, name, &err) < 0) {
		report_error(r, NULL, &err);
		return NULL;
	}
	return argv;
}

/* Takes @args. */
static void change(const struct command *cmd, const struct options *o, const char *name,
		   json_t *args, struct report *r)
{
	struct answer a;

	if (!args) {
		memset(&a, 0, sizeof(a));
		ctl_fail(&a.err, CTL_E_USAGE, "%s: an argument is not UTF-8",
			 cmd->name);
	} else {
		ask(o->rundir, name, cmd->name, args, clock_ms() + o->timeout_ms, &a);
	}
	json_decref(args);
	if (a.ok)
		report_add(r, a.result);
	else
		report_error(r, name, &a.err);
}

/* A verb with one argument, which the daemon calls @key. */
static void change_one(const struct command *cmd, const struct options *o, int argc,
		       char **argv, const char *key, struct report *r)
{
	char name[NAME_BYTES_MAX + 1];
	char **rest = which_lun(o, argc, argv, 2, name, r);

	if (rest)
		change(cmd, o, name,
		       json_pack("{s:s, s:s}", "name", name, key, rest[0]), r);
}

void cmd_path(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r)
{
	change_one(cmd, o, argc, argv, "path", r);
}

/* The daemon answers within @o->timeout_ms, and is given a little longer to say that it did not. */
void cmd_io(const struct command *cmd, const struct options *o, int argc, char **argv,
	    struct report *r)
{
	struct options later = *o;
	char name[NAME_BYTES_MAX + 1];
	char **rest = which_lun(o, argc, argv, (int)cmd->max_args, name, r);
	json_t *args;

	if (!rest)
		return;
	later.timeout_ms += 2000;
	args = json_pack("{s:s, s:s*, s:I}", "name", name, "path", cmd->max_args == 2 ? rest[0] : NULL,
			 "timeout_ms", (json_int_t)o->timeout_ms);
	if (args && o->force)
		json_object_set_new(args, "force", json_true());
	change(cmd, &later, name, args, r);
}

void cmd_queueing(const struct command *cmd, const struct options *o, int argc,
		  char **argv, struct report *r)
{
	change_one(cmd, o, argc, argv, "mode", r);
}

void cmd_fail(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r)
{
	change_one(cmd, o, argc, argv, "when", r);
}

/* Numbers go as numbers; the daemon says which it wants. */
static json_t *word_json(const char *word)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(word, &end, 10);
	return word[0] && !*end && errno == 0 ? json_integer(number)
					      : json_string(word);
}

void cmd_group(const struct command *cmd, const struct options *o, int argc,
	       char **argv, struct report *r)
{
	char name[NAME_BYTES_MAX + 1];
	char **rest = which_lun(o, argc, argv, 2, name, r);

	if (rest)
		change(cmd, o, name,
		       json_pack("{s:s, s:o}", "name", name, "group",
				 word_json(rest[0])),
		       r);
}

void cmd_set(const struct command *cmd, const struct options *o, int argc, char **argv,
	     struct report *r)
{
	char name[NAME_BYTES_MAX + 1];
	char **rest = which_lun(o, argc, argv, 3, name, r);

	if (rest)
		change(cmd, o, name,
		       json_pack("{s:s, s:s, s:o}", "name", name, "key", rest[0],
				 "value", word_json(rest[1])),
		       r);
}
