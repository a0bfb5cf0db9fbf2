/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_stats.c - stats: the LUN's counters as lines, those of groups and paths as tables. */
#include "config.h"

#include "lunmuxctl/text.h"

#include "lunmuxctl/cmd.h"

static void add_latency(struct table *t, const json_t *lat)
{
	static const char *const keys[] = {"mean_ns", "p50_ns", "p99_ns", "p999_ns",
					   "max_ns"};
	char buf[HUMAN_BYTES];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		table_add(t, TONE_PLAIN, "%s",
			  get_u64(lat, "count") ? human_ns(get_u64(lat, keys[i]), buf)
						: "-");
}

static void put_latencies(const json_t *st, FILE *f, bool colour)
{
	static const struct {
		const char *key, *label;
	} rows[] = {
		{"read_latency", "  read"},
		{"write_latency", "  write"},
		{"queue_time", "  in queue"},
	};
	char buf[HUMAN_BYTES];
	struct table t;

	table_init(&t, 7);
	table_add(&t, TONE_BOLD, "  latency");
	table_add(&t, TONE_BOLD, "count");
	table_add(&t, TONE_BOLD, "mean");
	table_add(&t, TONE_BOLD, "p50");
	table_add(&t, TONE_BOLD, "p99");
	table_add(&t, TONE_BOLD, "p99.9");
	table_add(&t, TONE_BOLD, "max");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const json_t *lat = json_object_get(st, rows[i].key);

		table_add(&t, TONE_PLAIN, "%s", rows[i].label);
		table_add(&t, TONE_PLAIN, "%s",
			  human_count(get_u64(lat, "count"), buf));
		add_latency(&t, lat);
	}
	table_print(&t, f, colour);
	table_free(&t);
}

static void put_counters(const json_t *st, FILE *f)
{
	const json_t *reqs = json_object_get(st, "requests");
	char a[HUMAN_BYTES], b[HUMAN_BYTES], c[HUMAN_BYTES];
	const char *op;
	json_t *n;

	fputs("  requests", f);
	json_object_foreach((json_t *)reqs, op, n)
	{
		char clean[CELL_BYTES];

		if (json_integer_value(n))
			fprintf(f, " %s=%s", ctl_clean(clean, sizeof(clean), op),
				human_count((uint64_t)json_integer_value(n), a));
	}
	fprintf(f, " errors=%s read=%s written=%s\n",
		human_count(get_u64(st, "errors"), a),
		human_bytes(get_u64(st, "read_bytes"), b),
		human_bytes(get_u64(st, "written_bytes"), c));
	fprintf(f, "  commands %s merged=%s splits=%s",
		human_count(get_u64(st, "commands"), a),
		human_count(get_u64(st, "merged"), b),
		human_count(get_u64(st, "splits"), c));
	fprintf(f, " retries=%s blocked=%s canceled=%s\n",
		human_count(get_u64(st, "retries"), a),
		human_count(get_u64(st, "blocked"), b),
		human_count(get_u64(st, "canceled"), c));
	fprintf(f, "  overdue %s sent-again=%s won=%s ghosts=%s now=%llu\n",
		human_count(get_u64(st, "overdue"), a), human_count(get_u64(st, "hedges"), b),
		human_count(get_u64(st, "hedges_won"), c),
		human_count(get_u64(st, "ghosts"), (char[HUMAN_BYTES]){0}),
		(unsigned long long)get_u64(st, "ghosts_now"));
	fprintf(f, "  flushes rounds=%s skipped=%s",
		human_count(get_u64(st, "flush_rounds"), a),
		human_count(get_u64(st, "flushes_skipped"), b));
	fprintf(f, " cache-losses=%s owed=%llu",
		human_count(get_u64(st, "cache_losses"), a),
		(unsigned long long)get_u64(st, "flush_errors_owed"));
	fprintf(f, " read-modify-writes=%s\n",
		human_count(get_u64(st, "read_modify_writes"), a));
	fprintf(f,
		"  depth %llu shrunk=%s inflight=%llu max=%llu queued=%llu held=%llu\n",
		(unsigned long long)get_u64(st, "depth"),
		human_count(get_u64(st, "depth_shrunk"), a),
		(unsigned long long)get_u64(st, "inflight"),
		(unsigned long long)get_u64(st, "inflight_max"),
		(unsigned long long)get_u64(st, "queued"),
		(unsigned long long)get_u64(st, "held"));
	fprintf(f, "  dark times=%s longest=%s now=%s longest-gap=%s\n",
		human_count(get_u64(st, "times_dark"), a),
		human_ns(get_u64(st, "dark_longest_ns"), b),
		human_age_ms(get_u64(st, "dark_now_ms"), c),
		human_ns(get_u64(st, "gap_longest_ns"), (char[HUMAN_BYTES]){0}));
}

