# SPDX-License-Identifier: GPL-2.0-or-later
# Every kind of bad client at once: an honest one beside them keeps 70 % of its throughput and less than three times its p99,
# and the daemon's memory stays within what it was given. By turns with and without them, the median of the rounds.
. "$(dirname "$0")/lib.sh"
case_begin zoo
need python3 jq fio nice
make_disk 64M 2
write_conf "buffer_memory 32M"
start_daemon
ctl wait lab --paths 2 >/dev/null || fail "two paths"

# honest: "IOPS P99-in-us" of two seconds of reads
honest() {
	fio --name=h --ioengine=nbd --uri="$uri" --rw=randread --bs=4k --iodepth=4 --size=32m --time_based --runtime=2 \
		--output-format=json --output="$T/fio.json" >"$T/fio.err" 2>&1 || fail "the honest client: $(tail -n 2 "$T/fio.err")"
	jq -r '.jobs[0] | select(.error == 0) | .read | "\(.iops | floor) \(.clat_ns.percentile["99.000000"] / 1000 | floor)"' "$T/fio.json"
}
# round: alone and beside the zoo; into $T/alone and $T/beside
round() {
	honest >>"$T/alone"
	nice -n 19 python3 "$here/zoo.py" "$sock" lab 4 >"$T/zoo.log" 2>&1 &
	sleep 1
	honest >>"$T/beside"
	wait $! || fail "the zoo: $(tail -n 1 "$T/zoo.log")"
}
median() { sort -n -k "$2,$2" "$T/$1" | awk -v col="$2" '{ v[NR] = $col } END { print v[int((NR + 1) / 2)] }'; }
judge() {
	iops="$(median beside 1) of $(median alone 1)" p99="$(median beside 2) of $(median alone 2)"
	awk -v b="$(median beside 1)" -v a="$(median alone 1)" -v pb="$(median beside 2)" -v pa="$(median alone 2)" \
		'BEGIN { exit !(a > 0 && b >= 0.7 * a && pb < 3 * pa) }'
}
for try in 1 2 3 4 5 6 7 8 9; do
	round
	[ $try -lt 3 ] || ! judge || break
done
note "IOPS $iops, p99 $p99 us, after $try rounds; the zoo: $(tail -n 1 "$T/zoo.log")"
note "$(grep -c 'client [0-9]' "$T/daemon.log") lines of log about them"
daemon_lives
kib=$(awk '/^VmHWM/ { print $2 }' "/proc/$daemon_pid/status")
note "at most $kib KiB of memory"
judge || fail "the honest client has IOPS $iops, p99 $p99 us"
[ "$kib" -lt $(((32 + 12) * 1024)) ] || fail "$kib KiB of memory, with buffer_memory 32M"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
