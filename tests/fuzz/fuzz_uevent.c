/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_uevent.c - events of any text: what is made of them ends where it has to, and means what it says.
 *
 * The messages themselves are libudev's to read.  It is played here: each event has the texts of the input.
 */
#include <assert.h>
#include <errno.h>
#include <libudev.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "loop/loop.h"
#include "path/uevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { T_SUBSYSTEM, T_DEVTYPE, T_ACTION, T_SYSNAME, T_UA, T_RESIZE, T_NR };

static struct {
	char text[512];
	const char *at[T_NR]; /* NULL: it has none */
	dev_t number;
	bool lost; /* the socket has run over */
	unsigned left, seen;
	struct loop_fd *fd;
} fake;

/* --- libudev, and the loop that would wait for it ------------------------------------------ */

struct udev *udev_new(void)
{
	return (struct udev *)&fake;
}

struct udev *udev_unref(struct udev *u)
{
	return NULL;
}

struct udev_monitor *udev_monitor_new_from_netlink(struct udev *u, const char *name)
{
	return (struct udev_monitor *)&fake;
}

struct udev_monitor *udev_monitor_unref(struct udev_monitor *m)
{
	return NULL;
}

int udev_monitor_filter_add_match_subsystem_devtype(struct udev_monitor *m, const char *subsystem, const char *devtype)
{
	return 0;
}

int udev_monitor_set_receive_buffer_size(struct udev_monitor *m, int size)
{
	return 0;
}

int udev_monitor_enable_receiving(struct udev_monitor *m)
{
	return 0;
}

int udev_monitor_get_fd(struct udev_monitor *m)
{
	return 0;
}

struct udev_device *udev_monitor_receive_device(struct udev_monitor *m)
{
	if (fake.left) {
		fake.left--;
		return (struct udev_device *)&fake;
	}
	errno = fake.lost ? ENOBUFS : EAGAIN;
	fake.lost = false;
	return NULL;
}

struct udev_device *udev_device_unref(struct udev_device *d)
{
	return NULL;
}

dev_t udev_device_get_devnum(struct udev_device *d)
{
	return fake.number;
}

const char *udev_device_get_subsystem(struct udev_device *d)
{
	return fake.at[T_SUBSYSTEM];
}

const char *udev_device_get_devtype(struct udev_device *d)
{
	return fake.at[T_DEVTYPE];
}

const char *udev_device_get_action(struct udev_device *d)
{
	return fake.at[T_ACTION];
}

const char *udev_device_get_sysname(struct udev_device *d)
{
	return fake.at[T_SYSNAME];
}

const char *udev_device_get_property_value(struct udev_device *d, const char *key)
{
	return fake.at[strcmp(key, "RESIZE") ? T_UA : T_RESIZE];
}

void loop_fd_init(struct loop_fd *f, int fd, void (*fn)(struct loop_fd *f, int events))
{
	*f = (struct loop_fd){.fd = fd, .fn = fn};
}

void loop_fd_set(struct loop *l, struct loop_fd *f, int events)
{
	fake.fd = events ? f : NULL;
}

/* --- the events ------------------------------------------------------------------------------- */

static void take(struct uevent_monitor *m, const struct uevent *ev)
{
	unsigned means = uevent_means(ev);
	char dev[32];

	fake.seen++;
	assert(strlen(ev->subsystem) < sizeof(ev->subsystem) && strlen(ev->sysname) < sizeof(ev->sysname) &&
	       strlen(ev->sdev_ua) < sizeof(ev->sdev_ua) && strlen(ev->dev) < sizeof(ev->dev));
	assert(!(means & ~(unsigned)(UEVENT_SCAN | UEVENT_CHECK)));
	/* What nobody can say is looked at; what is not ours is not. */
	assert(ev->subsystem[0] || means == UEVENT_SCAN);
	assert(strcmp(ev->subsystem, "block") || strncmp(ev->sysname, "nbd", 3) || !means);
	assert(!uevent_is_about(ev, ""));
	if (fake.number && ev->dev[0]) {
		snprintf(dev, sizeof(dev), "%u:%u", major(fake.number), minor(fake.number));
		assert(uevent_is_about(ev, dev));
	}
}

/* Texts between zeroes; the first byte says which are missing, the second how many events there are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uevent_monitor m = {.fn = take};
	unsigned sent;
	char *p = fake.text;

	if (size < 6)
		return 0;
	memset(&fake, 0, sizeof(fake));
	memcpy(fake.text, data + 6, size - 6 < sizeof(fake.text) - 1 ? size - 6 : sizeof(fake.text) - 1);
	for (int i = 0; i < T_NR; i++) {
		fake.at[i] = data[0] >> i & 1 ? NULL : p;
		if (p < fake.text + sizeof(fake.text) - 1)
			p += strlen(p) + 1;
		if (p > fake.text + sizeof(fake.text) - 1)
			p = fake.text + sizeof(fake.text) - 1;
	}
	fake.number = makedev(data[2], (unsigned)data[3] << 8 | data[4]);
	fake.lost = data[5] & 1;
	fake.left = sent = data[1] % 100;
	sent += fake.lost;
	assert(uevent_start((struct loop *)&fake, &m) == 0 && fake.fd);
	while (fake.left || fake.lost)
		fake.fd->fn(fake.fd, LOOP_READ);
	assert(fake.seen == sent);
	uevent_stop(&m);
	assert(!fake.fd);
	return 0;
}
