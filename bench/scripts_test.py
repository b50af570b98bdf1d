#!/usr/bin/env python3
"""Unit tests of the measuring scripts: figures, medians, verdicts, points, plots. No servers."""

import copy
import importlib.machinery
import importlib.util
import json
import os
import tempfile
import unittest

import judge
import load
import machine
import fetch
import peers
import plots
import rounds

HERE = os.path.dirname(os.path.abspath(__file__))


def script(name):
    """A program of this folder, as a module."""
    loader = importlib.machinery.SourceFileLoader(f"bench_{name}", os.path.join(HERE, name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


PHASE = {"duration_s": 2.0, "server_cpu_ns": 1_000_000, "server_user_ns": 400_000,
         "server_cpu_share": 0.25,
         "own_cpu_share": 0.5}
RESULT = {
    "failures": [], "bottlenecks": [],
    "streams": {"connected": 10, "refused": 0, "dropped": 0, "refusals": {"status 503": 3},
                "unanswered": {"connecting": 0, "heads": 0, "longest_s": 0.0}},
    "connect": {**PHASE, "count": 10, "connects_per_s": 5000.0, "server_cpu_ns_per_connect": 8000},
    "reconnect": {**PHASE, "count": 0, "reconnects_per_s": None, "events": 0},
    "idle": PHASE, "publish": PHASE,
    "publishing": {"events": 5, "refused": 0, "timeouts": 0, "error": "", "events_per_s": 2.5},
    "deliveries": {"delivered": 50, "deliveries_per_s": 25.0, "server_cpu_ns_per_delivery": 20_000,
                   "lost": 0, "told": 0, "duplicated": 0, "reordered": 0, "corrupted": 0,
                   "comments": 10,
                   "latency": {"p50_ns": 1_000_000, "p99_ns": 2_000_000, "max_ns": 3_000_000}},
    "memory": {"rss_bytes_per_subscriber": 100.0, "pss_bytes_per_subscriber": 90.0,
               "kernel_bytes_per_subscriber": 5000.0, "socket_bytes_per_subscriber": 0.0,
               "cache_bytes_per_subscriber": {"dentry": 400.0, "TCP": 4000.0}},
}


class Figures(unittest.TestCase):
    def test_units_and_names(self):
        figures = load.figures(RESULT)
        self.assertEqual(figures["cpu_us_per_delivery"], 20)
        self.assertEqual(figures["cpu_us_per_connect"], 8)
        self.assertEqual(figures["cpu_us_per_event"], 200)
        self.assertEqual(figures["user_us_per_event"], 80)
        self.assertEqual(figures["p99_ms"], 2)
        self.assertEqual(figures["idle_cpu_percent"], 25)
        self.assertEqual(figures["kernel_each"], 4600)  # without what walks /proc
        self.assertEqual(figures["faults"], "")

    def test_what_was_not_measured_is_left_out(self):
        result = copy.deepcopy(RESULT)
        result["deliveries"]["latency"] = None
        result["memory"]["kernel_bytes_per_subscriber"] = None
        figures = load.figures(result)
        for name in ("p99_ms", "kernel_each", "reconnects_per_s", "cpu_us_per_reconnect"):
            self.assertNotIn(name, figures)

    def test_each_fault_is_told(self):
        for group, name in (("deliveries", "lost"), ("deliveries", "duplicated"),
                            ("deliveries", "reordered"), ("deliveries", "corrupted"),
                            ("streams", "refused"), ("streams", "dropped"),
                            ("publishing", "timeouts")):
            result = copy.deepcopy(RESULT)
            result[group][name] = 3
            self.assertIn("3 ", load.figures(result)["faults"], name)
        self.assertIn("status is 1", load.figures(RESULT, 1)["faults"])
        result = copy.deepcopy(RESULT)
        result["streams"]["refused"] = 3
        result["streams"]["unanswered"]["heads"] = 2
        self.assertEqual(load.figures(result)["faults"],
                         "3 refused (3 x status 503), 2 unanswered")


class Judging(unittest.TestCase):
    ROUNDS = [{"a": {"x": 1.0}, "b": {"x": 2.0}}, {"a": {"x": 3.0}, "b": {"x": 3.0}},
              {"a": {"x": 2.0}, "b": {"faults": "gone"}}]

    def test_medians_and_ratios_within_rounds(self):
        self.assertEqual(judge.median(self.ROUNDS, "a", "x"), 2)
        self.assertEqual(judge.median(self.ROUNDS, "b", "x"), 2.5)
        self.assertIsNone(judge.median(self.ROUNDS, "c", "x"))
        self.assertEqual(judge.ratios_within(self.ROUNDS, "a", "x", "b"), [0.5, 1])
        self.assertEqual(judge.paired(self.ROUNDS, "a", "x", "b"), 0.75)
        self.assertIsNone(judge.paired(self.ROUNDS, "a", "y", "b"))

    def test_faults_and_what_was_not_measured(self):
        part = (1.0, "<=", 2, "{} of it")
        self.assertTrue(judge.verdict("t", "a", [part])["met"])
        self.assertFalse(judge.verdict("t", "a", [part], astray=True)["met"])
        self.assertIsNone(judge.verdict("t", "a", [part, (None, "<=", 2, "{}")])["met"])
        missed = (3, "<=", 2, "{}")
        self.assertFalse(judge.verdict("t", "a", [missed, (None, "<=", 2, "{}")])["met"])
        # Without a limit it is told, and decides nothing.
        self.assertTrue(judge.verdict("t", "a", [part, (9, ">=", None, "{}")])["met"])
        self.assertTrue(judge.verdict("t", "a", [part, (None, ">=", None, "{}")])["met"])

    @staticmethod
    def t6(results):
        return judge.judge(results, {"t6"})[0]

    def test_connects_are_judged_held_where_a_quota_can_be_had(self):
        whole = [{"nchan": {"connects_per_s": 100, "cpu_us_per_connect": 20},
                  "tocsin-x": {"connects_per_s": 100, "cpu_us_per_connect": 10,
                               "reconnects_per_s": 5}}]
        held = [{"nchan": {"connects_per_s": 10}, "tocsin-x": {"connects_per_s": 20}}]
        self.assertTrue(self.t6({"connect": whole, "connect_held": held})["met"])
        held[0]["tocsin-x"]["connects_per_s"] = 14
        self.assertFalse(self.t6({"connect": whole, "connect_held": held})["met"])
        by_cpu = self.t6({"connect": whole})
        self.assertTrue(by_cpu["met"])
        self.assertIn("judged by CPU alone", by_cpu["text"])
        whole[0]["tocsin-x"]["cpu_us_per_connect"] = 15
        self.assertFalse(self.t6({"connect": whole})["met"])

    def test_small_fan_out_is_judged_by_the_floor_of_its_way(self):
        done = [{"floor-send": {"cpu_us_per_event": 10.0}, "nchan": {"events_per_s": 20.0,
                                                                     "cpu_us_per_event": 30.0},
                 "floor-uring": {"cpu_us_per_event": 5.0},
                 "tocsin-uring": {"events_per_s": 100.0, "cpu_us_per_event": 6.0,
                                  "user_us_per_event": 1.0, "p50_ms": 0.1}}]
        results = {"private_full": done, "private_paced": done}
        self.assertTrue(judge.judge(results, {"t9"})[0]["met"])
        done[0]["tocsin-uring"]["cpu_us_per_event"] = 7.0  # too much for io_uring's relay
        self.assertFalse(judge.judge(results, {"t9"})[0]["met"])
        done[0]["tocsin-epoll"] = done[0].pop("tocsin-uring")
        self.assertTrue(judge.judge(results, {"t9"})[0]["met"])

    def test_tokens_are_judged_by_the_same_server_without(self):
        connects = {"mercure": {"es256_connects_per_s": 100.0},
                    "tocsin-x": {f"{kind}_connects_per_s": 400.0 * share for kind, share in (
                        ("open", 1), ("hs256", 0.9), ("es256", 0.8), ("same", 1))}}
        results = {
            "connect_with_tokens": [connects],
            "publish_with_key": [{"tocsin-x": {"open_events_per_s": 10.0,
                                               "key_events_per_s": 9.6}}],
            "idle_with_expiry": [{"tocsin-x": {"open_pss_each": 90, "expiring_pss_each": 110}}]}
        self.assertTrue(judge.judge(results, {"t13"})[0]["met"])
        for name, figure, value in (("connect_with_tokens", "hs256_connects_per_s", 330.0),
                                    ("connect_with_tokens", "es256_connects_per_s", 299.0),
                                    ("publish_with_key", "key_events_per_s", 9.4),
                                    ("idle_with_expiry", "expiring_pss_each", 115)):
            worse = copy.deepcopy(results)
            worse[name][0]["tocsin-x"][figure] = value
            self.assertFalse(judge.judge(worse, {"t13"})[0]["met"], figure)

    def test_an_earlier_build_is_compared_and_not_judged(self):
        done = [{"tocsin-uring": {"x": 1.0, "faults": "", "caches": {"TCP": 1}},
                 "before-uring": {"x": 2.0, "faults": "", "caches": {"TCP": 1}}}]
        self.assertEqual(list(script("targets").before_ratios(done)),
                         ["  tocsin-uring / before-uring, x: 0.500   (0.500 to 0.500)"])
        self.assertEqual({v["contender"] for v in judge.judge({"idle": done}, {"t8"})},
                         {"tocsin-uring"})

    def test_targets_stand_in_the_order_of_their_numbers(self):
        self.assertEqual(script("targets").TARGETS[-4:], ["t10", "t11", "t12", "t13"])

    def test_every_target_judges_an_empty_round_as_not_measured(self):
        targets = script("targets")
        self.assertEqual(set(targets.TARGETS), set(judge.RULES))
        results = {name: [{"tocsin-x": {}}] for name in targets.MEASUREMENTS}
        for verdict in judge.judge(results, set(judge.RULES)):
            self.assertIsNone(verdict["met"], verdict)


class Rounds(unittest.TestCase):
    def test_a_failure_is_a_fault_and_ends_its_rounds(self):
        order = []

        class Server:
            def __init__(self, name):
                self.name = name

        def measure(_, server):
            order.append(server.name)
            if server.name == "bad":
                raise RuntimeError("no")
            return {"x": 1.0}

        done = rounds.all_rounds(None, "m", measure, 2, [Server("good"), Server("bad")])
        self.assertEqual(order, ["good", "bad", "good"])  # who failed is not tried again
        self.assertEqual(done[0]["bad"], {"faults": "no"})
        self.assertEqual(rounds.medians(done), {"good": {"x": 1.0}, "bad": {"faults": "no"}})

    def test_servers_alternate(self):
        order = []

        class Server:
            def __init__(self, name):
                self.name = name

        def measure(_, server):
            order.append(server.name)
            return {"x": 1.0}

        rounds.all_rounds(None, "m", measure, 3, [Server("a"), Server("b")])
        self.assertEqual(order, ["a", "b", "b", "a", "a", "b"])

    def test_tables_have_every_contender(self):
        done = [{"us": {"x": 10.0}, "other": {"x": 25.0, "faults": "3 lost"}, "none": {}}]
        text = "\n".join(rounds.ratio_table(done, [("x", "the x")], "us"))
        self.assertIn("25 (2.5x)", text)
        self.assertIn("! 3 lost", text)
        self.assertRegex(text, r"none +-")
        self.assertIn("FAULTS: 3 lost", "\n".join(rounds.spread_table("m", done)))

    def test_reasons_are_short_and_once(self):
        done = [{"us": {"bottlenecks": "Connects: they waited 12.5 % for a core: not the server"}},
                {"us": {"bottlenecks": "Connects: they waited 13 % for a core: not the server"}}]
        self.assertEqual(len(rounds.bottlenecks(done, "us")), 1)
        self.assertRegex(rounds.bottlenecks(done, "us")[0], r"^Connects: .* core$")

    def test_rounding_keeps_four_digits(self):
        self.assertEqual(rounds.round_off(123456.0), 123500)
        self.assertEqual(rounds.round_off(0.0123456), 0.01235)


class Sizes(unittest.TestCase):
    def test_shards_for_the_descriptors_that_there_are(self):
        growth = script("growth")
        self.assertEqual(growth.shards_for(1000, 20_000), 1)
        self.assertEqual(growth.shards_for(17_800, 20_000), 1)
        self.assertEqual(growth.shards_for(17_801, 20_000), 2)
        self.assertEqual(growth.shards_for(1_000_000, 20_000), 57)

    def test_small_sizes_fit_everywhere(self):
        self.assertEqual(machine.too_low(1000), [])
        self.assertEqual(script("growth").fits(1000), "")
        self.assertNotEqual(script("growth").fits(10**10), "")


class Growing(unittest.TestCase):
    def setUp(self):
        self.growth = script("growth")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "growth.json")

    def points(self, earlier, minutes=10):
        return self.growth.Points(self.path, earlier, minutes)

    @staticmethod
    def add(points, rate, figure):
        points.add("rates", {"rate": rate, "io": "uring"}, f"{rate}", lambda: {"x": figure})

    def test_every_point_is_stored_at_once(self):
        points = self.points({})
        self.add(points, 10, 1.0)
        with open(self.path, encoding="utf-8") as file:
            stored = json.load(file)
        self.assertEqual(stored["rates"], [{"rate": 10, "io": "uring", "x": 1.0}])
        self.assertIn("other_cpu_percent", stored)

    def test_a_run_goes_on_where_an_earlier_one_ended(self):
        first = self.points({})
        self.add(first, 10, 1.0)
        self.add(first, 1000, 3.0)
        first.add("shards", {"shards": 1, "io": "uring"}, "", self.fail_once)
        earlier = self.growth.read_earlier(self.path)
        self.assertIn("faults", earlier["shards"][0])
        second = self.points(earlier)
        self.add(second, 10, 7.0)
        self.add(second, 100, 2.0)
        second.add("shards", {"shards": 1, "io": "uring"}, "", lambda: {"x": 5.0})
        result = second.finish()
        self.assertEqual([(p["rate"], p["x"]) for p in result["rates"]],
                         [(10, 1.0), (100, 2.0), (1000, 3.0)])
        self.assertEqual(result["shards"], [{"shards": 1, "io": "uring", "x": 5.0}])

    @staticmethod
    def fail_once():
        raise RuntimeError("no")

    def test_what_another_commit_measured_is_not_kept(self):
        first = self.points({})
        self.add(first, 10, 1.0)
        with open(self.path, encoding="utf-8") as file:
            stored = json.load(file)
        rounds.store(self.path, {**stored, "commit": "another"})
        self.assertEqual(self.growth.read_earlier(self.path), {})
        self.assertEqual(self.growth.read_earlier(self.path + "none"), {})

    def test_no_point_is_begun_when_the_time_is_up(self):
        points = self.points({}, minutes=0)
        self.add(points, 10, 1.0)
        self.assertEqual(points.finish()["rates"], [])
        self.assertEqual(points.too_late, ["10"])

    def test_lists_of_numbers(self):
        self.assertEqual(self.growth.numbers("1000,10"), [1000, 10])
        for text in ("", "x", "1,", "0", "1.5"):
            with self.assertRaises(Exception) as caught:
                self.growth.numbers(text)
            self.assertIn("whole numbers with commas", str(caught.exception))


class Drawing(unittest.TestCase):
    def test_panels_of_results(self):
        growth = script("growth")
        result = {"subscribers": [{"subscribers": 1000, "io": "uring", "pss_each": 90.0},
                                  {"subscribers": 10, "io": "epoll", "faults": "no"}],
                  "shards": [{"shards": 1, "io": "uring", "generator_shares_cores": False,
                              "deliveries_per_s": 5.0}]}
        panels = growth.panels_of(result)
        self.assertEqual(len(panels), 3)
        self.assertEqual(panels[1].series["user, uring"], [(1000, 90.0)])
        self.assertEqual(panels[1].series["user, epoll"], [])  # nothing was measured there

    def test_history_lines_come_back(self):
        history = script("history")
        line = {"commit": "abc", "date": "2026-01-01", "medians": {
            "broadcast": {"tocsin-uring": {"p99_ms": 7.0}}}}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "h.jsonl")
            self.assertEqual(history.read(path), [])
            history.append(path, line)
            history.append(path, line)
            self.assertEqual(history.read(path), [line, line])
        panels = history.panels_of([line, line])
        self.assertEqual(panels[1].series["tocsin-uring"], [(0, 7.0), (1, 7.0)])
        self.assertEqual((panels[1].x_label, panels[1].ticks), ("commit", ([0, 1], ["abc", "abc"])))
        # Where others had much of the machine, it is said.
        panels = history.panels_of([line, {**line, "other_cpu_percent": 30.0}])
        self.assertEqual(panels[1].shaded, [1])
        self.assertIn("not quiet", panels[1].x_label)

    def test_stored_history_can_be_drawn(self):
        history = script("history")
        lines = history.read(history.HISTORY)
        for line in lines:
            self.assertIn("machine", line)
        self.assertEqual(len(history.panels_of(lines)), len(history.PANELS))

    @unittest.skipUnless(plots.available(), "no matplotlib")
    def test_the_same_figures_give_the_same_file(self):
        panel = plots.Panel("t", "x", "y", {"a": [(1, 2.0), (10, 3.0), (20, None)]}, log_x=True)
        with tempfile.TemporaryDirectory() as folder:
            texts = []
            for name in ("one.svg", "two.svg"):
                path = os.path.join(folder, name)
                self.assertTrue(plots.draw(path, [panel]))
                with open(path, encoding="utf-8") as file:
                    texts.append(file.read())
        self.assertEqual(*texts)
        self.assertIn("<svg", texts[0])


class Peers(unittest.TestCase):
    def test_token_is_three_parts_and_its_claims_come_back(self):
        token = peers.json_web_token({"mercure": {"publish": ["*"]}}, "key").split(".")
        self.assertEqual(len(token), 3)
        claims = peers.base64.urlsafe_b64decode(token[1] + "=" * (-len(token[1]) % 4))
        self.assertEqual(json.loads(claims), {"mercure": {"publish": ["*"]}})

    def test_complaints_are_short_and_name_no_host(self):
        self.assertEqual(fetch.first_line("# module\ngo: x@v1: reading ftp://a.b/c: no\nmore"),
                         "go: x@v1: reading (address) no")
        self.assertEqual(fetch.first_line(""), "no reason given")

    def test_versions_are_pinned(self):
        for kind in (peers.R3labs, peers.Hertz, peers.Mercure, peers.Centrifuge):
            self.assertRegex(kind("nowhere").version(), r" v\d+\.\d+\.\d+", kind.name)
        self.assertRegex(peers.BetterSse("nowhere").version(), r"better-sse \d+\.\d+\.\d+")


if __name__ == "__main__":
    unittest.main()
