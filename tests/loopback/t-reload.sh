# SPDX-License-Identifier: GPL-2.0-or-later
# The configuration changes while data is verified: settings, paths that come and go, a bad file,
# by reload and by SIGHUP; no client sees an error.
. "$(dirname "$0")/lib.sh"
case_begin reload-under-load
need fio jq
make_disk 64M 4

# conf PATHS [text]: the LUN with the paths of these numbers
conf() {
	local i names=
	for i in $1; do names+="path ${paths[$i]}"$'\n'; done
	write_conf "$names" "${2:-}"
}

npaths() { js '.luns[0].path_list | length'; }

# until WHAT COMMAND...: at most 10 s
until_so() {
	local what=$1 i
	shift
	for i in $(seq 200); do "$@" && return; sleep 0.05; done
	fail "$what: not after 10 s"
}
has_paths() { [ "$(npaths)" = "$1" ]; }
logged() { grep -q "$1" "$T/daemon.log"; }

conf "0 1"
start_daemon
fio --name=v --ioengine=nbd --uri="$uri" --rw=randwrite --bs=4k --iodepth=16 --size=16M \
	--verify=crc32c --time_based --runtime=4 --verify_backlog=512 >"$T/fio.log" 2>&1 &
fio_pid=$!

conf "0 1 2 3" $'path_selector queue-length\nqueue_depth 24\nelevator deadline'
ctl reload lab >"$T/out" || fail "reload: $(cat "$T/out")"
grep -q 'lab: path_selector is queue-length (was service-time)' "$T/out" || fail "$(cat "$T/out")"
grep -q 'lab: queue_depth is 24' "$T/out" || fail "$(cat "$T/out")"
until_so "two more paths" has_paths 4
[ "$(js '.luns[0].policy.selector')" = queue-length ] || fail "selector"
[ "$(js '.luns[0].queue.depth_max')" = 24 ] || fail "depth"

conf "2 3" $'no_path_retry 3\nmax_requests 77\nexport {\nmax_connections 3\n}'
kill -HUP $daemon_pid
until_so "two paths less" has_paths 2
until_so "a word on max_requests" logged 'max_requests 77 takes effect at the next start'
[ "$(js '.luns[0].policy.selector')" = service-time ] || fail "selector is not back"
[ "$(js '.luns[0].path_list[].name' | sort | tr '\n' ' ')" = \
	"$(printf '%s\n' "${paths[2]}" "${paths[3]}" | sort | tr '\n' ' ')" ] || fail "which paths?"

conf "0 1 2 3" "queue_deepth 7"
ctl reload lab 2>"$T/out" && fail "a bad file was accepted"
grep -q "lunmux.conf:[0-9]*:[0-9]*: \"queue_deepth\": unknown keyword" "$T/out" || fail "$(cat "$T/out")"
grep -q 'did you mean "queue_depth"' "$T/out" || fail "$(cat "$T/out")"
has_paths 2 || fail "a bad file has changed paths"

wait $fio_pid || fail "fio: $(tail -n 5 "$T/fio.log")"
grep -q 'err= 0' "$T/fio.log" || fail "fio: $(grep err= "$T/fio.log")"
daemon_lives
stop_daemon
[ "$code" = 0 ] || fail "exit code $code"
pass
