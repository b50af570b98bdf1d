"""T12: hubs with one history in a Redis server, against what the server does with bare commands, and
against nchan with its Redis store.

The Redis server has a core of its own wherever it is what is measured; what speaks to it has the
others.
"""

import json
import shutil
import subprocess

from durable import PATIENT, Commits, publishing, saturate
from machine import cpu_seconds
from measurements import all_together, keep
from servers import Server, child_setup, family, output_of

VALUE_BYTES = 200  # of SET, and of the probe's entries
CLIENTS = 8  # of redis-benchmark; and requests that a publisher has on their way
SETS = {64: 1_000_000, 1024: 2_000_000}  # some seconds of it


def why_not():
    """Why there can be none here, or nothing."""
    if all(map(shutil.which, ("redis-server", "redis-benchmark"))):
        return ""
    return "there is no redis-server with redis-benchmark (Debian: redis-server)"


class Redis(Server):
    """Set up as docs/redis.md asks for; with `fsync` "no" it leaves writing to the kernel."""

    name = "redis"

    def __init__(self, fsync):
        super().__init__()
        self.fsync = fsync

    def version(self):
        return output_of("redis-server", "--version")

    def command(self):
        # Rewriting the file in the middle of a run would be measured by chance.
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--dir", self.folder.name, "--appendonly", "yes", "--appendfsync", self.fsync,
                "--auto-aof-rewrite-percentage", "0", "--maxmemory-policy", "noeviction"]

    def cpu_seconds(self):
        return cpu_seconds(family(self.process.pid))


FSYNCS = ("always", "no")


def sets(bench, engine, pipeline):
    """redis-benchmark -P `pipeline` SET: how many a second, and the server's CPU of one."""
    count = 20 * pipeline if bench.quick else SETS[pipeline]
    before = engine.cpu_seconds()
    done = subprocess.run(
        ["redis-benchmark", "-p", str(engine.port), "-t", "set", "-d", str(VALUE_BYTES), "-c",
         str(CLIENTS), "-P", str(pipeline), "-n", str(count), "--csv"],
        capture_output=True, text=True, timeout=120, preexec_fn=child_setup(bench.client_cpus),
        check=False)
    rows = [line.split(",") for line in done.stdout.replace('"', "").splitlines()]
    rates = [float(row[1]) for row in rows if row[0] == "SET"]
    if not rates:
        raise RuntimeError(f"redis-benchmark: {done.stdout[-200:]}{done.stderr[-200:]}")
    return {"sets_per_s": rates[0], "set_us": 1e6 * (engine.cpu_seconds() - before) / count}


def batches(bench, server, pipeline, fsync, seconds=4):
    """Publishing in batches of as many events as a pipeline of SET has, by one publisher to one
    hub; one subscriber checks."""
    with Redis(fsync).running(bench.server_cpus) as engine:
        figures = sets(bench, engine, pipeline)
    with Redis(fsync).running(bench.server_cpus) as engine, \
            server.joined(engine, *PATIENT).running(bench.client_cpus) as hub:
        commits, before = Commits(hub), engine.cpu_seconds()
        result = saturate(bench, hub, publishing(1, CLIENTS, pipeline), "--duration",
                          bench.seconds(seconds))
        used = engine.cpu_seconds() - before
        commits = commits.figures()
    figures.update(result, events_per_commit=commits["events_per_commit"],
                   server_us_per_event=1e6 * used / commits["events"])
    figures["of_sets"] = figures["events_per_s"] / figures["sets_per_s"]
    figures["cpu_of_set"] = figures["server_us_per_event"] / figures["set_us"]
    return figures


def batches_64(bench, server):
    return all_together({fsync: batches(bench, server, 64, fsync) for fsync in FSYNCS})


def batches_1024(bench, server):
    return all_together({fsync: batches(bench, server, 1024, fsync) for fsync in FSYNCS})


def publish_url(server):
    return f"http://127.0.0.1:{server.port}/publish?stream={{topic}}"


def probe(bench, engine, rate, seconds):
    """What an entry takes from one connection to another one that waits for it."""
    done = subprocess.run(
        [bench.floor, "--redis", str(engine.port), "--bytes", str(VALUE_BYTES), "--rate", str(rate),
         "--seconds", str(seconds)], capture_output=True, text=True, timeout=60,
        preexec_fn=child_setup(bench.client_cpus), check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def other_node(bench, server, fsync, rate=200, seconds=5):
    """From a publisher at one hub to a subscriber at another one."""
    with Redis(fsync).running(bench.server_cpus) as engine:
        first = server.joined(engine)
        with first.running(bench.client_cpus), \
                server.joined(engine).running(bench.client_cpus) as second:
            result = bench.load(second, "trickle", 1, "--rate", rate, "--publishers", 1,
                                "--duration", bench.seconds(seconds), "--publish-url",
                                publish_url(first))
        bare = probe(bench, engine, rate, bench.seconds(seconds))
    figures = keep(result, "p50_ms", "p99_ms")
    figures.update(probe_p50_ms=bare["p50_us"] / 1e3, probe_p99_ms=bare["p99_us"] / 1e3)
    figures["p50_of_probe"] = figures["p50_ms"] / figures["probe_p50_ms"]
    return figures


def across(bench, server):
    return all_together({fsync: other_node(bench, server, fsync) for fsync in FSYNCS})


def fan_out(bench, server, subscribers=1000, seconds=5):
    """One publisher at one node at full speed, all subscribers at another one. The Redis server and
    both nodes have one core together."""
    with Redis("no").running(bench.server_cpus) as engine:
        first = server.joined(engine)
        with first.running(bench.server_cpus), \
                server.joined(engine).running(bench.server_cpus) as second:
            result = bench.load(
                second, "saturate", bench.count(subscribers), "--publishers", 1, "--in-flight",
                512 if server.coalesces else 64, "--duration", bench.seconds(seconds), "--ahead",
                2000, "--publish-url", publish_url(first))
    return keep(result, "deliveries_per_s", "events_per_s", "p50_ms", "client_cpu_share")
