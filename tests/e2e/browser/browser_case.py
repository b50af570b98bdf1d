"""What the browser's tests have in common."""

import os
import socket
import struct
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# Found by the line above; the tests have them from here.
from hub import Hub, eventually, lasting_address  # noqa: E402, F401
from others import Answering, Site  # noqa: E402
from webdriver import (CHROMEDRIVER, CHROMIUM, ENTER, SKIPPED, TAB,  # noqa: E402, F401
                       Browser)

PAGES = Path(__file__).resolve().parent / "pages"


class BrowserCase(unittest.TestCase):
    """One browser for all tests of the class; each has windows of its own and leaves none."""

    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.first = cls.browser.current_window()

    def setUp(self):
        self.windows = []
        self.expected_errors = ()  # parts of console messages that this test brings about
        self.addCleanup(self.browser.window, self.first)

    def tearDown(self):
        complaints = [message for level, message in self.browser.console()
                      if level in ("SEVERE", "WARNING")
                      and not any(part in message for part in self.expected_errors)]
        for window in self.windows:
            self.browser.window(window)
            self.browser.close_window()
        self.assertEqual(complaints, [])

    def window(self, url):
        handle = self.browser.window()
        self.windows.append(handle)
        self.browser.open(url)
        return handle

    def demo(self, *arguments, listen="127.0.0.1:0"):
        """A demo whose streams come back soon."""
        hub = Hub("--drain-timeout", "0s", "--retry", "200ms", *arguments, command="demo",
                  listen=listen)
        self.addCleanup(hub.__exit__)
        return hub


class PageServer(Site):
    """Serves the documents' pages, with the hub's address in place of the one that they name."""

    def __init__(self, hub):
        port = hub.address.rsplit(":", 1)[1]

        class Handler(Answering, BaseHTTPRequestHandler):
            def do_GET(self):
                path = PAGES / self.path.lstrip("/").partition("?")[0]
                if not path.is_file():
                    self.send_response(204)
                    self.end_headers()
                    return
                text = path.read_text(encoding="utf-8").replace(":8080", f":{port}")
                # A page that was served by the hub itself names it by a path.
                base = f'<base href="{hub.url}/">'
                self.answer(text.replace("<head>", "<head>" + base).encode(),
                            "text/html; charset=utf-8")

        super().__init__(Handler)


class CutProxy:
    """Passes TCP connections on to the hub, and can cut all of them, as a network does."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.sockets = set()
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            hub = socket.create_connection(self.target)
            with self.lock:
                self.sockets |= {client, hub}
            for pair in ((client, hub), (hub, client)):
                thread = threading.Thread(target=self._pass_on, args=pair)
                self.threads.append(thread)
                thread.start()

    def _pass_on(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            self._reset(one)

    def _reset(self, one):
        with self.lock:
            if one not in self.sockets:
                return
            self.sockets.discard(one)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
        except OSError:
            pass
        one.close()

    def cut(self):
        with self.lock:
            cut = list(self.sockets)
        for one in cut:
            self._reset(one)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.threads[0].join()
        self.cut()
        for thread in self.threads[1:]:
            thread.join()


def main():
    if not (CHROMIUM and CHROMEDRIVER):
        print("skipped: there is no chromium with its chromedriver here")
        sys.exit(SKIPPED)
    unittest.main()
