#!/usr/bin/env python3
"""Nothing of a credential is in the hub's memory once its request has ended: what a core dump of it
would show. Every writable mapping of the process is searched, its stacks and free memory too."""

import contextlib
import os
import re
import secrets
import signal
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import others
from hub import Hub, each_backend, eventually, is_sanitized, run

SECRET = "a secret of thirty-two bytes, or more"
PART = 24  # bytes that nobody could have by chance


def parts_of(credential):
    """What is as good as the whole: its end is the signature, of a key its random part."""
    end = credential[-43:]
    return [end[at:at + PART].encode() for at in (0, (len(end) - PART) // 2, len(end) - PART)]


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match and not line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                yield int(match.group(1), 16), int(match.group(2), 16), line.strip()


def found_in(pid, wanted):
    """Where in the process one of the texts is."""
    places = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end, line in mappings(pid):
            with contextlib.suppress(OSError):  # device memory; a mapping that has just gone
                memory.seek(begin)
                content = memory.read(end - begin)
                places += [f"{text!r} at {begin + at:x} in {line}: "
                           f"{content[max(at - 64, 0):at + 80]!r}"
                           for text in wanted if (at := content.find(text)) >= 0]
    return places


class BackEnd(others.Site):
    """A webhook's: who says "yes…" may do everything. Answers while `open` is set."""

    def __init__(self):
        outer = self
        self.asked = 0
        self.open = threading.Event()
        self.open.set()

        class Handler(others.Answering, BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                outer.open.wait()
                with contextlib.suppress(OSError):  # whoever has asked has gone
                    if "yes" in f"{self.headers['Authorization']}{self.headers['Cookie']}":
                        self.answer(b'{"publish": ["*"]}')
                    else:
                        self.answer(b"no", status=401)

        super().__init__(Handler)

    def close(self):
        self.open.set()
        super().close()


class CredentialMemory(unittest.TestCase):
    def setUp(self):
        if is_sanitized():
            self.skipTest("a sanitizer maps terabytes, and keeps what is freed")
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        made = run("key", "--name", "shop")[0]
        self.key, table = made.split("\n\n", 1)
        self.write("secret", SECRET)
        self.config = self.write("f.toml", '[auth]\ncookie = "session"\nquery_token_publishes = true\n'
                                 + table + '[[auth.issuers]]\niss = "me"\naudience = ["hub"]\n'
                                 'keys = [{ secret_file = "secret" }]\n'
                                 '[[auth.url_keys]]\nid = "a"\nfile = "secret"\n')
        self.made = 0

    def write(self, name, text):
        path = Path(self.folder.name) / name
        path.write_text(text, encoding="utf-8")
        os.chmod(path, 0o600)
        return str(path)

    def token(self):
        """Another one each time."""
        self.made += 1
        return run("token", "mint", "--config", self.config, "--subject", f"u{self.made}",
                   "--subscribe", "*", "--publish", "*")[0].strip()

    def signed_url(self):
        self.made += 1
        return run("url", "--config", self.config, "--kid", "a", "--topic", f"t{self.made}")[0].strip()

    def expect_nothing_of(self, hub, credentials, what):
        wanted = [part for credential in credentials for part in parts_of(credential)]
        # The answer is out before the turn of the loop is over in which its request ends.
        places = []

        def nothing():
            places[:] = found_in(hub.process.pid, wanted)
            return not places
        end = time.monotonic() + 5
        while not nothing() and time.monotonic() < end:
            hub.ask("GET", "/healthz")
        self.assertEqual(places, [], what)

    def serve(self, io):
        return Hub("--io", io, "--shards", "1", "--config", self.config)

    def test_the_search_finds_what_is_there(self):
        with self.serve("epoll") as hub, hub.connect() as connection:
            token = self.token()
            connection.send(b"GET /events?topic=a HTTP/1.1\r\nHost: h\r\n"
                            b"Authorization: Bearer " + token.encode())
            eventually(lambda: found_in(hub.process.pid, parts_of(token)), "the token in memory")

    def test_requests_leave_nothing(self):
        """On connections that stay open: nothing is overwritten by chance."""
        for io in each_backend():
            with self.subTest(io=io), self.serve(io) as hub, contextlib.ExitStack() as stack:
                ways = {
                    "a field": lambda token: ("/publish?topic=a", f"Authorization: Bearer {token}\r\n"),
                    "a cookie": lambda token: (
                        "/publish?topic=a", f"Cookie: a=b; session={token}\r\nOrigin: http://hub\r\n"),
                    "two fields of cookies": lambda token: (
                        "/publish?topic=a", f"Cookie: session={token}\r\nCookie: a=b\r\n"
                        "Origin: http://hub\r\n"),
                    "the query": lambda token: (f"/publish?topic=a&token={token}", ""),
                    "an escaped query": lambda token: (
                        "/publish?topic=a&token=" + token.replace(".", "%2E"), ""),
                }
                for what, way in ways.items():
                    token = self.token()
                    connection = stack.enter_context(hub.connect())
                    target, fields = way(token)
                    status, _, body = connection.ask("POST", target, b"x", fields)
                    self.assertEqual(status, 204, (what, body))
                    self.expect_nothing_of(hub, [token], what)
                connection = stack.enter_context(hub.connect())
                status = connection.ask("POST", "/publish?topic=a", b"x",
                                        f"Authorization: Bearer {self.key}\r\n")[0]
                self.assertEqual(status, 204)
                self.expect_nothing_of(hub, [self.key], "a key")

    def test_streams_leave_nothing(self):
        for io in each_backend():
            with self.subTest(io=io), self.serve(io) as hub, contextlib.ExitStack() as stack:
                token, query, url = self.token(), self.token(), self.signed_url()
                for target, fields in (("/events?topic=a", f"Authorization: Bearer {token}\r\n"),
                                       (f"/events?topic=a&token={query}", ""), (url, "")):
                    stack.enter_context(hub.stream(target, fields))
                self.expect_nothing_of(hub, [token, query, url], "open streams")

    def test_what_is_refused_leaves_nothing(self):
        for io in each_backend():
            with self.subTest(io=io), self.serve(io) as hub, contextlib.ExitStack() as stack:
                tokens = [self.token() + "A" for _ in range(3)]
                connection = stack.enter_context(hub.connect())
                for token, target, expected in (
                        (tokens[0], "/events?topic=a", 401), (tokens[1], "/nothing", 404)):
                    fields = f"Authorization: Bearer {token}\r\n"
                    self.assertEqual(connection.ask("GET", target, b"", fields)[0], expected)
                target = f"/events?topic=a&nonsense=1&token={tokens[2][:-1]}"
                self.assertEqual(connection.ask("GET", target)[0], 400)
                half = self.signed_url()
                other = stack.enter_context(hub.connect())
                other.send(f"BREW {half} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                self.assertEqual(other.response()[0], 501)
                self.expect_nothing_of(hub, [*tokens, half], "refused requests")

    def test_requests_in_pieces_leave_nothing(self):
        """Strings grow as their bytes come, and leave their smaller memory behind."""
        for io in each_backend():
            with self.subTest(io=io), self.serve(io) as hub, contextlib.ExitStack() as stack:
                field, cookie, query = self.token(), self.token(), self.token()
                connection = stack.enter_context(hub.connect())
                for target, fields in (
                        ("/publish?topic=a", f"Authorization: Bearer {field}\r\n"),
                        ("/publish?topic=a",
                         f"Cookie: a=b; session={cookie}\r\nOrigin: http://hub\r\n"),
                        (f"/publish?topic=a&token={query}", "")):
                    text = (f"POST {target} HTTP/1.1\r\nHost: hub\r\n{fields}"
                            "Content-Length: 1\r\n\r\nx").encode()
                    for at in range(0, len(text), 7):
                        connection.send(text[at:at + 7])
                        hub.ask("GET", "/healthz")  # it has been read
                    self.assertEqual(connection.response()[0], 204)
                self.expect_nothing_of(hub, [field, cookie, query], "requests in pieces")

    def test_pipelined_requests_leave_nothing(self):
        for io in each_backend():
            with self.subTest(io=io), self.serve(io) as hub, contextlib.ExitStack() as stack:
                tokens = [self.token() for _ in range(20)]
                connection = stack.enter_context(hub.connect())
                connection.send(b"".join(
                    f"POST /publish?topic=a&token={token} HTTP/1.1\r\nHost: h\r\n"
                    f"Content-Length: 1\r\n\r\nx".encode() for token in tokens for _ in range(20)))
                for _ in range(20 * len(tokens)):
                    self.assertEqual(connection.response()[0], 204)
                self.expect_nothing_of(hub, tokens, "pipelined requests")

    def test_who_leaves_in_the_middle_leaves_nothing(self):
        for io in each_backend():
            with self.subTest(io=io), self.serve(io) as hub:
                token = self.token()
                with hub.connect() as connection:
                    connection.send(b"POST /publish?topic=a HTTP/1.1\r\nHost: h\r\nAuthorization: "
                                    b"Bearer " + token.encode() + b"\r\nContent-Le")
                    hub.ask("GET", "/healthz")
                eventually(lambda: hub.counter("tocsin_connections", 'state="request"') == 1,
                           "the connection's end")
                self.expect_nothing_of(hub, [token], "a request without an end")

    def test_what_a_webhook_is_asked_leaves_nothing(self):
        """Whether it is asked or not."""
        ways = (lambda text: ("", f"Authorization: Bearer {text}\r\n"),
                lambda text: ("", f"Cookie: a={text}\r\nOrigin: http://hub\r\n"),
                lambda text: (f"&token={text}", ""))

        def ask(connection, text, way):
            query, fields = way(text)
            connection.send(f"POST /publish?topic=a{query} HTTP/1.1\r\nHost: hub\r\n{fields}"
                            "Content-Length: 1\r\n\r\nx".encode())

        for io in each_backend():
            with self.subTest(io=io), contextlib.closing(BackEnd()) as there, \
                    contextlib.ExitStack() as stack:
                webhook = ('[auth]\nquery_token_publishes = true\n[auth.webhook]\nat_once = 1\n'
                           f'timeout = "30s"\nurl = "{there.url}/may-they"\n')
                self.config = self.write("w.toml", webhook)
                hub = stack.enter_context(self.serve(io))

                def ask_all(what, texts, statuses, meanwhile=None):
                    """Each text on a connection of its own; `meanwhile` the first is asked."""
                    for way in ways:
                        named = [text + secrets.token_urlsafe(48) for text in texts]
                        connections = [stack.enter_context(hub.connect()) for _ in texts]
                        if meanwhile:
                            there.open.clear()
                        asked = there.asked
                        for connection, text in zip(connections, named):
                            ask(connection, text if meanwhile != "twins" else named[0], way)
                        if meanwhile:
                            eventually(lambda: there.asked > asked, "the first question")
                            hub.ask("GET", "/healthz")  # the others have come, too
                            if meanwhile == "reload":
                                self.write("w.toml", webhook.replace("may", f"{len(hub.log)}"))
                                seen = len(hub.log)
                                hub.signal(signal.SIGHUP)
                                hub.wait_log("applied=auth", seen)
                            there.open.set()
                        for connection, status in zip(connections, statuses):
                            self.assertEqual(connection.response()[0], status, what)
                        if what == "an answer that is known":
                            ask(connections[0], named[0], way)
                            self.assertEqual(connections[0].response()[0], 204)
                        self.expect_nothing_of(hub, named, what)

                ask_all("a question", ["yes"], [204])
                ask_all("a no", ["no"], [401])
                ask_all("an answer that is known", ["yes"], [204])
                ask_all("twins", ["yes"] * 4, [204] * 4, "twins")
                ask_all("a line", ["yes"] * 4, [204] * 4, "line")
                ask_all("a webhook that is another now", ["yes"] * 4, [503] * 4, "reload")


if __name__ == "__main__":
    try:
        with open("/proc/self/mem", "rb"):
            pass
    except OSError as why:
        print(f"skipped: memory of a process cannot be read here: {why}")
        raise SystemExit(77) from why
    unittest.main()
