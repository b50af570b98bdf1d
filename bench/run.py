#!/usr/bin/env python3
"""Measures the targets T1, T2, T3, T5, T6, T7 and T8 against the bare kernel and against nchan.

    bench/run.py [t1 t2 t3 t5 t6 t7 t8 | all] [--build build/release] [--rounds 3] [--json FILE]

Contenders take turns within a round, so that what disturbs the machine disturbs all of them, and
ratios are taken within a round. Absolute figures are this machine's; compare ratios. Only loopback,
only processes that were started here. Exit status 1: a target was missed or an event went astray.
"""

import argparse
import datetime
import json
import os
import platform
import signal
import statistics
import sys

import measurements as m
from contenders import Bare, Floor, Nchan, Tocsin
from judge import judge, ratios_within

# Measurement -> the targets that it serves, how it is made, and for which contenders.
MEASUREMENTS = {
    "broadcast": ({"t1", "t5"}, m.broadcast, ("floor", "tocsin", "nchan")),
    "saturated": ({"t2"}, m.saturated, ("nchan", "tocsin")),
    "idle": ({"t3", "t8"}, m.idle, ("bare", "nchan", "tocsin")),
    "connect": ({"t6"}, m.connect, ("nchan", "tocsin")),
    "publish": ({"t7"}, m.publish, ("nchan", "tocsin")),
    # nchan has no batches.
    "publish_batches": ({"t7"}, m.publish_batches, ("tocsin",)),
}
TARGETS = sorted(set().union(*(targets for targets, _, _ in MEASUREMENTS.values())))


def contenders_for(bench, ios):
    """Name of a kind -> its servers; what is not there is left out with a line."""
    found = {"bare": [Bare(bench.floor)], "nchan": [], "tocsin": [],
             "floor": [Floor(bench.floor, way) for way in ("send", "uring")]}
    if missing := Nchan.missing():
        m.say(missing)
    else:
        found["nchan"].append(Nchan())
    if os.access(bench.tocsin, os.X_OK):
        found["tocsin"] = [Tocsin(bench.tocsin, io) for io in ios]
    else:
        m.say(f"tocsin: {bench.tocsin} is not built, left out")
    return found


def one_round(bench, name, number, contenders):
    """Every contender's figures, in turns: every other round backwards, so that a machine that
    gets busier or warmer favours nobody."""
    _, measure, kinds = MEASUREMENTS[name]
    figures = {}
    servers = [s for kind in kinds for s in contenders[kind]]
    for server in servers if number % 2 == 0 else reversed(servers):
        try:
            figures[server.name] = measure(bench, server)
        except RuntimeError as error:
            figures[server.name] = {"faults": str(error)}
        m.say(f"  {server.name}: {brief(figures[server.name])}")
    return figures


def brief(figures):
    return ", ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}"
                     for k, v in figures.items() if v != "" and not isinstance(v, dict))


def measure_all(bench, wanted, rounds, contenders):
    results = {}
    for name, (targets, _, _) in MEASUREMENTS.items():
        if not targets & wanted:
            continue
        results[name] = []
        for number in range(rounds):
            m.say(f"{name}, round {number + 1} of {rounds}")
            results[name].append(one_round(bench, name, number, contenders))
    return results


def warn_of_load():
    load = os.getloadavg()[0]
    if load > 0.5:
        m.say(f"other programs are running (load {load:.1f}): what is counted per second comes out "
              "too low, CPU per delivery somewhat too high")


def print_table(name, rounds):
    """Median and spread of each figure of each contender."""
    if not rounds[0]:
        return
    print(f"\n{name}")
    for contender in rounds[0]:
        print(f"  {contender}")
        figures = {k for r in rounds for k, v in r[contender].items()
                   if isinstance(v, (int, float))}
        for figure in sorted(figures):
            values = [r[contender][figure] for r in rounds if figure in r[contender]]
            print(f"    {figure:24} {statistics.median(values):16,.3f}"
                  f"   ({min(values):,.3f} to {max(values):,.3f})")
        for fault in {r[contender].get("faults") for r in rounds} - {"", None}:
            print(f"    FAULTS: {fault}")
    if name == "broadcast":
        print_ratios(rounds)


def print_ratios(rounds):
    """T1 in full: each round's own ratio to each floor, for the spread behind the median."""
    floors = [name for name in rounds[0] if name.startswith("floor-")]
    for contender in rounds[0]:
        for floor in floors:
            ratios = ratios_within(rounds, contender, "cpu_us_per_delivery", floor)
            if contender != floor and ratios:
                print(f"  {contender} / {floor}, CPU per delivery: "
                      f"{statistics.median(ratios):.3f}   ({min(ratios):.3f} to "
                      f"{max(ratios):.3f})")


def print_verdicts(verdicts):
    print("\ntargets")
    for v in verdicts:
        mark = {True: "met", False: "MISSED", None: "-"}[v["met"]]
        print(f"  {v['target'].upper()}  {v['contender']:13} {mark:7} {v['text']}")


def parse_arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", default="all", choices=[*TARGETS, "all"],
                        metavar="target", help=f"{', '.join(TARGETS)} or all")
    parser.add_argument("--build", default=os.path.join(here, "..", "build", "release"),
                        help="build folder (the release preset's)")
    parser.add_argument("--tocsin", help="the server's program; default: the build folder's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--io", default="uring,epoll", help="tocsin's backends")
    parser.add_argument("--window", type=float, default=20, help="seconds of an idle window")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the size")
    parser.add_argument("--json", help="file for all figures")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    # Ends like Ctrl-C, through every `finally`, so that no server stays behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    wanted = set(TARGETS) if "all" in arguments.targets else set(arguments.targets)
    bench = m.Bench(os.path.abspath(arguments.build), arguments.quick, arguments.window)
    bench.tocsin = os.path.abspath(arguments.tocsin or bench.tocsin)
    warn_of_load()
    contenders = contenders_for(bench, arguments.io.split(","))
    results = measure_all(bench, wanted, max(arguments.rounds, 1), contenders)
    for name, rounds in results.items():
        print_table(name, rounds)
    verdicts = judge(results, wanted)
    print_verdicts(verdicts)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"time": datetime.datetime.now(datetime.timezone.utc).isoformat(),
                       "kernel": platform.release(), "cores": os.cpu_count(),
                       "targets": verdicts, "measurements": results}, file, indent=1)
            file.write("\n")
    return 0 if all(v["met"] is not False for v in verdicts) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
