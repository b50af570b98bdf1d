#!/usr/bin/env python3
"""The hub behind nginx, HAProxy and Caddy, in depth (every proxy: proxy_lines_test.py):
proxies_test.py CLASS

What a machine lacks is said and skipped (exit status 77).
"""

import json
import socket
import subprocess
import sys
import unittest
from unittest import mock

import foreign
import proxy_programs
from hub import DEADLINE, Hub, Process, eventually, lasting_address, ports
from relay import RESET

ORIGIN = "http://page.example.com"
QUICK = ("60s", "3s")  # a proxy that bears less silence, so that no test takes minutes


class Contract:
    proxy_class = None

    @classmethod
    def setUpClass(cls):
        foreign.need_program(cls.proxy_class.program)
        foreign.need_program("curl")

    def start(self, *edits, heartbeat="0s"):
        self.hub = Hub("--drain-timeout", "0s", "--retry", "20ms", "--heartbeat", heartbeat,
                       listen=lasting_address())
        self.addCleanup(lambda: self.hub.__exit__())
        self.proxy = self.proxy_class(self.hub.address, *edits)
        self.proxy.__enter__()
        self.addCleanup(self.proxy.__exit__)

    def curl(self, target, *arguments):
        """Its answer: status, body."""
        done = subprocess.run(
            ["curl", "-sS", "-w", "\n%{http_code}", *arguments, self.proxy.url + target],
            capture_output=True, text=True, timeout=DEADLINE, check=True)
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), body

    def stream(self, *arguments, target="/events?stream=a", url=None):
        """A stream through the proxy, line by line."""
        client = Process("-sN", *arguments, (url or self.proxy.url) + target, program=["curl"])
        self.addCleanup(client.__exit__)
        return client

    @staticmethod
    def wait_line(client, text, count=1):
        eventually(lambda: client.out.count(text) >= count or client.process.poll() is not None,
                   f"{text!r} through the proxy")
        assert client.out.count(text) >= count, (client.out, client.log)

    def greeted_stream(self, *arguments, **more):
        """Nothing was published and there is no heartbeat: what arrives was not held back."""
        client = self.stream(*arguments, **more)
        self.wait_line(client, ": ok")
        return client

    def events_at_once(self, client, count=20):
        for i in range(count):
            self.hub.publish("a", f"event {i}")
            self.wait_line(client, f"data: event {i}")

    def test_takes_other_ports_when_one_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as user:
            free = [ports.take() for _ in range(1 + self.proxy_class.more_ports)]
            taken = [*free[1:], user.getsockname()[1]]
            with mock.patch.object(ports, "take", mock.Mock(side_effect=[*taken, *free])), \
                    self.proxy_class("127.0.0.1:1") as other:
                self.assertEqual(other.ports, free)

    def test_every_byte_passes_at_once(self):
        self.start()
        self.hub.publish("a", "x" * 2000)  # worth compressing
        client = self.greeted_stream("-i", "-H", "Accept-Encoding: gzip",
                                     target="/events?stream=a&last_event_id=earliest")
        head = "\n".join(client.out[:client.out.index("")]).lower()
        self.assertIn(" 200", head)
        self.assertIn("content-type: text/event-stream", head)
        self.assertIn("access-control-allow-origin: *", head)
        self.assertNotIn("content-encoding", head)
        self.events_at_once(client)

    def test_every_byte_passes_at_once_in_http_1_0(self):
        self.start()
        self.events_at_once(self.greeted_stream("--http1.0"))

    def test_heartbeats_keep_a_stream_open(self):
        edits = [QUICK] if self.proxy_class.silence_ends_a_stream else []
        self.start(*edits, heartbeat="1s")
        client = self.greeted_stream()
        self.wait_line(client, ": keepalive", 6)
        self.hub.publish("a", "still here")
        self.wait_line(client, "data: still here")

    def test_silence_ends_a_stream(self):
        if not self.proxy_class.silence_ends_a_stream:
            return
        self.start(QUICK)
        client = self.greeted_stream()
        client.wait_exit()
        self.hub.wait_streams(0)

    def test_resumes_over_a_restart_of_the_proxy(self):
        self.start()
        client = Process("subscribe", "--url", self.proxy.url, "--stream", "a", "--json")
        self.addCleanup(client.__exit__)
        self.hub.wait_streams(1)
        for start in (0, 20, 40):
            for i in range(start, start + 10):
                self.hub.publish("a", str(i))
            client.wait_out(start + 10)
            self.proxy.stop()
            self.hub.wait_streams(0)
            for i in range(start + 10, start + 20):
                self.hub.publish("a", str(i))
            self.proxy.start()
            client.wait_out(start + 20)
        self.assertEqual([json.loads(line)["data"] for line in client.out],
                         [str(i) for i in range(60)])

    def test_a_restart_of_the_hub_is_no_error_to_a_browser(self):
        self.start()
        before = self.greeted_stream()
        address = self.hub.address
        self.assertEqual(self.hub.stop(), 0)
        before.wait_exit()
        during = self.stream("-i", "-H", f"Origin: {ORIGIN}")
        # A proxy that does not wait for the hub has answered by now; one that waits goes on.
        eventually(lambda: during.out or foreign.has_socket(during.process.pid, self.proxy.port,
                                                            listening=False), "the request")
        self.hub = Hub("--drain-timeout", "0s", "--retry", "20ms", listen=address)
        self.wait_line(during, "")  # the end of an answer's head
        head = "\n".join(during.out[:during.out.index("")]).lower()
        self.assertIn(" 200", head)
        self.assertIn("content-type: text/event-stream", head)
        self.assertRegex(head, rf"access-control-allow-origin: ([*]|{ORIGIN})(\n|$)")
        self.events_at_once(self.greeted_stream())

    def test_a_hub_that_ends_before_it_takes_a_connection(self):
        """As those do that wait in its queue while it drains."""
        address = lasting_address()
        host, port = address.rsplit(":", 1)
        self.proxy = self.proxy_class(address)
        with self.proxy, socket.create_server((host, int(port))) as ending:
            ending.settimeout(DEADLINE)
            client = self.stream("-i")
            connection, _ = ending.accept()
            with connection:
                connection.settimeout(DEADLINE)
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                ending.close()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.hub = Hub("--drain-timeout", "0s", listen=address)
            self.addCleanup(self.hub.__exit__)
            self.wait_line(client, "")
            self.assertIn(" 200", client.out[0])

    def test_publishing_passes(self):
        self.start()
        client = self.greeted_stream()
        self.assertEqual(self.curl("/publish?stream=a", "-d", "text"), (204, ""))
        self.wait_line(client, "data: text")
        self.assertEqual(self.curl("/publish?stream=a&msg=got"), (204, ""))
        self.wait_line(client, "data: got")
        self.assertEqual(self.curl("/publish?stream=a", "-H", "Transfer-Encoding: chunked", "-d",
                                   "in chunks"), (204, ""))
        self.wait_line(client, "data: in chunks")
        batch = "".join(json.dumps({"stream": "a", "data": f"{i}{'x' * 1000}"}) + "\n"
                        for i in range(3000))
        path = self.proxy.write("batch", batch)
        status, answer = self.curl("/publish", "-H", "Content-Type: application/x-ndjson",
                                   "--data-binary", f"@{path}")
        self.assertEqual((status, json.loads(answer)["published"]), (200, 3000))
        self.wait_line(client, f"data: 2999{'x' * 1000}")

    def test_only_streams_are_for_everybody(self):
        self.start()
        stranger = ("--interface", "127.0.0.3", "--path-as-is")
        self.greeted_stream(*stranger)
        self.greeted_stream(*stranger, target="/sse?stream=a")
        for path in ("/publish", "/publish/", "//publish", "/./publish", "/%70ublish", "/PUBLISH",
                     "/events/../publish", "/events/publish", "/publish%00/events", "/metrics",
                     "/events%2f..%2fpublish", "/publish;/events", "/healthz", "/"):
            status, _ = self.curl(path + "?stream=a", *stranger, "-d", "from a stranger")
            self.assertGreaterEqual(status, 400, path)
            status, _ = self.curl(path + "?stream=a&msg=x", *stranger)
            self.assertGreaterEqual(status, 400, path)
        self.assertEqual(self.curl("/metrics")[0], 200)
        self.assertIn("\ntocsin_events_encoded_total 0\n", self.hub.ask("GET", "/metrics")[2])


