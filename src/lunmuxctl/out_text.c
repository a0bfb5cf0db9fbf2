/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out_text.c - a report for people. Errors go to standard error, each with its hint. */
#include "config.h"

#include "lunmuxctl/cmd.h"
#include "lunmuxctl/text.h"

#include <string.h>

static void write_list(const struct report *r, FILE *f, bool colour)
{
	char buf[CELL_BYTES], size[HUMAN_BYTES], age[HUMAN_BYTES];
	struct table t;
	size_t i;
	json_t *l;

	table_init(&t, 7);
	if (json_array_size(r->luns)) {
		static const char *const head[] = {"NAME", "STATE", "HEALTH", "PATHS",
						   "SIZE", "SINCE", "WWID"};

		for (i = 0; i < sizeof(head) / sizeof(head[0]); i++)
			table_add(&t, TONE_BOLD, "%s", head[i]);
	}
	json_array_foreach(r->luns, i, l)
	{
		bool dead = json_object_get(l, "error") != NULL;

		table_add(&t, TONE_PLAIN, "%s", get_str(l, "name", buf, sizeof(buf)));
		get_str(l, "state", buf, sizeof(buf));
		table_add(&t, tone_of_state(buf), "%s", buf);
		get_str(l, "health", buf, sizeof(buf));
		table_add(&t, tone_of_state(buf), "%s", buf);
		if (dead) {
			for (int col = 0; col < 3; col++)
				table_add(&t, TONE_PLAIN, "-");
			get_str(json_object_get(l, "error"), "message", buf,
				sizeof(buf) - 3);
			table_add(&t, TONE_PLAIN, "(%s)", buf);
			continue;
		}
		table_add(&t, TONE_PLAIN, "%llu/%llu",
			  (unsigned long long)get_u64(l, "paths_usable"),
			  (unsigned long long)get_u64(l, "paths"));
		table_add(&t, TONE_PLAIN, "%s",
			  human_bytes(get_u64(l, "size_bytes"), size));
		table_add(&t, TONE_PLAIN, "%s",
			  human_age_ms(get_u64(l, "state_age_ms"), age));
		table_add(&t, TONE_PLAIN, "%s", get_str(l, "wwid", buf, sizeof(buf)));
	}
	table_print(&t, f, colour);
	table_free(&t);
}

static void add_path_line(struct table *t, const json_t *lun, const json_t *p)
{
	char buf[CELL_BYTES], age[HUMAN_BYTES];

	table_add(t, TONE_PLAIN, "%s", get_str(lun, "name", buf, sizeof(buf)));
	table_add(t, TONE_PLAIN, "%s",
		  get_str(p, "dev", buf, sizeof(buf))[0] ? buf : "-");
	table_add(t, TONE_PLAIN, "%s", get_str(p, "name", buf, sizeof(buf)));
	get_str(p, "state", buf, sizeof(buf));
	table_add(t, tone_of_state(buf), "%s", buf);
	table_add(t, TONE_PLAIN, "%s", human_age_ms(get_u64(p, "state_age_ms"), age));
	table_add(t, TONE_PLAIN, "%llu", (unsigned long long)get_u64(p, "group"));
	table_add(t, TONE_PLAIN, "%lld", (long long)get_int(p, "prio"));
	table_add(t, TONE_PLAIN, "%llu/%llu",
		  (unsigned long long)get_u64(p, "inflight"),
		  (unsigned long long)get_u64(p, "depth"));
	table_add(t, get_u64(p, "errors") ? TONE_WARN : TONE_PLAIN, "%llu",
		  (unsigned long long)get_u64(p, "errors"));
	table_add(t, get_bool(p, "quarantined") ? TONE_BAD : TONE_PLAIN, "%s",
		  get_cause(p, buf, sizeof(buf)));
}

static void write_paths(const struct report *r, FILE *f, bool colour)
{
	static const char *const head[] = {"LUN",    "DEV",   "PATH", "STATE",
					   "SINCE",  "GROUP", "PRIO", "INFLIGHT",
					   "ERRORS", "CAUSE"};
	struct table t;
	size_t i, j;
	json_t *l, *p;

	table_init(&t, sizeof(head) / sizeof(head[0]));
	for (i = 0; json_array_size(r->luns) && i < t.ncols; i++)
		table_add(&t, TONE_BOLD, "%s", head[i]);
	json_array_foreach(r->luns, i, l)
	{
		json_array_foreach(json_object_get(l, "path_list"), j, p)
			add_path_line(&t, l, p);
	}
	table_print(&t, f, colour);
	table_free(&t);
}

