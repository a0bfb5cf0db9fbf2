#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t-hotplug.sh - loop devices come and go under a client that writes and
# verifies: attached later, detached, attached to another file under the same
# name; and, listed in the configuration, gone and back. No write is lost, and
# none reaches the other file.
. "$(dirname "$0")/lib.sh"
case_begin hotplug
need jq fio losetup
need_root

writer=
case_cleanup() { touch "$T/stop"; [ -z "$writer" ] || wait "$writer"; }

# wait_for SECONDS COMMAND...
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.1
	done
}
path_state() { js ".luns[0].path_list[] | select(.name == \"$1\") | .state"; }
path_is() { [ "$(path_state "$1")" = "$2" ]; }
path_absent() { [ -z "$(path_state "$1")" ]; }
npaths_is() { [ "$(js '[.luns[0].path_list[] | select(.state == "active")] | length')" = "$1" ]; }
is_detached() { [ ! -e "/sys/block/${1#/dev/}/loop/backing_file" ]; }

writer_start() {
	rm -f "$T"/stop "$T"/passes "$T"/failed
	(
		n=0
		until [ -e "$T/stop" ]; do
			fio --name=w --ioengine=nbd --uri="$uri" --rw=randwrite --bsrange=4k-64k --size=8m --iodepth=8 \
				--verify=crc32c --verify_fatal=1 --verify_state_save=0 --randseed=$n >"$T/fio.log" 2>&1 ||
				{ touch "$T/failed"; break; }
			n=$((n + 1))
			echo $n >"$T/passes"
		done
	) &
	writer=$!
}
writer_passes() { cat "$T/passes" 2>/dev/null || echo 0; }
writer_has() { [ -e "$T/failed" ] || [ "$(writer_passes)" -ge "$1" ]; }
# Two whole passes from now: whatever was changed has been written over and read.
writer_on() {
	wait_for 60 writer_has $(($(writer_passes) + 2)) || fail "$1: the writer stands still"
	[ ! -e "$T/failed" ] || { tail -n 5 "$T/fio.log"; fail "$1: the writer met an error"; }
	note "$1"
}
writer_end() {
	touch "$T/stop"
	wait "$writer"
	writer=
	[ ! -e "$T/failed" ] || fail "the writer met an error"
	note "$(writer_passes) passes written and verified"
}
fio --enghelp 2>/dev/null | grep -qw nbd || skip "fio without the nbd engine"

# --- found by the file behind them ---
make_disk 16M 2
write_conf
start_daemon
wait_for 10 npaths_is 2 || fail "two paths"
writer_start
writer_on "two loop devices"

third=$(losetup -f --show "$disk") || fail "losetup"
loops+=("$third")
wait_for 20 path_is "$third" active || fail "a device that is attached later is used: $(path_state "$third")"
writer_on "a third one, attached later"

losetup -d "${paths[0]}"
wait_for 20 path_absent "${paths[0]}" || fail "a detached device leaves: $(path_state "${paths[0]}")"
wait_for 10 is_detached "${paths[0]}" || fail "it is detached in the end"
writer_on "one detached"

# Its name goes to another file of the same size.
truncate -s 16M "$T/other.img"
losetup "${paths[0]}" "$T/other.img" || fail "the other file cannot be attached"
other_sum=$(sum "$T/other.img")
sleep 1.5
path_absent "${paths[0]}" || fail "${paths[0]} stands for another file: $(path_state "${paths[0]}")"
writer_on "its name given to another file"
losetup -d "${paths[0]}"
[ "$(sum "$T/other.img")" = "$other_sum" ] || fail "something was written to the other file"
rm "$T/other.img"

losetup "${paths[0]}" "$disk" || fail "losetup again"
wait_for 20 path_is "${paths[0]}" active || fail "attached again, it is used again: $(path_state "${paths[0]}")"
wait_for 10 npaths_is 3 || fail "three paths"
writer_on "attached to the first file again"
writer_end
[ "$(js .luns[0].health)" = ok ] || fail "health is $(js .luns[0].health)"
stop_daemon
[ "$code" = 0 ] || fail "exit status $code"
losetup -d "$third"

# --- named in the configuration ---
: >"$T/daemon.log"
write_conf "path ${paths[0]}
				path ${paths[1]}"
start_daemon
wait_for 10 npaths_is 2 || fail "two named paths"
writer_start
writer_on "two named devices"
losetup -d "${paths[1]}"
wait_for 20 is_detached "${paths[1]}" || fail "a named device can be detached"
writer_on "one of them detached"
truncate -s 16M "$T/other.img"
losetup "${paths[1]}" "$T/other.img" || fail "the other file cannot be attached"
sleep 1.5
path_is "${paths[1]}" active && fail "${paths[1]} is used with another file"
js ".luns[0].refused[] | select(.name == \"${paths[1]}\") | .cause" | grep -q 'other.img is attached' ||
	fail "the status does not tell why it is refused: $(js '.luns[0].refused')"
ctl status lab | grep -q "refused ${paths[1]}: is another disk" || fail "nor does its text: $(ctl status lab)"
writer_on "attached to another file"
losetup -d "${paths[1]}"
[ "$(sum "$T/other.img")" = "$other_sum" ] || fail "something was written to the other file"
wait_for 10 is_detached "${paths[1]}" || fail "the other file can be detached"
losetup "${paths[1]}" "$disk" || fail "losetup again"
wait_for 20 path_is "${paths[1]}" active || fail "a named device is used when it is back: $(path_state "${paths[1]}")"
writer_on "back again"
writer_end
[ "$(js '.luns[0].refused | length')" = 0 ] || fail "nothing is refused in the end"
[ "$(js '.luns[0].path_list | length')" = 2 ] || fail "two paths in the end"
stop_daemon
[ "$code" = 0 ] || fail "exit status $code"
pass
