# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 and SIGTERM under load: acknowledged writes are there afterwards.
. "$(dirname "$0")/lib.sh"
case_begin stop-and-kill-under-load
need python3 jq
make_disk 64M 4
write_conf
for sig in KILL TERM KILL TERM; do
	: >"$T/daemon.log"
	start_daemon
	python3 "$here/stamp.py" write "$sock" lab "$T/acked" >"$T/stamp.log" 2>&1 &
	w=$!
	for i in $(seq 100); do
		[ -s "$T/acked" ] && break
		sleep 0.1
	done
	sleep 1.5
	stop_daemon $sig
	[ $sig = KILL ] || [ $code = 0 ] || fail "exit code $code after SIGTERM under load"
	wait $w
	[ -s "$T/acked" ] || fail "nothing was acknowledged: $(tail -n 3 "$T/stamp.log")"
	: >"$T/daemon.log"
	start_daemon
	python3 "$here/stamp.py" check "$sock" lab "$T/acked" >"$T/stamp.log" 2>&1 ||
		fail "after SIG$sig: $(tail -n 3 "$T/stamp.log")"
	note "SIG$sig: $(tail -n 1 "$T/stamp.log")"
	stop_daemon
	[ $code = 0 ] || fail "exit code $code"
done
pass
