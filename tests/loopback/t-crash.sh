# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 again and again under a load that is verified; then tables of writes in flight that were tampered with.
. "$(dirname "$0")/lib.sh"
case_begin crash
need python3 jq unshare mount
make_disk 64M 2
write_conf
table=$T/run/lab/inflight

log_has() { grep -q -e "$1" "$T/daemon.log"; }
restart() { : >"$T/daemon.log" && start_daemon "$@"; }
# crashed: the daemon is killed; what it has said is kept.
crashed() {
	kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	daemon_pid=
	cat "$T/daemon.log" >>"$T/all.log"
}
# used: slots of the table that hold something (struct ledger_head, struct ledger_slot)
used() {
	python3 -c '
import struct, sys
d = open(sys.argv[1], "rb").read()
print(sum(struct.unpack_from("=I", d, at)[0] != 0 for at in range(4096, len(d), 64)))' "$table"
}
# may_write: a write of other bytes ends within a second
may_write() {
	python3 - "$sock" "$here" <<-'END'
		import socket, sys
		sys.path.insert(0, sys.argv[2])
		import nbd_client as nbd
		c = nbd.Client(sys.argv[1], 10.0).go("lab")
		c.read(0, 4096)
		c.sock.settimeout(1.0)
		try:
		    c.write(0, b"other" + bytes(4091))
		except socket.timeout:
		    sys.exit(1)
	END
}

# --- the load ---
start_daemon
python3 "$here/crash.py" "$sock" lab "${CRASH_TIME:-20}" >"$T/load.log" 2>&1 &
load=$!
for i in $(seq 300); do
	grep -q connected "$T/load.log" && break
	sleep 0.1
done
n=0 end=$((SECONDS + ${CRASH_TIME:-20} - 2))
while [ $SECONDS -lt $end ]; do
	sleep "$((RANDOM % 2)).$((RANDOM % 5 + 5))"
	crashed
	restart
	n=$((n + 1))
done
wait $load || fail "the load: $(tail -n 3 "$T/load.log")"
note "$n times killed: $(tail -n 1 "$T/load.log")"
left=$(cat "$T/all.log" "$T/daemon.log" | grep -cE "[1-9][0-9]* writes of an earlier process")
note "$left of the next ones found writes in flight"
grep -q ' [1-9][0-9]* writes sent again' "$T/load.log" || fail "no write had to be sent again: the load is no test"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
[ "$(used)" = 0 ] || fail "a clean stop leaves $(used) writes in the table"

# --- two daemons for one LUN ---
restart
sed 's/alias lab/alias twin/' "$T/lunmux.conf" >"$T/twin.conf"
timeout 20 "$LUNMUXD" -c "$T/twin.conf" -R "$T/run" twin 2>"$T/twin.log"
rc=$?
[ $rc = 1 ] || fail "a second daemon for the LUN ends with $rc"
grep -q 'is served already, by lunmuxd lab' "$T/twin.log" || fail "the second daemon says: $(tail -n 1 "$T/twin.log")"

# --- what is not to be understood holds all writes ---
tampered() {
	crashed
	eval "$2"
	restart
	log_has "$3" || fail "$1: the log does not say \"$3\""
	[ "$(js '.luns[0].queue.writes_held_ms')" -gt 1000 ] || fail "$1: writes are not held"
	ctl status lab | grep -q '^ghosts=1 .*all writes wait for' || fail "$1: status does not tell"
	may_write && fail "$1: a write was carried out"
	note "$1: held for $(js '.luns[0].queue.writes_held_ms') ms"
	crashed
	rm "$table"
	restart
	may_write || fail "$1: writes wait without a table"
}
tampered "torn slot" 'printf "\1" | dd of="$table" bs=1 seek=4096 conv=notrunc status=none' \
	'1 entries have a wrong checksum'
tampered "cut short" 'truncate -s 5000 "$table"' 'it is cut short'
tampered "foreign" 'head -c 100000 /dev/urandom >"$table"' 'it is no table of lunmux'

# --- another boot has ended its writes ---
stop_daemon
rm "$table"
uuidgen >"$T/boot_id" 2>/dev/null || echo 11111111-2222-3333-4444-555555555555 >"$T/boot_id"
printf '#!/bin/sh\nmount --bind %s /proc/sys/kernel/random/boot_id && exec %s "$@"\n' \
	"$T/boot_id" "$LUNMUXD" >"$T/other-boot"
chmod +x "$T/other-boot"
: >"$T/daemon.log"
unshare -m "$T/other-boot" -c "$T/lunmux.conf" -R "$run" lab >>"$T/daemon.log" 2>&1 &
daemon_pid=$!
wait_ready
crashed
restart
log_has 'of an earlier boot, which has ended its writes' || fail "another boot: the log does not tell"
[ "$(js '.luns[0].queue.ghosts')" = 0 ] || fail "another boot: ghosts"
may_write || fail "another boot: a write waits"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
