#!/usr/bin/env python3
"""docs/rolling-restarts.md, done: rolling_test.py CLASS

What a machine lacks is said and skipped (exit status 77).
"""

import json
import sys
import tempfile
import unittest
from pathlib import Path

from strict import Poster, Strict  # first: it finds what comes next
import foreign
import machines
from hub import Process, eventually, run

sys.path.append(str(Path(__file__).resolve().parents[1] / "histories"))
from redis_servers import PROGRAM as REDIS  # noqa: E402
from redis_servers import Redis  # noqa: E402

READERS = 9


class Rolling:
    front = None

    @classmethod
    def setUpClass(cls):
        foreign.need_program(cls.front.program)
        foreign.need_program("curl")

    def three_hubs(self, *edits):
        foreign.skip_if("" if REDIS else "no redis-server (Debian: redis-server)")
        redis = self.enterContext(Redis())
        folder = self.enterContext(tempfile.TemporaryDirectory())
        key, _, table = run("key", "--name", "publisher")[0].partition("\n")
        self.key = f"Authorization: Bearer {key}\r\n"
        self.key_file = Path(folder, "key")
        self.key_file.write_text(key, encoding="ascii")
        hash_ = next(line for line in table.split("\n") if line.startswith("hash"))
        text = machines.FILES["tocsin.toml"]
        for old, new in (("redis://redis-1:6379/news", redis.url()), ('hash = "sha256:..."', hash_),
                         ("0.0.0.0:8080", "127.0.0.1:0")):  # the hubs are told another by a flag
            self.assertIn(old, text)
            text = text.replace(old, new)
        config = Path(folder, "tocsin.toml")
        config.write_text(text, encoding="utf-8")
        self.start({hub: ("--config", str(config)) for hub in machines.HUBS}, *edits)

    def start(self, settings, *edits):
        self.machines = self.enterContext(machines.Machines(settings))
        self.proxy = self.enterContext(self.front(self.machines, *edits))
        self.address = f"127.0.0.1:{self.proxy.port}"

    def clients(self, keeping=2):
        self.readers = [Strict(self.address, "a") for _ in range(READERS)]
        for reader in self.readers:
            self.addCleanup(reader.leave)
        eventually(lambda: all(reader.opened for reader in self.readers), "streams")
        self.posters = [Poster(self.address, f"p{n}", "a", self.key, keeps=n < keeping)
                        for n in range(4)]
        for poster in self.posters:
            self.addCleanup(poster.end)
        self.eventually_more(1)

    def eventually_more(self, count):
        """So many events of each publisher have come to each reader, or some client has ended."""
        known = {poster: len(poster.acknowledged) + count for poster in self.posters}

        def come():
            seen = [set(reader.data) for reader in self.readers]
            return self.ended() or all(f"{poster.name_}-{number - 1}" in data
                                       for data in seen for poster, number in known.items())
        eventually(come, "events", pause_s=0.1)
        self.assertEqual(self.ended(), [])

    def ended(self):
        return [client.final for client in (*self.readers, *self.posters) if client.final]

    def check(self, opened):
        """Everybody is there, and has had what was acknowledged, once, in one order."""
        for poster in self.posters:
            poster.end()
        published = {}
        for poster in self.posters:
            published.update(poster.acknowledged)
        eventually(lambda: self.ended() or all(len(reader.events) >= len(published)
                                               for reader in self.readers), "all events")
        self.assertEqual(self.ended(), [])
        expected = sorted(((id_, data) for data, id_ in published.items()),
                          key=lambda event: int(event[0].split("-")[1]))
        for reader in self.readers:
            self.assertEqual(reader.gaps, [])
            self.assertEqual(reader.events, expected)
        self.assertGreaterEqual(sum(reader.opened for reader in self.readers), opened * READERS)

    def test_three_hubs_in_turn(self):
        self.three_hubs()
        self.clients()
        before = self.machines.pids()
        # A slow machine takes longer for the restarts than a short run does.
        for duration in (12, 60, 240):
            with self.load(duration) as load:
                load.wait_log("publish")
                self.machines.script("rolling-restart", *machines.HUBS)
                self.eventually_more(1)
                is_in_time = load.process.poll() is None
                status = load.wait_exit()
            if is_in_time:
                break
        self.assertTrue(is_in_time)
        result = json.loads("\n".join(load.out))
        self.assertEqual((status, result["failures"]), (0, []))
        self.assertGreaterEqual(result["streams"]["dropped"], result["streams"]["connected"])
        self.assertEqual(set(before) & set(self.machines.pids()), set())
        self.check(opened=2)

    def load(self, duration):
        """What the document has for a look at it all."""
        return Process("load", "deploy", f"http://{self.address}", "-n", "30", "--rate", "10",
                       "--duration", str(duration), "--drain", "30", "--publish-token-file",
                       str(self.key_file), "--json", "-", "--expect",
                       "lost=0,told=0,duplicated=0,reordered=0,refused=0,uncertain=0")

    def test_a_machine_goes_away_and_comes_back(self):
        self.three_hubs()
        self.clients(self.keeping)
        gone = self.machines.supervisors[self.machines.local("hub-2")]
        self.machines.script(self.take_out, "hub-2")
        self.assertIsNotNone(gone.hub.process.poll())
        self.eventually_more(20)
        self.machines.script(self.put_back, "hub-2")
        eventually(lambda: self.ended() or gone.hub.counter("tocsin_store_answers_total") > 0,
                   "publishes at the hub that is back", pause_s=0.1)
        self.check(opened=1)

    def test_the_proxy_reloads(self):
        """Streams stay, with the process that they have; and end when their hub does."""
        self.three_hubs()
        self.clients(keeping=0)
        for _ in range(2):
            self.proxy.reload()
            self.eventually_more(5)
        self.assertEqual([reader.opened for reader in self.readers], [1] * READERS)
        self.machines.script("rolling-restart", *machines.HUBS)
        self.check(opened=2)

    def test_one_hub_with_its_history_in_a_file(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.key = ""
        self.start({"hub-1": ("--history", f"sqlite:{folder}/history.db")}, *self.alone)
        self.clients()
        for _ in range(3):
            self.machines.script("rolling-restart", "hub-1")
            self.eventually_more(1)
        self.check(opened=4)


class Haproxy(Rolling, unittest.TestCase):
    front = machines.Haproxy
    take_out, put_back, keeping = "take-out", "put-back", 2
    alone = (("  option httpchk GET /readyz\n", ""), (" check inter 2s fall 3 rise 1", " weight 1"),
             ("  server hub-2 hub-2:8080\n  server hub-3 hub-3:8080\n", ""))


class Nginx(Rolling, unittest.TestCase):
    front = machines.Nginx
    take_out, put_back, keeping = "take-out-of-nginx", "put-back-into-nginx", 0
    alone = (("  server hub-2:8080;\n  server hub-3:8080;\n", ""),)


if __name__ == "__main__":
    foreign.main(sys.argv[1:])
