#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Can the simulator find bugs? Each one planted has to be found.
sim=${SIM:-tests/sim/sim}
bad=0
for plant in $("$sim" --plants); do
	driver=sim export=core
	case $plant in
	sg-*) driver=sg ;;
	nbd-*) export=nbd ;;
	fuse-*)
		export=fuse
		"$sim" --export fuse --seeds 1:1 >/dev/null 2>&1
		[ $? != 77 ] || continue # built without it
		;;
	esac
	out=$("$sim" --driver $driver --export $export --plant "$plant" --jobs "${JOBS:-2}" --name "plant $plant" 2>/dev/null)
	echo "$out" | grep -E '^(PASS|FAIL) ' || echo "FAIL plant $plant: the simulator died"
	case $out in *"PASS plant"*) ;; *) bad=1 ;; esac
done
exit $bad
