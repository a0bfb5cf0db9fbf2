# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# rival.sh ROUNDS TIME_LIMIT_S [FAULT]...     in the guest: one fault of one path, met by dm-multipath and by lunmux
#
# Run by tests/bench/rival, which reads the lines "RESULT {...}". In one boot there are two pairs of LUNs; of each pair
# one belongs to dm-multipath (with udevd and multipathd), one to lunmuxd, over two paths each, and both are the same
# disk, as fast and as slow:
#   sdebug  scsi_debug, 2 ms a command, two hosts: an offline path, lost commands, TASK SET FULL
#   lio     tcm_loop over device-mapper over a loop device: a path that is 30 ms slower
# The load is steady's: eight threads, a request every 40 ms each, writes and reads by turns, verified.

# shellcheck disable=SC1091,SC2317 # made by vmrun; called by wait_for
. ./lib.sh
. ./rival-lib.sh
need lunmuxd lunmuxctl steady multipathd nbd-client jq

rounds=${1:-1} limit_s=${2:-10}
shift $(($# < 2 ? $# : 2))
faults=("$@")
[ ${#faults[@]} -gt 0 ] || faults=(offline lost slow full)

errors=/sys/kernel/debug/scsi_debug	# H:C:T:L/error, see tests/vm/README.md
# The LUNs: sdebug.dm, sdebug.lunmux, lio.dm, lio.lunmux. The first path of each gets the fault.

# --- set-up ---

set_up_luns()
{
	local i h=()
	udevd_start
	sdebug_load 2 max_luns=2 ndelay=2000000 || die "scsi_debug"
	for i in 0 1; do h+=("${paths[i]%%:*}"); done
	for i in 0 1; do wait_for 20 path_complete "${h[i]}:0:0:1" || die "the second LUN of scsi_debug"; done
	add_lun sdebug.dm "${h[0]}:0:0:0" "${h[1]}:0:0:0"
	add_lun sdebug.lunmux "${h[0]}:0:0:1" "${h[1]}:0:0:1"
	tcm_dm_load 4 64 2 || die "tcm_loop"
	for i in 0 1 2 3; do tcm_dm_table $i linear || die "device-mapper"; done
	add_lun lio.dm "${paths[0]}" "${paths[2]}"
	add_lun lio.lunmux "${paths[1]}" "${paths[3]}"
}
# shellcheck disable=SC2016 # jq's
lunmux_paths()	{ [ "$(ctl --json paths "$1" | jq '[.luns[0].path_list[] | select(.state == "active")] | length')" = "$2" ]; }

# --- faults ---

# begin FAULT PATH INDEX, end FAULT PATH INDEX: the path by its address and, of lio, by its port
begin()
{
	case $1 in
	offline | alone) echo offline >"$scsi_dir/$2/device/state" ;;
	lost) echo "0 1 0xff" >"$errors/$2/error" ;;
	slow) tcm_dm_table "$3" delay 30 ;;
	full) storm_start "$2" ;;
	esac || die "fault $1"
}
end()
{
	case $1 in
	offline | alone) echo running >"$scsi_dir/$2/device/state" ;;
	lost) echo "- 0 0xff" >"$errors/$2/error" ;;
	slow) tcm_dm_table "$3" linear ;;
	full) storm_end "$2" ;;
	esac || die "end of fault $1"
}
# TASK SET FULL, as an array says it that other hosts fill: on both paths, to all, for 100 ms three times a second.
storm=''
storm_paths()	{ echo "$errors"/*:"${1#*:}"/error; }
storm_start()
{
	local f
	(
		trap - EXIT TERM
		while :; do
			for f in $(storm_paths "$1"); do echo "2 1 0xff 0 0 0x28 0 0 0" >"$f"; done
			nap 0.1
			for f in $(storm_paths "$1"); do echo "- 2 0xff" >"$f"; done
			nap 0.23
		done
	) &
	storm=$!
}
storm_end()
{
	local f
	kill $storm && wait $storm 2>/dev/null
	for f in $(storm_paths "$1"); do echo "- 2 0xff" >"$f"; done 2>/dev/null
	return 0
}

# --- a run ---

# all_well WHO PAIR: both of its paths carry data
all_well()
{
	case $1 in
	dm-multipath) dm_paths "$2.dm" ;;
	*) lunmux_paths "$2" 2 ;;
	esac
}
# run FAULT WHO ROUND: load, fault after two seconds, a RESULT line
run()
{
	local fault=$1 who=$2 round=$3 pair=sdebug side=lunmux path index seconds=8 hold=4 warm=1 target=() out=$work/out
	case $fault in
	lost) seconds=$((limit_s + 8)) hold=$((limit_s + 4)) ;;
	slow | alone) pair=lio warm=7 seconds=20 hold='' ;;	# time to find out about the path
	esac
	case $who in
	dm-multipath) side=dm target=(-d "$(dm_device $pair.dm)") ;;
	lunmux-nbd) target=(-d "${nbd[$pair.lunmux]}") ;;
	lunmux-socket) target=(-s "$rundir/$pair/nbd.sock" -n "$pair") ;;
	esac
	path=$(first_path $pair.$side)
	index=$([ $side = dm ] && echo 0 || echo 1)
	if ! wait_for 15 all_well "$who" $pair && [ $side = lunmux ]; then
		# Paths that were found slow stay marginal for minutes.
		ctl paths $pair
	fi
	[ -n "$hold" ] || begin "$fault" "$path" "$index"
	steady "${target[@]}" -j 8 -p 40 -w $warm -t $seconds >"$out" 2>$work/err &
	load=$!
	background+=("$load")
	nap 3
	if [ -n "$hold" ]; then
		begin "$fault" "$path" "$index"
		nap "$hold"
		end "$fault" "$path" "$index"
	fi
	wait $load || die "$fault, $who: $(<$work/err)"
	[ -n "$hold" ] || end "$fault" "$path" "$index"
	if [ "$fault" = slow ] && [ $side = lunmux ]; then
		ctl reinstate-path $pair "$(sg_of "$path")" >$work/output 2>&1
	fi
	[ $side = dm ] || say "$(grep 'active -> suspect' "$work/$pair.log" | tail -n 1)"
	echo "RESULT $(jq -c --arg fault "$fault" --arg who "$who" --argjson round "$round" \
		'. + {fault: $fault, who: $who, round: $round}' <"$out")"
}

set_up_luns
dm_start sdebug.dm lio.dm
for pair in sdebug lio; do lunmux_lun $pair.lunmux $pair; done
ok "two LUNs each for dm-multipath and lunmux"
everyone=(dm-multipath lunmux-nbd lunmux-socket)
for ((r = 0; r < rounds; r++)); do
	for fault in "${faults[@]}"; do
		turn=("${everyone[@]}")
		[ $((r % 2)) = 0 ] || turn=(lunmux-socket lunmux-nbd dm-multipath)
		for who in "${turn[@]}"; do
			[ "$fault" != slow ] || run alone "$who" $r
			run "$fault" "$who" $r
		done
	done
done
for pair in sdebug lio; do
	say "lunmuxd for $pair: $(awk '/VmRSS|RssAnon/ { print $1, $2, $3 }' "/proc/${daemon[$pair.lunmux]}/status" | tr '\n' ' ')"
done
# The machine ends here with all that is set up in it: to take that down bit by bit would take its time.
trap - EXIT TERM
exit 0
