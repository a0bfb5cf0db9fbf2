# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A guest of User Mode Linux that is started by systemd, with lunmux installed, for tests/uml/vmrun (which sources this
# where VMGUEST names it). BUILD is the build directory that it is installed from.

# shellcheck disable=SC2034,SC2054,SC2154 # here, d, mem_mb and guest are vmrun's; options have commas

guest_needs()
{
	command -v linux.uml >/dev/null || skip "linux.uml is missing (package user-mode-linux)"
	[ -d /usr/lib/uml/modules ] || skip "/usr/lib/uml/modules is missing (package user-mode-linux)"
	[ -x /lib/systemd/systemd ] || skip "systemd is missing"
	[ -x /lib/systemd/systemd-udevd ] || skip "systemd-udevd is missing (package udev)"
	[ -f "${BUILD:-}/Makefile" ] || skip "BUILD names no build directory"
}

# What the guest needs in the shared directory: lunmux as "make install" has it, and what is process 1 before systemd.
guest_files()
{
	make -s -C "$BUILD" install DESTDIR="$d/root" >"$d/install.log" 2>&1 || { cat "$d/install.log" >&2; return 1; }
	rm -rf "$d/root/usr/share" "$d/root/usr/local/share"
	cp "${VMGUEST%/*}/init" "$d/init" && chmod 755 "$d/init"
}

# guest_command sets the command that runs it, as nobody: the job's output to standard output, the console to standard
# error.
guest_command()
{
	guest=(linux.uml mem="${mem_mb}M" rootfstype=hostfs hostfs=/ ro init="$d/init" vmdir="$d"
		uml_dir="$d/" umid=m con=null con0=null,fd:2 ssl=null ssl0=null,fd:1 panic=-1 oops=panic)
}
