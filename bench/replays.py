"""T11: what live readers notice of one that reads a file from its oldest event on.

    python3 bench/replays.py PORT TOPIC EVENTS    is that reader: so many events, over and over, until it
                                                  is ended
"""

import contextlib
import os
import socket
import subprocess
import sys
import time

from durable import temporary_folder
from load import EVENT_BYTES
from measurements import all_together, keep
from servers import child_setup

LINES_AT_ONCE = 10_000


def make_history(tocsin, path, events):
    """Of one topic, `old`."""
    line = b'{"topic":"old","data":"' + b"x" * EVENT_BYTES + b'"}\n'
    with subprocess.Popen([tocsin, "history", "import", path], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as importing:
        for left in range(events, 0, -LINES_AT_ONCE):
            importing.stdin.write(line * min(left, LINES_AT_ONCE))
        importing.stdin.close()
    if importing.returncode != 0:
        raise RuntimeError(f"no history of {events} events was made")


@contextlib.contextmanager
def reader_beside(port, topic, events, cpus):
    """A reader in a process of its own."""
    arguments = [sys.executable, os.path.abspath(__file__), str(port), topic, str(events)]
    with subprocess.Popen(arguments, preexec_fn=child_setup(cpus)) as process:
        try:
            yield
        finally:
            process.terminate()


def replay(bench, server, subscribers=20_000, events=5_000_000):
    """One event at a time to everybody, without and with a reader of the file's oldest event on;
    256 MiB of them are in memory."""
    events = max(round(events * bench.scale), 20_000)
    memory = max(round((256 << 20) * bench.scale), 1 << 20)
    with temporary_folder() as folder:
        hub = server.durable(folder, "--history-file-bytes", 1 << 40, "--history-total-bytes",
                             memory, "--history-bytes", memory, "--history-count", events,
                             "--history-age", "0s")
        make_history(bench.tocsin, os.path.join(folder, "history.db"), events)
        with hub.running(bench.server_cpus):
            def live():
                return keep(bench.load(hub, "broadcast", bench.count(subscribers), "--events",
                                       5 if bench.quick else 30), "p50_ms", "p99_ms", "max_ms")
            parts = {"alone": live()}
            with reader_beside(hub.port, "old", events, bench.client_cpus):
                wait_for_replays(hub)
                before, begin = replayed(hub), time.monotonic()
                parts["beside"] = live()
                rate = (replayed(hub) - before) / (time.monotonic() - begin)
    return {"replayed_per_s": rate, **all_together(parts)}


def replayed(hub):
    return hub.counters()["tocsin_replay_deliveries_total"]


def wait_for_replays(hub):
    deadline = time.monotonic() + 60
    while replayed(hub) == 0:
        if time.monotonic() > deadline:
            raise RuntimeError("nobody reads what is older than memory")
        time.sleep(0.02)


def read_from_the_oldest(port, topic, events):
    with socket.create_connection(("127.0.0.1", port)) as reader:
        reader.sendall(f"GET /events?topic={topic}&last_event_id=earliest HTTP/1.1\r\n"
                       "Host: bench\r\n\r\n".encode())
        buffer, mark = bytearray(1 << 20), b"\ndata: "
        seen, rest = 0, b""
        while seen < events:
            size = reader.recv_into(buffer)
            if size == 0:
                raise RuntimeError(f"the stream ended after {seen} of {events} events")
            part = rest + bytes(buffer[:size])
            seen += part.count(mark)
            rest = part[-(len(mark) - 1):]


def main():
    port, topic, events = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    while True:
        read_from_the_oldest(port, topic, events)


if __name__ == "__main__":
    main()
