#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# The service as an administrator has it, under systemd: the machine has booted with a file system of the LUN mounted by
# /etc/fstab, eight writers fsync into it. The daemon is killed, restarted, reloaded, upgraded, stopped in its tracks for
# the watchdog, and stopped while no path answers: no writer meets an error, and what was fsynced is there.

. ./lib.sh
. ./writers.sh
need lunmuxctl perl jq systemctl
# What init has set up stays.
case_clean() { [ -z "$writers" ] || has_ended $writers || kill -TERM $writers; }

unit=lunmux@lun.service
# property NAME
property() { systemctl show -p "$1" --value $unit; }
property_is() { [ "$(property "$1")" = "$2" ]; }
main_pid() { property MainPID; }
# serves [OTHER-THAN-PID]: by a process other than that one
serves()
{
	local state pid
	{ read -r state; read -r pid; } < <(systemctl show -p ActiveState -p MainPID --value $unit | sort)
	[[ $state =~ ^[0-9]+$ ]] && { local x=$state; state=$pid pid=$x; }
	[ "$state" = active ] && [ "$pid" != 0 ] && [ "$pid" != "${1:-0}" ]
}

say "the boot"
p=(0:0:0:0 1:0:0:0)
check "lunmux@lun has started" wait_for 60 serves
equal "by generator and lunmux.target" "$(property WantedBy | tr ' ' '\n' | sort | tr '\n' ' ')" "lunmux.target srv-lun.mount "
check "/etc/fstab has its mount" wait_for 30 mountpoint -q /srv/lun
equal "of the link that udev makes" "$(readlink -f /dev/lunmux/lun)" "$(findmnt -no SOURCE /srv/lun)"
equal "by its WWID, too" "$(readlink -f /dev/disk/by-id/lunmux-*)" "$(findmnt -no SOURCE /srv/lun)"
dev=$(findmnt -no SOURCE /srv/lun)
queue() { (cd "/sys/block/${dev#/dev/}/queue" && cat io_timeout max_sectors_kb scheduler | tr '\n' ' '); }
as_set="2000 1024 [none] mq-deadline kyber  "
equal "udev has set its queue" "$(queue)" "$as_set"
equal "nobody else is shown the paths" "$(udevadm info -q property -n /dev/sda | grep -E '^(ID_FS_TYPE|SYSTEMD_READY)=' | sort | tr '\n' ' ')" \
	"ID_FS_TYPE=lunmux_member SYSTEMD_READY=0 "
equal "it is the user lunmux" "$(stat -c %U "/proc/$(main_pid)")" lunmux
equal "its status text" "$(property StatusText)" "up, 2/2 paths"
writers_start /srv/lun
n=$(records)
check "writers at work" wait_for 20 wrote_since "$n" || die "nobody writes"

say "kill -9"
pid=$(main_pid)
kill -KILL "$pid"
check "it is there again" wait_for 20 serves "$pid"
say_stall "kill -9"
most "in ms" $stall_ms $((4000 * patience))
equal "its queue is as it was" "$(queue)" "$as_set"

say "systemctl restart"
pid=$(main_pid)
check "restart" systemctl restart $unit
check "another process" serves "$pid"
say_stall "restart"

say "systemctl reload"
pid=$(main_pid)
sed -i 's/polling_interval 500ms/polling_interval 700ms/' /etc/lunmux.conf
check "reload" systemctl reload $unit
check "by the same process" property_is MainPID "$pid"
check "and told" wait_for 10 grep -q 'reload' <(journalctl -b --no-pager -u $unit -n 20)

say "upgrade"
check "upgrade" ctl upgrade lun
say "$(tail -n 1 $work/output)"
check "by the same process" property_is MainPID "$pid"
check "it is active" wait_for 10 property_is ActiveState active
say_stall "upgrade"
most "in ms" $stall_ms $((1000 * patience))

say "the watchdog"
mkdir -p /run/systemd/system/$unit.d
printf '[Service]\nWatchdogSec=3s\n' >/run/systemd/system/$unit.d/99-test.conf
systemctl daemon-reload
check "restart" systemctl restart $unit
pid=$(main_pid)
kill -STOP "$pid"
check "it is killed and started again" wait_for 30 serves "$pid"
say_stall "stopped in its tracks, 3 s of watchdog"
most "in ms" $stall_ms $((10000 * patience))

say "a stop while no path answers"
pid=$(main_pid)
path_offline "${p[@]}"
check "no path is left" wait_for 15 ctl_nactive_is lun 0
begun=$SECONDS
check "systemctl stop" systemctl stop $unit
most "seconds" $((SECONDS - begun)) $((10 * patience))
check "the device stays, the mount with it" mountpoint -q /srv/lun
check "no writer has met an error" writers_live
path_online "${p[@]}"
check "start" systemctl start $unit
n=$(records)
check "writers at work" wait_for 30 wrote_since "$n"
say_stall "without a path and without a daemon"

writers_stop
writers_check /srv/lun
equal "nothing has failed" "$(systemctl list-units --failed --no-legend --plain)" ""
equal "no client met an error" "" \
	"$(dmesg_new | grep -E 'nbd[0-9]+: (Other side|Unexpected|Double|.*timed out)|error, dev nbd|EXT4-fs.*error')"