static void write_warning(const json_t *l, const char *verb)
{
	char name[CELL_BYTES], warning[CELL_BYTES * 2];

	if (get_str(l, "warning", warning, sizeof(warning))[0])
		fprintf(stderr, "lunmuxctl: %s: %s: %s\n", verb,
			get_str(l, "name", name, sizeof(name)), warning);
}

static void write_path_change(const json_t *l, const char *verb, FILE *f)
{
	const json_t *p = json_object_get(l, "path");
	char name[CELL_BYTES], path[CELL_BYTES], state[CELL_BYTES];
	bool pending;

	get_str(l, "name", name, sizeof(name));
	get_str(p, "state", state, sizeof(state));
	pending = !strcmp(state, "found") || !strcmp(state, "checking");
	fprintf(f, "%s: %s is %s%s%s\n", name, get_str(p, "name", path, sizeof(path)),
		state, get_bool(l, "changed") ? " now" : " already, nothing was changed",
		pending ? "; its check decides" : "");
	write_warning(l, verb);
}

static void write_group_change(const json_t *l, const char *verb, FILE *f)
{
	char name[CELL_BYTES];

	get_str(l, "name", name, sizeof(name));
	fprintf(f, "%s: group %llu (prio=%lld) carries the I/O%s\n", name,
		(unsigned long long)get_u64(l, "group"), (long long)get_int(l, "prio"),
		get_bool(l, "changed") ? " now" : " already");
	write_warning(l, verb);
}

static void value_text(const json_t *v, char *buf, size_t size)
{
	if (json_is_integer(v))
		snprintf(buf, size, "%lld", (long long)json_integer_value(v));
	else
		ctl_clean(buf, size, json_is_string(v) ? json_string_value(v) : "?");
}

/* "db01: queue_depth is 32 (was auto)" */
static void write_setting(const json_t *l, const json_t *setting, const char *key, const char *is,
			  FILE *f)
{
	char name[CELL_BYTES], word[CELL_BYTES], a[CELL_BYTES], b[CELL_BYTES];

	value_text(json_object_get(setting, "value"), a, sizeof(a));
	value_text(json_object_get(setting, "previous"), b, sizeof(b));
	fprintf(f, "%s: %s %s %s (was %s)\n", get_str(l, "name", name, sizeof(name)),
		get_str(setting, key, word, sizeof(word)), is, a[0] ? a : "none",
		b[0] ? b : "none");
}

static void write_reload(const json_t *l, FILE *f)
{
	char name[CELL_BYTES], text[1024];
	const json_t *changed = json_object_get(l, "changed");
	const json_t *restart = json_object_get(l, "restart");
	size_t i;
	json_t *v;

	get_str(l, "name", name, sizeof(name));
	if (!json_array_size(changed))
		fprintf(f, "%s: reloaded, nothing has changed\n", name);
	json_array_foreach(changed, i, v) write_setting(l, v, "keyword", "is", f);
	json_array_foreach(restart, i, v)
		write_setting(l, v, "keyword", "needs a restart to be", f);
	json_array_foreach(json_object_get(l, "warnings"), i, v)
		fprintf(stderr, "lunmuxctl: reload: %s: %s\n", name,
			ctl_clean(text, sizeof(text), json_string_value(v)));
}

static void write_resize(const json_t *l, FILE *f)
{
	unsigned long long old = get_u64(l, "old_bytes"), now = get_u64(l, "size_bytes");
	char name[CELL_BYTES], a[HUMAN_BYTES], b[HUMAN_BYTES];

	get_str(l, "name", name, sizeof(name));
	if (get_bool(l, "changed"))
		fprintf(f, "%s: has %s now (%llu bytes), had %s (%llu)\n", name, human_bytes(now, a), now,
			human_bytes(old, b), old);
	else
		fprintf(f, "%s: has %s (%llu bytes) as before\n", name, human_bytes(now, a), now);
}

