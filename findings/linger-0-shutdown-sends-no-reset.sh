#!/bin/bash
# Guess: with SO_LINGER on and 0 seconds a connection ends in a reset, however it is ended; so a
#   server that calls shutdown(2) first, to be rid of a peer at once, and close(2) later, when its
#   own reads are done, has reset it. The peer cannot take that for an end of what was sent.
# Package: linux 6.18 (any kernel; no package is needed)
# Seen 2026-11-29: shutdown sends a FIN, and the peer, which had read all, sees a clean end of file,
#   as if nothing were missing. Only close resets, or connect(2) to AF_UNSPEC, which resets at once
#   and leaves the descriptor open.
. "$(dirname "$(realpath "$0")")/lib"
need python3
cat >program.py <<'PY'
import ctypes
import os
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)


def disconnect(server):
    """connect(2) to AF_UNSPEC, which Python's own connect cannot say."""
    unspec = struct.pack("=H14x", socket.AF_UNSPEC)
    if libc.connect(server.fileno(), unspec, len(unspec)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def what_the_peer_sees(end):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        client.settimeout(10)
        server, _ = listener.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.sendall(b"a part of")
        assert client.recv(100) == b"a part of"
        end(server)
        try:
            return "end" if client.recv(100) == b"" else "bytes"
        except ConnectionResetError:
            return "reset"
        finally:
            server.close()


seen = {
    "shutdown": what_the_peer_sees(lambda server: server.shutdown(socket.SHUT_RDWR)),
    "close": what_the_peer_sees(lambda server: server.close()),
    "connect to AF_UNSPEC": what_the_peer_sees(disconnect),
}
for way, what in seen.items():
    print(f"{way}: {what}")
expected = {"shutdown": "end", "close": "reset", "connect to AF_UNSPEC": "reset"}
print("still so" if seen == expected else "changed")
PY
judge python3 program.py
