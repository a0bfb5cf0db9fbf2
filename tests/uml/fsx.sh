# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A file that is written, read, cut, holed and synced at random, with a copy in memory that says what a read must return:
# for cases that mount a file system on the LUN. Sourced after lib.sh.

# shellcheck disable=SC2154 # work and background are lib.sh's

cat >$work/fsx.pl <<'END'
# fsx.pl FILE SEED: until SIGTERM. The last line says how much was done.
use strict; use warnings; use Fcntl; use IO::Handle;
my ($name, $seed) = @ARGV;
srand $seed;
my ($run, $max, $ops, $model) = (1, 1 << 20, 0, "");
my @recent;
$SIG{TERM} = sub { $run = 0 };
sub bad { print join("\n", @recent, "operation $ops: $_[0]"), "\n"; exit 1 }
sysopen my $f, $name, O_RDWR | O_CREAT | O_TRUNC or bad "open: $!";
sub at { sysseek $f, $_[0], 0 }
sub compare {
	my ($off, $len) = @_;
	at $off;
	my $got = "";
	while (length $got < $len) { my $n = sysread $f, $got, $len - length $got, length $got; bad "read: $!" unless defined $n; last unless $n }
	my $want = substr $model, $off, $len;
	return if $got eq $want;
	my $i = 0;
	$i++ while $i < length $want && substr($got, $i, 1) eq substr($want, $i, 1);
	bad sprintf "read of %d+%d: %d bytes, differs at %d", $off, $len, length $got, $off + $i;
}
sub grown { my $to = shift; $model .= "\0" x ($to - length $model) if $to > length $model }
while ($run) {
	my ($what, $off, $len) = (int rand 100, int rand $max, 1 + int rand(1 << (1 + int rand 17)));
	$len = $max - $off if $off + $len > $max;
	$ops++;
	push @recent, "$ops: $what at $off+$len, file of " . length $model;
	shift @recent if @recent > 8;
	if ($what < 40) {
		my $data = pack("N", $ops) x (1 + $len / 4);
		$data = substr $data, 0, $len;
		at $off;
		my $n = syswrite $f, $data;
		bad "write: $!" unless defined $n && $n == $len;
		grown $off + $len;
		substr($model, $off, $len) = $data;
	} elsif ($what < 75) {
		compare $off, $len;
	} elsif ($what < 80) {
		truncate $f, $off or bad "truncate: $!";
		$model = substr $model, 0, $off;
		grown $off;
	} elsif ($what < 88) {	# fallocate(): punch a hole, keep the size
		bad "fallocate: $!" if syscall 285, fileno $f, 3, $off, $len;
		substr($model, $off, $len) = "\0" x length substr $model, $off, $len if $off < length $model;
	} elsif ($what < 96) {
		defined $f->sync or bad "fsync: $!";
	} else {	# what is read afterwards comes from the device
		defined $f->sync or bad "fsync: $!";
		syscall 221, fileno $f, 0, 0, 4;	# POSIX_FADV_DONTNEED
		compare 0, length $model;
	}
}
defined $f->sync or bad "fsync: $!";
compare 0, length $model;
print "$ops operations\n";
END

fsx=''
# fsx_start FILE SEED, fsx_stop
fsx_start()
{
	perl $work/fsx.pl "$1" "$2" >$work/fsx.out 2>&1 {nap_fd}<&- &
	fsx=$!
	background+=($fsx)
}
fsx_stop()
{
	ends_well "the changes at random" $fsx $work/fsx.out "no read has returned anything else than was written"
	say "$(tail -n 1 $work/fsx.out)"
}
