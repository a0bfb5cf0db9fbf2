/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.c - what the LUN is, as JSON (members in proto.h).
 *
 * Reads core's counters and states, writes none of them, and asks no device:
 * an answer costs the same whether the paths work or hang.
 */
#include "config.h"

#include "ctl/server_int.h"

#include <string.h>
#include <unistd.h>

#include "base/policy.h"
#include "core/path.h"
#include "ctl/json_build.h"

static uint64_t age_ms(const struct ctl_server *s, uint64_t since_ns)
{
	uint64_t now = loop_now_ns(s->loop);

	return now > since_ns ? (now - since_ns) / NS_PER_MS : 0;
}

unsigned ctl_count_usable(struct ctl_server *s, unsigned *ret_npaths)
{
	unsigned n = 0, usable = 0;

	for (struct path *p = lun_next_path(s->lun, NULL); p;
	     p = lun_next_path(s->lun, p)) {
		n++;
		usable += path_is_usable(p);
	}
	*ret_npaths = n;
	return usable;
}

/* Up, but with a path that neither serves nor stands by for its turn? */
static const char *health(struct ctl_server *s)
{
	struct path *p;

	if (lun_get_state(s->lun) != LUN_UP)
		return "down";
	for (p = lun_next_path(s->lun, NULL); p; p = lun_next_path(s->lun, p)) {
		if (p->state != PATH_ACTIVE && p->state != PATH_STANDBY)
			return "degraded";
	}
	return "ok";
}

static void add_head(struct ctl_server *s, struct jb *b)
{
	jb_str(b, "name", lun_params(s->lun)->name);
	jb_str(b, "state", lun_state_name(lun_get_state(s->lun)));
	jb_str(b, "health", health(s));
}

static void add_short(struct ctl_server *s, struct jb *b)
{
	struct lun_geometry g;
	unsigned npaths, usable = ctl_count_usable(s, &npaths);

	if (!lun_geometry(s->lun, &g))
		memset(&g, 0, sizeof(g));
	add_head(s, b);
	jb_str(b, "wwid", lun_params(s->lun)->wwid);
	jb_str(b, "product", g.product);
	jb_u64(b, "state_age_ms", age_ms(s, s->state_since_ns));
	jb_u64(b, "size_bytes", g.nblocks * g.block_bytes);
	jb_u64(b, "block_bytes", g.block_bytes);
	jb_u64(b, "paths", npaths);
	jb_u64(b, "paths_usable", usable);
}

json_t *ctl_snap_short(struct ctl_server *s)
{
	struct jb b = jb_begin();

	add_short(s, &b);
	return jb_end(&b);
}

/* --- parts of a LUN ------------------------------------------------------------------
 */

static json_t *snap_geometry(struct ctl_server *s)
{
	struct lun_geometry g;
	struct jb b;

	if (!lun_geometry(s->lun, &g))
		return json_null();
	b = jb_begin();
	jb_u64(&b, "size_bytes", g.nblocks * g.block_bytes);
	jb_u64(&b, "blocks", g.nblocks);
	jb_u64(&b, "block_bytes", g.block_bytes);
	jb_u64(&b, "phys_block_bytes", g.phys_block_bytes);
	jb_bool(&b, "read_only", g.read_only);
	jb_bool(&b, "rotational", g.rotational);
	jb_bool(&b, "write_cache", g.write_cache);
	jb_bool(&b, "can_discard", g.can_discard);
	jb_bool(&b, "can_zero", g.can_zero);
	jb_bool(&b, "can_fast_zero", g.can_fast_zero);
	jb_bool(&b, "can_status", g.can_status);
	jb_u64(&b, "max_cmd_bytes", (uint64_t)g.max_cmd_blocks * g.block_bytes);
	jb_u64(&b, "discard_granularity_bytes",
	       (uint64_t)g.discard_granularity_blocks * g.block_bytes);
	return jb_end(&b);
}

static const char *const no_path_words[NO_PATH_NR] = {
	[NO_PATH_FAIL] = "fail",
	[NO_PATH_QUEUE] = "queue",
	[NO_PATH_RETRY] = "retry",
};

static const char *const failback_words[FAILBACK_NR] = {
	[FAILBACK_IMMEDIATE] = "immediate",
	[FAILBACK_MANUAL] = "manual",
	[FAILBACK_AFTER] = "after",
	[FAILBACK_FOLLOWOVER] = "followover",
};

