/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paths.c - which paths the LUN has: those that the configuration names, else
 * those that discovery finds; opened at the start and when they appear later,
 * dropped when their device has gone or its name is another's.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "core/path.h"
#include "path/discover_plan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* While a device waits for the last commands of the path that had its name. */
#define RESCAN_SOON_NS (200 * NS_PER_MS)

/* --- refusals ---------------------------------------------------------------------- */

static struct refusal *refusal_find(struct daemon *d, const char *name)
{
	for (unsigned i = 0; i < REFUSALS_MAX; i++)
		if (strcmp(d->refusals[i].name, name) == 0)
			return &d->refusals[i];
	return NULL;
}

/* Says why @name is not used, once for each reason. */
static void paths_refused(struct daemon *d, const char *name, const char *text)
{
	struct refusal *f = refusal_find(d, name);

	if (!f)
		f = refusal_find(d, "");
	if (!f)
		f = &d->refusals[0];
	if (strcmp(f->name, name) != 0) {
		snprintf(f->name, sizeof(f->name), "%s", name);
		f->since_ns = loop_now_ns(d->loop);
		f->text[0] = '\0';
	}
	f->seen = true;
	f->next_ns = loop_now_ns(d->loop) + d->live.lc->polling_interval_ns / 2;
	if (strcmp(f->text, text) == 0)
		return;
	snprintf(f->text, sizeof(f->text), "%s", text);
	log_err("%s", text);
}

/* Closing a device that could not be used makes another event: events alone must not make us
 * open it again and again. */
static bool paths_try_later(struct daemon *d, const char *name)
{
	struct refusal *f = refusal_find(d, name);

	if (f)
		f->seen = true;
	return f && loop_now_ns(d->loop) < f->next_ns;
}

static void paths_accepted(struct daemon *d, const char *name)
{
	struct refusal *f = refusal_find(d, name);

	if (f)
		f->name[0] = '\0';
}

/* What the scan has not met is not there any more. */
static void paths_forget_refusals(struct daemon *d)
{
	d->nrefused = 0;
	for (unsigned i = 0; i < REFUSALS_MAX; i++) {
		if (!d->refusals[i].seen)
			d->refusals[i].name[0] = '\0';
		d->refusals[i].seen = false;
		d->nrefused += d->refusals[i].name[0] != '\0';
	}
}

json_t *paths_refused_json(void *arg)
{
	struct daemon *d = arg;
	json_t *all = json_array();
	uint64_t now_ns = loop_now_ns(d->loop);

	for (unsigned i = 0; i < REFUSALS_MAX; i++) {
		const struct refusal *f = &d->refusals[i];

		if (f->name[0])
			json_array_append_new(all, json_pack("{s:s, s:s, s:I}", "name", f->name, "cause",
							     f->text, "age_ms",
							     (json_int_t)((now_ns - f->since_ns) / NS_PER_MS)));
	}
	byhand_json(d, all);
	return all;
}

/* --- opening --------------------------------------------------------------------------- */

static int paths_engine(struct daemon *d)
{
	struct lun_stats st;

	if (d->engine)
		return 0;
	lun_get_stats(d->lun, &st);
	/* Beside the data commands each path may have a check under way. */
	return blk_engine_new(d->loop, MIN(MAX(d->lc->queue_depth, DEPTH_DEFAULT * 4) + 64, DEPTH_MAX),
			      BLK_ENGINE_AUTO, &d->engine);
}

static int paths_open_blk(struct daemon *d, const char *name, struct path **ret, char *err, size_t size)
{
	static const enum blk_direct direct[] = { [CONF_AUTO] = BLK_DIRECT_AUTO,
						  [CONF_ON] = BLK_DIRECT_ON,
						  [CONF_OFF] = BLK_DIRECT_OFF };
	struct blk_conf conf = {
		.wwid = d->lc->wwid,
		.direct_io = direct[d->lc->direct_io],
		.read_only = d->lc->read_only,
		.check_read_bytes = (uint32_t)d->lc->checker_read_bytes,
		.identity = &d->blk_identity,
	};
	int r = paths_engine(d);

	if (r < 0) {
		snprintf(err, size, "%s: no asynchronous I/O to be had from the kernel: %s", name,
			 strerror(-r));
		return r;
	}
	return blk_path_new(d->engine, &conf, name, ret, err, size);
}

