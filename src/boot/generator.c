/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generator.c - lunmux-generator, see systemd.generator(7): run before any unit
 * is loaded, with next to nothing of the system there.
 */
#include "boot/boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *conf = getenv("LUNMUX_CONF"), *fstab = getenv("SYSTEMD_FSTAB");
	struct conf_errors errs = { 0 };
	struct config *c = NULL;
	int r;

	if (argc != 2 && argc != 4) {
		fputs("Usage: lunmux-generator DIR [EARLY-DIR LATE-DIR]\n"
		      "systemd runs it; lunmux.conf(5) says which LUNs there are.\n",
		      stderr);
		return 2;
	}
	r = config_load(conf ? conf : CONFIG_FILE, &c, &errs);
	/* Not configured is not wrong. Warnings are lunmuxd's to give, once. */
	if (r < 0 && r != -ENOENT) {
		conf_errors_print(&errs, stderr);
		fprintf(stderr, "lunmux-generator: no LUN is started: the configuration is bad\n");
	}
	conf_errors_clear(&errs);
	if (r < 0)
		return r == -ENOENT ? 0 : 1;
	r = boot_write_units(c, fstab ? fstab : "/etc/fstab", argv[1]);
	config_free(c);
	return r < 0 ? 1 : 0;
}
