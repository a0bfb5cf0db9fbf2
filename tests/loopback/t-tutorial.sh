# SPDX-License-Identifier: GPL-2.0-or-later
# The commands of lunmux(7), as they stand there: the part on loop devices, in a directory of our own.
. "$(dirname "$0")/lib.sh"
case_begin tutorial
need mandoc qemu-io losetup
need_root
mkdir "$T/bin"
ln -s "$(realpath "$LUNMUXD")" "$(realpath "$LUNMUXCTL")" "$T/bin/"
# What a prompt stands before is a command; the rest of the lines is what it reads.
sed -n '/^\.\\" BEGIN loop/,/^\.\\" END loop/p' "$here/../../man/lunmux.7" |
	awk '/^\.Bd -literal/ { on = 1; next } /^\.Ed/ { on = 0 } on' |
	sed "s/^# //; s#/tmp/lab#$T/lab#g" >"$T/commands"
n=$(wc -l <"$T/commands")
[ "$n" -ge 30 ] || fail "only $n lines of commands found"
case_cleanup() {
	[ ! -d "$T/lab" ] || losetup -j "$T/lab/disk.img" | cut -d: -f1 | xargs -r losetup -d
}
# A job control of its own, for "kill %1". A missing path is no failure: status 3 says so.
cat >"$T/run" <<'EOF'
set -m -E
trap 'rc=$?; case $rc:$BASH_COMMAND in 3:lunmuxctl*paths*) degraded=1 ;; *) echo "FAILED ($rc): $BASH_COMMAND"; exit 1 ;; esac' ERR
EOF
cat "$T/commands" - >>"$T/run" <<'EOF'
[ "$degraded" = 1 ] || { echo "FAILED: status 3 was not seen"; exit 1; }
echo "all of it"
EOF
PATH=$T/bin:$PATH timeout -k 5 120 bash "$T/run" >"$T/log" 2>&1 || {
	tail -n 25 "$T/log"
	# What it has left in the background.
	pid=$(sed -n 's/^pid //p' "$T/lab/run/lab/state" 2>/dev/null) && [ -n "$pid" ] && kill "$pid"
	fail "$(grep '^FAILED' "$T/log" || echo 'ended early')"
}
grep -qx "all of it" "$T/log" || fail "ended early"
grep -q 'paths=2/2' "$T/log" || fail "status does not show two paths"
note "$n lines of the manual"
pass
