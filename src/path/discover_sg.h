/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discover_sg.h - find the sg devices of a LUN in sysfs, without opening any. */
#ifndef PATH_DISCOVER_SG_H
#define PATH_DISCOVER_SG_H

#include <stdbool.h>

#include "base/limits.h"
#include "scsi/wwid.h"

/*
 * Names ("/dev/sg3") of the devices that sysfs says have WWID @wwid, any printed
 * form, by number.  Returns how many of at most @max; 0 also if there are no sg
 * devices at all.  A device of which sysfs knows no identity is not found.
 */
int discover_sg_scan(const char *wwid, bool allow_vpd80, char (*names)[PATH_NAME_BYTES],
		     int max);

/* Call @fn with each sg device that sysfs has, "sg3", by number. */
typedef void discover_sg_fn(void *arg, const char *sg);
void discover_sg_each(discover_sg_fn *fn, void *arg);

/* Who sysfs says @sg ("sg3") is, as the kernel read it when it found the device. False
 * if it says nothing. */
bool discover_sg_ident(const char *sg, bool allow_vpd80, struct ident *ret);

#endif
