#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# metrics.sh - alerts and dashboard ask for metrics, and for states, that "lunmuxctl metrics" really has.
set -u
LC_ALL=C
export LC_ALL
srcdir=${srcdir:-.}
tmp=$(mktemp -d) || exit 99
daemon=
trap '[ -z "$daemon" ] || kill $daemon; wait; rm -rf "$tmp"' EXIT
truncate -s 1M "$tmp/lab.img"
cat >"$tmp/lunmux.conf" <<END
multipaths {
	multipath {
		wwid  file:$tmp/lab.img
		alias lab
	}
}
END
./lunmuxd -c "$tmp/lunmux.conf" -R "$tmp/run" lab 2>"$tmp/log" &
daemon=$!
if ! ./lunmuxctl -R "$tmp/run" wait lab --timeout 60 >"$tmp/out" 2>&1 ||
	! ./lunmuxctl -R "$tmp/run" metrics >"$tmp/metrics" 2>>"$tmp/out"; then
	cat "$tmp/out" "$tmp/log"
	exit 1
fi
sed -n 's/^\(lunmux_[a-z_]*\).*/\1/p' "$tmp/metrics" | sort -u >"$tmp/have"
[ "$(wc -l <"$tmp/have")" -ge 30 ] || { echo "lunmuxctl metrics has next to nothing"; exit 1; }
failed=0
for file in contrib/prometheus/lunmux.rules.yml contrib/grafana/lunmux.json; do
	grep -E 'expr|sum by|count by|label_values' "$srcdir/$file" | sed 's/"legendFormat.*//; s/{[^}]*}//g' |
		grep -oE 'lunmux_[a-z_]+' | sort -u >"$tmp/used"
	[ -s "$tmp/used" ] || { echo "$file: names no metric"; failed=1; }
	for name in $(comm -23 "$tmp/used" "$tmp/have"); do
		echo "$file: $name: lunmuxctl metrics has no such thing"
		failed=1
	done
	for state in $(grep -oE '_state=~?\\?"[a-z|]+' "$srcdir/$file" | sed 's/.*"//' | tr '|' ' '); do
		grep -q "_state=\"$state\"" "$tmp/metrics" || { echo "$file: $state is no state"; failed=1; }
	done
done
exit $failed
