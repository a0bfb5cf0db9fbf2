# SPDX-License-Identifier: GPL-2.0-or-later
# The name of a path gets another disk behind it: that one is refused, status says why, nothing is written there, no verb
# brings it in, and the path comes back when the right disk is behind its name again.
. "$(dirname "$0")/lib.sh"
case_begin another-disk-behind-the-name
need python3 jq losetup
make_disk 16M 2
write_conf "path ${paths[0]}
path ${paths[1]}"
other=$T/other.img
truncate -s 16M "$other"
start_daemon
bad=${paths[1]}
refused() { js ".luns[0].refused[]? | select(.name == \"$bad\") | .cause"; }
use() {
	PYTHONPATH=$here python3 -c "
from nbd_client import *
c = Client('$sock').go('lab')
for i in range(200): c.write(i * 65536, b'$1' * 65536)" || fail "writes beside the wrong disk"
}
# attach FILE: behind the name that the daemon has lost or is about to lose.
attach() {
	local i
	losetup -d "$bad" || fail "losetup -d $bad"
	for i in $(seq 200); do
		losetup "$bad" "$1" 2>/dev/null && return
		sleep 0.1
	done
	skip "$bad cannot be attached to $1 (taken by another program?)"
}
attach "$other"
for i in $(seq 150); do [ -n "$(refused)" ] && break; sleep 0.1; done
case $(refused) in *"is another disk: $other"*) note "$(refused)" ;; *) fail "status does not say that $bad is refused: $(refused)" ;; esac
use a
ctl reinstate-path lab "$bad" 2>/dev/null && fail "reinstate-path took it"
ctl accept-path lab "$bad" 2>/dev/null && fail "accept-path took it"
checks() { js ".luns[0].path_list[] | select(.name == \"${paths[0]}\") | .checks"; }
n=$(checks) # while the other path has three
for i in $(seq 200); do [ "$(checks)" -ge $((n + 3)) ] && break; sleep 0.1; done
[ -n "$(refused)" ] || fail "$bad is not refused any more"
use b
cmp -s "$other" <(head -c 16M /dev/zero) || fail "something was written to the wrong disk"
attach "$disk"
ctl wait lab --paths 2 --timeout 20 >/dev/null || fail "the right disk is not taken back"
[ -z "$(refused)" ] || fail "still refused: $(refused)"
use c
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
