/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_device.c - /dev/nbdN as sysfs and procfs show it: whose it is, how its
 * queue is set, who uses it.
 *
 * Nobody uses it means: it is not mounted, no swap, not held by another block
 * device or a loop device, no process has it open, and an exclusive open
 * succeeds (which the kernel's own users, LIO for one, prevent).
 */
#include <config.h>

#include "export/nbd_kernel.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES 512

/* The first line of a small file, without its end. Length or -errno. */
static int read_line(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int read_line(char *buf, size_t size, const char *fmt, ...)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	va_list ap;
	ssize_t n;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	buf[0] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return (int)strlen(buf);
}

/* --- whose ----------------------------------------------------------------------------- */

/* "nbd3" -> 3, else -1 */
static int index_of(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "nbd", 3) != 0 || !isdigit((unsigned char)name[3]))
		return -1;
	n = strtol(name + 3, &end, 10);
	return *end == '\0' && n <= INT_MAX ? (int)n : -1;
}

int nbd_device_find(const char *root, const char *backend, size_t key_len,
		    char ret[NBD_BACKEND_BYTES])
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[PATH_MAX], text[NBD_BACKEND_BYTES];
	struct dirent *e;
	bool driver = false;

	snprintf(path, sizeof(path), "%s/sys/block", root);
	d = opendir(path);
	if (!d)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		int index = index_of(e->d_name);

		if (index < 0)
			continue;
		driver = true;
		/* The file is there while the device is attached. */
		if (read_line(text, sizeof(text), "%s/sys/block/%s/backend", root, e->d_name) <= 0 ||
		    strncmp(text, backend, key_len) != 0)
			continue;
		memcpy(ret, text, sizeof(text));
		return index;
	}
	if (driver)
		return -ENOENT;
	/* Loaded with nbds_max=0 it has no device yet. */
	snprintf(path, sizeof(path), "%s/sys/module/nbd", root);
	return access(path, F_OK) == 0 ? -ENOENT : -ENODEV;
}

uint64_t nbd_device_size(const char *root, int index)
{
	char text[64];

	if (read_line(text, sizeof(text), "%s/sys/block/nbd%d/size", root, index) <= 0)
		return 0;
	return strtoull(text, NULL, 10) * 512;
}

/* --- its queue ---------------------------------------------------------------------------- */

/* "mq-deadline kyber [none]" */
static bool is_set(const char *now, const char *value)
{
	const char *open = strchr(now, '[');

	if (!open)
		return strcmp(now, value) == 0;
	return strncmp(open + 1, value, strlen(value)) == 0 && open[1 + strlen(value)] == ']';
}

/* Not written when it is so already: a write may wait for all requests in flight. */
static int set_queue(const char *root, int index, const char *name, const char *value)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], now[TEXT_BYTES];
	int r;

	r = read_line(now, sizeof(now), "%s/sys/block/nbd%d/queue/%s", root, index, name);
	if (r < 0)
		return r;
	if (is_set(now, value))
		return 0;
	snprintf(path, sizeof(path), "%s/sys/block/nbd%d/queue/%s", root, index, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

int nbd_device_tune(const char *root, int index, char *what, size_t size)
{
	char timeout[16], sectors[16];
	const struct {
		const char *name, *value;
	} settings[] = {
		{ "io_timeout", timeout },
		{ "max_sectors_kb", sectors },
		/* Sorting and merging is the LUN's, below its one queue. */
		{ "scheduler", "none" },
	};
	int r, first = 0;

	snprintf(timeout, sizeof(timeout), "%u", NBD_IO_TIMEOUT_MS);
	snprintf(sectors, sizeof(sectors), "%u", NBD_MAX_SECTORS_KB);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		r = set_queue(root, index, settings[i].name, settings[i].value);
		if (r < 0 && first == 0) {
			snprintf(what, size, "/sys/block/nbd%d/queue/%s", index, settings[i].name);
			first = r;
		}
	}
	return first;
}

/* --- who uses it ---------------------------------------------------------------------------- */

/* Is @path "/dev/nbd3" or a partition of it, "/dev/nbd3p1"? */
static bool is_node(const char *path, int index)
{
	char node[32];
	int n = snprintf(node, sizeof(node), "/dev/nbd%d", index);

	if (strncmp(path, node, (size_t)n) != 0)
		return false;
	path += n;
	return *path == '\0' || (*path == 'p' && isdigit((unsigned char)path[1])) ||
	       strcmp(path, " (deleted)") == 0;
}

