"""The other servers: where they come from, how each is set up, and what it takes to talk to it.

Debian packages are used if they are installed. Servers on Go and Node libraries lie in
bench/peers/ and are built into BUILD/peers with the versions that their go.mod or package.json
pins, if the tools and the modules can be had. What cannot is left out, with a line why.
All are set up for what is measured, in their favour: one worker (or one core), logging off, no
limit that the run would meet.
"""

import base64
import copy
import hashlib
import hmac
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

from fetch import build_with_go, fetch_from_npm
from machine import split_cores
from servers import Server, child_setup, output_of, package_version

HERE = os.path.dirname(os.path.abspath(__file__))
NCHAN_MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"

# Buffers are large enough that nchan need not drop an event which a subscriber has yet to get.
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
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    location = /publish {{
      nchan_publisher;
      nchan_channel_id $arg_stream;
      nchan_message_buffer_length 20000;
      nchan_message_timeout 5m;
      {store}
    }}
    location = /events {{
      nchan_subscriber eventsource;
      nchan_channel_id $arg_stream;
      nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 15;
      {store}
    }}
  }}
}}
"""

# Its limit on messages per second is the default 2,500 otherwise.
PUSHPIN_CONFIG = """
[global]
include=/usr/lib/pushpin/internal.conf
rundir={root}
ipc_prefix=bench-
port_offset=0
stats_connection_ttl=120
[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port={port}
logdir={root}
log_level=0
client_buffer_size=8192
client_maxconn={connections}
condure_bin=condure
zurl_bin=zurl
[proxy]
routesfile={root}/routes
zurl_out_specs=ipc://{root}/bench-zurl-in
zurl_out_stream_specs=ipc://{root}/bench-zurl-in-stream
zurl_in_specs=ipc://{root}/bench-zurl-out
sig_key=bench
updates_check=off
[handler]
push_in_spec=tcp://127.0.0.1:{push}
push_in_sub_specs=tcp://127.0.0.1:{push_sub}
push_in_http_addr=127.0.0.1
push_in_http_port={control}
push_in_http_max_headers_size=10000
push_in_http_max_body_size=1000000
stats_spec=ipc://{root}/bench-stats
command_spec=tcp://127.0.0.1:{command}
message_rate=1000000000
message_hwm=1000000
"""


def open_files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class Nchan(Server):
    name = "nchan"
    recipe = "nchan"
    redis_port = 0  # of the server that has the messages; 0: this one has them

    def joined(self, redis):
        """With the messages in the Redis server, which others have, too."""
        other = copy.copy(self)
        other.redis_port = redis.port
        return other

    @staticmethod
    def missing():
        if not shutil.which("nginx") or not os.path.exists(NCHAN_MODULE):
            return "nchan: not installed (Debian: nginx-light libnginx-mod-nchan), left out"
        return ""

    def version(self):
        return (f"nchan {package_version('libnginx-mod-nchan')}, "
                f"nginx {package_version('nginx-light')}")

    def command(self):
        root = self.folder.name
        config = os.path.join(root, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            # Twice the descriptors: from 15/16 of worker_connections on, nginx drops connections
            # whose request is yet to come.
            file.write(NGINX_CONFIG.format(
                module=NCHAN_MODULE, files=open_files(), connections=2 * open_files(),
                port=self.port, root=root,
                upstream=(f"upstream store {{ nchan_redis_server 127.0.0.1:{self.redis_port}; }}"
                          if self.redis_port else ""),
                store="nchan_redis_pass store;" if self.redis_port else ""))
        return ["nginx", "-p", root, "-c", config]

    def is_serving(self):
        """Until it has its connections to the Redis server it refuses everybody."""
        if not self.redis_port:
            return True
        url = f"http://127.0.0.1:{self.port}/publish?stream=is-it-serving"
        try:
            with urllib.request.urlopen(url, data=b"?", timeout=10):
                return True
        except OSError:
            return False


class Pushpin(Server):
    """With an origin that holds every stream open; its CPU is that of all its processes."""

    name = "pushpin"
    recipe = "pushpin"
    can_resume = False
    can_pipeline = False
    more_ports = 4
    origin = None

    @staticmethod
    def missing():
        for program in ("pushpin", "condure", "zurl"):
            if not shutil.which(program):
                return "pushpin: not installed (Debian: pushpin), left out"
        return ""

    def version(self):
        return f"pushpin {package_version('pushpin')}, condure {package_version('condure')}"

    def command(self):
        root = self.folder.name
        self.control, push, push_sub, command = self.others
        with open(os.path.join(root, "routes"), "w", encoding="utf-8") as file:
            file.write(f"* 127.0.0.1:{self.origin_port}\n")
        config = os.path.join(root, "pushpin.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(PUSHPIN_CONFIG.format(
                root=root, port=self.port, connections=open_files() - 100, control=self.control,
                push=push, push_sub=push_sub, command=command))
        return ["pushpin", f"--config={config}"]

    def _start(self, cpus, group):
        # Beside the generator: it is no part of Pushpin, and only asked when a stream opens.
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
            self.origin_port = listener.getsockname()[1]
            self.origin = subprocess.Popen(
                [sys.executable, os.path.join(HERE, "peers", "grip_origin.py")],
                preexec_fn=child_setup(split_cores()[1]), stdin=listener,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            super()._start(cpus, group)
            self.wait_for_streams()
        except BaseException:
            self.stop()
            raise

    def wait_for_streams(self):
        """Its parts find each other some time after its port is open."""
        deadline = time.monotonic() + 15
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/events", timeout=2):
                    return
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} opens no stream") from None
                time.sleep(0.1)

    def stop(self):
        if self.origin:
            self.origin.kill()
            self.origin.wait()
            self.origin = None
        return super().stop()

    def awaited_ports(self):
        return [self.port, self.control]

    def load_arguments(self):
        return ["--recipe", self.recipe, "--publish-url",
                f"http://127.0.0.1:{self.control}/publish/"]


class GoServer(Server):
    """A program of bench/peers, built by Go."""

    label = ""
    module = ""

    def __init__(self, build):
        super().__init__()
        self.binary = os.path.join(build, "peers", self.name)

    @classmethod
    def prepare(cls, build):
        """Builds it if it is not there or older than its source; why it cannot be, or nothing."""
        return build_with_go(cls.name, os.path.join(HERE, "peers", cls.folder_name()),
                             os.path.join(build, "peers", cls.name))

    @classmethod
    def folder_name(cls):
        return cls.name

    def environment(self):
        return {"GOMAXPROCS": "1"}

    def command(self, *options):
        return [self.binary, "--listen", f"127.0.0.1:{self.port}", *options]

    def version(self):
        with open(os.path.join(HERE, "peers", self.folder_name(), "go.mod"),
                  encoding="utf-8") as file:
            found = re.search(re.escape(self.module) + r" (\S+)", file.read())
        return f"{self.label} {found.group(1) if found else '?'}, {output_of('go', 'version')}"


class R3labs(GoServer):
    name = "r3labs"
    recipe = "r3labs"
    can_resume = False  # its history is off, see main.go
    label = "r3labs/sse"
    module = "github.com/r3labs/sse/v2"


class Hertz(GoServer):
    name = "hertz"
    recipe = "hertz"
    can_resume = False
    label = "hertz-contrib/sse"
    module = "github.com/hertz-contrib/sse"


class Centrifuge(GoServer):
    """Centrifugo itself is no module that can be built from outside; its library is."""

    name = "centrifuge"
    recipe = "centrifugo"
    can_resume = False
    label = "centrifuge (Centrifugo's library)"
    module = "github.com/centrifugal/centrifuge"


class Mercure(GoServer):
    name = "mercure"
    recipe = "mercure"
    can_resume = False  # with the transport that is fastest
    label = "Mercure (library, in-memory transport)"
    module = "github.com/dunglas/mercure"
    KEY = "a key of at least thirty-two bytes for the bench"
    options = ()

    def with_options(self, *options):
        other = copy.copy(self)
        other.options = (*self.options, *options)
        return other

    def asking(self, credentials, kind):
        if kind != "es256":  # it knows one key
            return None
        return self.with_options("--subscribers-key", credentials.public_key)

    def durable(self, folder, *of_a_hub):
        """What it acknowledges is in a file of `folder`, synced."""
        del of_a_hub
        return self.with_options("--bolt", os.path.join(folder, "bolt.db"))

    def command(self):
        return [*super().command(), "--key", self.KEY, *self.options]

    def load_arguments(self):
        token = json_web_token({"mercure": {"publish": ["*"]}}, self.KEY)
        return ["--recipe", self.recipe, "--publish-header", f"Authorization: Bearer {token}"]


class BetterSse(Server):
    name = "better-sse"
    recipe = "better-sse"
    can_resume = False
    SOURCE = os.path.join(HERE, "peers", "better_sse")

    def __init__(self, build):
        super().__init__()
        self.modules = os.path.join(build, "peers", "better_sse")

    @classmethod
    def prepare(cls, build):
        return fetch_from_npm(cls.name, cls.SOURCE, os.path.join(build, "peers", "better_sse"))

    def command(self, *options):
        # Its own folder is a temporary one; the package is found from the one it was installed in.
        return ["/bin/sh", "-c", 'cd "$0" && exec node "$@"', self.modules,
                os.path.join(self.SOURCE, "server.mjs"), str(self.port), *options]

    def version(self):
        with open(os.path.join(self.SOURCE, "package.json"), encoding="utf-8") as file:
            pinned = json.load(file)["dependencies"]["better-sse"]
        return f"better-sse {pinned}, node {output_of('node', '--version')}"


def json_web_token(claims, key):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + b"." + part(
        json.dumps(claims).encode())
    return (text + b"." + part(hmac.new(key.encode(), text, hashlib.sha256).digest())).decode()


KINDS = (Nchan, Pushpin, Centrifuge, Mercure, R3labs, Hertz, BetterSse)


def all_peers(build, say, wanted=None):
    """Every peer that is there, prepared; `wanted`: names, or all."""
    found = []
    for kind in KINDS:
        if wanted and kind.name not in wanted:
            continue
        why = kind.missing() if hasattr(kind, "missing") else kind.prepare(build)
        if why:
            say(why)
        else:
            found.append(kind() if hasattr(kind, "missing") else kind(build))
    return found
