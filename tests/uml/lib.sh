# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Functions for the jobs that run inside the guest (see README.md). A case sources this file, calls the functions, and
# ends; the trap on exit takes everything down again and prints the one line that counts:
#
#     PASS name | FAIL name: why | SKIP name: why        and, when the guest cannot be used for another case: DIRTY name
#
# A path is named by its SCSI address, H:C:T:L: sg and sd names change when a path is deleted and found again.
# A fork and exec costs 50 ms in User Mode Linux, a system call 50 us: hence builtins where there is a choice.

set -u

case_name=${LUNMUX_JOB:-$(basename "$0" .sh)}
work=/run/case			# files of the case, on a tmpfs
rundir=/run/lunmux
conf=$work/lunmux.conf

# --- reporting ---

first_failure='' nchecks=0 nfailed=0 skipped=''

say()	{ printf '# %s\n' "$*"; }
ok()	{ nchecks=$((nchecks + 1)); printf '  ok      %s\n' "$*"; }
fail()
{
	nchecks=$((nchecks + 1)) nfailed=$((nfailed + 1))
	[ -n "$first_failure" ] || first_failure=$*
	printf '  FAILED  %s\n' "$*"
	lunmux_show_log
}
die()	{ fail "$@"; exit 1; }
# check WHAT COMMAND...: one check, with the command's output shown only if it fails.
check()
{
	local what=$1 rc
	shift
	# A file, not $(...): the command may be a function that changes variables.
	"$@" >"$work/output" 2>&1
	rc=$?
	if [ $rc = 0 ]; then
		ok "$what"
	else
		fail "$what"
		tail -n 12 "$work/output" | sed 's/^/          /'
	fi
	return $rc
}
# equal WHAT GOT WANTED
equal()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1: got '$2', wanted '$3'"
		return 1
	fi
}
# most WHAT GOT LIMIT, least WHAT GOT LIMIT
most()	{ if [ "$2" -le "$3" ]; then ok "$1: $2, at most $3"; else fail "$1: $2, more than $3"; return 1; fi; }
least()	{ if [ "$2" -ge "$3" ]; then ok "$1: $2, at least $3"; else fail "$1: $2, less than $3"; return 1; fi; }

skip()
{
	# A machine that runs continuous integration has everything: there a skip is a failure.
	[ "${CI:-}" != true ] || die "cannot run: $*"
	skipped=$*
	exit 77
}
need()
{
	local p
	for p; do
		command -v "$p" >/dev/null || skip "$p is missing"
	done
}

exec {nap_fd}<> <(:)
nap() { read -r -t "$1" -u "$nap_fd"; true; }	# sleep without a process

