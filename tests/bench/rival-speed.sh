# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# rival-speed.sh ROUNDS SECONDS [DISK]...     in the guest: the speed of dm-multipath and of lunmux while all is well
#
# Run by tests/bench/rival --speed, which reads the lines "RESULT {...}". In one boot there are four LUNs of scsi_debug,
# over the same four hosts and with the same blocks, one for each who is measured, one at a time:
#   dm-multipath      request-based (queue_mode mq, what it is unless told otherwise)
#   dm-multipath-bio  bio-based: four queues below the choice of the path
#   lunmux-nbd        /dev/nbdN of the kernel, four connections to lunmuxd
#   lunmux-socket     lunmuxd's NBD socket itself; the same LUN
#   sd                one path's own device: what there is to be had of one
# All LUNs are, in turn, each DISK: how long a command takes, and how many a path takes at a time.
# The client is nbdload: the same on a block device and on a socket. All it reads is checked.

# shellcheck disable=SC1091,SC2034,SC2154,SC2317 # made by vmrun; for rival-lib.sh; of lib.sh; called by wait_for
. ./lib.sh
. ./rival-lib.sh
need lunmuxd lunmuxctl multipathd nbd-client jq ./nbdload

rounds=${1:-1} seconds=${2:-2} limit_s=30
shift $(($# < 2 ? $# : 2))
disks=("$@")
[ ${#disks[@]} -gt 0 ] || disks=(0 100us 1ms narrow)

# Of each disk: nanoseconds a command, commands a path, and loads: pattern, requests in flight, how many are sent at a
# time (0: all that may go)
declare -A disk=(
	[0]="0 64 randread:1:0 randread:32:0"
	[100us]="100000 64 randread:1:0 randread:32:0"
	[1ms]="1000000 64 randread:1:0 randread:32:0"
	[narrow]="1000000 8 read:128:0 read:128:1"
)

set_up()
{
	local p h=() mine n=0 name
	udevd_start
	sdebug_load 6 max_luns=4 ndelay=0 delay=0 || die "scsi_debug"
	for p in "${paths[@]}"; do h+=("${p%%:*}"); done
	for name in mq bio lunmux sd; do
		mine=()
		for p in "${h[@]}"; do
			wait_for 20 path_complete "$p:0:0:$n" || die "LUN $n of scsi_debug"
			# The kernel's ALUA handler sends nothing to the third of them, which say that they stand by.
			if [ $((p % 3)) = 2 ]; then path_delete "$p:0:0:$n"; else mine+=("$p:0:0:$n"); fi
		done
		add_lun $name "${mine[@]}"
		n=$((n + 1))
	done
	dm_features=([mq]="2 queue_mode mq" [bio]="2 queue_mode bio")
	dm_start mq bio
	lunmux_lun lunmux disk
	for name in mq bio; do say "$name: $(dmsetup table "${lun_wwid[$name]}")"; done
	say "schedulers: $(cd /sys/block && grep -H . {sda,dm-*,nbd0}/queue/scheduler | tr '\n' ' ')"
	# All LUNs have the same blocks, each of which is to tell where it is.
	./nbdload -d "$(sd_of "$(first_path sd)")" -o write -b 65536 -l 1024 -q 4 >"$work/output" || die "the blocks"
}

# delay_is NANOSECONDS: refused while commands are under way
delay_is()
{
	if [ "$1" = 0 ]; then
		echo 0 >"$sdebug_driver/delay"
	else
		echo "$1" >"$sdebug_driver/ndelay"
	fi 2>/dev/null
}
# disk_is NANOSECONDS COMMANDS
disk_is()
{
	local p
	wait_for 10 delay_is "$1" || die "a delay of $1 ns"
	# shellcheck disable=SC2048 # a list each
	for p in ${lun_paths[*]}; do
		echo "$2" >"$scsi_dir/$p/device/queue_depth" || die "a queue depth of $2"
	done
}

# run DISK LOAD WHO ROUND: a RESULT line
run()
{
	local lun=lunmux target pattern depth batch out=$work/out
	IFS=: read -r pattern depth batch <<<"$2"
	case $3 in
	dm-multipath) lun=mq target=(-d "$(dm_device mq)") ;;
	dm-multipath-bio) lun=bio target=(-d "$(dm_device bio)") ;;
	lunmux-nbd) target=(-d "${nbd[lunmux]}") ;;
	lunmux-socket) target=(-s "$rundir/disk/nbd.sock" -n disk) ;;
	sd) lun=sd target=(-d "$(sd_of "$(first_path sd)")") ;;
	esac
	read -ra paths <<<"${lun_paths[$lun]}"
	counts_mark
	# lunmuxd sees within a second that a path takes less than before.
	./nbdload "${target[@]}" -o "$pattern" -q "$depth" -B "$batch" -w 1.2 -t "$seconds" -M >"$out" 2>"$work/err" ||
		die "$1, $2, $3: $(<"$work/err")"
	count_lun
	# shellcheck disable=SC2016 # jq's
	echo "RESULT $(jq -c --arg disk "$1" --arg load "$2" --arg who "$3" --argjson round "$4" \
		--argjson commands "$counted" \
		'. + {disk: $disk, load: $load, who: $who, round: $round, commands: $commands}' <"$out")"
}

set_up
ok "four LUNs"
everyone=(dm-multipath dm-multipath-bio lunmux-nbd lunmux-socket sd)
for ((r = 0; r < rounds; r++)); do
	turn=("${everyone[@]}")
	[ $((r % 2)) = 0 ] || turn=(sd lunmux-socket lunmux-nbd dm-multipath-bio dm-multipath)
	for d in "${disks[@]}"; do
		read -r delay_ns commands loads <<<"${disk[$d]}"
		disk_is "$delay_ns" "$commands"
		for load in $loads; do
			for who in "${turn[@]}"; do run "$d" "$load" "$who" $r; done
		done
		say "lunmuxd: commands a path: $(ctl --json paths disk | jq -c '[.luns[0].path_list[].depth]')"
	done
done
# The machine ends here with all that is set up in it: to take that down bit by bit would take its time.
trap - EXIT TERM
exit 0
