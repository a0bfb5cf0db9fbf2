#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# symbols.sh - no global name of ours is also a name of a library that we link.
#
# The linker would take ours without a word, in our calls and in the library's:
# an io_submit() of the exports once stood in for libaio's.
set -u
command -v nm >/dev/null && command -v ldd >/dev/null || {
	echo "needs nm and ldd"
	exit 77
}
ours=$(mktemp) && theirs=$(mktemp) || exit 99
trap 'rm -f "$ours" "$theirs"' EXIT
code=0
for prog in ./lunmuxd ./lunmuxctl; do
	[ -x "$prog" ] || exit 99
	# What the C start-up code and the linker define is in every program.
	nm "$prog" | awk '$2 ~ /^[TDBRW]$/ && $3 !~ /^_/ { print $3 }' |
		grep -vxE 'data_start|main|std(in|out|err)@.*' | sort -u >"$ours"
	[ -s "$ours" ] || exit 77 # stripped
	ldd "$prog" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
		while read -r lib; do nm -D --defined-only "$lib"; done |
		awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u >"$theirs"
	[ -s "$theirs" ] || exit 99
	both=$(comm -12 "$ours" "$theirs")
	[ -z "$both" ] && continue
	echo "$prog: also names of a library that it is linked with:" "$both"
	code=1
done
exit $code
