#!/usr/bin/env python3
"""How `tocsin` starts: ports, standard streams, what it says; and what signals do to it."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from hub import (DEADLINE, TOCSIN, Connection, Hub, Process, each_backend, eventually,
                 lasting_address, run)


@contextlib.contextmanager
def systemd(**environment):
    """A socket for notifications, and the environment that names it."""
    with tempfile.TemporaryDirectory() as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = os.path.join(folder, "notify")
        notify.bind(path)
        notify.settimeout(DEADLINE)
        yield notify, {**os.environ, "NOTIFY_SOCKET": path, **environment}


def warnings_of(hub):
    return [line for line in hub.log if "level=warn" in line or "level=error" in line]


class Ports(unittest.TestCase):
    def test_of_hubs_started_together_one_gets_the_port(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as opened:
            gate = os.path.join(folder, "gate")
            os.mkfifo(gate)
            writer = os.open(gate, os.O_RDWR)
            opened.callback(os.close, writer)
            # Each reads a byte, then becomes the hub.
            program = ("sh", "-c", 'read -r _ <"$0"; exec "$@"', gate, TOCSIN)
            for io in each_backend():
                address = lasting_address()
                command = ("serve", "--listen", address, "--io", io, "--shards", "3",
                           "--log-format", "logfmt")
                for _ in range(5):
                    self.start_together(program, command, writer)

    def start_together(self, program, command, gate, count=3):
        with contextlib.ExitStack() as running:
            hubs = [running.enter_context(Process(*command, program=program))
                    for _ in range(count)]
            os.write(gate, b"\n" * count)
            for hub in hubs:
                eventually(lambda hub=hub: any("msg=listening" in line or "cannot start" in line
                                               for line in hub.log), "a decision")
            losers = [hub for hub in hubs if "cannot start" in "".join(hub.log)]
            self.assertEqual(len(losers), count - 1, [hub.log for hub in hubs])
            for hub in losers:
                self.assertIn("in use", hub.wait_log("cannot start"))
                self.assertEqual(hub.wait_exit(), 1)

    def test_a_port_is_free_again_when_the_hub_was_killed(self):
        for io in each_backend():
            listen = lasting_address()
            for _ in range(3):
                with Hub("--io", io, listen=listen) as hub:
                    with hub.stream("/events"), hub.connect():
                        hub.signal(signal.SIGKILL)
                        hub.wait_exit()

    def test_every_interface_includes_the_one_that_is_taken(self):
        with Hub() as hub:
            everywhere = "0.0.0.0:" + hub.address.rsplit(":", 1)[1]
            self.assertIn("in use", run("serve", "--open", "--listen", everywhere, status=1)[1])
            self.assertEqual(hub.ask("GET", "/healthz")[0], 200)

    def test_an_address_named_twice_is_an_error(self):
        for first, second, complaint in (
                ("127.0.0.1:1", "127.0.0.1:1", "listen names 127.0.0.1:1 twice"),
                ("[::1]:1", "[0::1]:01", "listen names one address twice: [::1]:1 and [0::1]:01"),
                ("127.0.0.1:1", "0.0.0.0:1",
                 "listen names 127.0.0.1:1, which is a part of 0.0.0.0:1")):
            for command in ("serve", "check"):
                _, error = run(command, "--listen", first, "--listen", second, status=2)
                self.assertEqual(error, f"tocsin {command}: {complaint}\n")


class StandardStreams(unittest.TestCase):
    @staticmethod
    def close_all():
        os.closerange(0, 3)

    def test_none_of_them_becomes_a_connection(self):
        for io in each_backend():
            with systemd() as (notify, environment), \
                    Process("serve", "--listen", "127.0.0.1:0", "--io", io, "--shards", "2",
                            environment=environment, before=self.close_all) as hub:
                ready = ""
                while "READY=1" not in ready:  # the listeners come first
                    ready = notify.recv(4096).decode()
                port = int(re.search(r"listening on 127\.0\.0\.1:(\d+)", ready).group(1))
                with contextlib.ExitStack() as open_ones:
                    clients = [open_ones.enter_context(Connection("127.0.0.1", port))
                               for _ in range(8)]
                    for client in clients:
                        client.send(b"GET /events?stream=a HTTP/1.1\r\nHost: h\r\n\r\n")
                        self.assertEqual(client.response()[0], 200)
                    hub.signal(signal.SIGHUP)  # is logged
                    while "READY=1" not in notify.recv(4096).decode():
                        pass
                    tasks = f"/proc/{hub.process.pid}/task"
                    for task in os.listdir(tasks):  # every shard has a table of its own
                        for fd in range(3):
                            self.assertEqual(os.readlink(f"{tasks}/{task}/fd/{fd}"), "/dev/null")
                    for client in clients:
                        self.assertNotIn(b"reloaded", client.unread)
                hub.signal(signal.SIGTERM)
                self.assertEqual(hub.wait_exit(), 0)

    def test_the_clients_do_not_write_into_their_connection(self):
        with Hub() as hub:
            for arguments, status in ((("one",), 0), (("--verbose", "two"), 1)):
                with Process("publish", "--url", hub.url, "--stream", "a", *arguments,
                             before=self.close_all) as client:
                    self.assertEqual(client.wait_exit(), status, "1: its output is closed")
            with Process("subscribe", "--url", hub.url, "--stream", "a", "--count", "1",
                         "--last-event-id", "earliest", before=self.close_all) as client:
                self.assertEqual(client.wait_exit(), 1, "its output is closed")
            with Process("publish", "--url", hub.url, before=self.close_all) as client:
                self.assertEqual(client.wait_exit(), 1, "its input is closed, not empty")
            with hub.stream("/events?stream=a&last_event_id=earliest") as stream:
                stream.read_until(b"data: two\n")
            self.assertNotIn('reason="malformed"} 1', hub.ask("GET", "/metrics")[2])


class FullOutput(unittest.TestCase):
    """What cannot be written ends no program but with its status, as coreutils do."""

    def end(self, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        done = subprocess.run([TOCSIN, *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=stderr, text=True, timeout=DEADLINE, check=False)
        return done.returncode, done.stderr

    def test_complaints_that_nobody_can_read(self):
        with Hub() as hub, open("/dev/full", "w", encoding="ascii") as full:
            hub.publish("a", "one")
            url = ("--url", hub.url)
            for status, arguments in (
                    (0, ("subscribe", *url, "--stream", "a", "--last-event-id", "earliest",
                         "--count", "1")),
                    (2, ("subscribe", "--url", "nonsense")),
                    (1, ("publish", "--url", "http://127.0.0.1:1", "--retry-for", "0s", "x")),
                    (2, ("publish", "--batch", "0", "x")),
                    (2, ("check", "--config", "/nonexistent")),
                    (2, ("serve", "--listen", "nonsense")),
                    (2, ("serve", "--no-such-flag")),
                    (2, ("nonsense",)),
                    (1, ("documents", "/dev/null/folder")),
                    (2, ("load", "--rate", "nonsense")),
                    (0, ("load", "broadcast", hub.url, "-n", "2", "--events", "3"))):
                self.assertEqual(self.end(*arguments, stderr=full)[0], status, arguments)

    def test_output_that_cannot_be_written_is_a_failure(self):
        with Hub() as hub, open("/dev/full", "w", encoding="ascii") as full:
            hub.publish("a", "one")
            for arguments in (("--help",), ("serve", "--help"), ("--version",), ("check",),
                              ("load", "--help-recipes"),
                              ("load", "broadcast", hub.url, "-n", "2", "--events", "3", "--quiet"),
                              ("load", "broadcast", hub.url, "-n", "2", "--events", "3", "--quiet",
                               "--json", "-"),
                              ("publish", "--url", hub.url, "--stream", "b", "--verbose", "x"),
                              ("subscribe", "--url", hub.url, "--stream", "a", "--quiet",
                               "--last-event-id", "earliest")):
                status, complaints = self.end(*arguments, stdout=full)
                self.assertEqual(status, 1, (arguments, complaints))
                self.assertEqual(complaints.count("cannot write"), 1, (arguments, complaints))


class Signals(unittest.TestCase):
    NOTHING = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF,
               signal.SIGIO, signal.SIGPWR, 16, signal.SIGXFSZ, signal.SIGRTMIN, signal.SIGRTMAX,
               signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGCONT)

    def test_what_means_nothing_ends_nothing(self):
        with Hub() as hub, hub.stream("/events?stream=a") as stream:
            for number in self.NOTHING:
                hub.signal(number)
            for name in ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXFSZ"):
                self.assertIn("means nothing here", hub.wait_log(f"signal={name}"))
            hub.publish("a", "still here")
            stream.read_until(b"data: still here\n")
            self.assertEqual(hub.stop(), 0)

    def test_every_wish_to_end_it_drains(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU):
            with Hub("--drain-timeout", "0s") as hub, hub.stream("/events?stream=a") as stream:
                hub.publish("a", "last words")
                hub.signal(number)
                hub.wait_log("msg=draining")
                self.assertIn(b"data: last words\n", stream.read_to_end())
                self.assertEqual(hub.wait_exit(), 0)

    def test_a_hub_that_starts_ends_at_once(self):
        """Its history's server takes the connection and says nothing, for ever."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with socket.create_server(("127.0.0.1", 0)) as silent, \
                    Process("serve", "--listen", "127.0.0.1:0", "--history",
                            f"redis://127.0.0.1:{silent.getsockname()[1]}/news") as hub:
                with silent.accept()[0] as connection:
                    connection.recv(1)
                    hub.process.send_signal(signal.SIGUSR1)
                    hub.process.send_signal(number)
                    hub.wait_log("asked to end while it starts")
                    self.assertEqual(hub.wait_exit(), 0)

    def test_what_the_parent_wanted_ignored_is(self):
        def background():  # as a shell does without job control
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        with Hub(before=background) as hub:
            hub.signal(signal.SIGINT)
            hub.signal(signal.SIGQUIT)
            hub.signal(signal.SIGUSR1)  # behind them
            hub.wait_log("SIGUSR1")
            self.assertEqual(hub.ask("GET", "/readyz")[0], 200)
            self.assertEqual(hub.stop(), 0)

    def test_sighup_drains_when_the_terminal_is_gone(self):
        terminal, side = os.openpty()
        with Hub(before=lambda: os.dup2(side, 0)) as hub:
            os.close(side)
            hub.signal(signal.SIGHUP)
            hub.wait_log("configuration reloaded")
            os.close(terminal)
            hub.signal(signal.SIGHUP)
            hub.wait_log("msg=draining")
            self.assertEqual(hub.wait_exit(), 0)

    def test_sighup_ends_a_reader_in_order(self):
        with Hub() as hub:
            reader = Process("subscribe", "--url", hub.url, "--stream", "a", "--json")
            with reader:
                hub.wait_streams(1)
                hub.publish("a", "one")
                reader.wait_out(1)
                reader.signal(signal.SIGHUP)
                self.assertEqual(reader.wait_exit(), 0)


