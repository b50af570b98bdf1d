"""Many streams through one port, read by one thread."""

import contextlib
import select
import socket
import ssl
import time

from hub import DEADLINE

STEP = 250  # opened before their first bytes are waited for: no backlog overflows


class Crowd:
    """A context. `authority`: the file of the certificate, where the port speaks TLS."""

    def __init__(self, port, target, count, authority=None):
        self.port = port
        self.request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        self.context = ssl.create_default_context(cafile=authority) if authority else None
        self.streams = {}  # socket by descriptor
        self.waiting = {}  # what has come since the last wait, by descriptor
        self.poll = select.poll()
        try:
            while len(self.streams) < count:
                new = [self._open() for _ in range(min(STEP, count - len(self.streams)))]
                self.wait(b": ok\n", new)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.streams.values():
            one.close()
        self.streams.clear()

    def _open(self):
        one = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)
        if self.context:
            one = self.context.wrap_socket(one, server_hostname="127.0.0.1")
        self.streams[one.fileno()] = one
        one.sendall(self.request)
        one.setblocking(False)
        self.waiting[one.fileno()] = b""
        self.poll.register(one, select.POLLIN)
        return one.fileno()

    def wait(self, text, numbers=None):
        """Until each of them (or of those) has got `text`, which comes once."""
        missing = {number for number in numbers or self.streams
                   if text not in self.waiting[number]}
        end = time.monotonic() + DEADLINE
        while missing:
            assert time.monotonic() < end, f"{len(missing)} of {len(self.streams)} lack {text!r}"
            for number, _ in self.poll.poll(100):
                if self._read(number).find(text) >= 0:
                    missing.discard(number)
        for number, got in self.waiting.items():
            self.waiting[number] = got[got.find(text) + len(text):] if text in got else got

    def _read(self, number):
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            while data := self.streams[number].recv(16384):
                self.waiting[number] += data
            raise AssertionError(f"a stream ended behind {self.waiting[number]!r}")
        return self.waiting[number]
