"""Reverse proxies in front of the hub, with the very lines that systemd/README.md gives.

Each runs from a folder of its own and without privileges.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from foreign import child_setup, has_socket
from hub import DEADLINE, eventually, ports

DOCUMENT = Path(__file__).resolve().parents[2] / "systemd" / "README.md"
NOBODY = 65534


def snippet(language):
    found = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"),
                       re.S | re.M)
    assert len(found) == 1, f"{DOCUMENT}: {len(found)} blocks of {language}"
    return found[0]


def replaced(text, *pairs):
    for old, new in pairs:
        assert old in text, f"{old!r} is not in the document's lines"
        text = text.replace(old, new)
    return text


class Proxy:
    """A context; `edits`: pairs of what stands in the snippet and what shall stand there."""

    program = ""
    language = ""
    silence_ends_a_stream = True
    more_ports = 0  # besides the one where it serves
    notices_at_once = True  # that a client has left; otherwise when it next has something for it

    def __init__(self, hub_address, *edits):
        self.lines = replaced(snippet(self.language), ("127.0.0.1:8080", hub_address), *edits)
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

    @property
    def port(self):
        return self.ports[0]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

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

    def _start(self):
        command = self.command()
        unprivileged = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        with open(self.path("log"), "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.root.name,
                env={**os.environ, "HOME": self.root.name, "XDG_DATA_HOME": self.root.name,
                     "XDG_CONFIG_HOME": self.root.name},
                preexec_fn=child_setup(None), **(unprivileged if os.getuid() == 0 else {}))

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
            self.process.kill()
            self.process.wait()

    def write(self, name, text):
        path = self.path(name)
        Path(path).write_text(text, encoding="utf-8")
        return path


class Nginx(Proxy):
    program = language = "nginx"

    def command(self):
        temporary = "".join(f"  {kind}_temp_path {self.path(kind)};\n" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        # A site that compresses whatever it can.
        config = self.write("nginx.conf", f"""
daemon off;
pid {self.path("pid")};
error_log stderr warn;
worker_processes 1;
events {{}}
http {{
  access_log off;
  gzip on;
  gzip_types *;
  gzip_proxied any;
  gzip_min_length 0;
{temporary}
{replaced(self.lines, ("listen 80;", f"listen 127.0.0.1:{self.port};"))}
}}
""")
        return ["nginx", "-p", self.root.name, "-c", config, "-e", "stderr"]


class Haproxy(Proxy):
    program = language = "haproxy"
    notices_at_once = False

    def command(self):
        config = self.write("haproxy.cfg", f"""
global
  maxconn 100
defaults
  timeout connect 5s
  timeout client 50s
  timeout server 50s
  retries 0
  compression algo gzip
  compression type text/event-stream text/plain
{replaced(self.lines, ("bind :80", f"bind 127.0.0.1:{self.port}"))}
""")
        return ["haproxy", "-db", "-f", config]


class Caddy(Proxy):
    """Over http on its port, over https on another with a certificate of its own authority."""

    program = "caddy"
    language = "caddyfile"
    silence_ends_a_stream = False
    more_ports = 1

    @property
    def tls_port(self):
        return self.ports[1]

    def command(self):
        lines = replaced(
            self.lines,
            ("grace_period 10s", "grace_period 1s\n  admin off\n  local_certs\n"
             "  skip_install_trust\n  auto_https disable_redirects"),
            ("events.example.com {", f"http://127.0.0.1:{self.port}, "
             f"https://events.example.com:{self.tls_port} {{"))
        return ["caddy", "run", "--adapter", "caddyfile", "--config", self.write("Caddyfile", lines)]

    def authority(self):
        return self.path("caddy/pki/authorities/local/root.crt")