class Nginx(Contract, unittest.TestCase):
    proxy_class = proxy_programs.Nginx

    def test_a_page_that_sends_credentials_may_read_what_nginx_answers(self):
        self.proxy = self.proxy_class(lasting_address())
        with self.proxy:
            _, answer = self.curl("/events?stream=a", "-i", "-H", f"Origin: {ORIGIN}")
        self.assertIn(f"\nAccess-Control-Allow-Origin: {ORIGIN}\n", answer)
        self.assertIn("\nAccess-Control-Allow-Credentials: true\n", answer)

    def test_http_1_0_between_proxy_and_hub(self):
        self.start(("proxy_http_version 1.1", "proxy_http_version 1.0"))
        self.events_at_once(self.greeted_stream())


class Haproxy(Contract, unittest.TestCase):
    proxy_class = proxy_programs.Haproxy


class Caddy(Contract, unittest.TestCase):
    proxy_class = proxy_programs.Caddy

    def secure_url(self):
        return f"https://events.example.com:{self.proxy.tls_port}"

    def test_over_tls_and_http_2(self):
        self.start()
        eventually(lambda: not subprocess.run(
            self.secure_curl("-o", "/dev/null", self.secure_url() + "/healthz"), check=False,
            timeout=DEADLINE).returncode, "the certificate")
        client = self.greeted_stream(*self.secure_curl("--http2", "-i")[1:], url=self.secure_url())
        self.assertIn("HTTP/2 200", client.out[0])
        self.events_at_once(client)

    def secure_curl(self, *arguments):
        return ["curl", "-s", "--cacert", self.proxy.authority(), "--resolve",
                f"events.example.com:{self.proxy.tls_port}:127.0.0.1", *arguments]


if __name__ == "__main__":
    foreign.main(sys.argv[1:])
