#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
#
# A write hangs on one path, is sent again by the other and answered, and lands much later. What was written to its
# blocks meanwhile must stay: a newer write waits for the old one, in this process and, after kill -9, in the next one,
# which has it from the table of writes in flight. Without that table the old data does come back: the case can fail.
# With ghost_policy hold-ack the old write is not even answered before it has landed.

. ./lib.sh
need lunmuxd lunmuxctl qemu-io jq

# Port 1 is the second choice: what matters goes over port 0 first. A suspended map under a port holds its commands.
tcm_dm_load 2 || die "tcm_loop with two ports"
tcm_alua 1 1 || die "port 1 is not optimized"
configure()
{
	lunmux_conf lun "$wwid" "path_grouping_policy group_by_prio
		suspect_after 300ms
		io_timeout 5m
		ghost_time 1s
		${1:-}"
}
io()
{
	local c args=()
	for c; do args+=(-c "$c"); done
	timeout --foreground 60 qemu-io -f raw "${args[@]}" "$uri"
}
queue_is()	{ [ "$(ctl --json status lun | jq ".luns[0].queue.$1")" = "$2" ]; }
stat_is()	{ [ "$(lun_stat lun "$1")" = "$2" ]; }
disk_has()	{ check "$1" qemu-io -r -f raw -t none -c "read -P $2 1M 64k" "$tcm_loop_dev"; }
# start COMMAND...: qemu-io in the background; waits WHAT, ends WHAT: does it?
start()
{
	io "$@" >$work/io.out 2>&1 &
	io_pid=$!
	background+=($io_pid)
}
waits()	{ nap 0.5; if has_ended $io_pid; then fail "$1 waits"; else ok "$1 waits"; fi; }
ends()
{
	check "$1 ends" wait_for 15 has_ended $io_pid || return
	wait $io_pid || fail "$1 ends well: $(tail -n 3 $work/io.out)"
}
hang()
{
	check "both paths are there" wait_for 10 ctl_nactive_is lun 2
	tcm_dm_hang 0 || die "port 0 hangs"
}
old_write()
{
	hang
	check "the old write is answered, by the other path" io 'write -P 0x11 1M 64k'
	check "and may still land" queue_is ghosts_out 1
}
# newer BYTE: a newer write waits, reads before it and writes beside it do not
newer()
{
	check "a read does not wait" io 'read -P 0x11 1M 64k'
	start "write -P $1 1M 64k"
	waits "a newer write to its blocks"
	check "a write beside it does not" io 'write -P 0x33 2M 64k'
}
# crash [WITHOUT]: path 0 is lost with the write in it, the daemon dies, another one starts, WITHOUT the table
crash()
{
	kill -KILL "$lunmux_pid"
	{ wait "$lunmux_pid"; } 2>/dev/null
	lunmux_pid=
	path_offline "${paths[0]}"
	[ $# = 0 ] || rm "$rundir/lun/inflight" || fail "there is a table to remove"
	lunmux_start lun || die "the next process starts"
}
# lands: the old write reaches the disk, and the path is good again
lands()
{
	tcm_dm_resume 0 || die "port 0 goes on"
	check "the old write has landed" wait_for 10 path_idle "${paths[0]}"
	path_online "${paths[0]}"
}
path_idle()	{ local n; read -r n <"$(path_dir "$1")/device_busy" && [ "$n" = 0 ]; }

configure
lunmux_start lun || die "lunmuxd serves"
old_write
newer 0x22
say "kill -9, and another process"
crash
check "it knows of the old write" queue_is ghosts_of_others 1
newer 0x44
lands
ends "the newer write"
disk_has "its data stays" 0x44
check "nothing can land any more" wait_for 10 queue_is ghosts 0

say "the same without the table"
old_write
crash WITHOUT
check "a newer write does not wait" io 'write -P 0x55 1M 64k'
disk_has "its data is there" 0x55
lands
disk_has "and then the old data is" 0x11

say "ghost_policy hold-ack"
configure 'ghost_policy hold-ack'
check "reloaded" ctl reload lun
hang
start 'write -P 0x66 1M 64k'
check "the write is sent by the other path" wait_for 10 stat_is hedges_won 1
disk_has "and is on the disk" 0x66
waits "its answer"
check "a write beside it does not" io 'write -P 0x33 2M 64k'
lands
ends "the write"
equal "writes that were answered while they might land" "$(lun_stat lun ghosts)" 0
