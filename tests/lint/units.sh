#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# units.sh - systemd takes the units as they are, also with all that the generator adds, and rates what the service may
# do at 2.5 of 10 or better; the udev rules are good ones; what they share with the sources agrees.
set -u
srcdir=${srcdir:-.}
for tool in systemd-analyze udevadm; do
	command -v $tool >/dev/null || {
		echo "units.sh: skipped: no $tool here (Debian: systemd, udev)"
		exit 77
	}
done
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
failed=0
bad()
{
	echo "$*"
	failed=1
}

# --- units ---
# One of a LUN in a file, attached to the kernel: the rights that only some have.
cat >"$tmp/lunmux.conf" <<END
multipaths {
	multipath {
		wwid  3600a098038303053742b463230313233
		alias db01
	}
	multipath {
		wwid  "file:$tmp/my 100% lab.img"
		alias lab-2.x
		export {
			nbd_device auto
		}
	}
	multipath {
		wwid  file:$tmp/fuse.img
		alias fuse
		fuse  $tmp/lun.img
	}
}
END
printf '%s\n' '/dev/lunmux/lab-2.x-part1 /srv/my\040data ext4 _netdev 0 2' >"$tmp/fstab"
mkdir "$tmp/generated" "$tmp/units"
LUNMUX_CONF=$tmp/lunmux.conf SYSTEMD_FSTAB=$tmp/fstab ./lunmux-generator "$tmp/generated" 2>&1 || bad "lunmux-generator failed"
sed "s#^ExecStart=[^ ]*/lunmuxd #ExecStart=$PWD/lunmuxd #" contrib/systemd/lunmux@.service >"$tmp/units/lunmux@.service"
grep -q "^ExecStart=$PWD/lunmuxd %i$" "$tmp/units/lunmux@.service" || bad "the unit starts something else"
cp "$srcdir/contrib/systemd/lunmux.target" "$tmp/units/"
cp -r "$tmp/generated/." "$tmp/units/"
cat >"$tmp/units/srv-my\\x20data.mount" <<END
[Mount]
What=/dev/lunmux/lab-2.x-part1
Where=/srv/my data
END
for unit in lunmux.target lunmux@db01.service lunmux@lab-2.x.service lunmux@fuse.service 'srv-my\x20data.mount'; do
	# The manual is not installed; whether the host has each unit that ours name says nothing about ours.
	out=$(SYSTEMD_UNIT_PATH="$tmp/units:" systemd-analyze verify --man=no "$unit" 2>&1 | grep -F "$tmp/units"; true)
	[ -z "$out" ] || bad "systemd-analyze verify $unit: $out"
done

# Offline it reads the named file and the drop-ins beside it.
rate()
{
	SYSTEMD_UNIT_PATH="$tmp/units:" systemd-analyze security --offline=true --threshold="$2" --no-pager \
		"$tmp/units/$1" >"$tmp/out" 2>&1 || {
		grep -E '✗' "$tmp/out"
		bad "systemd-analyze security $1: $(tail -n 1 "$tmp/out")"
	}
	grep -q 'Overall exposure level' "$tmp/out" || bad "$1: was not rated: $(tail -n 3 "$tmp/out")"
	sed -n "s/.*Overall exposure level for \(.*\): \(.*\) .*/\1: \2/p" "$tmp/out"
}
rate lunmux@.service 25
# As it is with what one that is attached gets.
cat "$tmp/units/lunmux@.service" "$tmp/units/lunmux@lab-2.x.service.d/"*.conf >"$tmp/units/attached@.service"
rate attached@.service 25

# --- what the generator has written ---
expect()
{
	grep -qxF -- "$2" "$tmp/generated/$1" || bad "$1: lacks $2"
}
dropin=50-lunmux-conf.conf
[ -L "$tmp/generated/lunmux.target.wants/lunmux@db01.service" ] || bad "lunmux.target does not want db01"
expect lunmux@lab-2.x.service.d/$dropin "ReadWritePaths=-\"$tmp/my 100%% lab.img\""
expect lunmux@lab-2.x.service.d/$dropin "AmbientCapabilities=CAP_SYS_ADMIN"
! grep -q CAP_ "$tmp/generated/lunmux@db01.service.d/$dropin" || bad "db01 has rights that it does not need"
expect 'srv-my\x20data.mount.d/'$dropin After=lunmux@lab-2.x.service
# Nothing is written from a bad file, and a missing one is no mistake.
echo "multipaths { nonsense" >"$tmp/bad.conf"
mkdir "$tmp/none"
LUNMUX_CONF=$tmp/bad.conf ./lunmux-generator "$tmp/none" 2>"$tmp/err" && bad "a bad configuration passes"
grep -q 'bad.conf:1:' "$tmp/err" || bad "a bad configuration is not said to be one: $(cat "$tmp/err")"
LUNMUX_CONF=$tmp/absent.conf ./lunmux-generator "$tmp/none" || bad "no configuration is a failure"
[ -z "$(ls "$tmp/none")" ] || bad "units without a configuration: $(ls "$tmp/none")"

# --- udev ---
for rules in contrib/udev/*.rules; do
	if udevadm verify --help >/dev/null 2>&1; then
		udevadm verify --no-style "$rules" >"$tmp/out" 2>&1 || bad "$rules: $(cat "$tmp/out")"
	fi
	grep -o '@[a-z]*@' "$rules" && bad "$rules: a name was not filled in"
	# Every jump has its mark, once.
	for label in $(sed -n 's/.*GOTO="\([a-z_]*\)".*/\1/p' "$rules" | sort -u); do
		[ "$(grep -c "^LABEL=\"$label\"$" "$rules")" = 1 ] || bad "$rules: no LABEL $label"
	done
done
exit $failed
