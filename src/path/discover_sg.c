/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * discover_sg.c - find the sg devices of a LUN by what the kernel's scan has left
 * in sysfs.
 *
 * This only finds candidates: the identity in sysfs is as old as the scan, so the
 * path's own check asks the device again.  No device is opened, least of all a
 * foreign one.
 */
#include <config.h>

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "path/discover_sg.h"
#include "path/sg_sysfs.h"
#include "scsi/inquiry.h"

#define VPD_ATTR_BYTES \
	4096 /* sysfs gives at most a page of a binary attribute at once */

/*
 * The kernel's own rendering, "naa.6001405...", "eui.0025...", "t10.LIO-ORG  ...":
 * what is left where the binary page may not be read.
 */
static bool ident_from_attr(const char *sg, struct ident *id)
{
	char text[WWID_BYTES_MAX];
	const char *rest;
	size_t n = 1;
	char kind;

	if (sg_attr_text(sg, "wwid", text, sizeof(text)) < 5)
		return false;
	if (!strncmp(text, "naa.", 4))
		kind = '3';
	else if (!strncmp(text, "eui.", 4))
		kind = '2';
	else if (!strncmp(text, "t10.", 4))
		kind = '1';
	else
		return false;
	memset(id, 0, sizeof(*id));
	id->wwid[0] = kind;
	for (rest = text + 4; *rest; rest++) {
		/* As multipath prints it: one '_' for a run of spaces, none at the end.
		 */
		if (*rest == ' ') {
			while (rest[1] == ' ')
				rest++;
			if (rest[1])
				id->wwid[n++] = '_';
			continue;
		}
		id->wwid[n++] = *rest;
	}
	return n > 1;
}

static void attr_word(const char *sg, const char *attr, char *ret, size_t size)
{
	char text[64];
	ssize_t n = sg_attr_text(sg, attr, text, sizeof(text));

	while (n > 0 && text[n - 1] == ' ')
		n--;
	snprintf(ret, size, "%.*s", n > 0 ? (int)n : 0, text);
}

static bool ident_from_serial(const char *sg, struct ident *id)
{
	uint8_t page[VPD_ATTR_BYTES];
	struct inquiry inq = {0};
	ssize_t n;

	n = sg_attr_bytes(sg, "vpd_pg80", page, sizeof(page));
	if (n <= 0 || !ident_add_serial(id, page, (size_t)n))
		return false;
	attr_word(sg, "vendor", inq.vendor, sizeof(inq.vendor));
	attr_word(sg, "model", inq.product, sizeof(inq.product));
	return ident_wwid_from_serial(id, &inq);
}

bool discover_sg_ident(const char *sg, bool allow_vpd80, struct ident *ret)
{
	uint8_t page[VPD_ATTR_BYTES];
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	n = sg_attr_bytes(sg, "vpd_pg83", page, sizeof(page));
	if (n > 0 && ident_from_vpd83(page, (size_t)n, ret))
		return true;
	if (ident_from_attr(sg, ret))
		return true;
	return allow_vpd80 && ident_from_serial(sg, ret);
}

/* "sg12" is 12; -1 for other names. */
static long sg_number(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "sg", 2) || !isdigit((unsigned char)name[2]))
		return -1;
	n = strtol(name + 2, &end, 10);
	return *end || n > INT_MAX ? -1 : n;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	long x = sg_number((*a)->d_name), y = sg_number((*b)->d_name);

	return x < y ? -1 : x > y;
}

static int is_sg(const struct dirent *e)
{
	return sg_number(e->d_name) >= 0;
}

void discover_sg_each(discover_sg_fn *fn, void *arg)
{
	struct dirent **list;
	char dir[PATH_MAX];
	int i, n;

	snprintf(dir, sizeof(dir), "%s/class/scsi_generic", sg_sys_root);
	n = scandir(dir, &list, is_sg, by_number);
	for (i = 0; i < n; i++) {
		if (strlen(list[i]->d_name) < PATH_NAME_BYTES - 5)
			fn(arg, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

struct search {
	const char *wwid;
	bool allow_vpd80;
	char (*names)[PATH_NAME_BYTES];
	int found, max;
};

static void search_one(void *arg, const char *sg)
{
	struct search *s = arg;
	struct ident id;

	if (s->found < s->max && discover_sg_ident(sg, s->allow_vpd80, &id) &&
	    wwid_matches(s->wwid, &id))
		snprintf(s->names[s->found++], PATH_NAME_BYTES, "/dev/%.*s",
			 PATH_NAME_BYTES - 6, sg);
}

int discover_sg_scan(const char *wwid, bool allow_vpd80, char (*names)[PATH_NAME_BYTES],
		     int max)
{
	struct search s = {wwid, allow_vpd80, names, 0, max};

	discover_sg_each(search_one, &s);
	return s.found;
}
