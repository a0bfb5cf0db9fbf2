# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - for the cases of the loopback tier: disks, daemon, verdicts.
#
# A case is a bash script that sources this, says `case_begin NAME`, does its
# work in $T (removed at the end with everything that stands on it), and says
# `pass` or `fail WHY`.  What it started is stopped whatever happens.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-$here/../../_build/gcc}
LUNMUXD=${LUNMUXD:-$BUILD/lunmuxd}
LUNMUXCTL=${LUNMUXCTL:-$BUILD/lunmuxctl}
# Cases run in a directory of their own: fio leaves files where it is started.
BUILD=$(realpath -m "$BUILD") LUNMUXD=$(realpath -m "$LUNMUXD") LUNMUXCTL=$(realpath -m "$LUNMUXCTL")
export LC_ALL=C

case_name=
verdict=
daemon_pid=
loops=()

note() { printf '   %s\n' "$*"; }

# skip WHY: a prerequisite is missing. In CI that is a failure.
skip() {
	[ -n "${CI:-}" ] && fail "prerequisite: $*"
	verdict="SKIP $case_name: $*"
	exit 77
}

fail() {
	[ -n "$verdict" ] || verdict="FAIL $case_name: $*"
	[ -f "$T/daemon.log" ] && tail -n 15 "$T/daemon.log" | sed 's/^/   | /'
	exit 1
}

pass() {
	# shellcheck disable=SC2034
	verdict="PASS $case_name"
	exit 0
}

case_begin() {
	case_name=$1
	T=$(mktemp -d "${TMPDIR:-/tmp}/lunmux-test.XXXXXX") || exit 1
	trap case_end EXIT
	trap 'exit 1' INT TERM HUP
	cd "$T" || exit 1
}

case_end() {
	local i dev
	trap '' INT TERM HUP
	cd /
	declare -F case_cleanup >/dev/null && case_cleanup
	jobs -p | xargs -r kill 2>/dev/null
	if [ -n "$daemon_pid" ] && kill "$daemon_pid" 2>/dev/null; then
		for i in $(seq 100); do kill -0 "$daemon_pid" 2>/dev/null && sleep 0.1 || break; done
		kill -9 "$daemon_pid" 2>/dev/null
	fi
	findmnt -rno TARGET | grep -F "$T/" | sort -r | xargs -r -n 1 umount -l
	for dev in "${loops[@]}"; do losetup -d "$dev" 2>/dev/null; done
	rm -rf "$T"
	printf '%s\n' "${verdict:-FAIL $case_name: ended early}"
}

need() {
	local c
	for c in "$@"; do command -v "$c" >/dev/null || skip "no $c here"; done
}

need_root() { [ "$(id -u)" = 0 ] || skip "needs root (loop devices)"; }

# make_disk SIZE NPATHS [losetup option]...: $disk, $T/disk.img, with loop devices in $paths.
make_disk() {
	local size=$1 n=$2 i dev
	shift 2
	need_root
	disk=$T/disk.img
	truncate -s "$size" "$disk" || fail "no room for a disk"
	paths=()
	for ((i = 0; i < n; i++)); do
		dev=$(losetup -f --show "$@" "$disk") || skip "no free loop device"
		paths+=("$dev")
		loops+=("$dev")
	done
}

# write_conf [text for the multipath section]: one LUN "lab" on $disk.
write_conf() {
	cat >"$T/lunmux.conf" <<-EOF
		defaults {
			polling_interval 500ms
			max_polling_interval 1
			no_path_retry queue
		}
		multipaths {
			multipath {
				wwid file:$disk
				alias lab
				$*
			}
		}
	EOF
}

run=
sock=
uri=
# start_daemon [option]...: returns when it is ready.
start_daemon() {
	run=$T/run
	sock=$run/lab/nbd.sock
	uri="nbd+unix:///lab?socket=$sock"
	"$LUNMUXD" -c "$T/lunmux.conf" -R "$run" "$@" lab >>"$T/daemon.log" 2>&1 &
	daemon_pid=$!
	wait_ready
}

wait_ready() {
	local i
	for i in $(seq 300); do
		grep -q ': ready: ' "$T/daemon.log" && return 0
		kill -0 "$daemon_pid" 2>/dev/null || fail "lunmuxd ended at start"
		sleep 0.05
	done
	fail "lunmuxd was not ready in 15 s"
}

# stop_daemon [SIGNAL]: its exit code is in $code.
stop_daemon() {
	kill "-${1:-TERM}" "$daemon_pid" || fail "lunmuxd is not there any more"
	wait "$daemon_pid"
	code=$?
	daemon_pid=
}

ctl() { "$LUNMUXCTL" -R "$run" "$@"; }
# js PATH-EXPRESSION: of the status in JSON
js() { ctl --json status lab | jq -r "$1"; }

daemon_lives() { kill -0 "$daemon_pid" 2>/dev/null || fail "lunmuxd has died"; }

# rock_paths SECONDS: fail and reinstate paths at random, at least one always left.
rock_paths() {
	local end=$((SECONDS + $1)) p n=0
	while [ $SECONDS -lt "$end" ]; do
		p=${paths[$((RANDOM % ${#paths[@]}))]}
		ctl fail-path lab "$p" >/dev/null
		sleep 0.0$((RANDOM % 9 + 1))
		ctl reinstate-path lab "$p" >/dev/null
		sleep 0.0$((RANDOM % 9 + 1))
		n=$((n + 1))
	done
	note "$n paths failed and reinstated"
}

sum() { sha256sum <"$1" | cut -d' ' -f1; }
