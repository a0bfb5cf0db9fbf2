#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 120
#
# path_checker directio: a real read ends each check. One port's reads break while TEST UNIT READY is good: the path
# fails, and says why. A block that nobody can read makes all paths marginal, and the LUN serves all the same.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio jq qemu-io sg_raw

cause_of()	{ ctl --json paths db01 | jq -r ".luns[0].path_list[] | select(.dev == \"$1\") | .cause"; }
cause_is()	{ [[ $(cause_of "$1") == *"$2"* ]]; }
states()	{ ctl --json paths "$1" | jq -r '[.luns[0].path_list[].state] | unique | join(" ")'; }
states_are()	{ [ "$(states "$1")" = "$2" ]; }

say "one port of LIO"
tcm_dm_load 2 || die "tcm_loop with two ports"
lunmux_serve db01 $'path_checker directio\nchecker_read_size 64K'
nbd_attach /dev/nbd0 "$sock" db01 -C 2 || die "nbd-client attaches"
writer_start /dev/nbd0 --size=1m
counts_mark
check "${paths[0]} is used" wait_for 15 path_carried "${paths[0]}" 20
tcm_dm_table 0 error || die "port 0 answers with errors"
check "its path fails" wait_for 15 ctl_is db01 "${paths[0]}" failed
# By its checks alone, whatever the commands of the writer met.
check "for what the check's READ met: $(cause_of "${paths[0]}")" wait_for 15 cause_is "${paths[0]}" "READ: sense"
nap 1
check "and stays so" ctl_is db01 "${paths[0]}" failed
check "TEST UNIT READY is good" sg_raw "$(sg_of "${paths[0]}")" 00 00 00 00 00 00
! writer_failed || die "the client met an error"
tcm_dm_table 0 linear || die "port 0 works again"
check "the path is active again" wait_for 20 ctl_active db01 "${paths[0]}"
writer_stop
equal "requests of the client that failed" "$(lun_stat db01 errors)" 0
equal "commands in flight" "$(lun_stat db01 inflight)" 0
say_pause db01
nbd_detach /dev/nbd0 || fail "detach"
lunmux_stop
tcm_unload || die "LIO is taken down"

say "a bad block where the check reads"
sdebug_load 2 medium_error_start=0 medium_error_count=1 || die "scsi_debug with two hosts"
lunmux_serve db01 $'path_checker readsector0'
nbd_attach /dev/nbd0 "$sock" db01 -C 2 || die "nbd-client attaches"
sdebug_set opts 2
check "all paths are marginal" wait_for 10 states_are db01 marginal
for p in "${paths[@]}"; do
	check "$p: $(cause_of "$p")" cause_is "$p" "READ of 512 bytes: sense 3/11/00"
done
equal "the LUN serves" "$(ctl --json status db01 | jq -r '.luns[0].state')" up
check "all but that block" fio_verify /dev/nbd0 --size=2m --offset=1m
sdebug_set opts 0
check "all paths are active" wait_for 10 states_are db01 active
equal "requests of the client that failed" "$(lun_stat db01 errors)" 0
equal "moves of a path to failed" "$(path_stat db01 failures)" 0
nbd_detach /dev/nbd0 || fail "detach"
lunmux_stop

say "the same, over the block device"
dev=$(sd_of "${paths[0]}")
lunmux_conf blk "$wwid" '' "path $dev"
lunmux_start blk || die "lunmuxd serves $dev"
sdebug_set opts 2
check "the path is marginal" wait_for 10 states_are blk marginal
check "all but that block" qemu-io -f raw -c "read 1M 1M" "$uri"
sdebug_set opts 0
check "the path is active" wait_for 10 states_are blk active
no_client_errors
