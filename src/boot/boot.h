/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.h - what the machine's boot asks of lunmux.conf: which daemons are to run
 * (lunmux-generator, for systemd), and whose a device is (lunmux_id, for udev).
 *
 * Only looks: nothing is opened but small files, no device is talked to, and no
 * daemon need run.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/limits.h"
#include "config/config.h"

/* --- names.c ------------------------------------------------------------------- */

/* The name of systemd's unit for @path, without its suffix, as systemd-escape --path makes it: "srv-my\x20data" for
 * "/srv/my data/". False if @size bytes are too few. */
bool boot_unit_name(const char *path, char *buf, size_t size);

/* @wwid, in the form that all of its spellings have in common, as part of a device link's name: what udev would not
 * take is '_'. @buf has WWID_BYTES_MAX + 1 bytes. */
void boot_link_name(const char *wwid, char *buf);

/* The LUN whose device is called @dev in /dev: "/dev/lunmux/NAME", "/dev/disk/by-id/lunmux-WWID", the /dev/nbdN that the
 * configuration names, or a partition of one of these; NULL: none. */
const struct lun_conf *boot_lun_of_link(const struct config *c, const char *dev);

/* A word of a unit file, quoted, so that systemd reads back @text. */
void boot_put_word(FILE *f, const char *text);

/* --- units.c ------------------------------------------------------------------- */

/* Below @dir, a directory for generated units: for each LUN a link by which lunmux.target starts its daemon, and what
 * its service needs beyond the common rights; for each mount in @fstab (NULL: none) that stands on a LUN, that it waits
 * for the daemon. 0 or -errno, printed. */
int boot_write_units(const struct config *c, const char *fstab, const char *dir);

/* --- whose.c -------------------------------------------------------------------- */

enum boot_role { BOOT_NOBODYS, BOOT_PATH, BOOT_EXPORT };

/* Is device @name ("sda", "sg3", "loop4", "nbd0") a path of one of the LUNs, or what one of them is attached as?
 * *ret is the LUN, if it is listed, and the LUN's name and WWID are in @lun_name, @wwid (NAME_BYTES_MAX + 1 and
 * WWID_BYTES_MAX + 1 bytes). */
enum boot_role boot_whose(const struct config *c, const char *name, char *lun_name, char *wwid);

/* "/sys" and "/proc"; tests put trees of their own here. */
extern const char *boot_sys_root, *boot_proc_root;

#endif
