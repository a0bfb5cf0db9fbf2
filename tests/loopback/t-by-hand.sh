#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t-by-hand.sh - add-path and del-path under a client that writes and verifies:
# a device that nobody has configured, and that neither a scan nor a reload takes
# away; refusals; and one that is configured and stays away until it is asked for.
. "$(dirname "$0")/lib.sh"
case_begin by-hand
need jq fio losetup
make_disk 16M 3
other=$(losetup -f --show "$(truncate -s 16M "$T/other.img" && echo "$T/other.img")") || skip "no free loop device"
loops+=("$other")

state() { js ".luns[0].path_list[] | select(.name == \"$1\") | .state"; }
refused() { js ".luns[0].refused[] | select(.name == \"$1\") | .cause"; }
# says EXIT TEXT VERB...
says() {
	local want=$1 text=$2 got
	shift 2
	ctl "$@" >"$T/out" 2>&1
	got=$?
	[ $got = "$want" ] || fail "$*: exit status $got, not $want: $(cat "$T/out")"
	grep -qF "$text" "$T/out" || fail "$*: no \"$text\" in: $(cat "$T/out")"
}
# Two whole scans, by a change that means nothing to the paths.
reload() {
	echo "# $RANDOM" >>"$T/lunmux.conf"
	ctl reload lab >/dev/null || fail "reload"
	sleep 1.2
}

write_conf "path ${paths[0]}
path ${paths[1]}"
start_daemon
ctl wait lab --paths 2 >/dev/null || fail "two paths"
fio --name=v --ioengine=nbd --uri="$uri" --rw=randwrite --bs=4k --iodepth=16 --size=8M --verify=crc32c \
	--verify_state_save=0 --time_based --runtime=5 --verify_backlog=512 >"$T/fio.log" 2>&1 &
fio_pid=$!

says 1 "another disk: $T/other.img" add-path lab "$other"
says 1 "is a directory" add-path lab /srv
says 5 "No such file" add-path lab /dev/sg1023
says 2 "not an absolute name" add-path lab a/b
says 0 "${paths[2]} is active now" add-path lab "${paths[2]#/dev/}"
says 0 "is active already" add-path lab "${paths[2]}"
says 0 "${paths[0]} is no path any more" del-path lab "${paths[0]}"
reload
[ "$(state "${paths[2]}")" = active ] || fail "the scan or reload takes the path away: $(state "${paths[2]}")"
[ -z "$(state "${paths[0]}")" ] || fail "the scan takes ${paths[0]} back"
[[ "$(refused "${paths[0]}")" = *"del-path"* ]] || fail "status does not tell of it: $(refused "${paths[0]}")"
says 0 "is no path any more" del-path lab "${paths[1]}"
says 1 "${paths[2]} is the last usable path" del-path lab "${paths[2]}"
wait $fio_pid || fail "fio: $(tail -n 5 "$T/fio.log")"
note "added, taken away, and a writer that has not noticed"

says 0 "no path is usable now" del-path lab --force "${paths[2]}"
says 0 "${paths[0]} is active now" add-path lab "${paths[0]}"
[ -z "$(refused "${paths[0]}")" ] || fail "still refused: $(refused "${paths[0]}")"
stop_daemon
[ "$code" = 0 ] || fail "exit status $code"
: >"$T/daemon.log"
start_daemon
ctl wait lab --paths 2 >/dev/null || fail "the restart does not bring the configured paths back"
stop_daemon
[ "$code" = 0 ] || fail "exit status $code"
pass
