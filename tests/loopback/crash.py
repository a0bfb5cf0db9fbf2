# SPDX-License-Identifier: GPL-2.0-or-later
"""crash.py SOCKET EXPORT SECONDS [SEED] - load over a server that is killed again and again.

Keeps a model of what it writes: one request a block at a time, as the kernel's client does.  When the connection ends it
connects again and sends every write without an answer once more, the same bytes; others go on at once.  Each read is
compared with the model, which starts with zeroes; at the end, which SIGTERM brings early, everything is.  Prints the reconnections and the longest time without an answer.
"""
import random
import signal
import socket
import struct
import sys
import time

import nbd_client as nbd

BLOCKS, BYTES, DEPTH = 192, 32768, 24
PATIENCE = 20.0  # seconds until a server must be there, and until it must answer


def contents(block, version):
    return struct.pack(">QQ", block, version) * (BYTES // 16) if version else bytes(BYTES)


class Load:
    def __init__(self, address, export, seed):
        self.address, self.export = address, export
        self.rng = random.Random(seed)
        self.model = [0] * BLOCKS  # version that a read must return
        self.version = 0
        self.out = {}  # block -> (kind, version)
        self.of_cookie = {}
        self.over = False
        self.client = None
        self.answers = self.connections = self.resent = 0
        self.last = time.monotonic()
        self.pause = 0.0

    def connect(self):
        self.client = nbd.connect_again(self.address, self.export, PATIENCE)
        self.connections += 1
        print("connected", flush=True)
        self.of_cookie = {}
        # In any order: the kernel's timers have none.
        again = list(self.out.items())
        self.rng.shuffle(again)
        for block, (kind, version) in again:
            self.resent += kind == nbd.WRITE
            self.send(block, kind, version)

    def send(self, block, kind, version):
        self.out[block] = (kind, version)
        data = contents(block, version) if kind == nbd.WRITE else b""
        cookie = self.client.send_request(kind, block * BYTES, BYTES, data)
        self.of_cookie[cookie] = block

    def start(self):
        block = self.rng.randrange(BLOCKS)
        if block in self.out:
            return
        if self.rng.random() < 0.7:
            self.version += 1
            self.send(block, nbd.WRITE, self.version)
        else:
            self.send(block, nbd.READ, 0)

    def reap(self):
        lengths = {c: BYTES for c, b in self.of_cookie.items() if self.out[b][0] == nbd.READ}
        cookie, error, data = self.client.recv_reply(lengths)
        block = self.of_cookie.pop(cookie)
        kind, version = self.out.pop(block)
        if error:
            raise SystemExit("block %d: error %d" % (block, error))
        if kind == nbd.WRITE:
            self.model[block] = version
        elif data != contents(block, self.model[block]):
            raise SystemExit("block %d: version %d was acknowledged, read is %r" %
                             (block, self.model[block], struct.unpack(">QQ", data[:16])))
        now = time.monotonic()
        self.pause = max(self.pause, now - self.last)
        self.last = now
        self.answers += 1

    def step(self, more):
        try:
            if self.client is None:
                self.connect()
            while more and len(self.out) < DEPTH:
                self.start()
            if self.out:
                self.reap()
        except (nbd.Closed, ConnectionError):
            self.client.close()
            self.client = None

    def run(self, seconds):
        # An earlier load may have left something.
        self.out = {block: (nbd.WRITE, 0) for block in range(BLOCKS)}
        self.connect()
        self.resent = 0
        while self.out:
            self.step(False)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.over:
            self.step(True)
        while self.out:
            self.step(False)
        for block in range(BLOCKS):
            self.out[block] = (nbd.READ, 0)
        self.client.close()
        self.client = None
        while self.out:
            self.step(False)


def main():
    load = Load(sys.argv[1], sys.argv[2], int(sys.argv[4]) if len(sys.argv) > 4 else 1)

    def stop(_signo, _frame):
        load.over = True

    signal.signal(signal.SIGTERM, stop)
    try:
        load.run(float(sys.argv[3]))
    except socket.timeout:
        raise SystemExit("no answer in %d s; out: %r" % (PATIENCE, load.out)) from None
    print("%d answers, %d connections, %d writes sent again, longest pause %d ms" %
          (load.answers, load.connections, load.resent, load.pause * 1000))


main()
