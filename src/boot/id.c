/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * id.c - lunmux_id, for udev's rules: whose a device is, as properties of it.
 *
 *   LUNMUX_ROLE=path|export   a path of a LUN, or what the LUN is attached as
 *   LUNMUX_NAME=db01          its alias
 *   LUNMUX_ID=3600a0980...    its WWID, fit for the name of a link
 *
 * Exit status: 0, or 1 for a device that is nobody's.
 */
#include "boot/boot.h"

#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *conf = getenv("LUNMUX_CONF"), *name;
	char lun_name[NAME_BYTES_MAX + 1] = "", wwid[WWID_BYTES_MAX + 1] = "", link[WWID_BYTES_MAX + 1];
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	enum boot_role role;

	if (argc != 2) {
		fputs("Usage: lunmux_id DEVICE\nWhich LUN of lunmux.conf(5) has it as a path, or is attached as it?\n",
		      stderr);
		return 2;
	}
	/* A bad file is lunmuxd's to complain about: here it lists no LUN. */
	if (config_load(conf ? conf : CONFIG_FILE, &c, &errs) < 0)
		config_parse("", "", 0, &c, &errs);
	conf_errors_clear(&errs);
	if (!c)
		return 1;
	name = strrchr(argv[1], '/') ? strrchr(argv[1], '/') + 1 : argv[1];
	role = boot_whose(c, name, lun_name, wwid);
	config_free(c);
	if (role == BOOT_NOBODYS)
		return 1;
	boot_link_name(wwid, link);
	printf("LUNMUX_ROLE=%s\nLUNMUX_NAME=%s\nLUNMUX_ID=%s\n", role == BOOT_PATH ? "path" : "export",
	       lun_name, link);
	return fflush(stdout) ? 1 : 0;
}
