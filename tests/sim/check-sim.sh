#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make check-sim: new seeds for SIM_TIME seconds (or SEEDS of them) on JOBS cores, a fifth of that for each
# driver with each export, then the plants.
sim=${SIM:-tests/sim/sim}
dir=$(dirname "$0")
export JOBS="${JOBS:-2}"
time=${SIM_TIME:-60}
status=0

new_seeds() {
	if [ -n "${SEEDS:-}" ]; then
		set -- "$@" --seeds "${FROM:-$(date +%s)000000}:$((SEEDS / 5))"
	else
		set -- "$@" --time $((time / 5))
	fi
	"$sim" "$@" --jobs "$JOBS"
	case $? in 0 | 77) ;; *) status=1 ;; esac # 77: built without FUSE
}
new_seeds --name "new seeds"
new_seeds --name "new seeds, sg" --driver sg
new_seeds --name "new seeds, nbd" --export nbd
new_seeds --name "new seeds, sg and nbd" --driver sg --export nbd
new_seeds --name "new seeds, fuse" --export fuse
SIM=$sim "$dir/plants.sh" || status=1
exit $status
