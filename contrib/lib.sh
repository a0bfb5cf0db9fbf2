# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what contrib/demo and contrib/test share: packages, build, messages.
# Sourced by bash; the caller has set -u and $src (the source tree).

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# Packages of the groups named, one a line.
packages_of() {
	local group
	for group in "$@"; do
		sed -n "/^\[$group\]/,/^\[/{/^[^[#]/p}" "$src/contrib/packages"
	done
}

# Install what is missing of the groups named. Needs the registry only if something is.
install_packages() {
	local p missing=()
	while read -r p; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' ||
			missing+=("$p")
	done < <(packages_of "$@")
	[ ${#missing[@]} -eq 0 ] && return 0
	[ "$(id -u)" = 0 ] || die "these packages are missing and only root can install them: ${missing[*]}"
	command -v apt-get >/dev/null || die "no apt-get here; please install: ${missing[*]}"
	say "installing: ${missing[*]}"
	apt-get -q update >/dev/null || die "apt-get update failed: no package registry?"
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
		"${missing[@]}" >/dev/null || die "apt-get install failed"
}

# build_tree DIR [CONFIGURE ARGUMENT]...: out of tree, only what has changed.
build_tree() {
	local dir=$1 log
	shift
	mkdir -p "$dir" || die "$dir: cannot be made"
	log=$dir/build.log
	(
		set -e
		[ -x "$src/configure" ] && [ "$src/configure" -nt "$src/configure.ac" ] ||
			(cd "$src" && autoreconf -fi)
		cd "$dir"
		[ -f config.status ] && [ config.status -nt "$src/configure" ] &&
			[ "$(cat args 2>/dev/null)" = "$*" ] || "$src/configure" -q "$@"
		printf '%s' "$*" >args
		make -s -j"$(nproc)"
	) >"$log" 2>&1 || {
		tail -n 40 "$log" >&2
		die "the build failed; all of it is in $log"
	}
}
