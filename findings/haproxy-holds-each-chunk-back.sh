#!/bin/bash
# Guess: a proxy passes a body in chunks on as the chunks come, as it passes on one that ends with
#   the connection; of the two, chunks are the safer choice for streams of events.
# Package: haproxy 2.6.12-1+deb12u4 (Debian 12)
# Seen 2026-11-29: what has no length and no chunks is passed on within a millisecond or so. Of a
#   body in chunks every chunk waits for some 0.2 s, which is the kernel's cork: the proxy sends with
#   MSG_MORE as long as the body goes on. `option http-no-delay` switches that off.
. "$(dirname "$(realpath "$0")")/lib"
need python3
from_debian haproxy=2.6.12-1+deb12u4
cat >program.py <<'PY'
import contextlib
import socket
import statistics
import subprocess
import threading
import time

EVENTS = 10
go_on = threading.Semaphore(0)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"


def serve(listener):
    """An event, in chunks or not, whenever the client has got the one before."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += connection.recv(65536)
                chunked = request.startswith(b"GET /chunks ")
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                framing = b"Transfer-Encoding: chunked\r\n" if chunked else b"Connection: close\r\n"
                connection.sendall(HEAD + framing + b"\r\n")
                for i in range(EVENTS):
                    go_on.acquire()
                    event = b"data: %d\n\n" % i
                    connection.sendall(b"%x\r\n%s\r\n" % (len(event), event) if chunked else event)
                go_on.acquire()


def median_delay(path, option):
    with socket.create_server(("127.0.0.1", 0)) as front:  # handed to HAProxy
        with open("haproxy.cfg", "w", encoding="ascii") as file:
            file.write(f"""
defaults
  mode http
  {option}
  timeout connect 5s
  timeout client 50s
  timeout server 50s
frontend front
  bind fd@{front.fileno()}
  default_backend back
backend back
  server one 127.0.0.1:{server.getsockname()[1]}
""")
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", "haproxy.cfg"],
                                   pass_fds=[front.fileno()], stderr=subprocess.DEVNULL)
        try:
            with socket.create_connection(front.getsockname(), timeout=30) as client:
                client.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path)
                seen = b""
                while b"\r\n\r\n" not in seen:
                    seen += client.recv(65536)
                delays = []
                for i in range(EVENTS):
                    begin = time.monotonic()
                    go_on.release()
                    while b"data: %d\n" % i not in seen:
                        seen += client.recv(65536)
                    delays.append(time.monotonic() - begin)
                go_on.release()
        finally:
            haproxy.kill()
            haproxy.wait()
    median = statistics.median(delays)
    print(f"{path.decode()} {option}: {1000 * median:.1f} ms")
    return median


with socket.create_server(("127.0.0.1", 0)) as server:
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    plain = median_delay(b"/plain", "")
    chunks = median_delay(b"/chunks", "")
    at_once = median_delay(b"/chunks", "option http-no-delay")
print("still so" if chunks > 20 * plain and chunks > 20 * at_once else "changed")
PY
judge python3 program.py
