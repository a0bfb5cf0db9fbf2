#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t-sweep.sh - every so manyth call of a lunmuxd fails once, in each phase of its life; "make check-sweep" fails
# all of them. See tests/sweep/sweep.py.
. "$(dirname "$0")/lib.sh"
case_begin sweep
need python3 losetup make gcc
need_root
every=${SWEEP_EVERY:-5}
offset=${SWEEP_OFFSET:-$((RANDOM % every + 1))}
make -s -C "$BUILD" tests/sweep/shim.so >"$T/log" 2>&1 || { cat "$T/log"; fail "the shim cannot be built"; }
note "each ${every}th call from the ${offset}th on"
"$here/../sweep/sweep.py" "$BUILD" --every "$every" --offset "$offset" >"$T/log" 2>&1
status=$?
sed -n 's/^PASS sweep /   /p' "$T/log"
[ $status = 0 ] || { grep -v '^PASS' "$T/log"; fail "a failing call was not taken well, see above"; }
pass