# wait_for SECONDS COMMAND...: until the command succeeds. The seconds are those of a machine with nothing else to do;
# a busy one gets several times as long, which costs time only where something is wrong.
patience=${PATIENCE:-4}
wait_for()
{
	local end=$((SECONDS + $1 * patience + 1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		nap 0.05
	done
}

# Has a child of ours ended? By what the kernel says: bash may have missed the signal, and then kill -0 finds a zombie.
has_ended()
{
	local state=Z
	{ read -r _ _ state _ <"/proc/$1/stat"; } 2>/dev/null
	[ "$state" = Z ]
}

# ends_well WHO PID OUTPUT WHAT: it is told to end, does, and with status 0: WHAT holds
ends_well()
{
	kill -TERM "$2"
	check "$1 end" wait_for 30 has_ended "$2"
	if wait "$2"; then
		ok "$4"
	else
		fail "$4"
		head -n 12 "$3"
	fi
}

# Kernel messages since the case began (or since the last dmesg_mark).
dmesg_last=
dmesg_mark() { dmesg_last=$(dmesg | tail -n 1); }
dmesg_new()
{
	if [ -n "$dmesg_last" ]; then
		dmesg | awk -v last="$dmesg_last" '$0 == last { seen = 1; n = 0; next } seen { line[n++] = $0 }
			END { for (i = 0; i < n; i++) print line[i] }'
	else
		dmesg
	fi
}
# No I/O error of an nbd device in the kernel log: what a file system on it would have met. (Every detach says
# "shutting down sockets".)
# shellcheck disable=SC2120 # the argument is optional
no_client_errors()
{
	local bad
	bad=$(dmesg_new | grep -E 'nbd[0-9]+: (Other side|Receive control|Unexpected|Double|.*timed out)|dev nbd|EXT4-fs.*error')
	if [ -z "$bad" ]; then
		ok "no client met an error${1:+ ($1)}"
	else
		fail "a client met an error${1:+ ($1)}"
		printf '%s\n' "$bad" | head -n 5 | sed 's/^/          /'
	fi
}

# --- SCSI devices ---

paths=()		# the paths of the LUN at hand, H:C:T:L
wwid='' naa=''		# its WWID as multipath and scsi_id print it, and the bare NAA designator

scsi_dir=/sys/class/scsi_device
sdebug_driver=/sys/bus/pseudo/drivers/scsi_debug

path_dir() { echo "$scsi_dir/$1/device"; }
# sg_of H:C:T:L prints /dev/sgN; sd_of /dev/sdX (or /dev/srN). Both fail while there is none.
sg_of()
{
	local f
	for f in "$scsi_dir/$1"/device/scsi_generic/sg*; do
		[ -e "$f" ] && [ -e "/dev/${f##*/}" ] && echo "/dev/${f##*/}" && return
	done
	return 1
}
sd_of()
{
	local f
	for f in "$scsi_dir/$1"/device/block/*; do
		[ -e "$f" ] && [ -e "/dev/${f##*/}" ] && echo "/dev/${f##*/}" && return
	done
	return 1
}
path_present()	{ sg_of "$1" >/dev/null; }
path_complete()	{ sg_of "$1" >/dev/null && sd_of "$1" >/dev/null; }
path_host()	{ echo "${1%%:*}"; }
path_state()	{ local s; { read -r s <"$scsi_dir/$1/device/state"; } 2>/dev/null || s=gone; echo "$s"; }

path_offline()	{ local p; for p; do echo offline >"$scsi_dir/$p/device/state" || return; done; }
path_online()	{ local p; for p; do echo running >"$scsi_dir/$p/device/state" || return; done; }
# Only while the path works: sd's last cache flush hangs on a dead one.
path_delete()	{ local p; for p; do echo 1 >"$scsi_dir/$p/device/delete" || return; done; }
path_rescan()
{
	local p
	for p; do echo '- - -' >"/sys/class/scsi_host/host${p%%:*}/scan" || return; done
	for p; do wait_for 5 path_present "$p" || return; done
}

# counts_mark; ...; count_since H:C:T:L prints the commands the kernel has sent to that path since, counts_since those to
# all paths. The ones that wait_for asks again and again, path_carried and lun_carried, start no process.
declare -A count_base=()
counted=0
count_path()	# sets counted
{
	local n
	{ read -r n <"$scsi_dir/$1/device/iorequest_cnt"; } 2>/dev/null || n=0
	counted=$((n - ${count_base[$1]:-0}))
}
# shellcheck disable=SC2120
count_lun()	# count_lun [EXCEPT-PATH...] sets counted
{
	local p n=0
	for p in "${paths[@]}"; do
		[[ " $* " != *" $p "* ]] || continue
		count_path "$p"
		n=$((n + counted))
	done
	counted=$n
}
counts_mark()	{ local p; for p in "${paths[@]}"; do count_base[$p]=0; count_path "$p"; count_base[$p]=$counted; done; }
count_since()	{ count_path "$1"; echo "$counted"; }
# shellcheck disable=SC2120 # the paths to leave out are optional
counts_since()	{ count_lun "$@"; echo "$counted"; }
path_carried()	{ count_path "$1"; [ "$counted" -ge "$2" ]; }		# path_carried H:C:T:L AT_LEAST
lun_carried()	{ count_lun "${@:2}"; [ "$counted" -ge "$1" ]; }	# lun_carried AT_LEAST [EXCEPT-PATH...]

# The WWID from the device identification page as the kernel parsed it. The leading digit is the designator's type.
lun_identify()
{
	local w
	read -r w <"$scsi_dir/$1/device/wwid" || return
	case $w in
	naa.*) naa=${w#naa.} wwid=3$naa ;;
	eui.*) naa='' wwid=2${w#eui.} ;;
	*) return 1 ;;
	esac
}

# sdebug_load HOSTS [OPTION=VALUE]...: so many hosts sharing one store, each one path to one LUN.
# They report access states that nobody keeps: optimized, non-optimized, standby by turns, and serve data all the same.
sdebug_load()
{
	local n=$1
	shift
	modprobe -a sg sd_mod sr_mod || return
	modprobe scsi_debug vpd_use_hostno=0 add_host="$n" dev_size_mb=64 ndelay=100000 statistics=1 "$@" || return
	sdebug_paths "$n"
}
# Fills paths[] once there are exactly that many; hosts come and go by sdebug_hosts.
sdebug_paths()
{
	wait_for 10 sdebug_found "$1" || return
	lun_identify "${paths[0]}"
}
sdebug_found()
{
	local a h name
	paths=()
	for a in "$sdebug_driver"/adapter*/host*/; do
		[ -d "$a" ] || continue
		h=${a%/}
		h=${h##*/host}
		paths+=("$h:0:0:0")
	done
	[ ${#paths[@]} = "$1" ] || return
	mapfile -t paths < <(printf '%s\n' "${paths[@]}" | sort -n)
	for a in "${paths[@]}"; do
		path_present "$a" || return
		read -r name <"$scsi_dir/$a/device/type"
		case $name in 0 | 5) sd_of "$a" >/dev/null || return ;; esac
	done
}
# sdebug_hosts N: add or remove hosts (the last ones) until there are N.
sdebug_hosts()
{
	echo $(($1 - ${#paths[@]})) >"$sdebug_driver/add_host" && sdebug_paths "$1"
}
sdebug_set()	{ echo "$2" >"/sys/module/scsi_debug/parameters/$1"; }
sdebug_unload()
{
	[ -d /sys/module/scsi_debug ] || return 0
	local p
	# A path left offline would make sd's last flush wait.
	for p in "$scsi_dir"/*/device/state; do
		[ -e "$p" ] && echo running >"$p"
	done 2>/dev/null
	[ -w "$sdebug_driver/every_nth" ] && echo 0 >"$sdebug_driver/every_nth"
	wait_for 10 modprobe -q -r scsi_debug
}

# --- LIO: one backstore behind several tcm_loop ports ---

cfg=/sys/kernel/config/target
tcm_ports=()		# the ports' configfs directories, in step with paths[]
tcm_stores=()

tcm_modules()
{
	mkdir -p /etc/target/pr /var/target/pr		# else every PR REGISTER fails
	modprobe -a sg sd_mod target_core_mod tcm_loop || return
	[ -d /sys/kernel/config/target ] || mount -t configfs none /sys/kernel/config || return
	mkdir -p $cfg/loopback
}
# tcm_store DRIVER NAME SERIAL CONTROL: a backstore; its configfs directory goes to tcm_stores[]. LUNs with the same
# serial have the same WWID.
tcm_store()
{
	local s=$cfg/core/${1}_${#tcm_stores[@]}/$2
	mkdir -p "$s" || return
	tcm_stores+=("$s")
	echo "$4" >"$s/control" && echo "$3" >"$s/wwn/vpd_unit_serial" && echo 1 >"$s/enable"
}
# tcm_port STORE N: port number N with an ALUA group gpN of its own (implicit and explicit).
tcm_port()
{
	local s=$1 n=$2 name p g address
	name=naa.6001405$(printf '%09x' "$n")
	p=$cfg/loopback/$name/tpgt_1
	g=$s/alua/gp$n
	mkdir -p "$p" && echo "$name" >"$p/nexus" && mkdir "$g" && echo $((n + 10)) >"$g/tg_pt_gp_id" || return
	echo 3 >"$g/alua_access_type"
	mkdir "$p/lun/lun_0" && ln -s "$s" "$p/lun/lun_0/port" || return
	echo "gp$n" >"$p/lun/lun_0/alua_tg_pt_gp" || return
	read -r address <"$p/address" || return
	tcm_ports+=("$p")
	paths+=("$address:0")
	wait_for 10 path_complete "$address:0"
}
# tcm_load PORTS [SIZE_MB]: a file on a tmpfs behind so many ports. UNMAP and WRITE SAME work.
tcm_load()
{
	local n=$1 mb=${2:-64} i
	tcm_modules || return
	truncate -s "${mb}M" $work/tcm.img || return
	tcm_store fileio lun lunmuxtest "fd_dev_name=$work/tcm.img,fd_dev_size=$((mb << 20)),fd_buffered_io=1" || return
	echo 1 >"${tcm_stores[0]}/attrib/emulate_tpu"
	echo 1 >"${tcm_stores[0]}/attrib/emulate_tpws"
	paths=()
	for ((i = 0; i < n; i++)); do
		tcm_port "${tcm_stores[0]}" $i || return
	done
	lun_identify "${paths[0]}"
}
# tcm_dm_load PORTS [SIZE_MB [LUNS]]: each port over a device-mapper device of its own, all of them over one loop device,
# so that a single path can be made slow, broken or deaf: tcm_dm_table, tcm_dm_hang, tcm_dm_resume. With LUNS, ports are
# in turn those of so many LUNs (with the same blocks); paths[] has them all, wwid is that of the first.
tcm_loop_dev=
tcm_dm_load()
{
	local n=$1 mb=${2:-64} luns=${3:-1} i serial
	tcm_modules && modprobe -a loop dm-mod dm-delay target_core_iblock || return
	truncate -s "${mb}M" $work/tcm.img && tcm_loop_dev=$(losetup -f --show $work/tcm.img) || return
	paths=()
	for ((i = 0; i < n; i++)); do
		# Without udevd nobody else makes the nodes.
		dmsetup create "path$i" --noudevsync --table "0 $((mb * 2048)) linear $tcm_loop_dev 0" || return
		dmsetup mknodes "path$i"
		serial=lunmuxtest$((i % luns))
		tcm_store iblock "lun$i" "${serial%0}" "udev_path=/dev/mapper/path$i" || return
		tcm_port "${tcm_stores[i]}" $i || return
	done
	lun_identify "${paths[0]}"
}
# tcm_dm_table PATH_INDEX linear|error|delay [MILLISECONDS]
tcm_dm_table()
{
	local t sectors
	sectors=$(blockdev --getsz "$tcm_loop_dev")
	case $2 in
	linear) t="linear $tcm_loop_dev 0" ;;
	error) t=error ;;
	delay) t="delay $tcm_loop_dev 0 $3" ;;
	*) return 2 ;;
	esac
	dmsetup suspend --noudevsync --noflush --nolockfs "path$1" &&
		dmsetup reload "path$1" --table "0 $sectors $t" && dmsetup resume --noudevsync "path$1"
}
tcm_dm_hang()	{ dmsetup suspend --noudevsync --noflush --nolockfs "path$1"; }
tcm_dm_resume()	{ dmsetup resume --noudevsync "path$1"; }

# The transport of a port: commands then end with host status 0x0e (transport disrupted).
tcm_cut()	{ local i; for i; do echo offline >"${tcm_ports[i]}/transport_status" || return; done; }
tcm_restore()	{ local i; for i; do echo online >"${tcm_ports[i]}/transport_status" || return; done; }
# tcm_alua PORT STATE: 0 active/optimized, 1 active/non-optimized, 2 standby, 3 unavailable, 15 transitioning
tcm_alua()
{
	local s=${tcm_stores[0]}
	[ ${#tcm_stores[@]} = 1 ] || s=${tcm_stores[$1]}
	echo "$2" >"$s/alua/gp$1/alua_access_state"
}
tcm_unload()
{
	local i p bad=0
	[ -d $cfg/loopback ] || return 0
	for i in "${!tcm_stores[@]}"; do
		case ${tcm_stores[i]} in */iblock_*) tcm_dm_table "$i" linear 2>/dev/null ;; esac
	done
	for p in ${tcm_ports[@]+"${tcm_ports[@]}"}; do
		echo online >"$p/transport_status"
	done
	for p in "$cfg"/loopback/naa.*/tpgt_1; do
		[ -d "$p" ] || continue
		rm -f "$p/lun/lun_0/port" && rmdir "$p/lun/lun_0" "$p" "${p%/*}" || bad=1
	done
	for p in ${tcm_stores[@]+"${tcm_stores[@]}"}; do
		rmdir "$p"/alua/gp* "$p" "${p%/*}" || bad=1
	done
	tcm_ports=() tcm_stores=()
	if [ -n "$tcm_loop_dev" ]; then
		dmsetup remove_all --noudevsync || bad=1
		losetup -d "$tcm_loop_dev" || bad=1
		tcm_loop_dev=
	fi
	return $bad
}

# --- nbd ---

nbd_load()	{ [ -d /sys/module/nbd ] || modprobe nbd nbds_max=4 max_part=0; }
# nbd_attach /dev/nbdN SOCKET NAME [NBD-CLIENT OPTION]...
nbd_attach()
{
	local dev=$1 sock=$2 name=$3
	shift 3
	nbd_load && wait_for 5 test -b "$dev" || return
	if ! nbd-client -unix "$sock" "$dev" -N "$name" "$@" >"$work/nbd-client.log" 2>&1; then
		sed 's/^/          /' "$work/nbd-client.log"
		return 1
	fi
	wait_for 5 nbd_live "$dev"
}
nbd_live()	{ local n=0; { read -r n <"/sys/block/${1#/dev/}/size"; } 2>/dev/null; [ "$n" -gt 0 ]; }
nbd_dead()	{ ! nbd_live "$1"; }
nbd_detach()	{ nbd-client -d "$1" >/dev/null 2>&1; wait_for 10 nbd_dead "$1"; }

# --- lunmux ---

lunmux_pid='' lunmux_name='' sock='' uri=''
lunmux_log=$work/lunmuxd.log

# lunmux_conf NAME WWID [DEFAULTS [MULTIPATH [EXPORT]]]: a configuration for one LUN. The last three are lines of
# attributes. Unless they say otherwise, checks come often, so that a path's return is seen soon, and writes in doubt are
# short-lived: what is written over and over would wait for 30 s at a time, when the kernel's nbd gives connections up.
lunmux_conf()
{
	local line own=""
	while read -r line; do
		[[ $'\n'${3:-} =~ [[:space:]]${line%% *}[[:space:]] ]] || own+="$line"$'\n    '
	done <<-END
		polling_interval 500ms
		path_grouping_policy multibus
		path_selector round-robin
		failback immediate
		no_path_retry queue
		boot_hold no
		ghost_time 1s
	END
	cat >"$conf" <<-END
		defaults {
		    $own${3:-}
		}
		multipaths {
		    multipath {
		        wwid   $2
		        alias  $1
		        ${4:-}
		        export {
		            ${5:-nbd_device none}
		        }
		    }
		}
	END
}
# lunmux_start NAME: starts the daemon on $conf and waits for its ready line. Sets sock, uri, lunmux_pid.
# LUNMUX_WRAP may hold a program to run it under.
lunmux_start()
{
	local name=$1
	mkdir -p "$rundir"
	: >"$lunmux_log"
	lunmux_log_shown=0
	# shellcheck disable=SC2086 # a command with its options
	${LUNMUX_WRAP:-} lunmuxd -c "$conf" -R "$rundir" "$name" 2>>"$lunmux_log" {nap_fd}<&- &
	lunmux_pid=$! lunmux_name=$name
	if ! wait_for "${LUNMUX_START_TIME:-10}" lunmux_settled; then
		lunmux_show_log
		return 1
	fi
	if ! uri=$(lunmux_ready_line) || has_ended $lunmux_pid; then
		wait $lunmux_pid
		say "lunmuxd ended with status $?"
		lunmux_pid=
		lunmux_show_log
		return 1
	fi
	say "$uri"
	uri=${uri##* }
	sock=$rundir/$name/nbd.sock
}
# "lunmuxd: NAME: ready: 4/4 paths, 1.0 GiB, nbd+unix:///NAME?socket=..."
lunmux_ready_line()
{
	local line
	while read -r line; do
		case $line in *"$lunmux_name: ready: "*nbd+unix://*) echo "$line"; return 0 ;; esac
	done <"$lunmux_log"
	return 1
}
lunmux_settled()	{ has_ended "$lunmux_pid" || lunmux_ready_line >/dev/null; }
# What the daemon has said since the last time this was called, its last lines; every failed check shows it.
lunmux_log_shown=0
lunmux_show_log()
{
	local lines=()
	[ ! -e "$lunmux_log" ] || mapfile -t -s "$lunmux_log_shown" lines <"$lunmux_log"
	[ ${#lines[@]} -gt 0 ] || return 0
	lunmux_log_shown=$((lunmux_log_shown + ${#lines[@]}))
	say "lunmuxd said:"
	[ ${#lines[@]} -le 40 ] || lines=("(${#lines[@]} lines)" "${lines[@]: -40}")
	printf '          %s\n' "${lines[@]}"
}
# What a process that does not end is doing, and its children, and the daemon.
say_hung()
{
	local p f
	for p in "$1" $(pgrep -P "$1") $lunmux_pid; do
		[ -d "/proc/$p" ] || { say "$p has ended"; continue; }
		say "$(grep -hE '^(Name|State)' "/proc/$p/status" | tr '\n\t' '  ')"
		for f in "/proc/$p"/task/*; do
			say "  $(<"$f/comm"): $(<"$f/wchan") $(<"$f/syscall")"
		done
	done 2>/dev/null
	[ -z "$lunmux_pid" ] || say "$(timeout --foreground 20 lunmuxctl -R "$rundir" --json status "$lunmux_name" |
		jq -c '.luns[0] | .state, .queue, [.path_list[] | [.name, .state, .inflight]]')"
}
lunmux_alive()		{ [ -n "$lunmux_pid" ] && ! has_ended "$lunmux_pid"; }
lunmux_gone()		{ has_ended "$lunmux_pid"; }
# lunmux_stop: a clean end is one check. Without the check when nothing runs.
lunmux_stop()
{
	local rc
	[ -n "$lunmux_pid" ] || return 0
	kill -TERM "$lunmux_pid" 2>/dev/null
	if ! wait_for "${LUNMUX_STOP_TIME:-10}" lunmux_gone; then
		fail "lunmuxd stops after SIGTERM"
		say_hung "$lunmux_pid"
		kill -KILL "$lunmux_pid" 2>/dev/null
		wait "$lunmux_pid" 2>/dev/null
		lunmux_pid=
		return 1
	fi
	wait "$lunmux_pid"
	rc=$?
	lunmux_pid=
	if [ $rc = 0 ]; then
		ok "lunmuxd stops with status 0"
	else
		fail "lunmuxd stops with status 0: got $rc"
		lunmux_show_log
		return 1
	fi
}
ctl()		{ lunmuxctl -R "$rundir" "$@"; }
# lunmuxctl's exit status is the health of the LUN: 0, 3 with a path missing, 4 with none left.
ctl_health()	{ ctl --json paths "$1" >/dev/null 2>&1; echo $?; }
# lun_stat NAME COUNTER: one of the LUN's counters, see `lunmuxctl --json stats NAME`
lun_stat()	{ ctl --json stats "$1" | jq ".luns[0].lun.$2"; }
# path_stat NAME COUNTER: that one of all paths together
path_stat()	{ ctl --json stats "$1" | jq "[.luns[0].path_list[].$2 // 0] | add"; }
# The longest time in which nothing was completed although something was to be done
say_pause()	{ say "longest pause of I/O${2:+ $2}: $(($(lun_stat "$1" gap_longest_ns) / 1000000)) ms"; }
# One line per path: DEVICE STATE
ctl_paths()
{
	ctl --json paths "$1" | jq -r '.luns[0].path_list[]
		| (.name | ltrimstr("/dev/")) + " " + .state'
}
# ctl_state NAME H:C:T:L: what the daemon says about that path
ctl_state()
{
	local g dev state
	g=$(sg_of "$2") || return
	while read -r dev state; do
		[ "$dev" != "${g#/dev/}" ] || { echo "$state"; return; }
	done < <(ctl_paths "$1")
	echo absent
}
ctl_is()		{ [ "$(ctl_state "$1" "$2")" = "$3" ]; }
ctl_active()	{ ctl_is "$1" "$2" active; }
# The number of active paths
ctl_nactive()
{
	local n=0 state
	while read -r _ state; do
		[ "$state" != active ] || n=$((n + 1))
	done < <(ctl_paths "$1")
	echo $n
}
ctl_nactive_is() { [ "$(ctl_nactive "$1")" = "$2" ]; }

# lunmux_serve NAME [DEFAULTS [MULTIPATH [EXPORT]]]: configure, start, and see that all of paths[] are there.
lunmux_serve()
{
	local name=$1
	lunmux_conf "$name" "$wwid" "${@:2}"
	lunmux_start "$name" || die "lunmuxd serves $name"
	ok "lunmuxd serves $name"
	case $(lunmux_ready_line) in
	*"ready: ${#paths[@]}/${#paths[@]} paths"*) ok "all ${#paths[@]} paths are in use" ;;
	*) fail "all ${#paths[@]} paths are in use" ;;
	esac
}

# --- load ---

# fio_verify DEVICE [OPTION]...: writes everywhere in random order, then reads it all back and compares.
fio_verify()
{
	local dev=$1
	shift
	(cd "$work" && fio --name=verify --filename="$dev" --direct=1 --ioengine=libaio --iodepth=16 --rw=randwrite \
		--bsrange=4k-64k --size=16m --verify=crc32c --verify_fatal=1 --verify_state_save=0 --output-format=terse \
		--thread "$@")
}
# writer_start DEVICE: fio_verify again and again until writer_stop, which is one check.
writer_pid='' writer_fio=()
writer_start()
{
	writer_fio=("$@")
	rm -f "$work"/writer.{stop,failed,passes}
	(
		trap - EXIT TERM
		n=0
		while [ ! -e "$work/writer.stop" ]; do
			if ! fio_verify "${writer_fio[@]}" --randseed=$((n + 1)) >"$work/writer.log" 2>&1; then
				echo "pass $n" >"$work/writer.failed"
				break
			fi
			n=$((n + 1))
			echo $n >"$work/writer.passes"
		done
	) {nap_fd}<&- &
	writer_pid=$!
	background+=("$writer_pid")
}
writer_failed()	{ [ -e "$work/writer.failed" ]; }
writer_ended()	{ has_ended "$writer_pid"; }
writer_stop()
{
	local n=0
	: >"$work/writer.stop"
	if ! wait_for 20 writer_ended; then
		fail "the writer ends: I/O hangs"
		say_hung "$writer_pid"
		return 1
	fi
	wait "$writer_pid"
	[ ! -e "$work/writer.passes" ] || read -r n <"$work/writer.passes"
	if writer_failed; then
		fail "the writer's data is verified: $(<"$work/writer.failed") failed"
		tail -n 12 "$work/writer.log" | sed 's/^/          /'
		return 1
	fi
	ok "$n passes of writing and verifying"
}

# --- the end of a case ---

mounts=()		# mount points to be unmounted
background=()		# processes to be ended, with what they have started

# mount_on DEVICE DIRECTORY [OPTION]...
mount_on()
{
	local dev=$1 dir=$2
	shift 2
	mkdir -p "$dir" && mount "$@" "$dev" "$dir" && mounts=("$dir" ${mounts[@]+"${mounts[@]}"})
}
unmount()
{
	local m kept=()
	umount "$1" || return
	for m in "${mounts[@]}"; do
		[ "$m" = "$1" ] || kept+=("$m")
	done
	mounts=(${kept[@]+"${kept[@]}"})
}

case_clean()
{
	local p n bad=0
	for p in ${background[@]+"${background[@]}"}; do
		pkill -KILL -P "$p"
		kill -KILL "$p" 2>/dev/null
	done
	# What a failed case left in flight can only end while the paths work.
	for p in "$scsi_dir"/*/device/state; do
		[ -e "$p" ] && echo running >"$p"
	done 2>/dev/null
	for p in ${mounts[@]+"${mounts[@]}"}; do
		timeout --foreground -k 1 20 umount "$p" || bad=1
	done
	for n in /sys/block/nbd*; do
		[ -e "$n/pid" ] || nbd_live "/dev/${n##*/}" 2>/dev/null || continue
		timeout --foreground -k 1 20 nbd-client -d "/dev/${n##*/}" >/dev/null 2>&1
		wait_for 10 nbd_dead "/dev/${n##*/}" || bad=1
	done
	lunmux_stop
	if [ ${#background[@]} -gt 0 ]; then
		wait "${background[@]}" 2>/dev/null
	fi
	tcm_unload || bad=1
	sdebug_unload || bad=1
	rm -rf "$work" "$rundir"
	return $bad
}
case_end()
{
	local rc=$? dirty=
	trap '' TERM
	# A dead guest must still say which case it was: the line comes even if cleaning up hangs.
	case_clean || dirty=1
	if [ -n "$skipped" ]; then
		echo "SKIP $case_name: $skipped"
		rc=77
	elif [ $nfailed -gt 0 ]; then
		[ $nfailed = 1 ] || first_failure="$first_failure (and $((nfailed - 1)) more)"
		echo "FAIL $case_name: $first_failure"
		rc=1
	elif [ $rc != 0 ]; then
		echo "FAIL $case_name: ended with status $rc"
		rc=1
	elif [ $nchecks = 0 ]; then
		echo "FAIL $case_name: it checked nothing"
		rc=1
	else
		echo "PASS $case_name"
	fi
	[ -z "$dirty" ] || echo "DIRTY $case_name"
	exit "$rc"
}
trap case_end EXIT
trap 'first_failure=${first_failure:-out of time}; nfailed=$((nfailed + 1)); exit 1' TERM

rm -rf "$work"
mkdir -p "$work"
dmesg_mark
