#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 150
#
# A path answers nothing any more, and error recovery gets nowhere: aborts and resets of the device and of the target
# fail, for seconds the kernel stops the whole adapter, and in the end it takes the device offline. Writes go on by the
# other adapter at once, none meets an error, and the path is used again after it was repaired.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client jq steady

faults=/sys/kernel/debug/scsi_debug
sdebug_load 2 || die "scsi_debug with two hosts"
bad=${paths[0]} good=${paths[1]}
[ -e "$faults/$bad/error" ] || die "this scsi_debug makes no errors of single devices"
# What error recovery sends to see whether a device is there again waits for so long, each time.
for p in "${paths[@]}"; do echo 1 >"$scsi_dir/$p/device/eh_timeout"; done
lunmux_serve db01 "io_timeout 1s
	suspect_after 300ms"
nbd_attach /dev/nbd0 "$sock" db01 -C 2 || die "nbd-client attaches"
# It writes no block twice: where a write is in doubt another one to the same blocks has to wait.
steady -d /dev/nbd0 -j 8 -p 200 -t 600 -w 2 >$work/steady.out 2>&1 &
load=$!
background+=($load)
counts_mark
check "both paths carry data" wait_for 10 eval 'path_carried $bad 50 && path_carried $good 50'

say "path $bad falls silent"
echo Y >"$faults/target${bad%:*}/fail_reset" || die "target resets cannot be made to fail"
# 0: commands time out, 3: aborts fail, 4: resets of the device fail; always; whatever the command
for what in 4 3 0; do
	echo "$what 1 0xff" >"$faults/$bad/error" || die "scsi_debug takes no error $what"
done
check "the path is not used any more" wait_for 5 eval '! ctl_active db01 $bad'
counts_mark
check "writes go on by the other adapter" wait_for 5 path_carried "$good" 50
offline() { [ "$(path_state "$bad")" = offline ]; }
check "the kernel gives the device up" wait_for 30 offline
counts_mark
check "and writes still go on" wait_for 5 path_carried "$good" 50
for what in 'abort command' 'lun reset' 'target reset'; do
	if dmesg_new | grep -q "fail $what"; then ok "it has met: fail $what"; else fail "it has met: fail $what"; fi
done

say "the path is repaired"
for what in 4 3 0; do echo "- $what 0xff" >"$faults/$bad/error"; done
echo N >"$faults/target${bad%:*}/fail_reset"
path_online "$bad"
check "it is active again" wait_for 15 ctl_active db01 "$bad"
counts_mark
check "and carries data" wait_for 10 path_carried "$bad" 20
kill -TERM $load
wait $load || fail "the load's data is verified"
say "$(<$work/steady.out)"
figure() { jq -r "$1" <$work/steady.out; }
equal "errors of the client" "$(figure .errors)" 0
most "the longest gap between completions in ms" "$(figure '.gap_ms | ceil')" 2000
most "the longest time of a request in ms" "$(figure '.max_ms | ceil')" 5000
least "requests sent again by the other path" "$(lun_stat db01 hedges)" 1
equal "requests of the client that failed" "$(lun_stat db01 errors)" 0
no_client_errors
check "detach" nbd_detach /dev/nbd0
