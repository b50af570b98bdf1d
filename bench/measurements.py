"""What is measured: each function makes one run of one server and returns plain figures.

They are shared by bench/targets, bench/compare, bench/growth and bench/history.
"""

import copy
import os
import time

import cpu_quota
import credentials
from load import TIMEOUT_S, run_load
from machine import cpu_seconds, open_files, split_cores
from servers import family

HELD_SHARE = 0.4  # of its core that a server may use in connect_held


class Bench:
    """Where the programs are, on which cores they run, and how large a run is."""

    def __init__(self, build, quick=False, window_s=20):
        self.build = build
        self.tocsin = os.path.join(build, "tocsin")
        self.generator = self.tocsin
        self.floor = os.path.join(build, "bench", "tocsin_bench_floor")
        self.server_cpus, self.client_cpus = split_cores()
        self.scale = 0.02 if quick else 1
        self.window_s = 0.3 if quick else window_s
        # Both ends count where they share a table; a shard and a generator's thread do not.
        self.most = open_files() - 500

    @property
    def quick(self):
        return self.scale != 1

    def count(self, number):
        return min(max(1, int(number * self.scale)), self.most)

    def rate(self, number):
        """Events per second; a quick run's are reached however busy the machine is."""
        return number // 100 if self.quick else number

    def seconds(self, number):
        return 0.3 if self.quick else number

    def with_shards(self, shards):
        """The same with as many cores for the server."""
        other = copy.copy(self)
        other.server_cpus, other.client_cpus = split_cores(shards)
        return other

    def load(self, server, scenario, subscribers, *flags, timeout_s=TIMEOUT_S):
        return run_load(self.generator, server, scenario, subscribers, *flags,
                        cpus=self.client_cpus, timeout_s=timeout_s)


def keep(result, *names):
    return {name: result[name] for name in (*names, "faults", "bottlenecks") if name in result}


def publishing(server, in_flight):
    """Flags for publishing at full speed: one connection, or several where each takes one request
    at a time."""
    if server.can_pipeline:
        return ["--publishers", 1, "--in-flight", in_flight]
    return ["--publishers", 16, "--in-flight", 1]


def broadcast(bench, server, subscribers=10_000, events=30):
    """T1, T5: one event at a time to everybody; the next when all have it."""
    with server.running(bench.server_cpus):
        result = bench.load(server, "broadcast", bench.count(subscribers), "--events",
                            5 if bench.quick else events)
    return keep(result, "cpu_us_per_delivery", "p50_ms", "p99_ms", "max_ms", "server_cpu_share")


def saturated(bench, server, subscribers=1000, seconds=5):
    """T2: one publisher, as fast as the subscribers get the events."""
    # Each at the depth that suits it: nchan takes twice the CPU with 512 requests waiting, and
    # Tocsin coalesces no more events than the publisher has on its way.
    in_flight = 512 if server.coalesces else 64
    with server.running(bench.server_cpus):
        result = bench.load(
            server, "saturate", bench.count(subscribers), *publishing(server, in_flight),
            "--duration", bench.seconds(seconds), "--ahead", 2000)
        counters = server.counters()
    figures = keep(result, "deliveries_per_s", "cpu_us_per_delivery", "events", "p99_ms",
                   "server_cpu_share", "client_cpu_share")
    if counters.get("tocsin_sends_total"):
        figures["events_per_send"] = (counters["tocsin_deliveries_total"] /
                                      counters["tocsin_sends_total"])
    return figures


def idle(bench, server, subscribers=15_000, warmup=4000):
    """T3, T8: memory of each more subscriber after some; CPU without any, and with all."""
    warmup = bench.count(warmup)
    with server.running(bench.server_cpus):
        empty = idle_cpu_percent(server, min(bench.window_s, 10))
        result = bench.load(
            server, "idle", min(warmup + bench.count(subscribers), bench.most), "--warmup", warmup,
            "--memory", "--settle", bench.seconds(2), "--idle", bench.window_s)
    return {**keep(result, "connected", "rss_each", "pss_each", "kernel_each", "caches_each",
                   "idle_cpu_percent", "comments"), "cpu_percent_empty": empty}


def idle_cpu_percent(server, seconds):
    pids = family(server.process.pid)
    time.sleep(min(seconds, 1))  # what it does when it has just started is no idling
    before, begin = cpu_seconds(pids), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_seconds(pids) - before) / (time.monotonic() - begin)


def connect(bench, server, subscribers=10_000, group=None):
    """T6: connects at full speed; where the server can resume, all of them are cut while events
    flow, and resume."""
    herd = ("herd", "--rate", 4, "--events", 20, "--herd-after", 1)
    if not server.can_resume or group is not None:
        herd = ("idle", "--settle", 0, "--idle", 0.1)
    elif bench.quick:
        herd = ("herd", "--rate", 40, "--events", 20, "--herd-after", 0.2)
    with server.running(bench.server_cpus, group):
        result = bench.load(server, herd[0], bench.count(subscribers), *herd[1:])
    return keep(result, "connects_per_s", "cpu_us_per_connect", "connect_server_cpu_share",
                "connect_client_cpu_share", "reconnects_per_s", "cpu_us_per_reconnect",
                "events_meanwhile")


def connect_held(bench, server, subscribers=10_000):
    """T6: connects with the server held to a share of its core, so that it is the limit."""
    with cpu_quota.CpuQuota(HELD_SHARE) as group:
        return connect(bench, server, subscribers, group)


