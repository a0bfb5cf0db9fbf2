#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 420
#
# For two minutes two of four paths go and return every second or so, under verified writes: they are trusted less and
# less, and the others carry the data without a pause. When they have been quiet they are trusted again. Then all paths
# are dark for thirty seconds. The client meets no error, and no descriptor or slot is lost.
#
# FLAP, DARK: seconds of either.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client fio jq

sdebug_load 4 || die "scsi_debug with four hosts"
lunmux_serve db01 "marginal_path_err_sample_time no
	marginal_path_err_recheck_gap_time 20s
	marginal_path_double_failed_time 20s"
# Without a timeout the kernel gives up one of several connections after 30 s.
nbd_attach /dev/nbd0 "$sock" db01 -C 4 -timeout 600 || die "nbd-client attaches"
writer_start /dev/nbd0
counts_mark
for p in "${paths[@]}"; do
	check "path $p is used" wait_for 20 path_carried "$p" 20
done
descriptors() { set -- /proc/"$lunmux_pid"/fd/*; echo $#; }
nfd=$(descriptors)
# probation PATH: milliseconds that are left of it
probation() { ctl --json paths db01 | jq ".luns[0].path_list[] | select(.name == \"$(sg_of "$1")\") | .probation_ms"; }
failures() { ctl --json paths db01 | jq ".luns[0].path_list[] | select(.name == \"$(sg_of "$1")\") | .failures"; }

flap=${FLAP:-120}
say "two paths go and return for $flap s"
bad=("${paths[0]}" "${paths[2]}")
good=("${paths[1]}" "${paths[3]}")
declare -A down=() due=() flaps=()
end=$((SECONDS + flap)) late=
for p in "${bad[@]}"; do due[$p]=0 flaps[$p]=0; done
while [ $SECONDS -lt $end ]; do
	now=${EPOCHREALTIME/./}
	for p in "${bad[@]}"; do
		[ "$now" -ge "${due[$p]}" ] || continue
		if [ "${down[$p]:-}" ]; then
			path_online "$p"
			down[$p]=''
			due[$p]=$((now + 500000 + RANDOM * 40))
		else
			path_offline "$p"
			down[$p]=yes
			flaps[$p]=$((flaps[$p] + 1))
			due[$p]=$((now + 200000 + RANDOM * 20))
		fi
	done
	if [ -z "$late" ] && [ $SECONDS -ge $((end - flap / 3)) ]; then
		late=yes
		counts_mark
	fi
	! writer_failed || break
	nap 0.1
done
count_lun "${bad[@]}"; ngood=$counted
count_lun "${good[@]}"; nbad=$counted
path_online "${bad[@]}"
! writer_failed || die "the client met an error"
for p in "${bad[@]}"; do
	least "$p has gone" "${flaps[$p]}" $((flap / 4))
	say "$p: ${flaps[$p]} times gone, $(failures "$p") times failed, $(probation "$p") ms of probation left"
done
say "in the last third: $nbad commands to the two bad paths, $ngood to the good ones"
least "the good paths carry on" "$ngood" $((flap * 2))
# At each return the kernel and the daemon ask it who it is, in some 40 commands, however slow the good ones are.
asked=0
for p in "${bad[@]}"; do asked=$((asked + flaps[$p] * 50 / 3)); done
most "the bad ones carry little but checks" "$nbad" $((ngood / 4 + asked))
say_pause db01 "with two paths flapping"
most "milliseconds without I/O" $(($(lun_stat db01 gap_longest_ns) / 1000000)) $((2000 * patience))
counts_mark
for p in "${bad[@]}"; do
	check "$p is trusted again" wait_for 45 ctl_active db01 "$p"
	check "and used" wait_for 10 path_carried "$p" 60
done
equal "descriptors" "$(descriptors)" "$nfd"

dark=${DARK:-30}
say "all paths dark for $dark s"
path_offline "${paths[@]}"
nap "$dark"
equal "the daemon answers in the dark: down" "$(ctl_health db01)" 4
! writer_failed || fail "the client met an error in the dark"
path_online "${paths[@]}"
counts_mark
for p in "${paths[@]}"; do
	check "$p is used again" wait_for 40 path_carried "$p" 60
done
writer_stop
say_pause db01 "with the dark"
most "of it after the paths were back, ms" $(($(lun_stat db01 gap_longest_ns) / 1000000 - dark * 1000)) $((5000 * patience))
equal "requests of the client that failed" "$(lun_stat db01 errors)" 0
equal "descriptors" "$(descriptors)" "$nfd"
equal "commands in flight" "$(ctl --json status db01 | jq '[.luns[0].path_list[].inflight] | add')" 0
check "detach" nbd_detach /dev/nbd0
no_client_errors
