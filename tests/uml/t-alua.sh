#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# An ALUA array (LIO, two port groups) changes the state of a port group under a writer, with no_path_retry fail:
# nobody meets an error. Then both groups stand by and change on request only: lunmuxd asks one to serve.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client jq

tcm_load 2 || die "tcm_loop with two ports"
lunmux_serve lio $'path_grouping_policy group_by_tpg\nno_path_retry fail'
lun_is() { [ "$(ctl --json status lio | jq -r '.luns[0].state')" = "$1" ]; }
path_access() { ctl --json paths lio | jq -r --arg dev "$1" '.luns[0].path_list[] | select(.dev == $dev) | .access'; }
access_is() { [ "$(path_access "$1")" = "$2" ]; }
tpgs=$(ctl --json paths lio | jq '[.luns[0].path_list[].tpg] | unique | length')
equal "two port groups" "$tpgs" 2
nbd_attach /dev/nbd0 "$sock" lio -C 2 || die "nbd-client attaches"
writer_start /dev/nbd0
for state in 1:active/non-optimized 2:standby 0:active/optimized; do
	check "port 0: ${state#*:}" tcm_alua 0 "${state%%:*}"
	check "port 0 is seen ${state#*:}" wait_for 20 access_is "${paths[0]}" "${state#*:}"
	counts_mark
	check "the writer goes on" wait_for 20 lun_carried 60
	! writer_failed || die "the client met an error"
done
writer_stop
no_client_errors

say "both stand by, and change on request only"
check "queueing on" ctl queueing lio on
for i in 0 1; do tcm_alua $i 2; done
dd if=/dev/nbd0 of=/dev/null bs=64k count=1 iflag=direct 2>/dev/null &
reader=$!
check "the LUN is dark" wait_for 20 lun_is dark
for i in 0 1; do echo 2 >"${tcm_stores[0]}/alua/gp$i/alua_access_type"; done
check "the LUN is up again" wait_for 30 lun_is up
check "the read ends well" wait $reader
check "detach" nbd_detach /dev/nbd0
no_client_errors
