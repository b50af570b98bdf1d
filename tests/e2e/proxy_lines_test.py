#!/usr/bin/env python3
"""What docs/proxies.md gives for each proxy, as it stands there: proxy_lines_test.py CLASS

The hub sends no heartbeats here: what arrives was not pushed on by something else. What a machine
lacks is said and skipped (exit status 77).
"""

import json
import resource
import statistics
import subprocess
import sys
import time
import unittest

import foreign
import proxy_programs
from crowd import Crowd
from hub import DEADLINE, Hub, Process, eventually, lasting_address
from relay import Relay

STREAMS = 2000
TOPICS = ("once", "left", "position", "all")


class Lines:
    program = None
    passes_everything = False

    @classmethod
    def setUpClass(cls):
        foreign.need_program(cls.program.program, cls.program.package)
        foreign.need_program("curl")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        foreign.skip_if(f"{hard} descriptors are not enough" if hard < 2 * STREAMS + 500 else "")
        cls.hub = cls.start_hub()
        cls.addClassCleanup(lambda: cls.hub.__exit__())
        cls.proxy = cls.program(cls.hub.address).__enter__()
        cls.addClassCleanup(cls.end, cls.proxy)

    @staticmethod
    def end(proxy):
        proxy.kill()
        proxy.root.cleanup()

    @staticmethod
    def start_hub(listen="127.0.0.1:0"):
        return Hub("--heartbeat", "0s", "--retry", "20ms", "--drain-timeout", "0s", listen=listen)

    def setUp(self):
        self.addCleanup(self.wait_left)  # the last of them

    def authority(self):
        return self.proxy.authority() if self.program.scheme == "https" else None

    def curl(self, *arguments):
        trusted = ["--cacert", self.authority()] if self.authority() else []
        return ["curl", "-sS", *trusted, *arguments]

    def stream(self, target, *arguments):
        """Opened through the proxy; its first bytes have arrived, and nothing else was sent."""
        client = Process("-N", *arguments, self.proxy.url + target, program=self.curl())
        self.addCleanup(client.__exit__)
        self.wait_line(client, ": ok")
        return client

    @staticmethod
    def wait_line(client, text):
        eventually(lambda: text in client.out or client.process.poll() is not None,
                   f"{text!r} through the proxy")
        assert text in client.out, (client.out, client.log)

    def wait_left(self):
        """Until the hub knows that everybody has left; some proxies find out by writing."""
        def none():
            if not self.program.notices_at_once:
                for topic in TOPICS:
                    self.hub.publish(topic, "to nobody")
            return self.hub.counter("tocsin_connections", 'state="stream"') == 0
        eventually(none, "the hub sees that all have left")

    def delays(self, *clients):
        """Of an event to each of the clients, which have the one before."""
        self.events = getattr(self, "events", 0) + 1
        line = f"data: event {self.events}"
        start = time.monotonic()
        self.hub.publish("once", f"event {self.events}")
        delays = {}
        def arrived():
            for client in clients:
                if client not in delays and line in client.out:
                    delays[client] = time.monotonic() - start
            return len(delays) == len(clients)
        eventually(arrived, line, pause_s=0.0002)
        return [delays[client] for client in clients]

    def test_first_bytes_and_events_come_at_once(self):
        client = self.stream("/events?stream=once", "-i", "-H", "Accept-Encoding: gzip")
        head = "\n".join(client.out[:client.out.index("")]).lower()
        self.assertIn(" 200", head)
        self.assertIn("content-type: text/event-stream", head)
        self.assertNotIn("content-encoding", head)
        # A proxy that holds events back holds all of them, a busy machine some.
        direct = Process("-sN", self.hub.url + "/events?stream=once", program=["curl"])
        self.addCleanup(direct.__exit__)
        self.wait_line(direct, ": ok")
        usual, quickest = [], float("inf")
        for _ in range(100):
            straight, through = self.delays(direct, client)
            usual.append(straight)
            quickest = min(quickest, through)
            if len(usual) >= 20 and quickest < 8 * statistics.median(usual):
                break
        self.assertLess(quickest, 8 * statistics.median(usual))
        large = "x" * 300_000
        self.hub.publish("once", large)
        self.wait_line(client, "data: " + large)

    def test_who_leaves_is_noticed(self):
        clients = [self.stream("/sse?stream=left") for _ in range(5)]
        self.hub.wait_streams(len(clients))
        for client in clients:
            client.__exit__()
        self.wait_left()

    def test_a_position_passes(self):
        for i in range(3):
            self.hub.publish("position", str(i))
        everything = self.stream("/events?stream=position&last_event_id=earliest")
        self.wait_line(everything, "data: 2")
        ids = [line.removeprefix("id: ") for line in everything.out if line.startswith("id: ")]
        client = self.stream("/events?stream=position", "-H", f"Last-Event-ID: {ids[-2]}")
        self.wait_line(client, "data: 2")
        self.assertNotIn("data: 1", client.out)

    def test_thousands_of_streams(self):
        with Crowd(self.proxy.port, "/events?stream=all", STREAMS, self.authority()) as crowd:
            self.hub.publish("all", "to all")
            crowd.wait(b"data: to all\n")
            self.hub.wait_streams(STREAMS)

    def test_only_streams_pass(self):
        if self.passes_everything:
            return
        before = self.hub.counter("tocsin_events_encoded_total")
        stranger = ("--interface", "127.0.0.3", "--path-as-is", "-o", "/dev/null", "-w",
                    "%{http_code}\n", "-d", "from a stranger")
        paths = ("/publish", "/publish/", "//publish", "/./publish", "/%70ublish", "/PUBLISH",
                 "/events/../publish", "/events/publish", "/sse/publish", "/publish%00/events",
                 "/events%2f..%2fpublish", "/publish;/events", "/publish?/events", "/metrics", "/")
        for path in paths:
            separator = "&" if "?" in path else "?"
            done = subprocess.run(
                self.curl(*stranger, f"{self.proxy.url}{path}{separator}stream=a"),
                capture_output=True, text=True, timeout=DEADLINE, check=True)
            self.assertGreaterEqual(int(done.stdout), 400, path)
        self.assertEqual(self.hub.counter("tocsin_events_encoded_total"), before)

    def test_a_hub_that_dies_in_the_middle_of_an_event(self):
        """No half event is taken for a whole one, and the next hub is found."""
        hub = self.start_hub(lasting_address())
        self.addCleanup(lambda: hub.__exit__())
        with Relay(hub.address) as relay:
            proxy = self.program(relay.address).__enter__()
            self.addCleanup(self.end, proxy)
            trusted = ["--ca-file", proxy.authority()] if self.authority() else []
            client = Process("subscribe", "--url", proxy.url, "--stream", "a", "--json", *trusted)
            self.addCleanup(client.__exit__)
            hub.wait_streams(1)
            hub.publish("a", "before")
            client.wait_out(1)

            def cut_in_the_middle(data):
                relay.cut_next(f"{data}, first half".encode())
                hub.publish("a", f"{data}, first half, second half")
                relay.wait_cut()

            cut_in_the_middle("cut")  # as the network does
            relay.let_in()
            client.wait_out(2)
            cut_in_the_middle("killed")
            hub.process.kill()
            hub.wait_exit()
            hub = self.start_hub(hub.address)
            relay.let_in()
            client.wait_out(3)  # the gap: the new hub does not know the position
            hub.publish("a", "after")
            client.wait_out(4)
            client.__exit__()
        events = [json.loads(line) for line in client.out]
        self.assertEqual([event["type"] for event in events if event["type"] != "message"],
                         ["gap"])
        self.assertEqual([event["data"] for event in events if event["type"] == "message"],
                         ["before", "cut, first half, second half", "after"])


