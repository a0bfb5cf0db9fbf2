#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 300
#
# One path to a LUN, then eight, then sixty-four, found while it is served: each carries data, half of them go at once
# and come back, what is in flight at the LUN never exceeds its depth, and all of it is given back at the end.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio jq

sdebug_load 1 || die "scsi_debug with one host"
lunmux_serve lun "queue_depth 32
	marginal_path_err_sample_time no
	marginal_path_double_failed_time no
	max_polling_interval 2s"
nbd_attach /dev/nbd0 "$sock" lun -C 2 -timeout 600 || die "nbd-client attaches"
writer_start /dev/nbd0

rss() { local k v; while read -r k v _; do [ "$k" != VmRSS: ] || echo "$v"; done <"/proc/$lunmux_pid/status"; }
descriptors() { set -- /proc/"$lunmux_pid"/fd/*; echo $#; }
all_used()
{
	local p
	for p in "${paths[@]}"; do path_carried "$p" "$1" || return; done
}
fd1=$(descriptors)
rss=()
for n in 8 64; do
	sdebug_hosts $n || die "$n hosts"
	check "$n paths are active" wait_for 30 ctl_nactive_is lun $n
	counts_mark
	check "each of them carries data" wait_for 40 all_used 8
	half=()
	for ((i = 0; i < n; i += 2)); do half+=("${paths[i]}"); done
	path_offline "${half[@]}"
	counts_mark
	check "half of them gone: the others carry on" wait_for 20 lun_carried 200 "${half[@]}"
	check "and are all that is active" wait_for 30 ctl_nactive_is lun $((n / 2))
	path_online "${half[@]}"
	check "all are back" wait_for 40 ctl_nactive_is lun $n
	! writer_failed || die "the client met an error with $n paths"
	rss[n]=$(rss)
done
say "resident: ${rss[8]} KiB with 8 paths, ${rss[64]} KiB with 64; descriptors: $fd1 with one, $(descriptors) with 64"
most "KiB a path" $(((rss[64] - rss[8]) / 56)) 64
say "status of 64 paths: $(ctl --json status lun | wc -c) bytes"
most "commands in flight at the LUN, at most" "$(ctl --json stats lun | jq '.luns[0].lun.inflight_max')" 32
say_pause lun
# Away with them again; the kernel takes the last ones first.
sdebug_hosts 1 || die "one host again"
check "one path is left" wait_for 30 ctl_nactive_is lun 1
counts_mark
check "it carries the data" wait_for 20 lun_carried 200
writer_stop
equal "descriptors with one path" "$(descriptors)" "$fd1"
equal "requests of the client that failed" "$(lun_stat lun errors)" 0
check "detach" nbd_detach /dev/nbd0
no_client_errors
