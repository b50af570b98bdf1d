#!/usr/bin/env python3
"""The client library, as `tocsin subscribe`, against servers that others wrote:
foreign_servers_test.py CLASS

The servers are those of bench/peers. What a machine lacks is said and skipped (exit status 77).
"""

import json
import sys
import unittest
import urllib.parse
import urllib.request

import foreign
from foreign import peers
from hub import DEADLINE, Process, eventually
from relay import Relay

TEXTS = ["one", "two\nlines", "Zwölf 十二 \U0001f514", '{"a": [1, 2]}', "x" * 100_000]


class Contract:
    kind = None
    repeats = 0  # events that it sends once more to a client that comes back
    forgets = False  # what it has kept, when it ends a stream
    splits_lines = True

    @classmethod
    def setUpClass(cls):
        foreign.skip_if(cls.kind.prepare(str(foreign.BUILD)))

    def setUp(self):
        self.server = self.start_server()
        self.relay = Relay(f"127.0.0.1:{self.server.port}")
        self.addCleanup(self.relay.__exit__)
        self.client = self.subscribe()
        self.wait_subscribed()

    def start_server(self):
        server = self.kind(str(foreign.BUILD))
        command = server.command
        server.command = lambda: command("--replay")
        server.start(cpus=None)
        self.addCleanup(server.stop)
        return server

    def subscribe(self, *arguments):
        client = Process("subscribe", "--url", self.relay.url, "--stream", "ä b", "--type",
                         "message", "--json", *arguments)
        self.addCleanup(client.__exit__)
        return client

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.server.port}{path}?stream={urllib.parse.quote('ä b')}",
            data=body, method=method)
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            self.assertIn(answer.status, (200, 204))

    def publish(self, text):
        self.ask("POST", "/publish", text.encode())

    def events(self):
        return [json.loads(line) for line in self.client.out]

    def data(self):
        """What came since wait_subscribed()."""
        everything = [event["data"] for event in self.events()]
        return everything[len(everything) - everything[::-1].index("begin"):]

    def wait_subscribed(self):
        """They send a stream's head before it takes part, so its first events may pass it by."""
        def arrived():
            self.publish("?")
            return len(self.client.out) > before or self.client.process.poll() is not None
        before = len(self.client.out)
        eventually(arrived, "an event")
        self.publish("begin")
        eventually(lambda: self.events()[-1]["data"] == "begin", "the last event")

    def wait_data(self, wanted):
        eventually(lambda: len(self.data()) >= len(wanted), f"{len(wanted)} events")
        self.assertEqual(self.data(), wanted)

    def test_events(self):
        for text in TEXTS:
            self.publish(text)
        self.wait_data(TEXTS if self.splits_lines else [text.split("\n")[0] for text in TEXTS])
        ids = [event["id"] for event in self.events()]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertNotIn("", ids)

    def test_comes_back_and_resumes(self):
        wanted = []
        for round_number, reset in enumerate((False, True, False)):
            for i in range(10):
                wanted.append(f"{round_number}.{i}")
                self.publish(wanted[-1])
            self.wait_data(wanted)
            self.relay.cut(reset)
            wanted += wanted[len(wanted) - self.repeats:]
            for i in range(10, 20):
                wanted.append(f"{round_number}.{i}")
                self.publish(wanted[-1])
            self.relay.let_in()
            self.wait_data(wanted)

    def test_comes_back_when_the_server_ends_the_stream(self):
        self.publish("before")
        self.wait_data(["before"])
        self.ask("DELETE", "/events")
        eventually(lambda: "the server ended the stream" in "".join(self.client.log), "the end")
        if self.forgets:
            self.wait_subscribed()
            wanted = []
        else:
            wanted = ["before"]
        self.publish("after")
        self.wait_data([*wanted, "after"])

    def test_comes_back_to_another_server(self):
        self.server.stop()
        eventually(lambda: "reconnecting" in "".join(self.client.log), "the end")
        self.server = self.start_server()
        self.relay.target = ("127.0.0.1", self.server.port)
        self.wait_subscribed()
        self.publish("after")
        self.wait_data(["after"])

    def test_another_client_resumes_where_this_one_stopped(self):
        for i in range(5):
            self.publish(str(i))
        self.wait_data([str(i) for i in range(5)])
        last = self.events()[2 - 5]["id"]
        self.client.__exit__()
        self.client = self.subscribe("--last-event-id", last)
        count = 2 + self.repeats
        eventually(lambda: len(self.client.out) >= count, "the missed events")
        self.assertEqual([event["data"] for event in self.events()],
                         [str(i) for i in range(5 - count, 5)])


class R3labs(Contract, unittest.TestCase):
    """github.com/r3labs/sse/v2 sends the event that a client names as its last once more."""

    kind = peers.R3labs
    repeats = 1
    forgets = True


class Hertz(Contract, unittest.TestCase):
    kind = peers.Hertz


class BetterSse(Contract, unittest.TestCase):
    """npm `better-sse`. Text that it need not serialize must be one line: the others go out as they
    are, which is no data to any client."""

    kind = peers.BetterSse
    splits_lines = False


if __name__ == "__main__":
    foreign.main(sys.argv[1:])
