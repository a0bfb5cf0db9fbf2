#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""t-nbd-hostile.py SOCKET EXPORT [CASE...] - clients that want to hurt.

Runs each case against a running server, with an honest client beside it, and
prints PASS or FAIL and a name for each.  Exit 0 if all passed, 1 if not.
It writes to the first 48 MiB of the export.
"""
import os
import random
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nbd_client as nbd  # noqa: E402
from nbd_client import Client, Closed  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20
SOCKET, EXPORT = None, None


class Failed(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Failed(what)


def connect(**kw):
    return Client(SOCKET).go(EXPORT, **kw)


def pattern(seed, length):
    return random.Random(seed).randbytes(length)


def must_close(c, what):
    check(c.closed_by_server(), "%s: the server has not closed" % what)
    c.close()


def raw(data, what):
    """Bytes instead of a handshake."""
    c = Client(SOCKET)
    c.recv(18)
    try:
        c.send(data)
    except Closed:
        pass
    must_close(c, what)


def garbage_in_handshake():
    raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP")
    raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 40, "TLS")
    raw(b"\xff" * 4096, "all ones")
    raw(struct.pack(">I", 3) + b"IHAVEOPS" + bytes(8), "option magic")
    raw(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", nbd.GO, 0xffffffff), "4 GiB option")
    raw(random.Random(1).randbytes(65536), "noise")


def lying_options():
    with Client(SOCKET) as c:
        c.greeting()
        for data in (b"", b"\0\0\0\4", b"\xff\xff\xff\xfa" + EXPORT.encode() + b"\0\0",
                     c.name_data(EXPORT)[:-1], c.name_data(EXPORT) + b"x",
                     struct.pack(">I", 4097) + b"n" * 4097 + b"\0\0"):
            check(c.option(nbd.GO, data)[-1][0] == nbd.ERR_INVALID, "GO with %r" % data[:16])
        check(c.option(nbd.GO, c.name_data("n" * 4096))[-1][0] == nbd.ERR_UNKNOWN, "longest name")
        check(c.option(nbd.SET_META, c.meta_data(EXPORT, []))[-1][0] == nbd.ERR_INVALID,
              "SET_META before STRUCTURED")
        data = c.meta_data(EXPORT, [])[:-4] + b"\xff\xff\xff\xff"
        check(c.option(nbd.LIST_META, data)[-1][0] == nbd.ERR_INVALID, "2^32-1 queries")
        check(c.option(nbd.STARTTLS)[-1][0] == nbd.ERR_UNSUP, "STARTTLS")
        check(c.option(nbd.EXTENDED)[-1][0] == nbd.ERR_UNSUP, "EXTENDED_HEADERS")
        check(c.option(77, bytes(100 * KIB))[-1][0] == nbd.ERR_TOO_BIG, "100 KiB of option")
        replies = c.option(nbd.GO, c.name_data(EXPORT))
        check(replies[-1][0] == nbd.ACK, "GO after all that")
        check(c.call(nbd.FLUSH) == (0, b""), "FLUSH after all that")


def too_many_options():
    with Client(SOCKET) as c:
        c.greeting()
        try:
            for _ in range(5000):
                c.option(nbd.LIST)
        except Closed:
            return
        raise Failed("5000 options and still open")


def options_without_reading():
    c = Client(SOCKET)
    c.greeting()
    c.sock.settimeout(2)
    head = nbd.OPT_MAGIC + struct.pack(">II", nbd.LIST, 0)
    try:
        for _ in range(20000):
            c.send(head * 10)
    except (Closed, socket.timeout):
        pass
    must_close(c, "options, no answer read")


def byte_by_byte():
    c = Client(SOCKET)
    c.recv(18)
    data = (struct.pack(">I", 3) + nbd.OPT_MAGIC +
            struct.pack(">II", nbd.GO, len(c.name_data(EXPORT))) + c.name_data(EXPORT))
    data += c.request_bytes(nbd.WRITE, 0, 512, 1) + pattern(3, 512)
    for i in range(len(data)):
        c.send(data[i:i + 1])
    check(c.recv_option_reply(nbd.GO)[0] == nbd.REP_INFO, "GO")
    check(c.recv_option_reply(nbd.GO)[0] == nbd.ACK, "GO")
    check(c.recv_reply() == (1, 0, b""), "WRITE")
    check(c.read(0, 512) == pattern(3, 512), "what was written")
    c.close()


def garbage_in_transmission():
    for bad in (b"\0" * 28, b"\xff" * 28, nbd.Client.request_bytes(nbd.READ, magic=0x25609514)):
        c = connect()
        c.send(bad)
        must_close(c, "bad request magic")


def beyond_the_end():
    with connect() as c:
        end = c.size
        for kind, offset, length, want in (
                (nbd.READ, end, 512, nbd.EINVAL), (nbd.READ, end - 512, 1024, nbd.EINVAL),
                (nbd.READ, 2**64 - 512, 1024, nbd.EINVAL), (nbd.WRITE, end, 512, nbd.ENOSPC),
                (nbd.WRITE, 2**64 - 512, 1024, nbd.ENOSPC), (nbd.WRITE, end - 512, 1024, nbd.ENOSPC),
                (nbd.WRITE_ZEROES, end - 512, 1024, nbd.ENOSPC),
                (nbd.CACHE, end, 512, nbd.EINVAL)):
            payload = bytes(length) if kind == nbd.WRITE else b""
            check(c.call(kind, offset, length, payload)[0] == want,
                  "command %d at %d+%d" % (kind, offset, length))
        check(c.read(end - 512, 512) is not None, "the last block")


def odd_requests():
    with connect() as c:
        check(c.call(99, 0, 512)[0] == nbd.EINVAL, "unknown command")
        check(c.call(nbd.READ, 0, 512, flags=0x8000)[0] == nbd.EINVAL, "unknown flag")
        check(c.call(nbd.WRITE, 0, 512, bytes(512), flags=nbd.DF)[0] == nbd.EINVAL, "DF on WRITE")
        check(c.call(nbd.READ, 0, 512, flags=nbd.DF)[0] == nbd.EINVAL, "DF, not structured")
        check(c.call(nbd.BLOCK_STATUS, 0, 512)[0] == nbd.EINVAL, "BLOCK_STATUS, no context")
        check(c.call(nbd.FLUSH, flags=nbd.FUA)[0] == 0, "FLUSH with FUA")
        for kind in (nbd.READ, nbd.WRITE, nbd.WRITE_ZEROES, nbd.CACHE):
            check(c.call(kind, 512, 0)[0] == 0, "empty command %d" % kind)
        check(c.read(0, 512) is not None, "READ after all that")


def unaligned():
    """Three bytes in the middle of a block, from two connections at once."""
    with connect() as a, connect() as b:
        a.write(0, pattern(5, 64 * KIB))
        want = bytearray(pattern(5, 64 * KIB))
        sent = []
        for n in range(200):
            c, at = (a, b)[n % 2], 1000 + 7 * n
            c.send_request(nbd.WRITE, at, 5, bytes([n] * 5))
            want[at:at + 5] = bytes([n] * 5)
            sent.append(c)
        for c in sent:
            check(c.recv_reply()[1] == 0, "unaligned WRITE")
        check(a.read(0, 64 * KIB) == want, "bytes beside an unaligned write")
        check(b.read(777, 3333) == want[777:777 + 3333], "unaligned READ")
        check(a.call(nbd.WRITE_ZEROES, 3001, 9000)[0] == 0, "unaligned WRITE_ZEROES")
        want[3001:12001] = bytes(9000)
        check(b.read(0, 64 * KIB) == want, "bytes beside unaligned zeroes")


def largest():
    with connect() as c:
        data = pattern(7, 32 * MIB)
        c.write(8 * MIB, data)
        check(c.read(8 * MIB, 32 * MIB) == data, "32 MiB read back")
        less = data[:32 * MIB - 128 * KIB]
        c.write(8 * MIB + 1, less)
        check(c.read(8 * MIB + 1, len(less)) == less, "nearly 32 MiB at an odd offset")
        check(c.call(nbd.READ, 0, 32 * MIB + 512)[0] == nbd.EOVERFLOW, "READ over 32 MiB")
        check(c.call(nbd.WRITE, 0, 33 * MIB, bytes(33 * MIB))[0] == nbd.EOVERFLOW,
              "WRITE over 32 MiB")
        check(c.read(8 * MIB + 1, 512) == data[:512], "READ after all that")
    c = connect()
    c.send_request(nbd.WRITE, 0, 0xffffffff)
    must_close(c, "WRITE of 4 GiB")


def overlapping_writes():
    """In flight together, on four connections: in the end all of a block is one write's."""
    conns = [connect() for _ in range(4)]
    fills = {}
    for n in range(256):
        c = conns[n % 4]
        cookie = c.send_request(nbd.WRITE, 4096 * (n % 3), 16 * KIB, bytes([n]) * (16 * KIB))
        fills[(n % 4, cookie)] = n
    for i, c in enumerate(conns):
        for _ in range(64):
            cookie, error, _ = c.recv_reply()
            check(error == 0, "overlapping WRITE")
            check(fills.pop((i, cookie), None) is not None, "a reply that nobody asked for")
    check(not fills, "%d replies are missing" % len(fills))
    first = conns[0].read(0, 24 * KIB)
    for c in conns:
        check(c.read(0, 24 * KIB) == first, "a block changed after all replies")
        c.close()
    for at in range(0, 24 * KIB, 4096):
        check(len(set(first[at:at + 4096])) == 1, "two writes in one block at %d" % at)


