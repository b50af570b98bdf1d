"""A reverse proxy in front of the hub, with the very lines that docs/proxies.md gives.

Each runs from a folder of its own and without privileges. The programs: proxy_programs.py.
"""

import contextlib
import os
import re
import resource
import signal
import subprocess
import tempfile
from pathlib import Path

from foreign import child_setup, has_socket
from hub import DEADLINE, eventually, ports

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "proxies.md"
NOBODY = 65534


def snippet(words):
    """The block that has these words behind its first three quotes."""
    found = re.findall(rf"^```{re.escape(words)}\n(.*?)^```$",
                       DOCUMENT.read_text(encoding="utf-8"), re.S | re.M)
    assert len(found) == 1, f"{DOCUMENT}: {len(found)} blocks of {words}"
    return found[0]


def replaced(text, *pairs):
    for old, new in pairs:
        assert old in text, f"{old!r} is not in the document's lines"
        text = text.replace(old, new)
    return text


class Proxy:
    """A context; `edits`: pairs of what stands in the first of `blocks` and what shall stand there."""

    program = ""
    package = ""  # Debian's, where it is called otherwise
    blocks = ()   # of the document
    hub_text = "127.0.0.1:{port}"  # how it is named
    hub_block = 0  # where
    descriptors = 1024  # the soft limit that Debian's unit gives; systemd's default
    silence_ends_a_stream = True
    more_ports = 0  # besides the one where it serves
    notices_at_once = True  # that a client has left; otherwise when it next has something for it
    scheme = "http"

    def __init__(self, hub_address, *edits):
        self.hub_port = hub_address.rsplit(":", 1)[1]
        self.edits = edits
        self.root = tempfile.TemporaryDirectory(prefix="tocsin-proxy-")
        self.process = None
        self.ports = []
        if os.getuid() == 0:
            os.chown(self.root.name, NOBODY, NOBODY)

    def __enter__(self):
        for _ in range(ports.TRIES):
            self.ports = [ports.take() for _ in range(1 + self.more_ports)]
            if self._start():
                return self
            if all(map(ports.is_free, self.ports)):
                break
        raise self._failure()

    def __exit__(self, *_):
        self.stop()
        self.root.cleanup()

    def lines(self, *pairs, block=0):
        """Those of the document, with our hub in them and what `pairs` say."""
        text = snippet(self.blocks[block])
        if block == self.hub_block:
            text = replaced(text, (self.hub_text.format(port=8080),
                                   self.hub_text.format(port=self.hub_port)))
        return replaced(text, *pairs, *(self.edits if block == 0 else ()))

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    @property
    def port(self):
        return self.ports[0]

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def path(self, name):
        return os.path.join(self.root.name, name)

    def log(self):
        return Path(self.path("log")).read_text(encoding="utf-8", errors="replace")

    def start(self):
        """Again, on the ports that it had before."""
        if not self._start():
            raise self._failure()

    def _failure(self):
        return AssertionError(f"{self.program} does not start: {self.log()}")

    def _limits(self):
        child_setup(None)()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(self.descriptors, hard), hard))

    def _start(self):
        command = self.command()
        unprivileged = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        with open(self.path("log"), "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.root.name,
                env={**os.environ, "HOME": self.root.name, "XDG_DATA_HOME": self.root.name,
                     "XDG_CONFIG_HOME": self.root.name, **self.environment()},
                preexec_fn=self._limits, start_new_session=True,
                **(unprivileged if os.getuid() == 0 else {}))

        eventually(lambda: self.process.poll() is not None or
                   all(has_socket(self.process.pid, port) for port in self.ports),
                   f"{self.program} on its ports")
        return self.process.poll() is None

    def stop(self):
        """As its service is stopped. Streams are cut off."""
        self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        finally:
            self.kill()

    def kill(self):
        """With all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def write(self, name, text):
        path = self.path(name)
        Path(path).write_text(text, encoding="utf-8")
        return path

    def folder(self, name):
        """A new one that the program may write to."""
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        if os.getuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        return path


def descriptors_of_the_document():
    """What the document has the administrator give to those whose unit gives too few."""
    return int(re.search(r"^LimitNOFILE=(\d+)$", snippet("ini descriptors"), re.M).group(1))
