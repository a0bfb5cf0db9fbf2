/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk_target.h - what a path shall be, and whether it is. */
#ifndef PATH_BLK_TARGET_H
#define PATH_BLK_TARGET_H

#include "path/blk_probe.h"

/* Is what @f was found to be the LUN?  0 and f->ident, or -EREMCHG and a line. */
int blk_target_match(const struct blk_target *t, struct blk_facts *f, char *err, size_t err_size);
/* Format a line for the administrator, return @r. */
int blk_say(char *err, size_t err_size, int r, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
