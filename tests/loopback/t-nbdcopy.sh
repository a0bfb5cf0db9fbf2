# SPDX-License-Identifier: GPL-2.0-or-later
# A disk image in and out by nbdcopy while paths fail and return at random; nothing may differ.
. "$(dirname "$0")/lib.sh"
case_begin nbdcopy-while-paths-fail
need nbdcopy nbdinfo jq
make_disk 128M 4
write_conf
start_daemon
head -c 128M /dev/urandom >"$T/src.img"
rock_paths 6 &
rocker=$!
nbdcopy --flush "$T/src.img" "$uri" || fail "nbdcopy to the LUN failed"
nbdcopy "$uri" "$T/back.img" || fail "nbdcopy from the LUN failed"
wait $rocker
[ "$(sum "$T/src.img")" = "$(sum "$T/back.img")" ] || fail "what came back differs"
[ "$(sum "$T/src.img")" = "$(sum "$disk")" ] || fail "the disk differs"
daemon_lives
[ "$(nbdinfo --size "$uri")" = $((128 << 20)) ] || fail "nbdinfo sees another size"
for p in "${paths[@]}"; do
	n=$(ctl --json stats lab | jq ".luns[0].path_list[] | select(.name == \"$p\") | .requests")
	[ "$n" -gt 0 ] || fail "$p carried nothing"
	note "$p carried $n requests"
done
stop_daemon
[ $code = 0 ] || fail "exit code $code after SIGTERM"
pass
