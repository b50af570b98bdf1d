"""The recipes of docs/auth-recipes.md, each made into a folder as its reader would make it.

A heading of the second level is a recipe. A name in backticks with a colon is a file, and the block
of code below it is what the file has; the block of `sh` is what is run there first. What stands
under `Signing` belongs to every recipe.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from hub import DEADLINE, TOCSIN, Hub, Process, eventually, ports

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "auth-recipes.md"
HUB, SITE = "8080", "8000"  # the ports where the document has the hub, and the back end
SIGNING = "Signing"

# Not through whatever proxy this machine has, and with the `tocsin` that is tested.
ENVIRONMENT = {**os.environ, "no_proxy": "*", "NO_PROXY": "*",
               "PATH": f"{Path(TOCSIN).resolve().parent}:{os.environ['PATH']}"}


def sections(text):
    """Heading -> what stands below it."""
    parts = re.split(r"^## (.+)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def files(section):
    """Name -> content."""
    return dict(re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```$", section, re.S | re.M))


def preparation(section):
    """The commands to run first."""
    return "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.S | re.M))


SECTIONS = sections(DOCUMENT.read_text(encoding="utf-8"))


class Recipe:
    """The folder, prepared, with ports of its own. `other`: text -> what is to stand there instead,
    since a test has not an hour."""

    def __init__(self, name, other=None):
        self.hub_port, self.site_port = str(ports.take()), str(ports.take())
        self.url = f"http://127.0.0.1:{self.site_port}"
        self.temporary = tempfile.TemporaryDirectory(prefix="tocsin-recipe-")
        self.folder = Path(self.temporary.name)
        section = SECTIONS[name]
        try:
            self._write({**files(SECTIONS[SIGNING]), **files(section)}, dict(other or {}))
            subprocess.run(["sh", "-ec", preparation(section)], cwd=self.folder, env=ENVIRONMENT,
                           check=True, capture_output=True, timeout=DEADLINE)
        except BaseException:
            self.close()
            raise

    def _write(self, content, other):
        for name, text in content.items():
            for old in [old for old in other if old in text]:
                text = text.replace(old, other.pop(old))
            text = text.replace(HUB, self.hub_port).replace(SITE, self.site_port)
            (self.folder / name).write_text(text, encoding="utf-8")
        if other:
            raise AssertionError(f"the document does not say {', '.join(other)}")

    def close(self):
        self.temporary.cleanup()

    def hub(self):
        return Hub("--config", self.folder / "tocsin.toml", "--drain-timeout", "0s", "--retry",
                   "200ms", listen=f"127.0.0.1:{self.hub_port}")

    def site(self, program, file):
        """The back end, once it listens."""
        process = Process(file, program=program, folder=self.folder, environment=ENVIRONMENT)
        def listens():
            if process.process.poll() is not None:
                raise AssertionError(f"{file} has ended: {process.log}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", int(self.site_port))) == 0
        try:
            eventually(listens, f"{file} at {self.url}")
        except BaseException:
            process.__exit__()
            raise
        return process

    def read(self, file):
        return (self.folder / file).read_text(encoding="utf-8").strip()


PYTHON = (sys.executable, "-B", "-u")


def need(program, package):
    """The program's path."""
    found = shutil.which(program)
    if not found:
        raise unittest.SkipTest(f"no {program} (Debian: {package})")
    return found