def half_a_payload():
    with connect() as c:
        c.write(0, pattern(9, 2 * MIB))
        for part in (0, 1, 511, 4096, 100000, MIB, 2 * MIB - 1):
            d = connect()
            d.send_request(nbd.WRITE, 0, 2 * MIB, bytes(part))
            d.close()
        check(c.read(0, 2 * MIB) == pattern(9, 2 * MIB), "half a payload reached the disk")


def killed_mid_write():
    """A write that was never answered is all there, or not at all, per block."""
    for n in range(20):
        with connect() as c:
            c.write(0, b"o" * (256 * KIB))
        d = connect()
        for i in range(16):
            d.send_request(nbd.WRITE, i * 16 * KIB, 16 * KIB, b"n" * (16 * KIB))
        time.sleep(0.001 * (n % 4))
        d.close()
        with connect() as c:
            data = c.read(0, 256 * KIB)
        for at in range(0, 256 * KIB, 512):
            check(data[at:at + 512] in (b"o" * 512, b"n" * 512), "torn block at %d" % at)


def reads_nothing():
    """Floods with requests, takes no reply; the honest one gets what it asks, large ones too."""
    hogs = []
    for _ in range(6):
        c = connect()
        c.sock.settimeout(0.3)
        try:
            for n in range(2000):
                c.send(c.request_bytes(nbd.READ, 0, 4 * MIB, n))
        except (Closed, socket.timeout):
            pass
        hogs.append(c)
    with Client(SOCKET, timeout=60) as c:
        c.go(EXPORT)
        for n in range(100):
            check(len(c.read(n * 4096, 4096)) == 4096, "READ beside hogs")
        check(len(c.read(0, 4 * MIB)) == 4 * MIB, "large READ beside hogs")
    for c in hogs:
        c.close()


