# SPDX-License-Identifier: GPL-2.0-or-later
# Wrong input: each gets a clear error, the others go on.
. "$(dirname "$0")/lib.sh"
case_begin bad-input
need jq

# expect CODE TEXT [ARGUMENT]...: lunmuxd ends so and says so.
expect() {
	local want=$1 text=$2
	shift 2
	timeout 20 "$LUNMUXD" "$@" >"$T/out" 2>&1
	local rc=$?
	[ $rc = "$want" ] || fail "lunmuxd $*: status $rc, not $want: $(head -n 3 "$T/out")"
	grep -qE -- "$text" "$T/out" || fail "lunmuxd $*: does not say '$text': $(head -n 3 "$T/out")"
}

make_disk 16M 2
conf=$T/lunmux.conf
write_conf
expect 2 'NAME is missing' -c "$conf"
expect 2 'only one NAME' -c "$conf" lab lab2
expect 2 'try lunmuxd --help' --no-such-option
expect 78 'No such file' -c "$T/nowhere.conf" lab
expect 78 'no LUN is called nolab.*lab' -c "$conf" nolab
expect 0 'good, 1 LUN' -t -c "$conf"
sed -i 's/polling_interval/poling_interval/' "$conf"
expect 78 "lunmux.conf:2:[0-9]+: .*poling_interval" -t -c "$conf"
grep -q 'polling_interval' "$T/out" || fail "no nearest keyword: $(cat "$T/out")"
write_conf
cat >>"$conf" <<-EOF
	multipaths {
		multipath {
			wwid file:$disk
			alias twice
		}
	}
EOF
expect 78 "lunmux.conf:[0-9]+:[0-9]+: .*file:" -t -c "$conf"

# Paths: one that is not there, a directory, one of another size, a mounted one. The good ones serve.
truncate -s 8M "$T/small.img"
small=$(losetup -f --show "$T/small.img")
loops+=("$small")
mkfs.ext4 -q "$small"
mkdir "$T/mnt" "$T/dir"
mount "$small" "$T/mnt" || fail "mount"
write_conf "path ${paths[0]}
path ${paths[1]}
path /dev/no-such-device
path $T/dir
path $small"
start_daemon
grep -q 'ready: 2/5 paths' "$T/daemon.log" || fail "not ready with two of five paths"
for text in '/dev/no-such-device.*no such device' "$T/dir.*directory" "$small.*mounted"; do
	grep -qE "$text" "$T/daemon.log" || fail "the log does not say '$text'"
done
ctl status lab >"$T/status"
rc=$?
[ $rc = 0 ] || [ $rc = 3 ] || fail "status says $rc"
umount "$T/mnt"
# The socket is occupied: a second daemon is turned away, the first one goes on.
expect 1 'another lunmuxd' -c "$conf" -R "$run" lab
daemon_lives
# A bad file on SIGHUP changes nothing.
cp "$conf" "$T/good.conf"
echo 'defaults {' >"$conf"
kill -HUP "$daemon_pid"
sleep 0.5
grep -q 'old one stays in force' "$T/daemon.log" || fail "a bad reload is not refused"
cp "$T/good.conf" "$conf"
kill -HUP "$daemon_pid"
sleep 0.5
grep -q 'reloaded' "$T/daemon.log" || fail "a good reload is not taken"
# Stale sockets of a killed daemon are replaced.
kill -9 "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
[ -S "$sock" ] || fail "no stale socket to test with"
: >"$T/daemon.log"
start_daemon
stop_daemon
[ $code = 0 ] || fail "exit code $code"

# A path of another size, alone with another identity: never used, data untouched.
write_conf "path $small"
sumbefore=$(sum "$T/small.img")
: >"$T/daemon.log"
"$LUNMUXD" -c "$conf" -R "$run" lab >>"$T/daemon.log" 2>&1 &
daemon_pid=$!
sleep 1.5
grep -q 'ready' "$T/daemon.log" && fail "a wrong LUN is served"
grep -qE "$small.*(another|not|is)" "$T/daemon.log" || fail "the log does not say why $small is not used"
ctl status lab >/dev/null 2>&1
[ $? = 4 ] || fail "status of a LUN without paths is not 'down'"
start=$SECONDS
stop_daemon
[ $code = 0 ] || fail "exit code $code without a path"
[ $((SECONDS - start)) -le 5 ] || fail "took more than 5 s to stop without a path"
[ "$(sum "$T/small.img")" = "$sumbefore" ] || fail "the wrong LUN was written"
# An occupied socket of somebody else.
write_conf "export {
	unix $T/other.sock
}"
python3 - "$T/other.sock" <<-'EOF' &
	import socket, sys, time
	s = socket.socket(socket.AF_UNIX)
	s.bind(sys.argv[1])
	s.listen()
	time.sleep(20)
EOF
for i in $(seq 50); do [ -S "$T/other.sock" ] && break; sleep 0.1; done
expect 1 "other.sock" -c "$conf" -R "$run" lab
pass
