#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# An ALUA array (LIO, two port groups) changes the state of a port group under a writer, from each of five states to each
# other, with no_path_retry fail: nobody meets an error. Then both groups stand by and change on request only: lunmuxd asks one to serve.

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
names=([0]=active/optimized [1]=active/non-optimized [2]=standby [3]=unavailable [15]=transitioning)
old=0
for state in 15 3 15 2 15 1 15 0 3 2 3 1 3 0 2 1 2 0 1 0; do
	what="port 0 from ${names[old]} to ${names[state]}"
	tcm_alua 0 $state || die "$what"
	check "$what is seen" wait_for 20 access_is "${paths[0]}" "${names[state]}"
	counts_mark
	wait_for 20 lun_carried 30 || fail "$what: the writer goes on"
	! writer_failed || die "$what: the client met an error"
	old=$state
done
say_pause lio "in twenty transitions"
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
