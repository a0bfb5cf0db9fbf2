/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wwid.h - who a logical unit is: its WWID as multipath-tools prints it, and all
 * its designators, to tell whether two paths lead to the same one.
 */
#ifndef SCSI_WWID_H
#define SCSI_WWID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct inquiry;

/*
 * The identity of the LU behind a path.  Text only, without pointers: it may be
 * copied, compared and printed as it is.
 */
struct ident {
	/* As in multipath.conf(5) and /dev/disk/by-id; "" if there is none. */
	char wwid[WWID_BYTES_MAX];
	/*
	 * What scsi_id, and with it udev's ID_SERIAL, says where that is another: it
	 * ranks NAA 3 above EUI-64 and T10, and knows no SCSI name strings.
	 */
	char udev_wwid[WWID_BYTES_MAX];
	/*
	 * Every designator of the LU once, sorted, separated by single spaces:
	 * "naa.600140512345678...", "eui.0025385...", "t10.ACME\x20...",
	 * "name.iqn.2003-01...", "uuid.", "md5.", "lugroup.", "vendor." and for
	 * other types "tN.".  In a word, bytes that are not printable and spaces
	 * are \xNN, so that different designators never print alike.
	 */
	char names[IDENT_BYTES_MAX];
	/* Unit serial number, "" if it was not read or the device has none. */
	char serial[WWID_BYTES_MAX];
	bool truncated; /* more names than have room; the first ones are here */
};

/*
 * Read the device identification page (83h) of @len bytes into wwid, udev_wwid,
 * names and truncated; serial is cleared.  Only designators of the LU count, and none
 * that is empty, blank, all zeroes or all ones.
 *
 * The WWID is that of the first designator of the best kind: NAA 6, NAA 5, NAA 2,
 * EUI-64, SCSI name string, T10 vendor ID, NAA 3.  It is '3' and the hex digits
 * of an NAA one, '2' and those of an EUI-64, '8' and what follows "iqn.", '1' and
 * the T10 text with '_' for each run of spaces.  A SCSI name string "naa." or
 * "eui." prints as the designator that it stands for.
 *
 * False if there is no designator to make a WWID of; names may be there still.
 */
bool ident_from_vpd83(const uint8_t *buf, size_t len, struct ident *ret);

/*
 * Add the serial number of page 80h.  False, and serial is left "", if it has none.
 */
bool ident_add_serial(struct ident *id, const uint8_t *buf, size_t len);

/*
 * Where the administrator has allowed it for a device without a usable page 83h:
 * make the WWID of vendor, product and serial number as scsi_id does, 'S' in
 * front and '_' for each run of spaces.  The serial must have been added; false,
 * and nothing is changed, if it is empty or there is a WWID already.
 */
bool ident_wwid_from_serial(struct ident *id, const struct inquiry *inq);

/*
 * Do two paths lead to the same LU?  All LU designators must be equal, and the
 * serial numbers where both are known.  False if nothing identifies @a.
 */
bool ident_equal(const struct ident *a, const struct ident *b);

/*
 * Does @configured name this LU?  Of the designator that made wwid or udev_wwid any
 * printed form will do, hex digits in either case and with or without '-', ':' and '_'
 * between them:
 *   3600140..., 600140..., naa.600140..., 0x600140..., wwn-0x..., scsi-3600140...
 *   20025385..., 0025385..., eui.0025385..., 0x0025385...
 *   82003-01.org..., iqn.2003-01.org..., 8iqn.2003-01.org...
 *   1VENDOR_text, t10.VENDOR text, with spaces or '_'
 *   SVENDOR_PRODUCT_serial
 */
bool wwid_matches(const char *configured, const struct ident *id);

#endif
