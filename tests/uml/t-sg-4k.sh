#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
#
# A LUN with 4096-byte blocks, for a client that knows (-b 4096) and for one that does not (the kernel's default of 512):
# smaller writes become read-modify-write, and neighbours inside one block do not lose each other's bytes.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client nbdinfo fio mkfs.ext4

sdebug_load 4 sector_size=4096 || die "scsi_debug with 4096-byte blocks"
lunmux_serve big
equal "the minimum block size offered" "$(nbdinfo --json "$uri" | jq '.exports[0].block_size_minimum')" 4096

say "a client that knows the block size"
nbd_attach /dev/nbd0 "$sock" big -b 4096 -C 4 || die "nbd-client attaches with -b 4096"
equal "logical block size" "$(cat /sys/block/nbd0/queue/logical_block_size)" 4096
head -c 4M /dev/urandom >$work/model
check "written" dd if=$work/model of=/dev/nbd0 bs=64k oflag=direct conv=fsync status=none
check "read back" cmp -n 4194304 $work/model /dev/nbd0
check "fio verifies" fio_verify /dev/nbd0 --offset=16m
check "detach" nbd_detach /dev/nbd0

say "a client that does not"
nbd_attach /dev/nbd0 "$sock" big -C 4 || die "nbd-client attaches with its default block size"
equal "logical block size" "$(cat /sys/block/nbd0/queue/logical_block_size)" 512
blockdev --setra 0 /dev/nbd0
head -c 8K /dev/urandom >$work/small
# sector and count: inside a block, at its ends, across two, unaligned at both sides
for w in '1 1' '7 1' '8 1' '8191 1' '100 7' '503 2' '1000 16' '2001 15'; do
	for out in "$work/model conv=notrunc" "/dev/nbd0 oflag=direct"; do
		# shellcheck disable=SC2086 # two words
		dd if=$work/small bs=512 seek=${w% *} count=${w#* } status=none of=$out ||
			fail "sectors $w are written to ${out% *}"
	done
done
check "writes smaller than a block leave their neighbours alone" cmp -n 4194304 $work/model /dev/nbd0
check "concurrent writers inside one block" fio_verify /dev/nbd0 --bsrange=512-2048 --size=1m --offset=8m --iodepth=32
check "a file system with 1024-byte blocks" mkfs.ext4 -q -F -b 1024 /dev/nbd0 16m
check "mount" mount_on /dev/nbd0 /mnt &&
	check "a file goes in" cp $work/model /mnt/ &&
	check "unmount" unmount /mnt
blockdev --flushbufs /dev/nbd0
check "fsck finds it clean" e2fsck -fn /dev/nbd0
check "mount again" mount_on /dev/nbd0 /mnt -o ro &&
	check "the same bytes" cmp $work/model /mnt/model &&
	check "unmount again" unmount /mnt
check "detach" nbd_detach /dev/nbd0
no_client_errors
