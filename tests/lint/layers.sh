#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# layers.sh - who may include whom, how long a file may be, and its licence tag.
#
#   base < loop < core, scsi < path, export, config, ctl < daemon
#
# Siblings never include one another.  lunmuxctl stands on ctl/proto.h, config and base;
# its scan on path and scsi, too: it asks no daemon and must find what the daemon would.
# Only loop/loop_ev.c knows libev; core knows no socket and no SCSI.
set -u
cd "${srcdir:-.}" || exit 99
tmp=$(mktemp) || exit 99
trap 'rm -f "$tmp"' EXIT

# shellcheck disable=SC2016 # it is awk's $
find src -name '*.[ch]' | sort | xargs awk '
function bad(what)
{
	printf "%s:%d: %s\n", FILENAME, FNR, what
	failed = 1
}

# The driver or export that a file is part of: what stands before "_" or ".".
function part(file)
{
	sub(/[_.].*/, "", file)
	return file
}

# Of a layer with several boxes side by side.
function check_siblings(layer, from, to)
{
	from = part(from)
	to = part(to)
	if (from == to)
		return
	if (layer == "export" && to != "io" && from ~ /^(nbd|fuse|io)$/)
		bad("export/" from " includes export/" to ": only export/io.h is common")
	if (layer == "path" && from ~ /^(sg|blk|sim)$/ && to ~ /^(sg|blk|sim)$/)
		bad("path/" from " includes path/" to ": drivers do not know each other")
	if (layer == "ctl" && from == "proto")
		bad("ctl/proto includes ctl/" to ": the codec is shared with lunmuxctl")
}

BEGIN {
	may["base"] = " base "
	may["loop"] = " base loop "
	may["scsi"] = " base scsi "
	may["core"] = " base loop core "
	may["path"] = " base loop core scsi path "
	may["export"] = " base loop core scsi export "
	may["config"] = " base config "
	may["ctl"] = " base loop core ctl "
	may["lunmuxctl"] = " base config ctl lunmuxctl "
	may["boot"] = " base scsi path config boot "
	may["daemon"] = " base loop core scsi path export config ctl daemon "
}

FNR == 1 {
	split(FILENAME, at, "/")
	layer = at[2]
	file = at[3]
	if (!(layer in may))
		bad("layer " layer " is not in style.md section 5")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, q, "\"")
	if (q[2] == "config.h")
		next
	n = split(q[2], to, "/")
	if (n != 2)
		bad("include \"" q[2] "\": write \"LAYER/file.h\"")
	else if (FILENAME == "src/lunmuxctl/cmd_scan.c" && to[1] ~ /^(path|scsi)$/)
		edges++
	else if (index(may[layer], " " to[1] " ") == 0)
		bad(layer " includes " q[2])
	else if (layer == "lunmuxctl" && to[1] == "ctl" && to[2] != "proto.h")
		bad("lunmuxctl includes " q[2] ": only ctl/proto.h")
	else if (layer == "ctl" && file ~ /^proto/ && to[1] ~ /^(loop|core)$/)
		bad("ctl/proto includes " q[2] ": it stands on base alone")
	else if (to[1] == layer)
		check_siblings(layer, file, to[2])
	edges++
}

/^[ \t]*#[ \t]*include[ \t]*[<"]ev(\+\+)?\.h[>"]/ && FILENAME != "src/loop/loop_ev.c" {
	bad("ev.h: only loop/loop_ev.c includes it")
}

/^[ \t]*#[ \t]*include[ \t]*<libudev\.h>/ && FILENAME != "src/path/uevent.c" {
	bad("libudev.h: only path/uevent.c includes it")
}

/^[ \t]*#[ \t]*include[ \t]*<scsi\/sg_lib\.h>/ && FILENAME != "src/scsi/sense_text.c" {
	bad("sg_lib.h: only scsi/sense_text.c includes it")
}

# libsgutils2 has tables of words there, and is asked for nothing else.
/^[ \t]*#[ \t]*include[ \t]*<(sys\/(socket|un|ioctl|epoll)|netinet\/|scsi\/|liburing)/ &&
	(layer == "core" || layer == "scsi") && !/<scsi\/sg_lib\.h>/ {
	bad(layer ": " $0 ": no socket, no device here")
}

END {
	if (!failed && edges < 20) {
		print "layers.sh: only " edges + 0 " include lines found: is this the source tree?"
		failed = 1
	}
	exit failed
}' || echo layers >>"$tmp"

for f in $(find src tests \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \) | sort); do
	lines=$(wc -l <"$f")
	if [ "$lines" -gt 800 ]; then
		echo "$f: $lines lines; at most 800: what is its second purpose?"
		echo long >>"$tmp"
	fi
	if ! head -n 3 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later'; then
		echo "$f: no SPDX-License-Identifier in its first lines"
		echo spdx >>"$tmp"
	fi
done

[ ! -s "$tmp" ]
