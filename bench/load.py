"""Runs `tocsin load` against a server, and names its figures: the one place that knows its JSON."""

import json
import os
import subprocess
import tempfile

from servers import child_setup, last_line

# With `id:`, `data:` and the empty line about 200 bytes on the wire, for the hub that adds most.
EVENT_BYTES = 174


class LoadFailed(RuntimeError):
    pass


# Several times what the longest run of up to 20,000 subscribers takes.
TIMEOUT_S = 120


def run_load(binary, server, scenario, subscribers, *flags, cpus=None, timeout_s=TIMEOUT_S):
    """The figures of one run, see `figures`. Raises LoadFailed if there is no result at all, or not
    after `timeout_s`: its message is one line."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as result:
        command = [binary, "load", scenario, f"http://127.0.0.1:{server.port}",
                   *server.load_arguments(), "-n", subscribers, "--size", EVENT_BYTES,
                   "--pid", server.process.pid, "--quiet", "--json", result.name, *flags]
        with subprocess.Popen(list(map(str, command)), preexec_fn=child_setup(cpus),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                errors = process.communicate(timeout=timeout_s)[1].decode(errors="replace")
            except subprocess.TimeoutExpired:
                raise LoadFailed(f"load {scenario}: no result within {timeout_s:.0f} s") from None
            finally:
                process.kill()
        text = result.read()
    if not text:
        raise LoadFailed(f"load {scenario}: status {process.returncode}: {last_line(errors)}")
    return figures(json.loads(text), process.returncode)


def microseconds(nanoseconds):
    return None if nanoseconds is None else nanoseconds / 1e3


def milliseconds(latency, name):
    return latency[name] / 1e6 if latency else None


def figures(result, status=0):
    """Plain names and units; what was not measured is left out. `faults`: what went wrong, in
    words. `bottlenecks`: why the generator itself may be what was measured."""
    deliveries, publishing = result["deliveries"], result["publishing"]
    connect, reconnect, memory = result["connect"], result["reconnect"], result["memory"]
    publish, idle = result["publish"], result["idle"]
    caches = memory["cache_bytes_per_subscriber"]
    kernel = memory["kernel_bytes_per_subscriber"]
    if kernel is not None:
        kernel += memory["socket_bytes_per_subscriber"] or 0
        # Whatever walks /proc meanwhile fills these two; of dentries each socket has one anywhere.
        kernel -= caches.get("proc_inode_cache", 0) + caches.get("dentry", 0)
    events = publishing["events"]
    named = {
        "connected": result["streams"]["connected"],
        "connects_per_s": connect["connects_per_s"],
        "cpu_us_per_connect": microseconds(connect["server_cpu_ns_per_connect"]),
        "connect_server_cpu_share": connect["server_cpu_share"],
        "connect_client_cpu_share": connect["own_cpu_share"],
        "reconnects_per_s": reconnect["reconnects_per_s"],
        "cpu_us_per_reconnect": (reconnect["server_cpu_ns"] / 1e3 / reconnect["count"]
                                 if reconnect["count"] else None),
        "events_meanwhile": reconnect["events"],
        "events": events,
        "events_per_s": publishing["events_per_s"],
        "cpu_us_per_event": publish["server_cpu_ns"] / 1e3 / events if events else None,
        "user_us_per_event": publish["server_user_ns"] / 1e3 / events if events else None,
        "deliveries_per_s": deliveries["deliveries_per_s"],
        "cpu_us_per_delivery": microseconds(deliveries["server_cpu_ns_per_delivery"]),
        "server_cpu_share": publish["server_cpu_share"],
        "client_cpu_share": publish["own_cpu_share"],
        "p50_ms": milliseconds(deliveries["latency"], "p50_ns"),
        "p99_ms": milliseconds(deliveries["latency"], "p99_ns"),
        "max_ms": milliseconds(deliveries["latency"], "max_ns"),
        "comments": deliveries["comments"],
        "idle_cpu_percent": 100 * idle["server_cpu_share"] if idle["duration_s"] else None,
        "rss_each": memory["rss_bytes_per_subscriber"],
        "pss_each": memory["pss_bytes_per_subscriber"],
        "kernel_each": kernel,
        "caches_each": caches,
    }
    named = {name: value for name, value in named.items() if value is not None}
    named["faults"] = faults(result, status)
    named["bottlenecks"] = ";; ".join(result["bottlenecks"])
    return named


def faults(result, status):
    deliveries, streams = result["deliveries"], result["streams"]
    found = [f"{deliveries[k]} {k}"
             for k in ("lost", "told", "duplicated", "reordered", "corrupted") if deliveries[k]]
    if streams["refused"]:
        kinds = ", ".join(f"{n} x {kind}" for kind, n in streams["refusals"].items())
        found.append(f"{streams['refused']} refused ({kinds})")
    unanswered = streams["unanswered"]["connecting"] + streams["unanswered"]["heads"]
    found += [f"{n} {what}" for n, what in ((unanswered, "unanswered"),
                                            (streams["dropped"], "dropped")) if n]
    found += [f"{result['publishing'][k]} publishes: {k}" for k in ("refused", "timeouts")
              if result["publishing"][k]]
    if result["publishing"]["error"]:
        found.append(result["publishing"]["error"].splitlines()[0])
    if not found and status != 0:
        found.append("; ".join(result["failures"]) or f"the generator's exit status is {status}")
    return ", ".join(found)


def default_binary(build):
    return os.path.join(build, "tocsin")
