# SPDX-License-Identifier: GPL-2.0-or-later
# Ten upgrades under a load that is verified: no client connects again. Programs and configurations that will not do are
# refused, and the I/O goes on; so it does when the process is killed in the middle.
. "$(dirname "$0")/lib.sh"
case_begin upgrade
need python3 jq
make_disk 64M 3
write_conf
mkdir "$T/sbin"
program=$T/sbin/lunmuxd
real=$LUNMUXD
# install FILE: as a package does it, under the feet of the one that runs
install_program() { cp "$1" "$program.new" && mv "$program.new" "$program"; }
install_program "$real"
LUNMUXD=$program
start_daemon
pid=$daemon_pid

# However slow the machine is, it goes on until load_over.
load_begins() {
	: >"$T/load.log"
	python3 "$here/crash.py" "$sock" lab 300 >"$T/load.log" 2>&1 &
	load=$!
	for i in $(seq 300); do
		grep -q connected "$T/load.log" && return
		sleep 0.1
	done
	fail "the load does not begin: $(cat "$T/load.log")"
}
load_over() {
	kill $load && wait $load
}
answers() { js '[.luns[0].exports[] | select(.type == "nbd") | .clients[].requests] | add'; }
# goes_on WHAT: requests are answered, by the same process as before
goes_on() {
	local a b
	daemon_lives
	a=$(answers)
	sleep 0.1
	b=$(answers)
	[ "$b" -gt "$a" ] || fail "$1: the load stands still at $a requests"
}

# --- ten of them, one in the middle of a path's failure ---
ctl fail-path lab "${paths[2]}" >/dev/null || fail "fail-path"
load_begins
worst=0
for i in $(seq 10); do
	install_program "$real"
	ctl --json upgrade lab >"$T/upgrade.json" || fail "upgrade $i: $(cat "$T/upgrade.json")"
	ms=$(jq '.luns[0].wait_ms' "$T/upgrade.json")
	[ "$ms" -gt "$worst" ] && worst=$ms
	goes_on "upgrade $i"
	sleep 0.2
done
[ "$(jq '.luns[0].pid' "$T/upgrade.json")" = "$pid" ] || fail "another process"
[ "$(js '.luns[0].daemon.upgrade.count')" = 10 ] || fail "$(js '.luns[0].daemon.upgrade') after ten upgrades"
[ "$(readlink "/proc/$pid/exe")" = "$program" ] || fail "it runs $(readlink "/proc/$pid/exe")"
js '.luns[0].path_list[] | select(.name == "'"${paths[2]}"'") | .state' | grep -qx disabled ||
	fail "fail-path was forgotten"
nfd=$(ls "/proc/$pid/fd" | wc -l)

# --- what is refused ---
# refused WHAT STATUS WORDS
refused() {
	timeout 20 "$LUNMUXCTL" -R "$run" upgrade lab >"$T/out" 2>&1
	rc=$?
	[ $rc = "$2" ] || fail "$1: exit status $rc: $(cat "$T/out")"
	grep -q -e "$3" "$T/out" || fail "$1: it says $(cat "$T/out")"
	goes_on "$1"
}
rm "$program"
refused "no program" 1 'No such file'
echo garbage >"$program"
chmod +x "$program"
refused "garbage" 1 'Exec format error'
printf '#!/bin/sh\necho "lunmuxd: option --takeover is not known" >&2; exit 2\n' >"$program"
refused "an old program" 1 'cannot take over: .*--takeover is not known'
printf '#!/bin/sh\nkill -SEGV $$\n' >"$program"
refused "a program that dies" 1 'cannot take over: it died'
chmod -x "$program"
refused "not executable" 1 'Permission denied'
install_program "$real"
cp "$T/lunmux.conf" "$T/good.conf"
echo 'nonsense {' >>"$T/lunmux.conf"
refused "a bad configuration" 78 'lunmux.conf:'
sed "s|$disk|/tmp/other|" "$T/good.conf" >"$T/lunmux.conf"
refused "another LUN" 78 'another WWID'
sed "s|alias lab|alias other|" "$T/good.conf" >"$T/lunmux.conf"
refused "not listed" 78 'lab'
cp "$T/good.conf" "$T/lunmux.conf"
[ "$(js '.luns[0].daemon.upgrade.count')" = 10 ] || fail "a refusal counted"
load_over || fail "the load: $(tail -n 3 "$T/load.log")"
tail -n 1 "$T/load.log" | grep -q ' 2 connections, 0 writes sent again' ||
	fail "a client had to connect again: $(tail -n 1 "$T/load.log")"
note "ten upgrades, clients waited $worst ms at most; the load: $(tail -n 1 "$T/load.log")"
[ "$worst" -lt 2000 ] || fail "clients waited $worst ms"

# --- a command that hangs ---
load_begins
ctl inject lab "${paths[0]}" drop count 1 >/dev/null || fail "inject"
sleep 0.5
refused "a command that hangs" 1 'are not answered, after 2 s\|have not come back'
ctl inject lab "${paths[0]}" off >/dev/null
sleep 0.2
ctl upgrade lab >"$T/out" 2>&1 || fail "after the command had come back: $(cat "$T/out")"
load_over || fail "the load: $(tail -n 3 "$T/load.log")"
tail -n 1 "$T/load.log" | grep -q ' 2 connections, 0 writes sent again' || fail "$(tail -n 1 "$T/load.log")"
[ "$(ls "/proc/$pid/fd" | wc -l)" -le "$nfd" ] || fail "descriptors leak: $nfd, now $(ls "/proc/$pid/fd")"

# --- killed at any time after it was begun ---
load_begins
for ms in 005 015 025 035 060; do
	: >"$T/daemon.log"
	ctl upgrade lab >/dev/null 2>&1 &
	sleep 0.$ms
	kill -KILL $pid
	wait $pid 2>/dev/null
	: >"$T/daemon.log"
	start_daemon
	pid=$daemon_pid
	sleep 0.3
done
load_over || fail "the load, killed: $(tail -n 3 "$T/load.log")"
note "killed five times on the way: $(tail -n 1 "$T/load.log")"
stop_daemon
[ $code = 0 ] || fail "exit code $code"

# --- FUSE cannot ---
if [ -c /dev/fuse ] && "$real" --help | grep -q NAME; then
	write_conf "fuse $T/lun.img"
	: >"$T/daemon.log"
	start_daemon
	ctl upgrade lab >"$T/out" 2>&1 && fail "an upgrade under a FUSE file"
	grep -q 'FUSE file .* cannot be handed over' "$T/out" || fail "it says $(cat "$T/out")"
	stop_daemon
fi
pass
