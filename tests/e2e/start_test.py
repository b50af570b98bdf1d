#!/usr/bin/env python3
"""How `tocsin serve` starts and what it owns then: ports."""

import contextlib
import os
import signal
import tempfile
import unittest

from hub import TOCSIN, Hub, Process, each_backend, eventually, lasting_address, run


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
                for _ in range(8):
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
            self.assertIn("in use", run("serve", "--listen", everywhere, status=1)[1])
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


if __name__ == "__main__":
    unittest.main()
