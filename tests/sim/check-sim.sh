#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make check-sim: new seeds for SIM_TIME seconds (or SEEDS of them) on JOBS cores, a quarter of that for each
# driver with each export, then the plants.
sim=${SIM:-tests/sim/sim}
dir=$(dirname "$0")
export JOBS="${JOBS:-2}"
time=${SIM_TIME:-60}
status=0

new_seeds() {
	if [ -n "${SEEDS:-}" ]; then
		set -- "$@" --seeds "${FROM:-$(date +%s)000000}:$((SEEDS / 4))"
	else
		set -- "$@" --time $((time / 4))
	fi
	"$sim" "$@" --jobs "$JOBS" || status=1
}
new_seeds --name "new seeds"
new_seeds --name "new seeds, sg" --driver sg
new_seeds --name "new seeds, nbd" --export nbd
new_seeds --name "new seeds, sg and nbd" --driver sg --export nbd
SIM=$sim "$dir/plants.sh" || status=1
exit $status
