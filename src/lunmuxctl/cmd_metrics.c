/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_metrics.c - metrics: the counters of "stats" as OpenMetrics text
 * (https://openmetrics.io, version 1.0): a family at a time, all LUNs in it.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "lunmuxctl/text.h"

enum of { OF_LUN, OF_LOOP, OF_PATH };
/* How the member of the result becomes samples. */
enum how {
	AS_NUMBER,  /* one sample */
	AS_SECONDS, /* one, of nanoseconds */
	AS_LABELS,  /* an object: a sample a member, which is the label's value */
	AS_SUMMARY, /* latencies */
};

struct family {
	const char *name, *type, *unit, *help;
	enum of of;
	const char *key;
	enum how how;
	const char *label; /* AS_LABELS: its name */
};

#define COUNTER "counter"
#define GAUGE	"gauge"
#define SUMMARY "summary"

static const struct family families[] = {
	{"lunmux_requests", COUNTER, "", "Requests of clients",
	 OF_LUN, "requests", AS_LABELS, "op"},
	{"lunmux_request_errors", COUNTER, "", "Requests answered with an error",
	 OF_LUN, "errors", AS_NUMBER},
	{"lunmux_read_bytes", COUNTER, "bytes", "Read by clients",
	 OF_LUN, "read_bytes", AS_NUMBER},
	{"lunmux_written_bytes", COUNTER, "bytes", "Written by clients",
	 OF_LUN, "written_bytes", AS_NUMBER},
	{"lunmux_commands", COUNTER, "", "Commands sent to paths",
	 OF_LUN, "commands", AS_NUMBER},
	{"lunmux_merged_requests", COUNTER, "", "Requests that shared a command",
	 OF_LUN, "merged", AS_NUMBER},
	{"lunmux_splits", COUNTER, "", "Merged commands taken apart after an error",
	 OF_LUN, "splits", AS_NUMBER},
	{"lunmux_retries", COUNTER, "", "Commands sent again",
	 OF_LUN, "retries", AS_NUMBER},
	{"lunmux_blocked_requests", COUNTER, "", "Requests that waited for an overlapping write",
	 OF_LUN, "blocked", AS_NUMBER},
	{"lunmux_overdue_commands", COUNTER, "", "Commands that were out for too long",
	 OF_LUN, "overdue", AS_NUMBER},
	{"lunmux_hedges", COUNTER, "", "Requests sent again because they were overdue",
	 OF_LUN, "hedges", AS_NUMBER},
	{"lunmux_hedges_won", COUNTER, "", "Of these those that answered first",
	 OF_LUN, "hedges_won", AS_NUMBER},
	{"lunmux_ghosts", COUNTER, "", "Writes answered while a command of theirs might still land",
	 OF_LUN, "ghosts", AS_NUMBER},
	{"lunmux_ledger_entries", GAUGE, "", "Writes that may still land",
	 OF_LUN, "ghosts_now", AS_NUMBER},
	{"lunmux_flush_rounds", COUNTER, "", "Flushes of all dirty paths",
	 OF_LUN, "flush_rounds", AS_NUMBER},
	{"lunmux_depth_shrunk", COUNTER, "", "Times that the depth shrank since the LUN was full",
	 OF_LUN, "depth_shrunk", AS_NUMBER},
	{"lunmux_depth_commands", GAUGE, "commands", "Commands allowed at the LUN at once",
	 OF_LUN, "depth", AS_NUMBER},
	{"lunmux_inflight_commands", GAUGE, "commands", "Commands at the LUN",
	 OF_LUN, "inflight", AS_NUMBER},
	{"lunmux_queued_requests", GAUGE, "requests", "Requests in the elevator",
	 OF_LUN, "queued", AS_NUMBER},
	{"lunmux_held_commands", GAUGE, "commands", "Commands to be sent again",
	 OF_LUN, "held", AS_NUMBER},
	{"lunmux_dark", COUNTER, "", "Times without a usable path",
	 OF_LUN, "times_dark", AS_NUMBER},
	{"lunmux_dark_longest_seconds", GAUGE, "seconds", "Longest time without a usable path",
	 OF_LUN, "dark_longest_ns", AS_SECONDS},
	{"lunmux_queue_time_seconds", SUMMARY, "seconds", "From a request's arrival to its first sending",
	 OF_LUN, "queue_time", AS_SUMMARY},
	{"lunmux_read_latency_seconds", SUMMARY, "seconds", "From a read's arrival to its answer",
	 OF_LUN, "read_latency", AS_SUMMARY},
	{"lunmux_write_latency_seconds", SUMMARY, "seconds", "From a write's arrival to its answer",
	 OF_LUN, "write_latency", AS_SUMMARY},
	{"lunmux_loop_turns", COUNTER, "", "Turns of the daemon's loop",
	 OF_LOOP, "turns", AS_NUMBER},
	{"lunmux_loop_longest_turn_seconds", GAUGE, "seconds", "Longest of them",
	 OF_LOOP, "longest_turn_ns", AS_SECONDS},
	{"lunmux_path_commands", COUNTER, "", "Commands sent",
	 OF_PATH, "commands", AS_LABELS, "op"},
	{"lunmux_path_requests", COUNTER, "", "Requests that they carried",
	 OF_PATH, "requests", AS_NUMBER},
	{"lunmux_path_read_bytes", COUNTER, "bytes", "Read over the path",
	 OF_PATH, "read_bytes", AS_NUMBER},
	{"lunmux_path_written_bytes", COUNTER, "bytes", "Written over the path",
	 OF_PATH, "written_bytes", AS_NUMBER},
	{"lunmux_path_verdicts", COUNTER, "", "How commands ended",
	 OF_PATH, "verdicts", AS_LABELS, "verdict"},
	{"lunmux_path_failures", COUNTER, "", "Times that the path failed",
	 OF_PATH, "failures", AS_NUMBER},
	{"lunmux_path_overdue_commands", COUNTER, "", "Commands that were out for too long",
	 OF_PATH, "overdue", AS_NUMBER},
	{"lunmux_path_checks", COUNTER, "", "Checks of the path",
	 OF_PATH, "checks", AS_NUMBER},
	{"lunmux_path_checks_failed", COUNTER, "", "Those that failed",
	 OF_PATH, "checks_failed", AS_NUMBER},
	{"lunmux_path_inflight_commands", GAUGE, "commands", "Commands at the path",
	 OF_PATH, "inflight", AS_NUMBER},
	{"lunmux_path_depth_commands", GAUGE, "commands", "Commands allowed at the path at once",
	 OF_PATH, "depth", AS_NUMBER},
	{"lunmux_path_service_seconds", SUMMARY, "seconds", "From sending to completion",
	 OF_PATH, "service_time", AS_SUMMARY},
};

/* States: one sample a state, 1 for the one it is in. The words are those of lunmuxctl(8). */
static const char *const lun_states[] = {"starting", "up",	 "dark",   "failing",
					 "draining", "stopping", "stopped"};
static const char *const path_states[] = {"found",   "checking", "active",   "standby",
					  "unavailable", "transitioning", "suspect", "failed",
					  "marginal", "disabled", "gone"};

struct metrics {
	FILE *f;
	json_t *luns; /* name -> stats, null where the daemon does not answer */
	struct report *r;
};

/* ,label="value" with what needs it escaped. */
static void put_label(FILE *f, const char *sep, const char *label, const char *value)
{
	char clean[CELL_BYTES];

	fprintf(f, "%s%s=\"", sep, label);
	for (const char *p = ctl_clean(clean, sizeof(clean), value ? value : ""); *p; p++) {
		if (*p == '\\' || *p == '"')
			fputc('\\', f);
		fputc(*p, f);
	}
	fputc('"', f);
}

/* NAME{lun="db01",path="/dev/sg3" without the closing brace */
static void put_name(const struct metrics *m, const char *name, const char *suffix, const char *lun,
		     const json_t *path)
{
	fprintf(m->f, "%s%s{", name, suffix);
	put_label(m->f, "", "lun", lun);
	if (path)
		put_label(m->f, ",", "path", json_string_value(json_object_get(path, "name")));
}

static void put_head(FILE *f, const char *name, const char *type, const char *unit,
		     const char *help)
{
	fprintf(f, "# TYPE %s %s\n", name, type);
	if (unit[0])
		fprintf(f, "# UNIT %s %s\n", name, unit);
	fprintf(f, "# HELP %s %s.\n", name, help);
}

static void put_summary(const struct metrics *m, const struct family *fam, const char *lun,
			const json_t *path, const json_t *lat)
{
	static const struct {
		const char *quantile, *key;
	} q[] = {{"0.5", "p50_ns"},
		 {"0.9", "p90_ns"},
		 {"0.95", "p95_ns"},
		 {"0.99", "p99_ns"},
		 {"0.999", "p999_ns"}};

	for (size_t i = 0; i < ARRAY_SIZE(q); i++) {
		put_name(m, fam->name, "", lun, path);
		put_label(m->f, ",", "quantile", q[i].quantile);
		fprintf(m->f, "} %.9f\n", (double)get_u64(lat, q[i].key) / 1e9);
	}
	put_name(m, fam->name, "_count", lun, path);
	fprintf(m->f, "} %llu\n", (unsigned long long)get_u64(lat, "count"));
	put_name(m, fam->name, "_sum", lun, path);
	fprintf(m->f, "} %.9f\n", (double)get_u64(lat, "sum_ns") / 1e9);
}

static void put_samples(const struct metrics *m, const struct family *fam, const char *lun,
			const json_t *path, const json_t *obj)
{
	const char *suffix = !strcmp(fam->type, COUNTER) ? "_total" : "";
	const json_t *v = json_object_get(obj, fam->key);
	const char *word;
	json_t *n;

	switch (fam->how) {
	case AS_NUMBER:
		put_name(m, fam->name, suffix, lun, path);
		fprintf(m->f, "} %llu\n", (unsigned long long)get_u64(obj, fam->key));
		break;
	case AS_SECONDS:
		put_name(m, fam->name, suffix, lun, path);
		fprintf(m->f, "} %.9f\n", (double)get_u64(obj, fam->key) / 1e9);
		break;
	case AS_LABELS:
		json_object_foreach((json_t *)v, word, n)
		{
			put_name(m, fam->name, suffix, lun, path);
			put_label(m->f, ",", fam->label, word);
			fprintf(m->f, "} %lld\n", (long long)json_integer_value(n));
		}
		break;
	case AS_SUMMARY:
		put_summary(m, fam, lun, path, v);
		break;
	}
}

static void put_family(const struct metrics *m, const struct family *fam)
{
	const char *name;
	json_t *lun, *p;
	size_t i;

	put_head(m->f, fam->name, fam->type, fam->unit, fam->help);
	json_object_foreach(m->luns, name, lun)
	{
		if (json_is_null(lun))
			continue;
		if (fam->of == OF_LUN)
			put_samples(m, fam, name, NULL, json_object_get(lun, "lun"));
		else if (fam->of == OF_LOOP)
			put_samples(m, fam, name, NULL, json_object_get(lun, "loop"));
		else
			json_array_foreach(json_object_get(lun, "path_list"), i, p)
				put_samples(m, fam, name, p, p);
	}
}

static void put_state(const struct metrics *m, const char *family, const char *lun,
		      const json_t *path, const json_t *obj, const char *const *words, size_t n)
{
	char state[CELL_BYTES];

	get_str(obj, "state", state, sizeof(state));
	for (size_t i = 0; i < n; i++) {
		put_name(m, family, "", lun, path);
		put_label(m->f, ",", family, words[i]);
		fprintf(m->f, "} %d\n", !strcmp(state, words[i]));
	}
}

static void put_states(const struct metrics *m)
{
	const char *name;
	json_t *lun, *p;
	size_t i;

	put_head(m->f, "lunmux_up", GAUGE, "", "Does the daemon answer");
	json_object_foreach(m->luns, name, lun)
	{
		put_name(m, "lunmux_up", "", name, NULL);
		fprintf(m->f, "} %d\n", !json_is_null(lun));
	}
	put_head(m->f, "lunmux_state", "stateset", "", "State of the LUN");
	json_object_foreach(m->luns, name, lun)
		if (!json_is_null(lun))
			put_state(m, "lunmux_state", name, NULL, lun, lun_states, ARRAY_SIZE(lun_states));
	put_head(m->f, "lunmux_path_state", "stateset", "", "State of the path");
	json_object_foreach(m->luns, name, lun)
		json_array_foreach(json_object_get(lun, "path_list"), i, p)
			put_state(m, "lunmux_path_state", name, p, p, path_states,
				  ARRAY_SIZE(path_states));
}

static void metrics_take(void *arg, const char *name, struct answer *a)
{
	struct metrics *m = arg;

	/* A daemon that does not answer is a sample, not the end of all others. */
	if (json_object_set_new(m->luns, name, a->ok ? a->result : json_null()) < 0)
		must(NULL);
	if (!a->ok && a->err.code != CTL_E_UNREACHABLE)
		report_error(m->r, name, &a->err);
}

void cmd_metrics(const struct command *cmd, const struct options *o, int argc, char **argv,
		 struct report *r)
{
	struct metrics m = {.luns = must(json_object()), .r = r};
	size_t len;

	ask_each(o, argc, argv, "stats", true, metrics_take, &m, r);
	m.f = must(open_memstream(&r->text, &len));
	put_states(&m);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		put_family(&m, &families[i]);
	fputs("# EOF\n", m.f);
	fclose(m.f);
	json_decref(m.luns);
}
