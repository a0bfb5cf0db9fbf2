#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 120
#
# The kernel's ALUA device handler is attached to the paths: it keeps the unit attentions of changed states to itself,
# and fails commands by its own idea of the state. lunmuxd says so at its start, and sees changes by asking.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client jq

modprobe scsi_dh_alua || die "scsi_dh_alua cannot be loaded"
tcm_load 2 || die "tcm_loop with two ports"
for p in "${paths[@]}"; do
	equal "the handler of $p" "$(<"$scsi_dir/$p/device/dh_state")" alua
done
lunmux_serve lio 'path_grouping_policy group_by_tpg'
check "lunmuxd warns of the handler" grep -q 'device handler "alua" is attached' "$lunmux_log"
path_access() { ctl --json paths lio | jq -r --arg dev "$1" '.luns[0].path_list[] | select(.dev == $dev) | .access'; }
access_is() { [ "$(path_access "$1")" = "$2" ]; }
nbd_attach /dev/nbd0 "$sock" lio -C 2 || die "nbd-client attaches"
writer_start /dev/nbd0
for state in 1:active/non-optimized 2:standby 3:unavailable 0:active/optimized; do
	check "port 0: ${state#*:}" tcm_alua 0 "${state%%:*}"
	check "port 0 is seen ${state#*:}" wait_for 20 access_is "${paths[0]}" "${state#*:}"
	counts_mark
	check "the writer goes on" wait_for 20 lun_carried 60
done
writer_stop
equal "requests of the client that failed" "$(lun_stat lio errors)" 0
no_client_errors
check "detach" nbd_detach /dev/nbd0
