/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach.c - the LUN as /dev/nbdN: nbd_device, and lunmuxctl's attach and detach. */
#include "daemon/daemon.h"

#include "base/log.h"
#include "config/keywords.h"
#include "ctl/proto.h"
#include "ctl/server.h"
#include "export/nbd_attach.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* nbd_dead_timeout auto: time to repair a daemon that does not start, and twice what the LUN holds its
 * requests without a path. Who has it hold them for ever wants the same of a restart. */
#define DEAD_NS (600 * NS_PER_SEC)
#define DEAD_MAX_NS (24 * 3600 * NS_PER_SEC)
/* The start waits so long for the device before it is content with NBD alone. */
#define ATTACH_WAIT_NS (5 * NS_PER_SEC)

static uint64_t dead_time_ns(const struct lun_conf *lc)
{
	if (lc->export.nbd_dead_timeout_ns)
		return lc->export.nbd_dead_timeout_ns;
	switch (lc->no_path_retry.kind) {
	case NO_PATH_QUEUE:
		return DEAD_MAX_NS;
	case NO_PATH_RETRY:
		return MIN(MAX(2 * lc->no_path_retry.checks * lc->polling_interval_ns, DEAD_NS),
			   DEAD_MAX_NS);
	case NO_PATH_FAIL:
	case NO_PATH_NR:
		break;
	}
	return DEAD_NS;
}

static void attach_changed(void *arg)
{
	daemon_try_ready(arg);
}

/* 0, or -errno, logged. */
static int attach_make(struct daemon *d)
{
#ifdef HAVE_NETLINK
	struct nbd_attach_conf conf = { .kernel = &nbd_kernel_netlink, .changed = attach_changed,
					.arg = d };
	int r;

	if (d->attach)
		return 0;
	wwid_common_form(d->lc->wwid, conf.wwid);
	snprintf(conf.name, sizeof(conf.name), "%s", d->lc->alias);
	conf.dead_ns = dead_time_ns(d->lc);
	r = nbd_attach_new(d->loop, d->nbd, d->lun, &conf, &d->attach);
	if (r < 0)
		log_err("nbd: no thread to ask the kernel: %s", strerror(-r));
	return r;
#else
	log_err("nbd_device: this lunmuxd was built without netlink");
	return -EOPNOTSUPP;
#endif
}

int attach_start(struct daemon *d)
{
	const struct nbd_device_conf *dc = &d->lc->export.nbd_device;
	int r;

	/* One that comes from the last program is not attached anew: see attach_adopt(). */
	if (dc->kind == NBD_DEVICE_NONE || d->attach_due_ns || d->stopping || d->upgrade.in.device >= 0 ||
	    d->attach)
		return 0;
	r = attach_make(d);
	if (r < 0)
		return r;
	d->attach_due_ns = loop_now_ns(d->loop) + ATTACH_WAIT_NS;
	/* For as long as it takes: the module may be loaded later. */
	r = nbd_attach_start(d->attach, dc->kind == NBD_DEVICE_FIXED ? (int)dc->index : NBD_ANY_INDEX,
			     true);
	assert(r == 0);
	return 0;
}

uint64_t attach_wait_ns(const struct daemon *d)
{
	uint64_t now_ns = loop_now_ns(d->loop);
	struct nbd_attach_info info;

	if (!d->attach || now_ns >= d->attach_due_ns)
		return 0;
	nbd_attach_get_info(d->attach, &info);
	/* A device that is there only waits for its old connection's end. */
	if (info.state == NBD_A_ATTACHING || (info.state == NBD_A_WAITING && info.index >= 0))
		return d->attach_due_ns - now_ns;
	return 0;
}

void attach_stop(struct daemon *d, void (*stopped)(void *daemon))
{
	if (!d->attach) {
		stopped(d);
		return;
	}
	nbd_attach_stop(d->attach, lun_get_state(d->lun) == LUN_UP, stopped, d);
}

void attach_free(struct daemon *d)
{
	/* A thread that hangs in the kernel can only end with the process. All else has ended. */
	if (d->attach && nbd_attach_busy(d->attach)) {
		state_write(d, "stopped");
		_exit(d->exit_code);
	}
	nbd_attach_free(d->attach);
	d->attach = NULL;
}

