/* SPDX-License-Identifier: GPL-2.0-or-later */
/* whose.c - devices of the machine, and the LUNs of lunmux.conf. */
#include "boot/boot.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "path/discover_sg.h"
#include "path/sg_sysfs.h"

const char *boot_sys_root = "/sys", *boot_proc_root = "/proc";

#define FILE_PREFIX "file:"
#define BACKEND_PREFIX "lunmux:"
/* The kernel shows whose the device is a moment after it tells udev of it. */
#define BACKEND_WAIT_MS 1000

static bool has_number(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 && isdigit((unsigned char)name[len]) &&
	       strspn(name + len, "0123456789") == strlen(name + len);
}

static ssize_t read_attr(const char *root, const char *dir, const char *name, const char *attr,
			 char *buf, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s/%s", root, dir, name, attr);
	return sys->read_file(path, buf, size);
}

/* --- what a LUN is attached as --------------------------------------------------------- */

/* Is it a daemon of ours that the kernel calls the device's user? */
static bool attached_by_us(const char *name)
{
	char pid[32], comm[32];

	return read_attr(boot_sys_root, "block", name, "pid", pid, sizeof(pid)) > 0 &&
	       read_attr(boot_proc_root, ".", pid, "comm", comm, sizeof(comm)) > 0 &&
	       strncmp(comm, "lunmux", strlen("lunmux")) == 0;
}

/* "lunmux:WWID:NAME", as src/export/nbd_attach.c puts it together; a WWID may hold colons. */
static bool split_backend(const char *text, char *lun_name, char *wwid)
{
	const char *at = text + strlen(BACKEND_PREFIX), *end;

	if (strncmp(text, BACKEND_PREFIX, strlen(BACKEND_PREFIX)) != 0)
		return false;
	end = strrchr(at, ':');
	if (!end || end == at || end - at > WWID_BYTES_MAX || !config_name_valid(end + 1))
		return false;
	snprintf(wwid, WWID_BYTES_MAX + 1, "%.*s", (int)(end - at), at);
	snprintf(lun_name, NAME_BYTES_MAX + 1, "%s", end + 1);
	return true;
}

static bool nbd_whose(const char *name, char *lun_name, char *wwid)
{
	static const struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };
	char text[WWID_BYTES_MAX + NAME_BYTES_MAX + 16];

	for (unsigned ms = 0;; ms += 10) {
		if (read_attr(boot_sys_root, "block", name, "backend", text, sizeof(text)) > 0)
			return split_backend(text, lun_name, wwid);
		if (ms >= BACKEND_WAIT_MS || !attached_by_us(name))
			return false;
		nanosleep(&nap, NULL);
	}
}

/* --- paths --------------------------------------------------------------------------- */

/* The sg device beside a disk: @name itself, or what stands in its SCSI device's directory. */
static bool sg_of(const char *name, char *ret, size_t size)
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[PATH_MAX];
	struct dirent *e;

	if (has_number(name, "sg"))
		return (size_t)snprintf(ret, size, "%s", name) < size;
	snprintf(path, sizeof(path), "%s/block/%s/device/scsi_generic", boot_sys_root, name);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (has_number(e->d_name, "sg"))
			return (size_t)snprintf(ret, size, "%s", e->d_name) < size;
	return false;
}

/* The configuration names paths, and this is one of them, whatever link it was given by. */
static bool is_named_path(const struct lun_conf *l, const char *name, const char *sg)
{
	for (size_t i = 0; i < l->npaths; i++) {
		_cleanup_free_ char *real = realpath(l->paths[i], NULL);
		const char *path = real ? real : l->paths[i];

		if (strncmp(path, "/dev/", strlen("/dev/")) != 0)
			continue;
		path += strlen("/dev/");
		if (strcmp(path, name) == 0 || (sg && strcmp(path, sg) == 0))
			return true;
	}
	return false;
}

static bool loop_is(const struct lun_conf *l, const char *name)
{
	char backing[PATH_MAX];
	struct stat a, b;

	return strncmp(l->wwid, FILE_PREFIX, strlen(FILE_PREFIX)) == 0 &&
	       read_attr(boot_sys_root, "block", name, "loop/backing_file", backing, sizeof(backing)) > 0 &&
	       stat(backing, &a) == 0 && stat(l->wwid + strlen(FILE_PREFIX), &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool is_path(const struct lun_conf *l, const char *name, const char *sg)
{
	struct ident id;

	if (l->npaths)
		return is_named_path(l, name, sg);
	if (has_number(name, "loop"))
		return loop_is(l, name);
	return sg && discover_sg_ident(sg, l->allow_vpd80, &id) && wwid_matches(l->wwid, &id);
}

enum boot_role boot_whose(const struct config *c, const char *name, char *lun_name, char *wwid)
{
	char buf[32];
	const char *sg;

	/* It becomes part of file names. */
	if (!*name || strchr(name, '/') || name[0] == '.')
		return BOOT_NOBODYS;
	if (has_number(name, "nbd"))
		return nbd_whose(name, lun_name, wwid) ? BOOT_EXPORT : BOOT_NOBODYS;
	sg_sys_root = boot_sys_root;
	sg = sg_of(name, buf, sizeof(buf)) ? buf : NULL;
	for (size_t i = 0; i < c->nluns; i++) {
		const struct lun_conf *l = &c->luns[i];

		if (!is_path(l, name, sg))
			continue;
		snprintf(lun_name, NAME_BYTES_MAX + 1, "%s", l->alias);
		snprintf(wwid, WWID_BYTES_MAX + 1, "%s", l->wwid);
		return BOOT_PATH;
	}
	return BOOT_NOBODYS;
}
