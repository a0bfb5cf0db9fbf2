# SPDX-License-Identifier: GPL-2.0-or-later
# Other ways to run it: TCP on loopback, read-only, 4096-byte blocks, a plain file without root.
. "$(dirname "$0")/lib.sh"
case_begin tcp-readonly-4k-unprivileged
need nbdinfo qemu-io jq python3

make_disk 32M 2
write_conf 'export {
	tcp 127.0.0.1:10899
}'
start_daemon
[ "$(nbdinfo --size nbd://127.0.0.1:10899/lab)" = $((32 << 20)) ] || fail "not served over TCP"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
sed -i 's/127.0.0.1:10899/192.0.2.1:10899/' "$T/lunmux.conf"
"$LUNMUXD" -t -c "$T/lunmux.conf" >"$T/out" 2>&1
[ $? = 78 ] || fail "TCP beyond loopback without TLS is not refused"

write_conf 'read_only yes'
: >"$T/daemon.log"
start_daemon
[ "$(nbdinfo --json "$uri" | jq '.exports[0].is_read_only')" = true ] || fail "not announced as read-only"
before=$(sum "$disk")
qemu-io -f raw "nbd:unix:$sock:exportname=lab" -c 'write 0 4k' >"$T/out" 2>&1 &&
	! grep -qiE 'read-only|not permitted|fail' "$T/out" && fail "a write to a read-only LUN succeeded"
[ "$(sum "$disk")" = "$before" ] || fail "a read-only LUN was written"
stop_daemon
[ $code = 0 ] || fail "exit code $code"

for p in "${paths[@]}"; do losetup -d "$p"; done
loops=()
make_disk 32M 3 -b 4096
write_conf
: >"$T/daemon.log"
start_daemon
[ "$(nbdinfo --json "$uri" | jq '.exports[0].block_size_minimum')" = 4096 ] || fail "the block size is not 4096"
python3 - "$here" "$sock" <<-'EOF' || fail "writes of parts of blocks"
	import sys, struct
	sys.path.insert(0, sys.argv[1])
	import stamp
	# A client that never asked for the block size writes 512 bytes in the middle of a block.
	s = stamp.connect(sys.argv[2], "lab")
	def rq(kind, off, length, payload=b""):
	    s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, 7, off, length) + payload)
	    magic, err, cookie = struct.unpack(">IIQ", stamp.recv_all(s, 16))
	    assert magic == 0x67446698 and cookie == 7 and err == 0, (hex(magic), err)
	    return stamp.recv_all(s, length) if kind == 0 else b""
	rq(1, 0, 8192, b"a" * 8192)
	rq(1, 3584, 1024, b"b" * 1024)
	rq(1, 1, 1, b"c")
	assert rq(0, 0, 8192) == b"ac" + b"a" * 3582 + b"b" * 1024 + b"a" * 3584
EOF
stop_daemon
[ $code = 0 ] || fail "exit code $code"

for p in "${paths[@]}"; do losetup -d "$p"; done
loops=()
[ "$(id -u)" = 0 ] || pass
chmod 755 "$T"
install -d -o nobody "$T/nobody"
cp "$LUNMUXD" "$T/lunmuxd"
truncate -s 16M "$T/nobody/disk.img"
chown nobody "$T/nobody/disk.img"
disk=$T/nobody/disk.img
write_conf
chmod 644 "$T/lunmux.conf"
: >"$T/daemon.log"
setpriv --reuid=nobody --regid=nogroup --clear-groups "$T/lunmuxd" -c "$T/lunmux.conf" -R "$T/nobody/run" lab \
	>>"$T/daemon.log" 2>&1 &
daemon_pid=$!
wait_ready
grep -q 'ready: 1/1 paths' "$T/daemon.log" || fail "the file itself is not the only path"
uri="nbd+unix:///lab?socket=$T/nobody/run/lab/nbd.sock"
[ "$(nbdinfo --size "$uri")" = $((16 << 20)) ] || fail "not served without root"
stop_daemon
[ $code = 0 ] || fail "exit code $code without root"
pass
