"""docs/rolling-restarts.md on one machine: hubs under a service manager, each at an address of its
own, a proxy in front, and `ssh` that reaches them. Every file and script is that of the document,
with other names, ports and paths in it.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from strict import DEADLINE  # first: it finds what comes next
import proxy
import proxy_programs
from hub import eventually, ports, run
from recipes import files
from supervisor import Supervisor

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "rolling-restarts.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
FILES = files(TEXT)
HUBS = ("hub-1", "hub-2", "hub-3")

# `ssh HUB WORDS...` and the service manager of the proxy's machine: asks the test.
ASK = f"""#!{sys.executable} -S
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as test:
    test.connect(os.environ["TEST"])
    test.sendall(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]).encode())
    test.shutdown(socket.SHUT_WR)
    sys.exit(int(test.makefile().read()))
"""
# `socat - PATH`
SOCAT = f"""#!{sys.executable} -S
import socket, sys
with socket.socket(socket.AF_UNIX) as other:
    other.connect(sys.argv[2])
    other.sendall(sys.stdin.buffer.read())
    other.shutdown(socket.SHUT_WR)
    sys.stdout.buffer.write(other.makefile("rb").read())
"""


class Machines:
    """A context: hubs at 127.0.1.1, 127.0.1.2 ... and one port, named as in the document until
    they are asked for. `settings`: NAME -> arguments of its hub."""

    def __init__(self, settings):
        self.port = str(ports.take())
        self.settings = settings
        self.supervisors = {}
        self.front = None
        self.stack = contextlib.ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))

    def __enter__(self):
        with self.stack:
            self.folder.chmod(0o755)  # the proxy is nobody's
            for name, arguments in self.settings.items():
                supervisor = Supervisor(*arguments, listen=self.local(f"{name}:8080"))
                self.supervisors[self.local(name)] = self.stack.enter_context(supervisor)
                supervisor.start()
            self.path = str(self.folder / "ask")
            self.asked = self.stack.enter_context(socket.socket(socket.AF_UNIX))
            self.asked.bind(self.path)
            self.asked.listen()
            thread = threading.Thread(target=self._answer, daemon=True)
            thread.start()
            self.stack.callback(thread.join)
            self.stack.callback(self.asked.shutdown, socket.SHUT_RDWR)
            self._write("ssh", ASK)
            self._write("systemctl", ASK)
            self._write("socat", SOCAT)
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def local(self, text):
        """With the names and the port that the hubs have here."""
        return text.replace("hub-", "127.0.1.").replace("8080", self.port)

    def pids(self):
        return [supervisor.hub.process.pid for supervisor in self.supervisors.values()]

    def script(self, name, *arguments):
        """Runs one of the document's scripts."""
        text = self.local(FILES[name])
        for old, new in self.front.paths().items():
            text = text.replace(old, new)
        done = subprocess.run(
            [self._write(name, text), *map(self.local, arguments)], capture_output=True, text=True,
            timeout=3 * DEADLINE, check=False, cwd=self.folder,
            env={**os.environ, "TEST": self.path, "PATH": f"{self.folder}:{os.environ['PATH']}"})
        assert done.returncode == 0, (name, done.stdout, done.stderr)

    def _answer(self):
        while True:
            try:
                asking, _ = self.asked.accept()
            except OSError:
                return
            with asking:
                words = json.loads(asking.makefile().read())
                try:
                    status = self._obey(*words)
                except Exception as error:  # the script's and so the test's failure
                    print(words, error, file=sys.stderr)
                    status = 1
                asking.sendall(str(status).encode())

    def _obey(self, program, *words):
        if program == "systemctl":
            assert words == (("reload", self.front.program)), words
            self.front.reload()
            return 0
        hub, *words = words
        supervisor = self.supervisors[hub]
        if words[:1] == ["systemctl"]:
            assert words[2:] == ["tocsin"], words
            {"restart": supervisor.restart, "start": supervisor.start,
             "stop": lambda: (supervisor.stop(), supervisor.release())}[words[1]]()
        elif words[:2] == ["tocsin", "check"]:
            run("check", "--quiet", *supervisor.arguments)
        else:
            assert words[0] == "curl", words
            subprocess.run([word.replace("127.0.0.1", hub) for word in words], check=True,
                           timeout=DEADLINE)
        return 0


class Front:
    """The proxy of the document. A mixin of those of proxy_programs.py."""

    file = ""

    def __init__(self, machines, *edits):
        super().__init__(":" + machines.port, *edits)
        self.machines = machines
        machines.front = self

    def replaced(self, *pairs):
        return self.machines.local(proxy.replaced(FILES[self.file], *pairs, *self.edits))

    def workers(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as children:
            return set(children.read().split())

    def reload(self):
        before = self.workers()
        self.process.send_signal(self.reload_signal)
        eventually(lambda: self.workers() - before, "new processes of the proxy")


class Haproxy(Front, proxy_programs.Haproxy):
    file = "haproxy.cfg"
    reload_signal = signal.SIGUSR2

    def paths(self):
        return {"/run/haproxy": self.root.name}

    def command(self):
        text = self.replaced(("  user haproxy\n  group haproxy\n", ""),
                             ("/run/haproxy", self.root.name),
                             ("bind :80\n", f"bind 127.0.0.1:{self.port}\n"))
        return ["haproxy", "-W", "-db", "-f", self.write("haproxy.cfg", text)]


class Nginx(Front, proxy_programs.Nginx):
    file = "events.conf"
    reload_signal = signal.SIGHUP

    def paths(self):
        return {"/etc/nginx/conf.d": self.root.name}

    def lines(self, *pairs, block=0):
        if block == 0:
            self.write("events.conf", self.replaced(*pairs))
            return f"include {self.path('events.conf')};"
        return super().lines(*pairs, block=block)
