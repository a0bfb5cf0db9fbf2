#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
#
# The harness itself, without lunmux: what the other cases rely on is really there in the guest's kernel, and the
# functions of lib.sh do what they say. When this fails, look no further.

. ./lib.sh
need sg_dd sg_inq nbd-client qemu-nbd

say "four paths to one LUN"
sdebug_load 4 || die "scsi_debug with four hosts"
equal "four paths" ${#paths[@]} 4
for p in "${paths[@]}"; do
	equal "path $p: the WWID of the first one" "$(lun_identify "$p"; echo "$wwid")" "$wwid"
done
check "scsi_id is there" test -x /lib/udev/scsi_id &&
	equal "scsi_id prints the same WWID" "$(/lib/udev/scsi_id -g -u -d "$(sg_of "${paths[3]}")")" "$wwid"
sg=() sd=()
for p in "${paths[@]}"; do
	sg+=("$(sg_of "$p")") sd+=("$(sd_of "$p")")
done
head -c 1M /dev/urandom >$work/data
check "write over the first path" sg_dd if=$work/data of="${sg[0]}" bs=512 bpt=64
check "read over the fourth" sg_dd if="${sg[3]}" of=$work/back bs=512 bpt=64 count=2048
check "the same bytes" cmp $work/data $work/back
check "sg_read over the second" sg_read if="${sg[1]}" bs=512 count=64 bpt=16
counts_mark
check "read over the third" sg_dd if="${sg[2]}" of=/dev/null bs=512 bpt=64 count=2048
least "commands are counted for it" "$(count_since "${paths[2]}")" 32
equal "and not for its neighbour" "$(count_since "${paths[1]}")" 0

say "offline and back"
path_offline "${paths[1]}"
equal "state" "$(path_state "${paths[1]}")" offline
check "a read fails" eval "! sg_dd if=${sg[1]} of=/dev/null bs=512 count=1"
check "the other path still works" sg_dd if="${sg[0]}" of=/dev/null bs=512 count=1
path_online "${paths[1]}"
check "a read succeeds after the return" sg_dd if="${sg[1]}" of=/dev/null bs=512 count=1

say "deleted and found again"
exec 8<"${sg[2]}"		# an old file keeps the old name taken
path_delete "${paths[2]}"
equal "state" "$(path_state "${paths[2]}")" gone
check "found again" path_rescan "${paths[2]}"
new=$(sg_of "${paths[2]}")
check "under another name ($new, was ${sg[2]})" test "$new" != "${sg[2]}"
check "a read succeeds" sg_dd if="$new" of=$work/back bs=512 count=2048 bpt=64
check "the same bytes" cmp $work/data $work/back
exec 8<&-
check "two hosts less" sdebug_hosts 2
check "six hosts more" sdebug_hosts 8
check "scsi_debug is unloaded" sdebug_unload

say "a CD-ROM"
sdebug_load 2 ptype=5 sector_size=2048 || die "scsi_debug as a CD-ROM"
check "sr_mod has it" test "$(sd_of "${paths[0]}")" = /dev/sr0
equal "blocks of 2048 bytes" "$(cat /sys/block/sr0/queue/logical_block_size)" 2048
check "write a disc over one path" sg_dd if=$work/data of="$(sg_of "${paths[0]}")" bs=2048 bpt=16
check "read it over the other" sg_dd if="$(sg_of "${paths[1]}")" of=$work/back bs=2048 bpt=16 count=512
check "the same bytes" cmp $work/data $work/back
check "and through sr0" cmp -n 1048576 $work/data /dev/sr0
check "scsi_debug is unloaded" sdebug_unload

say "write protection, 4096-byte blocks, provisioning"
sdebug_load 1 sector_size=4096 lbpu=1 lbpws=1 || die "scsi_debug with large blocks"
equal "blocks of 4096 bytes" "$(blockdev --getss "$(sd_of "${paths[0]}")")" 4096
check "written" dd if=$work/data of="$(sd_of "${paths[0]}")" bs=4096 oflag=direct status=none
check "unmapped" blkdiscard -o 0 -l 524288 "$(sd_of "${paths[0]}")"
check "reads zero there" cmp -n 524288 "$(sd_of "${paths[0]}")" /dev/zero
sdebug_set wp 1
check "write protected" eval "! sg_dd if=$work/data of=$(sg_of "${paths[0]}") bs=4096 count=1"
check "scsi_debug is unloaded" sdebug_unload

say "an ALUA array with two ports"
tcm_load 2 || die "tcm_loop with two ports"
equal "two paths" ${#paths[@]} 2
equal "one WWID" "$(lun_identify "${paths[1]}"; echo "$wwid")" "$wwid"
equal "as scsi_id prints it" "$(/lib/udev/scsi_id -g -u -d "$(sg_of "${paths[0]}")")" "$wwid"
sg=("$(sg_of "${paths[0]}")" "$(sg_of "${paths[1]}")")
check "write over one port" sg_dd if=$work/data of="${sg[0]}" bs=512 bpt=64
check "read over the other" sg_dd if="${sg[1]}" of=$work/back bs=512 bpt=64 count=2048
check "the same bytes" cmp $work/data $work/back
check "a port is cut" tcm_cut 0
check "a read fails" eval "! timeout --foreground 60 sg_dd if=${sg[0]} of=/dev/null bs=512 count=1"
check "restored" tcm_restore 0
sg_turs "${sg[0]}" >/dev/null 2>&1		# takes the unit attention
check "a read succeeds" sg_dd if="${sg[0]}" of=/dev/null bs=512 count=1
check "standby" tcm_alua 1 2
sg_turs "${sg[1]}" >/dev/null 2>&1
check "a read fails in standby" eval "! sg_dd if=${sg[1]} of=/dev/null bs=512 count=1"
check "active again" tcm_alua 1 0
check "LIO is taken down" tcm_unload

say "paths over device-mapper"
tcm_dm_load 2 || die "two ports over dm devices"
equal "one WWID" "$(lun_identify "${paths[1]}"; echo "$wwid")" "$wwid"
sg=("$(sg_of "${paths[0]}")" "$(sg_of "${paths[1]}")")
tcm_dm_table 1 delay 400
t=${EPOCHREALTIME/./}
check "a read over the slow path" sg_dd if="${sg[1]}" of=/dev/null bs=512 count=8
least "microseconds it took" $((${EPOCHREALTIME/./} - t)) 400000
tcm_dm_table 1 error
check "a read fails over the broken path" eval "! sg_dd if=${sg[1]} of=/dev/null bs=512 count=8"
check "and not over the other" sg_dd if="${sg[0]}" of=/dev/null bs=512 count=8
tcm_dm_table 1 linear
check "LIO is taken down" tcm_unload

say "nbd"
truncate -s 32M $work/nbd.img
qemu-nbd -f raw -t -e 8 -x disk -k $work/nbd.sock $work/nbd.img &
background+=($!)
wait_for 20 test -S $work/nbd.sock || die "qemu-nbd serves"
check "attached with two connections" nbd_attach /dev/nbd0 $work/nbd.sock disk -C 2 || die "nbd"
equal "its size in sectors" "$(cat /sys/block/nbd0/size)" 65536
check "written" dd if=$work/data of=/dev/nbd0 bs=64k oflag=direct status=none
check "detached" nbd_detach /dev/nbd0
check "the same bytes" cmp -n 1048576 $work/data $work/nbd.img
no_client_errors
