#!/usr/bin/env python3
"""Tiny runs of bench/targets, compare, growth and history on a build folder: quick_test.py BUILD

They measure nothing; they show that the scripts, the servers and `tocsin load` fit together. Other
servers are left out, but for nchan where it is installed.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Quick(unittest.TestCase):
    build = ""

    def run_script(self, name, *arguments):
        # The same Python for all; scripts that draw would look for one with matplotlib.
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, name), "--build", self.build, "--quick",
             *arguments], capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_targets(self):
        out = self.run_script("targets", "t1", "t6", "--rounds", "1", "--io", "epoll")
        self.assertIn("T1  tocsin-epoll", out)
        self.assertIn("T6  tocsin-epoll", out)
        self.assertNotIn("FAULTS", out)

    def test_small_fan_out_beside_an_earlier_build(self):
        program = os.path.join(self.build, "tocsin")
        out = self.run_script("targets", "t9", "t10", "--rounds", "1", "--io", "epoll", "--before",
                              program)
        self.assertIn("T9  tocsin-epoll", out)
        self.assertIn("T10  tocsin-epoll", out)
        self.assertIn("tocsin-epoll / before-epoll, cpu_us_per_event", out)
        self.assertNotIn("FAULTS", out)

    def test_tokens(self):
        out = self.run_script("targets", "t13", "--rounds", "1", "--io", "epoll")
        self.assertRegex(out, r"T13  tocsin-epoll|T13: left out")
        self.assertNotIn("FAULTS", out)

    def test_history_in_a_file(self):
        out = self.run_script("targets", "t11", "--rounds", "1", "--io", "epoll")
        self.assertIn("T11  tocsin-epoll", out)
        self.assertNotIn("not measured", out.replace("- x Mercure with Bolt (not measured)", ""))
        self.assertNotIn("FAULTS", out)

    def test_hubs_with_one_history(self):
        out = self.run_script("targets", "t12", "--rounds", "1", "--io", "epoll")
        self.assertRegex(out, r"T12  tocsin-epoll|T12: left out")
        self.assertNotIn("FAULTS", out)

    def test_compare(self):
        with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
            out = self.run_script("compare", "--rounds", "1", "--scenarios", "saturate-1k,connect",
                                  "--peers", "none", "--json", file.name)
            stored = json.load(file)
        self.assertIn("tocsin-uring", out)
        for scenario in ("saturate-1k", "connect"):
            for name, figures in stored["medians"][scenario].items():
                self.assertNotIn("faults", figures, name)
        self.assertGreater(stored["medians"]["connect"]["tocsin-epoll"]["connects_per_s"], 0)

    def test_growth_and_history(self):
        with tempfile.TemporaryDirectory() as folder:
            stored = os.path.join(folder, "growth.json")
            self.run_script("growth", "--io", "epoll", "--json", stored, "--svg",
                            os.path.join(folder, "growth.svg"))
            with open(stored, encoding="utf-8") as file:
                point = json.load(file)["subscribers"][0]
            self.assertEqual(point["connected"], 51)  # with the one of the warm-up
            lines = os.path.join(folder, "history.jsonl")
            self.run_script("history", "--rounds", "1", "--file", lines, "--svg",
                            os.path.join(folder, "history.svg"))
            with open(lines, encoding="utf-8") as file:
                medians = json.loads(file.read())["medians"]
            self.assertGreater(medians["broadcast"]["tocsin-uring"]["cpu_us_per_delivery"], 0)


if __name__ == "__main__":
    Quick.build = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
