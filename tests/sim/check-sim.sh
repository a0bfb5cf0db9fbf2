#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make check-sim: new seeds for SIM_TIME seconds (or SEEDS of them) on JOBS cores, then the plants.
sim=${SIM:-tests/sim/sim}
dir=$(dirname "$0")
export JOBS="${JOBS:-2}"
if [ -n "${SEEDS:-}" ]; then
	"$sim" --seeds "${FROM:-$(date +%s)000000}:$SEEDS" --jobs "$JOBS" --name "new seeds"
else
	"$sim" --time "${SIM_TIME:-60}" --jobs "$JOBS" --name "new seeds"
fi
seeds=$?
SIM=$sim "$dir/plants.sh"
plants=$?
[ "$seeds" = 0 ] && [ "$plants" = 0 ]
