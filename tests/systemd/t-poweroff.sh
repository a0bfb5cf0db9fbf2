#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
# alone
#
# The machine is switched off while a service writes to the LUN: that ends, the file system is unmounted, the daemon
# empties the LUN's cache and gives the device back, in this order; nothing is lost.

. ./lib.sh
. ./writers.sh
need lunmuxctl perl e2fsck systemctl
case_clean() { echo >/run/seen; }

check "the mount is there" wait_for 60 mountpoint -q /srv/lun
dev=$(findmnt -no SOURCE /srv/lun)
pid=$(systemctl show -p MainPID --value lunmux@lun)
systemd-run -q --unit=writers -p RequiresMountsFor=/srv/lun -p KillMode=mixed \
	-p ExecStopPost="/bin/sh -c 'echo \$EXIT_STATUS >$work/status'" \
	perl $work/writers.pl /srv/lun $work/log $nwriters $nslots
check "a service writes" wait_for 20 wrote_since 0

systemctl poweroff --no-block 2>/dev/null # nobody is logged in, says no bus
has_unmounted() { ! mountpoint -q /srv/lun; }
check "unmounted" wait_for 60 has_unmounted
equal "the writers had ended before, without an error" "$(cat $work/status)" 0
is_down() { [ -e /run/down ]; }
check "the daemon has ended, too" wait_for 60 is_down
check "its process" test ! -e "/proc/$pid"
equal "in the right order" "$(dmesg | grep -oE 'systemd.*: (Unmounted srv-lun.mount|Stopped lunmux@lun.service|Stopped writers.service)' |
	grep -oE '[a-z@-]+\.(mount|service)' | tr '\n' ' ')" "writers.service srv-lun.mount lunmux@lun.service "
check "the device is given back" nbd_dead "$dev"
check "fsck finds nothing" e2fsck -fn /dev/sda
check "mounted from a path" mount_on /dev/sda /run/case/mnt -o ro
writers_check /run/case/mnt
unmount /run/case/mnt
