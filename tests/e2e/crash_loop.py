#!/usr/bin/env python3
"""A hub with its history in a file, killed (SIGKILL) and started again under load.

    TOCSIN=build/release/tocsin tests/e2e/crash_loop.py [--kills 200] [--io uring] [--history-sync full]

Publishers note what was acknowledged, and readers come back with their positions. At the end every
acknowledged event is there, once, where its id says, in one epoch; and no reader has missed or
repeated one. Exit status 1 and what was wrong, if not. history_test.py runs a short one.
"""

import argparse
import contextlib
import random
import select
import socket
import sys
import tempfile
import threading
from pathlib import Path

from hub import DEADLINE, Hub, eventually, lasting_address

PUBLISHERS = 4
READERS = 4


class Worker(threading.Thread):
    """Uses connections to the hub until it is told that it is over; a hub that is away is waited
    for."""

    def __init__(self, address):
        super().__init__(daemon=True)
        host, port = address.rsplit(":", 1)
        self.where, self.over, self.socket = (host, int(port)), False, None
        self.start()

    def run(self):
        while not self.over:
            with contextlib.suppress(OSError, EOFError):
                with socket.create_connection(self.where, timeout=DEADLINE) as self.socket, \
                        self.socket.makefile("rb") as lines:
                    self.use(lines)
            select.select([], [], [], 0.005)  # somebody else's turn

    def end(self):
        self.over = True
        with contextlib.suppress(OSError, AttributeError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join(DEADLINE)

    @staticmethod
    def head(lines):
        """The status and the fields of an answer."""
        status = lines.readline()
        if not status:
            raise EOFError
        fields = {}
        while (line := lines.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            fields[name] = value
        return int(status.split(b" ")[1]), fields


class Publisher(Worker):
    """Events with names that no two have, several on their way at once."""

    def __init__(self, address, name):
        self.name_, self.count = name, 0
        self.acknowledged = {}  # data -> id
        super().__init__(address)

    def use(self, lines):
        while not self.over:
            batch = [f"{self.name_}-{self.count + i}" for i in range(random.randint(1, 16))]
            self.count += len(batch)
            self.socket.sendall(b"".join(
                b"POST /publish?stream=a HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n%s"
                % (len(data), data.encode()) for data in batch))
            for data in batch:
                status, fields = self.head(lines)
                lines.read(int(fields.get("Content-Length", "0")))
                if status == 204:
                    self.acknowledged[data] = fields["Event-ID"]


class Reader(Worker):
    def __init__(self, address, position=None):
        self.position = position
        self.events, self.gaps = [], []  # (id, data)
        super().__init__(address)

    def use(self, lines):
        field = f"Last-Event-ID: {self.position}\r\n" if self.position else ""
        self.socket.sendall(f"GET /events?stream=a HTTP/1.0\r\n{field}\r\n".encode())
        status, _ = self.head(lines)
        event = {}
        while status == 200 and (line := lines.readline()).endswith(b"\n"):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
                continue
            self.position = event.get("id", self.position)
            if event.get("event") == "gap":
                self.gaps.append(event)
            elif "data" in event:
                self.events.append((event["id"], event["data"]))
            event = {}


def faults(published, readers):
    """What is wrong with what was seen, in words."""
    first = readers[0].events
    if any(reader.gaps for reader in readers):
        yield f"a gap: {[reader.gaps for reader in readers]}"
    if any(reader.events != first for reader in readers):
        yield "readers have different events"
    numbers = [int(identity.split("-")[1]) for identity, _ in first]
    if numbers != list(range(1, len(numbers) + 1)):
        yield "ids are not dense"
    if len({identity.split("-")[0] for identity, _ in first}) > 1:
        yield "more than one epoch"
    if len({data for _, data in first}) != len(first):
        yield "an event comes twice"
    ids = {data: identity for identity, data in first}
    for data, identity in published.items():
        if ids.get(data) != identity:
            yield f"{data} was acknowledged as {identity} and is {ids.get(data)}"


def crash_loop(kills, *arguments):
    """Numbers of what was acknowledged and seen, and a list of what is wrong."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        address = lasting_address()
        settings = ["--history", f"sqlite:{Path(folder, 'history.db')}", "--history-age", "0",
                    "--history-count", "100000000", "--history-bytes", "1GiB",
                    "--history-total-bytes", "4GiB", "--retry", "100ms", *arguments]
        hub = Hub(*settings, listen=address)
        workers = [Publisher(address, f"p{i}") for i in range(PUBLISHERS)]
        readers = [Reader(address, "earliest") for _ in range(READERS)]
        for worker in (*workers, *readers):
            stack.callback(worker.end)
        for _ in range(kills):
            known = sum(len(worker.acknowledged) for worker in workers)
            eventually(lambda: sum(len(worker.acknowledged) for worker in workers) > known,
                       "an acknowledgement")
            select.select([], [], [], random.random() * 0.1)  # at any moment
            hub.process.kill()
            hub.__exit__()
            hub = Hub(*settings, listen=address)
        with hub:
            for worker in workers:
                worker.end()
            last = hub.ask("POST", "/publish?stream=a", b"the last")[1]
            assert "Event-ID" in last, last
            eventually(lambda: all(reader.events and reader.events[-1][1] == "the last"
                                   for reader in readers), "the last event")
        published = {}
        for worker in workers:
            published.update(worker.acknowledged)
        return len(published), len(readers[0].events), list(faults(published, readers))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=200)
    known, more = parser.parse_known_args()
    acknowledged, seen, wrong = crash_loop(known.kills, *more)
    print(f"{known.kills} kills, {acknowledged} events acknowledged, {seen} seen by {READERS} readers")
    for fault in wrong:
        print(fault)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
