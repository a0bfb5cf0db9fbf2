#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# A file system on /dev/nbdN, with writers that fsync, a file changed at random and fio's verify, while something happens
# to the LUN all the time: ports of the array change their state or lose their transport, paths are offline, deleted,
# slow, stuck, the daemon is killed or replaced. Nobody meets an error, and all that was promised is there.
#
# SOAK_TIME=600 VMENV=SOAK_TIME VMTIME=1500: for so many seconds, with vmrun.

. ./lib.sh
. ./writers.sh
. ./fsx.sh
need lunmuxd lunmuxctl mkfs.ext4 e2fsck perl fio jq
seconds=${SOAK_TIME:-20}
mkdir -p $work/mnt

tcm_dm_load 3 96 || die "tcm_loop with three ports"
nbd_load || die "nbd"
lunmux_serve lun '' '' 'nbd_device auto'
device() { ctl --json status lun | jq -r ".luns[0].exports[] | select(.type == \"nbd-kernel\") | .$1"; }
device_is() { [ "$(device "$1")" = "$2" ]; }
check "attached" wait_for 10 device_is state attached || exit 1
dev=$(device path)
check "a file system" mkfs.ext4 -q "$dev"
check "mounted" mount_on "$dev" $work/mnt || exit 1
writers_start $work/mnt
fsx_start $work/mnt/fsx $RANDOM
writer_start $work/mnt/fio --size=8m

# --- what happens: n_WORD, to path or port $p where it is one's affair ---
declare -A did=()
n_offline()	{ path_present "${paths[p]}" && path_offline "${paths[p]}"; }
n_online()	{ path_present "${paths[p]}" && path_online "${paths[p]}"; }
n_delete()	{ path_present "${paths[p]}" && path_delete "${paths[p]}"; }
n_alua()	{ local states=(0 1 2 3 15 0); tcm_alua $p "${states[RANDOM % 6]}"; }
n_cut()		{ tcm_cut $p; }
n_slow()	{ tcm_dm_table $p delay $((RANDOM % 40 * 10 + 10)); }
n_stuck()	{ tcm_dm_hang $p && nap "0.$((RANDOM % 9 + 1))" && tcm_dm_resume $p; }
n_upgrade()	{ ctl upgrade lun; }
n_kill()
{
	kill -KILL "$lunmux_pid"
	{ wait "$lunmux_pid"; } 2>/dev/null
	lunmux_pid=
	nap "0.$((RANDOM % 10))"
	# It is ready when it has a path.
	heal_path
	lunmux_start lun
}
heal_path()
{
	tcm_restore $p
	tcm_alua $p 0
	tcm_dm_table $p linear
	path_present "${paths[p]}" || path_rescan "${paths[p]}"
	n_online
}
heal() { for p in "${!paths[@]}"; do heal_path; done; }
words=(offline online delete alua alua cut slow stuck upgrade kill)
# So long, and on a slow machine up to four times as long, for so many events.
start=$SECONDS end=$((SECONDS + seconds)) events=0 fewest=$((seconds / 4))
while [ $SECONDS -lt $end ] ||
	{ [ $events -lt $fewest ] && [ $SECONDS -lt $((start + 4 * seconds)) ]; }; do
	p=$((RANDOM % ${#paths[@]})) word=${words[RANDOM % ${#words[@]}]}
	"n_$word" >/dev/null 2>&1
	did[$word]=$((${did[$word]:-0} + 1)) events=$((events + 1))
	lunmux_alive || cat $lunmux_log
	lunmux_alive || die "lunmuxd is alive after $word"
	nap "0.$((RANDOM % 6))"
	[ $((RANDOM % 4)) -gt 0 ] || heal >/dev/null 2>&1
	# What is read afterwards comes from the LUN.
	[ $((RANDOM % 5)) -gt 0 ] || echo 1 >/proc/sys/vm/drop_caches
done
heal >/dev/null 2>&1
# Not all active: one that was slow may be on probation yet.
check "the paths are back" wait_for 20 ctl wait --timeout 1 --paths ${#paths[@]} lun
say "$events events: $(for word in "${!did[@]}"; do printf '%s %s, ' "$word" "${did[$word]}"; done)"
least "events" $events $fewest
say_stall "all of it"
say_pause lun
writers_stop
fsx_stop
writer_stop
check "unmounted" unmount $work/mnt
check "fsck finds nothing" e2fsck -fn "$dev"
check "mounted again" mount_on "$dev" $work/mnt
writers_check $work/mnt
check "unmounted" unmount $work/mnt
lunmux_stop
equal "no client met an error" "" \
	"$(dmesg_new | grep -E 'nbd[0-9]+: (Unexpected|Double|.*timed out)|error, dev nbd|EXT4-fs.*error')"
