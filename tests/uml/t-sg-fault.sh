#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 300
#
# Data is written and verified all the time while paths go offline and return, alone, in pairs, all at once, and while
# one is deleted and found again. The client sees no error, and each path is used again after its return.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio jq

sdebug_load 4 || die "scsi_debug with four hosts"
# What is slow here is the machine.
lunmux_serve db01 "marginal_path_err_sample_time no"
nbd_attach /dev/nbd0 "$sock" db01 -C 4 || die "nbd-client attaches"
writer_start /dev/nbd0
counts_mark
for p in "${paths[@]}"; do
	check "path $p is used" wait_for 20 path_carried "$p" 20
done

# Enough to tell I/O from path checks: those are a few commands a second.
busy=60

# fault WHAT PATH...: the paths are lost for a while; the others go on; all are used again after the return.
fault()
{
	local what=$1 p
	shift
	say "$what"
	path_offline "$@" || { fail "$what: cannot set $* offline"; return; }
	counts_mark
	wait_for 20 lun_carried $busy "$@" || fail "$what: the other paths carry on: $(counts_since) commands"
	nap 0.5
	path_online "$@"
	counts_mark
	for p; do
		if wait_for 15 path_carried "$p" $busy; then
			ok "$what: $p is used again"
		else
			fail "$what: $p is used again: $(count_since "$p") commands, state $(ctl_state db01 "$p")"
		fi
	done
	! writer_failed || die "$what: the client met an error"
}
for p in "${paths[@]}"; do
	fault "path $p" "$p"
done
fault "a pair" "${paths[0]}" "${paths[1]}"
fault "the other pair" "${paths[2]}" "${paths[3]}"
fault "three of four" "${paths[0]}" "${paths[2]}" "${paths[3]}"

say_pause db01 "so far"

say "a path is deleted and found again"
p=${paths[1]}
old=$(sg_of "$p")
check "deleted" path_delete "$p"
counts_mark
check "the others carry on" wait_for 20 lun_carried $busy "$p"
check "found by the kernel" path_rescan "$p"
counts_mark
if wait_for 20 path_carried "$p" $busy; then
	ok "$p is used again as $(sg_of "$p") (was $old)"
else
	fail "$p is used again as $(sg_of "$p") (was $old): $(count_since "$p") commands, state $(ctl_state db01 "$p")"
fi
check "active in lunmuxctl" wait_for 10 ctl_active db01 "$p"

say "all paths dark for three seconds"
path_offline "${paths[@]}"
nap 1
counts_mark
nap 2
most "commands that reached the LUN" "$(counts_since)" 0
equal "the daemon answers in the dark: down" "$(ctl_health db01)" 4
check "no path is active" wait_for 10 ctl_nactive_is db01 0
! writer_failed || fail "the client met an error in the dark"
path_online "${paths[@]}"
counts_mark
for p in "${paths[@]}"; do
	check "$p is used again" wait_for 15 path_carried "$p" $busy
done

writer_stop
say_pause db01 "with the dark"
check "a last pass over all paths" fio_verify /dev/nbd0 --randseed=99
check "four active paths in lunmuxctl" wait_for 10 ctl_nactive_is db01 4
equal "healthy again" "$(ctl_health db01)" 0
equal "requests of the client that failed" "$(lun_stat db01 errors)" 0
check "detach" nbd_detach /dev/nbd0
no_client_errors
