#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# make check: the same seeds every time, then the seeds that found a bug once; for each driver and export.
sim=${SIM:-tests/sim/sim}
dir=$(dirname "$0")
"$sim" --seeds 1:${SIM_FIXED:-1000} --jobs "${JOBS:-2}" --name "fixed seeds" || exit 1
"$sim" --driver sg --seeds 1:${SIM_FIXED_SG:-300} --jobs "${JOBS:-2}" --name "fixed seeds, sg" || exit 1
"$sim" --export nbd --seeds 1:${SIM_FIXED_NBD:-300} --jobs "${JOBS:-2}" --name "fixed seeds, nbd" || exit 1
"$sim" --driver sg --export nbd --seeds 301:${SIM_FIXED_BOTH:-200} --jobs "${JOBS:-2}" --name "fixed seeds, sg and nbd" || exit 1

"$sim" --export fuse --seeds 1:${SIM_FIXED_FUSE:-200} --jobs "${JOBS:-2}" --name "fixed seeds, fuse"
case $? in 0 | 77) ;; *) exit 1 ;; esac # 77: built without it

# A line of a file: the seed, the number of operations, what it found.
regress() {
	while read -r seed ops _; do
		case $seed in '' | \#*) continue ;; esac
		"$sim" --driver "$1" --export "$2" --seed "$seed" --ops "$ops" >/dev/null || {
			echo "FAIL regress: seed $seed, replay: $sim --driver $1 --export $2 --seed $seed --ops $ops --trace"
			exit 1
		}
	done <"$3"
}
regress sim core "$dir/regress/seeds"
regress sg core "$dir/regress/sg-seeds"
regress sim nbd "$dir/regress/nbd-seeds"
echo "PASS regress"
