#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make check: the same seeds every time, then the seeds that found a bug once.
sim=${SIM:-tests/sim/sim}
dir=$(dirname "$0")
"$sim" --seeds 1:${SIM_FIXED:-1000} --jobs "${JOBS:-2}" --name "fixed seeds" || exit 1
# A line of regress/seeds: the seed, the number of operations, what it found.
while read -r seed ops _; do
	case $seed in '' | \#*) continue ;; esac
	"$sim" --seed "$seed" --ops "$ops" >/dev/null || {
		echo "FAIL regress: seed $seed, replay: $sim --seed $seed --ops $ops --trace"
		exit 1
	}
done <"$dir/regress/seeds"
echo "PASS regress"
