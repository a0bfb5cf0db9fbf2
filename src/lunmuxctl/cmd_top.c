/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_top.c - top: what LUNs and paths do in a second, from two looks at their
 * counters. The daemon counts; rates are made here.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lunmuxctl/text.h"

#define INTERVAL_MS 2000u

struct look {
	json_t *luns; /* name -> stats */
	uint64_t at_ms;
	struct report *r;
};

static void top_take(void *arg, const char *name, struct answer *a)
{
	struct look *l = arg;

	if (a->ok && json_object_set_new(l->luns, name, a->result) < 0)
		must(NULL);
	if (!a->ok)
		report_error(l->r, name, &a->err);
}

static void look(struct look *l, const struct options *o, int argc, char **argv, struct report *r)
{
	l->luns = must(json_object());
	l->r = r;
	ask_each(o, argc, argv, "stats", false, top_take, l, r);
	l->at_ms = clock_ms();
}

/* Per second; counters of another run of the daemon start anew. */
static double rate(const json_t *was, const json_t *is, const char *key, double seconds)
{
	uint64_t a = get_u64(was, key), b = get_u64(is, key);

	return b < a ? (double)b / seconds : (double)(b - a) / seconds;
}

static double sum_rate(const json_t *was, const json_t *is, double seconds)
{
	const char *key;
	double sum = 0;
	json_t *v;

	json_object_foreach((json_t *)is, key, v) sum += rate(was, is, key, seconds);
	return sum;
}

static void add_rate(struct table *t, double v, bool bytes)
{
	char buf[HUMAN_BYTES];

	if (bytes)
		table_add(t, TONE_PLAIN, "%s", human_bytes((uint64_t)(v + 0.5), buf));
	else if (v < 100)
		table_add(t, TONE_PLAIN, "%.1f", v);
	else
		table_add(t, TONE_PLAIN, "%s", human_count((uint64_t)(v + 0.5), buf));
}

/* Mean of what has ended between the two looks. */
static void add_mean(struct table *t, const json_t *was, const json_t *is)
{
	uint64_t n = get_u64(is, "count") - get_u64(was, "count");
	char buf[HUMAN_BYTES];

	if (n == 0 || get_u64(is, "count") < get_u64(was, "count"))
		table_add(t, TONE_PLAIN, "-");
	else
		table_add(t, TONE_PLAIN, "%s",
			  human_ns((get_u64(is, "sum_ns") - get_u64(was, "sum_ns")) / n, buf));
}

static const json_t *path_of(const json_t *lun, const json_t *like)
{
	const char *name = json_string_value(json_object_get(like, "name"));
	size_t i;
	json_t *p;

	json_array_foreach(json_object_get(lun, "path_list"), i, p)
	{
		const char *other = json_string_value(json_object_get(p, "name"));

		if (name && other && !strcmp(name, other))
			return p;
	}
	return NULL;
}

static void add_row(struct table *t, const char *indent, const json_t *was, const json_t *is,
		    const char *counts, const char *mean, double seconds)
{
	char name[CELL_BYTES - 4], state[CELL_BYTES];

	table_add(t, TONE_PLAIN, "%s%s", indent, get_str(is, "name", name, sizeof(name)));
	get_str(is, "state", state, sizeof(state));
	table_add(t, tone_of_state(state), "%s", state);
	/* Of a LUN the counters stand in "lun". */
	if (json_object_get(is, "lun")) {
		was = json_object_get(was, "lun");
		is = json_object_get(is, "lun");
	}
	add_rate(t, sum_rate(json_object_get(was, counts), json_object_get(is, counts), seconds), false);
	add_rate(t, rate(was, is, "read_bytes", seconds), true);
	add_rate(t, rate(was, is, "written_bytes", seconds), true);
	table_add(t, TONE_PLAIN, "%llu", (unsigned long long)get_u64(is, "inflight"));
	table_add(t, TONE_PLAIN, "%llu", (unsigned long long)get_u64(is, "depth"));
	if (mean)
		add_mean(t, json_object_get(was, mean), json_object_get(is, mean));
	else
		table_add(t, TONE_PLAIN, "q=%llu", (unsigned long long)get_u64(is, "queued"));
	add_rate(t, rate(was, is, "errors", seconds), false);
}

static void put_top(const struct look *was, const struct look *is, FILE *f, bool colour)
{
	static const char *const head[] = {"NAME",     "STATE", "IOPS",	   "READ/s", "WRITE/s",
					   "INFLIGHT", "DEPTH", "SERVICE", "ERR/s"};
	double seconds = (double)(is->at_ms - was->at_ms) / 1000;
	struct table t;
	const char *name;
	json_t *lun, *p;
	size_t i;

	table_init(&t, sizeof(head) / sizeof(head[0]));
	for (i = 0; i < t.ncols; i++)
		table_add(&t, TONE_BOLD, "%s", head[i]);
	json_object_foreach(is->luns, name, lun)
	{
		const json_t *old = json_object_get(was->luns, name);

		add_row(&t, "", old, lun, "requests", NULL, seconds > 0 ? seconds : 1);
		json_array_foreach(json_object_get(lun, "path_list"), i, p)
			add_row(&t, "  ", path_of(old, p), p, "commands", "service_time",
				seconds > 0 ? seconds : 1);
	}
	table_print(&t, f, colour);
	table_free(&t);
}

void cmd_top(const struct command *cmd, const struct options *o, int argc, char **argv,
	     struct report *r)
{
	bool screen = !o->batch && !o->json && isatty(STDOUT_FILENO);
	long n = o->lines ? o->lines : screen ? -1 : 1;
	struct look was, is;

	r->streamed = true;
	look(&was, o, argc, argv, r);
	while (n && !json_array_size(r->errors)) {
		poll(NULL, 0, (int)(o->given & OPT_BIT_INTERVAL ? o->interval_ms : INTERVAL_MS));
		look(&is, o, argc, argv, r);
		if (o->json) {
			json_dumpf(is.luns, stdout, JSON_COMPACT);
			fputc('\n', stdout);
		} else {
			/* Home, and clear what is below. */
			fputs(screen ? "\033[H\033[J" : "", stdout);
			put_top(&was, &is, stdout, screen && want_colour());
			fputs(screen || n == 1 ? "" : "\n", stdout);
		}
		json_decref(was.luns);
		was = is;
		if (fflush(stdout) || ferror(stdout))
			break;
		n -= n > 0;
	}
	json_decref(was.luns);
}
