"""The proxies, each with the document's lines in what else its configuration needs."""

import os
import shutil
import subprocess
from pathlib import Path

from proxy import Proxy, descriptors_of_the_document


class Nginx(Proxy):
    program = "nginx"
    blocks = ("nginx", "nginx nginx.conf")

    def command(self):
        temporary = "".join(f"  {kind}_temp_path {self.path(kind)};\n" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        # A site that compresses whatever it can.
        config = self.write("nginx.conf", f"""
daemon off;
pid {self.path("pid")};
error_log stderr warn;
worker_processes 1;
{self.lines(block=1)}
http {{
  access_log off;
  gzip on;
  gzip_types *;
  gzip_proxied any;
  gzip_min_length 0;
{temporary}
{self.lines(("listen 80;", f"listen 127.0.0.1:{self.port};"))}
}}
""")
        return ["nginx", "-p", self.root.name, "-c", config, "-e", "stderr"]


class Haproxy(Proxy):
    program = "haproxy"
    blocks = ("haproxy",)

    def command(self):
        return ["haproxy", "-db", "-f", self.write("haproxy.cfg", self.lines(
            ("bind :80", f"bind 127.0.0.1:{self.port}"),
            ("  mode http\n", "  mode http\n  compression algo gzip\n"
             "  compression type text/event-stream text/plain\n")))]


class Caddy(Proxy):
    """Over http on its port, over https on another with a certificate of its own authority."""

    program = "caddy"
    blocks = ("caddyfile",)
    descriptors = 1048576
    silence_ends_a_stream = False
    more_ports = 1

    @property
    def tls_port(self):
        return self.ports[1]

    def command(self):
        lines = self.lines(
            ("grace_period 10s", "grace_period 1s\n  admin off\n  local_certs\n"
             "  skip_install_trust\n  auto_https disable_redirects"),
            ("events.example.com {", f"http://127.0.0.1:{self.port}, "
             f"https://events.example.com:{self.tls_port} {{"))
        return ["caddy", "run", "--adapter", "caddyfile", "--config", self.write("Caddyfile", lines)]

    def authority(self):
        return self.path("caddy/pki/authorities/local/root.crt")


class Apache(Proxy):
    program = "apache2"
    blocks = ("apache",)
    descriptors = 8192  # of apachectl
    notices_at_once = False

    MODULES = ("mpm_event", "authz_core", "setenvif", "proxy", "proxy_http", "filter", "deflate")

    def command(self):
        load = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
                       for name in self.MODULES)
        # A site that compresses whatever it can.
        config = self.write("httpd.conf", f"""
ServerName localhost
ServerRoot {self.root.name}
DefaultRuntimeDir {self.root.name}
PidFile {self.path("pid")}
ErrorLog {self.path("error")}
Listen 127.0.0.1:{self.port}
{load}
SetOutputFilter DEFLATE
{self.lines(("*:80", f"127.0.0.1:{self.port}"))}
""")
        return ["apache2", "-f", config, "-D", "FOREGROUND"]


class Lighttpd(Proxy):
    program = "lighttpd"
    blocks = ("lighttpd",)
    hub_text = '"host" => "127.0.0.1", "port" => {port}'
    notices_at_once = False

    def command(self):
        return ["lighttpd", "-D", "-f", self.write("lighttpd.conf", f"""
server.modules = ("mod_proxy")
server.document-root = "{self.root.name}"
server.bind = "127.0.0.1"
server.port = {self.port}
server.upload-dirs = ("{self.root.name}")
{self.lines()}
""")]


class Varnish(Proxy):
    program = "varnishd"
    package = "varnish"
    blocks = ("vcl",)
    hub_text = '.port = "{port}"'
    descriptors = 131072

    def command(self):
        return ["varnishd", "-F", "-j", "none", "-n", self.path("varnish"),
                "-a", f"127.0.0.1:{self.port}", "-s", "malloc,16m",
                "-f", self.write("default.vcl", self.lines())]