static json_t *snap_policy(struct ctl_server *s)
{
	const struct lun_params *par = lun_params(s->lun);
	struct jb b = jb_begin();

	jb_str(&b, "selector", sel_kind_names[par->selector]);
	jb_str(&b, "elevator", lun_elevator(s->lun));
	jb_str(&b, "grouping", group_policy_names[par->grouping]);
	jb_str(&b, "failback", failback_words[par->failback]);
	if (par->failback == FAILBACK_AFTER)
		jb_u64(&b, "failback_ms", par->failback_ns / NS_PER_MS);
	jb_str(&b, "no_path", no_path_words[par->no_path]);
	if (par->no_path == NO_PATH_RETRY)
		jb_u64(&b, "no_path_checks", par->no_path_checks);
	jb_str(&b, "queueing", queueing_names[lun_queueing(s->lun)]);
	jb_u64(&b, "polling_interval_ms", par->polling_interval_ns / NS_PER_MS);
	return jb_end(&b);
}

static json_t *snap_queue(struct ctl_server *s, const struct lun_stats *st)
{
	const struct lun_params *par = lun_params(s->lun);
	struct jb b = jb_begin();

	jb_u64(&b, "depth", st->depth);
	/* When the LUN has not been full for a while. */
	jb_u64(&b, "depth_max", st->depth_max);
	/* 0: auto */
	jb_u64(&b, "depth_configured", par->depth);
	jb_u64(&b, "inflight", st->inflight);
	jb_u64(&b, "inflight_max", st->inflight_max);
	jb_u64(&b, "queued", st->queued);
	jb_u64(&b, "held", st->held_now);
	/* Writes that may still land; of an earlier process; not back from their path; all the others
	 * are over then; all writes wait for so long. */
	jb_u64(&b, "ghosts", st->ghosts_now);
	jb_u64(&b, "ghosts_of_others", st->ghosts_others);
	jb_u64(&b, "ghosts_out", st->ghosts_out);
	jb_u64(&b, "ghosts_left_ms", (st->ghosts_left_ns + NS_PER_MS - 1) / NS_PER_MS);
	jb_u64(&b, "writes_held_ms", (st->writes_held_ns + NS_PER_MS - 1) / NS_PER_MS);
	jb_u64(&b, "requests", st->reqs_out);
	jb_u64(&b, "requests_max", par->max_reqs);
	jb_u64(&b, "buffer_bytes", st->buf_bytes);
	jb_u64(&b, "buffer_bytes_high", st->buf_bytes_max);
	jb_u64(&b, "buffer_bytes_limit", par->buffer_bytes);
	/* Clients whose next flush fails: acknowledged writes were lost with a cache. */
	jb_u64(&b, "flush_errors_owed", st->errors_owed);
	jb_u64(&b, "cache_losses", st->cache_losses);
	return jb_end(&b);
}

/* -1: none is usable. */
static int current_group(struct ctl_server *s)
{
	struct lun_group_info info[GROUPS_MAX];
	unsigned n = MIN(lun_get_groups(s->lun, info, GROUPS_MAX), GROUPS_MAX);

	for (unsigned i = 0; i < n; i++)
		if (info[i].current)
			return (int)i;
	return -1;
}

