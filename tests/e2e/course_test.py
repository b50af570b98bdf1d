#!/usr/bin/env python3
"""The programs of docs/clients.md through one course, all at once: each gets what its row says.

CLIENTS=NAME,... runs only these. What a machine lacks is told, and its clients are skipped.
"""

import contextlib
import os
import unittest

import course
from hub import eventually, lasting_address
from supervisor import Supervisor

TEXT = course.DOCUMENT.read_text(encoding="utf-8")
PROGRAMS = course.programs(TEXT)
ROWS = course.rows(TEXT)
HEARTBEAT = b": keepalive\n"


class Course:
    """Runs at once. `clients` took part, to be looked at until stop(); `skipped`: client -> why."""

    def __init__(self, names):
        self.supervisor = Supervisor("--retry", "300ms", listen=lasting_address())
        self.supervisor.__enter__()
        self.clients, self.skipped = {}, {}
        self.pages = None
        try:
            self.supervisor.start()
            for name in names:
                self.start(name, *PROGRAMS[name])
            self.run()
        except BaseException:
            self.stop()
            raise

    def start(self, name, language, code):
        client = self.clients[name] = course.Client(name, self.supervisor.hub)
        client.relay.hold()
        try:
            if language == "html" and not self.pages:
                self.pages = course.Pages()
            client.start(language, code, self.pages)
        except unittest.SkipTest as why:
            self.skipped[name] = str(why)
            self.clients.pop(name).stop()

    def stop(self):
        for client in self.clients.values():
            client.stop()
        if self.pages:
            self.pages.close()
        self.supervisor.__exit__()

    def wait(self, condition):
        """For all who are still there. Who does not come so far is found out by what it got."""
        with contextlib.suppress(AssertionError):
            eventually(lambda: all(client.is_over() or condition(client)
                                   for client in self.clients.values()))

    def publish(self, first, last, more=""):
        for number in range(first, last + 1):
            self.supervisor.hub.publish("news" + more, str(number))

    def wait_for(self, number):
        self.wait(lambda client: str(number) in client.said())

    def run(self):
        relays = [client.relay for client in self.clients.values()]
        # Rust's sse-client sets its listeners when it has connected: no answer before.
        self.wait(lambda client: client.relay.arrived)
        for relay in relays:
            relay.let_in()
        self.wait(lambda client: b"\nid: " in client.relay.seen)  # the greeting

        for relay in relays:
            relay.cut()
        self.publish(0, 0)
        for relay in relays:
            relay.let_in()
        self.wait_for(0)
        self.publish(1, 4)
        self.publish(5, 5, "&id=0")  # a position, whatever a language takes it for
        self.wait_for(5)

        # As silent as a stream can be.
        before = {relay: (relay.entered, relay.seen.count(HEARTBEAT)) for relay in relays}
        self.wait(lambda client: client.relay.seen.count(HEARTBEAT) > before[client.relay][1])
        for client in self.clients.values():
            client.came_anew = client.relay.entered - before[client.relay][0]

        for relay in relays:
            relay.refusals = 1  # on the way back
            relay.cut(reset=True)
        self.publish(6, 10)
        for relay in relays:
            relay.let_in()
        self.wait_for(10)

        self.supervisor.restart()
        self.publish(11, 13)
        self.wait_for(13)

        # Nobody is there: neither the stream nor the next connection comes to its end.
        before = {relay: relay.arrived for relay in relays}
        for relay in relays:
            relay.resetting = True
            relay.cut(reset=True)
            relay.let_in()
        self.wait(lambda client: client.relay.arrived > before[client.relay])
        for relay in relays:
            relay.leave()
        self.supervisor.restart()
        for relay in relays:
            relay.come_back()
        self.publish(14, 16)
        self.wait_for(16)


class Clients(unittest.TestCase):
    """A test for each of the document's programs."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        chosen = os.environ.get("CLIENTS")
        cls.course = Course(chosen.split(",") if chosen else PROGRAMS)
        cls.addClassCleanup(cls.course.stop)

    def check(self, name):
        if name not in self.course.clients:
            self.skipTest(self.course.skipped.get(name, "not chosen"))
        client = self.course.clients[name]
        _, got = ROWS[name]
        self.assertEqual(client.said(), course.words(got), list(client.program.log)[-20:])
        self.assertEqual(client.came_anew, 0, "while the stream was silent")
        self.assertEqual(client.relay.refused, 0, "connections that the hub's port did not take")


for a_client in PROGRAMS:
    setattr(Clients, f"test_{course.identifier(a_client)}",
            lambda self, name=a_client: self.check(name))


class Document(unittest.TestCase):
    def test_each_program_has_a_row(self):
        self.assertEqual(list(PROGRAMS), list(ROWS))
        self.assertEqual(len(set(map(course.identifier, PROGRAMS))), len(PROGRAMS))

    def test_versions(self):
        """The document names those that are run. What Debian has is the machine's affair."""
        for name, (version, _) in ROWS.items():
            if "Debian" not in version:
                registry, package, number = version.replace("`", "").split()
                self.assertEqual(number, course.pinned(registry, package), name)

    def test_words(self):
        self.assertEqual(course.words("1…3 gap 11…12"), ["1", "2", "3", "gap", "11", "12"])
        said = ("message 1", " 2", 'gap {"reason":"slow"}', "open {}", "note 4", "message ")
        self.assertEqual([course.word(line) for line in said],
                         ["1", "2", "gap", "open", "note 4", ""])


if __name__ == "__main__":
    unittest.main()
