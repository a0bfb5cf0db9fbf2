# SPDX-License-Identifier: GPL-2.0-or-later
# qemu's client: convert, compare, patterns, zeroes, discard, map.
. "$(dirname "$0")/lib.sh"
case_begin qemu-clients
need qemu-img qemu-io
make_disk 64M 2
write_conf
start_daemon
head -c 64M /dev/urandom >"$T/src.img"
quri="nbd:unix:$sock:exportname=lab"
qemu-img convert -n -f raw -O raw "$T/src.img" "$quri" || fail "qemu-img convert"
qemu-img compare -f raw -F raw "$T/src.img" "$quri" >/dev/null || fail "qemu-img compare"
qemu-io -f raw "$quri" \
	-c 'write -P 0x11 0 1M' -c 'write -f -P 0x22 1M 64k' -c 'write -z 64k 128k' -c 'write -z -u 512k 64k' \
	-c 'discard 2M 1M' -c 'flush' \
	-c 'read -P 0x11 0 64k' -c 'read -P 0 64k 128k' -c 'read -P 0x11 192k 64k' -c 'read -P 0 512k 64k' \
	-c 'read -P 0x22 1M 64k' >"$T/io.log" 2>&1 || fail "qemu-io: $(tail -n 3 "$T/io.log")"
grep -qiE 'fail|error' "$T/io.log" && fail "qemu-io: $(grep -iE 'fail|error' "$T/io.log" | head -n 3)"
qemu-img map --output=json -f raw "$quri" >/dev/null || fail "qemu-img map"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
