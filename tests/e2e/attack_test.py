#!/usr/bin/env python3
"""`tocsin serve` under connections that take what there is and finish nothing."""

import contextlib
import resource
import socket
import unittest

from hub import Hub

CONNECTIONS = 8400  # more than a shard takes beside its streams (proto/limits.h)
HALF_A_HEAD = b"GET /events HTTP/1.1\r\nHo"
HALF_A_BODY = b"POST /publish HTTP/1.1\r\nHost: hub\r\nContent-Length: 9\r\n\r\nhalf"


class Attack(unittest.TestCase):
    def setUp(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most < CONNECTIONS + 500:
            self.skipTest("not enough descriptors")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    @staticmethod
    def open_connections(stack, hub):
        host, port = hub.address.rsplit(":", 1)
        said = [b"", HALF_A_HEAD, HALF_A_BODY]
        for i in range(CONNECTIONS):
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            if said[i % 3]:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(said[i % 3])

    def lock_out(self, **more):
        for io in ("epoll", "auto"):  # auto: io_uring, where a sandbox does not forbid it
            with self.subTest(io):
                self.lock_out_of(io, **more)

    def lock_out_of(self, io, **more):
        with Hub("--shards", "1", "--request-timeout", "600s", "--io", io,
                 **more) as hub, contextlib.ExitStack() as stack:
            with hub.stream("/events?stream=a") as stream:
                self.open_connections(stack, hub)
                # At once, and not when the others have run into their time-outs.
                for _ in range(20):
                    self.assertEqual(hub.ask("GET", "/healthz")[0], 200)
                with hub.stream("/events?stream=a") as late:
                    hub.publish("a", "still here")
                    for each in (stream, late):
                        each.read_until(b"data: still here\n")
            page = hub.ask("GET", "/metrics")[2]
            self.assertRegex(page, r'tocsin_rejections_total{reason="exhausted"} 0\n')
            self.assertEqual(hub.stop(), 0)

    def test_idle_connections_lock_nobody_out(self):
        self.lock_out()

    def test_nor_do_they_where_descriptors_are_few(self):
        self.lock_out(before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)))


if __name__ == "__main__":
    unittest.main()