def slow_handshakes():
    """Half greetings delay nobody, and are cut."""
    slow = [Client(SOCKET) for _ in range(30)]
    for c in slow[::2]:
        c.recv(18)
        c.send(b"\0\0")
    start = time.monotonic()
    with connect() as c:
        check(c.read(0, 512) is not None, "READ")
    check(time.monotonic() - start < 5, "an honest client had to wait")
    for c in slow:
        must_close(c, "half a handshake")


def reconnect_storm():
    for n in range(400):
        c = connect()
        if n % 4:
            c.send_request(nbd.WRITE, 0, 64 * KIB, bytes(64 * KIB))
        if n % 4 == 2:
            c.send_request(nbd.READ, 0, MIB)
        if n % 4 == 3:
            c.send(b"\x25\x60")
        c.close()
    with connect() as c:
        check(c.read(0, 512) is not None, "READ after the storm")


def duplicate_cookies():
    with connect() as c:
        for _ in range(100):
            c.send_request(nbd.READ, 0, 512, cookie=0xffffffffffffffff)
        for _ in range(100):
            check(c.recv_reply({2**64 - 1: 512})[:2] == (2**64 - 1, 0), "cookie")
        check(c.call(nbd.FLUSH)[0] == 0, "one reply too many")


def disc_drains():
    c = connect()
    for n in range(50):
        c.send_request(nbd.WRITE, n * 4096, 4096, bytes([n]) * 4096)
    c.send_request(nbd.DISC)
    check(sorted(c.recv_reply()[0] for _ in range(50)) == list(range(1, 51)), "replies before DISC")
    must_close(c, "DISC")


