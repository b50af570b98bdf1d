#!/usr/bin/env python3
"""Unit tests of what measures hubs with a store (T11). No servers."""

import copy
import tempfile
import unittest
from unittest import mock

import durable
import judge


class Commits(unittest.TestCase):
    def test_quantiles_are_even_within_a_bucket(self):
        buckets = {0.001: 0.0, 0.002: 50.0, 0.004: 100.0, float("inf"): 100.0}
        self.assertAlmostEqual(durable.quantile(0.5, buckets), 0.002)
        self.assertAlmostEqual(durable.quantile(0.75, buckets), 0.003)
        self.assertAlmostEqual(durable.quantile(0.99, buckets), 0.00396)
        self.assertAlmostEqual(durable.quantile(0.99, {0.001: 98.0, float("inf"): 100.0}), 0.001)

    def test_figures_are_of_what_came_since(self):
        class Hub:
            process = mock.Mock(pid=1)
            events = 100.0

            def counters(self):
                return {"tocsin_store_commit_events_total": self.events,
                        "tocsin_store_commits_total": self.events / 10}

            def buckets(self, _):
                return {0.001: self.events / 10, float("inf"): self.events / 10}

        hub = Hub()
        with mock.patch.object(durable, "thread_cpu_seconds", side_effect=(1.0, 1.0006, 1.0006)):
            commits = durable.Commits(hub)
            hub.events += 200
            figures = commits.figures()
            self.assertAlmostEqual(figures["events_per_commit"], 10)
            self.assertAlmostEqual(figures["writer_us_per_event"], 3)
            self.assertAlmostEqual(figures["commit_p99_ms"], 0.99)
            hub.events -= 200
            self.assertEqual(commits.figures(), {})  # nothing was committed

    def test_the_end_of_a_file_is_read(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes(3000))
            file.flush()
            for size in (0, 10, 3000, 5000):
                self.assertEqual(durable.read_end(file.name, size), min(size, 3000))


class Judging(unittest.TestCase):
    def check(self, target, results, worse):
        self.assertTrue(judge.judge(results, {target})[0]["met"], judge.judge(results, {target}))
        for name, contender, figure, value in worse:
            other = copy.deepcopy(results)
            other[name][0][contender][figure] = value
            self.assertFalse(judge.judge(other, {target})[0]["met"], (name, figure))

    def test_a_file_is_judged_by_the_loop_and_by_bolt(self):
        commits = {"events_per_commit": 10.0, "of_loop": 0.7, "writer_us_per_event": 0.8}
        trimming = {"full_events_per_s": 70.0, "roomy_events_per_s": 100.0,
                    "full_commit_p99_ms": 2.0, "roomy_commit_p99_ms": 1.0}
        results = {f"durable_{how}": [{"tocsin-x": dict(commits)}]
                   for how in ("64", "1", "1024", "16384")}
        results["durable_64"] = [{"mercure": {"events_per_s": 1.0},
                                  "tocsin-x": {**commits, "events_per_s": 20.0}}]
        results["trimming_64"] = results["trimming_1024"] = [{"tocsin-x": trimming}]
        results["start"] = [{"tocsin-x": {"cold_of_reading": 2.0, "warm_of_reading": 9.0}}]
        self.check("t11", results, (
            *((f"durable_{how}", "tocsin-x", "of_loop", 0.69) for how in ("64", "1", "1024")),
            ("durable_16384", "tocsin-x", "of_loop", 0.49),
            ("durable_64", "mercure", "events_per_s", 1.1),
            ("durable_1024", "tocsin-x", "writer_us_per_event", 0.9),
            ("durable_16384", "tocsin-x", "writer_us_per_event", 0.9),
            ("trimming_64", "tocsin-x", "full_events_per_s", 69.0),
            ("trimming_1024", "tocsin-x", "full_commit_p99_ms", 2.1),
            ("start", "tocsin-x", "cold_of_reading", 2.1)))


if __name__ == "__main__":
    unittest.main()
