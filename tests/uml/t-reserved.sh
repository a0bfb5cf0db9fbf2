#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 120
#
# Another initiator reserves the LUN (LIO, persistent reservation, write exclusive): writes are refused and are the
# client's error at once, reads go on, and no path is blamed. When the reservation is given up writes go on, too.

. ./lib.sh
need lunmuxd lunmuxctl qemu-io sg_persist jq

tcm_load 3 || die "tcm_loop with three ports"
lunmux_serve lun
# The third port is the other initiator's.
other=${paths[2]}
check "the third path is not ours" ctl fail-path lun "$(sg_of "$other")"
io() { timeout --foreground 40 qemu-io -f raw -c "$*" "$uri"; }
refused() { ! io "$@" && grep -q 'Input/output error' $work/output; }
persist() { sg_persist --out "$@" "$(sg_of "$other")"; }
actives() { ctl_nactive_is lun 2; }

check "a write" io write -P 1 0 64k
check "registered" persist --register --param-sark=0x1d
check "reserved" persist --reserve --param-rk=0x1d --prout-type=1
begun=$SECONDS
check "a write is refused" refused write -P 2 0 64k
check "a write with FUA, too" refused write -f -P 2 0 64k
check "zeroes, too" refused write -z 64k 64k
most "seconds for three refusals" $((SECONDS - begun)) $((6 * patience))
check "a read is good, and nothing was written" io read -P 1 0 64k
check "both paths are active" actives
nap 2
check "their checks are good, too" actives
equal "healthy but for the third" "$(ctl_health lun)" 3
check "given up" persist --release --param-rk=0x1d --prout-type=1
check "a write" io write -P 3 0 64k
check "and read back" io read -P 3 0 64k
check "the registration goes" persist --register --param-rk=0x1d --param-sark=0
