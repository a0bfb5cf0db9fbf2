// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk_wwid.c - the names that the kernel knows for a block device's identity,
 * in the forms that it and multipath print.
 *
 *   device/wwid   SCSI: "naa.6001...", "eui.00..", "t10.ATA  Model  Serial"
 *   wwid          NVMe: "eui.00..", "uuid.1234-..", "nvme.1af4-.."
 *   dm/uuid       device-mapper: "mpath-36001...", "LVM-..."
 *   serial        virtio: up to 20 bytes, chosen by the host
 *
 * multipath writes the VPD designator type before the number: "3" for NAA, "2"
 * for EUI-64, "1" for T10, where runs of blanks become one underscore.  Nothing
 * else is translated; a form must agree as a whole, letter case aside.
 */
#include <config.h>

#include "path/blk_probe.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* One run of blanks is one underscore, none at the end. */
static void squeeze(char *s)
{
	char *to = s;

	for (const char *from = s; *from; from++) {
		if (!isspace((unsigned char)*from))
			*to++ = *from;
		else if (to > s && to[-1] != '_')
			*to++ = '_';
	}
	while (to > s && to[-1] == '_')
		to--;
	*to = '\0';
}

/* The same identity as multipath writes it; false if it has no other form. */
static bool other_form(const char *id, char *buf, size_t size)
{
	static const struct {
		const char *prefix, *instead;
	} forms[] = {
		{ "naa.", "3" }, { "eui.", "2" }, { "t10.", "1" }, { "mpath-", "" },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (strncasecmp(id, forms[i].prefix, strlen(forms[i].prefix)) != 0)
			continue;
		snprintf(buf, size, "%s%s", forms[i].instead, id + strlen(forms[i].prefix));
		squeeze(buf);
		return true;
	}
	return false;
}

/* A part of a disk is not the disk. */
static void add_partition(dev_t rdev, char *id, size_t size)
{
	uint64_t part;
	size_t len = strlen(id);

	if (blk_sysfs_u64(rdev, "partition", &part))
		snprintf(id + len, size - len, "-part%u", (unsigned)part);
}

int blk_wwid_match(dev_t rdev, const char *want, char *ident, size_t size)
{
	static const char *const attrs[] = { "device/wwid", "wwid", "dm/uuid", "serial" };
	char id[WWID_BYTES_MAX], form[WWID_BYTES_MAX + 8];
	bool any = false;

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		if (blk_sysfs_text(rdev, attrs[i], id, sizeof(id) - 16) <= 0)
			continue;
		add_partition(rdev, id, sizeof(id));
		if (strcasecmp(want, id) == 0 ||
		    (other_form(id, form, sizeof(form)) && strcasecmp(want, form) == 0)) {
			snprintf(ident, size, "%s", want);
			return 0;
		}
		if (!any)
			snprintf(ident, size, "%s", id);
		any = true;
	}
	return any ? -EREMCHG : -ENODATA;
}