def status():
    with connect(allocation=True, infos=(nbd.INFO_BLOCK_SIZE,)) as c:
        check(c.block_size and c.block_size[0] & (c.block_size[0] - 1) == 0, "block size")
        error, extents = c.call(nbd.BLOCK_STATUS, 0, 16 * MIB)
        check(error == 0 and extents and all(length for length, _ in extents), "extents")
        check(sum(length for length, _ in extents) <= 16 * MIB, "extents beyond the request")
        error, extents = c.call(nbd.BLOCK_STATUS, 0, 16 * MIB, flags=nbd.REQ_ONE)
        check(error == 0 and len(extents) == 1, "REQ_ONE")
        check(c.call(nbd.BLOCK_STATUS, 0, 0)[0] == nbd.EINVAL, "empty BLOCK_STATUS")
        check(c.call(nbd.READ, c.size, 512)[0] == nbd.EINVAL, "structured error")
        check(len(c.read(0, 8 * MIB, flags=nbd.DF)) == 8 * MIB, "DF")


CASES = (garbage_in_handshake, lying_options, too_many_options, options_without_reading,
         byte_by_byte, garbage_in_transmission, beyond_the_end, odd_requests, unaligned, largest,
         overlapping_writes, half_a_payload, killed_mid_write, duplicate_cookies, disc_drains,
         status, reads_nothing, reconnect_storm, slow_handshakes)


class Honest(threading.Thread):
    """Reads and verifies a block of its own beside all cases, and keeps the longest wait."""

    AT = 47 * MIB

    def __init__(self):
        super().__init__(daemon=True)
        self.stop, self.started = threading.Event(), threading.Event()
        self.error, self.worst, self.n = None, 0.0, 0

    def run(self):
        try:
            with Client(SOCKET, timeout=30) as c:
                c.go(EXPORT)
                while not self.stop.is_set():
                    start = time.monotonic()
                    c.write(self.AT, pattern(self.n, 4096))
                    if c.read(self.AT, 4096) != pattern(self.n, 4096):
                        raise Failed("its data changed")
                    self.worst = max(self.worst, time.monotonic() - start)
                    self.n += 1
                    self.started.set()
                    time.sleep(0.002)
        except (OSError, Failed, Closed, nbd.Protocol) as e:
            self.error = e
        self.started.set()


def run_case(case):
    honest = Honest()
    honest.start()
    honest.started.wait(40)
    start = time.monotonic()
    why = None
    try:
        case()
    except (Failed, Closed, nbd.Protocol, OSError) as e:
        why = "%s: %s" % (type(e).__name__, e)
    honest.stop.set()
    honest.join(40)
    if not why and (honest.error or honest.is_alive() or not honest.n):
        why = "the honest client beside it: %s" % (honest.error or "is stuck")
    name = case.__name__.replace("_", "-")
    took = "%.1f s, beside it %d round trips, the longest %.0f ms" % (
        time.monotonic() - start, honest.n, honest.worst * 1000)
    print("%s %s%s (%s)" % ("FAIL" if why else "PASS", name, ": " + why if why else "", took),
          flush=True)
    return not why


def main(argv):
    global SOCKET, EXPORT
    if len(argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    SOCKET, EXPORT = argv[1], argv[2]
    wanted = [name.replace("-", "_") for name in argv[3:]]
    known = [case.__name__ for case in CASES]
    for name in wanted:
        if name not in known:
            print("no case %s; there are: %s" % (name, " ".join(known)), file=sys.stderr)
            return 2
    return 0 if all([run_case(c) for c in CASES if not wanted or c.__name__ in wanted]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
