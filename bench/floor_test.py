#!/usr/bin/env python3
"""The servers of the floor program hold their sockets and deliver: floor_test.py TOCSIN FLOOR"""

import os
import sys
import time
import unittest

from load import run_load
from servers import Bare, Floor


def until_closed(pid, count):
    """Waits until a process has no more than `count` descriptors."""
    deadline = time.monotonic() + 20
    while len(os.listdir(f"/proc/{pid}/fd")) > count:
        if time.monotonic() > deadline:
            raise AssertionError("streams stay open")
        time.sleep(0.01)


class WatchingFloor(Floor):
    def command(self):
        return [*super().command(), "--watch-hangups"]


class ThreadsOfFloor(Floor):
    """Three threads, each with a descriptor table for 200."""

    def command(self):
        return ["prlimit", "--nofile=200:200", *super().command(), "--threads", "3"]


class FloorServers(unittest.TestCase):
    tocsin = floor = ""

    def test_bare_holds_sockets_whose_memory_is_seen(self):
        with Bare(self.floor).running(None) as server:
            result = run_load(self.tocsin, server, "idle", 20, "--warmup", 5, "--settle", 0.1,
                              "--idle", 0.1)
        self.assertEqual(result["faults"], "")
        self.assertEqual(result["connected"], 20)
        self.assertIn("rss_each", result)

    def test_every_way_delivers_to_one_client_after_the_other(self):
        for kind in (Floor, WatchingFloor):
            for way in ("send", "uring"):
                with self.subTest(kind=kind.__name__, way=way), \
                        kind(self.floor, way).running(None) as server:
                    self.deliver(server, watches=kind is WatchingFloor)

    def test_every_way_relays_to_the_subscribers_of_a_topic(self):
        for way in ("send", "uring"):
            for each in (1, 3):
                with self.subTest(way=way, each=each), \
                        Floor(self.floor, way).running(None) as server:
                    # More requests than one receive takes, so that some are cut.
                    result = run_load(self.tocsin, server, "saturate", 30 * each, "--topics", 30,
                                      "--publishers", 2, "--in-flight", 500, "--events", 5000,
                                      "--ahead", 0)
                    self.assertEqual(result["faults"], "")
                    self.assertEqual(result["events"], 5000)

    def test_threads_hold_more_streams_than_one_table_and_all_get_every_event(self):
        for way in ("send", "uring"):
            with self.subTest(way=way), ThreadsOfFloor(self.floor, way).running(None) as server:
                result = run_load(self.tocsin, server, "broadcast", 300, "--events", 5)
                self.assertEqual(result["faults"], "")
                self.assertEqual((result["connected"], result["events"]), (300, 5))
                for task in os.listdir(f"/proc/{server.process.pid}/task"):
                    descriptors = f"/proc/{server.process.pid}/task/{task}/fd"
                    self.assertLess(len(os.listdir(descriptors)), 200)
                result = run_load(self.tocsin, server, "saturate", 60, "--topics", 20,
                                  "--publishers", 4, "--in-flight", 50, "--events", 2000,
                                  "--ahead", 0)
                self.assertEqual(result["faults"], "")

    def deliver(self, server, watches):
        before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        # The second client comes when the first one's streams are gone, told or not.
        for _ in range(2):
            result = run_load(self.tocsin, server, "broadcast", 20, "--events", 5)
            self.assertEqual(result["faults"], "")
            self.assertEqual(result["events"], 5)
            if watches:
                until_closed(server.process.pid, before)
        result = run_load(self.tocsin, server, "saturate", 20, "--events", 300, "--publishers", 1)
        self.assertEqual(result["faults"], "")
        self.assertIsNone(server.process.poll())


if __name__ == "__main__":
    FloorServers.tocsin, FloorServers.floor = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
