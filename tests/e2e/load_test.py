#!/usr/bin/env python3
"""`tocsin load` as a process against `tocsin serve`, and against servers that are none."""

import contextlib
import json
import os
import signal
import socket
import tempfile
import threading
import unittest

from hub import Hub, Process, eventually, lasting_address, run

STREAMS = 40
# Short runs of each scenario: what it is about must happen in them.
SCENARIOS = {
    "idle": ["--idle", "0.2", "--settle", "0"],
    "trickle": ["--rate", "20", "--events", "10"],
    "broadcast": ["--events", "20"],
    "saturate": ["--events", "2000", "--batch", "10"],
    "topics": ["--rate", "2000", "--events", "2000"],
    "churn": ["--rate", "100", "--duration", "1", "--churn", "50", "--drain", "1"],
    "herd": ["--rate", "100", "--duration", "1.5", "--herd-after", "0.3"],
    "slow": ["--rate", "200", "--duration", "1", "--drain", "1"],
    "replay": ["--history", "200"],
}
FAULTS = ("lost", "told", "duplicated", "reordered", "corrupted")


class Answering:
    """A server that gives every connection the same bytes and then closes it."""

    def __init__(self, answer):
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(self.answer)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


class Scenarios(unittest.TestCase):
    def setUp(self):
        self.hub = Hub("--drain-timeout", "0s")
        self.addCleanup(self.hub.__exit__)

    def load(self, scenario, *arguments, status=0):
        out, error = run("load", scenario, self.hub.url, "-n", str(STREAMS), "--json", "-",
                         "--pid", str(self.hub.process.pid), *arguments, status=status)
        return json.loads(out), error

    def check(self, io):
        for scenario, arguments in SCENARIOS.items():
            with self.subTest(scenario=scenario):
                result, _ = self.load(scenario, "--io", io, *arguments)
                self.assertEqual(result["failures"], [])
                self.assertEqual(result["streams"]["connected"], STREAMS)
                self.assertEqual(result["streams"]["held"], STREAMS)
                self.assertEqual(result["streams"]["server_count"], STREAMS)
                deliveries = result["deliveries"]
                self.assertEqual([deliveries[name] for name in FAULTS], [0] * len(FAULTS))
                self.check_course(scenario, result)

    def check_course(self, scenario, result):
        delivered = result["deliveries"]["delivered"]
        events = result["publishing"]["events"]
        if scenario == "idle":
            self.assertEqual(delivered, 0)
            self.assertGreaterEqual(result["idle"]["duration_s"], 0.2)
        elif scenario == "topics":
            self.assertEqual(delivered, events)  # each topic has one subscriber
        elif scenario == "churn":
            self.assertGreater(result["streams"]["left"], 0)
            self.assertGreater(delivered, 0)
        elif scenario == "slow":
            self.assertGreaterEqual(delivered, events * STREAMS * 9 // 10)
        elif scenario == "replay":
            self.assertEqual(delivered, 200 * STREAMS)
        else:
            self.assertEqual(delivered, events * STREAMS)
        if scenario == "herd":
            self.assertEqual(result["reconnect"]["count"], STREAMS)

    def test_epoll(self):
        self.check("epoll")

    def test_automatic(self):
        self.check("auto")

    def test_expectations_decide(self):
        result, _ = self.load("broadcast", "--events", "5", "--expect", "p99<1000s,lost=0")
        self.assertTrue(result["ok"])
        result, _ = self.load("broadcast", "--events", "5", "--expect", "p50<1ns,connected<5",
                              status=1)
        self.assertEqual(len(result["failures"]), 2)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            page, file = os.path.join(folder, "run.html"), os.path.join(folder, "run.json")
            out, error = run("load", "broadcast", self.hub.url, "-n", "5", "--events", "5",
                             "--quiet", "--report", page, "--json", file)
            self.assertIn("PASS", out)
            self.assertEqual(error, "")
            with open(file, encoding="utf-8") as text:
                self.assertEqual(json.load(text)["publishing"]["events"], 5)
            with open(page, encoding="utf-8") as text:
                self.assertIn("<html", text.read())
            run("load", "--json", os.path.join(folder, "no", "folder"), self.hub.url, status=2)

    def test_the_first_signal_ends_the_run_with_what_was_measured(self):
        with Process("load", "trickle", self.hub.url, "-n", "5", "--rate", "100", "--duration",
                     "1000", "--json", "-") as process:
            process.wait_log("publish")
            process.signal(signal.SIGINT)
            self.assertEqual(process.wait_exit(), 1)
            result = json.loads("\n".join(process.out))
            self.assertIn("interrupted", result["failures"][0])
            self.assertEqual(result["streams"]["connected"], 5)

    def test_a_refused_publisher_fails_the_run(self):
        result, _ = self.load("trickle", "--events", "5", "--rate", "100", "--drain", "0.5",
                              "--publish-url", f"{self.hub.url}/nowhere", status=1)
        self.assertTrue(result["failures"])


class Deploy(unittest.TestCase):
    """A hub that is restarted, and one that is killed, while a load runs."""

    def deploy(self, io, duration):
        """The result of a run, its exit status, and whether it lasted until both were over."""
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(Hub("--drain-timeout", "0s", listen=lasting_address()))
            load = stack.enter_context(Process(
                "load", "deploy", first.url, "-n", str(STREAMS), "--rate", "100", "--duration",
                str(duration), "--io", io, "--json", "-"))

            def wait(hub):
                """Until all streams are there and events flow, or the run is over."""
                eventually(lambda: load.process.poll() is not None or
                           (hub.counter("tocsin_connections", 'state="stream"') == STREAMS and
                            hub.counter("tocsin_events_published_total") >= 10), "a loaded hub")
            wait(first)
            self.assertEqual(first.stop(), 0)
            second = stack.enter_context(
                Hub("--drain-timeout", "0s", listen=first.address))
            wait(second)
            second.signal(signal.SIGKILL)
            second.wait_exit()
            third = stack.enter_context(Hub("--drain-timeout", "0s", listen=first.address))
            wait(third)
            is_in_time = load.process.poll() is None
            status = load.wait_exit()
            return json.loads("\n".join(load.out)), status, is_in_time

    def check(self, io):
        # A slow machine takes longer for the restarts than a short run does.
        for duration in (8, 30, 120):
            result, status, is_in_time = self.deploy(io, duration)
            if is_in_time:
                break
        self.assertTrue(is_in_time, result["failures"])
        self.assertEqual((result["failures"], status), ([], 0))
        streams, deliveries = result["streams"], result["deliveries"]
        publishing = result["publishing"]
        for counted in ("connected", "held", "server_count"):
            self.assertEqual(streams[counted], STREAMS)
        self.assertEqual(streams["away"], 0)
        self.assertEqual(streams["dropped"], 2 * STREAMS)
        self.assertEqual(streams["outage"]["count"], 2 * STREAMS)
        self.assertGreaterEqual(streams["outage"]["p50_ns"], 1e9)  # when it first tries again
        self.assertEqual(streams["refused"], streams["refused_meanwhile"])
        # What was published while nobody was there to get it is told of; all else came once.
        for fault in ("lost", "away", "duplicated", "reordered", "corrupted"):
            self.assertEqual(deliveries[fault], 0, fault)
        published = publishing["events"] - publishing["events_refused"] - publishing["uncertain"]
        self.assertGreaterEqual(deliveries["delivered"] + deliveries["told"], published * STREAMS)
        self.assertFalse(publishing["ended_early"])
        self.assertGreater(publishing["longest_away_s"], 0)

    def test_epoll(self):
        self.check("epoll")

    def test_automatic(self):
        self.check("auto")

    def test_a_hub_that_does_not_come_back_fails_the_run(self):
        with Hub("--drain-timeout", "0s", listen=lasting_address()) as hub:
            with Process("load", "deploy", hub.url, "-n", "5", "--rate", "100", "--duration", "3",
                         "--drain", "0.5", "--json", "-") as load:
                eventually(lambda: hub.counter("tocsin_events_published_total") >= 10, "events")
                hub.signal(signal.SIGKILL)
                hub.wait_exit()
                self.assertEqual(load.wait_exit(), 1)
                result = json.loads("\n".join(load.out))
        self.assertEqual(result["streams"]["away"], 5)
        self.assertEqual(result["deliveries"]["lost"], 0)
        self.assertTrue(result["publishing"]["ended_early"])
        self.assertIn("5 streams that the server ended were not back at the end",
                      result["failures"])


class NoSuchServer(unittest.TestCase):
    def refused(self, url, *arguments):
        out, error = run("load", url, "-n", "10", "--quiet", *arguments, status=1)
        self.assertEqual(out, "")
        return error

    def test_nobody_listens(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            error = self.refused(f"http://127.0.0.1:{unused.getsockname()[1]}")
        self.assertIn("refused", error.lower())

    def test_no_stream(self):
        with Answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as server:
            self.assertIn("404", self.refused(server.url))
        with Answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>") as server:
            self.assertIn("text/html", self.refused(server.url))

    def test_a_servers_control_bytes_do_not_reach_the_terminal(self):
        body = b"\x1b]0;t\x07\x9b1m\x7f"
        with Answering(b"HTTP/1.1 404 Nope\r\nContent-Length: 9\r\n\r\n" + body) as server:
            error = self.refused(server.url)
        self.assertIn("\\x1b]0;t\\x07\\x9b1m\\x7f", error)
        with Answering(b"\x1b[2J no HTTP\r\n\r\n") as server:
            error += self.refused(server.url)
        with Answering(b"\x15\x03\x01\x00\x02\x02\x16") as server:  # an alert of TLS
            tls = self.refused(server.url)
        self.assertIn("speaks TLS", tls)
        for text in (error, tls):
            self.assertEqual([c for c in text if c != "\n" and not " " <= c <= "~"], [])

    def test_silence_is_told_with_what_was_waited_for(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            error = self.refused(f"http://127.0.0.1:{silent.getsockname()[1]}", "--drain", "0.3")
        self.assertIn("10 streams waited for the response's head", error)

    def test_wrong_arguments(self):
        out, error = run("load", "--json", "/dev/null/x", status=2)
        self.assertIn("--json: cannot write /dev/null/x: Not a directory", error)
        for arguments in (["nonsense"], ["https://127.0.0.1"], ["-n", "-1"], ["--rate", "nan"],
                          ["--slow-share", "2"], ["--recipe", "x"], ["--expect", "p99"],
                          ["--pid", "2147483647"], ["--size", "3"], ["--no-such-flag"]):
            out, error = run("load", *arguments, status=2)
            self.assertEqual(out, "")
            self.assertEqual(len(error.splitlines()), 1, error)
        out, _ = run("load", "--help-recipes")
        self.assertIn("centrifugo", out)


if __name__ == "__main__":
    unittest.main()
