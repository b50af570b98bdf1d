#!/bin/bash
# Guess: `Cache-Control: no-transform` keeps a reverse proxy from compressing a response: RFC 9111,
#   5.2.2.6, forbids it to any intermediary, and Express' `compression` obeys. It is what one sends with
#   an event stream to be safe.
# Package: nginx 1.22.1-9+deb12u11 (Debian 12)
# Seen 2026-11-29: with `gzip on`, nginx passes the header on and compresses the body all the same.
. "$(dirname "$(realpath "$0")")/lib"
need python3
from_debian nginx-light=1.22.1-9+deb12u11 nginx=1.22.1-9+deb12u11
cat >program.py <<'PY'
import contextlib
import os
import socket
import subprocess
import sys
import threading

BODY = b"data: " + b"x" * 2000 + b"\n\n"
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-transform\r\n"
          b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY)) + BODY


def serve(listener):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(ANSWER)


with socket.create_server(("127.0.0.1", 0)) as server:
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    here = os.getcwd()
    temporary = "".join(f"  {kind}_temp_path {here}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open("nginx.conf", "w", encoding="ascii") as file:
        file.write(f"""
daemon off;
master_process off;
pid {here}/pid;
events {{}}
http {{
  access_log off;
  gzip on;
  gzip_types text/plain;
{temporary}
  server {{
    listen unix:{here}/front;
    location / {{ proxy_pass http://127.0.0.1:{server.getsockname()[1]}; }}
  }}
}}
""")
    with open("nginx.log", "wb") as log:
        nginx = subprocess.Popen(["nginx", "-p", here, "-c", here + "/nginx.conf", "-e", "stderr"],
                                 stdin=subprocess.DEVNULL, stderr=log)
    try:
        while True:
            if nginx.poll() is not None:
                print("skipped: nginx does not start:", open("nginx.log").read()[-200:])
                sys.exit(77)
            with socket.socket(socket.AF_UNIX) as client:
                with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                    client.connect("front")
                    client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n"
                                   b"Connection: close\r\n\r\n")
                    answer = b""
                    while data := client.recv(65536):
                        answer += data
                    break
    finally:
        nginx.terminate()
        nginx.wait()
head = answer.split(b"\r\n\r\n")[0].decode().lower()
print("\n".join(line for line in head.split("\r\n") if line.startswith(("cache-", "content-"))))
both = "cache-control: no-transform" in head and "content-encoding: gzip" in head
print("still so" if both else "changed")
PY
judge python3 program.py
