/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_status.c - status: one LUN as a tree of groups and paths, after "multipath -ll".
 */
#include "config.h"

#include "lunmuxctl/text.h"

#include <string.h>

#include "lunmuxctl/cmd.h"

/* "db01 (3600a...) lunmux 1.0G 512B blocks  LIO-ORG disk 4.0" */
static void put_title(const json_t *lun, FILE *f, bool colour)
{
	char name[CELL_BYTES], wwid[256], product[CELL_BYTES], size[HUMAN_BYTES];

	put_tone(f, colour, TONE_BOLD, get_str(lun, "name", name, sizeof(name)), 0);
	fprintf(f, " (%s) lunmux", get_str(lun, "wwid", wwid, sizeof(wwid)));
	if (get_u64(lun, "block_bytes"))
		fprintf(f, " %s %lluB blocks",
			human_bytes(get_u64(lun, "size_bytes"), size),
			(unsigned long long)get_u64(lun, "block_bytes"));
	else
		fprintf(f, " size unknown");
	if (get_str(lun, "product", product, sizeof(product))[0])
		fprintf(f, "  %s", product);
	fputc('\n', f);
}

static void put_state(const json_t *lun, FILE *f, bool colour)
{
	const json_t *queue = json_object_get(lun, "queue"),
		     *policy = json_object_get(lun, "policy");
	const json_t *geo = json_object_get(lun, "geometry");
	char state[CELL_BYTES], health[CELL_BYTES], age[HUMAN_BYTES],
		elevator[CELL_BYTES];
	char no_path[CELL_BYTES], queueing[CELL_BYTES];

	get_str(lun, "state", state, sizeof(state));
	get_str(lun, "health", health, sizeof(health));
	fputs("state=", f);
	put_tone(f, colour, tone_of_state(state), state, 0);
	fprintf(f, " for %s health=", human_age_ms(get_u64(lun, "state_age_ms"), age));
	put_tone(f, colour, tone_of_state(health), health, 0);
	fprintf(f, " paths=%llu/%llu wp=%s\n",
		(unsigned long long)get_u64(lun, "paths_usable"),
		(unsigned long long)get_u64(lun, "paths"),
		get_bool(geo, "read_only") ? "ro" : "rw");
	fprintf(f, "depth=%llu%s inflight=%llu max=%llu queued=%llu held=%llu",
		(unsigned long long)get_u64(queue, "depth"),
		get_u64(queue, "depth_configured") ? "" : "(auto)",
		(unsigned long long)get_u64(queue, "inflight"),
		(unsigned long long)get_u64(queue, "inflight_max"),
		(unsigned long long)get_u64(queue, "queued"),
		(unsigned long long)get_u64(queue, "held"));
	fprintf(f, " elevator='%s'",
		get_str(policy, "elevator", elevator, sizeof(elevator)));
	get_str(policy, "no_path", no_path, sizeof(no_path));
	if (!strcmp(no_path, "retry"))
		fprintf(f, " no_path_retry=%llu",
			(unsigned long long)get_u64(policy, "no_path_checks"));
	else
		fprintf(f, " no_path_retry=%s", no_path);
	get_str(policy, "queueing", queueing, sizeof(queueing));
	if (queueing[0] && strcmp(queueing, "default"))
		fprintf(f, " queueing=%s", queueing);
	fputc('\n', f);
}

/* Only while there are some: "ghosts=3 of-others=2 for 28s at most" */
static void put_ghosts(const json_t *queue, FILE *f, bool colour)
{
	char left[HUMAN_BYTES];

	if (!get_u64(queue, "ghosts"))
		return;
	put_tone(f, colour, TONE_WARN, "ghosts", 0);
	fprintf(f, "=%llu of-an-earlier-process=%llu",
		(unsigned long long)get_u64(queue, "ghosts"),
		(unsigned long long)get_u64(queue, "ghosts_of_others"));
	if (get_u64(queue, "ghosts_out"))
		fprintf(f, " still-out=%llu",
			(unsigned long long)get_u64(queue, "ghosts_out"));
	if (get_u64(queue, "ghosts_left_ms"))
		fprintf(f, " for %s at most",
			human_age_ms(get_u64(queue, "ghosts_left_ms"), left));
	if (get_u64(queue, "writes_held_ms"))
		fprintf(f, ", all writes wait for %s",
			human_age_ms(get_u64(queue, "writes_held_ms"), left));
	fputc('\n', f);
}

