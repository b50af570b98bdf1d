#!/bin/bash
# Guess: shutdown(2) of a listening socket ends the listening and nothing else. The port belongs to
#   the socket until it is closed, which getsockname(2) confirms: it names the port before and after.
# Package: linux 6.18 (any kernel; no package is needed)
# Seen 2026-11-29: so it is if the socket was bound to the port's number. If it was bound to port 0 the
#   port goes back at once, another program can bind it and listen, and getsockname still names it.
. "$(dirname "$(realpath "$0")")/lib"
need python3
cat >program.py <<'PY'
import socket


def keeps_its_port(by_number):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    if by_number:
        listener.close()
        listener = socket.create_server(("127.0.0.1", port))
    listener.shutdown(socket.SHUT_RDWR)
    names_it = listener.getsockname()[1] == port
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", port))
            other.listen()
            keeps = False
        except OSError:
            keeps = True
    how = "its number" if by_number else "port 0"
    print(f"bound by {how}: {'keeps' if keeps else 'lost'} the port, and "
          f"{'names' if names_it else 'does not name'} it")
    return keeps, names_it


number, zero = keeps_its_port(True), keeps_its_port(False)
print("still so" if number == (True, True) and zero == (False, True) else "changed")
PY
judge python3 program.py
