# SPDX-License-Identifier: GPL-2.0-or-later
# fio writes and verifies over four connections while paths fail and return.
. "$(dirname "$0")/lib.sh"
case_begin fio-verify-while-paths-fail
need fio jq
fio --enghelp 2>/dev/null | grep -qw nbd || skip "fio has no nbd engine"
make_disk 256M 4
write_conf queue_depth 16
start_daemon
rock_paths 8 &
rocker=$!
fio --name=v --ioengine=nbd --uri="$uri" --rw=randrw --bssplit=512/20:4k/50:64k/20:256k/10 --bs_unaligned=0 \
	--size=64m --numjobs=4 --offset_increment=64m --iodepth=16 --verify=crc32c --verify_fatal=1 \
	--do_verify=1 --group_reporting --randseed=7 >"$T/fio.log" 2>&1 || fail "fio: $(grep -E 'verify|err' "$T/fio.log" | head -n 3)"
wait $rocker
most=$(ctl --json stats lab | jq '.luns[0].lun.inflight_max')
note "most commands in flight at the LUN: $most of 16"
[ "$most" -le 16 ] || fail "$most commands in flight, the depth is 16"
stop_daemon
[ $code = 0 ] || fail "exit code $code"
pass
