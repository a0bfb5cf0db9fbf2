#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# nbd_device auto: a file system on /dev/nbdN lives through crashes of lunmuxd. Eight writers fsync record after record;
# the daemon is killed at random and started again at once; no writer meets an error, what was fsynced is there, fsck
# finds nothing. An upgrade is a short wait. A time without a path cuts nothing, SIGTERM leaves a device in use and detaches one that nobody uses.
#
# KILLS: crashes, a few for a machine that has better things to do.

. ./lib.sh
need lunmuxd lunmuxctl mkfs.ext4 e2fsck perl jq

kills=${KILLS:-2}
mkdir -p $work/mnt

cat >$work/writers.pl <<'END'
# writers.pl DIR LOG WRITERS SLOTS: each child writes records into its file, one fsync each, and says afterwards which.
# On USR1 each notes its longest time between two records since the last time.
# writers.pl check ...: is every record there that was said, or a newer one in its place?
use strict; use warnings; use IO::Handle; use Time::HiRes qw(time);
my $check = $ARGV[0] eq "check" ? shift : "";
my ($dir, $log, $writers, $slots) = @ARGV;
my $run = 1;
sub record { my ($w, $n) = @_; sprintf("%04d %012d ", $w, $n) x (4096 / 18) . "." x (4096 % 18) }
if ($check) {
	my ($said, $bad) = (0, 0);
	for my $w (0 .. $writers - 1) {
		my %last;
		open my $l, "<", "$log.$w" or die "$log.$w: $!";
		while (<$l>) { my ($n) = /^(\d+)$/ or next; $last{$n % $slots} = $n; $said++ }
		open my $f, "<", "$dir/$w" or die "$dir/$w: $!";
		for my $s (sort { $a <=> $b } keys %last) {
			sysseek $f, $s * 4096, 0; sysread $f, my $b, 4096;
			my ($ww, $n) = $b =~ /^(\d+) (\d+) /;
			next if defined $n && $ww == $w && $n >= $last{$s} && $n % $slots == $s && $b eq record($w, $n);
			print "writer $w: record $last{$s} was fsynced and is not there\n"; $bad++;
		}
	}
	print "$said records were fsynced\n";
	exit($bad || !$said ? 1 : 0);
}
my @kids;
for my $w (0 .. $writers - 1) {
	if (my $pid = fork) { push @kids, $pid; next }
	my $note = 0;
	$SIG{TERM} = sub { $run = 0 };
	$SIG{USR1} = sub { $note = 1 };
	open my $f, "+>", "$dir/$w" or die "$dir/$w: $!";
	open my $l, ">", "$log.$w" or die "$log.$w: $!";
	my ($n, $max, $last) = (0, 0, time);
	while ($run) {
		sysseek $f, ($n % $slots) * 4096, 0;
		defined syswrite $f, record($w, $n) or die "writer $w: write $n: $!";
		defined $f->sync or die "writer $w: fsync $n: $!";
		syswrite $l, "$n\n"; $n++;
		my $now = time; $max = $now - $last if $now - $last > $max; $last = $now;
		if ($note) { open my $m, ">>", "$log.max.$w"; printf $m "%d\n", $max * 1000; $max = $note = 0 }
	}
	exit 0;
}
$SIG{TERM} = sub { kill TERM => @kids };
$SIG{USR1} = sub { kill USR1 => @kids };
my $bad = 0;
while (wait > 0) { $bad = 1 if $? }
exit $bad;
END


# What status says of the device: device MEMBER
device() { ctl --json status lun | jq -r ".luns[0].exports[] | select(.type == \"nbd-kernel\") | .$1"; }
device_is() { [ "$(device "$1")" = "$2" ]; }
# Do the writers still write? By the LUN's own count.
lun_writes() { lun_stat lun requests.write; }
wrote_since() { [ "$(lun_writes)" -ge $(($1 + 16)) ]; }
writers_live() { ! has_ended $writers; }
# say_stall WHAT: the longest time between two records of a writer since the last time this was called
notes=0
noted() { [ "$(cat $work/log.max.* 2>/dev/null | wc -l)" -ge $((8 * notes)) ]; }
say_stall()
{
	local f n max=0
	notes=$((notes + 1))
	kill -USR1 $writers
	check "the writers go on" wait_for 20 noted || return
	for f in $work/log.max.*; do
		n=$(tail -n 1 "$f")
		[ "$n" -le $max ] || max=$n
	done
	say "$1: longest time between two records of a writer: $max ms"
}
# crash: kill -9, and a supervisor that starts it again at once
crash()
{
	kill -KILL "$lunmux_pid"
	{ wait "$lunmux_pid"; } 2>/dev/null
	lunmux_pid=
	lunmux_start lun
}

