#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 150
#
# Four sg paths to one LUN, an ext4 file system on the kernel's nbd device over them, four connections: what goes in
# comes out, the file system is clean afterwards, and every path has carried its share. Before, lunmuxctl scan finds the
# LUN, and what it says to paste is a good configuration; afterwards it says who holds it.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client mkfs.ext4 jq

sdebug_load 4 || die "scsi_debug with four hosts"
check "lunmuxctl scan" lunmuxctl --json scan
jq -r '.luns[] | select(.kind == "scsi") | .wwid, ([.path_list[].dev] | sort | join(" ")),
	([.path_list[] | select(.state == "running") | .name] | sort | join(" ")), .kernel_wwid,
	any(.designators[]; . == "naa.'"$naa"'"), .udev_wwid, (.holders | length), .size_bytes' <$work/output >$work/scan
mapfile -t seen <$work/scan
# A locally assigned NAA identifier ranks last for multipath, and first of these for udev.
equal "scan: one LUN, by its WWID" "${seen[0]} ${#seen[@]}" "1Linux_scsi_debug_2000 8"
equal "scan: its paths" "${seen[1]}" "$(printf '%s\n' "${paths[@]}" | sort | xargs)"
equal "scan: its sg devices" "${seen[2]}" "$(for p in "${paths[@]}"; do sg_of "$p"; done | sort | xargs)"
equal "scan: the kernel's WWID, a designator, udev's, no holder, the size" "${seen[*]:3}" \
	"naa.$naa true $wwid 0 $(($(cat /sys/block/"$(basename "$(sd_of "${paths[0]}")")"/size) * 512))"
lunmuxctl scan | sed -n '/^multipaths {/,$p' >$work/pasted.conf
check "scan: lunmuxd takes what it says to paste" lunmuxd -t -c $work/pasted.conf
equal "scan: with that the LUN is configured" \
	"$(lunmuxctl --json scan $work/pasted.conf | jq -r '.luns[] | select(.kind == "scsi") | .alias')" lun0

lunmux_serve db01
equal "the URI" "$uri" "nbd+unix:///db01?socket=$rundir/db01/nbd.sock"
check "four active paths in lunmuxctl" wait_for 10 ctl_nactive_is db01 4

nbd_attach /dev/nbd0 "$sock" db01 -C 4 || die "nbd-client attaches with four connections"
ok "nbd-client attaches with four connections"
equal "the size" "$(cat /sys/block/nbd0/size)" "$(blockdev --getsz "$(sd_of "${paths[0]}")")"
counts_mark

check "mkfs.ext4" mkfs.ext4 -q -F /dev/nbd0 || exit 1
check "mount" mount_on /dev/nbd0 /mnt || exit 1
mkdir $work/tree
for kb in 1 3 4 60 129 700 4096 9001; do
	head -c ${kb}K /dev/urandom >$work/tree/$kb
done
check "files are copied in" cp -r $work/tree /mnt/
check "unmount" unmount /mnt
# Nothing of it may come from the page cache.
blockdev --flushbufs /dev/nbd0
check "mount again" mount_on /dev/nbd0 /mnt || exit 1
check "the same bytes" diff -r $work/tree /mnt/tree
check "unmount again" unmount /mnt
check "fsck finds it clean" e2fsck -fn /dev/nbd0
check "detach" nbd_detach /dev/nbd0
no_client_errors

for p in "${paths[@]}"; do
	least "commands over path $p" "$(count_since "$p")" 20
done

# The kernel's view through one path, without the daemon: nothing is missing that was acknowledged.
lunmux_stop
check "fsck over a single path" e2fsck -fn "$(sd_of "${paths[2]}")"

check "mount of a single path" mount -o ro "$(sd_of "${paths[2]}")" /mnt
check "scan: who holds it" grep -q "held .*$(basename "$(sd_of "${paths[2]}")"): mounted on /mnt" <(lunmuxctl scan)
check "unmount of that" umount /mnt
