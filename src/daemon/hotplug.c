/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hotplug.c - when to look for paths: soon after an event, and by timer.
 *
 * An event adopts nothing: it brings the next scan forward, or has a path checked.
 * Events come in swarms (a host with hundreds of LUNs appears), so a scan waits for
 * more of them, and scans may not take more than a small part of the time.
 *
 * Whoever looks at a file or a loop device waits for the file system below it,
 * and that may be a server that has died.  So a thread looks, and the loop acts on
 * what it has seen; only the first scan, before anybody is served, is made at once.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "core/path.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

/* What the thread has seen is acted on. */
static void hotplug_scanned(struct daemon *d)
{
	bool rarely, events = d->uevents.priv && d->uevents.udevd;
	uint64_t end_ns;

	rarely = paths_scan_end(d) && events;
	hotplug_late_checks(d);
	end_ns = loop_clock_ns(d->loop);
	d->scan_rest_ns = end_ns + SCAN_SHARE * (end_ns - d->scan_start_ns);
	hotplug_scan_in(d, rarely ? MAX(RESCAN_RARE_NS, d->live.lc->polling_interval_ns)
				  : d->live.lc->polling_interval_ns);
	if (d->look_again)
		hotplug_scan_in(d, SETTLE_NS);
	d->look_again = false;
}

/* In a thread. */
static int hotplug_look(struct blk_io *io)
{
	paths_scan_look(container_of(io, struct daemon, look_job));
	return 0;
}

static void hotplug_looked(struct loop_fd *f, int events)
{
	struct daemon *d = container_of(f, struct daemon, look_fd);
	uint64_t count;

	if (read(f->fd, &count, sizeof(count)) < 0 || !blk_work_take(d->looker))
		return;
	d->looking = false;
	if (d->stopping)
		loop_task_queue(d->loop, &d->exit_task);
	else
		hotplug_scanned(d);
}

static void hotplug_due(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, rescan_timer);

	hotplug_listen(d);
	if (d->looking) {
		d->look_again = true; /* an event has come meanwhile */
		return;
	}
	d->scan_start_ns = loop_clock_ns(d->loop);
	d->looking = true;
	paths_scan_begin(d);
	blk_work_queue(d->looker, &d->look_job);
}

int hotplug_start(struct daemon *d)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), r = fd < 0 ? -errno : 0;

	loop_fd_init(&d->look_fd, fd, hotplug_looked);
	if (r == 0)
		r = blk_work_new(fd, &d->looker);
	if (r < 0) {
		log_err("cannot look for paths: %s", strerror(-r));
		return r;
	}
	d->look_job.work = hotplug_look;
	loop_fd_set(d->loop, &d->look_fd, LOOP_READ);
	loop_timer_init(&d->rescan_timer, hotplug_due);
	/* Before the scan, so that nothing comes between. */
	hotplug_listen(d);
	d->scan_start_ns = loop_clock_ns(d->loop);
	paths_scan_begin(d);
	paths_scan_look(d);
	hotplug_scanned(d);
	return 0;
}

void hotplug_stop(struct daemon *d)
{
	loop_timer_stop(d->loop, &d->rescan_timer);
	uevent_stop(&d->uevents);
}

void hotplug_free(struct daemon *d)
{
	loop_fd_set(d->loop, &d->look_fd, 0);
	blk_work_free(d->looker);
	close(d->look_fd.fd);
}
