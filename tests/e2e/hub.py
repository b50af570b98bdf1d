"""`tocsin` as processes, and sockets to talk to it. Every wait ends at a deadline.

The binary is named by the environment variable TOCSIN. Modules of bench are found by those who
import this one first.
"""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
import ports  # noqa: E402

TOCSIN = os.environ["TOCSIN"]
DEADLINE = 60.0  # far beyond what a loaded machine under a sanitizer needs


def lasting_address():
    """Where a hub listens that is going to be away for a while and comes back."""
    return f"127.0.0.1:{ports.take()}"


def eventually(condition, what="the condition", pause_s=0.01):
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true")
        select.select([], [], [], pause_s)  # somebody else's turn


def run(*arguments, stdin="", status=0, environment=None):
    """Runs `tocsin ARGUMENTS` to its end; its standard output and error."""
    done = subprocess.run([TOCSIN, *arguments], input=stdin, capture_output=True, text=True,
                          timeout=DEADLINE, env=environment)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: status {done.returncode}, not {status}: "
                             f"{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def is_sanitized():
    with open(TOCSIN, "rb") as program:
        code = program.read()
    return b"__asan_init" in code or b"__tsan_init" in code


class Process:
    """A running `tocsin`, or another program; its output is collected line by line."""

    def __init__(self, *arguments, program=(TOCSIN,), environment=None, before=None, folder=None,
                 descriptors=(), source=subprocess.DEVNULL):
        self.process = subprocess.Popen([*program, *arguments], stdin=source,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment, preexec_fn=before, cwd=folder,
                                        pass_fds=descriptors)
        self.out, self.log = [], []
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out),
                                     (self.process.stderr, self.log))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        with contextlib.suppress(ValueError):  # closed by close_log()
            for line in stream:
                lines.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()

    def wait_log(self, text, start=0):
        """The first line of the log that contains `text`."""
        found = []

        def look():
            found[:] = [line for line in self.log[start:] if text in line]
            return found or self.process.poll() is not None
        eventually(look, f"{text!r} in the log")
        if not found:
            self.readers[1].join(5)
            found = [line for line in self.log[start:] if text in line]
        if not found:
            raise AssertionError(f"ended without {text!r}: {self.log}")
        return found[0]

    def wait_out(self, count):
        eventually(lambda: len(self.out) >= count or self.process.poll() is not None,
                   f"{count} lines of output")
        if len(self.out) < count:
            self.readers[0].join(5)
        if len(self.out) < count:
            raise AssertionError(f"ended with {self.out}; {self.log}")
        return self.out[:count]

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self):
        status = self.process.wait(DEADLINE)
        for reader in self.readers:
            reader.join(5)
        return status

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Hub(Process):
    """`tocsin serve` (or `demo`), listening."""

    def __init__(self, *arguments, command="serve", listen="127.0.0.1:0", **more):
        super().__init__(command, "--listen", listen, "--log-format", "logfmt", *arguments, **more)
        try:
            line = self.wait_log("msg=listening")
            self.address = re.search(r"address=\"?([^\s\",]+)", line).group(1)
        except BaseException:
            self.__exit__()
            raise
        self.url = f"http://{self.address}"

    def connect(self):
        host, port = self.address.rsplit(":", 1)
        return Connection(host, int(port))

    def ask(self, method, target, body=b"", fields=""):
        with self.connect() as connection:
            return connection.ask(method, target, body, fields)

    def publish(self, stream, data):
        status, head, body = self.ask("POST", f"/publish?stream={stream}", data.encode())
        assert status == 204, (head, body)

    def counter(self, name, labels=""):
        """The sum of its lines that have these labels."""
        page = self.ask("GET", "/metrics")[2]
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines()
                   if re.match(rf"{name}[ {{]", line) and labels in line)

    def wait_streams(self, count):
        """Until so many streams are open."""
        eventually(lambda: self.counter("tocsin_connections", 'state="stream"') == count,
                   f"{count} streams")

    @contextlib.contextmanager
    def stream(self, target, fields=""):
        with self.connect() as connection:
            connection.send(f"GET {target} HTTP/1.1\r\nHost: hub\r\n{fields}\r\n".encode())
            status, head, _ = connection.response()
            assert status == 200, head
            yield connection

    def stop(self):
        """Ends it at once and returns its exit status."""
        self.signal(signal.SIGTERM)
        self.wait_log("msg=draining")
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGTERM)
        return self.wait_exit()


class Connection:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=DEADLINE)
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """False: the end."""
        data = self.socket.recv(65536)
        self.unread += data
        return bool(data)

    def read_until(self, text):
        while text not in self.unread:
            if not self.receive():
                raise AssertionError(f"ended before {text!r}: {self.unread!r}")
        taken, self.unread = self.unread.split(text, 1)
        return taken + text

    def read_to_end(self):
        with contextlib.suppress(ConnectionResetError):
            while self.receive():
                pass
        return self.unread

    def response(self):
        head = self.read_until(b"\r\n\r\n").decode()
        length = re.search(r"\r\nContent-Length: (\d+)", head)
        size = int(length.group(1)) if length else 0
        while len(self.unread) < size:
            assert self.receive(), "a short body"
        body, self.unread = self.unread[:size], self.unread[size:]
        return int(head.split(" ", 2)[1]), head, body.decode()

    def ask(self, method, target, body=b"", fields=""):
        self.send(f"{method} {target} HTTP/1.1\r\nHost: hub\r\n{fields}"
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return self.response()


def each_backend():
    """The words of --io that work here."""
    yield "epoll"
    # Where a sandbox forbids io_uring the hub ends and says so.
    with Process("serve", "--listen", "127.0.0.1:0", "--io", "uring") as probe:
        eventually(lambda: probe.log)
        if "cannot start" in "".join(probe.log):
            return
    yield "uring"
