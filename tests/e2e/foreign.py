"""Where programs that others wrote come from, and what to do where they cannot be had.

Packages of npm and Go are fetched once, in the versions that the lock files in interop/ pin, into
BUILD/interop (the environment variable BUILD names the build folder).
"""

import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import hub  # noqa: F401  (before what is found in bench)

import fetch
import peers  # the servers that others wrote; they are measured as well
from servers import child_setup, has_socket  # noqa: F401

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "interop"
BUILD = Path(os.environ["BUILD"])
SKIPPED = 77


def skip_if(why):
    if why:
        raise unittest.SkipTest(why)


def need_program(name, package=""):
    skip_if("" if shutil.which(name) else f"no {name} (Debian: {package or name})")


def node_modules():
    """The folder to run Node in."""
    folder = BUILD / "interop" / "node"
    skip_if(fetch.fetch_from_npm("the clients on Node", str(SOURCE / "node"), str(folder)))
    return folder


def go_program(name):
    binary = BUILD / "interop" / name
    skip_if(fetch.build_with_go(name, str(SOURCE / name), str(binary)))
    return binary


def python_with(module):
    """A Python that has it: this one, or the system's, for which Debian packages it."""
    for python in (sys.executable, "/usr/bin/python3"):
        if shutil.which(python) and subprocess.run(
                [python, "-c", f"import {module}"], capture_output=True, check=False,
                timeout=60).returncode == 0:
            return python
    raise unittest.SkipTest(f"no {module} (Debian: python3-{module})")


def main(names):
    """Runs the named test classes of the program; exit status 77 if something that they need is absent
    on this machine."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(names, sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    for _, why in result.skipped:
        print(f"skipped: {why}")
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.skipped else 0)