/* --- from one program to the next ------------------------------------------------------------- */

void attach_save(struct daemon *d, struct handover *h)
{
	struct nbd_attach_info info;

	nbd_attach_get_info(d->attach, &info);
	if (!info.connected)
		return; /* the next one finds the device by its identifier, if there is one */
	h->device = info.index;
	memcpy(h->backend, info.backend, sizeof(h->backend));
	h->takeovers = info.takeovers;
	h->device_bytes = info.size_bytes;
}

int attach_adopt(struct daemon *d, const struct handover *h, const struct nbd_conn_state *st)
{
	int r = attach_make(d);

	if (r < 0) {
		close(st->fd);
		return r;
	}
	return nbd_attach_adopt(d->attach, h->device, h->backend, h->device_bytes, h->takeovers, st);
}

/* --- lunmuxctl ----------------------------------------------------------------------------- */

/* "/dev/nbd3" -> 3; -EINVAL */
static int device_index(const char *device)
{
	unsigned n = 0;
	int len = 0;

	if (!device)
		return NBD_ANY_INDEX;
	if (sscanf(device, "/dev/nbd%5u%n", &n, &len) != 1 || device[len] != '\0')
		return -EINVAL;
	return (int)n;
}

static bool attach_by_hand(void *arg, const char *device, struct ctl_error *err)
{
	int index = device_index(device), r;
	struct daemon *d = arg;
	struct lun_geometry g;

	if (index == -EINVAL) {
		ctl_fail(err, CTL_E_BAD_ARGUMENT, "device: %s is no /dev/nbdN", device);
		return false;
	}
	if (!lun_geometry(d->lun, &g)) {
		ctl_fail(err, CTL_E_FAILED, "no path has passed its check yet: the size is not known");
		return false;
	}
	r = d->stopping ? -ESHUTDOWN : attach_make(d);
	if (r == 0)
		r = nbd_attach_start(d->attach, index, false);
	if (r == -EALREADY)
		ctl_fail(err, CTL_E_FAILED, "it is attached already, or about to be");
	else if (r == -EBUSY)
		ctl_fail(err, CTL_E_BUSY, "it is being detached");
	else if (r == -EOPNOTSUPP)
		ctl_fail(err, CTL_E_FAILED, "this lunmuxd was built without netlink");
	else if (r < 0)
		ctl_fail(err, r == -ESHUTDOWN ? CTL_E_STOPPING : CTL_E_FAILED, "%s", strerror(-r));
	return r == 0;
}

static bool detach_by_hand(void *arg, bool force, struct ctl_error *err)
{
	struct daemon *d = arg;
	int r = d->attach ? nbd_attach_detach(d->attach, force) : -ENOTCONN;

	if (r == -ENOTCONN)
		ctl_fail(err, CTL_E_FAILED, "it is not attached");
	else if (r == -EBUSY)
		ctl_fail(err, CTL_E_BUSY, "it is being attached or detached");
	else if (r < 0)
		ctl_fail(err, CTL_E_STOPPING, "the daemon is ending");
	return r == 0;
}

static json_t *device_json(void *arg)
{
	return attach_json(arg);
}

const struct ctl_device_ops attach_by_ctl = {
	.attach = attach_by_hand,
	.detach = detach_by_hand,
	.show = device_json,
};

/* NULL: nothing was ever attached. */
json_t *attach_json(struct daemon *d)
{
	struct nbd_attach_info i;
	char path[32] = "-";

	if (!d->attach)
		return NULL;
	nbd_attach_get_info(d->attach, &i);
	if (i.index >= 0)
		snprintf(path, sizeof(path), "/dev/nbd%d", i.index);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "type", "nbd-kernel", "path", path,
			 "state", i.state_name, "backend", i.backend, "error", i.error, "attempts",
			 (json_int_t)i.attempts, "takeovers", (json_int_t)i.takeovers,
			 "dead_timeout_ms", (json_int_t)(i.dead_ns / NS_PER_MS));
}
