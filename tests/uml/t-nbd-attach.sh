#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# nbd_device auto: a file system on /dev/nbdN lives through crashes of lunmuxd. Eight writers fsync record after record;
# the daemon is killed at random and started again at once; no writer meets an error, what was fsynced is there, fsck
# finds nothing. An upgrade is a short wait. A time without a path cuts nothing, SIGTERM leaves a device in use and detaches one that nobody uses.
#
# VMENV="KILLS FSTYPE" with KILLS=20 FSTYPE=xfs: more crashes, another file system.

. ./lib.sh
. ./writers.sh
fstype=${FSTYPE:-ext4} kills=${KILLS:-2}
case $fstype in
ext4) size_mb=64 fsck=(e2fsck -fn) ;;
xfs) size_mb=320 fsck=(xfs_repair -n) ;;
esac
need lunmuxd lunmuxctl "mkfs.$fstype" "${fsck[0]}" perl jq
mkdir -p $work/mnt

# What status says of the device: device MEMBER
device() { ctl --json status lun | jq -r ".luns[0].exports[] | select(.type == \"nbd-kernel\") | .$1"; }
device_is() { [ "$(device "$1")" = "$2" ]; }
# crash: kill -9, and a supervisor that starts it again at once
crash()
{
	kill -KILL "$lunmux_pid"
	{ wait "$lunmux_pid"; } 2>/dev/null
	lunmux_pid=
	lunmux_start lun
}

# A case before this one in the same guest may have loaded it.
[ ! -d /sys/module/nbd ] || modprobe -r nbd || die "nbd cannot be unloaded"
sdebug_load 2 dev_size_mb=$size_mb ndelay=1000000 || die "scsi_debug with two hosts"
lunmux_serve lun '' '' 'nbd_device auto'
check "without the module it says what to do" wait_for 10 device_is error \
	"cannot be attached: the kernel has no nbd driver. Hint: modprobe nbd"
nbd_load || die "nbd"
check "attached as soon as the module is there" wait_for 10 device_is state attached || exit 1
dev=$(device path)
equal "its identifier" "$(<"/sys/block/${dev#/dev/}/backend")" "lunmux:$wwid:lun"
equal "its queue" "$(cd "/sys/block/${dev#/dev/}/queue" && cat io_timeout max_sectors_kb scheduler | tr '\n' ' ')" \
	"2000 1024 [none] mq-deadline kyber  "
check "the size of the LUN" test "$(blockdev --getsize64 "$dev")" = $((size_mb << 20))
check "a file system" "mkfs.$fstype" -q "$dev"
check "mounted" mount_on "$dev" $work/mnt || exit 1

writers_start $work/mnt

say "$kills crashes"
for ((i = 1; i <= kills; i++)); do
	n=$(records)
	check "writers at work" wait_for 20 wrote_since "$n" || break
	nap "$((RANDOM % 2)).$((RANDOM % 10))"
	crash || die "lunmuxd starts after crash $i"
	writers_live || break
done
say_stall "crashes"
check "no writer has ended" writers_live
check "the device is the same" device_is path "$dev"
check "it was taken over" device_is takeovers 1

say "upgrades"
pid=$lunmux_pid
n=$(device takeovers)
for i in 1 2 3; do
	w=$(records)
	check "upgrade $i" ctl upgrade lun || break
	say "$(tail -n 1 $work/output)"
	check "writers at work" wait_for 20 wrote_since "$w"
done
say_stall "upgrades"
equal "the process and the program" "$(ctl --json status lun | jq -r '.luns[0].daemon | "\(.pid) \(.upgrade.count)"')" \
	"$pid 3"
check "the device is the same" device_is path "$dev"
check "and attached" device_is state attached
equal "by the same connection" "$(device takeovers) $(device attempts)" "$n 0"

say "no path for three times as long as the queue's timer"
n=$(device attempts)
path_offline "${paths[@]}"
check "no path is left" wait_for 10 ctl_nactive_is lun 0
nap 6
path_online "${paths[@]}"
check "the paths are back" wait_for 10 ctl_nactive_is lun 2
say_stall "without a path for 6 s"
check "by the same connection" device_is attempts "$n"

say "an orderly stop leaves a device that is in use"
lunmux_stop
check "and says why" grep -q "$dev is in use: mounted on $work/mnt: it stays" $lunmux_log
lunmux_start lun || die "lunmuxd starts again"
check "the next one takes it over" device_is takeovers 1
say_stall "stop and start"

writers_stop
check "unmounted" unmount $work/mnt
check "fsck finds nothing" "${fsck[@]}" "$dev"
check "mounted again" mount_on "$dev" $work/mnt
writers_check $work/mnt
check "unmounted" unmount $work/mnt

say "nobody uses it"
lunmux_stop
check "an orderly stop detaches it" nbd_dead "$dev"
check "and it is forgotten" test ! -e "/sys/block/${dev#/dev/}/backend"
# A connection that was lost is not an error, but an answer that was one, or any that the kernel could not use.
equal "no client met an error" "" \
	"$(dmesg_new | grep -E 'nbd[0-9]+: (Other side|Unexpected|Double|.*timed out)|error, dev nbd|EXT4-fs.*error|XFS .*([Ee]rror|[Ss]hut)')"
