# SPDX-License-Identifier: GPL-2.0-or-later
# The LUN's depth whatever the number of paths; a sequential 4 KiB stream over
# four paths takes about as many commands as over one.
. "$(dirname "$0")/lib.sh"
case_begin one-depth-and-one-elevator
need fio jq
declare -A cmds
# measure PATHS: commands for the stream in cmds[PATHS].
measure() {
	local n=$1 p
	rm -f "$T/disk.img"
	make_disk 64M $n
	write_conf queue_depth 8
	: >"$T/daemon.log"
	start_daemon
	fio --name=r --ioengine=nbd --uri="$uri" --rw=randread --bs=4k --iodepth=64 --size=64m --io_size=16m \
		>"$T/fio.log" 2>&1 || fail "fio: $(tail -n 2 "$T/fio.log")"
	most=$(ctl --json stats lab | jq '.luns[0].lun.inflight_max')
	[ "$most" -le 8 ] || fail "$most commands in flight with $n paths, the depth is 8"
	[ "$most" -ge 4 ] || fail "only $most commands in flight with $n paths: the load proves nothing"
	before=$(ctl --json stats lab | jq '.luns[0].lun.commands')
	fio --name=w --ioengine=nbd --uri="$uri" --rw=write --bs=4k --iodepth=64 --iodepth_batch_submit=32 \
		--iodepth_batch_complete_min=32 --size=32m >"$T/fio.log" 2>&1 || fail "fio"
	after=$(ctl --json stats lab | jq '.luns[0].lun.commands')
	cmds[$n]=$((after - before))
	note "$n paths: $most of 8 commands at once; 8192 writes of 4 KiB took ${cmds[$n]} commands"
	stop_daemon
	for p in "${paths[@]}"; do losetup -d "$p"; done
	loops=()
}
for n in 1 2 4 8; do measure $n; done
# How much is there to be merged when a path is free is a matter of who was run when: on a busy machine it takes
# another look.
for try in 2 3; do
	[ "${cmds[4]}" -gt $((cmds[1] * 2 + 64)) ] || break
	note "once more"
	measure 1
	measure 4
done
[ "${cmds[4]}" -lt 4096 ] || fail "the stream was not merged: ${cmds[4]} commands for 8192 writes"
[ "${cmds[4]}" -le $((cmds[1] * 2 + 64)) ] || fail "four paths: ${cmds[4]} commands, one: ${cmds[1]}"
pass
