# SPDX-License-Identifier: GPL-2.0-or-later
# The name of a path gets another disk behind it: quarantine, nothing is written there, and only accept-path with the
# right disk ends it.
. "$(dirname "$0")/lib.sh"
case_begin quarantine
need python3 jq losetup
make_disk 16M 2
write_conf "path ${paths[0]}
path ${paths[1]}"
other=$T/other.img
truncate -s 16M "$other"
start_daemon
bad=${paths[1]}
quarantined() { js ".luns[0].path_list[] | select(.name == \"$bad\") | .quarantined"; }
use() {
	PYTHONPATH=$here python3 -c "
from nbd_client import *
c = Client('$sock').go('lab')
for i in range(200): c.write(i * 65536, b'$1' * 65536)" || fail "writes with a path in quarantine"
}
# attach FILE: behind the name that the daemon has lost or is about to lose.
attach() {
	local i
	losetup -d "$bad"
	for i in $(seq 200); do
		losetup "$bad" "$1" 2>/dev/null && return
		sleep 0.1
	done
	skip "$bad cannot be attached to $1 (taken by another program?)"
}
attach "$other"
for i in $(seq 150); do [ "$(quarantined)" = true ] && break; sleep 0.1; done
[ "$(quarantined)" = true ] || fail "another disk behind $bad is not in quarantine"
note "$(ctl paths lab | grep -o 'quarantine:.*')"
use a
ctl reinstate-path lab "$bad" 2>"$T/err" && fail "reinstate-path took it back"
grep -q "in quarantine: " "$T/err" || fail "reinstate-path says: $(cat "$T/err")"
ctl accept-path lab "$bad" >/dev/null || fail "accept-path"
for i in $(seq 150); do [ "$(quarantined)" = true ] && break; sleep 0.1; done
[ "$(quarantined)" = true ] || fail "accept-path took the wrong disk"
use b
cmp -s "$other" <(head -c 16M /dev/zero) || fail "something was written to the wrong disk"
attach "$disk"
checks() { js ".luns[0].path_list[] | select(.name == \"${paths[0]}\") | .checks"; }
n=$(checks) # while the other path has three
for i in $(seq 200); do [ "$(checks)" -ge $((n + 3)) ] && break; sleep 0.1; done
[ "$(quarantined)" = true ] || fail "the right disk ends the quarantine by itself"
ctl accept-path lab "$bad" >/dev/null || fail "accept-path"
ctl wait lab --paths 2 >/dev/null || fail "accept-path does not take the right disk"
use c
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
