/* SPDX-License-Identifier: GPL-2.0-or-later */
/* live.c - see live.h. */
#include "config.h"

#include "daemon/live.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"
#include "core/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void live_params(const struct lun_conf *lc, struct lun_params *p)
{
	lun_params_default(p);
	snprintf(p->name, sizeof(p->name), "%s", lc->alias);
	snprintf(p->wwid, sizeof(p->wwid), "%s", lc->wwid);
	p->selector = lc->path_selector;
	p->rr_min_io = lc->rr_min_io;
	p->rr_min_bytes = lc->rr_min_bytes;
	p->rr_weight = lc->rr_weight;
	p->elevator = lc->elevator;
	p->read_expire_ns = lc->read_expire_ns;
	p->write_expire_ns = lc->write_expire_ns;
	p->fifo_batch = lc->fifo_batch;
	p->writes_starved = lc->writes_starved;
	p->grouping = lc->path_grouping_policy;
	p->failback = lc->failback.kind;
	p->failback_ns = lc->failback.after_ns;
	p->no_path = lc->no_path_retry.kind;
	p->no_path_checks = lc->no_path_retry.checks;
	p->polling_interval_ns = lc->polling_interval_ns;
	p->max_polling_interval_ns = lc->max_polling_interval_ns;
	p->flap_window_ns = lc->marginal_ns ? lc->flap_window_ns : 0;
	p->err_sample_ns = lc->err_sample_ns;
	p->err_rate = lc->err_sample_ns && lc->marginal_ns ? lc->err_rate : 0;
	p->marginal_ns = lc->marginal_ns;
	p->flush_scope = lc->flush_scope == CONF_FLUSH_ALL ? FLUSH_SCOPE_ALL : FLUSH_SCOPE_LU;
	p->suspect_after_ns = lc->suspect_after_ns;
	p->ghost_time_ns = lc->ghost_time_ns;
	p->ghost_hold_ack = lc->ghost_policy == CONF_GHOST_HOLD_ACK;
	p->read_only = lc->read_only;
	p->depth = lc->queue_depth;
	p->path_depth = lc->path_depth;
	p->host_depth = lc->host_depth;
	p->max_reqs = lc->max_requests;
	p->buffer_bytes = lc->buffer_memory_bytes;
	p->expect_paths = true; /* the rescan may find one */
}

void live_init(struct live *lv, struct config *c, const struct lun_conf *lc)
{
	lv->boot = lv->config = c;
	lv->lc = lc;
}

void live_free(struct live *lv)
{
	if (lv->config != lv->boot)
		config_free(lv->config);
	config_free(lv->boot);
	lv->boot = lv->config = NULL;
}

/* Words that are numbers are numbers for programs, too. */
static json_t *value_json(const char *text)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	return *text && !*end && !errno ? json_integer(n) : json_string(text);
}

/* --- what differs --- */

struct diff {
	json_t *live, *restart;
	bool want_live; /* which of them is being looked for */
	struct lun *lun;
};

static void diff_found(void *arg, const char *keyword, bool live, const char *from, const char *to)
{
	struct diff *d = arg;

	if (live != d->want_live)
		return;
	if (live)
		log_notice("reload: %s %s (was %s)", keyword, *to ? to : "none", *from ? from : "none");
	else
		log_warn("reload: %s %s takes effect at the next start (now %s)", keyword,
			 *to ? to : "none", *from ? from : "none");
	if (live)
		lun_event(d->lun, EVENT_CONFIG, keyword, from, to, "reload");
	json_array_append_new(live ? d->live : d->restart,
			      json_pack("{s:s, s:o, s:o}", "keyword", keyword, "value", value_json(to),
					"previous", value_json(from)));
}

/* --- applying --- */

/* Cannot fail for what the parser has let through. */
static void live_apply(struct live *lv, const struct lun_conf *lc)
{
	struct lun_params par;

	live_params(lc, &par);
	if (lun_apply(lv->lun, &par) < 0)
		log_err("the LUN does not take its new parameters"); /* a hole in config/check.c */
	log_set_level((enum log_level)MIN((unsigned)lc->log_level + lv->verbose, (unsigned)LOG_L_DEBUG));
	if (lv->changed)
		lv->changed(lv->arg, lc);
}

/* The pool of commands was made at the start. */
static bool depth_was_cut(const struct live *lv)
{
	return lun_params(lv->lun)->depth != lv->lc->queue_depth;
}

/* --- reload --- */

static json_t *reload_refused(struct live_error *err, const char *message, const char *hint, size_t more)
{
	int n = snprintf(err->message, sizeof(err->message), "%s", message);

	err->config = true;
	if (more && n > 0 && (size_t)n < sizeof(err->message))
		snprintf(err->message + n, sizeof(err->message) - (size_t)n, " (and %zu more)", more);
	snprintf(err->hint, sizeof(err->hint), "%s", hint ? hint : "nothing has been changed");
	log_err("the configuration is bad: the old one stays in force");
	return NULL;
}