/* Octal escapes of /proc/mounts, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* By number, so that another name for the device deceives nobody: "36 35 43:0 / /mnt ...". */
static bool is_mounted(const char *root, unsigned major, unsigned first, unsigned last, char *who,
		       size_t size)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	char path[PATH_MAX], at[PATH_MAX];
	unsigned ma, mi;
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
	f = fopen(path, "re");
	while (f && getline(&line, &room, f) > 0) {
		if (sscanf(line, "%*u %*u %u:%u %*s %4095s", &ma, &mi, at) != 3 || ma != major ||
		    mi < first || mi > last)
			continue;
		unescape(at);
		snprintf(who, size, "mounted on %.200s", at);
		return true;
	}
	return false;
}

static bool is_swap(const char *root, int index, char *who, size_t size)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	char path[PATH_MAX];
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/proc/swaps", root);
	f = fopen(path, "re");
	while (f && getline(&line, &room, f) > 0) {
		line[strcspn(line, " \t\n")] = '\0';
		if (is_node(line, index)) {
			snprintf(who, size, "used as swap");
			return true;
		}
	}
	return false;
}

/* Device-mapper, md and others leave a link; so does each partition of the device. */
static bool has_holder(const char *dir, char *who, size_t size)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(who, size, "held by /dev/%.200s", e->d_name);
		return true;
	}
	return false;
}

/* The numbers of the device and its partitions, and whether another device holds one of them. */
static bool look_at_parts(const char *root, int index, unsigned *ret_major, unsigned *ret_first,
			  unsigned *ret_last, char *who, size_t size)
{
	_cleanup_closedir_ DIR *d = NULL;
	char base[PATH_MAX / 2], path[PATH_MAX], text[64];
	unsigned minor;
	struct dirent *e;

	snprintf(base, sizeof(base), "%s/sys/block/nbd%d", root, index);
	*ret_major = *ret_first = *ret_last = 0;
	if (read_line(text, sizeof(text), "%s/dev", base) > 0 &&
	    sscanf(text, "%u:%u", ret_major, ret_first) == 2)
		*ret_last = *ret_first;
	snprintf(path, sizeof(path), "%s/holders", base);
	if (has_holder(path, who, size))
		return true;
	d = opendir(base);
	while (d && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, "nbd", 3) != 0)
			continue;
		if (read_line(text, sizeof(text), "%s/%s/dev", base, e->d_name) > 0 &&
		    sscanf(text, "%*u:%u", &minor) == 1 && minor > *ret_last)
			*ret_last = minor;
		snprintf(path, sizeof(path), "%s/%s/holders", base, e->d_name);
		if (has_holder(path, who, size))
			return true;
	}
	return false;
}

static bool is_looped(const char *root, int index, char *who, size_t size)
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[PATH_MAX], text[PATH_MAX];
	struct dirent *e;

	snprintf(path, sizeof(path), "%s/sys/block", root);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, "loop", 4) != 0 ||
		    read_line(text, sizeof(text), "%s/sys/block/%s/loop/backing_file", root,
			      e->d_name) <= 0 ||
		    !is_node(text, index))
			continue;
		snprintf(who, size, "under /dev/%.200s", e->d_name);
		return true;
	}
	return false;
}

/* Links are read, not followed: a file on a dead server must not stop us. */
static bool is_open_in(const char *root, const char *pid, int index)
{
	_cleanup_closedir_ DIR *d = NULL;
	char dir[PATH_MAX / 2], path[PATH_MAX], to[64];
	struct dirent *e;
	ssize_t n;

	snprintf(dir, sizeof(dir), "%s/proc/%s/fd", root, pid);
	d = opendir(dir);
	while (d && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		if (n <= 0)
			continue;
		to[n] = '\0';
		if (is_node(to, index))
			return true;
	}
	return false;
}

static bool is_open(const char *root, int index, char *who, size_t size)
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[PATH_MAX], name[64];
	struct dirent *e;

	snprintf(path, sizeof(path), "%s/proc", root);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]) || !is_open_in(root, e->d_name, index))
			continue;
		read_line(name, sizeof(name), "%s/proc/%s/comm", root, e->d_name);
		snprintf(who, size, "open in %s (pid %.10s)", name[0] ? name : "a process", e->d_name);
		return true;
	}
	return false;
}

/* Last: it may read the partition table, which the others do not. */
static bool is_claimed(const char *root, int index, char *who, size_t size)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/dev/nbd%d", root, index);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY) {
		snprintf(who, size, "claimed by something that the kernel does not name");
		return true;
	}
	if (fd >= 0)
		close(fd);
	return false;
}

bool nbd_device_in_use(const char *root, int index, char *who, size_t size)
{
	unsigned major, first, last;

	if (look_at_parts(root, index, &major, &first, &last, who, size))
		return true;
	return (major && is_mounted(root, major, first, last, who, size)) ||
	       is_swap(root, index, who, size) || is_looped(root, index, who, size) ||
	       is_open(root, index, who, size) || is_claimed(root, index, who, size);
}
