#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# Paths are found and dropped by events, with a polling interval so long that no timer can have done it: by the kernel's
# own events, and by udevd's. What the kernel reports about a device has its path checked: a LUN that has grown is served
# as large as it is now, one that has shrunk is not.

. ./lib.sh
need lunmuxd lunmuxctl jq sg_turs losetup nbdinfo

sdebug_load 3 || die "scsi_debug with three hosts"
p=${paths[1]}
npaths_is() { [ "$(ctl --json paths db01 | jq '.luns[0].path_list | length')" = "$1" ]; }
log_has() { grep -q "$1" "$lunmux_log"; }

# comes_and_goes WHO: a path leaves and returns
comes_and_goes()
{
	check "$1: events come from there" wait_for 10 log_has "events of devices come from $1"
	check "$1: a path is deleted" path_delete "$p"
	check "$1: it leaves" wait_for 5 npaths_is 2
	check "$1: it is found again" path_rescan "$p"
	check "$1: it is used again" wait_for 5 ctl_active db01 "$p"
	equal "$1: three active paths" "$(ctl_nactive db01)" 3
}

say "the kernel's own events"
lunmux_serve db01 "polling_interval 60m
    max_polling_interval 60m"
comes_and_goes "the kernel"

say "a unit attention that another program meets"
# The capacity changes on all paths; the one that the program asks tells.
echo 1 >"$sdebug_driver/virtual_gb" || die "virtual_gb"
sg_turs "$(sg_of "$p")" >/dev/null 2>&1
check "has the path checked" wait_for 5 log_has "$(sg_of "$p"): to be checked: the kernel reports CAPACITY_DATA_HAS_CHANGED"
size_is() { [ "$(ctl --json status db01 | jq '.luns[0].size_bytes')" = "$1" ]; }
check "the others are asked, and the LUN grows" wait_for 10 size_is $((1 << 30))
equal "three active paths" "$(ctl_nactive db01)" 3
equal "a new client is told so" "$(nbdinfo --size "$uri")" $((1 << 30))
check "nobody has to wait for it" log_has "has grown from 131072 to 2097152 blocks"

say "it shrinks"
echo 0 >"$sdebug_driver/virtual_gb"
sg_turs "$(sg_of "$p")" >/dev/null 2>&1
check "an alarm" wait_for 10 log_has "tells that the LUN has shrunk from 2097152 to 131072 blocks"
check "the path is not used" wait_for 5 ctl_is db01 "$p" failed
check "the size stays" size_is $((1 << 30))
lunmux_stop

say "a loop device that grows"
modprobe loop
truncate -s 16M $work/lab.img
l=$(losetup -f --show $work/lab.img) || die "losetup"
lunmux_conf lab "file:$work/lab.img" "polling_interval 60m
    max_polling_interval 60m"
check "served" lunmux_start lab
truncate -s 24M $work/lab.img
losetup -c "$l"
check "is checked" wait_for 5 log_has "$l: to be checked: the kernel reports a new size"
m=$(losetup -f --show $work/lab.img)
check "a second one is found when it is attached" wait_for 5 log_has "$m: added"
losetup -d "$m"
lunmux_stop
losetup -d "$l"

udevd=/lib/systemd/systemd-udevd
if [ ! -x $udevd ]; then
	[ "${CI:-}" != true ] || fail "udevd is missing"
	say "no udevd here"
	exit
fi
say "udevd's events"
$udevd 2>/dev/null &
background+=($!)
wait_for 10 test -e /run/udev/control || die "udevd runs"
lunmux_serve db01 "polling_interval 60m
    max_polling_interval 60m"
comes_and_goes udevd
