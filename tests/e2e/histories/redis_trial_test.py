#!/usr/bin/env python3
"""Short trials of hubs with one history in Redis, and whether their judge sees what is wrong."""

import sys
import unittest

import history_check
import redis_trial
from history_check import Notes, Publish
from redis_servers import PROGRAM

HISTORY = [("e-1", "a"), ("e-2", "b"), ("f-3", "c"), ("f-4", "d")]


def taken(data, identity, begin=1.0, end=2.0):
    return Publish(data, begin, end, "taken", identity)


class Judge(unittest.TestCase):
    def judge(self, publishes=(), seen=HISTORY, histories=(HISTORY, HISTORY)):
        return history_check.judge(publishes, [Notes(list(seen))], [list(one) for one in histories])

    def test_sees_nothing_where_all_is_well(self):
        verdict = self.judge([taken("a", "e-1"), Publish("x", 1, 2, "refused"),
                              Publish("c", 1, 2, "unknown"), Publish("y", 1, 2, "unknown")])
        self.assertEqual(verdict.faults, [])
        self.assertEqual((verdict.taken, verdict.lost, verdict.refused), (1, 0, 1))
        self.assertEqual((verdict.unknown, verdict.unknown_there), (2, 1))

    def test_counts_what_was_lost_and_told(self):
        verdict = self.judge([taken("x", "e-3")],
                             [*HISTORY[:2], ("e-3", "x"), None, *HISTORY[1:]])
        self.assertEqual(verdict.faults, [])
        self.assertEqual((verdict.lost, verdict.shown, verdict.gaps), (1, 1, 1))

    def test_sees_each_fault(self):
        one, two, three, four = HISTORY
        for fault, case in {
                "different": {"histories": (HISTORY, HISTORY[:3])},
                "twice": {"histories": (HISTORY + [("f-5", "a")],) * 2},
                "rise": {"histories": (HISTORY + [("f-2", "x")],) * 2},
                "was refused": {"publishes": [Publish("a", 1, 2, "refused")]},
                "was taken as": {"publishes": [taken("a", "e-9")]},
                "before it began": {"publishes": [taken("a", "e-1", 3.0, 4.0), taken("b", "e-2")]},
                "again": {"seen": [one, two, two, three, four]},
                "or late": {"seen": [two, one, three, four]},
                "missed": {"seen": [one, three, four]},
                "the end": {"seen": [one, two, three]},
                "not told that what": {"seen": [one, two, ("e-3", "x"), three, four]},
                "not told that the last": {"seen": [*HISTORY, ("f-5", "x")]},
                "e-3 is": {"publishes": [taken("x", "e-3"), taken("y", "e-3")]}}.items():
            verdict = self.judge(**case)
            self.assertTrue(any(fault in text for text in verdict.faults), (fault, verdict.faults))


@unittest.skipIf(PROGRAM is None, "no redis-server (Debian: redis-server)")
class Trials(unittest.TestCase):
    def trial(self, sync, replicas, *faults):
        verdict, ended, _ = redis_trial.run_trial(sync, replicas, faults, 1)
        self.assertEqual(verdict.faults, [])
        self.assertEqual(verdict.lost, 0)
        self.assertEqual(ended, 0)
        self.assertGreater(verdict.taken, 0)

    def test_a_server_that_syncs_each_write_keeps_all(self):
        self.trial("always", None, "kill", "power", "freeze", "disk", "hub_kill")

    def test_a_loss_of_power_loses_what_everysec_had_not_synced_and_everybody_is_told(self):
        verdict, ended, lost = redis_trial.run_trial("everysec", None, ["power"], 3)
        self.assertEqual(verdict.faults, [])
        if lost == 0:
            self.skipTest("everything had been synced, three times (or no cc)")
        self.assertEqual(verdict.shown > 0, ended > 0, "a hub that has shown it begins anew")

    def test_a_fail_over_keeps_what_the_replica_has(self):
        self.trial("always", 1, "failover", "partition_half")

    def test_hubs_are_restarted_in_turn_under_load(self):
        with redis_trial.Trial() as trial:
            for hub in trial.hubs:
                hub.signal(redis_trial.signal.SIGTERM)
                redis_trial.eventually(lambda hub=hub: hub.ends, "it has ended")
                trial.wait_back()
            verdict = trial.verdict()
            ends = [list(hub.ends) for hub in trial.hubs]
        self.assertEqual(verdict.faults, [])
        self.assertEqual((verdict.lost, verdict.gaps), (0, 0))
        self.assertEqual(ends, [[0]] * 3)


if __name__ == "__main__":
    if PROGRAM is None:
        print("skipped in part: no redis-server (Debian: redis-server)", file=sys.stderr)
    unittest.main()
