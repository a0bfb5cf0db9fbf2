#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
#
# Paths of three kinds under group_by_prio, as scsi_debug reports them: optimized, non-optimized, and one that says
# standby and serves all the same. Data goes over the best, over the next best when that is lost, and back.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio jq

sdebug_load 4 || die "scsi_debug with four hosts"
lunmux_serve db01 "path_grouping_policy group_by_prio"

# The kernel's counters have the checks in them: the daemon's own tell data commands.
declare -A data=()
data_now()
{
	local dev n
	while read -r dev n; do
		data[$dev]=$n
	done < <(ctl --json stats db01 | jq -r '.luns[0].path_list[] | "\(.dev) \(.commands | add)"')
}
grown() { data_now; [ "${data[$1]}" -gt "$2" ]; }
# phase WHAT PATH...: data goes over these paths and over no other
phase()
{
	local what=$1 p
	local -A before=()
	shift
	# The writer begins pass after pass and rests between them: wait for what it sends, never for a time.
	data_now
	for p; do before[$p]=${data[$p]}; done
	for p; do wait_for 15 grown "$p" "${before[$p]}" || fail "$what: data goes over $p"; done
	# What was on its way to another path has ended by now.
	for p in "${paths[@]}"; do before[$p]=${data[$p]}; done
	for p; do
		check "$what: data goes over $p" wait_for 15 grown "$p" "${before[$p]}"
	done
	for p in "${paths[@]}"; do
		[[ " $* " == *" $p "* ]] || equal "$what: data commands over $p" $((data[$p] - before[$p])) 0
	done
}

nbd_attach /dev/nbd0 "$sock" db01 -C 4 || die "nbd-client attaches"
writer_start /dev/nbd0
phase "all is well" "${paths[0]}" "${paths[3]}"
path_offline "${paths[0]}"
phase "one of the best is lost" "${paths[3]}"
path_offline "${paths[3]}"
phase "both are lost" "${paths[1]}"
path_offline "${paths[1]}"
phase "the next best is lost" "${paths[2]}"
path_online "${paths[1]}"
phase "it returns" "${paths[1]}"
path_online "${paths[0]}" "${paths[3]}"
phase "all return" "${paths[0]}" "${paths[3]}"
say_pause db01
writer_stop
check "detach" nbd_detach /dev/nbd0
no_client_errors