# A case before this one in the same guest may have loaded it.
[ ! -d /sys/module/nbd ] || modprobe -r nbd || die "nbd cannot be unloaded"
sdebug_load 2 dev_size_mb=64 ndelay=1000000 || die "scsi_debug with two hosts"
lunmux_serve lun '' '' 'nbd_device auto'
check "without the module it says what to do" wait_for 10 device_is error \
	"cannot be attached: the kernel has no nbd driver. Hint: modprobe nbd"
nbd_load || die "nbd"
check "attached as soon as the module is there" wait_for 10 device_is state attached || exit 1
dev=$(device path)
equal "its identifier" "$(<"/sys/block/${dev#/dev/}/backend")" "lunmux:$wwid:lun"
equal "its queue" "$(cd "/sys/block/${dev#/dev/}/queue" && cat io_timeout max_sectors_kb scheduler | tr '\n' ' ')" \
	"2000 1024 [none] mq-deadline kyber  "
check "the size of the LUN" test "$(blockdev --getsize64 "$dev")" = $((64 << 20))
check "a file system" mkfs.ext4 -q "$dev"
check "mounted" mount_on "$dev" $work/mnt || exit 1

perl $work/writers.pl $work/mnt $work/log 8 128 >$work/writers.out 2>&1 &
writers=$!
background+=($writers)

say "$kills crashes"
for ((i = 1; i <= kills; i++)); do
	n=$(lun_writes)
	check "writers at work" wait_for 20 wrote_since "$n" || break
	nap "$((RANDOM % 2)).$((RANDOM % 10))"
	crash || die "lunmuxd starts after crash $i"
	writers_live || break
done
say_stall "crashes"
check "no writer has ended" writers_live
check "the device is the same" device_is path "$dev"
check "it was taken over" device_is takeovers 1

say "upgrades"
pid=$lunmux_pid
n=$(device takeovers)
for i in 1 2 3; do
	w=$(lun_writes)
	check "upgrade $i" ctl upgrade lun || break
	say "$(tail -n 1 $work/output)"
	check "writers at work" wait_for 20 wrote_since "$w"
done
say_stall "upgrades"
equal "the process and the program" "$(ctl --json status lun | jq -r '.luns[0].daemon | "\(.pid) \(.upgrade.count)"')" \
	"$pid 3"
check "the device is the same" device_is path "$dev"
check "and attached" device_is state attached
equal "by the same connection" "$(device takeovers) $(device attempts)" "$n 0"

say "no path for three times as long as the queue's timer"
n=$(device attempts)
path_offline "${paths[@]}"
check "no path is left" wait_for 10 ctl_nactive_is lun 0
nap 6
path_online "${paths[@]}"
check "the paths are back" wait_for 10 ctl_nactive_is lun 2
say_stall "without a path for 6 s"
check "by the same connection" device_is attempts "$n"

say "an orderly stop leaves a device that is in use"
lunmux_stop
check "and says why" grep -q "$dev is in use: mounted on $work/mnt: it stays" $lunmux_log
lunmux_start lun || die "lunmuxd starts again"
check "the next one takes it over" device_is takeovers 1
say_stall "stop and start"

kill -TERM $writers
check "the writers end" wait_for 30 has_ended $writers
if wait $writers; then
	ok "no writer has met an error"
else
	fail "no writer has met an error"
	head -n 5 $work/writers.out
fi
check "unmounted" unmount $work/mnt
check "fsck finds nothing" e2fsck -fn "$dev"
check "mounted again" mount_on "$dev" $work/mnt
check "every record is there" perl $work/writers.pl check $work/mnt $work/log 8 128
say "$(tail -n 1 $work/output)"
check "unmounted" unmount $work/mnt

say "nobody uses it"
lunmux_stop
check "an orderly stop detaches it" nbd_dead "$dev"
check "and it is forgotten" test ! -e "/sys/block/${dev#/dev/}/backend"
# A connection that was lost is not an error, but an answer that was one, or any that the kernel could not use.
equal "no client met an error" "" \
	"$(dmesg_new | grep -E 'nbd[0-9]+: (Other side|Unexpected|Double|.*timed out)|error, dev nbd|EXT4-fs.*error')"
