# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Eight writers that fsync each record that they write, and say so afterwards: what a file system on the LUN promises.
# Sourced by cases after lib.sh.

# shellcheck disable=SC2034,SC2154 # stall_ms is for the case; work and background are lib.sh's

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

nwriters=8 nslots=128
writers=''
# writers_start DIRECTORY
writers_start()
{
	perl $work/writers.pl "$1" $work/log $nwriters $nslots >$work/writers.out 2>&1 {nap_fd}<&- &
	writers=$!
	background+=($writers)
}
writers_live() { ! has_ended $writers; }

# How many records have been said to be there: records, wrote_since N
records() { cat $work/log.[0-9]* 2>/dev/null | wc -l; }
wrote_since() { [ "$(records)" -ge $(($1 + 2 * nwriters)) ]; }

# say_stall WHAT: the longest time between two records of a writer since the last time this was called, in stall_ms
notes=0 stall_ms=0
noted() { [ "$(cat $work/log.max.* 2>/dev/null | wc -l)" -ge $((nwriters * notes)) ]; }
say_stall()
{
	local f n
	stall_ms=0
	notes=$((notes + 1))
	kill -USR1 $writers
	check "the writers go on" wait_for 20 noted || return
	for f in $work/log.max.*; do
		n=$(tail -n 1 "$f")
		[ "$n" -le $stall_ms ] || stall_ms=$n
	done
	say "$1: longest time between two records of a writer: $stall_ms ms"
}

# writers_stop, writers_check DIRECTORY: a check each
writers_stop() { ends_well "the writers" $writers $work/writers.out "no writer has met an error"; }
writers_check()
{
	check "every record is there" perl $work/writers.pl check "$1" $work/log $nwriters $nslots
	say "$(tail -n 1 $work/output)"
}
