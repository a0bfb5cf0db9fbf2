# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The guest that vmrun starts unless VMGUEST names another: User Mode Linux.

# shellcheck disable=SC2034,SC2054,SC2154 # here, d, mem_mb and guest are vmrun's; options have commas

guest_needs()
{
	command -v linux.uml >/dev/null || skip "linux.uml is missing (package user-mode-linux)"
	[ -d /usr/lib/uml/modules ] || skip "/usr/lib/uml/modules is missing (package user-mode-linux)"
}

# What the guest needs in the shared directory.
guest_files()	{ cp "$here/vminit" "$d/init" && chmod 755 "$d/init"; }

# guest_command sets the command that runs it, as nobody: the job's output to standard output, the console to standard
# error.
guest_command()
{
	guest=(linux.uml mem="${mem_mb}M" rootfstype=hostfs hostfs=/ ro init="$d/init" vmdir="$d"
		uml_dir="$d/" umid=m con=null con0=null,fd:2 ssl=null ssl0=null,fd:1 panic=-1 oops=panic)
}
