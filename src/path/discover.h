/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discover.h - all paths of a LUN that this machine has now, whatever their driver. */
#ifndef PATH_DISCOVER_H
#define PATH_DISCOVER_H

#include <stdbool.h>

#include "base/limits.h"

enum discover_kind { DISCOVER_SG, DISCOVER_BLK };

#define DISCOVER_IDENT_BYTES 128

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

/* Is @name, as a path may be called, an sg device? Follows links. */
enum discover_kind discover_kind_of(const char *name);

/*
 * Which device or file has the name @name now, as text of DISCOVER_IDENT_BYTES at most
 * in @ret: equal only for the very same kernel object (or inode).  "" if there is none.
 * Opens nothing.
 */
void discover_ident(const char *name, char *ret);
/* Does @ident name a plain file? */
bool discover_ident_is_file(const char *ident);

#endif
