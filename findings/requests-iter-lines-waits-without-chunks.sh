#!/bin/bash
# Guess: `requests.get(url, stream=True).iter_lines()` gives a line when it has arrived. How the server
#   frames the body, in chunks or until the connection ends, is below what a user sees.
# Package: requests 2.34.2, urllib3 2.8.0 (PyPI)
# Seen 2026-11-29: in chunks every line comes at once. A body that ends with the connection is read in
#   full pieces of 512 bytes: lines wait until so many are together, or for the end. The same with
#   `iter_content(n)` and urllib3's `stream(n)`, and with the clients of event streams made of them.
. "$(dirname "$(realpath "$0")")/lib"
from_pypi requests==2.34.2 urllib3==2.8.0
cat >program.py <<'PY'
import socket
import threading

import requests

PATIENCE_S = 3
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
LINE = b"data: hello\n\n"


def comes_at_once(in_chunks):
    """Whether the first line comes before there is more of the body."""
    seen, ended = threading.Event(), threading.Event()

    def serve():
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            if in_chunks:
                connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
                                   + b"%x\r\n%s\r\n" % (len(LINE), LINE))
            else:
                connection.sendall(f"{HEAD}Connection: close\r\n\r\n".encode() + LINE)
            seen.wait(PATIENCE_S)
            before_the_end.append(seen.is_set())
            if in_chunks:
                connection.sendall(b"0\r\n\r\n")
        ended.set()

    before_the_end = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        url = "http://127.0.0.1:%d/" % server.getsockname()[1]
        with requests.get(url, stream=True, timeout=60) as answer:
            for line in answer.iter_lines():
                if line == LINE.strip():
                    seen.set()
        assert seen.is_set() and ended.wait(60), "the line never came"
    print(f"{'in chunks' if in_chunks else 'until the end of the connection'}: "
          f"the line comes {'at once' if before_the_end[0] else 'with the end'}")
    return before_the_end[0]


print("still so" if comes_at_once(True) and not comes_at_once(False) else "changed")
PY
judge python3 program.py
