/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_record.c - events as lines, the trace as a table. */
#include "config.h"

#include "lunmuxctl/text.h"

#include <string.h>

#include "lunmuxctl/cmd.h"

/* "2026-11-25 17:52:42.123 path   /dev/sg3: active -> failed: its check failed" */
void text_event(const json_t *event, FILE *f, bool colour)
{
	char time[HUMAN_BYTES + 8], kind[CELL_BYTES], subject[CELL_BYTES], from[CELL_BYTES],
		to[CELL_BYTES], cause[CELL_BYTES];

	get_str(event, "subject", subject, sizeof(subject));
	get_str(event, "from", from, sizeof(from));
	get_str(event, "to", to, sizeof(to));
	get_str(event, "cause", cause, sizeof(cause));
	fprintf(f, "%s %-6s %s%s%s%s", human_time_ms(get_u64(event, "time_ms"), time),
		get_str(event, "kind", kind, sizeof(kind)), subject, subject[0] ? ": " : "", from,
		from[0] ? " -> " : "");
	put_tone(f, colour, tone_of_state(to) == TONE_WARN ? TONE_PLAIN : tone_of_state(to), to, 0);
	fprintf(f, "%s%s\n", cause[0] ? ": " : "", cause);
}

void text_events(const json_t *lun, FILE *f, bool colour)
{
	char name[CELL_BYTES];
	size_t i;
	json_t *v;

	if (get_u64(lun, "lost"))
		fprintf(stderr, "lunmuxctl: events: %s: %llu are not kept any more\n",
			get_str(lun, "name", name, sizeof(name)),
			(unsigned long long)get_u64(lun, "lost"));
	json_array_foreach(json_object_get(lun, "events"), i, v) text_event(v, f, colour);
}

static void add_trace(struct table *t, const json_t *c)
{
	char buf[CELL_BYTES], time[HUMAN_BYTES + 8];
	uint64_t tries = get_u64(c, "tries");

	table_add(t, TONE_PLAIN, "%s", human_time_ms(get_u64(c, "time_ms"), time));
	table_add(t, TONE_PLAIN, "%s", get_str(c, "path", buf, sizeof(buf)));
	table_add(t, TONE_PLAIN, "%s", get_str(c, "op", buf, sizeof(buf)));
	table_add(t, TONE_PLAIN, "%llu", (unsigned long long)get_u64(c, "lba"));
	table_add(t, TONE_PLAIN, "%llu", (unsigned long long)get_u64(c, "blocks"));
	table_add(t, TONE_PLAIN, "%llu", (unsigned long long)get_u64(c, "requests"));
	table_add(t, TONE_PLAIN, "%s", human_ns(get_u64(c, "queue_ns"), buf));
	table_add(t, TONE_PLAIN, "%s", human_ns(get_u64(c, "service_ns"), buf));
	table_add(t, tries > 1 ? TONE_WARN : TONE_PLAIN, "%llu%s", (unsigned long long)tries,
		  get_bool(c, "hedge") ? "h" : "");
	get_str(c, "verdict", buf, sizeof(buf));
	table_add(t, strcmp(buf, "ok") ? TONE_WARN : TONE_PLAIN, "%s", buf);
}

void text_trace(const json_t *lun, FILE *f, bool colour)
{
	static const char *const head[] = {"TIME",  "PATH",    "OP",	"LBA",	 "BLOCKS",
					   "REQS", "QUEUED", "SERVICE", "TRIES", "VERDICT"};
	struct table t;
	size_t i;
	json_t *v;

	table_init(&t, sizeof(head) / sizeof(head[0]));
	for (i = 0; i < t.ncols; i++)
		table_add(&t, TONE_BOLD, "%s", head[i]);
	json_array_foreach(json_object_get(lun, "trace"), i, v) add_trace(&t, v);
	table_print(&t, f, colour);
	table_free(&t);
}
