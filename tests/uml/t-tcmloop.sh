#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# A LUN of the kernel's own target (LIO) behind two tcm_loop ports: another SCSI target than scsi_debug, with other
# limits, ALUA groups, UNMAP and WRITE SAME. The transport of one port is cut and restored under load.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client nbdinfo fio qemu-io jq

tcm_load 2 || die "tcm_loop with two ports"
lunmux_serve lio
check "discard is offered" test "$(nbdinfo --json "$uri" | jq '.exports[0].can_trim')" = true
check "write zeroes is offered" test "$(nbdinfo --json "$uri" | jq '.exports[0].can_zero')" = true

check "zeroes over data" qemu-io -f raw -c 'write -P 0x5a 1M 4M' -c 'write -z 2M 1M' -c 'read -P 0 2M 1M' \
	-c 'read -P 0x5a 1M 1M' -c 'read -P 0x5a 3M 2M' "$uri"
check "discard" qemu-io -f raw -c 'discard 3M 1M' -c 'read -P 0x5a 4M 1M' "$uri"

nbd_attach /dev/nbd0 "$sock" lio -C 2 || die "nbd-client attaches"
check "fio verifies" fio_verify /dev/nbd0
check "blkdiscard" blkdiscard -o 32M -l 8M /dev/nbd0

say "a port is cut and restored"
writer_start /dev/nbd0
counts_mark
for p in "${paths[@]}"; do
	check "port $p is used" wait_for 15 path_carried "$p" 20
done
for i in 0 1; do
	other=${paths[1 - i]}
	tcm_cut $i
	counts_mark
	check "port $i is cut: the other carries on" wait_for 20 path_carried "$other" 60
	nap 1
	tcm_restore $i
	counts_mark
	check "port $i is restored: it is used again" wait_for 20 path_carried "${paths[i]}" 60
	! writer_failed || die "the client met an error"
done
writer_stop
check "two active paths in lunmuxctl" wait_for 10 ctl_nactive_is lio 2
check "detach" nbd_detach /dev/nbd0
no_client_errors
