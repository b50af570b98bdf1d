"""A server while it is measured: started fresh, pinned to its cores, ended by its own pid."""

import contextlib
import copy
import ctypes
import glob
import os
import re
import resource
import signal
import subprocess
import tempfile
import time
import urllib.request

import ports


def child_setup(cpus, group=None):
    """What a child does before it becomes its program: our limits, our cores, our death, and the
    control group `group` (cpu_quota.py) if there is one."""

    def setup():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if cpus:
            os.sched_setaffinity(0, cpus)
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        if group:
            group.enter()

    return setup


def has_socket(pid, port, listening=True):
    """`pid` or a descendant listens on `port`, or is connected to it. Asked of the kernel: whether
    a connection succeeds tells less. Somebody else may listen there, and where nobody does, a
    connection that is given the same port at its own end connects to itself."""
    state, column = ("0A", 1) if listening else ("01", 2)
    found = set()
    for table in glob.glob("/proc/net/tcp*"):  # tcp, and tcp6 if there is such a thing
        with open(table, encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        found |= {f"socket:[{row[9]}]" for row in rows
                  if row[3] == state and int(row[column].rsplit(":", 1)[1], 16) == port}
    return any(name in found for process in family(pid) for name in descriptors(process))


def descriptors(pid):
    """What they name. Of every thread: those of a hub have tables of their own."""
    for folder in glob.glob(f"/proc/{pid}/task/*/fd"):
        with contextlib.suppress(OSError):  # a thread that is gone
            for entry in os.scandir(folder):
                with contextlib.suppress(OSError):  # a descriptor that is gone
                    yield os.readlink(entry.path)


def family(pid):
    """`pid` and all its descendants."""
    found = [pid]
    for parent in found:  # grows while it is walked
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as file:
                    found += map(int, file.read().split())
        except OSError:
            continue
    return found


def last_line(text):
    """Where programs say what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no word why"


START_S = 60  # a server that does not listen by then does not start, on a busy machine either


class Server:
    """`with server.running(cpus): ...`. Subclasses say how it is started and spoken to."""

    name = "?"
    recipe = "tocsin"  # of `tocsin load`
    more_ports = 0  # that it must be told besides the one where it serves
    can_resume = True  # by Last-Event-ID
    can_pipeline = True  # publishing requests, on one connection
    coalesces = False  # sends what was published meanwhile in one go

    def __init__(self):
        self.process = None
        self.port = 0
        self.others = []  # ports
        self.folder = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def awaited_ports(self):
        """All that it must listen on before it counts as started."""
        return [self.port]

    def is_serving(self):
        """Of one that listens."""
        return True

    def load_arguments(self):
        """What `tocsin load` needs besides the URL."""
        return ["--recipe", self.recipe]

    def version(self):
        return ""

    def start(self, cpus, group=None):
        for tries_left in reversed(range(ports.TRIES)):
            self.port, *self.others = taken = [ports.take() for _ in range(1 + self.more_ports)]
            try:
                return self._start(cpus, group)
            except RuntimeError:
                if tries_left == 0 or all(map(ports.is_free, taken)):
                    raise

    def _start(self, cpus, group):
        self.folder = tempfile.TemporaryDirectory(prefix="tocsin-bench-")
        os.chmod(self.folder.name, 0o755)  # a worker may be another user
        command = self.command()
        with open(os.path.join(self.folder.name, "stderr"), "wb") as errors:
            self.process = subprocess.Popen(
                command, preexec_fn=child_setup(cpus, group), stdout=subprocess.DEVNULL,
                stderr=errors, cwd=self.folder.name, env={**os.environ, **self.environment()})
        deadline = time.monotonic() + START_S
        while why := self._why_not_started():
            status = self.process.poll()
            if status is None and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            why = (f"{why} after {START_S} s" if status is None
                   else f"it ended with status {status}")
            raise RuntimeError(f"{self.name} does not start: {why}: {last_line(self.stop())}")

    def _why_not_started(self):
        for port in self.awaited_ports():
            if not has_socket(self.process.pid, port):
                return f"port {port} is not open"
        return "" if self.is_serving() else "it refuses whoever asks"

    def stop(self):
        """Ends it; what it wrote to standard error."""
        if self.process is None:
            return ""
        helpers = family(self.process.pid)[1:]
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in helpers:  # those that did not go with their parent
            end_if_running(pid)
        with open(os.path.join(self.folder.name, "stderr"), encoding="utf-8",
                  errors="replace") as file:
            complaint = file.read()[-2000:]
        self.folder.cleanup()
        self.process = None
        return complaint

    def counters(self):
        """Its own counters by name, summed over labels; empty if it has none."""
        return {}

    def running(self, cpus, group=None):
        return Running(self, cpus, group)

    def asking(self, credentials, kind):
        """The same server, but it takes who has one of `credentials` (credentials.py) only; None:
        it knows no tokens of this kind."""
        del credentials, kind
        return None


def end_if_running(pid):
    """Descendants are reaped by init (or by a parent that ends); a moment's wait is enough."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for attempt in range(100):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                    if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                        return
                if attempt == 0:
                    os.kill(pid, number)
            except (OSError, IndexError):
                return
            time.sleep(0.02)


class Running:
    def __init__(self, server, cpus, group):
        self.server, self.cpus, self.group = server, cpus, group

    def __enter__(self):
        self.server.start(self.cpus, self.group)
        return self.server

    def __exit__(self, *_):
        self.server.stop()


class Tocsin(Server):
    coalesces = True

    def __init__(self, binary, io, shards=1, options=(), label="tocsin"):
        super().__init__()
        self.binary, self.io, self.shards, self.options = binary, io, shards, options
        self.name = f"{label}-{io}"

    @staticmethod
    def missing(binary):
        return missing_program("tocsin", binary)

    def with_options(self, *options):
        other = copy.copy(self)
        other.options = (*self.options, *map(str, options))
        return other

    def asking(self, credentials, kind):
        del kind  # it takes all of them at once
        return self.with_options("--config", credentials.config)

    def durable(self, folder, *options):
        """What it acknowledges is in a file of `folder`, synced."""
        return self.with_options("--history", f"sqlite:{folder}/history.db", *options)

    def joined(self, redis, *options):
        """With the history in the Redis server, which others have, too."""
        return self.with_options("--history", f"redis://127.0.0.1:{redis.port}/bench", *options)

    def command(self):
        return [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}",
                "--shards", str(self.shards), "--io", self.io, "--drain-timeout", "0",
                "--log-level", "warning", *self.options]

    def version(self):
        return output_of(self.binary, "--version")

    def metrics(self):
        """As it prints them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as reply:
            return reply.read().decode()

    def counters(self):
        totals = {}
        for name, value in re.findall(r"^(\w+)(?:{[^}]*})? (\S+)$", self.metrics(), re.MULTILINE):
            totals[name] = totals.get(name, 0) + float(value)
        return totals

    def buckets(self, histogram):
        """{upper bound: values up to it} of a histogram that is not split by labels."""
        found = re.findall(rf'^{histogram}_bucket{{le="([^"]+)"}} (\S+)$', self.metrics(),
                           re.MULTILINE)
        return {float(bound): float(count) for bound, count in found}


def missing_program(name, binary):
    """A line if it cannot be run, or nothing."""
    return "" if os.access(binary, os.X_OK) else f"{name}: {binary} is not built, left out"


class Bare(Server):
    """Accepts and holds sockets with nothing armed: what the kernel takes in any case."""

    name = "bare"

    def __init__(self, floor):
        super().__init__()
        self.floor = floor

    def command(self):
        return [self.floor, "--bare", "--port", str(self.port)]


class Floor(Server):
    """The bare send loop in a server's place: no hub can be cheaper behind the same client."""

    can_resume = False

    def __init__(self, floor, way):
        super().__init__()
        self.floor, self.way = floor, way
        self.name = f"floor-{way}"

    def command(self):
        return [self.floor, "--serve", self.way, "--port", str(self.port)]


def output_of(*command):
    """First line of what a program says (of its version), or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""


def package_version(package):
    return output_of("dpkg-query", "--show", "--showformat=${Version}", package)
