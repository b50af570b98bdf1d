"""A TCP relay between a client and a server, which cuts its connections when a test says so."""

import contextlib
import socket
import struct
import threading

from hub import eventually

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the close that follows is a reset
REFUSAL = (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
           b"Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n")


class Pair:
    """A client's connection and the server's. Each end is read and closed by one thread: a close
    takes effect only when nobody waits in it."""

    def __init__(self, client, server, on_answer):
        self.client, self.server = client, server
        self.threads = [
            threading.Thread(target=self._pump, args=(client, server, server.sendall), daemon=True),
            threading.Thread(target=self._pump, args=(server, client, on_answer), daemon=True)]
        self.started = threading.Event()

    def start(self):
        for thread in self.threads:
            thread.start()
        self.started.set()

    @staticmethod
    def _pump(source, sink, forward):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                forward(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        source.close()

    def end(self, reset):
        self.started.wait()
        with contextlib.suppress(OSError):
            if reset:
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.client.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RD)  # the other way ends by its own client's end
        for thread in self.threads:
            if thread is not threading.current_thread():
                thread.join()


class Relay:
    """Listens on 127.0.0.1. `seen`: what the server sent. For one connection at a time.

    `port`: 0, or one of lasting_address() if it is going to refuse connections for a while.
    """

    def __init__(self, target, port=0):
        host, target_port = target.rsplit(":", 1)
        self.target = (host, int(target_port))
        self.listener = socket.create_server(("127.0.0.1", port))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.url = f"http://{self.address}"
        self.seen = b""
        self.arrived = 0  # connections, those that have to wait among them
        self.entered = 0  # those that reached the server
        self.refused = 0  # connections that the server did not take
        self.refusals = 0  # connections to be answered 503, whoever comes next
        self.resetting = False  # true: every connection is reset at once
        self.cut_behind = None
        self.pair = None
        self.over = False
        self.may_enter = threading.Event()  # clear: who connects has to wait
        self.may_enter.set()
        self._start()

    def _start(self):
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()
        self.listener.close()
        if self.pair:
            self.pair.end(reset=False)

    def leave(self):
        """The kernel refuses who connects from now on. The port stays ours."""
        self.over = True
        self.may_enter.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()

    def come_back(self):
        self.over = self.resetting = False
        self.listener.listen()
        self._start()

    def hold(self):
        """Who comes from now on has to wait for let_in()."""
        self.may_enter.clear()

    def cut(self, reset=False):
        """Ends the connection; who comes back has to wait for let_in()."""
        self.hold()
        if self.pair:
            self.pair.end(reset)

    def cut_next(self, text):
        """Cuts like cut() as soon as the server has sent `text`, right behind it."""
        self.cut_behind = text

    def let_in(self):
        self.may_enter.set()

    def wait_cut(self):
        eventually(lambda: not self.may_enter.is_set(), "the cut")

    def wait_seen(self, text, count=1):
        eventually(lambda: self.seen.count(text) >= count, f"{count} times {text!r} on the way")

    def _accept(self):
        while not self.over:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.arrived += 1
            self.may_enter.wait()
            if self.resetting:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()
                continue
            if self.refusals:
                self.refusals -= 1
                self._refuse(client)
                continue
            try:
                server = socket.create_connection(self.target)
            except OSError:
                self.refused += 1
                client.close()
                continue
            self.entered += 1
            # It is ours before it passes anything on: who has seen that may cut it.
            self.pair = Pair(client, server, lambda data, client=client: self._answer(client, data))
            self.pair.start()

    @staticmethod
    def _refuse(client):
        with contextlib.suppress(OSError), client:
            request = b""
            while b"\r\n\r\n" not in request:
                if not (data := client.recv(65536)):
                    return
                request += data
            client.sendall(REFUSAL)

    def _answer(self, client, data):
        cut = self.cut_behind
        before = len(self.seen)
        seen = self.seen + data
        found = seen.find(cut, max(0, before - len(cut))) if cut else -1
        client.sendall(data if found < 0 else data[:found + len(cut) - before])
        self.seen = seen  # what is seen has been passed on
        if found >= 0:
            self.cut_behind = None
            self.cut()
