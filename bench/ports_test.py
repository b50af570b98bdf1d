#!/usr/bin/env python3
"""Ports that are handed out: whose they are, and what is done when somebody else has one."""

import socket
import subprocess
import sys
import unittest
from unittest import mock

import ports
import servers


class Settings(unittest.TestCase):
    @staticmethod
    def candidates(given_out, reserved="\n"):
        settings = {"ip_local_port_range": given_out, "ip_local_reserved_ports": reserved}
        with mock.patch.object(ports, "_setting", settings.get):
            return ports.candidates()

    def test_what_the_kernel_gives_out_is_left_to_it(self):
        self.assertEqual(self.candidates("32768\t60999\n"),
                         [*range(10081, 32768), *range(61000, 65536)])

    def test_what_is_reserved_is_somebodys(self):
        self.assertEqual(self.candidates("10000\t65533\n", "8080,65534\n"), [65535])
        self.assertEqual(self.candidates("10090\t65535\n", "10081-10085,10088\n"),
                         [10086, 10087, 10089])

    def test_where_the_kernel_gives_out_all_there_is_nothing_better(self):
        self.assertEqual(self.candidates("1024\t65535\n"), [*range(10081, 65536)])

    def test_of_this_machine(self):
        self.assertTrue(ports.candidates())


class Taken(unittest.TestCase):
    def test_nobody_else_is_given_it(self):
        port = ports.take()
        with mock.patch.object(ports, "candidates", lambda: [port]):
            with self.assertRaisesRegex(OSError, "all in use"):
                ports.take()
        other = (f"import ports; ports.candidates = lambda: [{port}]\n"
                 "try: ports.take()\nexcept OSError: print('no')")
        said = subprocess.run([sys.executable, "-c", other], cwd=sys.path[0], text=True,
                              stdout=subprocess.PIPE, timeout=60, check=True)
        self.assertEqual(said.stdout, "no\n")

    def test_it_goes_back_with_the_process_that_took_it(self):
        taker = "import ports; print(ports.take())"
        said = subprocess.run([sys.executable, "-c", taker], cwd=sys.path[0], text=True,
                              stdout=subprocess.PIPE, timeout=60, check=True)
        port = int(said.stdout)
        with mock.patch.object(ports, "candidates", lambda: [port]):
            self.assertEqual(ports.take(), port)

    def test_what_is_in_use_is_not_taken(self):
        for family, address in ((socket.AF_INET, "127.0.0.3"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as user:
                try:
                    user.bind((address, 0))
                except OSError:
                    continue  # a machine without IPv6
                port = user.getsockname()[1]
                self.assertFalse(ports.is_free(port), address)
                with mock.patch.object(ports, "candidates", lambda port=port: [port]):
                    with self.assertRaisesRegex(OSError, "all in use"):
                        ports.take()


class Listening(servers.Server):
    """Ends with an error where it cannot listen."""

    name = "listening"
    more_ports = 1
    CODE = ("import socket, sys, time\n"
            "all = [socket.create_server(('127.0.0.1', int(port))) for port in sys.argv[1:]]\n"
            "time.sleep(1000)")

    def command(self):
        return [sys.executable, "-c", self.CODE, str(self.port), *map(str, self.others)]


class Server(unittest.TestCase):
    def test_takes_other_ports_when_one_is_taken(self):
        server = Listening()
        with socket.create_server(("127.0.0.1", 0)) as user:
            wanted = [ports.take(), user.getsockname()[1], ports.take(), ports.take()]
            with mock.patch.object(ports, "take", mock.Mock(side_effect=wanted)):
                with server.running(None):
                    self.assertEqual([server.port, *server.others], wanted[2:])

    def test_gives_up_where_they_always_are(self):
        with socket.create_server(("127.0.0.1", 0)) as user:
            port = user.getsockname()[1]
            with mock.patch.object(ports, "take", mock.Mock(return_value=port)) as take:
                with self.assertRaisesRegex(RuntimeError, "Address already in use"):
                    Listening().start(None)
        self.assertEqual(take.call_count, 2 * ports.TRIES)


if __name__ == "__main__":
    unittest.main()
