/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discover.h - all paths of a LUN that this machine has now, whatever their driver. */
#ifndef PATH_DISCOVER_H
#define PATH_DISCOVER_H

#include <stdbool.h>

#include "base/limits.h"

enum discover_kind { DISCOVER_SG, DISCOVER_BLK };

struct discover_found {
	enum discover_kind kind;    /* the driver to open it with */
	char name[PATH_NAME_BYTES]; /* "/dev/sg3", "/dev/loop4", "/srv/lab.img" */
};

/*
 * @wwid as configured.  "file:/srv/lab.img": the loop devices that stand on that
 * file, and if there is none the file itself; any other: the sg devices that
 * sysfs says have it.
 *
 * How many were found, at most @max; 0: none now.  -ENAMETOOLONG: the file's own
 * name is longer than a path's may be; -ENOMEM; -errno of the loop scan.
 */
int discover_scan(const char *wwid, bool allow_vpd80, struct discover_found *ret,
		  int max);

#endif
