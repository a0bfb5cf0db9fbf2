# SPDX-License-Identifier: GPL-2.0-or-later
# A file system that stops answering stops the LUN that stands on it, not its daemon: that goes on to answer, and the
# write that hung is carried out when the file system is back. A second lunmuxd's FUSE file plays the file system.
. "$(dirname "$0")/lib.sh"
case_begin hung-file-system
need qemu-io
[ -e /dev/fuse ] || skip "no /dev/fuse"
need_root
truncate -s 32M "$T/below.img"
cat >"$T/below.conf" <<-EOF
	multipaths {
		multipath {
			wwid file:$T/below.img
			alias below
			fuse $T/disk.img
		}
	}
EOF
"$LUNMUXD" -c "$T/below.conf" -R "$T/below" below 2>"$T/below.log" &
below_pid=$!
case_cleanup() {
	kill -CONT $below_pid 2>/dev/null
	kill -9 $below_pid 2>/dev/null
}
for i in $(seq 300); do grep -q ': ready: ' "$T/below.log" && break; sleep 0.05; done
disk=$T/disk.img
write_conf
start_daemon
qemu-io -f raw "$uri" -c 'write -P 1 0 64k' >/dev/null || fail "the LUN cannot be written"
kill -STOP $below_pid
qemu-io -f raw "$uri" -c 'write -P 2 64k 64k' -c flush >"$T/hung.log" 2>&1 &
writer=$!
# For longer than it takes to look for paths again, and to check the one that is there.
end=$((SECONDS + 4)) n=0
while [ $SECONDS -lt $end ]; do
	timeout 10 "$LUNMUXCTL" -R "$run" status lab >"$T/status"
	rc=$?
	[ $rc != 124 ] || fail "the daemon does not answer while the file system hangs"
	n=$((n + 1))
done
note "status was answered $n times"
kill -0 $writer || fail "the write was answered: $(cat "$T/hung.log")"
kill -CONT $below_pid
wait $writer || fail "the write that hung: $(cat "$T/hung.log")"
qemu-io -f raw "$uri" -c 'read -P 1 0 64k' -c 'read -P 2 64k 64k' >"$T/io.log" 2>&1 || fail "read: $(cat "$T/io.log")"
grep -qi failed "$T/io.log" && fail "read: $(cat "$T/io.log")"
ctl wait lab --paths 1 >/dev/null || fail "the path does not come back"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
kill $below_pid
wait $below_pid || fail "the daemon below ended badly"
pass
