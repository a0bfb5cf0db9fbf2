/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * out_json.c - a report for programs: one object, one line, whatever happened.
 *
 *   {"v":1,"verb":"status","exit":3,"luns":[RESULT...],"errors":[{name,code,message,hint}...]}
 *
 * A verb that makes a text of its own (metrics, check) has it in "text", too.
 * RESULT is what the daemon answered (ctl/proto.h).  A LUN of "list" whose
 * daemon does not answer has state "no-daemon", health "down" and an "error".
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

static void json_write(const struct report *r, FILE *f, bool colour)
{
	json_t *obj = must(json_pack("{s:i, s:s, s:i, s:O, s:O}", "v",
				     CTL_PROTO_VERSION, "verb", r->verb, "exit",
				     r->code, "luns", r->luns, "errors", r->errors));

	if (r->text && json_object_set_new(obj, "text", json_string(r->text)) < 0)
		must(NULL);
	json_dumpf(obj, f, JSON_COMPACT);
	fputc('\n', f);
	json_decref(obj);
}

const struct writer json_writer = {.name = "json", .write = json_write};
