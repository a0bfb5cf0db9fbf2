#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""soak.py SOCKET EXPORT SECONDS [CONNECTIONS] - writes and reads that overlap, all of them judged, over a server that dies.

Several connections, each with several requests in flight, share a few hot sectors. Every sector says who wrote it: its
own number and the version of the write. A read may return, for each sector, what is not provably older than something
that had ended before the read began: the rule of a linearizable register, where a write without an answer may take
effect at any time. Below are files in the page cache, where a read beside a write may see a part of it. When a connection ends its thread connects again and sends what was not answered once more, the same
bytes, as the same operation; what the old connection had sent may still be on its way, as in life.
"""
import os
import random
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nbd_client as nbd  # noqa: E402

SECTOR, AREAS, HOT, STRIDE = 512, 8, 96, 1 << 20
DEPTH, LONGEST = 8, 40  # requests of a connection, sectors of a request
PATIENCE = 30.0  # seconds without an answer, or without a server
NEVER = float("inf")


class Bad(Exception):
    pass


def stamp(sector, version):
    if version == 0:
        return bytes(SECTOR)
    unit = struct.pack(">QQ", version, sector)
    return unit * (SECTOR // len(unit))


class Write:
    """What one operation did to a sector."""
    __slots__ = ("version", "zero", "began", "ended", "dead")

    def __init__(self, version, zero, began, ended=NEVER):
        self.version, self.zero, self.began, self.ended, self.dead = version, zero, began, ended, NEVER


class Model:
    def __init__(self):
        self.lock = threading.Lock()
        self.sectors = {}
        self.version = 0
        self.began = {}  # operations under way -> when they began
        self.reads = self.judged = self.torn = 0

    def of(self, sector):
        if sector not in self.sectors:
            self.sectors[sector] = [Write(0, True, 0.0, 0.0)]
        return self.sectors[sector]

    def takes_effect(self, sector, write, now):
        """At @now at the latest; what ended before it began may not be read any more from now on."""
        write.ended = min(write.ended, now)
        oldest = min(self.began.values(), default=now)
        kept = []
        for w in self.of(sector):
            if w.ended < write.began:
                w.dead = min(w.dead, now)
            if w.dead > oldest:
                kept.append(w)
        self.sectors[sector] = kept

    def goes_again(self, sector, write):
        """It may have run, and will run once more: until that is answered it may replace what replaced it."""
        write.ended = write.dead = NEVER
        if write not in self.of(sector):
            self.sectors[sector].append(write)

    def judge(self, sector, data, began, now):
        units = struct.unpack(">%dQ" % (SECTOR // 8), data)
        versions = set(units[::2])
        under_way = False
        for version in versions:
            if any(units[i + 1] != (sector if version else 0) for i in range(0, len(units), 2) if units[i] == version):
                raise Bad("sector %d holds what nobody wrote there: %s" % (sector, data.hex()))
            found = [w for w in self.of(sector) if (w.zero if version == 0 else w.version == version)]
            alive = [w for w in found if not w.dead < began]
            if not alive:
                raise Bad("sector %d: version %d is read, of %s, which was replaced before the read began at %f; the model has %s" % (
                    sector, version, versions, began, [(w.version, w.zero, w.began, w.ended, w.dead) for w in self.of(sector)]))
            under_way |= any(w.ended > began for w in alive)
        self.judged += 1
        if len(versions) > 1:
            if not under_way:
                raise Bad("sector %d is torn, by writes that had ended: versions %s" % (sector, versions))
            self.torn += 1
        elif len(alive) == 1:
            self.takes_effect(sector, alive[0], now)


class Op:
    def __init__(self, kind, sector, count, flags, version):
        self.kind, self.sector, self.count, self.flags, self.version = kind, sector, count, flags, version
        self.writes, self.data = [], b""


class Connection(threading.Thread):
    def __init__(self, model, address, export, seed):
        super().__init__(daemon=True)
        self.model, self.address, self.export = model, address, export
        self.rng = random.Random(seed)
        self.out = {}  # cookie -> Op
        self.again = []
        self.client = None
        self.stopping = False
        self.error = None
        self.answers = self.connections = self.resent = 0
        self.last, self.pause = time.monotonic(), 0.0

    def connect(self):
        self.client = nbd.connect_again(self.address, self.export, PATIENCE)
        self.connections += 1
        self.again += self.out.values()
        self.out = {}
        self.rng.shuffle(self.again)

    def new(self):
        rng, m = self.rng, self.model
        kind = rng.choices((nbd.WRITE, nbd.READ, nbd.WRITE_ZEROES, nbd.FLUSH), (50, 38, 6, 6))[0]
        count = min(1 + int(rng.expovariate(0.15)), LONGEST)
        sector = rng.randrange(AREAS) * (STRIDE // SECTOR) + rng.randrange(HOT - count)
        flags = nbd.FUA if kind != nbd.READ and kind != nbd.FLUSH and rng.random() < 0.1 else 0
        if kind == nbd.FLUSH:
            return Op(kind, 0, 0, 0, 0)
        op = Op(kind, sector, count, flags, 0)
        now = time.monotonic()
        with m.lock:
            m.began[op] = now
            if kind != nbd.READ:
                m.version += 1
                op.version = m.version if kind == nbd.WRITE else 0
                for s in range(sector, sector + count):
                    w = Write(m.version, kind == nbd.WRITE_ZEROES, now)
                    m.of(s).append(w)
                    op.writes.append(w)
        if kind == nbd.WRITE:
            op.data = b"".join(stamp(s, op.version) for s in range(sector, sector + count))
        return op

    def send(self, op):
        self.client.cookie += 1
        self.out[self.client.cookie] = op  # before it is sent: what was sent in part goes again, too
        self.client.send_request(op.kind, op.sector * SECTOR, op.count * SECTOR, op.data, op.flags, self.client.cookie)

    def reap(self):
        lengths = {c: op.count * SECTOR for c, op in self.out.items() if op.kind == nbd.READ}
        cookie, error, data = self.client.recv_reply(lengths)
        op = self.out.pop(cookie)
        now = time.monotonic()
        self.pause, self.last = max(self.pause, now - self.last), now
        self.answers += 1
        if error:
            raise Bad("command %d at sector %d: error %d" % (op.kind, op.sector, error))
        m = self.model
        with m.lock:
            began = m.began.pop(op, now)
            for i, w in enumerate(op.writes):
                m.takes_effect(op.sector + i, w, now)
            if op.kind == nbd.READ:
                m.reads += 1
                for i in range(op.count):
                    m.judge(op.sector + i, data[i * SECTOR:(i + 1) * SECTOR], began, now)

    def step(self):
        try:
            if self.client is None:
                self.connect()
            while self.again:
                op = self.again.pop()
                self.resent += 1
                with self.model.lock:
                    for i, w in enumerate(op.writes):
                        self.model.goes_again(op.sector + i, w)
                self.send(op)
            while not self.stopping and len(self.out) < DEPTH:
                self.send(self.new())
            if self.out:
                self.reap()
        except (nbd.Closed, ConnectionError):
            self.client.close()
            self.client = None

    def run(self):
        try:
            while not self.stopping or self.out or self.again:
                self.step()
        except Exception as e:  # pylint: disable=broad-except
            self.error = "%s: %s" % (type(e).__name__, e)


def test_judge():
    """The judge finds what is wrong, and only that."""
    def judged(model, version, began):
        try:
            model.judge(5, stamp(5, version), began, 100.0)
        except Bad:
            return False
        return True

    def written(*writes):
        m = Model()
        for version, began, ended in writes:
            w = Write(version, False, began)
            m.of(5).append(w)
            m.began[version] = 0.0  # something old is under way: nothing is forgotten
            if ended != NEVER:
                m.takes_effect(5, w, ended)
        return m

    after = ((1, 1.0, 2.0), (2, 3.0, 4.0))
    beside = ((1, 1.0, 5.0), (2, 2.0, 4.0))
    open_end = ((1, 1.0, NEVER), (2, 3.0, 4.0))
    assert judged(written(*after), 2, 6.0) and not judged(written(*after), 1, 6.0) and not judged(written(*after), 0, 6.0)
    assert judged(written(*after), 1, 3.5)  # it was replaced while the read ran
    assert judged(written(*beside), 1, 6.0) and judged(written(*beside), 2, 6.0)
    assert judged(written(*open_end), 1, 6.0) and judged(written(*open_end), 2, 6.0)
    assert not judged(written(*after), 7, 6.0)  # nobody wrote it
    m = written(*open_end)  # once a read has seen the newer one, what it had replaced is gone
    assert judged(m, 2, 6.0) and not judged(m, 0, 101.0)
    m = written(*after)
    m.goes_again(5, m.of(5)[1])  # sent once more, it may run after what came later
    assert m.of(5)[1].version == 1 and judged(m, 1, 6.0)


def clear(address, export):
    with nbd.Client(address, PATIENCE).go(export) as c:
        for a in range(AREAS):
            c.write(a * STRIDE, bytes(HOT * SECTOR))


def main():
    address, export, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    test_judge()
    model = Model()
    clear(address, export)
    conns = [Connection(model, address, export, n) for n in range(int(sys.argv[4]) if len(sys.argv) > 4 else 4)]
    for c in conns:
        c.start()
    print("connected", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end and not any(c.error for c in conns):
        time.sleep(0.1)
    for c in conns:
        c.stopping = True
    for c in conns:
        c.join(2 * PATIENCE)
        if c.is_alive():
            raise SystemExit("no answer to %d requests" % len(c.out))
    errors = [c.error for c in conns if c.error]
    if errors:
        raise SystemExit("; ".join(errors))
    if not model.judged or not sum(c.answers for c in conns):
        raise SystemExit("nothing was judged")
    print("%d answers, %d reads with %d sectors judged (%d torn), %d connections, %d requests sent again, longest pause %d ms" % (
        sum(c.answers for c in conns), model.reads, model.judged, model.torn, sum(c.connections for c in conns),
        sum(c.resent for c in conns), 1000 * max(c.pause for c in conns)))


main()
