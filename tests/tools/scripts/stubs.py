"""The scripts of tools/ in a folder of their own, with programs in PATH that only say what they were
asked for."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[3] / "tools"
DEADLINE = 60.0  # seconds, far beyond what a loaded machine needs


class ScriptCase(unittest.TestCase):
    """`self.root` is a repository with nothing but `scripts` in its folder tools."""

    scripts = ()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.calls = self.root / "calls"
        self.calls.touch()
        (self.root / "bin").mkdir()
        (self.root / "tools").mkdir()
        for name in self.scripts:
            shutil.copy(TOOLS / name, self.root / "tools" / name)

    def stub(self, name, script="", folder="bin"):
        """A program that writes its name and arguments to `self.calls` and runs `script`."""
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\necho \"{name} $*\" >>{self.calls}\n{script}\n",
                        encoding="utf-8")
        path.chmod(0o755)
        return path

    def called(self, start=""):
        """The calls so far that begin with `start`."""
        return [line for line in self.calls.read_text(encoding="utf-8").splitlines()
                if line.startswith(start)]

    def command(self, script, *arguments):
        return [str(self.root / "tools" / script), *map(str, arguments)]

    def environment(self, **more):
        clean = {name: value for name, value in os.environ.items() if name not in ("CC", "CXX")}
        return {**clean, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", **more}

    def run_script(self, script, *arguments, status=0, prefix=(), **environment):
        """Its output, standard error included."""
        done = subprocess.run([*prefix, *self.command(script, *arguments)], timeout=DEADLINE,
                              env=self.environment(**environment), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout
