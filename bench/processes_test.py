#!/usr/bin/env python3
"""Unit tests of the measuring scripts: who else uses the machine, time-outs, CPU quotas."""

import os
import sys
import tempfile
import unittest
from unittest import mock

import cpu_quota
import fetch
import load
import machine
import rounds
import servers


class Others(unittest.TestCase):
    @staticmethod
    def shares(before, after):
        """(used, stolen, total) of the machine and own CPU, before and after."""
        readings = [before, after]
        others = machine.OtherCpu(times=lambda: readings[0][:3], own=lambda: readings[0][3])
        readings.pop(0)
        return others.shares()

    def test_what_is_ours_is_not_theirs(self):
        self.assertEqual(self.shares((10, 0, 1000, 5), (60, 0, 1200, 55)),
                         {"other_cpu_percent": 0.0, "stolen_cpu_percent": 0.0})
        self.assertEqual(self.shares((10, 1, 1000, 5), (60, 3, 1200, 25)),
                         {"other_cpu_percent": 15.0, "stolen_cpu_percent": 1.0})
        # Ticks are coarse: less than nothing is nothing.
        self.assertEqual(self.shares((10, 0, 1000, 5), (20, 0, 1200, 25))["other_cpu_percent"], 0)
        self.assertEqual(self.shares((1, 0, 1, 1), (1, 0, 1, 1))["other_cpu_percent"], 0)

    def test_this_machine_can_be_read(self):
        others = machine.OtherCpu()
        shares = others.shares()
        self.assertEqual(set(shares), {"other_cpu_percent", "stolen_cpu_percent"})
        self.assertIsInstance(machine.irq_time_is_nobodys(), bool)
        self.assertTrue(machine.irq_time_is_nobodys("no such release")
                        or os.path.exists("/proc/config.gz"))

    def test_quiet(self):
        self.assertTrue(machine.is_quiet({"other_cpu_percent": 2.0, "stolen_cpu_percent": 0.5}))
        self.assertFalse(machine.is_quiet({"other_cpu_percent": 2.0, "stolen_cpu_percent": 1.5}))
        self.assertTrue(machine.is_quiet({}))

    def test_header(self):
        head = rounds.header(machine.OtherCpu(), quietly=True)
        self.assertEqual(list(head), ["date", "commit", "machine", "other_cpu_percent",
                                      "stolen_cpu_percent"])


class Patience(unittest.TestCase):
    """Nothing is waited for without end, and the reason is one line."""

    class Silent(servers.Server):
        name = "silent"

        def command(self):
            return [sys.executable, "-c", "import time; time.sleep(1000)"]

    class Ending(Silent):
        name = "ending"

        def command(self):
            return [sys.executable, "-c", "import sys; sys.exit('no\\nbecause')"]

    def start(self, server):
        with self.assertRaises(RuntimeError) as caught:
            with server.running(None):
                pass
        self.assertIsNone(server.process)
        return str(caught.exception)

    def test_a_server_that_ends(self):
        self.assertEqual(self.start(self.Ending()),
                         "ending does not start: it ended with status 1: because")

    def test_a_server_that_does_not_listen(self):
        with mock.patch.object(servers, "START_S", 0.5):
            why = self.start(self.Silent())
        self.assertRegex(why, r"^silent does not start: port \d+ is not open after 0.5 s: ")

    def test_a_generator_that_hangs(self):
        with tempfile.TemporaryDirectory() as folder:
            hanging = os.path.join(folder, "hanging")
            with open(hanging, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\nexec sleep 1000\n")
            os.chmod(hanging, 0o755)
            server = servers.Tocsin("none", "uring")
            server.process = mock.Mock(pid=1)
            with self.assertRaisesRegex(load.LoadFailed, "^load idle: no result within 0 s$"):
                load.run_load(hanging, server, "idle", 1, timeout_s=0.2)

    def test_a_tool_that_hangs_or_fails(self):
        with mock.patch.object(fetch, "TOOL_S", 0.2):
            self.assertEqual(fetch.run_tool(["sleep", "1000"], "/"),
                             "sleep was not done after 0.2 s")
        self.assertEqual(fetch.run_tool(["false"], "/"), "no reason given")
        self.assertEqual(fetch.run_tool(["true"], "/"), "")


class Quota(unittest.TestCase):
    """On trees of files that look like the kernel's."""

    def tree(self, folder, own, files):
        for name, text in files.items():
            path = os.path.join(folder, "fs", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            cpu_quota.write(path, text)
        cpu_quota.write(os.path.join(folder, "own"), own)
        return os.path.join(folder, "fs"), os.path.join(folder, "own")

    def test_version_1(self):
        with tempfile.TemporaryDirectory() as folder:
            root, own = self.tree(folder, "2:cpu,cpuacct:/a\n0::/\n",
                                  {"cpu,cpuacct/a/cpu.cfs_quota_us": "-1"})
            found = cpu_quota.find_parent(root, own)
            self.assertEqual(found, (os.path.join(root, "cpu,cpuacct", "a"), 1))
            with cpu_quota.CpuQuota(0.4, root, own) as group:
                made = group.folder
                with open(os.path.join(made, "cpu.cfs_quota_us"), encoding="ascii") as file:
                    self.assertEqual(file.read(), "4000")
                group.enter()
                with open(os.path.join(made, "cgroup.procs"), encoding="ascii") as file:
                    self.assertEqual(int(file.read()), os.getpid())
                for name in os.listdir(made):  # the kernel's vanish with their folder
                    os.remove(os.path.join(made, name))
            self.assertFalse(os.path.exists(made))

    def test_version_2_goes_up_to_who_gives_its_children_the_controller(self):
        with tempfile.TemporaryDirectory() as folder:
            root, own = self.tree(folder, "0::/a/b\n", {
                "cgroup.subtree_control": "cpu memory\n", "a/cgroup.subtree_control": "memory\n",
                "a/b/cgroup.subtree_control": ""})
            parent, version = cpu_quota.find_parent(root, own)
            self.assertEqual((os.path.realpath(parent), version), (os.path.realpath(root), 2))

    def test_no_controller_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            root, own = self.tree(folder, "0::/\n", {"cgroup.subtree_control": "memory\n"})
            with self.assertRaises(OSError):
                cpu_quota.find_parent(root, own)

    def test_removed_after_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            root, own = self.tree(folder, "1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1"})
            with self.assertRaises(ValueError):
                with cpu_quota.CpuQuota(0.4, root, own) as group:
                    made = group.folder
                    for name in os.listdir(made):
                        os.remove(os.path.join(made, name))
                    raise ValueError
            self.assertFalse(os.path.exists(made))


if __name__ == "__main__":
    unittest.main()
