#!/usr/bin/env python3
"""Unit tests of what measures hubs with a store (T11, T12). No servers."""

import copy
import tempfile
import unittest
from unittest import mock

import cluster
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


class Sets(unittest.TestCase):
    class Engine:
        port = 1
        seconds = 0.0

        def cpu_seconds(self):
            self.seconds += 2.0
            return self.seconds

    @staticmethod
    def sets(output):
        done = mock.Mock(stdout=output, stderr="")
        bench = mock.Mock(quick=False, client_cpus=set())
        with mock.patch.object(cluster.subprocess, "run", return_value=done):
            return cluster.sets(bench, Sets.Engine(), 64)

    def test_the_rate_is_read_from_a_table(self):
        figures = self.sets('"test","rps","avg_latency_ms"\n"SET","500000.00","0.5"\n')
        self.assertEqual(figures["sets_per_s"], 500_000)
        self.assertAlmostEqual(figures["set_us"], 2)

    def test_no_rate_is_a_failure(self):
        with self.assertRaisesRegex(RuntimeError, "refused"):
            self.sets("Could not connect: refused")


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
        results["replay"] = [{"tocsin-x": {"alone_p99_ms": 10.0, "beside_p99_ms": 15.0}}]
        self.check("t11", results, (
            ("replay", "tocsin-x", "beside_p99_ms", 15.1),
            *((f"durable_{how}", "tocsin-x", "of_loop", 0.69) for how in ("64", "1", "1024")),
            ("durable_16384", "tocsin-x", "of_loop", 0.49),
            ("durable_64", "mercure", "events_per_s", 1.1),
            ("durable_1024", "tocsin-x", "writer_us_per_event", 0.9),
            ("durable_16384", "tocsin-x", "writer_us_per_event", 0.9),
            ("trimming_64", "tocsin-x", "full_events_per_s", 69.0),
            ("trimming_1024", "tocsin-x", "full_commit_p99_ms", 2.1),
            ("start", "tocsin-x", "cold_of_reading", 2.1)))

    def test_a_cluster_is_judged_by_bare_commands_and_by_nchan(self):
        def batches(cpu):
            return [{"tocsin-x": {f"{fsync}_{name}": value for fsync in cluster.FSYNCS
                                  for name, value in (("events_per_commit", 64.0), ("of_sets", 0.7),
                                                      ("cpu_of_set", cpu))}}]
        results = {"redis_64": batches(1.2), "redis_1024": batches(0.6),
                   "across": [{"tocsin-x": {"always_p50_of_probe": 2.0, "no_p50_of_probe": 2.0}}],
                   "cluster_fan_out": [{"nchan": {"deliveries_per_s": 1.0},
                                        "tocsin-x": {"deliveries_per_s": 10.0}}]}
        self.check("t12", results, (
            ("redis_64", "tocsin-x", "always_of_sets", 0.6),
            ("redis_64", "tocsin-x", "no_cpu_of_set", 1.3),
            ("redis_1024", "tocsin-x", "no_of_sets", 0.6),
            ("redis_1024", "tocsin-x", "always_cpu_of_set", 0.7),
            ("across", "tocsin-x", "no_p50_of_probe", 2.1),
            ("cluster_fan_out", "nchan", "deliveries_per_s", 1.1)))


if __name__ == "__main__":
    unittest.main()
