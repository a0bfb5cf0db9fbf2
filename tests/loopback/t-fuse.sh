# SPDX-License-Identifier: GPL-2.0-or-later
# The FUSE file under losetup: mkfs, mount, real files, a path fails, checksums, fsck.
. "$(dirname "$0")/lib.sh"
case_begin fuse-losetup-ext4
need mkfs.ext4 losetup jq
[ -e /dev/fuse ] || skip "no /dev/fuse"
make_disk 192M 4
write_conf fuse "$T/lab.img"
start_daemon
[ "$(stat -c %s "$T/lab.img")" = $((192 << 20)) ] || fail "the file has another size"
loop=$(losetup -f --show "$T/lab.img") || fail "losetup on the FUSE file"
loops+=("$loop")
case_cleanup() {
	umount "$T/mnt" 2>/dev/null
	losetup -d "$loop" 2>/dev/null
}
mkfs.ext4 -q "$loop" || fail "mkfs"
mkdir "$T/mnt"
mount "$loop" "$T/mnt" || fail "mount"
rock_paths 5 &
rocker=$!
cp -a /usr/share/common-licenses /usr/lib/git-core "$T/mnt/" 2>/dev/null
cp -a /usr/bin/[a-d]* "$T/mnt/" 2>/dev/null
head -c 20M /dev/urandom >"$T/random"
cp "$T/random" "$T/mnt/random" || fail "copy"
sync -f "$T/mnt"
wait $rocker
umount "$T/mnt" || fail "umount"
fsck.ext4 -fn "$loop" >"$T/fsck.log" 2>&1 || fail "fsck: $(tail -n 3 "$T/fsck.log")"
mount "$loop" "$T/mnt" || fail "second mount"
cmp "$T/random" "$T/mnt/random" || fail "the file differs"
diff -r /usr/share/common-licenses "$T/mnt/common-licenses" || fail "files differ"
umount "$T/mnt"
losetup -d "$loop"
# Not a multiple of a block, at both ends, and beyond the end.
printf 'hello' | dd of="$T/lab.img" bs=1 seek=1000 conv=notrunc status=none || fail "unaligned write"
[ "$(dd if="$T/lab.img" bs=1 skip=1000 count=5 status=none)" = hello ] || fail "unaligned read"
dd if=/dev/zero of="$T/lab.img" bs=1M seek=192 count=1 conv=notrunc status=none 2>/dev/null &&
	fail "a write beyond the end succeeded"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
mountpoint -q "$T/lab.img" && fail "still mounted after the end"
pass
