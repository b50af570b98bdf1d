#!/usr/bin/env python3
"""What clients can make the hub hold, and that it goes back to the system afterwards."""

import contextlib
import signal
import socket
import tempfile
import unittest

from hub import Hub, each_backend, eventually, is_sanitized

MIB = 1 << 20
TOTAL = 8 * MIB  # history-total-bytes
FRAME = MIB  # of an event; has memory of its own
READERS = 80


class Memory(unittest.TestCase):
    @staticmethod
    def stuck(hub):
        """A stream whose client reads its head and nothing more."""
        host, port = hub.address.rsplit(":", 1)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect((host, int(port)))
        client.sendall(b"GET /events?stream=a HTTP/1.1\r\nHost: hub\r\n\r\n")
        head = b""
        while b"\nid: " not in head:
            head += client.recv(1024)
        return client

    def flood(self, io, policy):
        """Each reader is stuck in the middle of another event of 1 MiB."""
        with Hub("--io", io, "--shards", "1", "--slow-policy", policy, "--send-buffer", "32KiB",
                 "--history-total-bytes", f"{TOTAL // MIB}MiB", "--history-bytes", "2MiB",
                 "--slow-bytes", "2MiB", "--slow-time", "600s", "--drain-timeout", "0s") as hub:
            before = hub.resident_bytes()
            most = 0
            with contextlib.ExitStack() as readers:
                for number in range(READERS):
                    readers.enter_context(self.stuck(hub))
                    hub.publish("a", f"{number:08}" + "x" * (FRAME - 1024))
                    self.assertLessEqual(hub.counter("tocsin_pinned_bytes"), TOTAL / 4)
                    in_memory = (hub.counter("tocsin_pinned_bytes") +
                                 hub.counter("tocsin_log_bytes"))
                    self.assertLessEqual(in_memory, TOTAL + FRAME)
                    most = max(most, hub.counter("tocsin_pinned_bytes"))
                self.assertGreater(most, 0, "nobody was in the middle of anything")
                # The rest was ended: what they read of it was taken back.
                eventually(lambda: hub.counter("tocsin_slow_disconnects_total") > READERS / 2)
                full = hub.resident_bytes() - before
                if not is_sanitized():  # a sanitizer's allocator keeps what is freed
                    self.assertLess(full, 3 * TOTAL)
            hub.wait_streams(0)
            eventually(lambda: hub.counter("tocsin_pinned_bytes") == 0, "nothing pinned")

    def test_stuck_readers_have_one_bound(self):
        for io in each_backend():
            for policy in ("latest", "disconnect"):
                with self.subTest(io=io, policy=policy):
                    self.flood(io, policy)

    def test_memory_of_events_is_given_back(self):
        for io in each_backend():
            with tempfile.NamedTemporaryFile("w", suffix=".toml") as config, \
                    Hub("--io", io, "--shards", "1", "--config", config.name, "--slow-time", "1s",
                        "--history-bytes", "64MiB", "--slow-bytes", "64MiB", "--drain-timeout",
                        "0s") as hub:
                empty = hub.resident_bytes()
                for number in range(60):
                    hub.publish("a", f"{number:08}" + "x" * (FRAME - 1024))
                full = hub.resident_bytes()
                print('history_age = "1s"', file=config, flush=True)
                hub.signal(signal.SIGHUP)
                hub.wait_log("memory given back")
                if not is_sanitized():
                    eventually(lambda: hub.resident_bytes() - empty < (full - empty) / 2,
                               "less memory")


if __name__ == "__main__":
    unittest.main()
