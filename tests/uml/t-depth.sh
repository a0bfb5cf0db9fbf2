#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# What the LUN gets to see, by the kernel's own counters: never more commands than the queue depth allows, be the paths
# one, two, four or eight; and a sequential stream of 4 KiB requests over four paths arrives as large commands, about as
# many as over one path. With a queue above each path it would be n times the depth, and small pieces.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio

depth=8
# 50 ms for a command: the counters can be read while it lasts, and a backlog builds up.
sdebug_load 8 ndelay=50000000 || die "scsi_debug with eight hosts"

# in_flight: started minus ended commands of all paths. All the starts are read before all the ends, so what it prints
# was really in flight between the two, or more was: no false alarm.
in_flight()
{
	local f n s=0
	for f in "${start_files[@]}"; do read -r n <"$f"; s=$((s + n)); done
	for f in "${end_files[@]}"; do read -r n <"$f"; s=$((s - n)); done
	flying=$((s - idle))
}

# attach N: N paths, served and attached; the client merges nothing itself. Checks are kept out of the figures.
attach()
{
	[ ${#paths[@]} = "$1" ] || sdebug_hosts "$1" || die "$1 hosts"
	lunmux_serve lun "queue_depth $depth
		polling_interval 60s"
	nbd_attach /dev/nbd0 "$sock" lun "${@:2}" || die "nbd-client attaches"
	echo none >/sys/block/nbd0/queue/scheduler
	echo 2 >/sys/block/nbd0/queue/nomerges
}
detach()
{
	nbd_detach /dev/nbd0 || die "detach"
	lunmux_stop
}
load() { (cd $work && fio --name=load --filename=/dev/nbd0 --direct=1 --ioengine=libaio --thread --bs=4k "$@") >$work/fio.log 2>&1; }

# sequential: writes 8 MiB in 4 KiB requests; sets ncommands.
nrequests=2048
sequential()
{
	counts_mark
	load --rw=write --iodepth=128 --size=$((nrequests * 4))k || fail "fio writes: $(tail -n 3 $work/fio.log)"
	ncommands=$(counts_since)
	say "$nrequests requests of 4 KiB over ${#paths[@]} paths: $ncommands commands"
}

declare -A commands=()
for n in 8 4 2 1; do
	say "$n paths"
	attach $n -C 2
	start_files=() end_files=() idle=0
	for p in "${paths[@]}"; do
		start_files+=("$(path_dir "$p")/iorequest_cnt")
		end_files+=("$(path_dir "$p")/iodone_cnt")
	done
	# What the counters differ by at rest: the least of a while, for something may still be under way.
	in_flight
	least_flying=$flying
	for _ in {1..20}; do
		nap 0.02
		in_flight
		[ $flying -ge $least_flying ] || least_flying=$flying
	done
	idle=$least_flying
	counts_mark
	load --rw=randread --iodepth=64 --time_based --runtime=4 --size=32m --randrepeat=0 &
	fio_pid=$!
	background+=("$fio_pid")
	max=0 samples=0
	until has_ended $fio_pid; do
		in_flight
		[ $flying -le $max ] || max=$flying
		samples=$((samples + 1))
	done
	wait $fio_pid || fail "fio reads: $(tail -n 3 $work/fio.log)"
	say "$samples samples, $(counts_since) commands"
	most "$n paths: commands in flight at the LUN" $max $depth
	# A sampler that gets little of a busy machine sees less of it.
	least "$n paths: the depth is made use of" $max $((depth / 2))
	least "$n paths: samples" $samples 50
	if [ $n = 4 ] || [ $n = 1 ]; then
		sequential
		commands[$n]=$ncommands
	fi
	detach
done

most "a sequential stream over four paths: commands" "${commands[4]}" $((nrequests / 6))
most "compared with one path" "${commands[4]}" $((commands[1] * 3 / 2 + 16))
no_client_errors
