#!/usr/bin/env python3
"""tools/test: what it says at its end."""

import unittest

from stubs import ScriptCase

# As ctest writes them.
OUTPUT = """\
        Start    1: Chunk.Grows
1/5 Test    #1: Chunk.Grows ......................   Passed    0.01 sec
99% tests passed, 0 tests failed out of 5

The following tests did not run:
	  2 - Uring.Overflow (Skipped)
	  3 - systemd.service (Skipped)
	  4 - Old.Case (Disabled)
"""
LOG = """\
1/5 Testing: Chunk.Grows
Output:
Test Passed.
2/5 Testing: Uring.Overflow
Output:
/x/uring_overflow_test.cc:24: Skipped
no io_uring here: Operation not permitted

[  SKIPPED ] Uring.Overflow (0 ms)
3/5 Testing: systemd.service
Output:
skipped: no cgroup v2
5/5 Testing: bench.scripts
Output:
test_draws (__main__.Plots.test_draws) ... skipped 'no matplotlib'
test_reads (__main__.Plots.test_reads) ... ok
OK (skipped=1)
Test Passed.
"""


class Test(ScriptCase):
    scripts = ("test", "progress")

    def setUp(self):
        super().setUp()
        self.stub("install-packages", folder="tools")
        self.stub("build", f'mkdir -p "{self.root}/build/$1"', folder="tools")
        (self.root / "log").write_text(LOG, encoding="utf-8")
        (self.root / "output").write_text(OUTPUT, encoding="utf-8")
        self.with_ctest(0)

    def with_ctest(self, status):
        self.stub("ctest", f"""
            mkdir -p "$2/Testing/Temporary"  # ctest --test-dir DIR ...
            cp {self.root}/log "$2/Testing/Temporary/LastTest.log"
            cat {self.root}/output
            exit {status}""")

    def test_help_builds_nothing(self):
        self.assertIn("--sanitizers", self.run_script("test", "--help"))
        self.assertEqual(self.called(), [])

    def test_tells_what_was_skipped_and_why(self):
        said = self.run_script("test", "-R", "Chunk")
        self.assertIn("99% tests passed, 0 tests failed out of 5\nSkipped:\n"
                      "  Old.Case\n"
                      "  Uring.Overflow: no io_uring here: Operation not permitted\n"
                      "  bench.scripts: no matplotlib\n"
                      "  systemd.service: no cgroup v2\n", said)
        self.assertEqual(len(self.called("ctest --test-dir build/dev")), 1)
        self.assertTrue(self.called("ctest")[0].endswith("--no-tests=error -R Chunk"))

    def test_tells_how_long_it_took(self):
        self.assertRegex(self.run_script("test"), r"\nTook \d+ min \d+ s, the build included\n$")

    def test_a_failure_is_shown_without_what_passed(self):
        with (self.root / "output").open("a", encoding="utf-8") as output:
            output.write("2/5 Test #2: Log.Ends .......***Failed 0.1 sec\nlog_test.cc:3: Failure\n")
        self.with_ctest(8)
        said = self.run_script("test", status=1)
        self.assertIn("***Failed 0.1 sec\nlog_test.cc:3: Failure\n", said)
        self.assertNotIn("Chunk.Grows", said)
        self.assertIn("Took ", said)

    def test_sanitizers_are_further_presets(self):
        self.run_script("test", "--sanitizers")
        self.assertEqual(self.called("build"), ["build dev", "build asan", "build tsan"])
        self.assertEqual(len(self.called("ctest")), 3)


if __name__ == "__main__":
    unittest.main()
