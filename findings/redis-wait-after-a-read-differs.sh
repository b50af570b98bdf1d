#!/bin/bash
# Guess: who has read something and then asks WAIT learns of Valkey and of newer Redis what Redis 7.0 says
#   (redis-wait-counts-from-the-last-command.sh): whether the replicas have what was read. The manual has
#   one text for all of them.
# Package: valkey-server 8.1.1+dfsg1-3+deb13u3, redis-server 5:8.0.2-3+deb13u3 (Debian 13)
# Seen 2026-11-30: a read counts for nothing there. WAIT asks for what the connection itself has written
#   last, and for who never wrote the answer is yes at once, while the replica lacks what was read. A write
#   between the read and WAIT, of anything that changes something, makes the answer true on all three.
. "$(dirname "$(realpath "$0")")/lib"
server=${1:-valkey-server}  # or a redis-server
need "$server" python3
case $("$server" --version) in
  *v=8.1.1* | *v=8.0.2*) ;;
  *) cannot "it is $("$server" --version)" ;;
esac
write_redis_server
cat >program.py <<'PY'
import signal
import sys

from redis_server import Client, server_with_replica

port, master, replica = server_with_replica(sys.argv[1])
try:
    writer, reader, toucher = Client(port), Client(port), Client(port)
    writer.wait_replica()
    writer.ask("SET", "x", "0")
    assert writer.ask("WAIT", "1", "10000") == ":1\r\n"
    replica.send_signal(signal.SIGSTOP)
    writer.ask("SET", "x", "1")
    found = {}
    assert reader.ask("GET", "x") == toucher.ask("GET", "x") == "$1\r\n1\r\n"
    found["read"] = reader.ask("WAIT", "1", "300")
    toucher.ask("SET", "y", "1")
    found["read and wrote"] = toucher.ask("WAIT", "1", "300")
    for who, answer in found.items():
        print(f"the replica is frozen, WAIT of who {who}: {answer.strip()}")
    print("still so" if found == {"read": ":1\r\n", "read and wrote": ":0\r\n"} else "changed")
finally:
    replica.send_signal(signal.SIGCONT)
    for process in (master, replica):
        process.kill()
        process.wait()
PY
judge python3 program.py "$server"
