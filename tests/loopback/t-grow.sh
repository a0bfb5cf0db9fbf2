#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t-grow.sh - a disk that grows under its clients: nothing changes while one
# path has the old size; when all tell the new one, status, new NBD connections
# and the FUSE file have it, and what is written there is there. A disk that
# shrinks keeps its size, with an alarm.
. "$(dirname "$0")/lib.sh"
case_begin grow
need jq nbdinfo fio losetup cmp
need_root

wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.1
	done
}
size() { js '.luns[0].size_bytes'; }
size_is() { [ "$(size)" = "$1" ]; }
nactive_is() { [ "$(js '[.luns[0].path_list[] | select(.state == "active")] | length')" = "$1" ]; }
log_has() { grep -q "$1" "$T/daemon.log"; }
old=$((16 << 20)) new=$((24 << 20))

make_disk 16M 2
fuse=
[ -w /dev/fuse ] && fuse=$T/fuse.img
write_conf "${fuse:+fuse $fuse}"
start_daemon
wait_for 10 nactive_is 2 || fail "two paths"
size_is $old || fail "the size is $(size)"

truncate -s $new "$disk"
losetup -c "${paths[0]}"
sleep 2
size_is $old || fail "grown while ${paths[1]} has the old size: $(size)"
nactive_is 2 || fail "a path with more than the LUN is used on: $(js '.luns[0].path_list')"
[ "$(nbdinfo --size "$uri")" = $old ] || fail "a client is told the new size too early"
fio --name=w --ioengine=nbd --uri="$uri" --rw=randwrite --bs=16k --size=8m --verify=crc32c --verify_state_save=0 \
	>"$T/fio.log" 2>&1 || fail "I/O while the sizes differ"
note "one path has grown, nothing has changed"

losetup -c "${paths[1]}"
wait_for 20 size_is $new || fail "both have grown, the size is $(size)"
log_has "the LUN has grown from 32768 to 49152 blocks" || fail "it is not in the log"
[ "$(nbdinfo --size "$uri")" = $new ] || fail "a new client is told $(nbdinfo --size "$uri")"
if [ -n "$fuse" ]; then
	[ "$(stat -c %s "$fuse")" = $new ] || fail "the FUSE file has $(stat -c %s "$fuse") bytes"
	note "the FUSE file has grown"
fi
head -c 1M /dev/urandom >"$T/data"
# To the very end, through a new connection.
fio --name=w --ioengine=nbd --uri="$uri" --rw=write --bs=64k --offset=$old --size=8m --verify=crc32c --verify_state_save=0 \
	>"$T/fio.log" 2>&1 || fail "I/O behind the old end"
if [ -n "$fuse" ]; then
	dd if="$T/data" of="$fuse" bs=1M seek=23 conv=notrunc status=none || fail "the FUSE file cannot be written at its end"
	cmp <(tail -c 1M "$fuse") "$T/data" || fail "what was written there is not read back"
	sync "$fuse"
	cmp <(tail -c 1M "$disk") "$T/data" || fail "nor is it in the file behind the paths"
fi
note "both have grown, and the new part is used"

truncate -s $old "$disk"
losetup -c "${paths[0]}"
losetup -c "${paths[1]}"
wait_for 20 log_has "tells that the LUN has shrunk from 49152 to 32768" || fail "no alarm of a LUN that has shrunk"
size_is $new || fail "a smaller size was adopted: $(size)"
sleep 2
[ "$(grep -c "tells that the LUN has shrunk" "$T/daemon.log")" = 1 ] || fail "the alarm comes again and again"
truncate -s $new "$disk"
losetup -c "${paths[0]}"
losetup -c "${paths[1]}"
wait_for 20 nactive_is 2 || fail "as large again, the paths are used again"
note "shrunk: an alarm; as large again: used again"

# By hand: no wait, and nobody has to notice.
new=$((28 << 20))
truncate -s $new "$disk"
losetup -c "${paths[0]}"
ctl resize lab 2>"$T/out" || grep -q "${paths[1]} does not tell of the $new" "$T/out" || fail "$(cat "$T/out")"
losetup -c "${paths[1]}"
ctl resize lab >"$T/out" 2>&1 || fail "resize: $(cat "$T/out")"
size_is $new || fail "resize: $(cat "$T/out"), the size is $(size)"
truncate -s $old "$disk"
losetup -c "${paths[0]}"
ctl resize lab >"$T/out" 2>&1 && fail "resize to less: $(cat "$T/out")"
grep -q "refused: ${paths[0]} tells that the LUN has shrunk from $new to $old bytes" "$T/out" ||
	fail "resize to less: $(cat "$T/out")"
size_is $new || fail "resize to less: the size is $(size)"
note "resize"
stop_daemon
[ "$code" = 0 ] || fail "exit status $code"
pass
