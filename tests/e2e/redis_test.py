#!/usr/bin/env python3
"""Several hubs with one history, in a Redis server: the programs, and what befalls them."""

import contextlib
import re
import signal
import sys
import unittest
from pathlib import Path

from hub import Hub, Process, eventually, run

sys.path.append(str(Path(__file__).resolve().parent / "histories"))
from redis_servers import PROGRAM, Redis  # noqa: E402


def post(hub, data, stream="a", surely=True):
    """The event's id; nothing: it was refused for the time being, `surely` or perhaps."""
    status, head, body = hub.ask("POST", f"/publish?stream={stream}", data.encode())
    if status == 503:
        assert "nothing was published" in body or not surely, body
        return None
    assert status == 204, (head, body)
    return re.search(r"Event-ID: (\S+)", head).group(1)


def post_until_taken(hub, data):
    ids = []

    def published():
        ids[:] = [post(hub, data)]
        return ids[0]
    eventually(published, f"{data!r} published")
    return ids[0]


class RedisHistory(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.redis = self.stack.enter_context(Redis())

    def hub(self, *arguments):
        return self.stack.enter_context(Hub("--history", self.redis.url(), *arguments))

    @staticmethod
    def read(stream, last):
        return stream.read_until(f"data: {last}\n".encode()).decode()

    def test_what_one_publishes_all_send_under_the_same_ids(self):
        hubs = [self.hub() for _ in range(3)]
        streams = [self.stack.enter_context(hub.stream("/events?stream=a")) for hub in hubs]
        ids = [post(hubs[n % 3], f"event {n}") for n in range(30)]
        for stream in streams:
            text = self.read(stream, "event 29") + stream.read_until(b"\n\n").decode()
            seen = re.findall(r"data: (event \d+)\nid: (\S+)", text)
            self.assertEqual(seen, [(f"event {n}", ids[n]) for n in range(30)])

    def test_a_client_goes_on_at_another_hub(self):
        one, other = self.hub(), self.hub()
        seen = post(one, "seen")
        post(one, "missed")
        one.process.kill()
        post(other, "new")
        third = self.hub()
        for hub in (other, third):
            with hub.stream("/events?stream=a", f"Last-Event-ID: {seen}\r\n") as stream:
                text = self.read(stream, "new")
            self.assertNotIn("event: gap", text)
            self.assertNotIn("data: seen", text)
            self.assertIn("data: missed\n", text)

    def test_what_was_sent_to_one_is_repeated_at_another(self):
        one, other = self.hub(), self.hub()
        for key, wrong in (('Idempotency-Key: "k"', None), ("Publish-Id: n/1", "Publish-Id: n/3")):
            answers = [hub.ask("POST", "/publish?stream=a", b"x", key + "\r\n")
                       for hub in (one, other, one)]
            self.assertEqual([status for status, _, _ in answers], [204] * 3)
            self.assertEqual(len({re.search(r"Event-ID: (\S+)", head).group(1)
                                  for _, head, _ in answers}), 1)
            if wrong:
                status, _, body = other.ask("POST", "/publish?stream=a", b"y", wrong + "\r\n")
                self.assertEqual((status, '"expected":2' in body), (409, True), body)
        self.assertEqual(post(other, "last").split("-")[1], "3")
        self.assertEqual(other.counter("tocsin_publish_repeats_total"), 2)

    def test_who_is_quicker_than_the_history_comes_back(self):
        hub = self.hub()
        epoch, number = post(hub, "seen").split("-")
        ahead = f"{epoch}-{int(number) + 1}"
        position = f"Last-Event-ID: {ahead}\r\n"
        with hub.stream("/events?stream=a", position) as early:
            text = early.read_to_end()
        self.assertIn(b"retry: ", text)
        self.assertNotIn(b"data: ", text)
        self.assertEqual(post(hub, "seen elsewhere"), ahead)
        with hub.stream("/events?stream=a", position) as stream:
            post(hub, "new")
            text = self.read(stream, "new")
        self.assertNotIn("event: gap", text)
        self.assertNotIn("data: seen", text)

    def test_streams_live_on_while_the_server_is_away(self):
        one, other = self.hub(), self.hub()
        with other.stream("/events?stream=a") as stream:
            first = post(one, "before")
            self.read(stream, "before")
            self.redis.kill()
            # What comes before the hub has noticed may be there when the server is back.
            eventually(lambda: post(one, "perhaps", surely=False) is None, "the hub notices")
            self.assertIsNone(post(one, "refused"))
            self.assertEqual(one.counter("tocsin_store_away"), 1)
            self.assertEqual(one.ask("GET", "/healthz")[0], 200)
            self.redis.start()
            last = post_until_taken(one, "after")
            text = self.read(stream, "after")
            self.assertNotIn("event: gap", text)
        self.assertNotEqual(first.split("-")[0], last.split("-")[0], "a new epoch")
        self.assertGreaterEqual(one.counter("tocsin_store_forks_total"), 1)
        self.assertEqual(one.counter("tocsin_store_away"), 0)
        self.assertGreaterEqual(one.counter("tocsin_store_reconnects_total"), 1)
        self.assertEqual(one.counter("tocsin_store_failovers_total"), 0)
        eventually(lambda: one.counter("tocsin_store_behind_events") == 0, "it has all")
        with other.stream("/events?stream=a", f"Last-Event-ID: {first}\r\n") as stream:
            self.assertNotIn("event: gap", self.read(stream, "after"))

    def test_a_hub_that_has_shown_what_is_gone_begins_anew(self):
        hub = self.hub("--drain-timeout", "0s")
        kept = post(hub, "kept")
        lost = post(hub, "lost")
        number = kept.split("-")[1]
        entry = self.redis.ask("XREVRANGE", "{news}:log", "+", "-", "COUNT", "1")
        self.redis.ask("XDEL", "{news}:log", re.search(rb"\d+-\d+", entry).group().decode())
        self.redis.ask("HSET", "{news}:head", "s", number)
        self.assertEqual(hub.wait_exit(), 1, "so that a service manager starts it again")
        self.assertIn("the hub cannot go on with this history", "".join(hub.log))
        self.redis.kill()
        self.redis.start()
        again = self.hub()
        new = post_until_taken(again, "new")
        for position, gap in ((kept, False), (lost, True)):
            with again.stream("/events?stream=a", f"Last-Event-ID: {position}\r\n") as stream:
                self.assertEqual("event: gap" in self.read(stream, "new"), gap, position)
        self.assertNotEqual(new, lost, "no id comes twice")

    def test_a_password_is_shown_nowhere(self):
        self.redis.ask("ACL", "SETUSER", "hub", "on", ">hunter2", "~*", "+@all")
        url = self.redis.url(user="hub:hunter2@")
        with Hub("--history", url) as hub:
            post(hub, "x")
            shown = Path(f"/proc/{hub.process.pid}/cmdline").read_bytes()
            self.assertNotIn(b"hunter2", shown)
            self.assertIn(b"hub:*******@", shown)
            self.assertNotIn("hunter2", "".join(hub.log))
        out, log = run("check", "--history", url)
        self.assertNotIn("hunter2", out + log)
        self.assertIn("hub:***@", out)
        with Process("serve", "--listen", "127.0.0.1:0", "--history",
                     url.replace("hunter2", "hunter3")) as wrong:
            self.assertEqual(wrong.wait_exit(), 1)
            self.assertIn("WRONGPASS", "".join(wrong.log))
            self.assertNotIn("hunter3", "".join(wrong.log))

        for wrong in (("--history", "redis://hub:hunter4@/news"),
                      ("--histroy", "redis://hub:hunter4@host/news")):
            self.assertNotIn("hunter4", run("serve", *wrong, status=2)[1])

    def test_check_says_what_is_too_weak(self):
        self.assertNotIn("warning: history", run("check", "--history", self.redis.url())[1])
        self.redis.ask("CONFIG", "SET", "appendfsync", "everysec")
        self.assertIn("warning: history: appendfsync is everysec",
                      run("check", "--history", self.redis.url())[1])

    def test_restarted_in_turn_nobody_misses_anything(self):
        hubs = [self.hub() for _ in range(3)]
        position, seen = post(hubs[0], "event 0"), [0]
        for turn in range(6):
            hubs[turn % 3].signal(signal.SIGTERM)
            post(hubs[(turn + 1) % 3], f"event {turn + 1}")
            self.assertEqual(hubs[turn % 3].wait_exit(), 0)
            hubs[turn % 3] = self.hub()
            with hubs[turn % 3].stream("/events?stream=a",
                                       f"Last-Event-ID: {position}\r\n") as stream:
                text = self.read(stream, f"event {turn + 1}") + stream.read_until(b"\n\n").decode()
            self.assertNotIn("event: gap", text)
            for number, event_id in re.findall(r"data: event (\d+)\nid: (\S+)", text):
                seen.append(int(number))
                position = event_id
        self.assertEqual(seen, list(range(7)))


if __name__ == "__main__":
    if PROGRAM is None:
        print("skipped: no redis-server (Debian: redis-server)")
        sys.exit(77)
    unittest.main()
