#!/bin/bash
# Guess: a value that passes through a script costs the server a copy or two more than a SET of it. Lua
#   hashes a long string by some of its bytes, 32 at most, however long it is.
# Package: redis-server 5:7.0.15-1~deb12u10 (Debian 12), with the Lua 5.1 that it brings
# Seen 2026-11-30: its Lua hashes every byte, one after the other, as each argument becomes a Lua string:
#   about a nanosecond a byte, whether the script looks at it or not. "return 1" with an argument of 1 MiB
#   takes several times the CPU of a SET of 1 MiB. So a script that writes large values is bound by that,
#   and larger batches do not make their bytes cheaper.
. "$(dirname "$(realpath "$0")")/lib"
need python3
from_debian redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10
cat >program.py <<'PY'
import os
import socket
import subprocess
import time

CALLS, SIZE = 200, 1 << 20


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def cpu_s(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def took_us(pid, connection, words):
    """The server's CPU of one call."""
    before = cpu_s(pid)
    for _ in range(CALLS):
        connection.sendall(command(*words))
        assert connection.recv(100)[:1] in b"+:"
    return 1e6 * (cpu_s(pid) - before) / CALLS


server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", "redis", "--save", ""],
                          stdout=subprocess.DEVNULL)
try:
    connection = socket.socket(socket.AF_UNIX)
    for _ in range(200):
        if connection.connect_ex("redis") == 0:
            break
        time.sleep(0.05)
    value = os.urandom(SIZE)
    took = {"SET": [], "a script": []}
    for _ in range(3):
        took["SET"].append(took_us(server.pid, connection, (b"SET", b"k", value)))
        took["a script"].append(
            took_us(server.pid, connection, (b"EVAL", b"return 1", b"0", value)))
finally:
    server.kill()
    server.wait()
least = {name: min(times) for name, times in took.items()}
for name, time_us in least.items():
    print(f"{name} with 1 MiB: {time_us:.0f} us of CPU")
print(f"a byte: {1e3 * (least['a script'] - least['SET']) / SIZE:.2f} ns more")
print("still so" if least["a script"] > 3 * least["SET"] else "changed")
PY
judge python3 program.py
