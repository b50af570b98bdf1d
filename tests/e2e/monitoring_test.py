#!/usr/bin/env python3
"""Prometheus' alert rules and the Grafana dashboard of systemd/monitoring, against a running hub.

    monitoring_test.py [Names | Promtool]

Exit status 77: promtool is not there (Debian's package prometheus).
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from hub import Hub

MONITORING = Path(__file__).resolve().parents[2] / "systemd" / "monitoring"
RULES = MONITORING / "alerts.yml"
DASHBOARD = MONITORING / "grafana.json"
METRIC = re.compile(r"\b(?:tocsin|process)_\w+")


def dashboard_queries():
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def rule_queries():
    return re.findall(r"^ +expr: (.*)$", RULES.read_text(encoding="utf-8"), re.M)


def whole_page():
    """The page of a hub that has all there is to count."""
    with tempfile.TemporaryDirectory(prefix="tocsin-metrics-") as folder, \
            Hub("--history", f"sqlite:{folder}/history.db") as hub:
        return hub.ask("GET", "/metrics")[2]


class Names(unittest.TestCase):
    def test_every_metric_that_is_named_is_on_the_page(self):
        page = whole_page()
        samples = {re.split("[{ ]", line)[0] for line in page.splitlines()
                   if not line.startswith("#")}
        for source, queries in (("alerts.yml", rule_queries()), ("grafana.json", dashboard_queries())):
            self.assertGreater(len(queries), 8, source)
            for query in queries:
                named = set(METRIC.findall(query))
                self.assertTrue(named or query.startswith("up{"), query)
                self.assertLessEqual(named, samples, f"{source}: {query}")

    def test_every_label_that_is_named_is_on_the_page(self):
        page = whole_page()
        for query in rule_queries() + dashboard_queries():
            for name, values in re.findall(r'\b(state|reason|outcome)=~?"([^"]*)"', query):
                for value in values.split("|"):
                    self.assertIn(f'{name}="{value}"', page, query)


class Promtool(unittest.TestCase):
    def run_promtool(self, *arguments):
        done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_rules_are_valid(self):
        self.run_promtool("check", "rules", str(RULES))

    def test_each_alert_fires_on_what_it_is_for(self):
        text = (Path(__file__).parent / "monitoring" / "alerts_test.yml").read_text(encoding="utf-8")
        alerts = re.findall(r"alert: (\w+)", RULES.read_text(encoding="utf-8"))
        self.assertEqual(sorted(alerts), sorted(set(re.findall(r'alertname="(\w+)"', text))))
        with tempfile.TemporaryDirectory(prefix="tocsin-alerts-") as folder:
            test = Path(folder) / "test.yml"
            test.write_text(text.replace("RULES", str(RULES)), encoding="utf-8")
            self.run_promtool("test", "rules", str(test))

    def test_the_dashboards_queries_are_valid(self):
        with tempfile.TemporaryDirectory(prefix="tocsin-alerts-") as folder:
            rules = Path(folder) / "rules.yml"
            rules.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": [
                {"record": f"panel:{i}", "expr": query.replace("$__rate_interval", "1m")}
                for i, query in enumerate(dashboard_queries())]}]}), encoding="utf-8")
            self.run_promtool("check", "rules", str(rules))


if __name__ == "__main__":
    if "Promtool" in sys.argv and shutil.which("promtool") is None:
        print("skipped: promtool is not there")
        sys.exit(77)
    unittest.main()
