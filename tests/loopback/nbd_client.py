# SPDX-License-Identifier: GPL-2.0-or-later
"""nbd_client.py - an NBD client that says exactly what it is told.

For protocol tests against a running server: any option with any contents, any
request, replies taken apart.  Nothing is checked that the caller did not ask
for.  Standard library only.
"""
import socket
import struct
import time

OPT_MAGIC = b"IHAVEOPT"
REP_MAGIC = 0x3E889045565A9
REQUEST_MAGIC = 0x25609513
SIMPLE_MAGIC = 0x67446698
CHUNK_MAGIC = 0x668E33EF

FIXED, NO_ZEROES = 1, 2
EXPORT_NAME, ABORT, LIST, STARTTLS, INFO, GO, STRUCTURED, LIST_META, SET_META, EXTENDED = (
    1, 2, 3, 5, 6, 7, 8, 9, 10, 11)
ACK, REP_SERVER, REP_INFO, REP_META = 1, 2, 3, 4
ERR = 1 << 31
ERR_UNSUP, ERR_INVALID, ERR_UNKNOWN, ERR_TOO_BIG = ERR | 1, ERR | 3, ERR | 6, ERR | 9
INFO_EXPORT, INFO_NAME, INFO_DESCRIPTION, INFO_BLOCK_SIZE = 0, 1, 2, 3

READ, WRITE, DISC, FLUSH, TRIM, CACHE, WRITE_ZEROES, BLOCK_STATUS = range(8)
FUA, NO_HOLE, DF, REQ_ONE, FAST_ZERO = 1, 2, 4, 8, 16
HAS_FLAGS, READ_ONLY, SEND_FLUSH, SEND_FUA, ROTATIONAL, SEND_TRIM, SEND_ZEROES, SEND_DF, \
    MULTI_CONN, _RESIZE, SEND_CACHE, SEND_FAST_ZERO = (1 << n for n in range(12))
EPERM, EIO, ENOMEM, EINVAL, ENOSPC, EOVERFLOW, ENOTSUP, ESHUTDOWN = 1, 5, 12, 22, 28, 75, 95, 108
CHUNK_NONE, CHUNK_DATA, CHUNK_HOLE, CHUNK_STATUS, CHUNK_ERROR = 0, 1, 2, 5, 0x8001


class Closed(Exception):
    """The server has closed the connection."""


class Protocol(Exception):
    """The server has said what it must not say."""