def publish(bench, server, batch=0, seconds=4, flags=()):
    """T7: single POSTs pipelined on one connection, or batches; one subscriber checks."""
    how = publishing(server, 8 if batch else 256)
    how += ["--batch", batch] if batch else []
    # The one subscriber shares its core with the publisher: not so far ahead of it that the hub
    # would rightly end it as too slow. What nchan loses never arrives, so waiting for it would only
    # stop the run.
    how += ["--ahead", 0 if server.name == "nchan" else 10_000]
    with server.running(bench.server_cpus):
        result = bench.load(server, "saturate", 1, "--duration", bench.seconds(seconds), "--drain",
                            3, *how, *flags)
    return keep(result, "events_per_s", "cpu_us_per_event", "server_cpu_share",
                "client_cpu_share")


def publish_batches(bench, server):
    return publish(bench, server, batch=200)


def all_together(parts):
    """The figures of several runs of one server, each under its own name: `hs256_connects_per_s`."""
    together = {f"{part}_{name}": value for part, figures in parts.items()
                for name, value in figures.items() if name not in ("faults", "bottlenecks")}
    together["faults"] = ", ".join(f"{part}: {figures['faults']}"
                                   for part, figures in parts.items() if figures["faults"])
    together["bottlenecks"] = ";; ".join(dict.fromkeys(
        figures["bottlenecks"] for figures in parts.values() if figures["bottlenecks"]))
    return together


def connect_with_tokens(bench, server, subscribers=10_000, group=None):
    """T13: connects at full speed, to the open server and to one that asks for tokens."""
    count = bench.count(subscribers)
    parts = {}
    with credentials.Credentials(bench.tocsin, count) as made:
        for kind in ("open", *credentials.KINDS):
            tried = server if kind == "open" else server.asking(made, kind)
            if not tried:
                continue
            tokens = [] if kind == "open" else ["--token-file", made.tokens(kind)]
            with tried.running(bench.server_cpus, group):
                result = bench.load(tried, "idle", count, "--settle", 0, "--idle", 0.1, *tokens)
            parts[kind] = keep(result, "connects_per_s", "cpu_us_per_connect")
    return all_together(parts)


def connect_with_tokens_held(bench, server, subscribers=10_000):
    """T13: the same with the server held to a share of its core, so that it is the limit."""
    with cpu_quota.CpuQuota(HELD_SHARE) as group:
        return connect_with_tokens(bench, server, subscribers, group)


def publish_with_key(bench, server, seconds=4):
    """T13: single POSTs pipelined on one connection, without and with a key."""
    with credentials.Credentials(bench.tocsin, 1) as made:
        return all_together({
            "open": publish(bench, server, seconds=seconds),
            "key": publish(bench, server.asking(made, "key"), seconds=seconds, flags=[
                "--publish-token-file", made.key, "--token-file", made.tokens("same")])})


def idle_with_expiry(bench, server, subscribers=15_000, warmup=4000):
    """T13: memory of each more subscriber, without a token and with one that expires."""
    warmup = bench.count(warmup)
    parts = {}
    with credentials.Credentials(bench.tocsin, 1) as made:
        for kind, tried, tokens in (
                ("open", server, []),
                ("expiring", server.asking(made, "same"), ["--token-file", made.tokens("same")])):
            with tried.running(bench.server_cpus):
                result = bench.load(
                    tried, "idle", min(warmup + bench.count(subscribers), bench.most), "--warmup",
                    warmup, "--memory", "--settle", bench.seconds(2), "--idle", 0.1, *tokens)
            parts[kind] = keep(result, "pss_each", "rss_each")
    return all_together(parts)


PRIVATE_TOPICS = 10_000  # T9: each with one subscriber
ROOMS = 1000  # T10
ROOM_SIZE = 10
TOPIC_PUBLISHERS = 4


def small_fan_out(bench, server, topics, each, rate=0, seconds=4):
    """T9, T10: single POSTs to `topics` topics in turn, with `each` subscribers each; `rate` events
    per second, 0: as fast as they are answered."""
    topics = bench.count(topics)
    how = (["topics", "--rate", bench.rate(rate)] if rate
           else ["saturate", "--in-flight", 64, "--ahead", 0])
    with server.running(bench.server_cpus):
        result = bench.load(server, how[0], topics * each, "--topics", topics, "--zipf", 0,
                            "--publishers", TOPIC_PUBLISHERS, "--duration",
                            bench.seconds(seconds), "--drain", 3, *how[1:])
    return keep(result, "events_per_s", "cpu_us_per_event", "user_us_per_event",
                "cpu_us_per_delivery", "p50_ms", "p99_ms", "server_cpu_share", "client_cpu_share")


def private_paced(bench, server):
    return small_fan_out(bench, server, PRIVATE_TOPICS, 1, 20_000)


def private_full(bench, server):
    return small_fan_out(bench, server, PRIVATE_TOPICS, 1)


def rooms_paced(bench, server):
    return small_fan_out(bench, server, ROOMS, ROOM_SIZE, 20_000)


def rooms_full(bench, server):
    return small_fan_out(bench, server, ROOMS, ROOM_SIZE)


def coalescing(bench, server, rate, subscribers=1000, seconds=3):
    """Deliveries at a publish rate that does not wait for the server."""
    with server.running(bench.server_cpus):
        result = bench.load(server, "saturate", bench.count(subscribers), "--publishers", 1,
                            "--rate", rate, "--duration", bench.seconds(seconds), "--in-flight",
                            4096, "--drain", 3)
        counters = server.counters()
    figures = keep(result, "events_per_s", "deliveries_per_s", "cpu_us_per_delivery", "p50_ms",
                   "p99_ms", "server_cpu_share", "client_cpu_share")
    if counters.get("tocsin_sends_total"):
        figures["events_per_send"] = (counters["tocsin_deliveries_total"] /
                                      counters["tocsin_sends_total"])
    return figures
