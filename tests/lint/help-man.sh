#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# help-man.sh - what --help names and what the manual page names is the same:
# verbs, options, exit statuses; both ways.  The page also has the states that
# the core knows.
set -u
srcdir=${srcdir:-.}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

# Words of $2 (from --help) and $3 (from the page) are the same set.
compare()
{
	sort -u "$tmp/$2" >"$tmp/a"
	sort -u "$tmp/$3" >"$tmp/b"
	if [ ! -s "$tmp/a" ]; then
		echo "$1: none found"
		bad=1
	fi
	if ! cmp -s "$tmp/a" "$tmp/b"; then
		echo "$1: < only in the program, > only in the manual page"
		diff "$tmp/a" "$tmp/b" | grep '^[<>]'
		bad=1
	fi
}

# "  -R, --rundir DIR  text" -> "-R" "--rundir"
help_options()
{
	grep -E '^  +-' "$1" | sed 's/^ *//; s/   *.*//' | grep -oE -- '--?[A-Za-z][a-z-]*' 
}

# ".It Fl R Ar DIR , Fl -rundir Ar DIR" -> "-R" "--rundir"
page_options()
{
	sed -n '/^\.Sh OPTIONS/,/^\.Sh [^O]/p' "$1" | grep '^\.It Fl' |
		grep -oE 'Fl [-A-Za-z]+' | sed 's/^Fl /-/'
}

# ".It Cm list Op Ar NAME" -> "list"; not those of nested lists.
page_verbs()
{
	awk '/^\.Sh/ { on = /^\.Sh VERBS/ }
	     on && /^\.Bl/ { depth++ }
	     on && /^\.El/ { depth-- }
	     on && depth == 1 && /^\.It Cm/ { print $3 }' "$1"
}

page_exits()
{
	sed -n '/^\.Sh EXIT STATUS/,/^\.El/p' "$1" | sed -n 's/^\.It \([0-9]*\)$/\1/p'
}

check_program()
{
	page=$srcdir/man/$1.8

	if ! "./$1" --help >"$tmp/help" 2>&1; then
		echo "./$1 --help failed"
		bad=1
		return
	fi
	help_options "$tmp/help" >"$tmp/help-options"
	page_options "$page" >"$tmp/page-options"
	compare "$1: options" help-options page-options
}

check_program lunmuxctl
sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' "$tmp/help" >"$tmp/help-verbs"
page_verbs "$srcdir/man/lunmuxctl.8" >"$tmp/page-verbs"
compare "lunmuxctl: verbs" help-verbs page-verbs
sed -n '/^Exit status:/,$s/^  \([0-9][0-9]*\) .*/\1/p' "$tmp/help" >"$tmp/help-exits"
page_exits "$srcdir/man/lunmuxctl.8" >"$tmp/page-exits"
compare "lunmuxctl: exit statuses" help-exits page-exits
check_program lunmuxd

# [PATH_ACTIVE] = "active"
grep -ohE '\[(LUN|PATH)_[A-Z]+\] = "[a-z]+"' "$srcdir"/src/core/*.c | sed 's/.*"\(.*\)"/\1/' \
	>"$tmp/core-states"
sed -n '/^\.Sh STATES/,/^\.Sh JSON/p' "$srcdir/man/lunmuxctl.8" | sed -n 's/^\.It //p' |
	tr -d , | tr -s ' ' '\n' | grep -Ev '^(ok|degraded|down)$' >"$tmp/page-states"
compare "states" core-states page-states
exit $bad
