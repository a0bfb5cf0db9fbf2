#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# limit: 240
#
# Clients that vanish in the middle of a write: the kernel's (its nbd-client killed), a program killed, a socket closed
# half-way through a payload, garbage, and one that never reads its replies. The daemon stays healthy, no block is torn,
# and the next client reads and writes as if nothing had been.

. ./lib.sh
need lunmuxd lunmuxctl nbd-client nbdcopy nbdinfo perl jq

mb=16
sdebug_load 2 dev_size_mb=$mb ndelay=20000000 || die "scsi_debug with two hosts"
for c in A B C; do
	head -c ${mb}M /dev/zero | tr '\0' $c >$work/$c
done
lunmux_serve lun

# healthy WHAT
healthy()
{
	if lunmux_alive && ctl_nactive_is lun 2; then
		ok "$1: the daemon is healthy"
	else
		fail "$1: the daemon is healthy"
		lunmux_alive || lunmux_show_log
	fi
}
# Without the shell's word about how it died.
reap() { wait "$1"; } 2>/dev/null
# whole FILE LETTERS: every 4 KiB block is made of one of these letters.
whole()
{
	perl -e '
		open my $f, "<", $ARGV[0] or die; my ($n, %seen) = 0;
		while (read $f, my $b, 4096) {
			my $c = substr $b, 0, 1;
			die "block $n is torn or foreign\n" if $b ne $c x 4096 || index($ARGV[1], $c) < 0;
			$seen{$c}++; $n++;
		}
		print "# ", join(", ", map { "$seen{$_} blocks of $_" } sort keys %seen), "\n"' "$1" "$2"
}
# shellcheck disable=SC2317 # called through check
read_back_is() { read_all && cmp "$1" $work/back; }
read_all() { rm -f $work/back; timeout --foreground 100 nbdcopy "$uri" $work/back; }

check "filled" timeout --foreground 100 nbdcopy --flush $work/A "$uri" || exit 1

say "nbd-client killed under a writer"
nbd_load
# Without netlink nbd-client itself holds the device, in the foreground.
nbd-client -nonetlink -n -unix "$sock" /dev/nbd0 -N lun >$work/nbd-client.log 2>&1 &
client=$!
background+=("$client")
wait_for 10 nbd_live /dev/nbd0 || die "nbd-client attaches by ioctl"
counts_mark
dd if=$work/B of=/dev/nbd0 bs=64k oflag=direct 2>$work/dd.log &
writer=$!
check "the writer is at work" wait_for 10 lun_carried 16
kill -KILL $client
reap $client
reap $writer && fail "the writer was to be interrupted"
wait_for 10 nbd_dead /dev/nbd0 || nbd_detach /dev/nbd0
healthy "nbd-client killed"
check "another client reads" read_all
check "no block is torn" whole $work/back AB
whole $work/back AB

say "a program killed under its own writes"
check "filled" timeout --foreground 100 nbdcopy --flush $work/A "$uri"
counts_mark
nbdcopy --connections=1 --requests=1 --request-size=65536 $work/B "$uri" 2>/dev/null &
writer=$!
check "the writer is at work" wait_for 10 lun_carried 16
kill -KILL $writer || fail "the writer was to be interrupted"
reap $writer
healthy "nbdcopy killed"
check "another client reads" read_all
check "no block is torn" whole $work/back AB
whole $work/back AB

say "connections lost at bad moments"
cat >$work/rude.pl <<'END'
use strict;
use warnings;
use Socket;
my ($sock, $name, $how) = @ARGV;
socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect($s, sockaddr_un($sock)) or die "connect: $!";
$s->autoflush(1) if $s->can("autoflush");
sub put { my $b = join "", @_; my $n = syswrite $s, $b; defined $n && $n == length $b or die "write: $!" }
sub get { my ($want, $b) = (shift, ""); while (length $b < $want) { sysread($s, my $x, $want - length $b) or die "closed"; $b .= $x } $b }
my $greeting = get 18;
die "greeting" unless substr($greeting, 0, 16) eq "NBDMAGICIHAVEOPT";
exit 0 if $how eq "greeting";
put pack("N", 3);			# fixed newstyle, no zeroes
if ($how eq "half-option") { put "IHAVEOPT", pack("N", 7); exit 0 }
put "IHAVEOPT", pack("NN/a*", 1, $name);	# EXPORT_NAME
get 10;
my $magic = 0x25609513;
sub request { my ($type, $cookie, $offset, $len) = @_; put pack("NnnQ>Q>N", $magic, 0, $type, $cookie, $offset, $len) }
if ($how eq "half-header") { put pack("Nn", $magic, 0); exit 0 }
if ($how eq "half-payload") { request 1, 1, 0, 1 << 20; put "X" x 300000; exit 0 }
if ($how eq "whole-payload") { request 1, 1, 1 << 20, 1 << 16; put "B" x 65536; exit 0 }
if ($how eq "garbage") { put "no such protocol" x 64; exit 0 }
if ($how eq "many") { request 0, $_, $_ * 65536, 65536 for 0 .. 63; exit 0 }
# Asks for everything many times over and never reads an answer.
if ($how eq "deaf") { $SIG{PIPE} = "IGNORE"; for my $i (0 .. 20000) { eval { request 0, $i, ($i % 16) << 20, 1 << 20; 1 } or last } sleep 60 }
END
check "filled" timeout --foreground 100 nbdcopy --flush $work/A "$uri"
for how in greeting half-option half-header half-payload whole-payload garbage many; do
	check "a client: $how" perl $work/rude.pl "$sock" lun $how
done
healthy "rude clients"
perl $work/rude.pl "$sock" lun deaf >$work/deaf.log 2>&1 &
background+=($!)
nap 1
check "another client reads beside one that never does" read_all
# The half payload was never a request: its bytes are nowhere.
check "no block is torn or foreign" whole $work/back AB
check "a second client writes" timeout --foreground 100 nbdcopy --flush $work/C "$uri"
check "and a third reads exactly that" read_back_is $work/C
kill -KILL "${background[-1]}"
reap "${background[-1]}"
healthy "at the end"
lunmux_stop
check "the LUN has it" cmp $work/C "$(sd_of "${paths[0]}")"
