"""What run.py measures: each function makes one run of one contender and returns plain figures."""

import json
import os
import resource
import subprocess
import sys
import tempfile

from contenders import child_setup

PAYLOAD = 174  # bytes of data; with `id:` and `data:` lines about 200 on the wire


class Bench:
    """Where the programs are, on which cores they run, and how large a run is."""

    def __init__(self, build, quick, window_s):
        self.client = os.path.join(build, "bench", "tocsin_bench_client")
        self.floor = os.path.join(build, "bench", "tocsin_bench_floor")
        self.tocsin = os.path.join(build, "tocsin")
        cores = sorted(os.sched_getaffinity(0))
        # One core serves, the others receive: the same for every contender.
        self.server_cpus = set(cores[:1]) if len(cores) > 1 else set()
        self.client_cpus = set(cores[1:5])
        self.threads = max(1, len(self.client_cpus))
        self.scale = 0.05 if quick else 1
        self.window_s = 1 if quick else window_s
        self.most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500

    def count(self, number):
        return min(max(1, int(number * self.scale)), self.most)

    def run(self, program, *arguments):
        """Runs one of the measuring programs; its JSON, with "exit" added."""
        with tempfile.NamedTemporaryFile("r", suffix=".json") as result:
            process = subprocess.Popen(
                [program, *map(str, arguments), "--json", result.name],
                preexec_fn=child_setup(self.client_cpus), stderr=subprocess.PIPE)
            try:
                errors = process.communicate(timeout=600)[1].decode(errors="replace")
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            text = result.read()
        if not text:
            raise RuntimeError(f"{program} {arguments}: status {process.returncode}: {errors}")
        return {"exit": process.returncode, **json.loads(text)}

    def run_client(self, server, *arguments):
        return self.run(self.client, "--port", server.port, "--server-pid", server.process.pid,
                        "--bytes", PAYLOAD, "--threads", self.threads, *arguments)


def faults(result):
    """What went wrong in a client's run, in words; empty if nothing did."""
    check = result["check"]
    found = [f"{check[k]} {k}" for k in
             ("lost", "duplicated", "reordered", "corrupted", "typed") if check[k]]
    found += [f"{result[k]} {k}" for k in ("refused", "dropped") if result[k]]
    publish = result.get("publish", {})
    found += [f"{publish[k]} publishes: {k}" for k in ("refused", "timeouts") if publish.get(k)]
    if publish.get("error"):
        found.append(publish["error"].splitlines()[0])
    if not found and result["exit"] != 0:
        found.append(f"client's exit status {result['exit']}")
    return ", ".join(found)


def broadcast(bench, server):
    """T1, T5: one event at a time to 10,000."""
    with server.running(bench.server_cpus):
        result = bench.run_client(server, "--subscribers", bench.count(10_000), "--publish",
                                  "each", "--events", 30)
    return {"cpu_us_per_delivery": result["publish"]["server_cpu_ns_per_delivery"] / 1e3,
            "p50_ms": result["latency"]["p50_ms"], "p99_ms": result["latency"]["p99_ms"],
            "max_ms": result["latency"]["max_ms"], "faults": faults(result)}


def saturated(bench, server):
    """T2: 1,000 subscribers, the publisher as fast as they get the events."""
    seconds = 5 if bench.scale == 1 else 1
    # Each at the depth that suits it: nchan takes twice the CPU with 512 requests waiting, and
    # Tocsin coalesces no more events than the publisher has on its way.
    in_flight = 64 if server.name == "nchan" else 512
    with server.running(bench.server_cpus):
        result = bench.run_client(
            server, "--subscribers", bench.count(1000), "--publish", "full", "--seconds", seconds,
            "--in-flight", in_flight, "--ahead", 2000)
        counters = server.counters()
    publish = result["publish"]
    figures = {"deliveries_per_s": publish["deliveries_per_second"],
               "cpu_us_per_delivery": publish["server_cpu_ns_per_delivery"] / 1e3,
               "events": publish["events"], "p99_ms": result["latency"]["p99_ms"],
               "server_cpu_share": publish["server_cpu_share"],
               "client_cpu_share": publish["client_cpu_share"],
               "faults": faults(result)}
    if counters.get("tocsin_sends_total"):
        figures["events_per_send"] = (counters["tocsin_deliveries_total"] /
                                      counters["tocsin_sends_total"])
    return figures


def idle(bench, server):
    """T3, T8: memory of 15,000 more subscribers after 4,000; CPU without any, and with all."""
    warmup = bench.count(4000)
    with server.running(bench.server_cpus):
        empty = bench.run_client(server, "--subscribers", 0, "--idle", min(bench.window_s, 10))
        result = bench.run_client(
            server, "--subscribers", min(warmup + bench.count(15_000), bench.most), "--warmup",
            warmup, "--memory", "--settle", 2, "--idle", bench.window_s)
    memory = result["memory"]
    # Whatever walks /proc meanwhile fills these two; of dentries each socket has one in any server.
    caches = memory["caches_each"]
    strange = caches.get("proc_inode_cache", 0) + caches.get("dentry", 0)
    return {"subscribers": result["subscribers"], "rss_each": memory["rss_each"],
            "pss_each": memory["pss_each"], "slab_each": memory["slab_each"],
            "kernel_each": memory["slab_each"] + memory["sockets_each"] - strange,
            "sockets_each": memory["sockets_each"], "caches_each": memory["caches_each"],
            "cpu_percent_empty": empty["idle_cpu_percent"],
            "cpu_percent_idle": result["idle_cpu_percent"],
            "heartbeats": result["check"]["comments"], "faults": faults(result)}


def connect(bench, server):
    """T6: connect 10,000, then cut and resume all of them while events flow."""
    with server.running(bench.server_cpus):
        result = bench.run_client(
            server, "--subscribers", bench.count(10_000), "--publish", "rate", "--rate", 4,
            "--events", 20, "--reconnect-after", 1)
    reconnect = result.get("reconnect", {})
    return {"connects_per_s": result["connect"]["per_second"],
            "cpu_us_per_connect": result["connect"]["server_cpu_us_each"],
            "client_cpu_share": result["connect"]["client_cpu_share"],
            "reconnects_per_s": reconnect.get("per_second", 0),
            "cpu_us_per_reconnect": reconnect.get("server_cpu_us_each", 0),
            "events_meanwhile": result.get("events_while_reconnecting", 0),
            "faults": faults(result)}


def publish(bench, server, batch=0):
    """T7: single POSTs pipelined on one connection, or NDJSON batches; one subscriber checks."""
    seconds = 4 if bench.scale == 1 else 1
    how = ["--in-flight", 256] if batch == 0 else ["--in-flight", 8, "--batch", batch]
    # The one subscriber shares its core with the publisher: not so far ahead of it that the hub
    # would rightly end it as too slow (4 MiB). What nchan loses never arrives, so waiting for it
    # would only stop the run.
    how += [] if server.name == "nchan" else ["--ahead", 10_000]
    with server.running(bench.server_cpus):
        result = bench.run_client(server, "--subscribers", 1, "--publish", "full", "--seconds",
                                  seconds, "--drain", 3, *how)
    figures = result["publish"]
    return {"events_per_s": figures["events_per_second"],
            "cpu_us_per_event": figures["server_cpu_us_per_event"],
            "server_cpu_share": figures["server_cpu_share"],
            "client_cpu_share": figures["client_cpu_share"], "faults": faults(result)}


def publish_batches(bench, server):
    return publish(bench, server, batch=200)


def say(text):
    print(text, flush=True, file=sys.stderr)