static int paths_open_sg(struct daemon *d, const char *name, struct path **ret, char *err, size_t size)
{
	struct sg_conf conf = {
		.wwid = d->lc->wwid,
		.allow_vpd80 = d->lc->allow_vpd80,
		.depth = d->live.lc->path_depth,
		.io_timeout_ns = d->lc->io_timeout_ns,
		.identity = &d->sg_identity,
	};

	if (d->lc->path_checker != CONF_CHECKER_TUR)
		conf.check_read_bytes = MAX((uint32_t)d->lc->checker_read_bytes, 1u);
	return sg_path_new(d->loop, &conf, name, ret, err, size);
}

int paths_open(struct daemon *d, const char *name, enum discover_kind kind, struct path **ret, char *err,
	       size_t size)
{
	struct path_note *note;
	struct path *p = NULL;
	int r;

	err[0] = '\0';
	if (kind == DISCOVER_SG)
		r = paths_open_sg(d, name, &p, err, size);
	else
		r = paths_open_blk(d, name, &p, err, size);
	if (r < 0) {
		if (!err[0])
			snprintf(err, size, "%s: %s", name, strerror(-r));
		return r;
	}
	r = lun_add_path(d->lun, p);
	if (r < 0) {
		snprintf(err, size, "%s: not added: %s", name,
			 r == -ENOSPC ? "the LUN has as many paths as it may have" : strerror(-r));
		p->ops->release(p);
		return r;
	}
	paths_accepted(d, name);
	note = &d->notes[p->index];
	free(note->name);
	*note = (struct path_note){ .path = p, .name = strdup(name) };
	/* Not before: what is open keeps its name. */
	discover_ident(name, note->ident);
	upgrade_opened(d, name, p);
	*ret = p;
	return 0;
}

static void paths_add(struct daemon *d, const char *name, enum discover_kind kind)
{
	struct path *p;
	char err[400];

	if (byhand_is_taken(d, name) || paths_try_later(d, name))
		return;
	if (paths_open(d, name, kind, &p, err, sizeof(err)) < 0)
		paths_refused(d, name, err);
}

/* --- scans ------------------------------------------------------------------------------- */

/* All that a scan works on. Too large for the stack, and there is one daemon. */
static struct scan {
	/* The looking thread's, from paths_scan_begin() to paths_scan_end(). */
	char *wanted[PATHS_MAX]; /* as the configuration names them; none: discover */
	unsigned nwanted;
	struct discover_found found[PATHS_MAX];
	struct plan_found names[PATHS_MAX];
	enum discover_kind kinds[PATHS_MAX];
	struct {
		char name[PATH_NAME_BYTES]; /* "": no path then */
		char now[DISCOVER_IDENT_BYTES];
	} seen[PATHS_MAX]; /* by path->index */
	int nfound;	   /* or a negative errno */
	/* The loop's. */
	struct plan_path have[PATHS_MAX];
	struct path *paths[PATHS_MAX];
	int nhave;
} scan;

const char *path_opened_as(const struct daemon *d, const struct path *p)
{
	const struct path_note *note = &d->notes[p->index];

	assert(note->path == p);
	return note->name ? note->name : p->name;
}

/* Copies: the configuration may be another one before the thread is done. */
static void scan_want(struct daemon *d)
{
	size_t n = MIN(d->live.lc->npaths, (size_t)PATHS_MAX);

	while (scan.nwanted)
		free(scan.wanted[--scan.nwanted]);
	while (scan.nwanted < n && (scan.wanted[scan.nwanted] = strdup(d->live.lc->paths[scan.nwanted])))
		scan.nwanted++;
}

static int scan_named(void)
{
	for (unsigned i = 0; i < scan.nwanted; i++) {
		scan.names[i].name = scan.wanted[i];
		scan.kinds[i] = discover_kind_of(scan.wanted[i]);
	}
	return (int)scan.nwanted;
}

static int scan_discover(struct daemon *d)
{
	int n = discover_scan(d->lc->wwid, d->lc->allow_vpd80, scan.found, PATHS_MAX);

	for (int i = 0; i < n; i++) {
		scan.names[i].name = scan.found[i].name;
		scan.kinds[i] = scan.found[i].kind;
	}
	return n;
}

static enum plan_state plan_state_of(const struct path *p)
{
	switch (p->state) {
	case PATH_GONE:
		return PLAN_LEAVING;
	case PATH_FAILED:
		return PLAN_FAILED;
	case PATH_DISABLED:
		return PLAN_DISABLED;
	case PATH_FOUND:
	case PATH_CHECKING:
	case PATH_ACTIVE:
	case PATH_STANDBY:
	case PATH_UNAVAILABLE:
	case PATH_TRANSITIONING:
	case PATH_SUSPECT:
	case PATH_MARGINAL:
	case PATH_STATE_NR:
		break;
	}
	return PLAN_WORKS;
}

