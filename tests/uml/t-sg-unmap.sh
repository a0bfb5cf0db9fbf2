#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
#
# A thinly provisioned LUN: TRIM becomes UNMAP (or WRITE SAME with the bit), WRITE_ZEROES leaves zeroes, and what was
# given back reads as zeroes here (the LUN says so: LBPRZ).

. ./lib.sh
need lunmuxd nbd-client nbdinfo qemu-io jq

# scsi_debug keeps a map of the provisioned blocks and shows it.
mapped() { cat $sdebug_driver/map; }

sdebug_load 2 lbpu=1 lbpws=1 || die "scsi_debug with provisioning"
head -c 16M /dev/urandom >$work/data
lunmux_serve thin
info=$(nbdinfo --json "$uri")
equal "TRIM is offered" "$(jq '.exports[0].can_trim' <<<"$info")" true
equal "WRITE_ZEROES is offered" "$(jq '.exports[0].can_zero' <<<"$info")" true
nbd_attach /dev/nbd0 "$sock" thin -C 2 || die "nbd-client attaches"
check "written" dd if=$work/data of=/dev/nbd0 bs=256k oflag=direct status=none
say "provisioned: $(mapped)"

say "TRIM"
check "blkdiscard" blkdiscard -o 4M -l 4M /dev/nbd0
check "it reads as zeroes" cmp -n 4194304 -i 4194304:0 /dev/nbd0 /dev/zero
check "what is before stays" cmp -n 4194304 $work/data /dev/nbd0
check "what follows stays" cmp -n 4194304 -i 8388608 $work/data /dev/nbd0
equal "the LUN has taken the blocks back" "$(mapped)" 0-8191,16384-32767

say "zeroes"
check "fallocate -z on the nbd device" fallocate -z -o 8M -l 1M /dev/nbd0
check "blkdiscard -z" blkdiscard -z -o 9M -l 1M /dev/nbd0
check "they read as zeroes" cmp -n 2097152 -i 8388608:0 /dev/nbd0 /dev/zero
check "what follows stays" cmp -n 2097152 -i 10485760 $work/data /dev/nbd0
check "detach" nbd_detach /dev/nbd0
# The kernel here has no WRITE_ZEROES for nbd: it writes them out. A client that has it, and an odd range:
check "WRITE_ZEROES of another client" qemu-io -f raw -c 'write -z 11M 1M' -c 'read -P 0 11M 1M' \
	-c 'write -P 0x77 12M 64k' -c 'write -z -u 12289k 2k' -c 'read -P 0 12289k 2k' -c 'read -P 0x77 12M 1k' \
	-c 'read -P 0x77 12291k 1k' "$uri"

say "block status"
if [ "$(sg_get_lba_status --brief --lba=8192 "$(sg_of "${paths[0]}")" 2>/dev/null | head -c 2)" ]; then
	nbdinfo --map --json "$uri" >$work/map.json || fail "nbdinfo --map"
	say "$(jq -c '[.[] | [.offset, .length, .description]]' $work/map.json | head -c 300)"
	check "the trimmed range is no data" jq -e '[.[] | select(.offset <= 4194304 and .offset + .length >= 8388608)
		| .type == 3] | any' $work/map.json
	check "the written range is data" jq -e '[.[] | select(.offset < 4194304) | .type == 0] | all' $work/map.json
else
	say "the LUN does not answer GET LBA STATUS"
fi
no_client_errors
