# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the guest scripts of tests/bench/rival share beside lib.sh: LUNs that dm-multipath (with udevd and multipathd)
# and lunmuxd take, each its own. A LUN is known by a name of ours. The settings of both are each program's own, but for
# what must be the same: multibus, service-time, checks every second, a SCSI command's time limit (limit_s).

# shellcheck disable=SC2034,SC2154,SC2317 # of lib.sh and of who sources this; called by wait_for

declare -A lun_wwid=() lun_paths=()	# of each LUN; its paths by H:C:T:L
declare -A dm_features=()		# what multipath.conf is to say of a LUN, if anything
declare -A daemon=() nbd=()		# lunmuxd's process and the nbd device, of each LUN of lunmux

udevd_start()
{
	/lib/systemd/systemd-udevd --children-max=4 2>/dev/null &
	background+=($!)
	wait_for 20 test -e /run/udev/control || die "udevd runs"
}

# add_lun NAME PATH...: limit_s is the time limit of sd on its paths
add_lun()
{
	local p
	wait_for 20 path_complete "$2" || die "$1: path $2"
	lun_identify "$2" || die "the WWID of $1"
	lun_wwid[$1]=$wwid lun_paths[$1]=${*:2}
	for p in "${@:2}"; do echo "$limit_s" >"$scsi_dir/$p/device/timeout"; done
}
first_path()	{ echo "${lun_paths[$1]%% *}"; }

# dm_start NAME...: maps of dm-multipath for these LUNs, and for no others
dm_start()
{
	local name exceptions='' own=''
	udevadm settle -t 60
	for name; do
		# multipathd goes by what udev says.
		lun_wwid[$name]=$(udevadm info -q property -n "$(sd_of "$(first_path "$name")")" | sed -n 's/^ID_SERIAL=//p')
		exceptions+="wwid ${lun_wwid[$name]}"$'\n'
		[ -z "${dm_features[$name]:-}" ] ||
			own+="multipath {"$'\n'"wwid ${lun_wwid[$name]}"$'\n'"features \"${dm_features[$name]}\""$'\n'"}"$'\n'
	done
	{
		cat <<-END
			defaults {
			    polling_interval 1
			    path_grouping_policy multibus
			    failback immediate
			    no_path_retry queue
			    find_multipaths no
			    user_friendly_names no
			}
			blacklist {
			    wwid ".*"
			}
		END
		printf 'blacklist_exceptions {\n%s}\nmultipaths {\n%s}\n' "$exceptions" "$own"
	} >/etc/multipath.conf
	modprobe -a dm-multipath dm-service-time || die "dm-multipath"
	mkdir -p /run/multipath
	multipathd -d >"$work/multipathd.log" 2>&1 &
	background+=($!)
	for name; do
		wait_for 10 dm_paths "$name" || { tail -n 20 "$work/multipathd.log"; die "a map of dm-multipath for $name"; }
	done
}
dm_device()	{ echo "/dev/mapper/${lun_wwid[$1]}"; }
# dm_paths NAME: all its paths are active
dm_paths()
{
	local p
	read -ra p <<<"${lun_paths[$1]}"
	[ -b "$(dm_device "$1")" ] &&
		[ "$(dmsetup status "${lun_wwid[$1]}" | grep -oE ' [0-9]+:[0-9]+ A ' | wc -l)" = ${#p[@]} ]
}

# lunmux_lun NAME ALIAS: a lunmuxd for the LUN, and a block device to its socket
lunmux_lun()
{
	local conf_of=$work/$2.conf
	lunmux_conf "$2" "${lun_wwid[$1]}" "polling_interval 1s
		path_selector service-time
		io_timeout ${limit_s}s"
	lunmux_log=$work/$2.log
	cp "$conf" "$conf_of" && conf=$conf_of
	lunmux_start "$2" || die "lunmuxd for $1"
	daemon[$1]=$lunmux_pid
	background+=("$lunmux_pid")
	lunmux_pid=''
	nbd[$1]=/dev/nbd$((${#daemon[@]} - 1))
	nbd_attach "${nbd[$1]}" "$sock" "$2" -C 4 || die "nbd-client"
}