class Reload(unittest.TestCase):
    def test_only_a_regular_file_is_read_again(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tocsin.toml")

            def write():
                with open(path, "w", encoding="ascii") as file:
                    print("max_connections = 1234", file=file)

            write()
            with Hub("--config", path, "--drain-timeout", "0s") as hub:
                for make in (lambda: os.mkfifo(path), lambda: os.symlink("/dev/zero", path),
                             lambda: os.symlink("/dev/null", path), lambda: os.mkdir(path)):
                    os.unlink(path)
                    make()
                    start = len(hub.log)
                    hub.signal(signal.SIGHUP)
                    self.assertIn("not a regular file",
                                  hub.wait_log("configuration not reloaded", start))
                    if os.path.isdir(path):
                        break
                os.rmdir(path)
                write()  # still in force, or a restart would be needed for something
                hub.signal(signal.SIGHUP)
                self.assertIn('restart_needed=""', hub.wait_log("nothing has changed"))
                os.unlink(path)
                os.mkfifo(path)
                hub.signal(signal.SIGHUP)
                hub.signal(signal.SIGTERM)
                self.assertEqual(hub.wait_exit(), 0)

    def test_a_start_reads_a_pipe_and_never_for_ever(self):
        for command in ("serve", "demo"):  # the descriptor of the shell's <(...)
            reading, writing = os.pipe()
            os.write(writing, b"max_connections = 0\n")
            os.close(writing)
            with Process(command, "--config", f"/dev/fd/{reading}", "--listen", "127.0.0.1:0",
                         descriptors=(reading,)) as hub:
                os.close(reading)
                self.assertEqual(hub.wait_exit(), 2)
                self.assertIn("max_connections must be", hub.log[0])
        _, complaint = run("check", "--config", "/dev/zero", status=2)
        self.assertEqual(complaint, "tocsin check: /dev/zero: is larger than 4MiB\n")


class Watchdog(unittest.TestCase):
    def test_a_healthy_hub_is_never_late(self):
        interval_s = 1.0  # the shortest WatchdogSec= that anybody would set
        for io in each_backend():
            with systemd(WATCHDOG_USEC=str(int(interval_s * 1e6))) as (notify, environment), \
                    Hub("--io", io, "--drain-timeout", "0s", environment=environment) as hub:
                times = []
                while len(times) < 8:
                    message = notify.recv(4096).decode()
                    if "READY=1" in message or "WATCHDOG=1" in message:
                        times.append(time.monotonic())
                gaps = sorted(after - before for before, after in zip(times, times[1:]))
                self.assertLess(gaps[len(gaps) // 2], interval_s * 0.9, gaps)
                self.assertEqual(warnings_of(hub), [])
                self.assertEqual(hub.stop(), 0)

    def test_a_hub_that_stands_still_feeds_nothing(self):
        with systemd(WATCHDOG_USEC="400000") as (notify, environment), \
                Hub(environment=environment) as hub:
            while "WATCHDOG=1" not in notify.recv(4096).decode():
                pass
            hub.signal(signal.SIGSTOP)
            notify.settimeout(2)
            with self.assertRaises(TimeoutError):
                while True:
                    notify.recv(4096)
            hub.signal(signal.SIGCONT)
            notify.settimeout(DEADLINE)
            while "WATCHDOG=1" not in notify.recv(4096).decode():
                pass


class Warnings(unittest.TestCase):
    def test_a_hub_that_nobody_configured_has_none(self):
        for io in each_backend():
            with Hub("--io", io) as hub:
                self.assertEqual(hub.stop(), 0)
                self.assertEqual(warnings_of(hub), [])

    def test_one_line_for_what_was_asked_for(self):
        with Hub("--max-connections", "1000000000") as hub:
            self.assertEqual(hub.stop(), 0)
            line, = warnings_of(hub)
            self.assertIn("RLIMIT_NOFILE", line)
            self.assertIn("tocsin check --max-connections 1000000000", line)
        _, complaints = run("check", "--max-connections", "1000000000")
        self.assertIn("warning: for 1000000000 streams: RLIMIT_NOFILE is ", complaints)

    def test_a_default_that_was_written_down_was_asked_for(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
        with Hub("--max-connections", "1000000", before=few) as hub:
            self.assertIn("RLIMIT_NOFILE", hub.wait_log("level=warn"))

    def test_one_line_for_what_has_connected(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
        with Hub("--shards", "1", before=few) as hub, contextlib.ExitStack() as streams:
            self.assertEqual(warnings_of(hub), [])
            for _ in range(130):
                streams.enter_context(hub.stream("/events"))
            self.assertIn("RLIMIT_NOFILE", hub.wait_log("level=warn"))
            self.assertEqual(len(warnings_of(hub)), 1)

    def test_silence_that_some_proxies_do_not_bear(self):
        for heartbeat, wrong in (("29s", False), ("30s", True), ("1h", True), ("0s", True)):
            _, complaints = run("check", "--heartbeat", heartbeat)
            self.assertEqual("warning: heartbeat: streams are silent for " in complaints, wrong)
            with Hub("--heartbeat", heartbeat) as hub:
                self.assertEqual(hub.stop(), 0)
                lines = warnings_of(hub)
                self.assertEqual(["Traffic Server" in line for line in lines], [True] * wrong)
        self.assertNotIn("heartbeat", run("check")[1])

    def test_a_reload_brings_silence(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config, \
                Hub("--config", config.name) as hub:
            for heartbeat, warnings in (("30s", 1), ("31s", 2), ("5s", 2)):
                config.seek(0)
                config.truncate()
                print(f'heartbeat = "{heartbeat}"', file=config, flush=True)
                start = len(hub.log)
                hub.signal(signal.SIGHUP)
                hub.wait_log("configuration reloaded", start)
                # What follows a reload in the log was said after its warnings.
                hub.signal(signal.SIGUSR1)
                hub.wait_log("means nothing here", start)
                self.assertEqual(len(warnings_of(hub)), warnings, hub.log)

    def test_streams_that_a_proxy_forgets(self):
        self.assertIn("note: behind a proxy set max_stream_age, say to 1h", run("check")[1])
        self.assertNotIn("max_stream_age", run("check", "--max-stream-age", "1h")[1])

    def test_publishing_that_is_open_to_others_is_told_once(self):
        with Hub("--open", "--listen", "127.0.0.1:0", listen="0.0.0.0:0") as hub:
            self.assertEqual(hub.stop(), 0)
            line, = warnings_of(hub)
            self.assertIn("may publish", line)
            self.assertIn(f"address={hub.address}", line)
        _, complaints = run("check", "--open", "--listen", "0.0.0.0:1", "--listen", "[::1]:1")
        self.assertIn("warning: listen 0.0.0.0:1: whoever reaches", complaints)
        self.assertNotIn("may publish", run("check", "--listen", "127.0.0.1:1")[1])


if __name__ == "__main__":
    unittest.main()
