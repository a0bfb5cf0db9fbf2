#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# readme.sh - what README.md, HACKING.md and doc/*.md name exists: files, links,
# functions, make targets, tiers, options, verbs, keywords, exit statuses; and
# each configuration that they show is a good one.
# A word in capitals within a file's name (NAME) stands for any.
set -u
LC_ALL=C
export LC_ALL
srcdir=${srcdir:-.}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

bad()
{
	echo "$1" | tee -a "$tmp/bad"
}

# Each distinct match of the pattern $2 in $1.
words()
{
	grep -oE -- "$2" "$1" | sort -u
}

check_files()
{
	words "$1" '(^|[^A-Za-z0-9_./-])(\.\./)?(src|tests|contrib|doc|man|etc)/[A-Za-z0-9_./-]+' |
		sed -E 's/^[^A-Za-z0-9_.]//; s#^\.\./##; s/\.$//' | grep -v '[A-Z]\{4\}' |
		while read -r file; do
			echo "$file" >>"$tmp/seen"
			if [ ! -e "$srcdir/$file" ] && ! grep -q "^$file\\\$(EXEEXT):" Makefile; then
				bad "$1: names $file, which is not there"
			fi
		done
	words "$1" '\]\([^)#:]+\)' | sed 's/^](//; s/)$//' | while read -r link; do
		[ -e "$(dirname "$1")/$link" ] || bad "$1: links to $link, which is not there"
	done
}

# `name()` and `enum name`: some file of the sources says that word.
check_functions()
{
	words "$1" '`[a-z_0-9]+\(\)' | tr -d '`()' | while read -r name; do
		grep -rqw -- "$name" "$srcdir/src" || bad "$1: names $name(), which is nowhere in src"
	done
	words "$1" '`(enum|struct) [a-z_]+' | tr -d '`' | while read -r name; do
		grep -rq -- "$name {" "$srcdir/src" || bad "$1: names $name, which is nowhere in src"
	done
	words "$1" '`[A-Z]+_[A-Z_0-9]+' | tr -d '`' | while read -r name; do
		grep -rq -- "$name" "$srcdir/src" || bad "$1: names $name, which is nowhere in src"
	done
}

check_make()
{
	words "$1" '(^    |`)make [a-z][a-z/-]+' | sed 's/.*make //' | while read -r target; do
		grep -qE "^$target(.\(EXEEXT\))?:" Makefile || bad "$1: make $target: no such target"
	done
	words "$1" 'contrib/test [a-z]+' | sed 's/.* //' | while read -r tier; do
		grep -q "^tier_$tier()" "$srcdir/contrib/test" || bad "$1: contrib/test $tier: no such tier"
	done
	words "$1" '--(enable|with|without)-[a-z]+' | while read -r option; do
		grep -q -- "\[$option" "$srcdir/configure.ac" || bad "$1: configure has no $option"
	done
}

# Command lines of our own: the verb, and every option.
check_commands()
{
	./lunmuxctl --help >"$tmp/ctl" && ./lunmuxd --help >"$tmp/daemon" || bad "--help failed"
	words "$1" '(^    |`)lunmuxctl .*' | sed 's/`[^`]*$//; s/^.*lunmuxctl //' >"$tmp/lines"
	while read -r line; do
		verb=$(echo "$line" | sed -E 's/-R [^ ]+ ?//; s/--json ?//' | grep -oE '^[a-z][a-z-]*')
		echo "lunmuxctl $verb" >>"$tmp/seen"
		[ -z "$verb" ] || grep -q "^  $verb " "$tmp/ctl" || bad "$1: lunmuxctl has no verb $verb"
		echo "$line" | grep -oE -- '--[a-z]+' | while read -r option; do
			grep -q -- "$option" "$tmp/ctl" || bad "$1: lunmuxctl has no $option"
		done
	done <"$tmp/lines"
	words "$1" '(^    |`)lunmuxd .*' | grep -oE -- ' --?[a-zA-Z]+' | sort -u | while read -r option; do
		grep -q -- "$option" "$tmp/daemon" || bad "$1: lunmuxd has no $option"
	done
}

# Every block ```conf must please lunmuxd -t without a warning.
check_configurations()
{
	awk -v dir="$tmp" '/^```conf$/ { n++; file = dir "/block" n ".conf"; next }
		/^```$/ { file = "" } file { print >file }' "$1"
	for conf in "$tmp"/block*.conf; do
		[ -e "$conf" ] || continue
		echo "$conf" >>"$tmp/seen"
		if ! ./lunmuxd -t -c "$conf" >/dev/null 2>"$tmp/err" || [ -s "$tmp/err" ]; then
			cat "$tmp/err"
			bad "$1: $(basename "$conf" .conf) is not a good configuration"
		fi
		rm "$conf"
	done
}

# The tables of the README against the manual pages, both ways.
compare()
{
	cmp -s "$tmp/a" "$tmp/b" && [ -s "$tmp/a" ] && return
	bad "README.md: $1: < only there, > only in the manual page"
	diff "$tmp/a" "$tmp/b" | grep '^[<>]'
}

check_tables()
{
	readme=$srcdir/README.md
	sed -n '/^## Configuration/,/^## /{/^| [a-z]/p;}' "$readme" | grep -oE '`[a-z_0-9]+`' |
		tr -d '`' | sort -u >"$tmp/a"
	# What only gets a warning yet stands under "What it does not do".
	sed -n 's/^\.It Ic \([a-z_0-9]*\) .*/\1/p' "$srcdir/man/lunmux.conf.5" |
		grep -vx 'suspect_after' | sort -u >"$tmp/b"
	compare "keywords"
	sed -n '/^## lunmuxctl/,/^## /p' "$readme" >"$tmp/section"
	sed -n 's/^| \([0-9][0-9]*\) |.*/\1/p' "$tmp/section" | sort -u >"$tmp/a"
	sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It \([0-9]*\)$/\1/p' "$srcdir/man/lunmuxctl.8" |
		sort -u >"$tmp/b"
	compare "exit statuses of lunmuxctl"
	grep '^| `' "$tmp/section" | sed 's/ |.*//;s/^| //' | grep -oE '`[a-z-]+' | tr -d '`' |
		sort -u >"$tmp/a"
	sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' "$tmp/ctl" | sort -u >"$tmp/b"
	compare "verbs"
}

for doc in "$srcdir/README.md" "$srcdir/HACKING.md" "$srcdir"/doc/*.md; do
	check_files "$doc"
	check_functions "$doc"
	check_make "$doc"
	check_commands "$doc"
	check_configurations "$doc"
done
check_tables
for conf in "$srcdir"/contrib/examples/*.conf; do
	./lunmuxd -t -c "$conf" >/dev/null || bad "$conf: is not a good configuration"
done
if [ "$(sort -u "$tmp/seen" | wc -l)" -lt 60 ]; then
	bad "readme.sh: has found next to nothing to check: are these the documents?"
fi
[ ! -s "$tmp/bad" ]
