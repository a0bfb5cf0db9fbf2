// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holders.c - who holds a block device: mounts, swap, devices on top of it, and who holds those.
 *
 * For people and their tools.  What decides whether a device may be taken is the claim, see
 * sg_claim() and blk_hold.c.
 */
#include <config.h>

#include "path/holders.h"
#include "base/cleanup.h"
#include "base/sys.h"
#include "path/discover_loop.h"
#include "path/sg_sysfs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Multipath, partition, crypt, LVM, a file system on a loop device: real stacks are lower. */
#define STACK_MAX 8

const char *const holder_kind_names[HOLDER_KIND_NR] = {
	[HOLDER_MOUNT] = "mount", [HOLDER_SWAP] = "swap", [HOLDER_MULTIPATH] = "multipath",
	[HOLDER_LVM] = "lvm",	  [HOLDER_CRYPT] = "crypt", [HOLDER_DM] = "dm",
	[HOLDER_MD] = "md",	  [HOLDER_LOOP] = "loop", [HOLDER_OTHER] = "other",
};

struct look {
	holder_fn *fn;
	void *arg;
	unsigned level;
	const char *block;   /* being looked at */
	char number[32];     /* its device number, "8:0" */
	char map[NAME_MAX + 1]; /* its name in device-mapper, "" */
};

static ssize_t block_text(const char *block, const char *attr, char *buf, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;

	buf[0] = '\0';
	snprintf(path, sizeof(path), "%s/class/block/%s/%s", sg_sys_root, block, attr);
	n = sys->read_file(path, buf, size);
	if (n < 0)
		buf[0] = '\0';
	return n;
}

static void tell(const struct look *l, enum holder_kind kind, const char *by, const char *name)
{
	struct holder h = {.kind = kind};

	snprintf(h.on, sizeof(h.on), "%s", l->block);
	snprintf(h.by, sizeof(h.by), "%s", by);
	snprintf(h.name, sizeof(h.name), "%s", name);
	l->fn(l->arg, &h);
}

/* Is @file the device that is looked at, by one of the names that the kernel prints? */
static bool is_node(const struct look *l, const char *file)
{
	if (strncmp(file, "/dev/", 5))
		return false;
	return !strcmp(file + 5, l->block) ||
	       (l->map[0] && !strncmp(file, "/dev/mapper/", 12) && !strcmp(file + 12, l->map));
}

/* proc(5): blanks and their like are \ooo in these files. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/*
 * proc(5) mountinfo: id, parent, major:minor, root, mount point, options, optional fields, "-",
 * type, source.  The number is made up for btrfs and others, the source is what was given to
 * mount(8): one of the two is right.
 */
static void look_mounts(const struct look *l)
{
	char path[PATH_MAX], num[32], at[PATH_MAX], source[PATH_MAX];
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	const char *rest;
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/self/mountinfo", sg_proc_root);
	f = fopen(path, "re");
	while (f && getline(&line, &room, f) > 0) {
		if (sscanf(line, "%*s %*s %31s %*s %4095s", num, at) != 2)
			continue;
		source[0] = '\0';
		rest = strstr(line, " - ");
		if (rest)
			(void)sscanf(rest, " - %*s %4095s", source);
		unescape(at);
		unescape(source);
		if (!strcmp(num, l->number) || is_node(l, source))
			tell(l, HOLDER_MOUNT, "", at);
	}
}

static void look_swaps(const struct look *l)
{
	char path[PATH_MAX], file[PATH_MAX];
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/swaps", sg_proc_root);
	f = fopen(path, "re");
	while (f && getline(&line, &room, f) > 0) {
		if (sscanf(line, "%4095s", file) != 1)
			continue;
		unescape(file);
		if (is_node(l, file))
			tell(l, HOLDER_SWAP, "", "");
	}
}

static enum holder_kind kind_of(const char *by)
{
	char uuid[NAME_MAX + 1];

	if (block_text(by, "dm/uuid", uuid, sizeof(uuid)) >= 0) {
		if (strstr(uuid, "mpath-"))
			return HOLDER_MULTIPATH;
		return !strncmp(uuid, "LVM-", 4)     ? HOLDER_LVM
		       : !strncmp(uuid, "CRYPT-", 6) ? HOLDER_CRYPT
						     : HOLDER_DM;
	}
	return !strncmp(by, "md", 2) ? HOLDER_MD : HOLDER_OTHER;
}

static void look_at(const struct look *above, const char *block);

static void look_stack(const struct look *l)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	struct dirent **list;
	int n;

	snprintf(path, sizeof(path), "%s/class/block/%s/holders", sg_sys_root, l->block);
	n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *by = list[i]->d_name;

		if (by[0] != '.') {
			block_text(by, "dm/name", name, sizeof(name));
			tell(l, kind_of(by), by, name);
			look_at(l, by);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static void look_loop(void *arg, const char *loop, const struct loop_backing *b)
{
	const struct look *l = arg;

	if (!is_node(l, b->file))
		return;
	tell(l, HOLDER_LOOP, loop, "");
	look_at(l, loop);
}

/* A partition's directory stands in its disk's, and has a number. */
static void look_partitions(const struct look *l)
{
	char path[PATH_MAX], attr[NAME_MAX + 16], num[16];
	struct dirent **list;
	int n;

	snprintf(path, sizeof(path), "%s/class/block/%s", sg_sys_root, l->block);
	n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(attr, sizeof(attr), "%s/partition", list[i]->d_name);
		if (!strncmp(list[i]->d_name, l->block, strlen(l->block)) &&
		    block_text(l->block, attr, num, sizeof(num)) > 0)
			look_at(l, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static void look_at(const struct look *above, const char *block)
{
	struct look l = {above->fn, above->arg, above->level + 1, block, "", ""};

	if (l.level > STACK_MAX)
		return;
	block_text(block, "dev", l.number, sizeof(l.number));
	block_text(block, "dm/name", l.map, sizeof(l.map));
	look_mounts(&l);
	look_swaps(&l);
	look_stack(&l);
	discover_loop_each(look_loop, &l);
	look_partitions(&l);
}

void holders_each(const char *block, holder_fn *fn, void *arg)
{
	struct look l = {.fn = fn, .arg = arg};

	look_at(&l, block);
}
