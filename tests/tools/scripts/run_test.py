#!/usr/bin/env python3
"""tools/run: the port before and after the build, and the program that it becomes."""

import contextlib
import os
import socket
import subprocess
import sys
import unittest
from pathlib import Path

from stubs import DEADLINE, ScriptCase

sys.path.append(str(Path(__file__).resolve().parents[3] / "bench"))
import ports  # noqa: E402


@contextlib.contextmanager
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def free_address():
    return f"127.0.0.1:{ports.take()}"


class Run(ScriptCase):
    scripts = ("run",)

    def setUp(self):
        super().setUp()
        self.stub("install-packages", folder="tools")
        self.stub("build", folder="tools")
        self.stub("tocsin", folder="build/release")

    def test_installs_builds_and_runs(self):
        address = free_address()
        self.run_script("run", "--listen", address, "--shards", "1")
        self.assertEqual(self.called(), [
            "install-packages build", "build release tocsin",
            f"tocsin demo --max-connections 10000 --listen {address} --shards 1"])

    def test_every_port_that_is_taken_is_told_before_anything_is_done(self):
        with listener() as taken:
            for order in ((taken, free_address()), (free_address(), taken)):
                said = self.run_script("run", f"--listen={order[0]}", "--listen", order[1],
                                       status=1)
                self.assertIn(f"{taken} is taken by another program", said)
        self.assertEqual(self.called(), [])

    def test_a_port_that_was_taken_during_the_build_is_told(self):
        address = free_address()
        os.mkfifo(self.root / "building")
        os.mkfifo(self.root / "go_on")
        self.stub("build", f"echo >{self.root}/building; read <{self.root}/go_on", folder="tools")
        with subprocess.Popen(self.command("run", "--listen", address), env=self.environment(),
                              stdout=subprocess.PIPE, text=True) as run:
            (self.root / "building").read_text(encoding="utf-8")
            host, port = address.rsplit(":", 1)
            with socket.create_server((host, int(port))):
                (self.root / "go_on").write_text("\n", encoding="utf-8")
                said, _ = run.communicate(timeout=DEADLINE)
        self.assertIn(f"{address} is taken by another program", said)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(self.called("tocsin"), [])

    def test_an_address_without_a_port_is_told_before_anything_is_done(self):
        said = self.run_script("run", "--listen", "8080", status=2)
        self.assertIn("--listen 8080: has no port", said)
        self.assertEqual(self.called(), [])

    def test_a_configuration_says_itself_where_to_listen(self):
        self.run_script("run", "--config", "x.toml")
        self.assertEqual(self.called("tocsin"), ["tocsin demo --config x.toml"])

    def test_help_builds_nothing(self):
        self.assertIn("Usage: tools/run", self.run_script("run", "--help"))
        self.assertEqual(self.called(), [])


if __name__ == "__main__":
    unittest.main()
