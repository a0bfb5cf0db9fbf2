#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 180
#
# Commands go wrong while data is written and verified: aborted, cut short, lost, answered with a unit attention or a
# full queue. The client sees none of it, and no path is given up for what is not its fault. A block that cannot be read
# is an error of just this block.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio sg_reset qemu-io jq

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
# still_up WHAT: no path has been given up
still_up()
{
	ctl_nactive_is db01 4 && equal "$1: moves of a path to failed" "$(path_stat db01 failures)" 0 ||
		fail "$1: all paths are active"
}
inject "aborted commands" 16 10
least "aborted commands: sent again" $retries 3
still_up "aborted commands"
inject "recovered errors" 8 10
equal "recovered errors: sent again" $retries 0
inject "transfers cut short" 0x100 10
inject "a full queue" 0x800 10
still_up "the others"

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
no_client_errors
