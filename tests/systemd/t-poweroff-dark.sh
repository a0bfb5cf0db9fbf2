#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
# alone
#
# The machine is switched off while no path answers and a service hangs in its writes: they cannot end, but the shutdown
# can. Nothing waits longer than the time limits of systemd, which are five seconds here.

. ./lib.sh
. ./writers.sh
need lunmuxctl perl systemctl
case_clean() { echo >/run/seen; }

check "the mount is there" wait_for 60 mountpoint -q /srv/lun
pid=$(systemctl show -p MainPID --value lunmux@lun)
systemd-run -q --unit=writers -p RequiresMountsFor=/srv/lun perl $work/writers.pl /srv/lun $work/log $nwriters $nslots
check "a service writes" wait_for 20 wrote_since 0
path_offline 0:0:0:0 1:0:0:0
check "no path is left" wait_for 15 ctl_nactive_is lun 0

begun=$SECONDS
systemctl poweroff --no-block 2>/dev/null # nobody is logged in, says no bus
is_down() { [ -e /run/down ]; }
check "the shutdown gets there" wait_for 100 is_down
say "after $((SECONDS - begun)) s"
most "seconds" $((SECONDS - begun)) $((40 * patience))
check "the daemon has ended" test ! -e "/proc/$pid"
