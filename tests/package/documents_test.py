#!/usr/bin/env python3
"""`tocsin documents`: manual pages that say what --help says, and completion in real shells.

TOCSIN names the program. What a machine lacks (man, zsh, fish) is told and skipped.
"""

import os
import pty
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

TOCSIN = os.environ["TOCSIN"]


def output(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60, **more).stdout


def commands():
    """The commands that --help names."""
    text = output(TOCSIN, "--help").split("Subcommands:\n")[1]
    return re.findall(r"^  (\S+)", text.split("\n\n")[0], re.M)


class Shell:
    """An interactive shell in a terminal, in which `tocsin` prints its arguments."""

    def __init__(self, program, *arguments, setup):
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="dumb", HISTFILE="")
            os.execvp(program, [program, *arguments])
        self.pid = pid
        self.seen = ""
        for line in [*setup, 'tocsin() { printf "[%s]" "$@" "end"; echo; }', "tocsin ready"]:
            self.type(line + "\n")
        self.arguments()

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def arguments(self):
        """Of the next call."""
        # What is typed is echoed, but not in this form.
        while not (match := re.search(r"((?:\[[^][\n]*\])*)\[end\]", self.seen)):
            self.seen += os.read(self.terminal, 4096).decode(errors="replace")
        self.seen = self.seen[match.end():]
        return re.findall(r"\[([^][]*)\]", match.group(1))

    def completed(self, line, key="\t"):
        self.type(line + key + "\n")
        return self.arguments()

    def close(self):
        self.type("\x15exit\n")
        try:
            while os.read(self.terminal, 4096):
                pass
        except OSError:  # its end of the terminal is closed
            pass
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.folder = Path(cls.directory.name) / "share"
        output(TOCSIN, "documents", str(cls.folder))

    def page(self, name):
        return self.folder / "man" / "man1" / f"{name}.1"

    def need(self, *programs):
        for program in programs:
            if shutil.which(program) is None:
                self.skipTest(f"no {program}")

    def shell(self, *arguments, setup):
        shell = Shell(*arguments, setup=setup)
        self.addCleanup(shell.close)
        return shell

    def test_there_is_a_page_for_each_command(self):
        self.assertLessEqual({"serve", "publish", "load"}, set(commands()))
        wanted = {"tocsin.1"} | {f"tocsin-{command}.1" for command in commands()}
        self.assertEqual({path.name for path in (self.folder / "man" / "man1").iterdir()}, wanted)

    def test_a_page_says_what_help_says(self):
        for command in commands():
            page = self.page(f"tocsin-{command}").read_text(encoding="utf-8").replace("\\-", "-")
            flags = re.findall(r"^  (-\S+)", output(TOCSIN, command, "--help"), re.M)
            self.assertIn("-h,--help", flags)
            for name in (name for flag in flags for name in flag.split("{")[0].split(",")):
                self.assertIn(f"\\fB{name}\\fR", page, command)
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
                self.assertIn(f"\n.SH {section}\n", page, command)
        self.assertIn("tocsin-serve", self.page("tocsin").read_text(encoding="utf-8").replace("\\-", "-"))
        self.assertIn("/etc/tocsin/tocsin.toml", self.page("tocsin-serve").read_text(encoding="utf-8"))

    def test_pages_are_what_man_reads(self):
        self.need("man", "groff")
        for path in (self.folder / "man" / "man1").iterdir():
            done = subprocess.run(["man", "--warnings", "-l", "-Tutf8", str(path)], check=True,
                                  env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="80"),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.stderr, "")
            self.assertIn("EXIT STATUS", re.sub(".\b|\x1b\\[[0-9;]*m", "", done.stdout))

    def test_bash_completes(self):
        script = self.folder / "bash-completion" / "completions" / "tocsin"
        shell = self.shell("bash", "--norc", "--noprofile", "-i", setup=[f"source {script}"])
        every = "\x1b*"  # readline inserts all there are
        self.assertEqual(set(shell.completed("tocsin ", every)),
                         {*commands(), "-h", "--help", "--version"})
        self.assertEqual(shell.completed("tocsin ser"), ["serve"])
        self.assertEqual(shell.completed("tocsin serve --histo", every),
                         ["serve", "--history", "--history-age", "--history-bytes",
                          "--history-count", "--history-file-age", "--history-file-bytes",
                          "--history-sync", "--history-total-bytes"])
        self.assertEqual(shell.completed("tocsin serve --io ", every),
                         ["serve", "--io", "auto", "epoll", "uring"])
        self.assertEqual(shell.completed("tocsin serve --io=e"), ["serve", "--io=epoll"])
        self.assertEqual(shell.completed("tocsin serve --shards "), ["serve", "--shards"])
        self.assertEqual(shell.completed("tocsin load broad"), ["load", "broadcast"])
        self.assertEqual(shell.completed("tocsin load --recipe nch"), ["load", "--recipe", "nchan"])
        file = self.folder / "one file"
        file.touch()
        self.assertEqual(shell.completed(f"tocsin check --config {self.folder}/one"),
                         ["check", "--config", str(file)])
        self.assertEqual(shell.completed(f"tocsin documents {self.folder}/m"),
                         ["documents", f"{self.folder}/man/"])

    def test_zsh_completes(self):
        self.need("zsh")
        folder = self.folder / "zsh" / "vendor-completions"
        shell = self.shell("zsh", "-f", "-i", setup=[
            f"fpath=({folder} $fpath)", "autoload -U compinit && compinit -u -D"])
        self.assertEqual(shell.completed("tocsin ser"), ["serve"])
        self.assertEqual(shell.completed("tocsin serve --heartb"), ["serve", "--heartbeat"])
        self.assertEqual(shell.completed("tocsin serve --io e"), ["serve", "--io", "epoll"])
        self.assertEqual(shell.completed("tocsin serve --io=e"), ["serve", "--io=epoll"])
        self.assertEqual(shell.completed("tocsin load broad"), ["load", "broadcast"])
        self.assertEqual(shell.completed("tocsin load idle --recipe nch"),
                         ["load", "idle", "--recipe", "nchan"])
        self.assertEqual(shell.completed(f"tocsin documents {self.folder}/m"),
                         ["documents", f"{self.folder}/man"])

    def test_fish_completes(self):
        self.need("fish")
        script = self.folder / "fish" / "vendor_completions.d" / "tocsin.fish"

        def completed(line):
            text = output("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'")
            return {entry.split("\t")[0] for entry in text.splitlines()}

        self.assertLessEqual(set(commands()), completed("tocsin "))
        self.assertEqual(completed("tocsin serve --io "), {"auto", "epoll", "uring"})
        self.assertEqual(completed("tocsin serve --histo"), {
            "--history", "--history-age", "--history-bytes", "--history-count",
            "--history-file-age", "--history-file-bytes", "--history-sync",
            "--history-total-bytes"})
        self.assertEqual(completed("tocsin load broad"), {"broadcast"})
        self.assertIn("/etc/passwd", completed("tocsin check --config /etc/passw"))

    def test_what_cannot_be_written_is_said(self):
        done = subprocess.run([TOCSIN, "documents", "/proc/none"], check=False, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^tocsin documents: /proc/none\S*: .+\n$")


if __name__ == "__main__":
    unittest.main()
