#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""zoo.py SOCKET EXPORT SECONDS - clients of every bad kind at once, and for so long; none of them wants its data.

Each species is a thread that does its worst over and over, with a rest in between: what it costs the others should be the
server's doing, not this program's share of a processor. Prints how often each has struck. What the server does to them is
t-nbd-hostile.py's to judge.
"""
import random
import socket
import struct
import sys
import threading
import time

import nbd_client as nbd
from nbd_client import Client, Closed, Protocol

KIB, MIB = 1 << 10, 1 << 20
SOCKET, EXPORT = sys.argv[1], sys.argv[2]
END = time.monotonic() + float(sys.argv[3])


def connect():
    return Client(SOCKET, 5.0).go(EXPORT)


def half_open():
    """Thirty handshakes that go no further."""
    held = [Client(SOCKET, 5.0) for _ in range(30)]
    for c in held[::2]:
        c.recv(18)
        c.send(b"\0\0")
    time.sleep(0.5)
    for c in held:
        c.close()


def option_flood():
    with Client(SOCKET, 5.0) as c:
        c.greeting()
        for _ in range(200):
            c.send(nbd.OPT_MAGIC + struct.pack(">II", nbd.LIST, 0))
        time.sleep(0.1)


def huge_lengths():
    with Client(SOCKET, 5.0) as c:
        c.greeting()
        c.send(nbd.OPT_MAGIC + struct.pack(">II", nbd.GO, 0xffffffff) + bytes(4 * KIB))
    with connect() as c:
        c.send_request(nbd.WRITE, 0, 0xffffffff, bytes(4 * KIB))
        time.sleep(0.05)


def never_reads():
    """Asks for 64 MiB, and takes none of it."""
    with connect() as c:
        c.sock.settimeout(0.2)
        try:
            for n in range(64):
                c.send_request(nbd.READ, (n % 16) * MIB, MIB)
        except socket.timeout:
            pass
        time.sleep(1.0)


def slow_payload():
    """A megabyte, a few bytes at a time, and the end never comes."""
    with connect() as c:
        c.send_request(nbd.WRITE, 32 * MIB, MIB)
        for _ in range(30):
            c.send(b"slow" * 4)
            time.sleep(0.03)


def reconnect_storm():
    for n in range(20):
        c = connect()
        if n % 2:
            c.send_request(nbd.WRITE, 32 * MIB, 64 * KIB, bytes(32 * KIB))
        c.close()
    time.sleep(0.1)


def same_cookie():
    with connect() as c:
        for _ in range(64):
            c.send_request(nbd.READ, 0, 4 * KIB, cookie=7)
        for _ in range(64):
            c.recv_reply({7: 4 * KIB})


def garbage():
    with Client(SOCKET, 5.0) as c:
        c.send(random.Random(1).randbytes(8 * KIB))
    with connect() as c:
        c.send(b"\xff" * 512)


SPECIES = (half_open, option_flood, huge_lengths, never_reads, never_reads, slow_payload, slow_payload, reconnect_storm,
           same_cookie, garbage)
struck = [0] * len(SPECIES)


def live(n):
    while time.monotonic() < END:
        try:
            SPECIES[n]()
        except (Closed, Protocol, OSError):
            pass
        struck[n] += 1
        time.sleep(0.2)


threads = [threading.Thread(target=live, args=(n,), daemon=True) for n in range(len(SPECIES))]
for t in threads:
    t.start()
for t in threads:
    t.join(30)
print(", ".join("%s %d" % (s.__name__.replace("_", "-"), n) for s, n in zip(SPECIES, struck)))
sys.exit(0 if all(struck) and not any(t.is_alive() for t in threads) else 1)
