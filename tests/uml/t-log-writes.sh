#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# What was flushed is there, whenever the power fails: dm-log-writes below the array notes each write and flush that
# arrives. Replayed to any point at which a client had been told that its flush is done, the disk holds all that was
# written before; replayed to any flush, ext4 recovers from its journal. Paths come and go, and the daemon dies.

. ./lib.sh
. ./writers.sh
need lunmuxd lunmuxctl mkfs.ext4 e2fsck perl jq dmsetup
seconds=${SOAK_TIME:-5}
mkdir -p $work/mnt

# stamps.pl DEVICE DM-NAME LOG: writes versions into blocks of a device and flushes; when a flush is done, a mark goes into the
# log of writes, and which version each block has by then into LOG.
cat >$work/stamps.pl <<'END'
use strict; use warnings; use Fcntl; use IO::Handle;
my ($dev, $dm, $log) = @ARGV;
my ($run, $version, $mark, @of) = (1, 0, 0);
$SIG{TERM} = sub { $run = 0 };
sysopen my $f, $dev, O_RDWR or die "$dev: $!";
open my $l, ">", $log or die "$log: $!";
$l->autoflush(1);
while ($run) {
	for (1 .. 1 + int rand 24) {
		my $block = int rand 256;
		sysseek $f, $block * 4096, 0;
		$of[$block] = ++$version;
		my $n = syswrite $f, pack("Q>Q>", $version, $block) x 256;
		die "write: $!" unless defined $n && $n == 4096;
	}
	defined $f->sync or die "fsync: $!";
	$mark++;
	print $l join(" ", $mark, map { $_ // 0 } @of[0 .. 255]), "\n";
	system("dmsetup", "message", $dm, "0", "mark", "done$mark") == 0 or die "dmsetup";
}
print "$mark flushes, $version writes\n";
END
# replay.pl LOG-DEVICE marks STAMPS: is each mark's promise kept? replay.pl LOG-DEVICE image N DISK: what it
# was becomes what it was at the N-th flush from the last one (0); status 3: there were not so many. (drivers/md/dm-log-writes.c)
cat >$work/replay.pl <<'END'
use strict; use warnings;
no warnings "portable";
my ($dev, $what, @arg) = @ARGV;
open my $f, "<:raw", $dev or die "$dev: $!";
sub get { read($f, my $b, $_[0]) == $_[0] or die "the log is cut short"; $b }
my ($magic, $version, $entries, $size) = unpack "Q<Q<Q<L<", get 28;
die "no log of writes" unless $magic == 0x6a736677736872 && $version == 1;
my (%promised, @flushes, @now, $out, $kept, $last);
if ($what eq "marks") {
	open my $s, "<", $arg[0] or die;
	while (<$s>) { my ($n, @v) = split; $promised{"done$n"} = \@v }
	@now = (0) x 256;
}
sub walk {
	my $each = shift;
	my $at = $size;
	for my $i (0 .. $entries - 1) {
		seek $f, $at, 0;
		my ($sector, $count, $flags, $len) = unpack "Q<4", get 32;
		$at += $size;
		if ($flags & 8) { $each->($i, $flags, 0, substr(get($size - 32), 0, $len)) ; next }
		my $bytes = $flags & 4 ? 0 : $count * 512;
		seek $f, $at, 0;
		last if $each->($i, $flags, $sector * 512, $bytes ? get($bytes) : "", $count * 512);
		$at += int(($bytes + $size - 1) / $size) * $size;
	}
}
if ($what eq "marks") {
	walk(sub {
		my ($i, $flags, $off, $data) = @_;
		if ($flags & 8) {
			return 0 if $data eq "dm-log-writes-end";
			my $p = delete $promised{$data} or die "an unknown mark: $data";
			$kept++;
			for my $b (0 .. 255) {
				next if $now[$b] >= $p->[$b];
				print "$data: block $b holds version $now[$b], $p->[$b] was flushed\n";
				exit 1;
			}
			return 0;
		}
		for (my $o = 0; $o + 4096 <= length $data; $o += 4096) {
			my ($v, $b) = unpack "Q>Q>", substr $data, $o, 16;
			my $at = ($off + $o) / 4096;
			next unless $at == int $at && $at < 256;
			die "block $b is written to the place of $at" if $v && $b != $at;
			$now[$at] = $v;
		}
		return 0;
	});
	# A mark whose flush was the last thing that happened may not have made it.
	die scalar(keys %promised) . " marks are missing" if keys %promised > 1;
	print "$kept flushes, each with all that was written before\n";
	exit($kept ? 0 : 1);
}
walk(sub { push @flushes, $_[0] if $_[1] & 1 && !($_[1] & 8); 0 });
exit 3 if $arg[0] > $#flushes;
my $until = $flushes[$#flushes - $arg[0]];
open $out, "+<:raw", $arg[1] or die "$arg[1]: $!";
walk(sub {
	my ($i, $flags, $off, $data, $len) = @_;
	return 0 if $flags & 8;
	seek $out, $off, 0;
	print $out ($flags & 4 ? "\0" x $len : $data);
	return $i >= $until;
});
close $out or die "$arg[1]: $!";
END

mb=24
tcm_dm_load 2 $mb || die "tcm_loop with two ports"
modprobe dm-log-writes || die "dm-log-writes"
sectors=$(blockdev --getsz "$tcm_loop_dev")
log_dev='' logged=''
# log_begin MB: what the ports stand on notes its writes on a log of that size from now on; log_end: no longer, $log_dev has them
log_begin()
{
	truncate -s "$1M" $work/log.img && log_dev=$(losetup -f --show $work/log.img) &&
		dmsetup create logged --noudevsync --table "0 $sectors log-writes $tcm_loop_dev $log_dev" &&
		dmsetup mknodes logged && ports_on /dev/mapper/logged && logged=1
}
ports_on()
{
	local i
	for i in 0 1; do
		dmsetup suspend --noudevsync --nolockfs "path$i" && dmsetup reload "path$i" --table "0 $sectors linear $1 0" &&
			dmsetup resume --noudevsync "path$i" || return
	done
}
log_end() { ports_on "$tcm_loop_dev" && dmsetup remove --noudevsync logged && logged=; }
log_free() { losetup -d "$log_dev" && rm $work/log.img; }
nemesis()
{
	local end=$((SECONDS + seconds)) p
	while [ $SECONDS -lt $end ]; do
		p=$((RANDOM % 2))
		case $((RANDOM % 5)) in
		0) path_offline "${paths[p]}"; nap "0.$((RANDOM % 9))"; path_online "${paths[p]}" ;;
		1) tcm_cut $p; nap "0.$((RANDOM % 9))"; tcm_restore $p ;;
		2) ctl upgrade lun >/dev/null ;;
		3)
			kill -KILL "$lunmux_pid"
			{ wait "$lunmux_pid"; } 2>/dev/null
			lunmux_pid=
			lunmux_start lun || die "lunmuxd starts again"
			;;
		4) nap 1 ;;
		esac
	done
	check "the paths are back" wait_for 20 ctl wait --timeout 1 --paths 2 lun
}

