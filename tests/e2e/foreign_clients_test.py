#!/usr/bin/env python3
"""Clients that others wrote, against `tocsin serve`: foreign_clients_test.py CLASS

The programs (interop/) print a JSON object a line for each event. What a machine lacks is said and
skipped (exit status 77). What a client does otherwise than the standard asks is asserted, too: it
is what its users will meet.
"""

import json
import re
import signal
import subprocess
import sys
import unittest

import foreign
import proxy_programs
from hub import DEADLINE, Hub, Process, eventually, lasting_address
from relay import Relay

HEARTBEAT = b"\n: keepalive\n"
EVENTS = [  # what is published, what its reader must get
    ({"data": "one"}, ("message", "one")),
    ({"data": "two\nlines\n\nand an empty one"}, ("message", "two\nlines\n\nand an empty one")),
    ({"data": "mixed\r\nline\rends", "type": "note"}, ("note", "mixed\nline\nends")),
    ({"data": "Zwölf 十二 \U0001f514", "type": "glyphs ä"}, ("glyphs ä", "Zwölf 十二 \U0001f514")),
    ({"data": " a blank before: and a colon"}, ("message", " a blank before: and a colon")),
    ({"data": {"a": [1, {"b": "c"}]}}, ("message", '{"a":[1,{"b":"c"}]}')),
    ({"data": "mine", "id": "my-id ü"}, ("message", "mine")),
]
TYPES = ["note", "glyphs ä", "gap"]


