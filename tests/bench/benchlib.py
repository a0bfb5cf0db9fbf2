# SPDX-License-Identifier: GPL-2.0-or-later
"""benchlib - what the programs of tests/bench share: backings, servers, one run, ratios."""
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time

MIB = 1 << 20
SIZE = 256 * MIB
NPATHS = 4

# glibc returns large buffers to the kernel at each free unless told: ten times slower at 1 MiB.
FAIR_ENV = dict(os.environ, MALLOC_TOP_PAD_=str(64 * MIB), MALLOC_TRIM_THRESHOLD_=str(1 << 30),
                MALLOC_MMAP_THRESHOLD_=str(64 * MIB))


def say(text=""):
    print(text, flush=True)


def tree(pid):
    """The process and all below it."""
    pids = [pid]
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            pids.append(int(name))
    return pids


def rss_kib(pid):
    """Of the process tree, in KiB: (now, of which private memory)."""
    total = anon = 0
    for p in tree(pid):
        try:
            with open(f"/proc/{p}/status", encoding="ascii", errors="replace") as f:
                for line in f:
                    if line.startswith("VmRSS:"):
                        total += int(line.split()[1])
                    if line.startswith("RssAnon:"):
                        anon += int(line.split()[1])
        except OSError:
            pass
    return total, anon


# --- backings -----------------------------------------------------------------------


