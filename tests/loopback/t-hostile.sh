# SPDX-License-Identifier: GPL-2.0-or-later
# Clients that send garbage, stop reading, leave in mid payload: they harm only themselves.
. "$(dirname "$0")/lib.sh"
case_begin hostile-nbd-clients
need python3 nbdinfo
[ -f "$here/t-nbd-hostile.py" ] || fail "t-nbd-hostile.py is missing"
make_disk 64M 2
write_conf
start_daemon
python3 "$here/t-nbd-hostile.py" "$sock" lab >"$T/hostile.log" 2>&1
rc=$?
grep -E '^(PASS|FAIL)' "$T/hostile.log" | sed 's/^/   /'
daemon_lives
[ $rc = 0 ] || fail "$(grep -m 1 FAIL "$T/hostile.log" || tail -n 1 "$T/hostile.log")"
nbdinfo "$uri" >/dev/null || fail "an honest client is not served afterwards"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
