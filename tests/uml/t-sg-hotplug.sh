#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 300
#
# Paths leave and return under verified I/O: deleted and found again, one by one, in pairs, with and without commands in
# flight; hosts are added. sg names go to another LUN while its path is away, and that LUN is never written to.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio jq

sdebug_load 4 || die "scsi_debug with four hosts"
# A guest that waits for its processor makes paths slow: none is to be called marginal for that here.
lunmux_serve db01 "marginal_path_err_sample_time no"
nbd_attach /dev/nbd0 "$sock" db01 -C 4 || die "nbd-client attaches"
writer_start /dev/nbd0
busy=60		# more commands than checks are
npaths_is() { [ "$(ctl --json paths db01 | jq '.luns[0].path_list | length')" = "$1" ]; }

for p in "${paths[@]}"; do
	check "path $p is used" wait_for 20 path_carried "$p" 20
done
files_open() { find "/proc/$lunmux_pid/fd" -lname '/dev/s[gd]*' | wc -l; }
at_start=$(files_open)

# away PATH...: deleted under I/O, the daemon lets go; back PATH...: found again and used
away()
{
	local n
	n=$(ctl --json paths db01 | jq '.luns[0].path_list | length')
	check "$*: deleted" path_delete "$@"
	check "$*: left" wait_for 20 npaths_is $((n - $#))
	counts_mark
	wait_for 20 lun_carried $busy "$@" || fail "$*: the other paths carry on"
}
back()
{
	local p
	check "$*: found by the kernel" path_rescan "$@"
	counts_mark
	for p; do
		if wait_for 20 path_carried "$p" $busy; then
			ok "$p is used again, as $(sg_of "$p")"
		else
			fail "$p is used again, as $(sg_of "$p"): $(count_since "$p") commands, $(ctl_state db01 "$p")"
		fi
	done
	! writer_failed || die "the client met an error"
}

say "one after the other"
for p in "${paths[@]}"; do
	away "$p"
	back "$p"
done
say "two at a time, in another order"
away "${paths[3]}" "${paths[1]}"
back "${paths[1]}" "${paths[3]}"
check "four paths in the end" wait_for 20 ctl_nactive_is db01 4

# --- the name goes to another LUN ---

say "another LUN takes the sg names of two paths"
a=${paths[1]} b=${paths[2]}
name_a=$(sg_of "$a") name_b=$(sg_of "$b")
away "$a" "$b"
# A LUN of the very same size, vendor and product, and with other numbers.
modprobe -a target_core_mod tcm_loop
mkdir -p /etc/target/pr /var/target/pr
mount -t configfs none /sys/kernel/config 2>/dev/null
mkdir -p "$cfg/loopback"
truncate -s 64M "$work/foreign.img"
tcm_store fileio foreign otherserial "fd_dev_name=$work/foreign.img,fd_dev_size=$((64 << 20)),fd_buffered_io=1" ||
	die "a backstore for the foreign LUN"
kept=("${paths[@]}")
tcm_port "${tcm_stores[0]}" 0 && tcm_port "${tcm_stores[0]}" 1 || die "ports for the foreign LUN"
foreign=("${paths[@]:4}")
paths=("${kept[@]}")
say "$a was $name_a, $b was $name_b; the foreign LUN has $(sg_of "${foreign[0]}") and $(sg_of "${foreign[1]}")"
case " $name_a $name_b " in
*" $(sg_of "${foreign[0]}") "*) ok "a name was used again" ;;
*) fail "a name was used again" ;;
esac
counts_mark
check "the others carry on" wait_for 20 lun_carried $busy "$a" "$b"
nap 2
check "two paths" npaths_is 2
sum=$(sha256sum <"$work/foreign.img")
equal "nothing was written to the foreign LUN" "$sum" "$(head -c 64M /dev/zero | sha256sum)"
back "$a" "$b"

# --- more hosts ---

say "two hosts more, then gone for good"
sdebug_hosts 6 || die "six hosts"
check "six active paths" wait_for 20 ctl_nactive_is db01 6
counts_mark
check "${paths[4]} is used" wait_for 20 path_carried "${paths[4]}" $busy
check "${paths[5]} is used" wait_for 20 path_carried "${paths[5]}" $busy
sdebug_hosts 4 || die "four hosts again"
check "four paths" wait_for 20 npaths_is 4
check "four active paths" wait_for 20 ctl_nactive_is db01 4

writer_stop
say_pause db01
check "a last pass over all paths" fio_verify /dev/nbd0 --randseed=99
equal "healthy" "$(ctl_health db01)" 0
equal "requests of the client that failed" "$(lun_stat db01 errors)" 0
check "the daemon has not spun on a hung-up file" [ "$(ctl --json stats db01 | jq '.luns[0].loop.turns')" -lt 2000000 ]
equal "sg and sd files open in the end" "$(files_open)" "$at_start"
check "detach" nbd_detach /dev/nbd0
no_client_errors
