#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
#
# Commands go wrong while data is written and verified: aborted, cut short, lost, answered with a unit attention or a
# full queue; the unit of a path is stopped, and gets other microcode. The client sees none of it, and no path is given up
# for what is not its fault. A block that cannot be read is an error of just this block.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio sg_reset sg_start sg_write_buffer sg_wr_mode qemu-io jq

sdebug_load 4 || die "scsi_debug with four hosts"
# So many errors would make all paths marginal.
lunmux_serve db01 "io_timeout 1s
	marginal_path_err_sample_time no"
nbd_attach /dev/nbd0 "$sock" db01 -C 4 || die "nbd-client attaches"

# inject WHAT OPTS EVERY_NTH: one in so many commands, of all paths together, ends as scsi_debug's opts say. Sets retries.
inject()
{
	local before
	before=$(lun_stat db01 retries)
	echo "$3" >"$sdebug_driver/every_nth"
	echo "$2" >"$sdebug_driver/opts"
	check "$1: the data is verified" fio_verify /dev/nbd0 --size=4m
	echo 0 >"$sdebug_driver/opts"
	echo 0 >"$sdebug_driver/every_nth"
	retries=$(($(lun_stat db01 retries) - before))
}
# still_up WHAT: no path has been given up, but for those that $failures counts
failures=0
still_up()
{
	ctl_nactive_is db01 4 && equal "$1: moves of a path to failed" "$(path_stat db01 failures)" $failures ||
		fail "$1: all paths are active"
}
inject "aborted commands" 16 10
least "aborted commands: sent again" $retries 3
still_up "aborted commands"
inject "recovered errors" 8 10
equal "recovered errors: sent again" $retries 0
inject "transfers cut short" 0x100 10
least "transfers cut short: the rest is asked for" $retries 3
inject "a full queue" 0x800 10
still_up "the others"

# A READ ends GOOD with half of its blocks, one of a single block with none.
say "every other READ cut short"
check "fill" qemu-io -f raw -c 'write -P 0x3c 8M 1M' -c 'write -P 0xc3 9M 1M' "$uri"
before=$(lun_stat db01 retries)
echo 2 >"$sdebug_driver/every_nth"
echo 0x100 >"$sdebug_driver/opts"
check "1 MiB is right" qemu-io -f raw -c 'read -P 0x3c 8M 1M' "$uri"
check "and 64 KiB across the edge" qemu-io -f raw -c 'read -P 0x3c 9404416 32k' -c 'read -P 0xc3 9M 32k' "$uri"
check "a block, twice" qemu-io -f raw -c 'read -P 0xc3 9M 512' -c 'read -P 0xc3 9M 512' "$uri"
echo 0 >"$sdebug_driver/opts"
echo 0 >"$sdebug_driver/every_nth"
least "the rest is asked for" $(($(lun_stat db01 retries) - before)) 5
still_up "every other READ cut short"

say "a path whose unit is stopped"
p=${paths[1]}
was_asked() { ctl events db01 | grep -q "$1: active -> checking: "; }
cause_is() { [[ $(ctl --json paths db01 | jq -r ".luns[0].path_list[] | select(.dev == \"$1\") | .cause") == *"$2"* ]]; }
writer_start /dev/nbd0 --size=2m
check "STOP" sg_start --stop "$(sg_of "$p")"
check "it is failed" wait_for 10 ctl_is db01 "$p" failed
check "for being stopped" cause_is "$p" "sense 2/04/02"
nap 7
check "nobody starts it" ctl_is db01 "$p" failed
check "START" sg_start --start "$(sg_of "$p")"
check "it is used again" wait_for 15 path_carried "$p" 20
writer_stop
failures=$(path_stat db01 failures)
equal "the others have not failed" "$failures" 1

# scsi_debug answers two commands with unit attentions then: 29/02, a reset, and 3F/01, another microcode.
say "new microcode"
writer_start /dev/nbd0 --size=2m
for p in "${paths[@]}"; do
	check "$p has it" sg_write_buffer --mode=4 --length=512 --in=/dev/zero "$(sg_of "$p")"
	check "and is asked who it is" wait_for 10 was_asked "$(sg_of "$p")"
done
check "all paths are active" wait_for 10 ctl_nactive_is db01 4
writer_stop
still_up "new microcode"

say "resets"
writer_start /dev/nbd0 --size=2m
for p in "${paths[@]}"; do
	counts_mark
	check "path $p is reset" sg_reset -d -N "$(sg_of "$p")"
	check "and used again" wait_for 15 path_carried "$p" 20
done
writer_stop
still_up "resets"

inject "lost commands, aborted by the kernel after a second" 4 100
check "all paths are active again" wait_for 10 ctl_nactive_is db01 4
say "$retries sent again"
say_pause db01
equal "requests of the client that failed" "$(lun_stat db01 errors)" 0
nbd_detach /dev/nbd0 || fail "detach"

say "blocks that cannot be read"
failures=$(path_stat db01 failures)
check "fill" qemu-io -f raw -c 'write -P 0x5a 2M 1M' "$uri"
echo 2 >"$sdebug_driver/opts"	# blocks 0x1234 to 0x123d, bytes 2385920 to 2391039
check "a read in front of them" qemu-io -f raw -c 'read -P 0x5a 2M 288768' "$uri"
check "a read behind them" qemu-io -f raw -c 'read -P 0x5a 2391040 64k' "$uri"
check "a read across them fails" eval "! qemu-io -f raw -c 'read 2304k 64k' '$uri'"
# Read at once, they are merged; the middle ones have bad blocks in them.
qemu-io -f raw -c 'aio_read -P 0x5a 2320k 4k' -c 'aio_read -P 0x5a 2324k 4k' -c 'aio_read -P 0x5a 2328k 4k' \
	-c 'aio_read -P 0x5a 2332k 4k' -c 'aio_read -P 0x5a 2336k 4k' -c 'aio_flush' "$uri" >$work/output 2>&1
equal "neighbours that were read" "$(grep -c '^read 4096/4096' $work/output)" 3
equal "and ones that failed" "$(grep -c 'failed: Input/output error' $work/output)" 2
echo 0 >"$sdebug_driver/opts"
check "all paths are active" ctl_nactive_is db01 4
equal "moves of a path to failed" "$(path_stat db01 failures)" "$failures"
lunmux_stop

# The page is one for all paths; the attention (2A/01) comes on the one that has changed it.
say "a write cache that is switched on"
cache_is() { [ "$(ctl --json status db01 | jq '.luns[0].geometry.write_cache')" = "$1" ]; }
cache_set() { sg_wr_mode --page=8 --contents="8,12,$1,0,ff,ff,0,0,ff,ff,ff,ff,80,14,0,0,0,0,0,0" "$(sg_of "$2")"; }
check "off" cache_set 10 "$p"
lunmux_serve db01
check "it is off" cache_is false
check "on, by $p" cache_set 14 "$p"
check "it is on" wait_for 10 cache_is true
check "write and flush" qemu-io -f raw -c 'write -P 0x5a 2M 1M' -c flush "$uri"
equal "paths that are active" "$(ctl_nactive db01)" 4
no_client_errors