static void add_path_row(struct table *t, const json_t *p)
{
	char name[CELL_BYTES], dev[CELL_BYTES], state[CELL_BYTES], cause[CELL_BYTES],
		age[HUMAN_BYTES], left[HUMAN_BYTES];
	char access[CELL_BYTES];
	const char *base;

	get_str(p, "name", name, sizeof(name));
	get_str(p, "state", state, sizeof(state));
	get_str(p, "access", access, sizeof(access));
	base = strrchr(name, '/');
	table_add(t, TONE_PLAIN, "%s",
		  get_str(p, "dev", dev, sizeof(dev))[0] ? dev : "-");
	table_add(t, TONE_PLAIN, "%s", base && base[1] ? base + 1 : name);
	table_add(t, tone_of_state(state), "%s", state);
	table_add(t, TONE_PLAIN, "%s", access[0] ? access : "-");
	table_add(t, TONE_PLAIN, "inflight=%llu/%llu",
		  (unsigned long long)get_u64(p, "inflight"),
		  (unsigned long long)get_u64(p, "depth"));
	table_add(t, get_u64(p, "errors") ? TONE_WARN : TONE_PLAIN, "errors=%llu",
		  (unsigned long long)get_u64(p, "errors"));
	if (get_u64(p, "probation_ms"))
		table_add(t, TONE_WARN, "for %s, probation %s",
			  human_age_ms(get_u64(p, "state_age_ms"), age),
			  human_age_ms(get_u64(p, "probation_ms"), left));
	else
		table_add(t, TONE_PLAIN, "for %s",
			  human_age_ms(get_u64(p, "state_age_ms"), age));
	/* An active path's cause is that it is active. */
	get_str(p, "inject", cause, sizeof(cause));
	if ((cause[0] || strcmp(state, "active")) && get_cause(p, cause, sizeof(cause))[0])
		table_add(t, TONE_PLAIN, "(%.*s)", CELL_BYTES - 4, cause);
	else
		table_add(t, TONE_PLAIN, "%s", "");
}

/* The rows of group @index; each knows whether another one follows. */
static void put_group_paths(const json_t *paths, const struct table *t, uint64_t index,
			    bool last, FILE *f, bool colour)
{
	size_t i, left = 0;
	json_t *p;

	json_array_foreach(paths, i, p) left += get_u64(p, "group") == index;
	json_array_foreach(paths, i, p)
	{
		if (get_u64(p, "group") != index)
			continue;
		left--;
		fprintf(f, "%s %s- ", last ? " " : "|", left ? "|" : "`");
		table_print_row(t, i, f, colour);
		fputc('\n', f);
	}
}

static void put_group(const json_t *lun, const json_t *g, bool last, FILE *f,
		      bool colour)
{
	char selector[CELL_BYTES], status[CELL_BYTES];

	get_str(g, "status", status, sizeof(status));
	fprintf(f, "%s-+- policy='%s' prio=%lld status=", last ? "`" : "|",
		get_str(json_object_get(lun, "policy"), "selector", selector,
			sizeof(selector)),
		(long long)get_int(g, "prio"));
	put_tone(f, colour,
		 !strcmp(status, "enabled") ? TONE_PLAIN : tone_of_state(status),
		 status, 0);
	fprintf(f, " group=%llu%s\n", (unsigned long long)get_u64(g, "index"),
		get_bool(g, "by_hand") ? " (by hand)" : "");
}

/* "export nbd nbd+unix:///... connections=2", "export nbd-kernel /dev/nbd0 state=attached" */
static void put_exports(const json_t *exports, FILE *f)
{
	char type[CELL_BYTES], where[300], text[400];
	size_t i;
	json_t *e;

	json_array_foreach(exports, i, e)
	{
		if (!get_str(e, "uri", where, sizeof(where))[0])
			get_str(e, "path", where, sizeof(where));
		fprintf(f, "export %s %s", get_str(e, "type", type, sizeof(type)),
			where);
		if (json_object_get(e, "connections"))
			fprintf(f, " connections=%llu",
				(unsigned long long)get_u64(e, "connections"));
		if (get_str(e, "state", text, sizeof(text))[0])
			fprintf(f, " state=%s", text);
		if (get_str(e, "error", text, sizeof(text))[0])
			fprintf(f, " (%s)", text);
		fputc('\n', f);
	}
}

/* "refused /dev/sg4: in use: ... (for 5s)" */
static void put_refused(const json_t *refused, FILE *f, bool colour)
{
	char cause[400], age[HUMAN_BYTES];
	size_t i;
	json_t *r;

	json_array_foreach(refused, i, r)
	{
		put_tone(f, colour, TONE_WARN, "refused", 0);
		fprintf(f, " %s (for %s)\n", get_str(r, "cause", cause, sizeof(cause)),
			human_age_ms(get_u64(r, "age_ms"), age));
	}
}

/* "cache lost: 2 clients have still to be told by a failed flush" */
static void put_cache(const json_t *queue, FILE *f, bool colour)
{
	unsigned long long n = get_u64(queue, "flush_errors_owed");

	if (!n)
		return;
	put_tone(f, colour, TONE_WARN, "cache lost", 0);
	fprintf(f, ": the next flush of %llu client%s fails\n", n, n == 1 ? "" : "s");
}

void text_status(const json_t *lun, FILE *f, bool colour)
{
	const json_t *groups = json_object_get(lun, "groups");
	const json_t *paths = json_object_get(lun, "path_list");
	size_t i, ngroups = json_array_size(groups);
	struct table t;
	json_t *v;

	put_title(lun, f, colour);
	put_state(lun, f, colour);
	put_ghosts(json_object_get(lun, "queue"), f, colour);
	table_init(&t, 8);
	json_array_foreach(paths, i, v) add_path_row(&t, v);
	json_array_foreach(groups, i, v)
	{
		put_group(lun, v, i + 1 == ngroups, f, colour);
		put_group_paths(paths, &t, i, i + 1 == ngroups, f, colour);
	}
	if (json_array_size(paths) == 0)
		fputs("`- no path\n", f);
	table_free(&t);
	put_cache(json_object_get(lun, "queue"), f, colour);
	put_refused(json_object_get(lun, "refused"), f, colour);
	put_exports(json_object_get(lun, "exports"), f);
}
