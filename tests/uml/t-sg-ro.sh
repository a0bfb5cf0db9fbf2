#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
#
# Media that cannot be written: a write-protected disk and a CD-ROM are exported read-only, with the right bytes.

. ./lib.sh
need lunmuxd nbd-client nbdinfo mke2fs jq

# A file system to find on the media: ISO 9660 where there is a program for it, else ext4 with the disc's block size.
mkdir $work/tree
head -c 3M /dev/urandom >$work/tree/random
cp /bin/bash $work/tree/
if command -v xorriso >/dev/null; then
	mkfs() { xorriso -as mkisofs -quiet -o "$1" $work/tree; }
elif command -v genisoimage >/dev/null; then
	mkfs() { genisoimage -quiet -R -o "$1" $work/tree; }
else
	mkfs() { mke2fs -q -t ext4 -b 2048 -O ^has_journal -d $work/tree "$1" 16m; }
fi
mkfs $work/image >$work/output 2>&1 || die "an image with a file system: $(tail -n 1 $work/output)"
size=$(stat -c %s $work/image)

# read_only NAME: what both media have in common. The image is at the beginning.
read_only()
{
	lunmux_serve "$1"
	equal "$1: announced as read-only" "$(nbdinfo --json "$uri" | jq '.exports[0].is_read_only')" true
	nbd_attach /dev/nbd0 "$sock" "$1" -b "$2" || { fail "$1: nbd-client attaches"; return; }
	equal "$1: the block device is read-only" "$(blockdev --getro /dev/nbd0)" 1
	check "$1: the same bytes" cmp -n "$size" $work/image /dev/nbd0
	check "$1: writing fails" eval '! dd if=/dev/zero of=/dev/nbd0 bs=4096 count=1 oflag=direct'
	check "$1: a client that does not care is refused" eval "! qemu-io -f raw -c 'write 0 64k' '$uri'"
	check "$1: mount" mount_on /dev/nbd0 /mnt -o ro &&
		check "$1: the same files" diff -r -x lost+found $work/tree /mnt &&
		check "$1: unmount" unmount /mnt
	check "$1: still the same bytes" cmp -n "$size" $work/image "$(sd_of "${paths[1]}")"
	check "$1: detach" nbd_detach /dev/nbd0
	lunmux_stop
}

say "a write-protected disk"
sdebug_load 2 || die "scsi_debug with two hosts"
dd if=$work/image of="$(sd_of "${paths[0]}")" bs=64k oflag=direct status=none || die "the image is written"
sdebug_set wp 1
# sd looks again only when told to.
for p in "${paths[@]}"; do
	echo 1 >"$(path_dir "$p")/rescan"
done
equal "the kernel sees the write protection" "$(cat /sys/block/sda/ro)" 1
read_only protected 512
sdebug_set wp 0
check "scsi_debug is unloaded" sdebug_unload

say "a CD-ROM"
sdebug_load 2 ptype=5 sector_size=2048 || die "scsi_debug as a CD-ROM"
sg_dd if=$work/image of="$(sg_of "${paths[0]}")" bs=2048 bpt=32 >$work/output 2>&1 || die "the disc is written"
read_only cdrom 2048
no_client_errors
