/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_record.c - events and trace: what one daemon remembers, and what happens from now on. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <string.h>
#include <unistd.h>

#include "lunmuxctl/text.h"

#define EVENTS_DEFAULT 50
#define TRACE_DEFAULT  30
#define FOLLOW_MS      20000u /* one question of --follow waits so long for an event */

static json_t *record_args(const char *name, long max)
{
	return must(json_pack("{s:s, s:I}", "name", name, "max", (json_int_t)max));
}

static void put_events(const struct options *o, const json_t *result, bool colour)
{
	size_t i;
	json_t *v;

	if (!o->json) {
		text_events(result, stdout, colour);
		return;
	}
	json_array_foreach(json_object_get(result, "events"), i, v)
	{
		json_dumpf(v, stdout, JSON_COMPACT);
		fputc('\n', stdout);
	}
}

/* Until the daemon ends, or the reader. */
static void follow(const struct options *o, const char *name, struct report *r)
{
	json_t *args = record_args(name, o->lines ? o->lines : 10);
	bool colour = !o->json && want_colour();
	struct answer a;

	for (;;) {
		ask(o->rundir, name, "events", args, clock_ms() + FOLLOW_MS + o->timeout_ms, &a);
		if (!a.ok) {
			report_error(r, name, &a.err);
			break;
		}
		put_events(o, a.result, colour);
		json_object_set(args, "since", json_object_get(a.result, "next"));
		json_object_set_new(args, "max", json_integer(1024));
		json_object_set_new(args, "timeout_ms", json_integer(FOLLOW_MS));
		json_decref(a.result);
		if (fflush(stdout) || ferror(stdout))
			break;
	}
	json_decref(args);
}

void cmd_record(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r)
{
	long max = o->lines ? o->lines : cmd->view == VIEW_EVENTS ? EVENTS_DEFAULT : TRACE_DEFAULT;
	char name[NAME_BYTES_MAX + 1];
	struct answer a;
	json_t *args;

	if (!which_lun(o, argc, argv, 1, name, r))
		return;
	r->streamed = o->follow;
	if (o->follow) {
		follow(o, name, r);
		return;
	}
	args = record_args(name, max);
	ask(o->rundir, name, cmd->name, args, clock_ms() + o->timeout_ms, &a);
	json_decref(args);
	if (a.ok)
		report_add(r, a.result);
	else
		report_error(r, name, &a.err);
}
