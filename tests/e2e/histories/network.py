"""A network between servers and those who speak to them, which can be cut without a word to anybody."""

import contextlib
import re
import socket
import threading


class Link:
    def __init__(self, port, who):
        self.port, self.who = port, who

    def note(self, first):
        """Who speaks is known by what it says first: a hub its user, a Sentinel its name."""
        hub = re.search(rb"hub\d", first)
        self.who = (hub.group().decode() if hub else
                    "sentinel" if b"sentinel" in first else "replica")


class Network:
    """A relay in front of each server. What may not pass is kept, and both ends stay open, as where
    packets are dropped and sent again; when the network heals it arrives, however late."""

    def __init__(self):
        self.changed = threading.Condition()
        self.is_cut = self.nobody
        self.over = False
        self.listeners = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.changed:
            self.over = True
            self.changed.notify_all()
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    @staticmethod
    def nobody(_who, _port):
        return False

    def way_to(self, port, who=None):
        """A port that leads there; `who` uses it, where it is known before."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, port, who), daemon=True).start()
        return listener.getsockname()[1]

    @contextlib.contextmanager
    def cut(self, is_cut):
        """`is_cut(who, port)`: they do not hear each other."""
        with self.changed:
            self.is_cut = is_cut
        try:
            yield
        finally:
            with self.changed:
                self.is_cut = self.nobody
                self.changed.notify_all()

    def _accept(self, listener, port, who):
        while not self.over:
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", port))
                except OSError:
                    client.close()
                    continue
                link = Link(port, who)
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(*ends, link), daemon=True).start()

    def _pump(self, source, sink, link):
        with contextlib.suppress(OSError):
            data = b"-"
            while data:
                data = source.recv(65536)
                if link.who is None:
                    link.note(data)
                with self.changed:
                    self.changed.wait_for(
                        lambda: self.over or not self.is_cut(link.who, link.port))
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        source.close()
