/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_sysfs.c - attributes of an sg device and its host, the block device beside
 * it, and the claim on that.
 *
 * Small files only, none of which makes the kernel talk to the device.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "path/sg_sysfs.h"

const char *sg_sys_root = "/sys";
const char *sg_proc_root = "/proc";

/* --- attributes --- */

ssize_t sg_attr_text(const char *sg, const char *attr, char *buf, size_t size)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/class/scsi_generic/%s/device/%s", sg_sys_root,
		 sg, attr);
	return sys->read_file(name, buf, size);
}

ssize_t sg_attr_bytes(const char *sg, const char *attr, void *buf, size_t size)
{
	char name[PATH_MAX], *at = buf;
	size_t len = 0;
	ssize_t n = 0;
	int fd;

	snprintf(name, sizeof(name), "%s/class/scsi_generic/%s/device/%s", sg_sys_root,
		 sg, attr);
	fd = sys->open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	while (len < size) {
		n = sys->read(fd, at + len, size - len);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	sys->close(fd);
	return n < 0 ? n : (ssize_t)len;
}

ssize_t sg_host_text(int host, const char *attr, char *buf, size_t size)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/class/scsi_host/host%d/%s", sg_sys_root, host,
		 attr);
	return sys->read_file(name, buf, size);
}

static bool number(const char *text, long *ret)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (end == text || errno)
		return false;
	*ret = v;
	return true;
}

bool sg_attr_long(const char *sg, const char *attr, long *ret)
{
	char buf[64];

	return sg_attr_text(sg, attr, buf, sizeof(buf)) > 0 && number(buf, ret);
}

bool sg_attr_counter(const char *sg, const char *attr, uint32_t *ret)
{
	unsigned long v;
	char buf[64], *end;

	if (sg_attr_text(sg, attr, buf, sizeof(buf)) <= 0)
		return false;
	errno = 0;
	v = strtoul(buf, &end, 0);
	if (end == buf || errno)
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool sg_host_long(int host, const char *attr, long *ret)
{
	char buf[64];

	return sg_host_text(host, attr, buf, sizeof(buf)) > 0 && number(buf, ret);
}

/* The adapter is one of the host's ancestors: a transport may put levels in between. */
int sg_host_node(int host)
{
	static const char *const up[] = {
		"device/../numa_node",
		"device/../../numa_node",
		"device/../../../numa_node",
	};
	long node;
	size_t i;

	for (i = 0; i < sizeof(up) / sizeof(up[0]); i++) {
		if (sg_host_long(host, up[i], &node))
			return node >= 0 ? (int)node : -1;
	}
	return -1;
}

/* kernfs numbers its nodes with a generation, so a directory that is made again under
 * the old name is another inode. */
bool sg_kobject(const char *sg, char *ret, size_t size)
{
	char path[PATH_MAX], link[PATH_MAX], dev[32] = "";
	const char *address = "";
	ssize_t n;
	ino_t ino;

	ret[0] = 0;
	snprintf(path, sizeof(path), "%s/class/scsi_generic/%s", sg_sys_root, sg);
	if (sys->inode(path, &ino) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/class/scsi_generic/%s/dev", sg_sys_root, sg);
	sys->read_file(path, dev, sizeof(dev));
	snprintf(path, sizeof(path), "%s/class/scsi_generic/%s/device", sg_sys_root, sg);
	n = readlink(path, link, sizeof(link) - 1);
	if (n > 0) {
		link[n] = 0;
		address = strrchr(link, '/') ? strrchr(link, '/') + 1 : link;
	}
	snprintf(ret, size, "%s %.40s %llu", dev, address, (unsigned long long)ino);
	return true;
}

/* --- the target --- */

/* A transport class lists a device under the name that it has in the device tree. */
static const struct {
	const char *prefix; /* of the ancestor of the device */
	const char *class, *attr;
} nodes[] = {
	{"target", "fc_transport", "node_name"},
	{"session", "iscsi_session", "targetname"},
	{"end_device-", "sas_device", "sas_address"},
};

/* False if ancestor @name is no target of a transport that names its targets. */
static bool node_of(const char *name, char *ret, size_t size)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (strncmp(name, nodes[i].prefix, strlen(nodes[i].prefix)))
			continue;
		snprintf(path, sizeof(path), "%s/class/%s/%s/%s", sg_sys_root,
			 nodes[i].class, name, nodes[i].attr);
		if (sys->read_file(path, ret, size) > 0)
			return true;
	}
	return false;
}

