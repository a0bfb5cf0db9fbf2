/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discover.c - one list of candidates out of the scans of the single kinds. */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "base/units.h"
#include "path/discover.h"
#include "path/discover_loop.h"
#include "path/discover_sg.h"
#include "path/sg_sysfs.h"

#define FILE_PREFIX "file:"
#define IDENT_FILE  "file "

static int scan_file(const char *file, char (*names)[PATH_NAME_BYTES], int max)
{
	int n = discover_loop_scan(file, names, max);

	if (n != 0)
		return MIN(n, max);
	if (strlen(file) >= PATH_NAME_BYTES)
		return -ENAMETOOLONG;
	snprintf(names[0], PATH_NAME_BYTES, "%s", file);
	return 1;
}

int discover_scan(const char *wwid, bool allow_vpd80, struct discover_found *ret,
		  int max)
{
	_cleanup_free_ char(*names)[PATH_NAME_BYTES] = NULL;
	bool is_file = !strncmp(wwid, FILE_PREFIX, strlen(FILE_PREFIX));
	int i, n;

	if (max <= 0)
		return 0;
	names = calloc((size_t)max, sizeof(*names));
	if (!names)
		return -ENOMEM;
	if (is_file)
		n = scan_file(wwid + strlen(FILE_PREFIX), names, max);
	else
		n = discover_sg_scan(wwid, allow_vpd80, names, max);
	for (i = 0; i < n; i++) {
		ret[i].kind = is_file ? DISCOVER_BLK : DISCOVER_SG;
		memcpy(ret[i].name, names[i], PATH_NAME_BYTES);
	}
	return n;
}

/* --- one name ------------------------------------------------------------------------- */

#define SG_PREFIX "/dev/sg"

/* "sg3" for "/dev/sg3" and for links to it, NULL for anything else. The device need not be there. */
static const char *sg_base(const char *name, char *real)
{
	unsigned n;
	int end;

	if (strncmp(name, SG_PREFIX, strlen(SG_PREFIX)) != 0) {
		if (!realpath(name, real))
			return NULL;
		name = real;
	}
	if (sscanf(name, SG_PREFIX "%6u%n", &n, &end) != 1 || name[end])
		return NULL;
	return name + strlen("/dev/");
}

enum discover_kind discover_kind_of(const char *name)
{
	char real[PATH_MAX];

	return sg_base(name, real) ? DISCOVER_SG : DISCOVER_BLK;
}

/* A loop device is the same kernel object whatever it stands for; its medium has a number of its
 * own, which no later one gets (Linux 5.15). */
static void block_ident(dev_t rdev, char *ret)
{
	char path[64], seq[24] = "";
	struct stat st;

	/* Without sysfs the number has to do. */
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(rdev), minor(rdev));
	if (stat(path, &st) < 0)
		st.st_ino = 0;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/diskseq", major(rdev), minor(rdev));
	sys->read_file(path, seq, sizeof(seq));
	snprintf(ret, DISCOVER_IDENT_BYTES, "%u:%u %llu %s", major(rdev), minor(rdev),
		 (unsigned long long)st.st_ino, seq);
}

void discover_ident(const char *name, char *ret)
{
	char real[PATH_MAX];
	const char *sg = sg_base(name, real);
	struct stat st;

	ret[0] = '\0';
	if (sg)
		sg_kobject(sg, ret, DISCOVER_IDENT_BYTES);
	else if (stat(name, &st) < 0)
		return;
	else if (S_ISBLK(st.st_mode))
		block_ident(st.st_rdev, ret);
	else
		snprintf(ret, DISCOVER_IDENT_BYTES, IDENT_FILE "%u:%u %llu", major(st.st_dev),
			 minor(st.st_dev), (unsigned long long)st.st_ino);
}

bool discover_ident_is_file(const char *ident)
{
	return !strncmp(ident, IDENT_FILE, strlen(IDENT_FILE));
}
