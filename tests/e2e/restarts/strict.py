"""Clients that forgive nothing: they end for good, and say why in `final`, where some clients do."""

import contextlib
import re
import select
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hub import DEADLINE, Connection  # noqa: E402


def where(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


class Strict(threading.Thread):
    """Follows a stream over cuts, at once and with its Last-Event-ID. The end for good: a connection
    that is refused, a status that is not 200, an end without an answer."""

    def __init__(self, address, stream):
        super().__init__(daemon=True)
        self.where, self.stream = where(address), stream
        self.events, self.gaps = [], []  # (id, data), and the gap events' data
        self.position, self.opened, self.final = None, 0, None
        self.socket, self.over = None, False
        self.start()

    @property
    def data(self):
        return [data for _, data in self.events]

    def run(self):
        while not self.over and self.final is None:
            try:
                self.final = self.follow()
            except OSError as error:
                self.final = f"cannot connect: {error}"

    def follow(self):
        """One connection; why it is the last."""
        with socket.create_connection(self.where, timeout=DEADLINE) as self.socket:
            field = f"Last-Event-ID: {self.position}\r\n" if self.position else ""
            self.socket.sendall(f"GET /events?stream={self.stream} HTTP/1.0\r\n{field}\r\n".encode())
            with self.socket.makefile("rb") as lines, \
                    contextlib.suppress(ConnectionResetError):
                status = lines.readline().decode()
                if " 200 " not in status:
                    return self.over or status or "ended without an answer"
                while lines.readline() not in (b"\r\n", b""):
                    pass
                self.opened += 1
                self.read(lines)
        return None

    def read(self, lines):
        fields = {}
        for line in lines:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
                continue
            self.position = fields.get("id", self.position)
            if fields.get("event") == "gap":
                self.gaps.append(fields["data"])
            elif "data" in fields:
                self.events.append((self.position, fields["data"]))
            fields = {}

    def leave(self):
        self.over = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join(DEADLINE)


class Poster(threading.Thread):
    """Publishes one event after the other, and never one again. `keeps`: on one connection, for as
    long as it is kept; else on a new one each. The end for good: a connection that is refused, a
    status that is not 204, an end without an answer."""

    def __init__(self, address, name, stream, fields="", keeps=False):
        super().__init__(daemon=True)
        self.where, self.name_, self.stream, self.keeps = where(address), name, stream, keeps
        self.fields = fields + ("" if keeps else "Connection: close\r\n")
        self.acknowledged = {}  # data -> id
        self.final, self.over, self.connection = None, False, None
        self.start()

    def run(self):
        while not self.over and self.final is None:
            data = f"{self.name_}-{len(self.acknowledged)}"
            try:
                self.final = self.post(data)
            except (OSError, AssertionError) as error:  # an answer that ended
                self.final = f"{data}: {error}"
            select.select([], [], [], 0.01)  # somebody else's turn
        self.close()

    def post(self, data):
        """Why it is the last."""
        if self.connection is None:
            self.connection = Connection(*self.where)
        status, head, body = self.connection.ask("POST", f"/publish?stream={self.stream}",
                                                 data.encode(), self.fields)
        if status != 204:
            return f"{data}: {status} {body}"
        self.acknowledged[data] = re.search(r"\r\nEvent-ID: (\S+)", head, re.I).group(1)
        if not self.keeps or re.search(r"\r\nConnection: close", head, re.I):
            self.close()
        return None

    def close(self):
        if self.connection is not None:
            self.connection.socket.close()
        self.connection = None

    def end(self):
        self.over = True
        self.join(DEADLINE)
