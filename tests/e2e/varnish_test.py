#!/usr/bin/env python3
"""The hub behind Varnish, which keeps what came with the head until more comes: varnish_test.py CLASS

What a machine lacks is said and skipped (exit status 77).
"""

import signal
import sys
import tempfile
import unittest

import foreign
from foreign import has_socket
from hub import Hub, Process, eventually, ports


class Varnish(unittest.TestCase):
    """With its own defaults; the hub is as silent as can be."""

    def setUp(self):
        foreign.need_program("varnishd", "varnish")
        foreign.need_program("curl")
        self.hub = Hub("--heartbeat", "0s", "--drain-timeout", "0s")
        self.addCleanup(lambda: self.hub.__exit__())
        folder = tempfile.TemporaryDirectory(prefix="tocsin-varnish-")
        self.addCleanup(folder.cleanup)
        for _ in range(ports.TRIES):
            port = ports.take()
            self.varnish = Process(
                "-F", "-j", "none", "-n", folder.name, "-a", f"127.0.0.1:{port}",
                "-b", self.hub.address, "-s", "malloc,8m", program=["varnishd"])
            eventually(lambda: self.varnish.process.poll() is not None or
                       has_socket(self.varnish.process.pid, port), "Varnish on its port")
            if self.varnish.process.poll() is None:
                break
            self.varnish.__exit__()
        else:
            self.fail(f"varnishd does not start: {self.varnish.log}")
        self.addCleanup(self.stop)
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        self.varnish.signal(signal.SIGTERM)
        self.varnish.wait_exit()
        self.varnish.__exit__()

    def stream(self, *arguments, target):
        client = Process("-sN", *arguments, self.url + target, program=["curl"])
        self.addCleanup(client.__exit__)
        return client

    @staticmethod
    def wait_line(client, text):
        eventually(lambda: text in client.out or client.process.poll() is not None, repr(text))
        assert text in client.out, (client.out, client.log)

    def test_the_first_bytes_of_a_stream_arrive(self):
        client = self.stream(target="/events?stream=a")
        self.wait_line(client, ": ok")
        for i in range(10):
            self.hub.publish("a", f"event {i}")
            self.wait_line(client, f"data: event {i}")

    def test_what_a_client_missed_arrives(self):
        self.hub.publish("a", "missed")
        for arguments in (("-H", "Last-Event-ID: earliest"), ("-H", "Last-Event-ID: nobody's")):
            self.wait_line(self.stream(*arguments, target="/events?stream=a"), "data: missed")

    def test_an_opening_event_arrives(self):
        client = self.stream(target="/events?stream=a&hello=1")
        self.wait_line(client, "event: open")
        self.wait_line(client, "")


if __name__ == "__main__":
    foreign.main(sys.argv[1:])
