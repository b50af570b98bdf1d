#!/bin/bash
# Guess: a POST that the server behind the proxy has read, and hung up on without an answer, is
#   answered 502 and not sent again, because nobody knows what it has done. HTTP/2 changes nothing.
# Package: haproxy 2.6.12-1+deb12u4, curl 7.88.1-10+deb12u15 (Debian 12)
# Seen 2026-11-29: over HTTP/1.1 one POST and 502. Over HTTP/2 the proxy resets the stream with
#   REFUSED_STREAM, "not processed", which allows the client to try again by itself: one curl command
#   makes the server read the POST six times.
. "$(dirname "$(realpath "$0")")/lib"
need python3
from_debian haproxy=2.6.12-1+deb12u4 curl=7.88.1-10+deb12u15
cat >program.py <<'PY'
import contextlib
import socket
import subprocess
import threading

BODY = b"order=7"
read_by_server = []


def serve(listener):
    """Reads a whole POST, then hangs up."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            request = b""
            with connection:
                while not request.endswith(b"\r\n\r\n" + BODY):
                    data = connection.recv(65536)
                    if not data:
                        break
                    request += data
                else:
                    read_by_server.append(request)


def posts(protocol, curl_option):
    """How often the server read the one POST; what curl says of the answer's status."""
    read_by_server.clear()
    with socket.create_server(("127.0.0.1", 0)) as front:  # handed to HAProxy
        address = "127.0.0.1:%d" % front.getsockname()[1]
        with open("haproxy.cfg", "w", encoding="ascii") as file:
            file.write(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 50s
  timeout server 50s
frontend front
  bind fd@{front.fileno()} {protocol}
  default_backend back
backend back
  server one 127.0.0.1:{server.getsockname()[1]}
""")
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", "haproxy.cfg"],
                                   pass_fds=[front.fileno()], stderr=subprocess.DEVNULL)
        try:
            curl = subprocess.run(
                ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", curl_option, "-d",
                 BODY.decode(), f"http://{address}/"], capture_output=True, text=True, timeout=60)
        finally:
            haproxy.kill()
            haproxy.wait()
    print(f"{curl_option}: the server read the POST {len(read_by_server)} times, status {curl.stdout}")
    return len(read_by_server), curl.stdout


with socket.create_server(("127.0.0.1", 0)) as server:
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    once = posts("", "--http1.1") == (1, "502")
    count, _ = posts("proto h2", "--http2-prior-knowledge")
print("still so" if once and count > 1 else "changed")
PY
judge python3 program.py