/* Log all messages; the first error goes into @err. */
static json_t *reload_bad(struct live *lv, const struct conf_errors *errs, int r, struct live_error *err)
{
	const struct conf_message *first = NULL;
	char text[sizeof(err->message)];

	for (size_t i = 0; i < errs->nmsgs; i++) {
		const struct conf_message *m = &errs->msgs[i];

		log_err("%s%s%s", m->text, m->hint ? "; " : "", m->hint ? m->hint : "");
		if (!first && !m->warning)
			first = m;
	}
	if (first)
		return reload_refused(err, first->text, first->hint, errs->nerrors - 1);
	snprintf(text, sizeof(text), "%s: %s", lv->file, strerror(-r));
	return reload_refused(err, text, NULL, 0);
}

static json_t *warnings_json(const struct conf_errors *errs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errs->nmsgs; i++) {
		log_warn("%s", errs->msgs[i].text);
		json_array_append_new(list, json_string(errs->msgs[i].text));
	}
	return list;
}

static const struct lun_conf *reload_find(struct live *lv, const struct config *c, struct live_error *err)
{
	const struct lun_conf *lc = config_find(c, lv->lc->alias);
	char text[sizeof(err->message)];

	if (lc && !strcmp(lc->alias, lv->lc->alias) && !strcmp(lc->wwid, lv->lc->wwid))
		return lc;
	snprintf(text, sizeof(text), "%s: %s %s", lv->file, lv->lc->alias,
		 lc ? "has another WWID or name now" : "is not listed any more");
	reload_refused(err, text, "stop this daemon; another LUN is another daemon's", 0);
	return NULL;
}

bool live_try(struct live *lv, struct live_error *err)
{
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	int r = config_load(lv->file, &c, &errs);
	bool good = r >= 0 && reload_find(lv, c, err);

	if (r < 0)
		reload_bad(lv, &errs, r, err);
	conf_errors_clear(&errs);
	config_free(c);
	return good;
}

json_t *live_reload(struct live *lv, struct live_error *err)
{
	struct diff d = { .live = json_array(), .restart = json_array(), .lun = lv->lun };
	const struct lun_conf *lc, *boot = config_find(lv->boot, lv->lc->alias);
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	json_t *warnings;
	int r = config_load(lv->file, &c, &errs);

	lc = r < 0 ? NULL : reload_find(lv, c, err);
	if (!lc) {
		if (r < 0)
			reload_bad(lv, &errs, r, err);
		conf_errors_clear(&errs);
		config_free(c);
		json_decref(d.live);
		json_decref(d.restart);
		return NULL;
	}
	warnings = warnings_json(&errs);
	conf_errors_clear(&errs);
	d.want_live = true;
	lun_conf_diff(lv->lc, lc, diff_found, &d);
	d.want_live = false;
	lun_conf_diff(boot, lc, diff_found, &d);
	if (lv->config != lv->boot)
		config_free(lv->config);
	lv->config = c;
	lv->lc = lc;
	live_apply(lv, lc);
	if (depth_was_cut(lv))
		json_array_append_new(warnings, json_sprintf("queue_depth: %u until the next start",
							     lun_params(lv->lun)->depth));
	log_notice("reloaded %s: %zu changed, %zu wait for a restart", lv->file,
		   json_array_size(d.live), json_array_size(d.restart));
	return json_pack("{s:s, s:o, s:o, s:o}", "name", lc->alias, "changed", d.live, "restart",
			 d.restart, "warnings", warnings);
}

/* --- set --- */

json_t *live_set(struct live *lv, const char *key, const char *value, struct live_error *err)
{
	struct lun_conf old = *lv->lc;
	_cleanup_free_ char *from = NULL, *to = NULL;
	const char *keyword;
	struct conf_why why;
	json_t *obj;

	err->config = false;
	if (config_set(lv->config, lv->lc->alias, key, value, &keyword, &why) < 0) {
		snprintf(err->message, sizeof(err->message), "%.300s", why.why);
		snprintf(err->hint, sizeof(err->hint), "%.300s", why.hint);
		return NULL;
	}
	from = lun_conf_value(&old, keyword);
	to = lun_conf_value(lv->lc, keyword);
	log_notice("set %s %s by lunmuxctl (was %s)", keyword, to ? to : "?", from ? from : "?");
	lun_event(lv->lun, EVENT_CONFIG, keyword, from ? from : "?", to ? to : "?", "set by lunmuxctl");
	live_apply(lv, lv->lc);
	obj = json_pack("{s:s, s:s, s:o, s:o}", "name", lv->lc->alias, "key", keyword, "value",
			value_json(to ? to : "?"), "previous", value_json(from ? from : "?"));
	if (obj && depth_was_cut(lv))
		json_object_set_new(obj, "warning",
				    json_sprintf("queue_depth: %u until the next start, which sets "
						 "more memory aside",
						 lun_params(lv->lun)->depth));
	return obj;
}
