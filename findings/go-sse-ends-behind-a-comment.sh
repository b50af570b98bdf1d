#!/bin/bash
# Guess: a client that comes back after the end of a stream does so wherever the stream ends. A comment,
#   which most servers send as a heartbeat, is no part of any event.
# Package: github.com/tmaxmax/go-sse v0.12.0 (Go)
# Seen 2026-11-29: Connect comes back when the last bytes of a stream are those of an event. Behind a
#   comment, or one empty line more than the event's own, it returns nil instead and asks no more: so a
#   quiet stream with heartbeats is over at the first clean end of its connection.
. "$(dirname "$(realpath "$0")")/lib"
need go python3
cat >go.mod <<'MOD'
module client
go 1.23
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/tmaxmax/go-sse"
)

func main() {
	request, _ := http.NewRequest(http.MethodGet, os.Args[1], http.NoBody)
	fmt.Println(sse.NewConnection(request).Connect())
}
GO
go get github.com/tmaxmax/go-sse@v0.12.0 >go.log 2>&1 || cannot "go: $(tail -n 1 go.log | cut -c1-80)"
go build -o client .
cat >program.py <<'PY'
import socket
import subprocess
import threading

PATIENCE_S = 5
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def requests(stream):
    """How many the client makes of a server that ends each of its streams so, three at most, and what
    Connect returned."""
    count = 0
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            nonlocal count
            while count < 3:
                connection, _ = listener.accept()
                with connection:
                    if connection.recv(65536):
                        count += 1
                        connection.sendall(HEAD + stream)
            over.set()

        threading.Thread(target=serve, daemon=True).start()
        client = subprocess.Popen(["./client", "http://127.0.0.1:%d/" % listener.getsockname()[1]],
                                  stdout=subprocess.PIPE, text=True)
        try:
            returned = client.communicate(timeout=PATIENCE_S)[0].strip()
        except subprocess.TimeoutExpired:
            over.wait(PATIENCE_S)
            client.kill()
            returned = "has not returned"
            client.communicate()
    return count, returned


event = b"retry: 50\n\ndata: 1\n\n"
seen = {name: requests(stream) for name, stream in (
    ("an event", event), ("a comment", event + b": x\n"), ("an empty line", event + b"\n"))}
for name, (count, returned) in seen.items():
    print(f"ends behind {name}: {count} requests, Connect: {returned}")
print("still so" if seen["an event"][0] == 3 and
      seen["a comment"] == seen["an empty line"] == (1, "<nil>") else "changed")
PY
judge python3 program.py
