#!/bin/bash
# Guess: a proxy that passes a response of unknown length on as it arrives passes its first bytes on as
#   well, whether or not the server sent them in one piece with the head.
# Package: varnish 7.1.1-2+deb12u1 (Debian 12)
# Seen 2026-11-29: body bytes that arrived together with the head wait for the bytes behind them. Sent a
#   moment later than the head they pass at once. A stream that begins with what a client has missed
#   shows it when the next event comes.
. "$(dirname "$(realpath "$0")")/lib"
need python3 gcc
from_debian varnish=7.1.1-2+deb12u1
cat >program.py <<'PY'
import os
import select
import socket
import subprocess
import sys
import threading
import time

HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        b"Connection: close\r\n\r\n")
PATIENCE_S = 3
go_on = threading.Event()
head_has_passed = threading.Event()


def serve(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            request = connection.recv(65536)
            if b"/together" in request:
                connection.sendall(HEAD + b"data: first\n\n")
            else:
                connection.sendall(HEAD)
                head_has_passed.wait()
                connection.sendall(b"data: first\n\n")
            go_on.wait()
            connection.sendall(b"data: second\n\n")


def read_until(client, text, seconds):
    end, seen = time.monotonic() + seconds, b""
    while text not in seen:
        if not select.select([client], [], [], max(0, end - time.monotonic()))[0]:
            return False
        seen += client.recv(65536)
    return True


def first_comes_at_once(path):
    go_on.clear()
    head_has_passed.clear()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("front")
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert read_until(client, b"\r\n\r\n", 60), "no head"
        head_has_passed.set()
        at_once = read_until(client, b"first", PATIENCE_S)
        go_on.set()
        assert at_once or read_until(client, b"first", 60), "it never comes"
    print(f"{path}: the first event {'comes at once' if at_once else 'waits for the second'}")
    return at_once


with socket.create_server(("127.0.0.1", 0)) as server:
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    with open("front.vcl", "w", encoding="ascii") as file:
        file.write('vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "%d"; }\n'
                   % server.getsockname()[1])
    here = os.getcwd()
    (library,) = [folder for folder in os.environ["LD_LIBRARY_PATH"].split(":")
                  if os.path.isdir(folder + "/varnish/vmods")]
    with open("varnish.log", "wb") as log:
        varnish = subprocess.Popen(
            ["varnishd", "-F", "-j", "none", "-n", here + "/state", "-a", here + "/front", "-f",
             here + "/front.vcl", "-s", "malloc,10m", "-p", f"vmod_path={library}/varnish/vmods"],
            stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while b"Child launched OK" not in open("varnish.log", "rb").read():
            if varnish.poll() is not None or time.monotonic() > end:
                print("skipped: varnishd does not start:",
                      open("varnish.log", encoding="utf-8").read()[-200:])
                sys.exit(77)
            time.sleep(0.1)
        together = first_comes_at_once("/together")
        apart = first_comes_at_once("/apart")
    finally:
        varnish.terminate()
        varnish.wait()
print("still so" if apart and not together else "changed")
PY
judge python3 program.py
