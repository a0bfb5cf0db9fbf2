/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hotplug.c - when to look for paths: soon after an event, and by timer.
 *
 * An event adopts nothing: it brings the next scan forward, or has a path checked.
 * Events come in swarms (a host with hundreds of LUNs appears), so a scan waits for
 * more of them, and scans may not take more than a small part of the time.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "core/path.h"

#include <string.h>

/* From an event to the scan. */
#define SETTLE_NS (100 * NS_PER_MS)
/* The share of the time that scans started by events may take: one part in so many. */
#define SCAN_SHARE 20
/* Between two checks of a path that events ask for. */
#define CHECK_PAUSE_NS NS_PER_SEC
/* Between scans where udevd tells of every change and nothing waits for a retry. */
#define RESCAN_RARE_NS (60 * NS_PER_SEC)

void hotplug_scan_in(struct daemon *d, uint64_t delay_ns)
{
	uint64_t due_ns = loop_now_ns(d->loop) + delay_ns;

	if (d->stopping || (loop_timer_running(&d->rescan_timer) && d->rescan_timer.due_ns <= due_ns))
		return;
	loop_timer_at(d->loop, &d->rescan_timer, due_ns);
}

/* A check meets unit attentions itself, and so may cause events: not without a pause. */
static void hotplug_check_path(struct daemon *d, struct path *p, const char *why)
{
	struct path_note *note = &d->notes[p->index];
	uint64_t now_ns = loop_now_ns(d->loop);

	note->check_due = note->checked_ns && now_ns - note->checked_ns < CHECK_PAUSE_NS;
	if (note->check_due) {
		hotplug_scan_in(d, note->checked_ns + CHECK_PAUSE_NS - now_ns);
		return;
	}
	note->checked_ns = now_ns;
	lun_recheck_path(d->lun, p, why);
}

static void hotplug_late_checks(struct daemon *d)
{
	struct path *p;

	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, p))
		if (d->notes[p->index].check_due)
			hotplug_check_path(d, p, "the kernel has reported changes");
}

static void hotplug_check(struct daemon *d, const struct uevent *ev)
{
	struct path *p;
	char why[80];

	snprintf(why, sizeof(why), "the kernel reports %s", ev->resize ? "a new size" : ev->sdev_ua);
	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, p))
		if (uevent_is_about(ev, p->dev))
			hotplug_check_path(d, p, why);
}

static void hotplug_event(struct uevent_monitor *m, const struct uevent *ev)
{
	struct daemon *d = container_of(m, struct daemon, uevents);
	unsigned means = uevent_means(ev);
	uint64_t now_ns = loop_now_ns(d->loop);

	log_debug("event: %s %s %s %s", ev->action, ev->subsystem, ev->sysname, ev->sdev_ua);
	if (means & UEVENT_SCAN)
		hotplug_scan_in(d, MAX(SETTLE_NS, d->scan_rest_ns > now_ns ? d->scan_rest_ns - now_ns : 0));
	if (means & UEVENT_CHECK)
		hotplug_check(d, ev);
}

/* udevd may be started, or end, while we run. */
static void hotplug_listen(struct daemon *d)
{
	int r;

	if (d->uevents.priv && d->uevents.udevd == uevent_udevd_runs())
		return;
	uevent_stop(&d->uevents);
	d->uevents.fn = hotplug_event;
	r = uevent_start(d->loop, &d->uevents);
	if (r < 0 && !d->told_no_events)
		log_info("no events of devices: %s; looking for paths every %.1f s", strerror(-r),
			 (double)d->live.lc->polling_interval_ns / 1e9);
	else if (r == 0)
		log_info("events of devices come from %s", d->uevents.udevd ? "udevd" : "the kernel");
	d->told_no_events = r < 0;
}

static void hotplug_due(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, rescan_timer);
	bool rarely, events = d->uevents.priv && d->uevents.udevd;
	uint64_t start_ns = loop_clock_ns(d->loop), end_ns;

	hotplug_listen(d);
	rarely = paths_scan(d) && events;
	hotplug_late_checks(d);
	end_ns = loop_clock_ns(d->loop);
	d->scan_rest_ns = end_ns + SCAN_SHARE * (end_ns - start_ns);
	hotplug_scan_in(d, rarely ? MAX(RESCAN_RARE_NS, d->live.lc->polling_interval_ns)
				  : d->live.lc->polling_interval_ns);
}

void hotplug_start(struct daemon *d)
{
	loop_timer_init(&d->rescan_timer, hotplug_due);
	/* Before the scan, so that nothing comes between. */
	hotplug_listen(d);
	hotplug_due(&d->rescan_timer);
}

void hotplug_stop(struct daemon *d)
{
	loop_timer_stop(d->loop, &d->rescan_timer);
	uevent_stop(&d->uevents);
}
