/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.c - sd_notify(3) and sd_watchdog_enabled(3) without libsystemd: datagrams
 * to $NOTIFY_SOCKET.
 *
 * One socket for all of them, from the first on: a daemon that has run out of
 * descriptors for its clients must not be shot as a dead one.
 */
#include "daemon/daemon.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	struct sockaddr_un sa;
	socklen_t len; /* 0: nobody listens */
	int fd;
	bool tried;
} manager = { .fd = -1 };

static void notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len;

	manager.tried = true;
	if (!path || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(manager.sa.sun_path)) {
		log_warn("NOTIFY_SOCKET: its name is too long: the service manager hears nothing");
		return;
	}
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (manager.fd < 0)
		return;
	manager.sa.sun_family = AF_UNIX;
	memcpy(manager.sa.sun_path, path, len);
	if (path[0] == '@')
		manager.sa.sun_path[0] = '\0';
	manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void notify(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	if (!manager.tried)
		notify_open();
	if (!manager.len)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	/* Nothing hangs on it: a manager that does not listen is not our trouble. */
	(void)!sendto(manager.fd, text, MIN((size_t)n, sizeof(text) - 1), MSG_NOSIGNAL,
		      (struct sockaddr *)&manager.sa, manager.len);
}

/* --- watchdog ----------------------------------------------------------------------- */

/* How often the manager wants to hear of us; 0: it does not. */
static uint64_t watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long us;
	char *end;

	if (!usec || (pid && strtoull(pid, NULL, 10) != (unsigned long long)getpid()))
		return 0;
	errno = 0;
	us = strtoull(usec, &end, 10);
	if (errno || end == usec || *end || us > UINT64_MAX / 1000)
		return 0;
	return us * 1000;
}

/* From the loop: a loop that turns is what the manager is told of, no thread's heartbeat. */
static void notify_watchdog(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, watchdog_timer);

	notify("WATCHDOG=1");
	/* A datagram may be lost to a busy manager: the next comes in time. */
	loop_timer_in(d->loop, t, watchdog_ns() / 3);
}

void notify_start(struct daemon *d)
{
	loop_timer_init(&d->watchdog_timer, notify_watchdog);
	if (watchdog_ns())
		notify_watchdog(&d->watchdog_timer);
}

void notify_stop(struct daemon *d)
{
	loop_timer_stop(d->loop, &d->watchdog_timer);
}

/* --- what "systemctl status" shows ----------------------------------------------------- */

void notify_status(struct daemon *d, unsigned usable, unsigned all)
{
	char text[sizeof(d->status)];

	if (!d->ready && usable < d->live.lc->min_paths)
		snprintf(text, sizeof(text), "%s, %u/%u paths, %u needed (min_paths)",
			 lun_state_name(lun_get_state(d->lun)), usable, all, d->live.lc->min_paths);
	else
		snprintf(text, sizeof(text), "%s, %u/%u paths", lun_state_name(lun_get_state(d->lun)),
			 usable, all);
	if (strcmp(text, d->status) == 0)
		return;
	memcpy(d->status, text, sizeof(text));
	notify("STATUS=%s", text);
}