class Squid(Proxy):
    program = "squid"
    blocks = ("squid",)
    hub_text = "127.0.0.1 parent {port}"

    def command(self):
        # By the name of the service its shared memory is called, which belongs to whoever made it.
        return ["squid", "-N", "-d1", "-n", f"tocsin{os.getpid()}", "-f", self.write("squid.conf", f"""
visible_hostname localhost
pid_filename {self.path("pid")}
access_log none
cache_log {self.path("cache")}
coredump_dir {self.root.name}
{self.lines(("http_port 80", f"http_port 127.0.0.1:{self.port}"))}
""")]


class H2o(Proxy):
    program = "h2o"
    blocks = ("yaml h2o",)
    descriptors = 65536
    notices_at_once = False

    def command(self):
        config = self.write("h2o.conf", self.lines(
            ("listen: 80\n", f"listen:\n  host: 127.0.0.1\n  port: {self.port}\n"
             "compress: ON\nnum-threads: 2\n")))
        return ["h2o", "-m", "worker", "-c", config]


class Nghttpx(Proxy):
    program = "nghttpx"
    package = "nghttp2-proxy"
    blocks = ("nghttpx",)
    hub_text = "127.0.0.1,{port};"

    def command(self):
        config = self.write("nghttpx.conf", self.lines(("*,80", f"127.0.0.1,{self.port}")))
        return ["nghttpx", f"--conf={config}", "--errorlog-file=/dev/null"]


class TrafficServer(Proxy):
    program = "traffic_server"
    package = "trafficserver"
    blocks = ("ats records.config", "ats remap.config")
    hub_block = 1
    notices_at_once = False

    def command(self):
        for name in ("etc", "logs", "run", "cache"):
            self.folder(name)
        for file in Path("/etc/trafficserver").glob("*.*"):
            if file.is_file():
                shutil.copy(file, self.path("etc"))
        self.write("etc/records.config", self.lines(
            ("server_ports STRING 80", f"server_ports STRING {self.port}:ip-in=127.0.0.1")))
        self.write("etc/remap.config", self.lines(
            ("events.example.com", f"127.0.0.1:{self.port}"), block=1))
        self.write("etc/storage.config", "")
        self.write("runroot.yaml", f"""
prefix: {self.root.name}
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/bin
sysconfdir: {self.path("etc")}
datadir: {self.path("cache")}
includedir: /usr/include
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
localstatedir: {self.path("run")}
runtimedir: {self.path("run")}
logdir: {self.path("logs")}
cachedir: {self.path("cache")}
""")
        return ["traffic_server", f"--run-root={self.path('runroot.yaml')}"]


class Tinyproxy(Proxy):
    program = "tinyproxy"
    blocks = ("tinyproxy",)

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.descriptors = descriptors_of_the_document()

    def command(self):
        return ["tinyproxy", "-d", "-c", self.write("tinyproxy.conf", self.lines(
            ("Port 80\n", f"Port {self.port}\nListen 127.0.0.1\nLogLevel Error\n")))]


class Tunnel(Proxy):
    """Over TLS; knows nothing of HTTP."""

    scheme = "https"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.descriptors = descriptors_of_the_document()

    def authority(self):
        return self.path("events.pem")

    def certificate(self):
        key, certificate = self.path("key"), self.path("certificate")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True, timeout=60)
        return self.write("events.pem", Path(certificate).read_text(encoding="ascii") +
                          Path(key).read_text(encoding="ascii"))


class Stunnel(Tunnel):
    program = "stunnel4"
    blocks = ("ini stunnel",)

    def command(self):
        return ["stunnel4", self.write("stunnel.conf", "foreground = yes\npid =\n" + self.lines(
            ("accept = 443", f"accept = 127.0.0.1:{self.port}"),
            ("/etc/ssl/events.pem", self.certificate())))]


class Hitch(Tunnel):
    program = "hitch"
    blocks = ("ini hitch",)
    hub_text = "[127.0.0.1]:{port}"

    def command(self):
        return ["hitch", "--config=" + self.write("hitch.conf", self.lines(
            ("[*]:443", f"[127.0.0.1]:{self.port}"),
            ("/etc/ssl/events.pem", self.certificate())))]
