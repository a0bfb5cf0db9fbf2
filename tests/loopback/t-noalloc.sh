# SPDX-License-Identifier: GPL-2.0-or-later
# Requests allocate nothing, whatever they ask for: the daemon's allocations are counted while a client connects, sends few or many, and leaves.
. "$(dirname "$0")/lib.sh"
case_begin noalloc
need fio python3 make
make -s -C "$BUILD" tests/sweep/shim.so >"$T/make.log" 2>&1 || fail "the shim: $(tail -n 1 "$T/make.log")"
make_disk 32M 4
write_conf
# Checks do allocate, in threads of their own.
sed -i 's/polling_interval .*/polling_interval 5m/' "$T/lunmux.conf"
truncate -s 4096 "$T/page"
# page: kind, nth, count, struck (tests/sweep/shim.c); kind 1 counts allocations, the n-th of which is far away
page() { python3 -c '
import struct, sys
with open(sys.argv[1], "r+b") as f:
    print(struct.unpack("=4I", f.read(16))[2])
    f.seek(0)
    f.write(struct.pack("=4I", 1, 0xffffffff, 0, 0))' "$T/page"; }
export SWEEP_FILE=$T/page LD_PRELOAD=$BUILD/tests/sweep/shim.so
start_daemon
unset SWEEP_FILE LD_PRELOAD
ctl wait lab --paths 4 >/dev/null || fail "four paths"

# load REQUESTS: $count allocations for a client that sends so many
load() {
	page >/dev/null
	fio --name=r --ioengine=nbd --uri="$uri" --rw=randrw --bsrange=512-128k --iodepth=32 --number_ios="$1" --size=32m \
		--loops=100 >"$T/fio.log" 2>&1 || fail "fio: $(tail -n 2 "$T/fio.log")"
	count=$(page)
}
load 1000
few=$count
load 6000
note "$few allocations for a client with 1000 requests, $count for one with 6000"
[ "$few" -gt 0 ] || fail "not even a client's connection was counted: the shim does not count"
[ "$count" -le $((few + 20)) ] || fail "$few allocations for 1000 requests, $count for 6000"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