static void write_one(const struct report *r, const json_t *l, FILE *f, bool colour)
{
	char name[CELL_BYTES], a[CELL_BYTES], b[CELL_BYTES], age[HUMAN_BYTES];
	const json_t *d;

	get_str(l, "name", name, sizeof(name));
	switch (r->view) {
	case VIEW_STATUS:
		text_status(l, f, colour);
		break;
	case VIEW_STATS:
		text_stats(l, f, colour);
		break;
	case VIEW_PATH_CHANGE:
		write_path_change(l, r->verb, f);
		break;
	case VIEW_INJECT:
		d = json_object_get(l, "path");
		get_str(d, "inject", b, sizeof(b));
		fprintf(f, "%s: %s test fault %s\n", name, get_str(d, "name", a, sizeof(a)),
			b[0]			 ? b
			: get_bool(l, "changed") ? "is off now"
						 : "was off already");
		write_warning(l, r->verb);
		break;
	case VIEW_LUN_CHANGE:
		fprintf(f, "%s: %s, queueing is %s%s\n", name,
			get_str(l, "state", a, sizeof(a)),
			get_str(l, "queueing", b, sizeof(b)),
			get_bool(l, "changed") ? "" : "; nothing was changed");
		break;
	case VIEW_GROUP_CHANGE:
		write_group_change(l, r->verb, f);
		break;
	case VIEW_DEVICE:
		d = json_object_get(l, "device");
		get_str(d, "state", a, sizeof(a));
		fprintf(f, "%s: %s%s%s\n", name, a, strcmp(a, "attached") ? "" : " as ",
			strcmp(a, "attached") ? "" : get_str(d, "path", b, sizeof(b)));
		break;
	case VIEW_SET:
		write_setting(l, l, "key", "is", f);
		write_warning(l, r->verb);
		break;
	case VIEW_RELOAD:
		write_reload(l, f);
		break;
	case VIEW_UPGRADE:
		fprintf(f, "%s: lunmuxd %s goes on where %s has left (pid %lld); clients waited for %llu ms\n",
			name, get_str(l, "version", a, sizeof(a)), get_str(l, "previous", b, sizeof(b)),
			(long long)get_int(l, "pid"), (unsigned long long)get_u64(l, "wait_ms"));
		break;
	case VIEW_FLUSH:
		fprintf(f, "%s: flushed in %s\n", name, human_age_ms(get_u64(l, "flushed_ms"), age));
		break;
	case VIEW_RESIZE:
		write_resize(l, f);
		break;
	case VIEW_REMOVED:
		fprintf(f, "%s: %s is no path any more\n", name, get_str(l, "removed", a, sizeof(a)));
		write_warning(l, r->verb);
		break;
	case VIEW_EVENTS:
		text_events(l, f, colour);
		break;
	case VIEW_TRACE:
		text_trace(l, f, colour);
		break;
	case VIEW_WAIT:
		fprintf(f, "%s: %s, %llu/%llu paths usable, after %s\n", name,
			get_str(l, "state", a, sizeof(a)),
			(unsigned long long)get_u64(l, "paths_usable"),
			(unsigned long long)get_u64(l, "paths"),
			human_age_ms(get_u64(l, "waited_ms"), age));
		break;
	case VIEW_PING:
		fprintf(f, "%s: lunmuxd %s answers, pid %lld, up %s\n", name,
			get_str(l, "version", a, sizeof(a)),
			(long long)get_int(l, "pid"),
			human_age_ms(get_u64(l, "uptime_ms"), age));
		break;
	case VIEW_LIST:
	case VIEW_PATHS:
	case VIEW_SCAN:
		break; /* one table for all */
	case VIEW_TEXT:
	case VIEW_CHECK:
		break; /* has been written */
	}
}

static void write_errors(const struct report *r)
{
	char name[CELL_BYTES], message[512], hint[512];
	size_t i;
	json_t *e;

	json_array_foreach(r->errors, i, e)
	{
		get_str(e, "name", name, sizeof(name));
		fprintf(stderr, "lunmuxctl: %s%s%s\n", name, name[0] ? ": " : "",
			get_str(e, "message", message, sizeof(message)));
		if (get_str(e, "hint", hint, sizeof(hint))[0])
			fprintf(stderr, "  hint: %s\n", hint);
	}
}

static void text_write(const struct report *r, FILE *f, bool colour)
{
	size_t i;
	json_t *l;

	if (r->text)
		fputs(r->text, f);
	if (r->view == VIEW_CHECK)
		return; /* its one line says all */
	if (r->view == VIEW_LIST)
		write_list(r, f, colour);
	if (r->view == VIEW_PATHS)
		write_paths(r, f, colour);
	if (r->view == VIEW_SCAN)
		text_scan(r->luns, f, colour);
	json_array_foreach(r->luns, i, l) write_one(r, l, f, colour);
	write_errors(r);
}

const struct writer text_writer = {.name = "text", .write = text_write};
