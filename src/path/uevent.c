/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uevent.c - listens on libudev's netlink monitor in the loop. The only file that
 * knows libudev.
 *
 * udevd sends an event when it has done its part: the node is there, with its
 * owner and mode. Where it does not run (a small system, a container), the
 * kernel's own events are taken; there devtmpfs has made the node before.
 */
#include <config.h>

#include "path/uevent.h"

#include <errno.h>
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "loop/loop.h"

#define UDEVD_SOCKET	"/run/udev/control"
#define EVENTS_PER_TURN 64
#define BUFFER_BYTES	(1 << 20)

/* --- meaning -------------------------------------------------------------------------- */

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static unsigned block_means(const struct uevent *ev)
{
	/* Our own exports come and go, too, and a memory disk is nobody's path. */
	if (!strcmp(ev->devtype, "partition") || begins(ev->sysname, "nbd") ||
	    begins(ev->sysname, "ram") || begins(ev->sysname, "zram"))
		return 0;
	return UEVENT_SCAN | (ev->resize ? UEVENT_CHECK : 0);
}

/* drivers/scsi/scsi_lib.c, scsi_evt_emit(): unit attentions, whoever's command met them. */
static unsigned scsi_means(const struct uevent *ev)
{
	static const char *const words[] = {
		"CAPACITY_DATA_HAS_CHANGED",
		"ASYMMETRIC_ACCESS_STATE_CHANGED",
		"INQUIRY_DATA_HAS_CHANGED",
		"REPORTED_LUNS_DATA_HAS_CHANGED",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(ev->sdev_ua, words[i]))
			return UEVENT_CHECK;
	return 0;
}

unsigned uevent_means(const struct uevent *ev)
{
	if (!ev->subsystem[0] || !strcmp(ev->subsystem, "scsi_generic"))
		return UEVENT_SCAN;
	if (!strcmp(ev->subsystem, "block"))
		return block_means(ev);
	if (!strcmp(ev->subsystem, "scsi"))
		return scsi_means(ev);
	return 0;
}

bool uevent_is_about(const struct uevent *ev, const char *dev)
{
	return dev[0] && (!strcmp(dev, ev->sysname) || !strcmp(dev, ev->dev));
}

/* --- listening -------------------------------------------------------------------------- */

struct uevent_private {
	struct uevent_monitor *m;
	struct loop *loop;
	struct udev *udev;
	struct udev_monitor *mon;
	struct loop_fd lfd;
};

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static void fill(struct uevent *ev, struct udev_device *dev)
{
	dev_t number = udev_device_get_devnum(dev);
	const char *resize = udev_device_get_property_value(dev, "RESIZE");

	memset(ev, 0, sizeof(*ev));
	copy(ev->subsystem, sizeof(ev->subsystem), udev_device_get_subsystem(dev));
	copy(ev->devtype, sizeof(ev->devtype), udev_device_get_devtype(dev));
	copy(ev->action, sizeof(ev->action), udev_device_get_action(dev));
	copy(ev->sysname, sizeof(ev->sysname), udev_device_get_sysname(dev));
	copy(ev->sdev_ua, sizeof(ev->sdev_ua), udev_device_get_property_value(dev, "SDEV_UA"));
	if (number)
		snprintf(ev->dev, sizeof(ev->dev), "%u:%u", major(number), minor(number));
	ev->resize = resize && !strcmp(resize, "1");
}

static void readable(struct loop_fd *f, int events)
{
	struct uevent_private *u = container_of(f, struct uevent_private, lfd);
	struct udev_device *dev;
	struct uevent ev;
	int i;

	for (i = 0; i < EVENTS_PER_TURN; i++) {
		errno = 0;
		dev = udev_monitor_receive_device(u->mon);
		if (!dev)
			break;
		fill(&ev, dev);
		udev_device_unref(dev);
		u->m->fn(u->m, &ev);
	}
	/* ENOBUFS: more came than the socket holds. */
	if (i < EVENTS_PER_TURN && errno && errno != EAGAIN && errno != EINTR && errno != ENODATA) {
		memset(&ev, 0, sizeof(ev));
		u->m->fn(u->m, &ev);
	}
}

bool uevent_udevd_runs(void)
{
	return access(UDEVD_SOCKET, F_OK) == 0;
}

static int listen_to(struct uevent_private *u, const char *group)
{
	int r;

	u->udev = udev_new();
	u->mon = u->udev ? udev_monitor_new_from_netlink(u->udev, group) : NULL;
	if (!u->mon)
		return errno ? -errno : -ENOMEM;
	r = udev_monitor_filter_add_match_subsystem_devtype(u->mon, "scsi_generic", NULL);
	if (r >= 0)
		r = udev_monitor_filter_add_match_subsystem_devtype(u->mon, "block", NULL);
	if (r >= 0)
		r = udev_monitor_filter_add_match_subsystem_devtype(u->mon, "scsi", "scsi_device");
	/* Larger is better, and not to be had without privilege. */
	udev_monitor_set_receive_buffer_size(u->mon, BUFFER_BYTES);
	return r >= 0 ? udev_monitor_enable_receiving(u->mon) : r;
}

int uevent_start(struct loop *l, struct uevent_monitor *m)
{
	struct uevent_private *u = calloc(1, sizeof(*u));
	int r;

	m->priv = u;
	if (!u)
		return -ENOMEM;
	m->udevd = uevent_udevd_runs();
	u->m = m;
	u->loop = l;
	loop_fd_init(&u->lfd, -1, readable);
	errno = 0;
	r = listen_to(u, m->udevd ? "udev" : "kernel");
	if (r < 0) {
		uevent_stop(m);
		return r;
	}
	loop_fd_init(&u->lfd, udev_monitor_get_fd(u->mon), readable);
	loop_fd_set(l, &u->lfd, LOOP_READ);
	return 0;
}

void uevent_stop(struct uevent_monitor *m)
{
	struct uevent_private *u = m->priv;

	if (!u)
		return;
	if (u->lfd.fd >= 0)
		loop_fd_set(u->loop, &u->lfd, 0);
	udev_monitor_unref(u->mon);
	udev_unref(u->udev);
	free(u);
	m->priv = NULL;
}
