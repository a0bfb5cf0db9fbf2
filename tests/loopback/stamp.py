#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write stamped blocks over NBD until the server goes, noting each one that was
acknowledged; later check that each is there, or something newer is.

stamp.py write SOCKET EXPORT FILE
stamp.py check SOCKET EXPORT FILE
"""
import random
import socket
import struct
import sys

BS = 4096
NBLOCKS = 2048
DEPTH = 32


def recv_all(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise ConnectionError("server closed")
        data += part
    return data


def connect(path, name):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    assert recv_all(s, 16) == b"NBDMAGICIHAVEOPT"
    recv_all(s, 2)
    s.sendall(struct.pack(">I", 3))
    name = name.encode()
    data = struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
    s.sendall(b"IHAVEOPT" + struct.pack(">II", 7, len(data)) + data)
    while True:
        _, _, kind, length = struct.unpack(">QIII", recv_all(s, 20))
        recv_all(s, length)
        if kind == 1:
            return s
        assert kind == 3, "GO refused: %x" % kind


def stamp(block, version):
    return struct.pack(">QQ", block, version) * (BS // 16)


def write(path, name, record):
    s = connect(path, name)
    rng = random.Random()
    try:
        version = max(v for v, _ in load(record).values()) + 1
    except (ValueError, FileNotFoundError):
        version = 1
    acked = open(record, "a")
    inflight = {}
    try:
        while True:
            while len(inflight) < DEPTH:
                block = rng.randrange(NBLOCKS)
                if block in inflight:
                    continue
                inflight[block] = version
                acked.write("S %d %d\n" % (block, version))
                s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 1, block, block * BS, BS)
                          + stamp(block, version))
                version += 1
            magic, err, cookie = struct.unpack(">IIQ", recv_all(s, 16))
            if magic != 0x67446698 or err:
                print("reply %x error %d" % (magic, err))
                return 1
            acked.write("A %d %d\n" % (cookie, inflight.pop(cookie)))
    except (ConnectionError, BrokenPipeError):
        pass
    acked.close()
    return 0


def load(record):
    """block -> (newest acknowledged, newest sent)"""
    blocks = {}
    for line in open(record):
        kind, block, version = line.split()
        block, version = int(block), int(version)
        acked, sent = blocks.get(block, (0, 0))
        if kind == "A":
            acked = max(acked, version)
        sent = max(sent, version)
        blocks[block] = (acked, sent)
    return blocks


def check(path, name, record):
    s = connect(path, name)
    blocks = load(record)
    bad = 0
    for block, (acked, sent) in sorted(blocks.items()):
        s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, block, block * BS, BS))
        _, err, _ = struct.unpack(">IIQ", recv_all(s, 16))
        data = recv_all(s, BS)
        found_block, version = struct.unpack(">QQ", data[:16])
        if data.count(data[:16]) != BS // 16 or data != data[:16] * (BS // 16):
            print("block %d is torn" % block)
            bad += 1
        elif (found_block, version) == (0, 0) and not acked:
            pass
        elif found_block != block or not acked <= version <= sent:
            print("block %d: has %d/%d, acknowledged %d, sent up to %d"
                  % (block, found_block, version, acked, sent))
            bad += 1
    print("%d blocks checked, %d wrong" % (len(blocks), bad))
    return bad != 0


if __name__ == "__main__":
    sys.exit({"write": write, "check": check}[sys.argv[1]](*sys.argv[2:5]))
