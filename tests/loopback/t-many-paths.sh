#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t-many-paths.sh - 1, 8, 32 and 64 paths to one disk, while a client writes and
# verifies; then one again. Each path costs little memory and an answer of the
# control socket little time; no descriptor is left over, nothing in flight.
. "$(dirname "$0")/lib.sh"
case_begin many-paths
need jq fio losetup
need_root
fio --enghelp 2>/dev/null | grep -qw nbd || skip "fio without the nbd engine"

wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.1
	done
}
nactive_is() { [ "$(js '[.luns[0].path_list[] | select(.state == "active")] | length')" = "$1" ]; }
npaths_is() { [ "$(js '.luns[0].path_list | length')" = "$1" ]; }
rss_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$daemon_pid/status"; }
nfds() { find "/proc/$daemon_pid/fd" -type l | wc -l; }
verify() {
	fio --name=v --ioengine=nbd --uri="$uri" --rw=randwrite --bsrange=4k-64k --size=8m --iodepth=16 --verify=crc32c \
		--verify_fatal=1 --verify_state_save=0 --randseed="$1" >"$T/fio.log" 2>&1 ||
		{ tail -n 5 "$T/fio.log"; fail "$1 paths: the client met an error"; }
}
# What the daemon has spent on one answer with all there is to tell, the best of ten: the machine is not ours alone.
status_us() {
	local i last now best=1000000000
	last=$(js .luns[0].daemon.control_ns)
	for ((i = 0; i < 10; i++)); do
		now=$(js .luns[0].daemon.control_ns)
		[ $((now - last)) -ge $best ] || best=$((now - last))
		last=$now
	done
	echo $((best / 1000))
}

make_disk 16M 1
write_conf "path_checker directio"
start_daemon
# So that all it ever needs for I/O is in memory before the first look.
verify 0
verify 1
fds_1=$(nfds)
declare -A rss
for n in 1 8 32 64; do
	while [ ${#paths[@]} -lt $n ]; do
		dev=$(losetup -f --show "$disk") || skip "no free loop device after ${#paths[@]}"
		paths+=("$dev")
		loops+=("$dev")
	done
	wait_for 60 nactive_is $n || fail "$n paths: $(ctl paths lab | tail -n 3)"
	verify $n
	rss[$n]=$(rss_kib)
	us=$(status_us)
	[ "$us" -lt 10000 ] || fail "$n paths: a status takes $us us"
	note "$n paths: ${rss[$n]} KiB, $(nfds) descriptors, a status in $us us"
	[ "$(js '[.luns[0].path_list[] | select(.checks_failed > 0 or .failures > 0)] | length')" = 0 ] ||
		fail "$n paths: some have failed"
done
carried=$(ctl --json stats lab | jq '[.luns[0].path_list[] | select((.commands | add) > 0)] | length')
note "$carried of 64 have carried commands"
each=$(((rss[64] - rss[8]) / 56))
note "$each KiB a path"
[ $each -lt 64 ] || fail "$each KiB a path"

for dev in "${paths[@]:1}"; do losetup -d "$dev"; done
wait_for 60 npaths_is 1 || fail "paths that are detached leave: $(js '.luns[0].path_list | length') left"
verify 65
[ "$(nfds)" = "$fds_1" ] || { ls -l "/proc/$daemon_pid/fd"; fail "$(nfds) descriptors in the end, $fds_1 at first"; }
stats=$(ctl --json stats lab | jq -c '.luns[0].lun | [.inflight, .queued, .held, .errors]')
[ "$stats" = "[0,0,0,0]" ] || fail "in flight, queued, held, errors at rest: $stats"
note "longest pause: $(($(ctl --json stats lab | jq .luns[0].lun.gap_longest_ns) / 1000000)) ms"
stop_daemon
[ "$code" = 0 ] || fail "exit status $code"
pass