void sg_node_name(const char *sg, char *ret, size_t size)
{
	_cleanup_free_ char *real = NULL;
	char link[PATH_MAX], text[256], *at;

	ret[0] = '\0';
	snprintf(link, sizeof(link), "%s/class/scsi_generic/%s/device", sg_sys_root,
		 sg);
	real = realpath(link, NULL);
	/* From the device upwards: ".../host2/rport-2:0-0/target2:0:0/2:0:0:1". */
	while (real && (at = strrchr(real, '/'))) {
		if (node_of(at + 1, text, sizeof(text))) {
			snprintf(ret, size, "%s", text);
			return;
		}
		*at = '\0';
	}
}

/* --- the block device --- */

/* First name in a directory that is no dot name and, with @prefix, starts so. */
static bool first_entry(const char *dir, const char *prefix, char *ret, size_t size)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return false;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' ||
		    (prefix && strncmp(e->d_name, prefix, strlen(prefix))))
			continue;
		return (size_t)snprintf(ret, size, "%s", e->d_name) < size;
	}
	return false;
}

bool sg_block_name(const char *sg, char *ret, size_t size)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/class/scsi_generic/%s/device/block", sg_sys_root,
		 sg);
	return first_entry(dir, NULL, ret, size);
}

/* The device-mapper or RAID device on top of @block: its name, and a map's alias. */
static bool find_holder(const char *block, char *msg, size_t size)
{
	char path[PATH_MAX], holder[NAME_MAX + 1], alias[128];

	snprintf(path, sizeof(path), "%s/class/block/%s/holders", sg_sys_root, block);
	if (!first_entry(path, NULL, holder, sizeof(holder)))
		return false;
	snprintf(path, sizeof(path), "%s/class/block/%s/dm/name", sg_sys_root, holder);
	if (sys->read_file(path, alias, sizeof(alias)) > 0)
		snprintf(msg, size,
			 "/dev/%s is held by the device-mapper map %s (%s); remove the "
			 "map, and keep "
			 "multipathd off this WWID by its blacklist",
			 block, alias, holder);
	else
		snprintf(msg, size, "/dev/%s is held by /dev/%s; stop that first",
			 block, holder);
	return true;
}

/*
 * Mounts are found by device number: their names are whatever was given to
 * mount(8).  proc(5) mountinfo: id, parent, major:minor, root, mount point.
 */
static bool find_mount(const char *block, char *msg, size_t size)
{
	char path[PATH_MAX], dev[32], line[4096], at[256], num[32];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/class/block/%s/dev", sg_sys_root, block);
	if (sys->read_file(path, dev, sizeof(dev)) <= 0)
		return false;
	snprintf(path, sizeof(path), "%s/self/mountinfo", sg_proc_root);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %31s %*s %255s", num, at) == 2 &&
		    !strcmp(num, dev)) {
			snprintf(msg, size,
				 "/dev/%s is mounted on %s; unmount it first", block,
				 at);
			return true;
		}
	}
	return false;
}

static bool find_swap(const char *block, char *msg, size_t size)
{
	char path[PATH_MAX], line[4096], name[256];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/swaps", sg_proc_root);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "/dev/%255s", name) == 1 && !strcmp(name, block)) {
			snprintf(msg, size, "/dev/%s is swap space; swapoff it first",
				 block);
			return true;
		}
	}
	return false;
}

static bool find_user_of(const char *block, char *msg, size_t size)
{
	return find_holder(block, msg, size) || find_mount(block, msg, size) ||
	       find_swap(block, msg, size);
}

/* Who uses the disk, or one of its partitions (sda1 stands in sda's directory)? */
static bool find_user(const char *block, char *msg, size_t size)
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[PATH_MAX];
	struct dirent *e;

	if (find_user_of(block, msg, size))
		return true;
	snprintf(path, sizeof(path), "%s/class/block/%s", sg_sys_root, block);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, block, strlen(block)) == 0 &&
		    find_user_of(e->d_name, msg, size))
			return true;
	}
	return false;
}

int sg_claim(const char *block, int *ret_fd, char *msg, size_t msg_size)
{
	char node[NAME_MAX + 8];
	int fd;

	snprintf(node, sizeof(node), "/dev/%s", block);
	/* O_NONBLOCK: an empty drive can be claimed, too. */
	fd = sys->open(node, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (find_user(block, msg, msg_size))
		return -EBUSY;
	if (fd == -EBUSY) {
		snprintf(msg, msg_size,
			 "%s is in use by another program (another lunmuxd?); fuser -v "
			 "%s may name it",
			 node, node);
		return -EBUSY;
	}
	snprintf(msg, msg_size, "%s cannot be held against other users: %s", node,
		 strerror(-fd));
	*ret_fd = fd;
	return 0;
}