class Nginx(Lines, unittest.TestCase):
    program = proxy_programs.Nginx


class Haproxy(Lines, unittest.TestCase):
    program = proxy_programs.Haproxy


class Caddy(Lines, unittest.TestCase):
    program = proxy_programs.Caddy


class Apache(Lines, unittest.TestCase):
    program = proxy_programs.Apache


class Lighttpd(Lines, unittest.TestCase):
    program = proxy_programs.Lighttpd


class Varnish(Lines, unittest.TestCase):
    program = proxy_programs.Varnish


class Squid(Lines, unittest.TestCase):
    program = proxy_programs.Squid


class H2o(Lines, unittest.TestCase):
    program = proxy_programs.H2o


class Nghttpx(Lines, unittest.TestCase):
    program = proxy_programs.Nghttpx


class TrafficServer(Lines, unittest.TestCase):
    program = proxy_programs.TrafficServer


class Tinyproxy(Lines, unittest.TestCase):
    program = proxy_programs.Tinyproxy
    passes_everything = True


class Stunnel(Lines, unittest.TestCase):
    program = proxy_programs.Stunnel
    passes_everything = True


class Hitch(Lines, unittest.TestCase):
    program = proxy_programs.Hitch
    passes_everything = True


if __name__ == "__main__":
    foreign.main(sys.argv[1:])