class Client:
    """One connection.  @address: path of a Unix socket, or (host, port)."""

    def __init__(self, address, timeout=20.0):
        if isinstance(address, tuple):
            self.sock = socket.create_connection(address, timeout)
        else:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            self.sock.connect(address)
        self.structured = False
        self.size = self.flags = None
        self.block_size = None
        self.cookie = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    # --- bytes ---------------------------------------------------------------

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed(str(e)) from e

    def recv(self, length):
        parts = []
        while length > 0:
            try:
                part = self.sock.recv(min(length, 1 << 20))
            except ConnectionResetError as e:
                raise Closed(str(e)) from e
            if not part:
                raise Closed("end of file")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def closed_by_server(self, seconds=15.0):
        """Throw away what comes; True once the server has closed, False after so long."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        except socket.timeout:
            return False
        return True

    # --- handshake -----------------------------------------------------------

    def greeting(self, flags=FIXED | NO_ZEROES):
        magic, opt_magic, server_flags = struct.unpack(">8s8sH", self.recv(18))
        if magic != b"NBDMAGIC" or opt_magic != OPT_MAGIC:
            raise Protocol("greeting %r %r" % (magic, opt_magic))
        self.send(struct.pack(">I", flags))
        return server_flags

    def send_option(self, opt, data=b"", length=None):
        """@length: what the header claims, if not the truth."""
        self.send(OPT_MAGIC + struct.pack(">II", opt, len(data) if length is None else length) + data)

    def recv_option_reply(self, opt):
        """(type, data) of one reply."""
        magic, of, kind, length = struct.unpack(">QIII", self.recv(20))
        if magic != REP_MAGIC or of != opt or length > 1 << 20:
            raise Protocol("reply to option %d: %x %d %d" % (opt, magic, of, length))
        return kind, self.recv(length)

    def option(self, opt, data=b"", length=None):
        """All replies to one option: [(type, data)], ending in ACK or an error."""
        self.send_option(opt, data, length)
        replies = []
        while True:
            replies.append(self.recv_option_reply(opt))
            if replies[-1][0] == ACK or replies[-1][0] & ERR:
                return replies

    @staticmethod
    def name_data(name, infos=()):
        raw = name.encode()
        return (struct.pack(">I", len(raw)) + raw + struct.pack(">H", len(infos)) +
                b"".join(struct.pack(">H", i) for i in infos))

    @staticmethod
    def meta_data(name, queries):
        raw = name.encode()
        return (struct.pack(">I", len(raw)) + raw + struct.pack(">I", len(queries)) +
                b"".join(struct.pack(">I", len(q)) + q for q in (q.encode() for q in queries)))

    def go(self, name, structured=False, allocation=False, infos=(), opt=GO):
        """Greeting and options into transmission; size, flags and block_size are set."""
        self.greeting()
        if structured or allocation:
            if self.option(STRUCTURED)[-1][0] != ACK:
                raise Protocol("STRUCTURED_REPLY refused")
            self.structured = True
        if allocation:
            replies = self.option(SET_META, self.meta_data(name, ["base:allocation"]))
            if [kind for kind, _ in replies] != [REP_META, ACK]:
                raise Protocol("SET_META_CONTEXT: %r" % replies)
        for kind, data in self.option(opt, self.name_data(name, infos)):
            if kind & ERR:
                raise Protocol("GO: %s" % data.decode())
            if kind == REP_INFO and data[:2] == b"\0\0":
                self.size, self.flags = struct.unpack(">QH", data[2:])
            if kind == REP_INFO and data[:2] == b"\0\3":
                self.block_size = struct.unpack(">III", data[2:])
        return self

    # --- transmission --------------------------------------------------------

    @staticmethod
    def request_bytes(kind, offset=0, length=0, cookie=0, flags=0, magic=REQUEST_MAGIC):
        return struct.pack(">IHHQQI", magic, flags, kind, cookie, offset, length)

    def send_request(self, kind, offset=0, length=0, payload=b"", flags=0, cookie=None):
        """Returns the cookie."""
        if cookie is None:
            self.cookie += 1
            cookie = self.cookie
        self.send(self.request_bytes(kind, offset, length, cookie, flags) + payload)
        return cookie

    def recv_reply(self, lengths=None):
        """(cookie, error, data) of the next reply.  @lengths: cookie -> bytes that a successful
        simple READ carries.  data of BLOCK_STATUS: [(length, flags)]."""
        magic, = struct.unpack(">I", self.recv(4))
        if magic == SIMPLE_MAGIC:
            error, cookie = struct.unpack(">IQ", self.recv(12))
            length = (lengths or {}).get(cookie, 0) if error == 0 else 0
            return cookie, error, self.recv(length)
        if magic != CHUNK_MAGIC:
            raise Protocol("reply magic %08x" % magic)
        flags, kind, cookie, length = struct.unpack(">HHQI", self.recv(16))
        data = self.recv(length)
        if flags != 1:
            raise Protocol("a chunk that is not the last one of its reply")
        if kind == CHUNK_ERROR:
            return cookie, struct.unpack(">I", data[:4])[0], b""
        if kind == CHUNK_DATA:
            return cookie, 0, data[8:]
        if kind == CHUNK_STATUS:
            return cookie, 0, list(struct.iter_unpack(">II", data[4:]))
        if kind == CHUNK_NONE:
            return cookie, 0, b""
        raise Protocol("chunk type %x" % kind)

    def call(self, kind, offset=0, length=0, payload=b"", flags=0):
        """One request and its reply: (error, data)."""
        cookie = self.send_request(kind, offset, length, payload, flags)
        got, error, data = self.recv_reply({cookie: length} if kind == READ else None)
        if got != cookie:
            raise Protocol("reply to %x, asked was %x" % (got, cookie))
        return error, data

    def read(self, offset, length, flags=0):
        error, data = self.call(READ, offset, length, flags=flags)
        if error:
            raise OSError(error, "READ")
        return data

    def write(self, offset, data, flags=0):
        error, _ = self.call(WRITE, offset, len(data), data, flags)
        if error:
            raise OSError(error, "WRITE")

    def disconnect(self):
        self.send_request(DISC)
        return self.closed_by_server()


def connect_again(address, export, seconds):
    """A connection to a server that may have died: tried for so long, and so patient with its answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            return Client(address, seconds).go(export)
        except (OSError, Closed):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
