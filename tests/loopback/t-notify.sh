# SPDX-License-Identifier: GPL-2.0-or-later
# What a service manager hears: READY only with min_paths, STATUS as paths come and go, the watchdog's
# pings while the loop turns and none while it does not, STOPPING.
. "$(dirname "$0")/lib.sh"
case_begin service-manager
need python3 jq
make_disk 64M 2
write_conf "min_paths 3"
cat >"$T/manager.py" <<'EOF'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "w", buffering=1) as log:
    while True:
        log.write(s.recv(4096).decode() + "\n")
EOF
python3 "$T/manager.py" "$T/notify" "$T/heard" &
heard() { grep -qxE "$1" "$T/heard" 2>/dev/null; }
# until WHAT COMMAND...
until_true() {
	local i what=$1
	shift
	for i in $(seq 300); do
		"$@" && return 0
		sleep 0.05
	done
	sed 's/^/   | /' "$T/heard"
	fail "$what"
}
pings() { grep -c '^WATCHDOG=1$' "$T/heard"; }
more_pings() { [ "$(pings)" -ge "$1" ]; }
until_true "the manager listens" [ -S "$T/notify" ]

run=$T/run
NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=300000 "$LUNMUXD" -c "$T/lunmux.conf" -R "$run" lab >>"$T/daemon.log" 2>&1 &
daemon_pid=$!
until_true "two paths are not enough" heard 'STATUS=up, 2/2 paths, 3 needed \(min_paths\)'
until_true "pings without READY" more_pings 3
# Longer than it waits for paths that are still being checked.
sleep 2.5
heard READY=1 && fail "READY with 2 of 3 paths"
# Fewer paths serve NBD clients all the same.
python3 - "$run/lab/nbd.sock" <<'EOF' || fail "no NBD greeting before READY"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
sys.exit(s.recv(8) != b"NBDMAGIC")
EOF
dev=$(losetup -f --show "$disk") || skip "no free loop device"
loops+=("$dev")
until_true "READY with the third path" heard READY=1
until_true "STATUS with three paths" heard 'STATUS=up, 3/3 paths'
ctl fail-path lab "$dev" >/dev/null
until_true "STATUS without one" heard 'STATUS=up, 2/3 paths'
[ "$(grep -c '^READY=1$' "$T/heard")" = 1 ] || fail "READY more than once"

# A loop that does not turn does not ping.
kill -STOP $daemon_pid
sleep 0.2
n=$(pings)
sleep 1
[ "$(pings)" = "$n" ] || fail "a stopped process pings"
kill -CONT $daemon_pid
until_true "pings go on" more_pings $((n + 2))
stop_daemon
[ $code = 0 ] || fail "exit code $code"
until_true "STOPPING" heard STOPPING=1
note "$(pings) pings, $(grep -c ^STATUS "$T/heard") states"
pass
