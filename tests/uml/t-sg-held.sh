#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 120
#
# Disks in use by others are not taken: a device-mapper map and a mount are named, the status shows it, and the path is
# taken when they let go. What lunmux has, nobody else gets. What the kernel does beside us is said once.

. ./lib.sh
need lunmuxd lunmuxctl jq dmsetup mkfs.ext4 blockdev

sdebug_load 4 per_host_store=1 || die "scsi_debug with four hosts"
modprobe dm-mod || die "device-mapper"
a=${paths[1]} b=${paths[2]} c=${paths[3]}
sd_a=$(sd_of "$a") sd_b=$(sd_of "$b") sd_c=$(sd_of "$c")
dmsetup create mpatha --noudevsync --table "0 2048 linear $sd_a 0" || die "a map"
mkfs.ext4 -q "$sd_b" && mount_on "$sd_b" /run/held || die "a file system"
# One partition of 4 MiB at 1 MiB, in a DOS label: the entry at 446, the signature at 510.
{
	printf '\0\0\0\0\x83\0\0\0\x00\x08\x00\x00\x00\x20\x00\x00' | dd of="$sd_c" bs=1 seek=446 conv=notrunc
	printf '\x55\xaa' | dd of="$sd_c" bs=1 seek=510 conv=notrunc
} 2>/dev/null
blockdev --rereadpt "$sd_c" && mkfs.ext4 -q "${sd_c}1" && mount_on "${sd_c}1" /run/part || die "a partition"

cause() { ctl --json status db01 | jq -r ".luns[0].refused[] | select(.name == \"$(sg_of "$1")\") | .cause"; }
cause_has() { [[ $(cause "$1") == *"$2"* ]]; }

lunmux_conf db01 "$wwid"
lunmux_start db01 || die "lunmuxd serves db01"
equal "one path is in use" "$(ctl_nactive db01)" 1
check "the map is named" cause_has "$a" "$sd_a is held by the device-mapper map mpatha (dm-0)"
check "the mount is named" cause_has "$b" "$sd_b is mounted on /run/held"
check "the mount of a partition is named" cause_has "$c" "${sd_c}1 is mounted on /run/part"
check "as a block device, too" grep -q "its partition ${sd_c}1 is mounted on /run/part" <(ctl add-path db01 "$sd_c" 2>&1)
check "the text of the status has it" grep -q "refused $(sg_of "$a"): in use: $sd_a is held" <(ctl status db01)
equal "sd is warned of once" "$(grep -c "sd driver shares the path" "$lunmux_log")" 1
equal "a refusal is said once" "$(grep -c "held by the device-mapper map" "$lunmux_log")" 1
check "nobody else gets what lunmux has" eval "! dmsetup create other --noudevsync --table '0 2048 linear $(sd_of "${paths[0]}") 0'"

dmsetup remove --noudevsync mpatha || die "the map is removed"
check "the disk is taken when the map is gone" wait_for 10 ctl_active db01 "$a"
unmount /run/held || die "unmounted"
check "the disk is taken when it is unmounted" wait_for 10 ctl_active db01 "$b"
unmount /run/part || die "the partition is unmounted"
check "and when its partition is" wait_for 10 ctl_active db01 "$c"
equal "nothing is refused" "$(ctl --json status db01 | jq '.luns[0].refused | length')" 0
equal "healthy" "$(ctl_health db01)" 0
