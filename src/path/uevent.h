/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uevent.h - the kernel's news of devices, as udevd passes them on; without udevd
 * from the kernel itself.
 *
 * An event is a hint: it may be late, doubled or lost (the socket's buffer is
 * finite), so it only ever makes somebody look.
 */
#ifndef PATH_UEVENT_H
#define PATH_UEVENT_H

#include <stdbool.h>

struct loop;

struct uevent {
	char subsystem[24]; /* "block", "scsi_generic", "scsi"; "": events have been lost */
	char devtype[24];
	char action[16];
	char sysname[64]; /* "sg3", "loop4", "2:0:0:1" */
	char dev[32];	  /* "7:4", "" without a node */
	char sdev_ua[48]; /* what a SCSI device has reported: CAPACITY_DATA_HAS_CHANGED ... */
	bool resize;	  /* of a block device */
};

/* What an event means for somebody who has paths. Bits. */
enum uevent_means {
	UEVENT_SCAN = 1,  /* devices may have come or gone */
	UEVENT_CHECK = 2, /* the path over this device is not what it was */
};
unsigned uevent_means(const struct uevent *ev);
/* Is a path whose address is @dev ("2:0:0:1", "7:4") meant by @ev? */
bool uevent_is_about(const struct uevent *ev, const char *dev);

struct uevent_monitor {
	/* Collect phase. May not free the monitor. */
	void (*fn)(struct uevent_monitor *m, const struct uevent *ev);
	bool udevd; /* read only: it is udevd that sends */
	struct uevent_private *priv;
};

/* Does udevd run? */
bool uevent_udevd_runs(void);
/* Start to listen, to udevd if it runs, else to the kernel. @m->fn is set. 0 or -errno. */
int uevent_start(struct loop *l, struct uevent_monitor *m);
/* Harmless when not started. */
void uevent_stop(struct uevent_monitor *m);

#endif
