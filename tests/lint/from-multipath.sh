#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# from-multipath.sh - doc/from-multipath.md has every word that src/config/keywords.c takes from multipath.conf without
# using it, in the table of those; the words of its tables are known there, and in the right one of the two tables.
set -u
LC_ALL=C
export LC_ALL
srcdir=${srcdir:-.}
doc=$srcdir/doc/from-multipath.md
table=$srcdir/src/config/keywords.c
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
failed=0

# The names in one array of the table; its rows may go on in a second line.
names()
{
	sed -n "/^const struct $1/,/^};/s/^	{ \"\\([a-z_0-9]*\\)\".*/\\1/p" "$table"
}
# The words in the first column of a section's table.
first_column()
{
	sed -n "/^## $1/,/^## /p" "$doc" | sed -n 's/^| \(`[^|]*\)|.*/\1/p' | grep -oE '`[a-z_0-9]+`' | tr -d '`' | sort -u
}
same()
{
	if [ ! -s "$tmp/$2" ] || [ ! -s "$tmp/$3" ]; then
		echo "$1: nothing found to compare: has the form of the files changed?"
		failed=1
	elif ! cmp -s "$tmp/$2" "$tmp/$3"; then
		echo "$1: < only in keywords.c, > only in from-multipath.md"
		diff "$tmp/$2" "$tmp/$3" | grep '^[<>]'
		failed=1
	fi
}

names 'keyword keywords' | sort -u >"$tmp/used"
{
	names 'dm_word dm_words'
	names 'dm_word dm_sections'
} | sort -u >"$tmp/unused"
first_column "Accepted" >"$tmp/doc-unused"
same "accepted, does nothing" unused doc-unused
first_column "The same" >"$tmp/doc-used"
comm -12 "$tmp/used" "$tmp/doc-used" >"$tmp/known"
same "the same in both" known doc-used
exit $failed