class Contract:
    """What every client must do."""

    largest = 1_000_000  # bytes of data that it takes
    greets = True        # shows the greeting, which is an id without data, as an event
    comes_back = True    # by itself, also when the stream came to its end
    retries = True       # pauses for as long as `retry:` says
    cut_off = ["this is the one"]  # what it makes of an event that was cut off in the middle

    def start(self, query="stream=a", hub=(), way=None):
        self.hub = Hub("--drain-timeout", "0s", "--retry", "20ms", *hub,
                       listen=lasting_address())
        self.addCleanup(self.hub.__exit__)
        self.relay = Relay((way or self.way)())
        self.addCleanup(self.relay.__exit__)
        self.client = Process(f"{self.relay.url}/events?{query}", *self.types(),
                              program=self.program(), folder=self.folder())
        self.addCleanup(self.client.__exit__)
        self.hub.wait_streams(1)
        self.relay.wait_seen(b"\nid: ")  # the greeting

    def way(self):
        """The address that leads to the hub."""
        return self.hub.address

    def way_through_nginx(self):
        between = proxy_programs.Nginx(self.hub.address)
        between.__enter__()
        self.addCleanup(between.__exit__)
        return f"127.0.0.1:{between.port}"

    @staticmethod
    def folder():
        return None

    @staticmethod
    def types():
        return []

    def publish(self, **event):
        status, _, body = self.hub.ask("POST", "/publish", json.dumps(
            {"stream": "a", **event}).encode(), "Content-Type: application/json\r\n")
        self.assertEqual(status, 200, body)
        return json.loads(body)["last_id"]

    def said(self):
        return [json.loads(line) for line in self.client.out]

    def events(self):
        return [what for what in self.said() if "type" in what and not self.is_empty_line(what)]

    @staticmethod
    def is_empty_line(_):
        """An event that it makes of the empty line before each stream."""
        return False

    def wait_events(self, count):
        count += self.greets
        eventually(lambda: len(self.events()) >= count or self.client.process.poll() is not None,
                   f"{count} events")
        events = self.events()
        self.assertGreaterEqual(len(events), count, (self.client.out, self.client.log))
        if self.greets:
            self.assertEqual(events[0]["data"], "")
            self.assertNotEqual(events[0]["id"], "")
        return events[self.greets:]

    def wait_data(self, wanted):
        """All of it, in order, once, and nothing else."""
        self.assertEqual([event["data"] for event in self.wait_events(len(wanted))], wanted)

    def test_events(self):
        self.start()
        ids = [self.publish(**event) for event, _ in EVENTS]
        self.assertEqual(len(set(ids)), len(ids))
        got = self.wait_events(len(EVENTS))
        self.assertEqual([(e["type"], e["data"]) for e in got], [event for _, event in EVENTS])
        self.assertEqual([e["id"] for e in got], ids)

    def test_a_large_event(self):
        self.start()
        line = "äöü € \U0001f514\n"
        data = line * (self.largest // len(line.encode()))
        self.publish(data=data)
        self.wait_data([data])

    def test_heartbeats_are_no_events(self):
        self.start(hub=("--heartbeat", "1s"))
        for i in range(3):
            self.relay.wait_seen(HEARTBEAT, i + 1)
            self.publish(data=f"event {i}")
        self.wait_data([f"event {i}" for i in range(3)])

    def test_several_streams(self):
        self.start("stream=a&topic=b%20%C3%A9")
        wanted = []
        for i in range(30):
            stream = ("a", "b é", "other")[i % 3]
            self.publish(stream=stream, data=str(i))
            if stream != "other":
                wanted.append(str(i))
        self.wait_data(wanted)

    def test_comes_back_and_resumes(self):
        self.start()
        wanted = []

        def publish(count):
            for _ in range(count):
                wanted.append(str(len(wanted)))
                self.publish(data=wanted[-1])

        for reset in (False, True, False, True):
            publish(10)
            self.wait_data(wanted)
            self.relay.cut(reset)
            publish(10)
            self.relay.let_in()
            self.wait_data(wanted)

    def test_a_cut_in_the_middle_of_an_event(self):
        self.start()
        self.publish(data="whole")
        self.wait_data(["whole"])
        self.relay.cut_next(b"data: this is the")
        self.publish(data="this is the one")
        self.relay.wait_cut()
        self.publish(data="next")
        self.relay.let_in()
        self.wait_data(["whole", *self.cut_off, "next"])

    def test_another_hub_takes_over(self):
        self.start()
        self.publish(data="before")
        self.wait_data(["before"])
        self.assertEqual(self.hub.stop(), 0)
        with Hub("--drain-timeout", "0s", listen=self.hub.address) as self.hub:
            self.hub.wait_streams(1)
            self.publish(data="after")
            events = self.wait_events(3)
            self.assertEqual([e["type"] for e in events], ["message", "gap", "message"])
            gap = json.loads(events[1]["data"])
            self.assertEqual((gap["reason"], gap["last_event_id"]),
                             ("unknown_id", events[0]["id"]))
            self.assertEqual(events[2]["data"], "after")

    def pauses(self):
        return [what["pause"] for what in self.said() if "pause" in what]

    def test_pauses_as_it_is_told(self):
        if not self.retries:
            return
        self.start()
        self.publish(data="x")
        self.wait_data(["x"])
        told = re.findall(rb"\nretry: (\d+)\n", self.relay.seen)
        self.relay.cut()
        eventually(self.pauses, "a pause")
        self.assertEqual(self.pauses()[0], int(told[0]))
        self.relay.let_in()
        self.publish(data="y", retry=77)
        self.wait_data(["x", "y"])
        self.relay.cut()
        eventually(lambda: self.pauses()[-1] == 77, "a pause as the event said")


class EventSource(Contract, unittest.TestCase):
    """npm `eventsource`. It takes an id from events with data only, so a client that is cut off
    before its first event begins anew."""

    greets = False

    @classmethod
    def setUpClass(cls):
        cls.modules = foreign.node_modules()

    def program(self):
        return ["node", foreign.SOURCE / "node/eventsource.mjs"]

    def folder(self):
        return self.modules

    def types(self):
        return TYPES

    def test_a_restart_of_the_hub_behind_nginx(self):
        """Any answer but 200 would end a browser's EventSource, and this one, for good."""
        foreign.need_program("nginx")
        self.start(way=self.way_through_nginx)
        self.publish(data="before")
        self.wait_data(["before"])
        self.assertEqual(self.hub.stop(), 0)
        pauses = len(self.pauses())
        eventually(lambda: len(self.pauses()) > pauses + 3, "attempts")
        with Hub("--drain-timeout", "0s", listen=self.hub.address) as self.hub:
            self.hub.wait_streams(1)
            self.publish(data="after")
            self.assertEqual(self.wait_events(3)[-1]["data"], "after")


class FetchEventSource(EventSource):
    """npm `@microsoft/fetch-event-source`. Every empty line is an event to it, and an id counts from
    its line on, which is why the id stands last."""

    greets = True

    @staticmethod
    def is_empty_line(event):
        return event["id"] == event["data"] == ""

    def program(self):
        return ["node", foreign.SOURCE / "node/fetch_event_source.mjs"]


class Aiohttp(Contract, unittest.TestCase):
    greets = False

    @classmethod
    def setUpClass(cls):
        cls.python = foreign.python_with("aiohttp")

    def program(self):
        return [self.python, foreign.SOURCE / "aiohttp_client.py"]


class R3labs(Contract, unittest.TestCase):
    """github.com/r3labs/sse/v2. Returns at a stream's end (its user calls again), backs off as it
    likes, and takes what it has of an event for an event when the connection ends; the whole one
    follows."""

    largest = 30_000  # its default buffer is 64 KiB
    retries = False
    cut_off = ["this is the", "this is the one"]

    @classmethod
    def setUpClass(cls):
        cls.binary = foreign.go_program("r3labs")

    def program(self):
        return [self.binary]

    def test_hands_retry_through(self):
        self.start()
        told = re.findall(rb"\nretry: (\d+)\n", self.relay.seen)
        self.publish(data="x", retry=4321)
        self.wait_data(["x"])
        self.assertEqual([e["retry"] for e in self.events()], [told[0].decode(), "4321"])


class Hertz(Contract, unittest.TestCase):
    """github.com/hertz-contrib/sse. Comes back never; what its user must do for it is in its
    program. It hands a body without chunks out only when that has ended."""

    largest = 30_000

    @classmethod
    def setUpClass(cls):
        cls.binary = foreign.go_program("hertz")

    def program(self):
        return [self.binary]

    def test_without_chunks_all_comes_at_the_end(self):
        self.start("stream=a&framing=close")
        for i in range(3):
            self.publish(data=str(i))
        self.relay.wait_seen(b"data: 2\n")
        self.relay.cut()
        self.wait_data(["0", "1", "2"])
        eventually(lambda: self.said()[-1].get("returned"), "the end")


class Curl(unittest.TestCase):
    """`curl -N`: shows the bytes as they come and never comes back."""

    @classmethod
    def setUpClass(cls):
        foreign.need_program("curl")

    def setUp(self):
        self.hub = Hub("--drain-timeout", "0s", "--heartbeat", "1s")
        self.addCleanup(self.hub.__exit__)

    def curl(self, target, *arguments):
        client = Process("-sN", *arguments, self.hub.url + target, program=["curl"])
        self.addCleanup(client.__exit__)
        return client

    def publish(self, data, query="stream=a"):
        done = subprocess.run(["curl", "-si", "--data-binary", data,
                               f"{self.hub.url}/publish?{query}"], capture_output=True, text=True,
                              timeout=DEADLINE, check=True)
        self.assertIn("204 No Content", done.stdout)
        return re.search(r"(?m)^Event-ID: (\S+)", done.stdout).group(1)

    def lines_of(self, client, count):
        """The lines of its events, without comments and the greeting."""
        eventually(lambda: client.out.count("") > count + 1, f"{count} events")
        lines = [line for line in client.out if not line.startswith(":")]
        return lines[lines.index("", 1) + 1:]

    def test_shows_the_stream_in_either_version(self):
        for version in ("--http1.1", "--http1.0"):
            client = self.curl("/events?stream=a", version)
            client.wait_out(5)
            self.assertEqual(client.out[:2], ["", ": ok"])
            self.assertRegex(client.out[2], r"^retry: \d+$")
            self.assertRegex(client.out[3], r"^id: \S+$")
            eventually(lambda: ": keepalive" in client.out, "a heartbeat")
            first = self.publish("two\nlines", "stream=a&type=note")
            second = self.publish("ü")
            self.assertEqual(self.lines_of(client, 2), [
                "event: note", "data: two", "data: lines", f"id: {first}", "",
                "data: ü", f"id: {second}", ""])
            client.__exit__()
            self.hub.wait_streams(0)

    def test_resumes(self):
        ids = [self.publish(str(i)) for i in range(4)]
        for where in (("-H", f"Last-Event-ID: {ids[1]}"), (f"&last_event_id={ids[1]}",)):
            target = "/events?stream=a" + (where[0] if len(where) == 1 else "")
            client = self.curl(target, *(where if len(where) == 2 else ()))
            client.wait_out(9)
            lines = [line for line in client.out if not line.startswith((":", "retry:"))]
            self.assertEqual(lines, ["", "data: 2", f"id: {ids[2]}", "", "data: 3", f"id: {ids[3]}", ""])

    def test_nothing_is_compressed_and_the_end_is_clean(self):
        client = self.curl("/events?stream=a", "--compressed", "-i")
        client.wait_out(10)
        self.assertNotIn("content-encoding", "\n".join(client.out).lower())
        self.hub.signal(signal.SIGTERM)  # once: stop() would cut what has not ended yet
        self.assertEqual(self.hub.wait_exit(), 0)
        self.assertEqual(client.wait_exit(), 0)


if __name__ == "__main__":
    foreign.main(sys.argv[1:])