nbd_load || die "nbd"
log_begin 200 || die "dm-log-writes below the ports"
lunmux_serve lun '' '' 'nbd_device auto'
device() { ctl --json status lun | jq -r ".luns[0].exports[] | select(.type == \"nbd-kernel\") | .$1"; }
device_is() { [ "$(device "$1")" = "$2" ]; }
check "attached" wait_for 10 device_is state attached || exit 1
dev=$(device path)

say "blocks and flushes"
perl $work/stamps.pl "$dev" logged $work/stamps.log >$work/stamps.out 2>&1 {nap_fd}<&- &
stamps=$!
background+=($stamps)
nemesis
kill -TERM $stamps
check "the writer ends" wait_for 30 has_ended $stamps
wait $stamps || fail "the writer: $(tail -n 1 $work/stamps.out)"
say "$(tail -n 1 $work/stamps.out)"
log_end || die "the log ends"
check "each flush holds what it promised" perl $work/replay.pl "$log_dev" marks $work/stamps.log
say "$(tail -n 1 $work/output)"
# The check can fail: as if a write had been acknowledged that never came.
awk 'NR > 3 { $5 = 999999999 } { print }' $work/stamps.log >$work/wrong.log
perl $work/replay.pl "$log_dev" marks $work/wrong.log >/dev/null 2>&1 && fail "the check finds a lost write"
log_free || die "the log is freed"

say "a file system"
check "a file system" mkfs.ext4 -q -J size=4 "$dev"
log_begin 200 || die "dm-log-writes below the ports"
dd if="$tcm_loop_dev" of=$work/begin.img bs=1M iflag=direct status=none
check "mounted" mount_on "$dev" $work/mnt || exit 1
nwriters=4
writers_start $work/mnt
nemesis
writers_stop
check "unmounted" unmount $work/mnt
log_end || die "the log ends"
n=0
for at in 0 1 2 5 11 23 47 95 191; do
	cp $work/begin.img $work/replay.img
	perl $work/replay.pl "$log_dev" image $at $work/replay.img || break
	n=$((n + 1))
	e2fsck -p -E journal_only $work/replay.img >/dev/null 2>&1
	check "flush $at from the end: fsck finds nothing" e2fsck -fn $work/replay.img
done
least "flushes replayed" $n 3
log_free || die "the log is freed"
lunmux_stop
