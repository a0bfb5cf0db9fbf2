/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discover.c - one list of candidates out of the scans of the single kinds. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "path/discover.h"
#include "path/discover_loop.h"
#include "path/discover_sg.h"

#define FILE_PREFIX "file:"

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
