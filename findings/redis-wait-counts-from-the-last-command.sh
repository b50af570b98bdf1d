#!/bin/bash
# Guess: WAIT answers for the writes of its own connection, as the manual says. A connection that only
#   reads learns nothing by it of what others wrote.
# Package: redis-server 5:7.0.15-1~deb12u10 (Debian 12)
# Seen 2026-11-30: it answers for all that the server had when the connection's last command before it
#   ended, whoever wrote that, and a read is such a command (an XREAD that was woken as well). So a reader
#   can wait until replicas have what it has read. Where the connection has asked for nothing since others
#   wrote, the answer is yes at once, and the replica lacks it.
. "$(dirname "$(realpath "$0")")/lib"
need redis-server python3
[[ $(redis-server --version) == *v=7.0.15* ]] || cannot "it is $(redis-server --version)"
write_redis_server
cat >program.py <<'PY'
import signal
import time

from redis_server import Client, server_with_replica

port, master, replica = server_with_replica("redis-server")
try:
    writer, reader, blocked = Client(port), Client(port), Client(port)
    writer.wait_replica()
    for client in (reader, blocked):
        client.ask("GET", "x")
    writer.ask("SET", "x", "0")
    assert writer.ask("WAIT", "1", "10000") == ":1\r\n"
    blocked.send("XREAD", "BLOCK", "0", "STREAMS", "s", "$")
    time.sleep(0.2)
    replica.send_signal(signal.SIGSTOP)
    writer.ask("XADD", "s", "*", "a", "b")
    blocked.socket.recv(65536)
    found = {"was woken": blocked.ask("WAIT", "1", "300"), "was idle": reader.ask("WAIT", "1", "300")}
    reader.ask("GET", "x")
    found["read"] = reader.ask("WAIT", "1", "300")
    found["wrote"] = writer.ask("WAIT", "1", "300")
    for who, answer in found.items():
        print(f"the replica is frozen, WAIT of who {who}: {answer.strip()}")
    expected = {"was woken": ":0\r\n", "was idle": ":1\r\n", "read": ":0\r\n", "wrote": ":0\r\n"}
    print("still so" if found == expected else "changed")
finally:
    replica.send_signal(signal.SIGCONT)
    for process in (master, replica):
        process.kill()
        process.wait()
PY
judge python3 program.py
