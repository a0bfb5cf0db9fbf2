#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t-inject.sh - test faults on the paths of a LUN that is written and verified: a
# slow path becomes suspect and its requests go again by another, a failing or
# refusing one fails over, a silent one is waited for by nobody. The writer
# notices nothing, and a stop lets go what was held.
. "$(dirname "$0")/lib.sh"
case_begin inject
need jq fio losetup
make_disk 16M 3

wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.05
	done
}
path_js() { js ".luns[0].path_list[] | select(.name == \"$1\") | $2"; }
state_is() { [ "$(path_js "$1" .state)" = "$2" ]; }
stat_of() { ctl --json stats lab | jq ".luns[0]$1"; }
hedged() { [ "$(stat_of .lun.hedges_won)" -gt 0 ]; }
has_failed() { [ "$(path_js "$1" .failures)" -gt "$2" ]; }
inject() { ctl inject lab "$@" >"$T/out" 2>&1 || fail "inject $*: $(cat "$T/out")"; }

write_conf
start_daemon
ctl wait lab --paths 3 >/dev/null || fail "three paths"
fio --name=v --ioengine=nbd --uri="$uri" --rw=randrw --bsrange=4k-32k --iodepth=16 --size=8M --verify=crc32c \
	--verify_state_save=0 --time_based --runtime=60 --verify_backlog=256 >"$T/fio.log" 2>&1 &
fio_pid=$!

inject "${paths[0]}" delay 1500
wait_for 10 state_is "${paths[0]}" suspect || fail "a slow path is $(path_js "${paths[0]}" .state)"
wait_for 10 hedged || fail "nothing was sent again by another path"
ctl status lab | grep -q "TEST FAULT delay 1500 ms" || fail "status hides the fault: $(ctl status lab)"
grep -q "${paths[0]}: TEST FAULT by lunmuxctl from now on: delay 1500 ms" "$T/daemon.log" || fail "the log hides it"
inject "${paths[0]}" off
wait_for 10 state_is "${paths[0]}" active || fail "the fault is off, the path is $(path_js "${paths[0]}" .state)"
note "delay: suspect, requests by another path, back again"

inject "${paths[1]}" error count 3
wait_for 10 has_failed "${paths[1]}" 0 || fail "a path with errors has not failed"
inject "${paths[2]}" refuse count 1
wait_for 10 has_failed "${paths[2]}" 0 || fail "a path that refuses has not failed"
inject "${paths[1]}" off
inject "${paths[0]}" check
wait_for 10 state_is "${paths[0]}" failed || fail "a path that fails its checks is $(path_js "${paths[0]}" .state)"
inject "${paths[0]}" off
note "error, refuse, check: failover"

inject "${paths[2]}" drop
wait_for 10 state_is "${paths[2]}" suspect || fail "a silent path is $(path_js "${paths[2]}" .state)"
inject "${paths[2]}" off
kill -INT $fio_pid
wait $fio_pid
grep -q 'err= 0' "$T/fio.log" || fail "fio: $(grep err= "$T/fio.log")"
note "drop: the writer has noticed nothing"

# Every block once: no write waits for one that is still out.
inject "${paths[2]}" drop
fio --name=w --ioengine=nbd --uri="$uri" --rw=write --bs=16k --iodepth=16 --size=4M >"$T/fio.log" 2>&1 ||
	fail "fio: $(tail -n 5 "$T/fio.log")"
[[ "$(path_js "${paths[2]}" .inject)" = *held ]] || fail "nothing is held: $(path_js "${paths[2]}" .inject)"
[ "$(stat_of .lun.errors)" = 0 ] || fail "requests have failed: $(stat_of .lun.errors)"
ctl events lab -n 200 | grep -q "fault *${paths[2]}: off -> drop" || fail "no event of it: $(ctl events lab)"
start=$SECONDS
stop_daemon
[ "$code" = 0 ] || fail "exit status $code"
[ $((SECONDS - start)) -le 3 ] || fail "the stop has taken $((SECONDS - start)) s"
note "a stop with commands that are held"
pass