class Backing:
    """A disk image full of stamps (see nbdload.c), and how it is reached."""

    def __init__(self, kind, where, npaths=NPATHS):
        self.kind = kind
        self.direct = kind != "tmpfs"
        self.loops = []
        self.dir = tempfile.mkdtemp(prefix="lunmux-bench.", dir=where)
        self.disk = os.path.join(self.dir, "disk.img")
        try:
            self.fill(npaths)
        except BaseException:
            self.close()
            raise

    def fill(self, npaths):
        with open(self.disk, "wb") as f:
            for at in range(0, SIZE, MIB):
                f.write(b"".join(struct.pack(">Q", o) + bytes(4088)
                                 for o in range(at, at + MIB, 4096)))
            os.fsync(f.fileno())
        if self.kind == "loop":
            for _ in range(npaths):
                dev = subprocess.run(["losetup", "-f", "--show", self.disk], check=True,
                                     capture_output=True, text=True).stdout.strip()
                self.loops.append(dev)
        self.paths = self.loops or [self.disk] + [self.link(n) for n in range(1, npaths)]

    def link(self, n):
        """Another name of the image: lunmuxd takes a path that is listed twice for a mistake."""
        name = f"{self.disk}.{n}"
        os.link(self.disk, name)
        return name

    def close(self):
        for dev in self.loops:
            subprocess.run(["losetup", "-d", dev], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def make_backing(kind, disk_dir, npaths=NPATHS):
    """A Backing, or None and the reason is printed."""
    if kind == "loop" and os.geteuid() != 0:
        say(f"-- {kind}: left out: needs root")
        return None
    try:
        # Loop devices stand on memory: the server is measured, not the disk's write-back.
        return Backing(kind, disk_dir if kind == "disk" else "/dev/shm", npaths)
    except (OSError, subprocess.CalledProcessError) as e:
        say(f"-- {kind}: left out: {e}")
        return None


# --- servers ------------------------------------------------------------------------


class Server:
    """One running server; start() raises RuntimeError when it does not come up."""

    patience_s = 10

    def __init__(self, name, opts):
        self.name = name
        self.opts = opts
        self.proc = None
        self.pid = 0
        self.export = "lab"

    def command(self, backing, run):
        """Arguments to start it, and the socket it will listen on."""
        raise NotImplementedError

    def missing(self):
        return None

    def find_pid(self):
        return self.proc.pid

    def start(self, backing, run):
        argv, self.sock = self.command(backing, run)
        with open(os.path.join(run, "log"), "wb") as log:
            self.proc = subprocess.Popen(argv, stdout=log, stderr=log, env=FAIR_ENV,
                                         start_new_session=True)
        for _ in range(40 * self.patience_s):
            with socket.socket(socket.AF_UNIX) as s:
                try:
                    s.connect(self.sock)
                    self.pid = self.find_pid()
                    return
                except OSError:
                    time.sleep(0.025)
        self.stop()
        with open(os.path.join(run, "log"), encoding="utf-8", errors="replace") as log:
            raise RuntimeError(f"{self.name} did not come up: {log.read()[-300:].strip()}")

    def stop(self):
        if self.pid and self.pid != self.proc.pid:
            os.kill(self.pid, signal.SIGTERM)
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()

    def counters(self):
        """(commands sent, requests taken) so far, where the server tells."""
        return None


class Lunmuxd(Server):
    def __init__(self, name, opts, binary):
        super().__init__(name, opts)
        self.binary = binary

    def command(self, backing, run):
        self.run = run
        conf = os.path.join(run, "conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write("multipaths {\n\tmultipath {\n"
                    f"\t\twwid file:{backing.disk}\n\t\talias lab\n"
                    f"\t\tpath_selector {self.opts.selector}\n"
                    f"\t\televator {self.opts.elevator}\n")
            for p in backing.paths[:self.opts.paths]:
                f.write(f"\t\tpath {p}\n")
            f.write("\t}\n}\n")
        return [self.binary, "-c", conf, "-R", run, "lab"], os.path.join(run, "lab", "nbd.sock")

    def counters(self):
        out = subprocess.run([os.path.join(self.opts.build, "lunmuxctl"), "-R", self.run, "--json",
                              "stats", "lab"], capture_output=True, text=True, check=False).stdout
        try:
            lun = json.loads(out)["luns"][0]["lun"]
            return lun["commands"], sum(lun["requests"].values())
        except (ValueError, KeyError, IndexError):
            return None


# --- one run ------------------------------------------------------------------------


def client(server, load, opts, seconds, warmup):
    argv = [os.path.join(opts.build, "tests/bench/nbdload"), "-s", server.sock, "-n", "lab",
            "-t", str(seconds), "-w", str(warmup), "-p", str(server.pid)] + load.split()
    return argv + (["-N"] if server.name == "null" else [])


def run_clients(server, load, opts):
    """What nbdload says of @load; behind " + " stands what another one does meanwhile."""
    load, _, flood = load.partition(" + ")
    other = None
    if flood:
        other = subprocess.Popen(client(server, flood, opts, 60, 0), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.1)
    try:
        p = subprocess.run(client(server, load, opts, opts.seconds, opts.seconds / 5), capture_output=True, text=True,
                           check=False)
        if p.returncode != 0:
            raise RuntimeError(f"{server.name}: {p.stderr.strip()}")
        if other and other.poll() is not None:
            raise RuntimeError(f"{server.name}: the other client has ended")
    finally:
        if other:
            other.kill()
            other.wait()
    result = json.loads(p.stdout)
    if other:
        result["server_cpu_us"] = 0 # it worked for both
    return result


def measure(make, name, backing, load, opts):
    """Start the server, load it, stop it: a dict, or None and the reason is printed."""
    server = make(name)
    run = tempfile.mkdtemp(prefix="r.", dir=backing.dir)
    try:
        server.start(backing, run)
        before = server.counters()
        result = run_clients(server, load, opts)
        result["rss_kib"], result["rss_anon_kib"] = rss_kib(server.pid)
        after = server.counters()
        if before and after and after[1] > before[1]:
            result["commands_per_request"] = round(
                (after[0] - before[0]) / (after[1] - before[1]), 4)
        return result
    except RuntimeError as e:
        say(f"-- {e}")
        return None
    finally:
        if server.proc:
            server.stop()
        shutil.rmtree(run, ignore_errors=True)


def count_syscalls(make, name, backing, load, opts):
    """System calls per request, by the kernel's own count; None where perf cannot."""
    if not shutil.which("perf"):
        return None
    server = make(name)
    run = tempfile.mkdtemp(prefix="r.", dir=backing.dir)
    try:
        server.start(backing, run)
        pids = ",".join(map(str, tree(server.pid)))
        p = subprocess.run(["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", pids]
                           + client(server, load, opts, 0.5, 0), capture_output=True, text=True,
                           check=False)
        for line in p.stderr.splitlines():
            if "raw_syscalls" in line:
                return int(line.split(",")[0]) / json.loads(p.stdout)["requests"]
    except (RuntimeError, ValueError):
        pass
    finally:
        if server.proc:
            server.stop()
        shutil.rmtree(run, ignore_errors=True)
    return None


def has_pmu():
    """Does the processor count instructions for us?"""
    if not shutil.which("perf"):
        return False
    p = subprocess.run(["perf", "stat", "-x", ",", "-e", "instructions:u", "true"],
                       capture_output=True, text=True, check=False)
    return any(line.split(",")[0].isdigit() for line in p.stderr.splitlines() if "instructions" in line)


def pmu_count(make, backing, load, opts, requests):
    """The server's instructions in user mode while it serves so many requests."""
    server = make([])
    run = tempfile.mkdtemp(prefix="r.", dir=backing.dir)
    try:
        server.start(backing, run)
        p = subprocess.run(["perf", "stat", "-x", ",", "-e", "instructions:u", "-p", str(server.pid)]
                           + client(server, load, opts, 0, 0) + ["-l", str(requests)],
                           capture_output=True, text=True, check=False)
        for line in p.stderr.splitlines():
            if "instructions" in line:
                return int(line.split(",")[0])
        raise RuntimeError(f"{server.name}: {p.stderr.strip()}")
    finally:
        if server.proc:
            server.stop()
        shutil.rmtree(run, ignore_errors=True)


def callgrind_count(make, backing, load, opts, requests):
    """The same by callgrind, but from the server's start to its end."""
    run = tempfile.mkdtemp(prefix="r.", dir=backing.dir)
    out = os.path.join(run, "callgrind")
    server = make(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out])
    try:
        server.start(backing, run)
        p = subprocess.run(client(server, load, opts, 0, 0) + ["-l", str(requests)],
                           capture_output=True, text=True, check=False)
        server.stop()
        if p.returncode != 0:
            raise RuntimeError(f"{server.name}: {p.stderr.strip()}")
        with open(out, encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith(("summary:", "totals:")):
                    return int(line.split()[1])
        raise RuntimeError("callgrind has left no sum")
    finally:
        if server.proc:
            server.stop()
        shutil.rmtree(run, ignore_errors=True)


def instructions(make, backing, load, opts, few, more):
    """Instructions of a request in user mode: the difference between runs of @few and of @more
    requests.  @make(prefix) makes the server.  None where nothing counts them."""
    if opts.pmu:
        count = pmu_count
    elif shutil.which("valgrind"):
        count = callgrind_count
    else:
        return None
    try:
        return (count(make, backing, load, opts, more) - count(make, backing, load, opts, few)) / (more - few)
    except (RuntimeError, OSError, ValueError) as e:
        say(f"-- instructions: {e}")
        return None


# --- what it says ---------------------------------------------------------------------


def median(runs, key):
    return statistics.median(r[key] for r in runs)


def paired(ours, theirs, key):
    """Median and range of the ratios, run by run."""
    ratios = [a[key] / b[key] for a, b in zip(ours, theirs) if b[key] > 0]
    if not ratios:
        return None
    return {"median": round(statistics.median(ratios), 3), "low": round(min(ratios), 3),
            "high": round(max(ratios), 3)}


def ratio_text(r):
    if r is None:
        return "-"
    if r["low"] <= 1 <= r["high"]:
        return f"no difference shown ({r['low']:.2f}..{r['high']:.2f})"
    return f"{r['median']:.2f} ({r['low']:.2f}..{r['high']:.2f})"
