#!/usr/bin/env python3
"""tools/progress: what is shown, what is logged, whose exit status it is."""

import os
import pty
import select
import subprocess
import time
import unittest

from stubs import DEADLINE, ScriptCase


class Progress(ScriptCase):
    scripts = ("progress",)

    def setUp(self):
        super().setUp()
        self.log = self.root / "log"

    def log_of(self, script, status=0):
        self.run_script("progress", "Label", self.log, "bash", "-c", script, status=status)
        return self.log.read_text(encoding="utf-8")

    def test_logs_what_is_said_but_no_percents(self):
        self.assertEqual(self.log_of("echo one; echo two >&2; echo 'dlstatus:1:20.1:file 1 of 5';"
                                     "echo 'pmstatus:fmt:33.3:Unpacking'; echo three"),
                         "one\ntwo\nthree\n")

    def test_the_status_is_the_commands(self):
        self.log_of("exit 9", status=9)

    def shown_on_terminal(self, line, expected):
        """Until `expected` is shown; the command has said `line` and still runs."""
        os.mkfifo(self.root / "end")
        ours, theirs = pty.openpty()
        shown = ""
        command = self.command("progress", "Label", self.log, "bash", "-c",
                               f"echo '{line}'; read <{self.root}/end")
        with subprocess.Popen(command, stdout=theirs) as progress, os.fdopen(ours, "rb", 0) as out:
            os.close(theirs)
            end = time.monotonic() + DEADLINE
            while expected not in shown and time.monotonic() < end:
                if select.select([out], [], [], 1)[0]:
                    shown += out.read(1000).decode()
            (self.root / "end").write_text("\n", encoding="utf-8")
            self.assertEqual(progress.wait(DEADLINE), 0)
        self.assertIn(expected, shown)
        self.assertNotIn("\n", shown)  # one line that changes

    def test_shows_the_steps_of_a_build(self):
        self.shown_on_terminal("[12/345] Building x.o", "Label: 12 of 345, 0 min ")

    def test_shows_the_tests(self):
        self.shown_on_terminal("  12/1394 Test  #7: Chunk.Grows ....   Passed", "12 of 1394, ")

    def test_shows_what_apt_fetches(self):
        self.shown_on_terminal("dlstatus:3:41.73:Retrieving file 3 of 9", "Label: 41 % fetched, ")

    def test_shows_what_apt_installs(self):
        self.shown_on_terminal("pmstatus:g++-12:7.1:Unpacking g++-12 (amd64)",
                               "Label: 7 % done, Unpacking g++-12 (amd64), ")

    def test_shows_what_it_waits_for(self):
        self.shown_on_terminal("Waiting for cache lock: Could not get lock",
                               "waiting for another program that installs packages, ")


if __name__ == "__main__":
    unittest.main()
