"""The servers that run.py compares: each is started fresh, pinned, and ended by its own pid."""

import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

NCHAN_MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"

# One worker, against one shard. Buffers are large enough that nchan need not drop an event which a
# subscriber has yet to get, logging is off, and connections and memory are not what limits it.
NGINX_CONFIG = """
load_module {module};
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log warn;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  client_body_buffer_size 64k;
  nchan_max_reserved_memory 1024M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    location = /publish {{
      nchan_publisher;
      nchan_channel_id $arg_stream;
      nchan_message_buffer_length 20000;
      nchan_message_timeout 5m;
    }}
    location = /events {{
      nchan_subscriber eventsource;
      nchan_channel_id $arg_stream;
      nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 15;
    }}
  }}
}}
"""


def child_setup(cpus):
    """What a child does before it becomes its program: our limits, our cores, our death."""

    def setup():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if cpus:
            os.sched_setaffinity(0, cpus)
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG

    return setup


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Contender:
    """A server while it runs: `with contender.running(cpus): ...`."""

    name = "?"
    process = None
    port = 0

    def command(self):
        raise NotImplementedError

    def start(self, cpus):
        self.port = free_port()
        self.process = subprocess.Popen(
            self.command(), preexec_fn=child_setup(cpus), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"{self.name} does not start: {self.complaint}") from None
                time.sleep(0.02)

    complaint = ""

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.complaint = self.process.communicate()[1].decode(errors="replace")[-2000:]
        self.process = None

    def counters(self):
        """Its own counters by name, summed over labels; empty if it has none."""
        return {}

    def running(self, cpus):
        return Running(self, cpus)


class Running:
    def __init__(self, contender, cpus):
        self.contender, self.cpus = contender, cpus

    def __enter__(self):
        self.contender.start(self.cpus)
        return self.contender

    def __exit__(self, *_):
        self.contender.stop()


class Nchan(Contender):
    name = "nchan"
    root = None

    @staticmethod
    def missing():
        if not shutil.which("nginx") or not os.path.exists(NCHAN_MODULE):
            return "nchan: not installed (Debian: nginx-light libnginx-mod-nchan), left out"
        return ""

    def command(self):
        self.root = tempfile.TemporaryDirectory(prefix="tocsin-bench-nginx-")
        os.chmod(self.root.name, 0o755)  # the worker is another user
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        config = os.path.join(self.root.name, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            # Twice the descriptors: from 15/16 of worker_connections on, nginx drops connections
            # whose request is yet to come.
            file.write(NGINX_CONFIG.format(
                module=NCHAN_MODULE, files=hard, connections=2 * hard, port=self.port,
                root=self.root.name))
        return ["nginx", "-p", self.root.name, "-c", config]

    def stop(self):
        super().stop()
        if self.root:
            self.root.cleanup()
            self.root = None


class Tocsin(Contender):
    def __init__(self, binary, io):
        self.binary, self.io = binary, io
        self.name = f"tocsin-{io}"

    def command(self):
        return [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--shards", "1",
                "--io", self.io, "--drain-timeout", "0", "--log-level", "warning"]

    def counters(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        totals = {}
        for name, value in re.findall(r"^(\w+)(?:{[^}]*})? (\S+)$", text, re.MULTILINE):
            totals[name] = totals.get(name, 0) + float(value)
        return totals


class Bare(Contender):
    """Accepts and holds sockets with nothing armed: what the kernel takes in any case."""

    name = "bare"

    def __init__(self, floor):
        self.floor = floor

    def command(self):
        return [self.floor, "--bare", "--port", str(self.port)]


class Floor(Contender):
    """The bare send loop in a server's place: no hub can be cheaper behind the same client."""

    def __init__(self, floor, way):
        self.floor, self.way = floor, way
        self.name = f"floor-{way}"

    def command(self):
        return [self.floor, "--serve", self.way, "--port", str(self.port)]
