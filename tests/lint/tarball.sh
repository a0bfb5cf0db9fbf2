#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tarball.sh SOURCE TARBALL - does the tarball hold every file that git holds?
set -u
src=$1 tarball=$2
cd "$src" || exit 1
git rev-parse -q --git-dir >/dev/null || { echo "no git here: nothing to compare with"; exit 77; }
# Those are git's and CI's own business.
missing=$(comm -23 \
	<(git ls-files | grep -vE '^(\.gitignore|\.ci/|build-aux/\.gitkeep|m4/\.gitkeep)' | sort) \
	<(tar -tf "$tarball" | sed 's#^[^/]*/##' | sort))
[ -z "$missing" ] && exit 0
echo "not in $(basename "$tarball"):"
echo "$missing"
exit 1
