#!/usr/bin/env python3
"""The example of the client library (tests/examples/client.cc) against `tocsin serve`.

The example's binary is named by the environment variable EXAMPLE.
"""

import os
import subprocess
import unittest

from hub import DEADLINE, Hub


class Example(unittest.TestCase):
    def test_prints_the_events_of_both_streams(self):
        with Hub("--drain-timeout", "0s") as hub:
            example = subprocess.Popen([os.environ["EXAMPLE"], hub.url + "/events"],
                                       stdout=subprocess.PIPE, text=True)
            self.addCleanup(example.kill)
            hub.wait_streams(2)
            hub.publish("prices", "42")
            hub.publish("other", "not for us")
            hub.publish("news", "hello")
            hub.publish("news", "goodbye")
            out, _ = example.communicate(timeout=DEADLINE)
            self.assertEqual(example.returncode, 0)
            lines = out.splitlines()
            self.assertEqual([line for line in lines if line.startswith("news")],
                             ["news: hello", "news: goodbye"])
            # The streams are two connections: nothing orders them against each other.
            self.assertLessEqual(set(lines), {"news: hello", "news: goodbye", "prices: 42"})


if __name__ == "__main__":
    unittest.main()
