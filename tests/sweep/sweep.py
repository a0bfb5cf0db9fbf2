#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sweep.py - fail the n-th call of each kind in each phase of a lunmuxd's life, n = 1, 2, 3 ... until a phase
passes untouched.

    sweep.py BUILD [--phase P,...] [--kind K,...] [--every N] [--offset N] [--jobs N] [--nth N]

Phases: start, reload, client, status, hotplug, shutdown.  Kinds: alloc, sys, lib, intr (shim.c).  --every 7 --offset 3 takes
n = 3, 10, 17 ...: what CI has time for, with an offset of its own each time.  A failure prints the command that
repeats it.

What has to hold, whatever fails:
    start     it serves, or it ends with a status and a reason on stderr, and leaves nothing behind
    reload, client, status, hotplug
              it goes on: afterwards the phase goes well, and the data is what it was
    shutdown  it ends by itself, and leaves nothing behind
and in none of them does it die of a signal or stand still.  With intr all goes as if nothing had been.
"""
import argparse
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "loopback"))
import nbd_client as nbd  # noqa: E402

KINDS = {"alloc": 1, "sys": 2, "lib": 4, "intr": 8}
SIZE = 1 << 20
PATTERN = bytes((i * 7 + (i >> 9)) & 255 for i in range(SIZE))
LIMIT = 30.0  # seconds that anything may take: generous, the machine may be busy

CONF = """
defaults {
	polling_interval 500ms
	max_polling_interval 1
	no_path_retry 2
	buffer_memory 64M
}
multipaths {
	multipath {
		wwid file:%(disk)s
		alias lab
	}
}
"""


class Bad(Exception):
    """What must not be."""


class Shared:
    """The page that the shim looks into."""

    FORMAT = "IIII48s"

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(4096))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 4096)

    def arm(self, kind, nth):
        self.map[:64] = struct.pack(self.FORMAT, 0, nth, 0, 0, b"")
        self.map[:4] = struct.pack("I", KINDS[kind])

    def disarm(self):
        """The call that was failed, None if none was; and how many there were."""
        self.map[:4] = struct.pack("I", 0)
        _, _, count, struck, what = struct.unpack(self.FORMAT, self.map[:64])
        return (what.split(b"\0")[0].decode() if struck else None), count

    def close(self):
        self.map.close()
        self.file.close()


def attach_loop(disk):
    """Another loop device on @disk."""
    return subprocess.run(["losetup", "-f", "--show", disk], stdout=subprocess.PIPE, timeout=LIMIT,
                          check=True).stdout.decode().strip()


class Daemon:
    """A lunmuxd on a file, in a directory of its own; with @loops on loop devices of that."""

    def __init__(self, build, loops=False):
        self.build = build
        self.loops = []
        self.dir = tempfile.mkdtemp(prefix="lunmux-sweep.")
        self.disk = os.path.join(self.dir, "disk.img")
        self.run = os.path.join(self.dir, "run")
        self.log = os.path.join(self.dir, "log")
        self.sock = os.path.join(self.run, "lab", "nbd.sock")
        with open(self.disk, "wb") as f:
            f.write(PATTERN)
        with open(self.path("lunmux.conf"), "w", encoding="ascii") as f:
            f.write(CONF % {"disk": self.disk})
        if loops:
            self.loops.append(attach_loop(self.disk))
        self.shared = Shared(self.path("page"))
        self.process = None
        self.struck = None  # the call that was failed, where a phase has looked itself

    def path(self, name):
        return os.path.join(self.dir, name)

    def launch(self):
        shutil.rmtree(self.run, ignore_errors=True)
        env = dict(os.environ, LD_PRELOAD=os.path.join(self.build, "tests/sweep/shim.so"),
                   SWEEP_FILE=self.shared.path, LC_ALL="C")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.build, "lunmuxd"), "-c", self.path("lunmux.conf"), "-R", self.run, "lab"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def messages(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def ready_or_ended(self):
        """True: it is ready."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if os.path.exists(self.sock) and transfer(self, False):
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.004)
        raise Bad("it neither serves nor ends")

    def start(self):
        self.launch()
        if not self.ready_or_ended():
            raise Bad("it does not start although nothing fails")

    def gave_up(self):
        """Ended by libev, which knows no other way to be without memory."""
        return self.process.poll() == -signal.SIGABRT and "(libev) cannot allocate" in self.messages()

    def lives(self):
        if self.process.poll() is None or self.gave_up():
            return self.process.returncode is None
        raise Bad(f"it has ended, {self.process.returncode}")

    def wait(self):
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired as e:
            raise Bad("it does not end") from e

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            return self.wait()
        return self.process.returncode if self.process else 0

    def ctl(self, *args):
        return subprocess.run([os.path.join(self.build, "lunmuxctl"), "-R", self.run, *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)

    def left(self):
        """What an ended one has left in its run directory, but for what it leaves on purpose."""
        found = []
        for where, _, names in os.walk(self.run):
            found += [os.path.relpath(os.path.join(where, n), self.run) for n in names]
        return sorted(set(found) - {"lab/state", "lab/inflight"})

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for loop in self.loops:
            subprocess.run(["losetup", "-d", loop], timeout=LIMIT, check=False)
        self.shared.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def transfer(d, strict):
    """A client reads all, and writes a part as it was. False: it was turned away or cut, if that is allowed."""
    try:
        with nbd.Client(d.sock, LIMIT) as c:
            c.go("lab", structured=True)
            for at in (0, SIZE // 2):
                data = c.read(at, 65536)
                if data != PATTERN[at:at + 65536]:
                    raise Bad("a client has read something else")
            c.write(4096, PATTERN[4096:12288])
            error, _ = c.call(nbd.FLUSH)
            if error:
                raise OSError(error, "FLUSH")
    except (nbd.Closed, OSError, nbd.Protocol) as e:
        if strict:
            raise Bad(f"a client is not served: {e!r}") from e
        return False
    return True


# --- phases: what is done while the call fails, and what has to hold then ---------------------------------------


def phase_start(d, arm, strict):
    arm()
    d.launch()
    serves = d.ready_or_ended()
    if strict and not serves:
        raise Bad("it does not serve")
    d.shared.map[:4] = struct.pack("I", 0)
    if serves:
        transfer(d, True)
        if d.stop() != 0:
            raise Bad("it served, and did not end well")
    else:
        code = d.wait()
        if d.gave_up():
            return
        if code < 0:
            raise Bad(f"it died of signal {-code}")
        if code == 0:
            raise Bad("it has not served, and ended with 0")
        if not d.messages().strip():
            raise Bad("it does not say why it ended")
    if d.left():
        raise Bad(f"it has left {d.left()}")


def command(d, strict, *args):
    r = d.ctl(*args)
    if strict and r.returncode != 0:
        raise Bad(f"{' '.join(args)}: {r.stdout.decode().strip()}")


def phase_reload(d, arm, strict):
    arm()
    command(d, strict, "reload", "lab")


def phase_client(d, arm, strict):
    arm()
    transfer(d, strict)


def phase_status(d, arm, strict):
    arm()
    command(d, strict, "status", "lab")
    command(d, strict, "--json", "stats", "lab")


def phase_hotplug(d, arm, strict):
    """A path comes, is failed and reinstated, and goes."""
    arm()
    d.loops.append(attach_loop(d.disk))
    command(d, strict, "add-path", "lab", d.loops[-1])
    for verb in ("fail-path", "reinstate-path", "del-path"):
        command(d, False, verb, "lab", d.loops[-1])
    subprocess.run(["losetup", "-d", d.loops[-1]], timeout=LIMIT, check=False)


def phase_shutdown(d, arm, strict):
    arm()
    d.process.send_signal(signal.SIGTERM)
    code = d.wait()
    if code < 0:
        raise Bad(f"it died of signal {-code}")
    if strict and code != 0:
        raise Bad(f"it ended with {code}")
    what = d.struck = d.shared.disarm()[0]
    # What cannot be looked at cannot be removed.
    if d.left() and what not in ("lstat", "unlink", "unlinkat"):
        raise Bad(f"it has left {d.left()}")


def after_reload(d):
    r = d.ctl("reload", "lab")
    if r.returncode != 0:
        raise Bad(f"it cannot reload any more: {r.stdout.decode()}")


def after_hotplug(d):
    """Whatever has gone wrong with that one: it is forgotten, and the next is found."""
    d.loops.pop()
    end = time.monotonic() + LIMIT
    d.loops.append(attach_loop(d.disk))
    while d.loops[-1] not in d.ctl("paths", "lab").stdout.decode():
        d.ctl("add-path", "lab", d.loops[-1])
        if time.monotonic() > end:
            raise Bad(f"{d.loops[-1]} cannot be added")
        time.sleep(0.05)
    transfer(d, True)
    if d.ctl("del-path", "lab", d.loops[-1]).returncode != 0:
        raise Bad(f"{d.loops[-1]} cannot be removed")
    subprocess.run(["losetup", "-d", d.loops.pop()], timeout=LIMIT, check=False)


PHASES = {
    "start": (phase_start, None),
    "reload": (phase_reload, after_reload),
    "client": (phase_client, None),
    "status": (phase_status, None),
    "hotplug": (phase_hotplug, after_hotplug),
    "shutdown": (phase_shutdown, None),
}
ENDS = ("start", "shutdown")  # the process with the phase


def one(d, phase, kind, nth):
    """The call that was failed; None: the phase has fewer."""
    do, after = PHASES[phase]
    d.struck = None
    if phase != "start" and (not d.process or d.process.poll() is not None):
        d.start()
    do(d, lambda: d.shared.arm(kind, nth), kind == "intr")
    what = d.struck or d.shared.disarm()[0]
    if phase not in ENDS and d.lives():
        if after:
            after(d)
        transfer(d, True)
    return what


def sweep(build, phase, kind, numbers, last, report):
    """Until a phase passes untouched; numbers of calls that were failed go to @report."""
    d = Daemon(build, phase == "hotplug")
    nbad = failed = 0
    try:
        for nth in numbers:
            if nth > last:
                break
            try:
                what = one(d, phase, kind, nth)
                if what is None:
                    break
                failed += 1
            except (Bad, subprocess.TimeoutExpired) as e:
                what, _ = d.shared.disarm()
                nbad += 1
                print(f"FAIL sweep {phase} {kind}: call {nth} ({what}): {e}\n"
                      f"   again: {sys.argv[0]} {build} --phase {phase} --kind {kind} --nth {nth}", flush=True)
                print("".join(f"   | {line}\n" for line in d.messages().splitlines()[-12:]), end="", flush=True)
                d.remove()
                if nbad >= 5:
                    break
                d = Daemon(build, phase == "hotplug")
    finally:
        d.remove()
    report(failed, nbad)


def in_parallel(build, phase, kind, opt):
    """@opt.jobs processes, each with every so manyth call."""
    pipes, pids = [], []
    for job in range(opt.jobs):
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(r)
            step = opt.every * opt.jobs
            numbers = range(opt.offset + job * opt.every, 1 << 30, step)
            sweep(build, phase, kind, numbers, 1 << 30, lambda n, bad: os.write(w, struct.pack("II", n, bad)))
            os._exit(0)
        os.close(w)
        pipes.append(r)
        pids.append(pid)
    failed = bad = 0
    for r, pid in zip(pipes, pids):
        data = os.read(r, 8)
        os.waitpid(pid, 0)
        if len(data) < 8:
            print(f"FAIL sweep {phase} {kind}: a job died")
            bad += 1
            continue
        n, b = struct.unpack("II", data)
        failed += n
        bad += b
    return failed, bad


def main():
    p = argparse.ArgumentParser(description="fails each call of a lunmuxd once")
    p.add_argument("build")
    p.add_argument("--phase", default=",".join(PHASES))
    p.add_argument("--kind", default=",".join(KINDS))
    p.add_argument("--every", type=int, default=1)
    p.add_argument("--offset", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--nth", type=int)
    opt = p.parse_args()
    build = os.path.realpath(opt.build)
    status = 0
    for phase in opt.phase.split(","):
        for kind in opt.kind.split(","):
            begun = time.monotonic()
            if opt.nth:
                counts = []
                sweep(build, phase, kind, [opt.nth], opt.nth, lambda n, bad: counts.append((n, bad)))
                failed, bad = counts[0]
            else:
                failed, bad = in_parallel(build, phase, kind, opt)
            status |= bad > 0
            if not bad:
                print(f"PASS sweep {phase} {kind}: {failed} calls failed, {time.monotonic() - begun:.0f} s", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
