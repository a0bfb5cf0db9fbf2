#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# A LUN that is full: TASK SET FULL that comes to us, errors that the kernel keeps to itself, a queue_depth that the
# kernel lowers. Each shrinks the depth of the LUN within two seconds, quiet time restores it, and no client notices.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio jq sg_raw

# 20 ms for a command: a queue builds up.
sdebug_load 4 ndelay=20000000 || die "scsi_debug with four hosts"
lunmux_serve db01 "queue_depth 32
	polling_interval 60s"
nbd_attach /dev/nbd0 "$sock" db01 -C 4 || die "nbd-client attaches"

depth()		{ lun_stat db01 depth; }
depth_is()	{ [ "$(depth)" = "$1" ]; }
shrunk()	{ lun_stat db01 depth_shrunk; }
shrunk_again()	{ [ "$(shrunk)" -gt "$before" ]; }
load_start()
{
	(cd $work && exec fio --name=load --filename=/dev/nbd0 --direct=1 --ioengine=libaio --thread --bs=4k --rw=randread \
		--iodepth=64 --time_based --runtime=100 --size=32m --randrepeat=0 >$work/fio.log 2>&1) &
	fio_pid=$!
	background+=("$fio_pid")
}
busy()		{ [ "$(lun_stat db01 inflight)" -ge 16 ]; }
# shrinks WHAT: within two seconds, of a machine that does nothing else. By the counter: it may have grown again already.
shrinks()	{ check "$1: the depth shrinks within 2 s" wait_for 2 shrunk_again; }
restored()	{ check "$1: quiet restores it" wait_for 15 depth_is 32; }

equal "depth at the start" "$(depth)" 32
load_start
check "the load is there" wait_for 10 busy

say "TASK SET FULL, told"
before=$(shrunk)
read -r max_queue <"$sdebug_driver/max_queue"
echo 0x400 >"$sdebug_driver/opts"
echo 4 >"$sdebug_driver/max_queue"
shrinks "told"
echo 0 >"$sdebug_driver/opts"
echo "$max_queue" >"$sdebug_driver/max_queue"
least "told: commands that met it" "$(ctl --json stats db01 | jq '[.luns[0].path_list[].verdicts.slow] | add')" 1
restored "told"
hints=$(lun_stat db01 depth_hints)

say "errors that only the kernel has seen"
before=$(shrunk)
# What stands for them: another program's, which the same counter counts.
for _ in 1 2 3 4; do
	sg_raw "$(sg_of "${paths[0]}")" ff 00 00 00 00 00 >$work/output 2>&1
done
shrinks "hidden"
least "hidden: hints" "$(lun_stat db01 depth_hints)" $((hints + 1))
restored "hidden"

say "the kernel lowers queue_depth"
before=$(shrunk)
was=$(cat "$(path_dir "${paths[1]}")/queue_depth")
echo 2 >"$(path_dir "${paths[1]}")/queue_depth"
shrinks "queue_depth"
path_depth() { ctl --json paths db01 | jq ".luns[0].path_list[] | select(.dev == \"$1\").depth"; }
equal "queue_depth: the path's cap" "$(path_depth "${paths[1]}")" 2
echo "$was" >"$(path_dir "${paths[1]}")/queue_depth"
restored "queue_depth"

kill $fio_pid
wait $fio_pid
equal "requests of the client that failed" "$(lun_stat db01 errors)" 0
equal "moves of a path to failed" "$(path_stat db01 failures)" 0
no_client_errors
nbd_detach /dev/nbd0 || fail "detach"
