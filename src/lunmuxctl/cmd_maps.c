/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_maps.c - show maps, show paths: LUNs in the shape of "multipathd show maps json"
 * (libmultipath/print.h, version 0.1), for tools that read that. What lunmux does
 * not have is "[undef]", as there.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "lunmuxctl/text.h"

#define UNDEF "[undef]"

/* The array's own words, "VENDOR  product rev". */
static void split_product(const char *product, char *vend, char *prod, char *rev, size_t size)
{
	char word[3][CELL_BYTES] = {"", "", ""};
	const char *last = strrchr(product, ' ');

	sscanf(product, "%260s", word[0]);
	snprintf(word[2], sizeof(word[2]), "%.200s", last ? last + 1 : "");
	if (last && (size_t)(last - product) > strlen(word[0]))
		snprintf(word[1], sizeof(word[1]), "%.*s", (int)(last - product - (long)strlen(word[0])),
			 product + strlen(word[0]));
	snprintf(vend, size, "%.60s", word[0]);
	snprintf(prod, size, "%.60s", word[1] + strspn(word[1], " "));
	snprintf(rev, size, "%.60s", word[2]);
}

static const char *is_in(const char *state, const char *const *words, const char *then, const char *otherwise)
{
	for (; *words; words++)
		if (!strcmp(state, *words))
			return then;
	return otherwise;
}

static json_t *map_path(const json_t *p)
{
	static const char *const usable[] = {"active", "marginal", NULL};
	static const char *const healthy[] = {"active", "marginal", "standby", NULL};
	static const char *const undecided[] = {"found", "checking", NULL};
	char name[CELL_BYTES], dev[CELL_BYTES], state[CELL_BYTES], node[CELL_BYTES], host[32];
	const char *base;

	get_str(p, "name", name, sizeof(name));
	get_str(p, "state", state, sizeof(state));
	base = strrchr(name, '/');
	snprintf(host, sizeof(host), get_int(p, "host") < 0 ? UNDEF : "host%lld",
		 (long long)get_int(p, "host"));
	get_str(p, "node_name", node, sizeof(node));
	return must(json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "dev",
		base && base[1] ? base + 1 : name, "dev_t", get_str(p, "dev", dev, sizeof(dev)), "dm_st",
		is_in(state, usable, "active", "failed"), "dev_st",
		strcmp(state, "gone") ? "running" : "offline", "chk_st",
		is_in(state, healthy, strcmp(state, "standby") ? "ready" : "ghost",
		      is_in(state, undecided, "i/o pending", "faulty")),
		"checker", "tur", "pri", (json_int_t)get_int(p, "prio"), "host_wwnn", UNDEF, "target_wwnn",
		node[0] ? node : UNDEF, "host_wwpn", UNDEF, "target_wwpn", UNDEF, "host_adapter", host,
		"marginal_st", strcmp(state, "marginal") ? "normal" : "marginal"));
}

static json_t *map_group(const json_t *lun, const json_t *g)
{
	const json_t *policy = json_object_get(lun, "policy");
	char selector[CELL_BYTES], status[CELL_BYTES];
	json_t *paths = must(json_array());
	size_t i;
	json_t *p;

	json_array_foreach(json_object_get(lun, "path_list"), i, p)
	{
		if (get_u64(p, "group") == get_u64(g, "index"))
			json_array_append_new(paths, map_path(p));
	}
	get_str(policy, "selector", selector, sizeof(selector) - 2);
	strcat(selector, " 0");
	get_str(g, "status", status, sizeof(status));
	return must(json_pack("{s:s, s:I, s:s, s:s, s:I, s:o}", "selector", selector, "pri",
			      (json_int_t)get_int(g, "prio"), "dm_st",
			      strcmp(status, "failed") ? status : "enabled", "marginal_st", "normal",
			      "group", (json_int_t)get_u64(g, "index") + 1, "paths", paths));
}

