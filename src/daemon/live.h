/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * live.h - the configuration in force, and how it changes while the daemon runs:
 * reload reads the file anew, set changes one setting.
 *
 * A file is validated as a whole before anything is changed.  Then what differs
 * and is live (config/keywords.c: KW_LIVE) is applied; what needs a restart is
 * named, and named again by every reload until then.  An archive of its own:
 * tests stand on it without a daemon.
 */
#ifndef DAEMON_LIVE_H
#define DAEMON_LIVE_H

#include "config/config.h"
#include "core/lun.h"

#include <jansson.h>

struct live {
	const char *file;
	struct lun *lun;
	struct config *boot;	    /* of the start: what only a restart changes is read there */
	struct config *config;	    /* in force; may be boot */
	const struct lun_conf *lc;  /* this LUN's, in config */
	unsigned verbose;	    /* -v: so many levels above log_level */
	/* Optional. Settings beyond the LUN's parameters have changed: paths, limits of exports. */
	void (*changed)(void *arg, const struct lun_conf *lc);
	void *arg;
};

/* Why it did not happen; @config: the file is bad. */
struct live_error {
	bool config;
	char message[320], hint[320];
};

/* Parameters of the LUN as @lc has them, but for what config does not know (NUMA distances). */
void live_params(const struct lun_conf *lc, struct lun_params *p);
/* @c: taken, it is what boot and config are. */
void live_init(struct live *lv, struct config *c, const struct lun_conf *lc);
void live_free(struct live *lv);
/* "name", "changed":[{keyword, value, previous}], "restart":[the same], "warnings":[text]; or NULL
 * with @err, and nothing has changed. All is logged. */
json_t *live_reload(struct live *lv, struct live_error *err);
/* Would live_reload() go? Nothing is changed. False: @err, logged. */
bool live_try(struct live *lv, struct live_error *err);
/* "name", "key", "value", "previous", perhaps "warning"; or NULL with @err. */
json_t *live_set(struct live *lv, const char *key, const char *value, struct live_error *err);

#endif
