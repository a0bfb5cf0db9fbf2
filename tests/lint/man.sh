#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# man.sh - the manual pages are correct mdoc, and refer only to pages that exist.
set -u
srcdir=${srcdir:-.}
bad=0

if ! command -v mandoc >/dev/null; then
	echo "man.sh: skipped: mandoc is not installed (Debian: mandoc)"
	exit 77
fi

for page in "$srcdir"/man/*.[1-9]; do
	# Whether other packages' pages are installed here says nothing about ours.
	if mandoc -Tlint "$page" 2>&1 | grep -Ev 'referenced manual not found|outdated mandoc\.db'; then
		bad=1
	fi
	sed -n 's/^\.Xr \(lunmux[^ ]*\) \([1-9]\).*/\1.\2/p' "$page" | sort -u |
		{
			missing=0
			while read -r other; do
				if [ ! -e "$srcdir/man/$other" ]; then
					echo "$page: refers to $other, and there is no such page"
					missing=1
				fi
			done
			exit $missing
		} || bad=1
done
exit $bad
