#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# completion.sh - the completions for bash and zsh have the verbs and options that
# lunmuxctl --help has, all of them and no other; and bash completes by them.
set -u
LC_ALL=C
export LC_ALL
srcdir=${srcdir:-.}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bash=$srcdir/contrib/completion/lunmuxctl
zsh=$srcdir/contrib/completion/_lunmuxctl
bad=0

compare()
{
	sort -u "$tmp/$2" >"$tmp/a"
	sort -u "$tmp/$3" >"$tmp/b"
	cmp -s "$tmp/a" "$tmp/b" && [ -s "$tmp/a" ] && return
	echo "$1: < only in --help, > only in the completion"
	diff "$tmp/a" "$tmp/b" | grep '^[<>]'
	bad=1
}

./lunmuxctl --help >"$tmp/help" || exit 99
sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' "$tmp/help" >"$tmp/verbs"
grep -E '^  +-' "$tmp/help" | sed 's/^ *//; s/   *.*//' | grep -oE -- '--?[A-Za-z][a-z-]*' >"$tmp/options"

bash -c '. "$1"; printf "%s\n" $_lunmuxctl_verbs >"$2/bash-verbs"
	printf "%s\n" $_lunmuxctl_options >"$2/bash-options"' - "$bash" "$tmp" || bad=1
compare "bash: verbs" verbs bash-verbs
compare "bash: options" options bash-options
sed -n "/^verbs=(/,/^)/s/^	'\\([a-z-]*\\):.*/\\1/p" "$zsh" >"$tmp/zsh-verbs"
sed -n '/^_arguments/,$p' "$zsh" | grep -oE -- "['{,]--?[A-Za-z][a-z-]*" | tr -d "'{," >"$tmp/zsh-options"
compare "zsh: verbs" verbs zsh-verbs
compare "zsh: options" options zsh-options

# What is offered for: WORD... (the last one is being typed)
offered()
{
	bash -c '. "$1"; shift; COMP_WORDS=(lunmuxctl "$@"); COMP_CWORD=$#; _lunmuxctl
		echo "${COMPREPLY[*]}"' - "$bash" "$@"
}

# EXPECTED WORD...
expect()
{
	want=$1
	shift
	got=$(PATH=$PWD:$PATH offered "$@")
	[ "$got" = "$want" ] && return
	echo "bash: for \"$*\": \"$got\", not \"$want\""
	bad=1
}

expect "doctor" doc
expect "--timeout" --tim
expect "up down" wait --state ""
expect "check dump import" config ""
expect "off" -R /nonexistent queueing of
expect "drain-path" help dr
exit $bad
