/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload.c - what a change of the configuration means for paths and exports, and how SIGHUP and
 * the control socket ask for one. */
#include "daemon/daemon.h"

#include "base/log.h"
#include "ctl/proto.h"

static void reload_changed(void *arg, const struct lun_conf *lc)
{
	struct daemon *d = arg;

	exports_reconfigured(d);
	paths_reconfigured(d);
	if (!d->stopping)
		hotplug_scan_in(d, 0);
}

static json_t *reload_end(json_t *result, const struct live_error *lerr, struct ctl_error *err)
{
	if (result)
		return result;
	ctl_fail(err, lerr->config ? CTL_E_CONFIG : CTL_E_BAD_ARGUMENT, "%s", lerr->message);
	ctl_hint(err, "%s", lerr->hint);
	return NULL;
}

json_t *reload_now(void *arg, struct ctl_error *err)
{
	struct daemon *d = arg;
	struct live_error lerr;
	json_t *result;

	if (d->ready)
		notify("RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)(loop_clock_ns(d->loop) / 1000));
	result = reload_end(live_reload(&d->live, &lerr), &lerr, err);
	if (d->ready)
		notify("READY=1");
	return result;
}

json_t *reload_set(void *arg, const char *key, const char *value, struct ctl_error *err)
{
	struct daemon *d = arg;
	struct live_error lerr;

	return reload_end(live_set(&d->live, key, value, &lerr), &lerr, err);
}

void reload_init(struct daemon *d)
{
	d->live.file = d->conf_file;
	d->live.lun = d->lun;
	d->live.changed = reload_changed;
	d->live.arg = d;
}