static void queueing_word(const json_t *lun, char *buf, size_t size)
{
	const json_t *policy = json_object_get(lun, "policy");

	get_str(policy, "no_path", buf, size);
	if (!strcmp(buf, "retry"))
		snprintf(buf, size, "%llu chk", (unsigned long long)get_u64(policy, "no_path_checks"));
	else
		snprintf(buf, size, "%s", strcmp(buf, "queue") ? "off" : "on");
}

static json_t *map_of(const json_t *lun)
{
	const json_t *policy = json_object_get(lun, "policy");
	char name[CELL_BYTES], wwid[CELL_BYTES], failback[CELL_BYTES], queueing[CELL_BYTES],
		state[CELL_BYTES], product[CELL_BYTES], vend[64], prod[64], rev[64];
	uint64_t faults = 0;
	json_t *groups = must(json_array()), *v;
	size_t i;

	json_array_foreach(json_object_get(lun, "groups"), i, v)
		json_array_append_new(groups, map_group(lun, v));
	json_array_foreach(json_object_get(lun, "path_list"), i, v) faults += get_u64(v, "failures");
	get_str(policy, "failback", failback, sizeof(failback));
	if (!strcmp(failback, "after"))
		snprintf(failback, sizeof(failback), "%llu",
			 (unsigned long long)get_u64(policy, "failback_ms") / 1000);
	queueing_word(lun, queueing, sizeof(queueing));
	get_str(lun, "state", state, sizeof(state));
	split_product(get_str(lun, "product", product, sizeof(product)), vend, prod, rev, sizeof(vend));
	get_str(lun, "name", name, sizeof(name));
	return must(json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:i, s:i, "
		"s:i, s:i, s:o}",
		"name", name, "uuid", get_str(lun, "wwid", wwid, sizeof(wwid)), "sysfs", UNDEF, "failback",
		failback, "queueing", queueing, "paths", (json_int_t)get_u64(lun, "paths_usable"),
		"write_prot", get_bool(json_object_get(lun, "geometry"), "read_only") ? "ro" : "rw", "dm_st",
		strcmp(state, "up") ? "suspend" : "active", "features",
		strcmp(queueing, "on") ? "0" : "1 queue_if_no_path", "hwhandler", "0", "action", "",
		"path_faults", (json_int_t)faults, "vend", vend, "prod", prod, "rev", rev, "switch_grp", 0,
		"map_loads", 1, "total_q_time", 0, "q_timeouts", 0, "path_groups", groups));
}

struct maps {
	json_t *list;
	bool paths;
	struct report *r;
};

static void maps_take(void *arg, const char *name, struct answer *a)
{
	struct maps *m = arg;
	size_t i;
	json_t *p;

	if (!a->ok) {
		report_error(m->r, name, &a->err);
		return;
	}
	if (!m->paths)
		json_array_append_new(m->list, map_of(a->result));
	else
		json_array_foreach(json_object_get(a->result, "path_list"), i, p)
			json_array_append_new(m->list, map_path(p));
	json_decref(a->result);
}

void cmd_show_maps(const struct command *cmd, const struct options *o, int argc, char **argv,
		   struct report *r)
{
	struct maps m = {.list = must(json_array()), .r = r};
	struct ctl_error err;
	json_t *obj;
	char *text;

	m.paths = !strcmp(argv[0], "paths");
	/* As multipathd has it: "show maps json"; JSON is all there is. */
	if (argc > 1 && !strcmp(argv[argc - 1], "json"))
		argc--;
	if ((!m.paths && strcmp(argv[0], "maps")) || argc > 2) {
		ctl_fail(&err, CTL_E_USAGE, "show: maps or paths, and perhaps the name of a LUN");
		report_error(r, NULL, &err);
		json_decref(m.list);
		return;
	}
	ask_each(o, argc - 1, argv + 1, "status", true, maps_take, &m, r);
	obj = must(json_pack("{s:i, s:i, s:o}", "major_version", 0, "minor_version", 1,
			     m.paths ? "paths" : "maps", m.list));
	text = must(json_dumps(obj, JSON_INDENT(3)));
	r->text = must(malloc(strlen(text) + 2));
	strcpy(r->text, text);
	strcat(r->text, "\n");
	free(text);
	json_decref(obj);
}
