/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paths.c - which paths the LUN has: those that the configuration names, else
 * those that discovery finds; opened at the start and, by a timer, when they
 * appear later.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "core/path.h"
#include "path/discover.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Says why @name is not used, once for each reason. */
static void paths_refused(struct daemon *d, const char *name, const char *text)
{
	struct refusal *free_slot = &d->refusals[0];

	for (unsigned i = 0; i < REFUSALS_MAX; i++) {
		struct refusal *f = &d->refusals[i];

		if (!f->name[0] || strcmp(f->name, name) == 0) {
			free_slot = f;
			break;
		}
	}
	if (strcmp(free_slot->name, name) == 0 && strcmp(free_slot->text, text) == 0)
		return;
	snprintf(free_slot->name, sizeof(free_slot->name), "%s", name);
	snprintf(free_slot->text, sizeof(free_slot->text), "%s", text);
	log_err("%s", text);
}

static void paths_accepted(struct daemon *d, const char *name)
{
	for (unsigned i = 0; i < REFUSALS_MAX; i++)
		if (strcmp(d->refusals[i].name, name) == 0)
			d->refusals[i].text[0] = '\0';
}

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
		.depth = d->lc->path_depth,
		.io_timeout_ns = d->lc->io_timeout_ns,
		.identity = &d->sg_identity,
	};

	return sg_path_new(d->loop, &conf, name, ret, err, size);
}

static void paths_add(struct daemon *d, const char *name, enum discover_kind kind)
{
	struct path *p = NULL;
	char err[320] = "";
	int r;

	if (lun_find_path(d->lun, name))
		return;
	if (kind == DISCOVER_SG)
		r = paths_open_sg(d, name, &p, err, sizeof(err));
	else
		r = paths_open_blk(d, name, &p, err, sizeof(err));
	if (r < 0) {
		if (!err[0])
			snprintf(err, sizeof(err), "%s: %s", name, strerror(-r));
		paths_refused(d, name, err);
		return;
	}
	paths_accepted(d, name);
	r = lun_add_path(d->lun, p);
	if (r < 0) {
		log_err("%s: not added: %s", name,
			r == -ENOSPC ? "the LUN has as many paths as it may have" : strerror(-r));
		p->ops->release(p);
	}
}

static void paths_add_named(struct daemon *d)
{
	for (size_t i = 0; i < d->lc->npaths; i++) {
		const char *name = d->lc->paths[i];
		struct stat st;

		/* What is not there yet is opened, and refused, as a block path. */
		if (stat(name, &st) == 0 && S_ISCHR(st.st_mode))
			paths_add(d, name, DISCOVER_SG);
		else
			paths_add(d, name, DISCOVER_BLK);
	}
	d->nfound = (unsigned)d->lc->npaths;
}

/* A device that is neither found any more nor answers has been deleted. */
static void paths_drop_vanished(struct daemon *d, const struct discover_found *found, int n)
{
	struct path *p, *next;

	for (p = lun_next_path(d->lun, NULL); p; p = next) {
		bool there = false;

		next = lun_next_path(d->lun, p);
		for (int i = 0; i < n && !there; i++)
			there = strcmp(found[i].name, p->name) == 0;
		if (!there && p->state == PATH_FAILED)
			lun_remove_path(d->lun, p, "the device is not there any more");
	}
}

static void paths_discover(struct daemon *d)
{
	static struct discover_found found[PATHS_MAX];
	int n = discover_scan(d->lc->wwid, d->lc->allow_vpd80, found, PATHS_MAX);

	if (n < 0) {
		char err[320];

		snprintf(err, sizeof(err), "%s: looking for paths: %s", d->lc->wwid, strerror(-n));
		paths_refused(d, d->lc->wwid, err);
		return;
	}
	paths_drop_vanished(d, found, n);
	for (int i = 0; i < n; i++)
		paths_add(d, found[i].name, found[i].kind);
	d->nfound = (unsigned)n;
}

static void paths_scan(struct daemon *d)
{
	if (d->lc->npaths)
		paths_add_named(d);
	else
		paths_discover(d);
}

static void paths_rescan(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, rescan_timer);

	paths_scan(d);
	loop_timer_in(d->loop, t, d->lc->polling_interval_ns);
}

int paths_start(struct daemon *d)
{
	loop_timer_init(&d->rescan_timer, paths_rescan);
	paths_scan(d);
	if (!lun_next_path(d->lun, NULL))
		log_err("no path: %s; looked for again every %.1f s",
			d->lc->npaths ? "none of the configured paths can be opened" :
			d->nfound     ? "none of those that were found can be opened" :
					"nothing with this WWID was found",
			(double)d->lc->polling_interval_ns / 1e9);
	loop_timer_in(d->loop, &d->rescan_timer, d->lc->polling_interval_ns);
	return 0;
}

void paths_stop(struct daemon *d)
{
	loop_timer_stop(d->loop, &d->rescan_timer);
}

bool paths_all_checked(const struct daemon *d)
{
	const struct path *p;

	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, (struct path *)p))
		if (p->state == PATH_FOUND || p->state == PATH_CHECKING)
			return false;
	return true;
}