static void scan_have(struct daemon *d)
{
	struct path *p;
	int n = 0;

	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, p), n++) {
		struct path_note *note = &d->notes[p->index];

		assert(n < (int)PATHS_MAX);
		scan.paths[n] = p;
		scan.have[n] = (struct plan_path){
			.name = path_opened_as(d, p),
			.ident = note->ident,
			/* One that came by hand after the scan's beginning is what it was opened as. */
			.now = scan.seen[p->index].name[0] ? scan.seen[p->index].now : note->ident,
			.state = plan_state_of(p),
			.is_file = discover_ident_is_file(note->ident),
			.is_sg = strcmp(p->ops->name, "sg") == 0,
			.doubted = note->doubted,
			.by_hand = note->by_hand,
		};
	}
	scan.nhave = n;
}

/* True if the configuration names paths, and not this one. */
static bool paths_is_unnamed(const struct daemon *d, const char *name)
{
	const struct lun_conf *lc = d->live.lc;

	for (size_t i = 0; i < lc->npaths; i++)
		if (!strcmp(lc->paths[i], name))
			return false;
	return lc->npaths > 0;
}

/* True if a device waits for the path that had its name before. */
static bool scan_apply(struct daemon *d)
{
	bool waits = false;

	for (int i = 0; i < scan.nhave; i++) {
		const struct plan_path *h = &scan.have[i];
		struct path *p = scan.paths[i];

		d->notes[p->index].doubted = !h->found;
		switch (h->act) {
		case PLAN_KEEP:
			break;
		case PLAN_DOUBT:
			lun_recheck_path(d->lun, p, h->why);
			break;
		case PLAN_DROP:
			lun_remove_path(d->lun, p, h->why);
			break;
		}
	}
	for (int i = 0; i < scan.nfound; i++) {
		if (scan.names[i].add && !paths_is_unnamed(d, scan.names[i].name))
			paths_add(d, scan.names[i].name, scan.kinds[i]);
		waits |= scan.names[i].behind;
	}
	return waits;
}

void paths_scan_begin(struct daemon *d)
{
	struct path *p;

	scan_want(d);
	for (unsigned i = 0; i < PATHS_MAX; i++)
		scan.seen[i].name[0] = '\0';
	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, p))
		snprintf(scan.seen[p->index].name, PATH_NAME_BYTES, "%s", path_opened_as(d, p));
}

void paths_scan_look(struct daemon *d)
{
	scan.nfound = scan.nwanted ? scan_named() : scan_discover(d);
	for (unsigned i = 0; i < PATHS_MAX; i++)
		if (scan.seen[i].name[0])
			discover_ident(scan.seen[i].name, scan.seen[i].now);
}

bool paths_scan_end(struct daemon *d)
{
	int n = scan.nfound;

	if (n < 0) {
		char err[320];

		snprintf(err, sizeof(err), "%s: looking for paths: %s", d->lc->wwid, strerror(-n));
		paths_refused(d, d->lc->wwid, err);
		return false;
	}
	scan_have(d);
	discover_plan(scan.have, scan.nhave, scan.names, n);
	if (scan_apply(d))
		hotplug_scan_in(d, RESCAN_SOON_NS);
	paths_forget_refusals(d);
	d->nfound = (unsigned)n;
	return n > 0 && !d->nrefused;
}

void paths_reconfigured(struct daemon *d)
{
	struct path *p;

	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, p)) {
		const struct path_note *note = &d->notes[p->index];

		if (p->state != PATH_GONE && !note->by_hand &&
		    paths_is_unnamed(d, note->name ? note->name : p->name))
			lun_remove_path(d->lun, p, "the configuration does not name it any more");
	}
}

int paths_start(struct daemon *d)
{
	int r = hotplug_start(d);

	if (r < 0)
		return r;
	if (!lun_next_path(d->lun, NULL))
		log_err("no path: %s; looked for again every %.1f s",
			d->live.lc->npaths ? "none of the configured paths can be opened" :
			d->nfound     ? "none of those that were found can be opened" :
					"nothing with this WWID was found",
			(double)d->live.lc->polling_interval_ns / 1e9);
	return 0;
}

void paths_stop(struct daemon *d)
{
	hotplug_stop(d);
}

bool paths_all_checked(const struct daemon *d)
{
	const struct path *p;

	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, (struct path *)p))
		if (p->state == PATH_FOUND || p->state == PATH_CHECKING)
			return false;
	return true;
}
