# SPDX-License-Identifier: GPL-2.0-or-later
# Start time and idle memory: printed; the limits here are generous (the goals are 50 ms, 8 MiB).
. "$(dirname "$0")/lib.sh"
case_begin start-time-and-memory
make_disk 64M 4
write_conf
best=999999
for i in 1 2 3 4 5; do
	: >"$T/daemon.log"
	begin=$(date +%s%N)
	"$LUNMUXD" -c "$T/lunmux.conf" -R "$T/run" lab 2>"$T/daemon.log" &
	daemon_pid=$!
	run=$T/run
	until grep -q ': ready: ' "$T/daemon.log"; do
		kill -0 $daemon_pid 2>/dev/null || fail "lunmuxd ended at start"
		[ $(($(date +%s%N) - begin)) -lt 15000000000 ] || fail "not ready in 15 s"
	done
	ms=$((($(date +%s%N) - begin) / 1000000))
	[ $ms -lt $best ] && best=$ms
	rss=$(awk '/^VmRSS/ {print $2}' /proc/$daemon_pid/status)
	stop_daemon
	[ $code = 0 ] || fail "exit code $code"
done
note "ready after $best ms (best of 5), resident when idle: $rss KiB"
[ "$best" -lt 2000 ] || fail "took $best ms to be ready"
[ "$rss" -lt 32768 ] || fail "$rss KiB resident when idle"
pass
