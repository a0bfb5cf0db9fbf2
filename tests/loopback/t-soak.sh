# SPDX-License-Identifier: GPL-2.0-or-later
# Clients whose every answer is judged, over a daemon and paths to which something happens all the time.
# SOAK_TIME=600: for so many seconds. First without, then with deaths of the daemon: fio does not connect again.
. "$(dirname "$0")/lib.sh"
case_begin soak
need python3 jq fio losetup
seconds=${SOAK_TIME:-20}
make_disk 32M 4
declare -A did=()

configure() {
	write_conf "queue_depth $1
		path_selector $2
		export {
			max_connections 64
		}"
}
path_of_chance() { dev=${paths[RANDOM % ${#paths[@]}]}; }
# What the daemon refuses (the path is gone, the fault is on already) is no news here; that it lives is looked at later.
told() { ctl "$@" >/dev/null 2>&1; }

# --- what happens: each a word of its own, and a function n_WORD ---
n_fail() { path_of_chance; told fail-path lab "$dev"; }
n_reinstate() { for dev in "${paths[@]}"; do told reinstate-path lab "$dev"; done; }
n_delay() { path_of_chance; told inject lab "$dev" delay $((RANDOM % 1500 + 1)); }
n_error() { path_of_chance; told inject lab "$dev" error count $((RANDOM % 5 + 1)); }
n_refuse() { path_of_chance; told inject lab "$dev" refuse count $((RANDOM % 5 + 1)); }
n_drop() { path_of_chance; told inject lab "$dev" drop count 1; }
n_sick() { path_of_chance; told inject lab "$dev" check; }
n_heal() { for dev in "${paths[@]}"; do told inject lab "$dev" off; done; n_reinstate; }
n_pull() { path_of_chance; losetup -d "$dev" 2>/dev/null; }
n_plug() {
	for dev in "${paths[@]}"; do
		losetup "$dev" >/dev/null 2>&1 || losetup "$dev" "$disk" 2>/dev/null
	done
}
n_sleep() { kill -STOP "$daemon_pid" && sleep 0.$((RANDOM % 10)) && kill -CONT "$daemon_pid"; }
n_reload() {
	local selectors=('"round-robin 0"' '"service-time 0"' '"queue-length 0"')
	configure $((RANDOM % 30 + 2)) "${selectors[RANDOM % 3]}"
	kill -HUP "$daemon_pid"
}
n_upgrade() { told upgrade lab; }
n_kill() {
	kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	cat "$T/daemon.log" >>"$T/all.log"
	: >"$T/daemon.log"
	sleep "$((RANDOM % 2)).$((RANDOM % 10))"
	start_daemon
}

# nemesis SECONDS WORD...: one of these at a time; healed every now and then, and at the end
nemesis() {
	local end=$((SECONDS + $1)) word
	shift
	while [ $SECONDS -lt "$end" ]; do
		word=${*:RANDOM % $# + 1:1}
		"n_$word"
		did[$word]=$((${did[$word]:-0} + 1))
		daemon_lives
		sleep 0.$((RANDOM % 4))
		[ $((RANDOM % 4)) -gt 0 ] || { n_plug; n_heal; }
	done
	n_plug
	n_heal
}
# load SECONDS NAME; load_ends NAME
load() {
	python3 "$here/soak.py" "$sock" lab "$1" >"$T/$2.log" 2>&1 &
	load_pid=$!
	for i in $(seq 300); do
		grep -q connected "$T/$2.log" && return
		kill -0 $load_pid 2>/dev/null || break
		sleep 0.1
	done
	fail "the load: $(tail -n 1 "$T/$2.log")"
}
load_ends() {
	wait $load_pid || fail "$1: $(tail -n 2 "$T/$1.log")"
	note "$1: $(tail -n 1 "$T/$1.log")"
}

touch "$T/daemon.log" "$T/alive.log" "$T/mortal.log"
configure 16 '"round-robin 0"'
start_daemon
ctl wait lab --paths 4 >/dev/null || fail "four paths"
load $((seconds / 2)) alive
fio --name=v --ioengine=nbd --uri="$uri" --rw=randrw --bsrange=4k-64k --iodepth=16 --offset=16m --size=16M --verify=crc32c \
	--verify_state_save=0 --time_based --runtime=$((seconds / 2)) --verify_backlog=256 --verify_fatal=1 >"$T/fio.log" 2>&1 &
fio_pid=$!
nemesis $((seconds / 2)) fail reinstate delay error refuse drop sick heal pull plug sleep reload upgrade
load_ends alive
wait $fio_pid || fail "fio: $(grep -m 3 -iE 'err|verify' "$T/fio.log")"
note "fio: $(grep -E '^ +(read|write): IOPS' "$T/fio.log" | tr -s ' ' | tr '\n' ';')"

load $((seconds / 2)) mortal
nemesis $((seconds / 2)) fail reinstate delay error refuse drop sick heal pull plug sleep reload upgrade kill kill kill
load_ends mortal

n_plug
n_heal
ctl wait lab --paths 4 >/dev/null || fail "the paths are not all back: $(ctl paths lab)"
note "$(for word in "${!did[@]}"; do printf '%s %s, ' "$word" "${did[$word]}"; done)"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
