#!/usr/bin/env python3
"""Restarts, with clients that forgive nothing: whoever connects waits, and is never refused."""

import contextlib
import os
import re
import select
import signal
import socket
import unittest

from strict import DEADLINE, Connection, Strict, where  # first: it finds what comes next
from hub import Hub, Process, each_backend, eventually, lasting_address
from supervisor import Supervisor, handing

CLIENTS = 12


class Restart(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def supervisor(self, *arguments, **more):
        more.setdefault("listen", lasting_address())
        return self.stack.enter_context(Supervisor(*arguments, **more))

    def clients(self, hub):
        clients = [Strict(hub.address, "a") for _ in range(CLIENTS)]
        for client in clients:
            self.stack.callback(client.leave)
        hub.wait_streams(CLIENTS)
        return clients

    def check(self, clients, event, opened):
        """All of them are there, have `event`, and have met nothing that ends some clients."""
        eventually(lambda: all(event in client.data or client.final for client in clients), event)
        for client in clients:
            self.assertIsNone(client.final)
            self.assertEqual(client.opened, opened)
            self.assertEqual(len(client.data), len(set(client.data)), client.data)

    @staticmethod
    def ask(address):
        """A connection that asks; it need not be answered soon. Not for /readyz: the next process
        may answer that it is starting."""
        connection = Connection(*where(address))
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
        return connection

    def test_nobody_is_refused_from_the_signal_to_the_next_process(self):
        for io in each_backend():
            supervisor = self.supervisor("--io", io, "--shards", "2", "--drain-timeout", "1s",
                                         "--retry", "100ms")
            hub = supervisor.start()
            clients = self.clients(hub)
            for opened in (1, 2, 3):
                hub.publish("a", f"event {opened}")
                self.check(clients, f"event {opened}", opened)
                hub.signal(signal.SIGTERM)
                hub.wait_log("msg=draining")
                with self.ask(hub.address) as during:
                    self.assertEqual(supervisor.wait_exit(), 0)
                    with self.ask(hub.address) as between:
                        hub = supervisor.start()
                        for connection in (during, between):
                            self.assertEqual(connection.response()[0], 200)
                hub.wait_streams(CLIENTS)
            self.assertEqual(len(supervisor.kept), 2)
            self.assertIn("sockets=2", hub.wait_log("were handed over"))

    def test_a_crash_refuses_nobody_either(self):
        for io in each_backend():
            supervisor = self.supervisor("--io", io, "--shards", "2")
            hub = supervisor.start()
            clients = self.clients(hub)
            for opened in (1, 2):
                hub.publish("a", f"event {opened}")
                self.check(clients, f"event {opened}", opened)
                supervisor.stop(signal.SIGKILL)
                with self.ask(hub.address) as between:
                    hub = supervisor.start()
                    self.assertEqual(between.response()[0], 200)
                # A connection that the crash cut before it was answered is the client's end.
                hub.wait_streams(CLIENTS)

    def test_more_shards_and_fewer(self):
        for io in each_backend():
            supervisor = self.supervisor("--io", io, "--drain-timeout", "0s")
            hub = supervisor.start("--shards", "2")
            for shards, sockets in ((4, 4), (1, 4), (3, 4)):
                self.assertEqual(supervisor.stop(), 0)
                with contextlib.ExitStack() as waiting:
                    asking = [waiting.enter_context(self.ask(hub.address)) for _ in range(50)]
                    hub = supervisor.start("--shards", str(shards))
                    asking += [waiting.enter_context(self.ask(hub.address)) for _ in range(50)]
                    for connection in asking:
                        self.assertEqual(connection.response()[0], 200)
                self.assertEqual(len(supervisor.kept), sockets)

    def test_another_address(self):
        old, new = lasting_address(), lasting_address()
        supervisor = self.supervisor("--shards", "2", listen=old)
        supervisor.start("--listen", new)
        self.assertEqual(len(supervisor.kept), 4)
        supervisor.restart(listen=new)
        eventually(lambda: len(supervisor.kept) == 2, "two sockets that are kept")
        with self.ask(new) as connection:
            self.assertEqual(connection.response()[0], 200)
        with self.assertRaises(ConnectionRefusedError):
            self.ask(old)
        with Hub(listen=old) as another:
            self.assertEqual(another.stop(), 0)

    def test_the_port_stays_one_hubs(self):
        supervisor = self.supervisor()
        supervisor.start()
        address = supervisor.hub.address
        supervisor.stop()
        with Process("serve", "--listen", address, "--log-format", "logfmt") as another:
            self.assertIn("in use", another.wait_log("cannot start"))
        supervisor.start()

    def test_without_a_supervisor_who_waits_is_reset_at_the_end(self):
        for io in each_backend():
            with Hub("--io", io, "--drain-timeout", "60s") as hub, \
                    hub.stream("/events?stream=a"), hub.stream("/events?stream=a"):
                hub.signal(signal.SIGTERM)
                hub.wait_log("msg=draining")
                with self.ask(hub.address) as waiting:
                    hub.signal(signal.SIGTERM)
                    self.assertEqual(hub.wait_exit(), 0)
                    self.assertEqual(waiting.read_to_end(), b"")
                with self.assertRaises(ConnectionRefusedError):
                    self.ask(hub.address)


class Handed(unittest.TestCase):
    """What is no socket of ours, or not said rightly: the hub serves as if it were not there."""

    def served(self, log=None, **handed):
        for io in each_backend():
            with Hub("--io", io, "--shards", "2", **handed) as hub:
                if log is not None:
                    hub.wait_log(log)
                self.assertEqual(hub.ask("GET", "/readyz")[0], 200)
                with hub.stream("/events?stream=a") as stream:
                    hub.publish("a", "hello")
                    stream.read_until(b"data: hello\n")
                self.assertEqual(hub.stop(), 0)

    def test_nonsense_in_the_environment(self):
        for said in ({"LISTEN_PID": "1"}, {"LISTEN_PID": "x"}, {"LISTEN_FDS": "-1"},
                     {"LISTEN_FDS": "18446744073709551616"}, {"LISTEN_FDNAMES": ":::::\x01\xff"}):
            self.served(**handing([], **said))
        # More than there are: the numbers are not open, as nothing was opened before.
        self.served(**handing([], LISTEN_FDS="4294967295"))

    def test_what_is_no_listening_socket(self):
        with contextlib.ExitStack() as opened:
            listening = opened.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind("")
            listening.listen()
            reader, writer = os.pipe()
            opened.callback(os.close, reader)
            opened.callback(os.close, writer)
            fds = [opened.enter_context(socket.socket()).fileno(),
                   opened.enter_context(socket.socket(type=socket.SOCK_DGRAM)).fileno(),
                   listening.fileno(), reader, writer, 0, 0]
            self.served("no listening socket", **handing(fds, ["one", "two"]))

    def test_a_socket_for_elsewhere(self):
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            self.served("is not listened on", **handing([elsewhere.fileno()], ["its.socket"]))

    def test_a_socket_units_socket_is_used(self):
        for io in each_backend():
            with socket.create_server(("127.0.0.1", 0)) as unit:
                host, port = unit.getsockname()
                with Connection(host, port) as early:
                    early.send(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n")
                    with Hub("--io", io, "--shards", "2", listen=f"{host}:{port}",
                             **handing([unit.fileno()] * 2, ["tocsin.socket"] * 2)) as hub:
                        self.assertEqual(early.response()[0], 200)
                        self.assertEqual(hub.stop(), 0)
                # It is the unit's, and goes on listening.
                with Connection(host, port):
                    readable, _, _ = select.select([unit], [], [], DEADLINE)
                    self.assertEqual(readable, [unit])

    def test_no_child_would_take_them(self):
        with socket.create_server(("127.0.0.1", 0)) as unit:
            address = "{}:{}".format(*unit.getsockname())
            with Hub(listen=address, **handing([unit.fileno()])) as hub:
                with open(f"/proc/{hub.process.pid}/fdinfo/3", encoding="ascii") as info:
                    flags = int(re.search(r"flags:\s*(\d+)", info.read()).group(1), 8)
                self.assertTrue(flags & os.O_CLOEXEC)


if __name__ == "__main__":
    unittest.main()
