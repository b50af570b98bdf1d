#!/usr/bin/env python3
"""`tocsin serve` and `check` as processes: configuration, signals, limits, notifications."""

import os
import re
import resource
import signal
import socket
import tempfile
import time
import unittest
from pathlib import Path

from hub import (Connection, Hub, Process, each_backend, eventually, is_sanitized,
                 lasting_address, run)


class Serve(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def config(self, *lines):
        path = Path(self.folder.name) / "tocsin.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    def test_serves_on_either_backend_and_says_which(self):
        for io in each_backend():
            with Hub("--io", io) as hub:
                name = "io_uring" if io == "uring" else "epoll"
                self.assertIn(f"io={name}", hub.wait_log("msg=listening"))
                self.assertRegex(hub.ask("GET", "/metrics")[2], rf'tocsin_info{{.*io="{name}"}} 1')
                with hub.stream("/events?stream=a") as stream:
                    hub.publish("a", "hello")
                    stream.read_until(b"data: hello\n")
                self.assertEqual(hub.stop(), 0)

    def test_the_front_page_says_where_to_go_on(self):
        with Hub() as hub:
            status, head, page = hub.ask("GET", "/")
            self.assertEqual(status, 200)
            self.assertIn("Content-Type: text/html; charset=utf-8\r\n", head)
            self.assertIn("Content-Security-Policy: default-src 'none'", head)
            self.assertIn("X-Content-Type-Options: nosniff\r\n", head)
            links = re.findall(r'href="([^"]*)"', page)
            self.assertLessEqual({"/events?stream=events", "/metrics", "/README.md"}, set(links))
            for link in ["/", *links]:  # every one leads somewhere, here
                with hub.connect() as connection:
                    connection.send(f"HEAD {link} HTTP/1.1\r\nHost: hub\r\n\r\n".encode())
                    connection.read_until(b"HTTP/1.1 200 ")
            self.assertNotRegex(page, r"(src|action|style)=|<(script|style|link|img|iframe)\b")
            _, head, readme = hub.ask("GET", "/README.md")
            self.assertIn("Content-Type: text/plain; charset=utf-8\r\n", head)
            self.assertTrue(readme.startswith("# Tocsin\n"))
            self.assertEqual(hub.ask("GET", "/nowhere")[0], 404)
        with Hub(command="demo") as demo:
            self.assertIn("app.js", demo.ask("GET", "/")[2], "the demonstration has its own")

    def test_reads_its_configuration(self):
        config = self.config('listen = ["127.0.0.1:0"]', "auto_topics = false", 'topics = ["known"]',
                             "get_publish = false")
        with Hub("--config", config, "--get-publish", "true") as hub:
            self.assertEqual(hub.ask("GET", "/publish?stream=known&msg=x")[0], 204, "flags win")
            self.assertEqual(hub.ask("GET", "/events?stream=other")[0], 404)

    def test_an_unknown_key_is_an_error_with_its_line(self):
        config = self.config("shards = 1", "", "hartbeat = 15", 'io = "kqueue"')
        for command in ("serve", "check", "demo"):
            _, error = run(command, "--config", config, status=2)
            first, second = error.splitlines()
            self.assertEqual(first, f"tocsin {command}: {config}:3: hartbeat is not a known key"
                                    "; did you mean heartbeat?")
            self.assertTrue(second.startswith(f"tocsin {command}: {config}:4: io "), second)

    def test_wrong_flags_are_errors(self):
        self.assertEqual(run("serve", "--shards", "-1", status=2)[1],
                         "tocsin serve: --shards must be a whole number from 0 to 128\n")
        self.assertIn("--no-such-flag; see tocsin serve --help\n",
                      run("serve", "--no-such-flag", status=2)[1])
        self.assertEqual(run("no-such-command", status=2)[1],
                         "tocsin: unknown command 'no-such-command'; see tocsin --help\n")
        for wrong, hint in ((("serve", "--max_connections=5"), "--max-connections"),
                            (("serve", "--hartbeat", "5s"), "--heartbeat"),
                            (("load", "--subscriber", "5"), "--subscribers"),
                            (("subscribe", "--steam", "a"), "--stream"),
                            (("serv", "--listen"), "serve"), (("publsih", "x"), "publish"),
                            (("--verison",), "--version")):
            error = run(*wrong, status=2)[1]
            self.assertTrue(error.endswith(f"; did you mean {hint}?\n"), error)
        run(status=2)
        run("--help")
        self.assertIn("nowhere.toml", run("serve", "--config", "/nowhere.toml", status=2)[1])

    def test_version_says_what_a_report_needs(self):
        name, io, libraries = run("--version")[0].splitlines()
        self.assertRegex(name, r"^tocsin \d+\.\d+\.\d+( \([\w.-]+\))?$")
        allowed = "uring" in each_backend()
        self.assertRegex(io, "^I/O: io_uring, epoll$" if allowed else r"^I/O: epoll \(io_uring: .+\)$")
        named = dict(entry.rsplit(" ", 1) for entry in libraries.removeprefix("Libraries: ").split(", "))
        self.assertLessEqual({"liburing", "llhttp", "simdjson", "OpenSSL", "libsodium", "SQLite"}, set(named))
        for library, version in named.items():
            self.assertRegex(version, r"^\d+\.\d+", library)

    def test_check_prints_what_is_in_effect_and_can_be_read_back(self):
        printed, _ = run("check", "--heartbeat", "7s", "--shards", "3")
        self.assertIn('heartbeat = "7s"', printed)
        self.assertIn("shards = 3", printed)
        again, _ = run("check", "--config", self.config(printed))
        self.assertEqual(again, printed)
        self.assertEqual(run("check", "--quiet")[0], "")
        cores = len(os.sched_getaffinity(0))
        printed, warnings = run("check", "--max-connections", "100000000")
        self.assertIn(f"\nshards = 0  # {min(cores, 128)} on this machine\n", printed)
        for line in warnings.splitlines():
            self.assertRegex(line, "^tocsin check: (warning|note): ")
        self.assertIn("RLIMIT_NOFILE", warnings)
        self.assertEqual(run("check", "--config", self.config(printed))[0], printed)

    def test_a_port_in_use_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            _, error = run("serve", "--listen", address, status=1)
            self.assertIn(address, error)
            self.assertIn("in use", error)
        with Hub() as hub:  # another hub shares with SO_REUSEPORT, and must not
            _, error = run("serve", "--listen", hub.address, status=1)
            self.assertIn("in use", error)
            self.assertEqual(hub.ask("GET", "/healthz")[0], 200)

    def test_can_be_started_again_at_once_on_its_port(self):
        listen = lasting_address()
        for _ in range(3):
            with Hub("--drain-timeout", "0s", listen=listen) as hub:
                with hub.stream("/events"):
                    self.assertEqual(hub.stop(), 0)

    def test_sighup_applies_what_it_can_and_names_the_rest(self):
        for io in each_backend():
            config = self.config('history_count = 100', 'heartbeat = 0')
            with Hub("--config", config, "--io", io) as hub:
                for i in range(3):
                    hub.publish("a", f"event {i}")
                with hub.stream("/events?stream=a") as stream:
                    self.config('history_count = 1', 'heartbeat = "1s"', "shards = 7",
                                'slow_time = "9s"')
                    hub.signal(signal.SIGHUP)
                    applied = hub.wait_log("configuration reloaded")
                    for key in ("history_count", "heartbeat", "slow_time"):
                        self.assertIn(key, applied)
                    self.assertIn("shards", hub.wait_log("restart is needed"))
                    stream.read_until(b"\n: keepalive\n")  # the stream has stayed, and has noticed
                    hub.signal(signal.SIGHUP)  # what was told is not told again
                    again = hub.wait_log("nothing has changed")
                    self.assertIn('applied=""', again)
                    self.assertIn("restart_needed=shards", again)
                with hub.stream("/events?stream=a&last_event_id=earliest") as stream:
                    self.assertNotIn(b"event 1", stream.read_until(b"data: event 2\n"))
                self.config("history_count = -5")
                hub.signal(signal.SIGHUP)
                self.assertIn("history_count", hub.wait_log("configuration not reloaded"))
                self.assertEqual(len([line for line in hub.log if "restart is needed" in line]), 1)
                self.assertEqual(hub.ask("GET", "/readyz")[0], 200)

    def test_sighup_changes_what_holds_for_some_topics(self):
        tables = ("[[topics]]", 'match = "chat/*"')
        config = self.config(*tables, "history_count = 2")
        with Hub("--config", config, "--topics", "there") as hub:
            for i in range(3):
                hub.publish("chat/1", f"event {i}")
            with hub.stream("/events?stream=chat/1&last_event_id=earliest") as stream:
                self.assertNotIn(b"event 0", stream.read_until(b"data: event 2\n"))
            self.config(*tables, "history_count = 1", 'publish = "nobody"')
            hub.signal(signal.SIGHUP)
            self.assertIn("applied=topics", hub.wait_log("configuration reloaded"))
            with hub.stream("/events?stream=chat/1&last_event_id=earliest") as stream:
                self.assertNotIn(b"event 1", stream.read_until(b"data: event 2\n"))
            status, _, body = hub.ask("POST", "/publish?stream=chat/1", b"x")
            self.assertEqual(status, 403, body)
            hub.publish("there", "x")
            self.config(*tables, "history_cout = 1")
            hub.signal(signal.SIGHUP)
            self.assertIn("toml:3: topics.history_cout is not a known key; did you mean",
                          hub.wait_log("configuration not reloaded"))
        printed, _ = run("check", "--config", self.config(*tables), "--topics", "there")
        self.assertIn('topics = [\n  "there",\n  { match = "chat/*" },\n]\n', printed)

    def test_sigterm_drains_and_a_second_one_ends_at_once(self):
        for io in each_backend():
            with Hub("--drain-timeout", "1s", "--io", io) as hub:
                with hub.stream("/events?stream=a") as stream:
                    hub.publish("a", "last words")
                    hub.signal(signal.SIGTERM)
                    self.assertIn(b"data: last words\n", stream.read_to_end())
                    self.assertEqual(hub.wait_exit(), 0)
                    self.assertIn("msg=stopped", hub.log[-1])
            with Hub("--drain-timeout", "3600s", "--io", io) as hub:
                with hub.stream("/events") as one, hub.stream("/events") as two:
                    hub.signal(signal.SIGINT)
                    hub.wait_log("msg=draining")
                    hub.signal(signal.SIGTERM)
                    self.assertEqual(hub.wait_exit(), 0)
                    one.read_to_end()
                    two.read_to_end()

    def test_sigpipe_and_a_log_that_nobody_reads(self):
        with Hub("--drain-timeout", "0s") as hub:
            hub.signal(signal.SIGPIPE)
            os.close(os.dup(hub.process.stderr.fileno()))
            with hub.stream("/events?stream=a") as stream:
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            for _ in range(20):
                hub.publish("a", "to nobody")
            self.assertEqual(hub.ask("GET", "/healthz")[0], 200)
        reader, writer = os.pipe()
        with Process("serve", "--listen", "127.0.0.1:0", before=lambda: os.dup2(writer, 2)) as hub:
            os.close(writer)
            line = b""
            while b"listening" not in line:
                line += os.read(reader, 4096)
            os.close(reader)
            for _ in range(5):
                hub.signal(signal.SIGHUP)  # each writes to the log
            address = line.split(b"address=")[1].split()[0].decode()
            with Connection("127.0.0.1", int(address.rsplit(":", 1)[1])) as connection:
                self.assertEqual(connection.ask("GET", "/healthz")[0], 200)
            hub.signal(signal.SIGTERM)
            self.assertEqual(hub.wait_exit(), 0)

    def test_survives_without_descriptors(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
        for io in each_backend():
            with Hub("--io", io, "--shards", "1", before=few) as hub:
                clients = []
                statuses = []
                for _ in range(100):
                    clients.append(hub.connect())
                    clients[-1].send(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
                    statuses.append(clients[-1].response()[0])
                self.assertGreaterEqual(statuses.count(200), 30)
                self.assertEqual(statuses, sorted(statuses))
                self.assertEqual(set(statuses), {200, 503})
                self.assertEqual(self.status_of(hub), 200, "descriptors that are not for streams")
                self.assertIn("Too many open files", hub.wait_log("accepting paused"))
                before, begin = hub.cpu_seconds(), time.monotonic()
                eventually(lambda: time.monotonic() - begin > 1)  # how busy it is meanwhile
                self.assertLess((hub.cpu_seconds() - before) / (time.monotonic() - begin), 0.5)
                for client in clients:
                    client.socket.close()
                eventually(lambda: self.status_of(hub) == 200, "serving again")
                self.assertLess(len([line for line in hub.log if "accepting paused" in line]), 20)

    @staticmethod
    def status_of(hub):
        try:
            return hub.ask("GET", "/healthz")[0]
        except (OSError, AssertionError):
            return 0

    def test_tells_systemd(self):
        path = os.path.join(self.folder.name, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(60)
            environment = {**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
            config = self.config("heartbeat = 5")
            with Hub("--config", config, "--drain-timeout", "0s", environment=environment) as hub:
                self.expect(notify, "READY=1")
                for _ in range(3):
                    self.expect(notify, "WATCHDOG=1")
                hub.signal(signal.SIGHUP)
                self.expect(notify, "RELOADING=1")
                self.expect(notify, "READY=1")
                hub.signal(signal.SIGTERM)
                self.expect(notify, "STOPPING=1")
                self.assertEqual(hub.wait_exit(), 0)

    @staticmethod
    def expect(notify, text):
        while text not in notify.recv(4096).decode().split("\n"):
            pass

    def test_memory_of_forgotten_topics_is_given_back(self):
        with Hub("--config", self.config('topic_idle = "1d"'), "--slow-time", "1s",
                 "--history-count", "0", "--shards", "1", "--drain-timeout", "0s") as hub:
            empty = hub.resident_bytes()
            with hub.connect() as publisher:
                for batch in range(20):
                    lines = "".join(f'{{"stream":"user/{batch}/{i}","data":"{i:0100}"}}\n'
                                    for i in range(1000))
                    status, _, answer = publisher.ask("POST", "/publish", lines.encode(),
                                                      "Content-Type: application/x-ndjson\r\n")
                    self.assertEqual(status, 200, answer)
            full = hub.resident_bytes()
            self.config('topic_idle = "1s"')
            hub.signal(signal.SIGHUP)
            hub.wait_log("memory given back")
            if not is_sanitized():  # a sanitizer's allocator keeps what is freed
                eventually(lambda: hub.resident_bytes() - empty < (full - empty) / 2, "less memory")


if __name__ == "__main__":
    unittest.main()
