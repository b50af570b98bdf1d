#!/usr/bin/env python3
"""tools/cmake/version.cmake as a build step: what git says, written only when it changes.

    version_test.py CMAKE
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "cmake" / "version.cmake"


def call(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Source:
    """A folder that is built, by turns an archive and a clone."""

    def __init__(self, cmake, root):
        self.cmake = cmake
        self.root = root
        self.output = root / "build" / "version.cc"
        root.mkdir(parents=True)

    def git(self, *arguments):
        call("git", "-C", str(self.root), "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments)

    def commit(self):
        self.git("add", "--all", ":!build")
        self.git("commit", "--quiet", "--allow-empty", "--message", "x")

    def built(self, **more):
        """The texts of version() and commit(), and whether the file was written."""
        definitions = {"SOURCE": self.root, "GIT": "git", "VERSION": "1.2.3", "OUTPUT": self.output} | more
        before = self.output.stat().st_mtime_ns if self.output.exists() else None
        call(self.cmake, *(f"-D{key}={value}" for key, value in definitions.items()), "-P", str(SCRIPT))
        texts = [line.split('"')[1] for line in self.output.read_text(encoding="utf-8").splitlines()
                 if line.startswith("  return")]
        return *texts, before != self.output.stat().st_mtime_ns


def main(cmake):
    with tempfile.TemporaryDirectory() as folder:
        outer = Source(cmake, Path(folder) / "outer")
        outer.git("init", "--quiet")
        outer.commit()

        source = Source(cmake, outer.root / "archive")
        assert source.built() == ("1.2.3", "", True), "an archive has no commit, not even the outer one's"
        assert source.built() == ("1.2.3", "", False), "is written once"
        assert source.built(COMMIT="abc")[1] == "abc", "what is set"
        assert source.built(GIT="")[1] == "", "no git"

        source.git("init", "--quiet")
        file = source.root / "file"
        file.write_text("a", encoding="utf-8")
        source.commit()
        _, first, _ = source.built()
        assert len(first) == 12 and int(first, 16) >= 0, first
        assert source.built() == ("1.2.3", first, False), "is written once"
        file.write_text("b", encoding="utf-8")
        assert source.built() == ("1.2.3", f"{first}-dirty", True), "a changed file"
        source.git("tag", "v1")
        source.commit()
        _, second, written = source.built()
        assert written and len(second) == 12 and second != first, f"the next commit: {second}"
        assert source.built(COMMIT="abc")[1] == "abc", "what is set wins"


if __name__ == "__main__":
    main(*sys.argv[1:])