static json_t *snap_groups(struct ctl_server *s)
{
	struct lun_group_info info[GROUPS_MAX];
	unsigned n = MIN(lun_get_groups(s->lun, info, GROUPS_MAX), GROUPS_MAX);
	json_t *list = json_array();

	for (unsigned i = 0; list && i < n; i++) {
		struct jb b = jb_begin();

		jb_u64(&b, "index", i);
		jb_int(&b, "prio", info[i].prio);
		jb_str(&b, "status",
		       info[i].current	 ? "active"
		       : info[i].nusable ? "enabled"
					 : "failed");
		jb_bool(&b, "by_hand", info[i].by_hand);
		jb_u64(&b, "paths", info[i].npaths);
		jb_u64(&b, "paths_usable", info[i].nusable);
		if (json_array_append_new(list, jb_end(&b)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static uint64_t path_errors(const struct path *p)
{
	uint64_t n = 0;

	for (int v = 0; v < V_NR; v++) {
		if (v != V_OK && v != V_OK_INFO && v != V_CANCELED)
			n += p->stats.errors[v];
	}
	return n;
}

json_t *ctl_snap_path(struct ctl_server *s, const struct path *p)
{
	struct jb b = jb_begin();
	char fault[80];

	jb_str(&b, "name", p->name);
	jb_str(&b, "dev", p->dev);
	jb_str(&b, "driver", p->ops->name);
	jb_int(&b, "host", p->host);
	jb_int(&b, "numa_node", p->numa_node);
	jb_str(&b, "node_name", p->node_name);
	jb_str(&b, "state", path_state_name(p->state));
	jb_u64(&b, "state_age_ms", age_ms(s, p->state_since_ns));
	jb_bool(&b, "usable", path_is_usable(p));
	jb_bool(&b, "available", path_is_available(p));
	jb_bool(&b, "quarantined", p->quarantined);
	jb_str(&b, "cause", p->why);
	/* null: not known before the first good check */
	jb_set(&b, "access",
	       p->info_valid ? json_string(access_state_name(p->info.access))
			     : json_null());
	jb_int(&b, "tpg", p->info_valid ? p->info.tpg : -1);
	jb_u64(&b, "prio", p->prio);
	jb_u64(&b, "group", p->group);
	jb_u64(&b, "inflight", p->inflight);
	jb_u64(&b, "inflight_bytes", p->inflight_bytes);
	jb_u64(&b, "depth", p->depth);
	/* Over all paths of the LUN through its host; null: no host. 0: no cap. */
	jb_set(&b, "host_inflight", p->adapter ? json_integer(p->adapter->inflight) : json_null());
	jb_set(&b, "host_depth", p->adapter ? json_integer(p->adapter->depth) : json_null());
	jb_u64(&b, "errors", path_errors(p));
	jb_u64(&b, "checks", p->stats.checks);
	jb_u64(&b, "checks_failed", p->stats.checks_failed);
	jb_u64(&b, "failures", p->stats.failures);
	jb_u64(&b, "write_max_us", p->stats.write_max_ns / NS_PER_US);
	/* 0: it is on none. */
	jb_str(&b, "inject", inject_text(p, fault, sizeof(fault)));
	jb_u64(&b, "probation_ms", (health_left_ns(p) + NS_PER_MS - 1) / NS_PER_MS);
	return jb_end(&b);
}

static json_t *each_path(struct ctl_server *s,
			 json_t *(*snap)(struct ctl_server *, const struct path *))
{
	json_t *list = json_array();
	struct path *p;

	for (p = lun_next_path(s->lun, NULL); list && p; p = lun_next_path(s->lun, p)) {
		if (json_array_append_new(list, snap(s, p)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *snap_daemon(struct ctl_server *s)
{
	struct jb b = jb_begin();

	jb_str(&b, "version", s->version);
	jb_int(&b, "pid", getpid());
	jb_u64(&b, "uptime_ms", age_ms(s, s->start_ns));
	jb_u64(&b, "control_clients", s->nclients);
	jb_u64(&b, "control_ns", s->spent_ns);
	jb_u64(&b, "log_lines_dropped", log_dropped());
	if (s->upgrade)
		jb_set(&b, "upgrade", s->upgrade->show(s->arg));
	return jb_end(&b);
}

json_t *ctl_snap_status(struct ctl_server *s)
{
	struct lun_geometry g;
	struct lun_stats st;
	struct jb b = jb_begin();

	lun_get_stats(s->lun, &st);
	add_short(s, &b);
	jb_str(&b, "ident", lun_geometry(s->lun, &g) ? g.ident : "");
	jb_set(&b, "geometry", snap_geometry(s));
	jb_set(&b, "policy", snap_policy(s));
	jb_set(&b, "queue", snap_queue(s, &st));
	jb_int(&b, "group", current_group(s));
	jb_set(&b, "groups", snap_groups(s));
	jb_set(&b, "path_list", each_path(s, ctl_snap_path));
	jb_set(&b, "refused", s->refused ? s->refused(s->arg) : json_array());
	jb_set(&b, "exports", s->exports ? s->exports(s->arg) : json_null());
	jb_set(&b, "daemon", snap_daemon(s));
	return jb_end(&b);
}

json_t *ctl_snap_paths(struct ctl_server *s)
{
	struct jb b = jb_begin();

	add_head(s, &b);
	jb_set(&b, "path_list", each_path(s, ctl_snap_path));
	return jb_end(&b);
}

/* --- statistics ---------------------------------------------------------------------
 */

static json_t *snap_hist(const struct hist *h)
{
	struct jb b = jb_begin();

	jb_u64(&b, "count", h->count);
	jb_u64(&b, "mean_ns", h->count ? h->sum_ns / h->count : 0);
	/* A quantile is its bucket's upper end, which may lie above the largest sample. */
	jb_u64(&b, "sum_ns", h->sum_ns);
	jb_u64(&b, "p50_ns", MIN(hist_quantile_ns(h, 500), h->max_ns));
	jb_u64(&b, "p90_ns", MIN(hist_quantile_ns(h, 900), h->max_ns));
	jb_u64(&b, "p95_ns", MIN(hist_quantile_ns(h, 950), h->max_ns));
	jb_u64(&b, "p99_ns", MIN(hist_quantile_ns(h, 990), h->max_ns));
	jb_u64(&b, "p999_ns", MIN(hist_quantile_ns(h, 999), h->max_ns));
	jb_u64(&b, "max_ns", h->max_ns);
	return jb_end(&b);
}

static json_t *snap_req_counts(const struct lun_stats *st)
{
	struct jb b = jb_begin();

	for (int op = 0; op < REQ_OP_NR; op++)
		jb_u64(&b, req_op_name(op), st->reqs[op]);
	return jb_end(&b);
}

static json_t *snap_lun_stats(struct ctl_server *s)
{
	struct lun_stats st;
	struct jb b = jb_begin();

	lun_get_stats(s->lun, &st);
	jb_set(&b, "requests", snap_req_counts(&st));
	jb_u64(&b, "errors", st.errors);
	jb_u64(&b, "read_bytes", st.bytes_read);
	jb_u64(&b, "written_bytes", st.bytes_written);
	jb_u64(&b, "commands", st.cmds);
	jb_u64(&b, "merged", st.merged);
	jb_u64(&b, "splits", st.splits);
	jb_u64(&b, "retries", st.retries);
	jb_u64(&b, "times_dark", st.held);
	jb_u64(&b, "blocked", st.blocked);
	jb_u64(&b, "canceled", st.canceled);
	jb_u64(&b, "overdue", st.overdue);
	jb_u64(&b, "hedges", st.hedges);
	jb_u64(&b, "hedges_won", st.hedges_won);
	jb_u64(&b, "ghosts", st.ghosts);
	jb_u64(&b, "ghosts_now", st.ghosts_now);
	jb_u64(&b, "read_modify_writes", st.rmw);
	jb_u64(&b, "flush_rounds", st.flush_rounds);
	jb_u64(&b, "flushes_skipped", st.flush_skipped);
	jb_u64(&b, "cache_losses", st.cache_losses);
	jb_u64(&b, "cache_suspicions", st.cache_suspicions);
	jb_u64(&b, "flush_errors_owed", st.errors_owed);
	jb_u64(&b, "depth_shrunk", st.depth_shrunk);
	jb_u64(&b, "depth_hints", st.depth_hints);
	jb_u64(&b, "depth", st.depth);
	jb_u64(&b, "inflight", st.inflight);
	jb_u64(&b, "inflight_max", st.inflight_max);
	jb_u64(&b, "queued", st.queued);
	jb_u64(&b, "held", st.held_now);
	jb_u64(&b, "dark_longest_ns", st.dark_ns);
	jb_u64(&b, "dark_now_ms", st.dark_since_ns ? age_ms(s, st.dark_since_ns) : 0);
	jb_u64(&b, "gap_longest_ns", st.gap_max_ns);
	jb_u64(&b, "loop_lag_max_us", loop_longest_turn_ns(s->loop) / NS_PER_US);
	jb_set(&b, "queue_time", snap_hist(&st.queue_time));
	jb_set(&b, "read_latency", snap_hist(&st.latency[0]));
	jb_set(&b, "write_latency", snap_hist(&st.latency[1]));
	return jb_end(&b);
}

static json_t *snap_cmd_counts(const struct path_stats *st)
{
	struct jb b = jb_begin();

	for (int op = 0; op < CMD_OP_NR; op++)
		jb_u64(&b, cmd_op_name(op), st->cmds[op]);
	return jb_end(&b);
}

static json_t *snap_verdicts(const struct path_stats *st)
{
	struct jb b = jb_begin();

	for (int v = 0; v < V_NR; v++)
		jb_u64(&b, verdict_name(v), st->errors[v]);
	return jb_end(&b);
}

static json_t *snap_path_stats(struct ctl_server *s, const struct path *p)
{
	const struct path_stats *st = &p->stats;
	struct jb b = jb_begin();

	jb_str(&b, "name", p->name);
	jb_str(&b, "dev", p->dev);
	jb_str(&b, "state", path_state_name(p->state));
	jb_set(&b, "commands", snap_cmd_counts(st));
	jb_u64(&b, "requests", st->reqs);
	jb_u64(&b, "read_bytes", st->bytes_read);
	jb_u64(&b, "written_bytes", st->bytes_written);
	jb_set(&b, "verdicts", snap_verdicts(st));
	jb_u64(&b, "errors", path_errors(p));
	jb_u64(&b, "failures", st->failures);
	jb_u64(&b, "overdue", st->overdue);
	jb_u64(&b, "checks", st->checks);
	jb_u64(&b, "checks_failed", st->checks_failed);
	jb_u64(&b, "no_room", st->busy_again);
	jb_u64(&b, "write_max_us", st->write_max_ns / NS_PER_US);
	jb_u64(&b, "inflight", p->inflight);
	jb_u64(&b, "inflight_max", st->inflight_max);
	jb_u64(&b, "depth", p->depth);
	jb_set(&b, "service_time", snap_hist(&st->service));
	return jb_end(&b);
}

static void add_hist(struct hist *sum, const struct hist *h)
{
	sum->count += h->count;
	sum->sum_ns += h->sum_ns;
	sum->max_ns = MAX(sum->max_ns, h->max_ns);
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		sum->bucket[i] += h->bucket[i];
}

/* What the paths of a group have done, also before they came into it. */
static json_t *snap_group_stats(struct ctl_server *s, unsigned index,
				const struct lun_group_info *info)
{
	uint64_t cmds = 0, reqs = 0, rd = 0, wr = 0, errors = 0, failures = 0, inflight = 0;
	struct hist service = {.count = 0};
	struct jb b = jb_begin();

	for (struct path *p = lun_next_path(s->lun, NULL); p; p = lun_next_path(s->lun, p)) {
		if (p->group != index)
			continue;
		for (int op = 0; op < CMD_OP_NR; op++)
			cmds += p->stats.cmds[op];
		reqs += p->stats.reqs;
		rd += p->stats.bytes_read;
		wr += p->stats.bytes_written;
		errors += path_errors(p);
		failures += p->stats.failures;
		inflight += p->inflight;
		add_hist(&service, &p->stats.service);
	}
	jb_u64(&b, "index", index);
	jb_int(&b, "prio", info->prio);
	jb_u64(&b, "paths", info->npaths);
	jb_u64(&b, "paths_usable", info->nusable);
	jb_u64(&b, "commands", cmds);
	jb_u64(&b, "requests", reqs);
	jb_u64(&b, "read_bytes", rd);
	jb_u64(&b, "written_bytes", wr);
	jb_u64(&b, "errors", errors);
	jb_u64(&b, "failures", failures);
	jb_u64(&b, "inflight", inflight);
	jb_set(&b, "service_time", snap_hist(&service));
	return jb_end(&b);
}

static json_t *snap_groups_stats(struct ctl_server *s)
{
	struct lun_group_info info[GROUPS_MAX];
	unsigned n = MIN(lun_get_groups(s->lun, info, GROUPS_MAX), GROUPS_MAX);
	json_t *list = json_array();

	for (unsigned i = 0; list && i < n; i++) {
		if (json_array_append_new(list, snap_group_stats(s, i, &info[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *snap_loop(struct ctl_server *s)
{
	struct jb b = jb_begin();

	jb_u64(&b, "turns", loop_turns(s->loop));
	jb_u64(&b, "longest_turn_ns", loop_longest_turn_ns(s->loop));
	return jb_end(&b);
}

json_t *ctl_snap_stats(struct ctl_server *s)
{
	struct jb b = jb_begin();

	add_head(s, &b);
	jb_set(&b, "lun", snap_lun_stats(s));
	jb_set(&b, "groups", snap_groups_stats(s));
	jb_set(&b, "path_list", each_path(s, snap_path_stats));
	jb_set(&b, "loop", snap_loop(s));
	return jb_end(&b);
}