static void add_volumes(struct table *t, const json_t *o)
{
	char buf[HUMAN_BYTES];

	table_add(t, TONE_PLAIN, "%s", human_bytes(get_u64(o, "read_bytes"), buf));
	table_add(t, TONE_PLAIN, "%s", human_bytes(get_u64(o, "written_bytes"), buf));
	table_add(t, get_u64(o, "errors") ? TONE_WARN : TONE_PLAIN, "%s",
		  human_count(get_u64(o, "errors"), buf));
	table_add(t, get_u64(o, "failures") ? TONE_WARN : TONE_PLAIN, "%s",
		  human_count(get_u64(o, "failures"), buf));
}

static void add_group(struct table *t, const json_t *g)
{
	char buf[HUMAN_BYTES];

	table_add(t, TONE_PLAIN, "  %llu", (unsigned long long)get_u64(g, "index"));
	table_add(t, TONE_PLAIN, "%lld", (long long)get_int(g, "prio"));
	table_add(t, TONE_PLAIN, "%llu/%llu", (unsigned long long)get_u64(g, "paths_usable"),
		  (unsigned long long)get_u64(g, "paths"));
	table_add(t, TONE_PLAIN, "%s", human_count(get_u64(g, "requests"), buf));
	table_add(t, TONE_PLAIN, "%s", human_count(get_u64(g, "commands"), buf));
	add_volumes(t, g);
	table_add(t, TONE_PLAIN, "%llu", (unsigned long long)get_u64(g, "inflight"));
	add_latency(t, json_object_get(g, "service_time"));
}

static void put_groups(const json_t *lun, FILE *f, bool colour)
{
	static const char *const head[] = {"  group", "prio",  "paths",	   "reqs", "cmds", "read", "written",
					   "errors",  "fails", "inflight", "mean", "p50",  "p99",  "p99.9",
					   "max"};
	struct table t;
	json_t *g;
	size_t i;

	table_init(&t, sizeof(head) / sizeof(head[0]));
	for (i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		table_add(&t, TONE_BOLD, "%s", head[i]);
	json_array_foreach(json_object_get(lun, "groups"), i, g) add_group(&t, g);
	table_print(&t, f, colour);
	table_free(&t);
}

static void add_path_head(struct table *t)
{
	static const char *const head[] = {"  path",  "state",	"reqs",	 "cmds", "read",
					   "written", "errors", "fails", "mean", "p50",
					   "p99",     "p99.9",	"max",	 "write-max"};

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		table_add(t, TONE_BOLD, "%s", head[i]);
}

static void add_path(struct table *t, const json_t *p)
{
	char name[CELL_BYTES - 2], state[CELL_BYTES], buf[HUMAN_BYTES];
	const char *op;
	uint64_t cmds = 0;
	json_t *n;

	json_object_foreach(json_object_get(p, "commands"), op, n) cmds +=
		(uint64_t)json_integer_value(n);
	get_str(p, "state", state, sizeof(state));
	table_add(t, TONE_PLAIN, "  %s", get_str(p, "name", name, sizeof(name)));
	table_add(t, tone_of_state(state), "%s", state);
	table_add(t, TONE_PLAIN, "%s", human_count(get_u64(p, "requests"), buf));
	table_add(t, TONE_PLAIN, "%s", human_count(cmds, buf));
	add_volumes(t, p);
	add_latency(t, json_object_get(p, "service_time"));
	table_add(t, TONE_PLAIN, "%s", human_ns(get_u64(p, "write_max_us") * 1000, buf));
}

void text_stats(const json_t *lun, FILE *f, bool colour)
{
	const json_t *st = json_object_get(lun, "lun");
	const json_t *loop = json_object_get(lun, "loop");
	char name[CELL_BYTES], state[CELL_BYTES], a[HUMAN_BYTES], b[HUMAN_BYTES];
	struct table t;
	size_t i;
	json_t *p;

	put_tone(f, colour, TONE_BOLD, get_str(lun, "name", name, sizeof(name)), 0);
	get_str(lun, "state", state, sizeof(state));
	fputs(": ", f);
	put_tone(f, colour, tone_of_state(state), state, 0);
	fputc('\n', f);
	put_counters(st, f);
	put_latencies(st, f, colour);
	put_groups(lun, f, colour);
	table_init(&t, 14);
	add_path_head(&t);
	json_array_foreach(json_object_get(lun, "path_list"), i, p) add_path(&t, p);
	table_print(&t, f, colour);
	table_free(&t);
	fprintf(f, "  loop turns=%s longest=%s\n",
		human_count(get_u64(loop, "turns"), a),
		human_ns(get_u64(loop, "longest_turn_ns"), b));
}
