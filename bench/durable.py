"""T11: a hub whose history is in a SQLite file: publishing, trimming, and its start.

Everything is on the file system of the temporary files (TMPDIR): a file in memory tells nothing.
"""

import json
import os
import subprocess
import tempfile
import time

from load import EVENT_BYTES
from machine import cpu_seconds, thread_cpu_seconds
from measurements import all_together, keep
from servers import child_setup

# Of an event in the file: `data: `, the data, a line end; two bytes say how long that is; and one
# each that its topic is the one before's, and that it has no id of its own.
ROW_BYTES = EVENT_BYTES + 7 + 2 + 1 + 1
WRITER = "history"  # the thread's name
READ_AT_ONCE = 1024 * 1024


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="tocsin-bench-")


class Commits:
    """What a hub's store has done since this was made; nothing is known of other servers."""

    def __init__(self, server):
        self.server = server
        self.counters, self.buckets, self.cpu = self.look()

    def look(self):
        return (self.server.counters(), self.server.buckets("tocsin_store_commit_seconds"),
                thread_cpu_seconds(self.server.process.pid, WRITER))

    def figures(self):
        counters, buckets, cpu = self.look()

        def more(name):
            return counters[name] - self.counters[name]
        events = more("tocsin_store_commit_events_total")
        commits = more("tocsin_store_commits_total")
        if not commits:
            return {}
        return {"events": events, "events_per_commit": events / commits,
                "writer_us_per_event": 1e6 * (cpu - self.cpu) / events,
                "commit_p99_ms": 1e3 * quantile(0.99, {
                    bound: count - self.buckets[bound] for bound, count in buckets.items()})}


def quantile(share, buckets):
    """Of {upper bound: values up to it}, as if they were even within a bucket, which is what
    histogram_quantile of Prometheus takes them for."""
    rank, low, below = share * max(buckets.values()), 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank and count > below:
            # Of the last one nobody knows how far it goes.
            return low if bound == float("inf") else (
                low + (bound - low) * (rank - below) / (count - below))
        low, below = bound, count
    return low


def append_loop(bench, folder, size):
    """Appends a second of `size` bytes, each synced, to a file in `folder`, on the server's core."""
    done = subprocess.run(
        [bench.floor, "--append", os.path.join(folder, "appends"), "--bytes", str(round(size)),
         "--seconds", str(bench.seconds(2))], capture_output=True, text=True, timeout=60,
        preexec_fn=child_setup(bench.server_cpus), check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)["appends_per_s"]


# The subscriber that checks all has a core with the publishers. They are not further ahead of it
# than this, and a hub that is PATIENT does not end it for that.
AHEAD = 200_000
PATIENT = ("--slow-bytes", 256 * 1024 * 1024)


def publishing(publishers, in_flight, batch=0):
    """Flags."""
    return ["--publishers", publishers, "--in-flight", in_flight, "--ahead", AHEAD,
            *(["--batch", batch] if batch else [])]


# A hub has 32 answers of a connection pending at most; what is sent beyond that need not be waited
# for. A body of 16,384 events is some megabytes.
SINGLE_64 = publishing(64, 64)
SINGLE_1 = publishing(1, 256)
BATCH_1024 = publishing(2, 4, 1024)
BATCH_16384 = publishing(1, 4, 16_384)


def saturate(bench, server, how, *flags):
    result = bench.load(server, "saturate", 1, "--drain", 3, *how, *flags)
    if not result.get("events"):
        raise RuntimeError(f"nothing was published: {result['faults']}")
    return keep(result, "events_per_s", "cpu_us_per_event", "server_cpu_share",
                "client_cpu_share")


def publish(bench, server, how, seconds=4):
    """At full speed to a durable server; beside it a bare loop of appends to the same file system, of
    the size of the commits that came about."""
    with temporary_folder() as folder, \
            server.durable(folder, *PATIENT).running(bench.server_cpus) as hub:
        commits = Commits(hub) if hub.counters() else None
        figures = saturate(bench, hub, how, "--duration", bench.seconds(seconds))
        if commits:
            figures.update(commits.figures())
        if "events_per_commit" in figures:
            each = figures["events_per_commit"]
            figures["loop_events_per_s"] = each * append_loop(bench, folder, ROW_BYTES * each)
            figures["of_loop"] = figures["events_per_s"] / figures["loop_events_per_s"]
    return figures


def single_64(bench, server):
    return publish(bench, server, SINGLE_64)


def single_1(bench, server):
    return publish(bench, server, SINGLE_1)


def batches_1024(bench, server):
    return publish(bench, server, BATCH_1024)


def batches_16384(bench, server):
    return publish(bench, server, BATCH_16384)


# The file's least limit holds less than what is published before anything is measured, in rows of
# the same size.
TRIMMED_BYTES = 64 * 1024 * 1024
FILL_EVENTS = TRIMMED_BYTES * 5 // 4 // ROW_BYTES


def trimming(bench, server, how, seconds=4):
    """Publishing to a file that is full, so that each commit removes what is oldest, and to one with
    room."""
    parts = {}
    for kind, most in (("roomy", 1 << 40), ("full", TRIMMED_BYTES)):
        with temporary_folder() as folder, server.durable(
                folder, *PATIENT, "--history-file-bytes", most).running(bench.server_cpus) as hub:
            saturate(bench, hub, how, "--events", round(FILL_EVENTS * bench.scale))
            commits = Commits(hub)
            parts[kind] = {**saturate(bench, hub, how, "--duration", bench.seconds(seconds)),
                           **commits.figures(),
                           "file_bytes": hub.counters()["tocsin_history_bytes"]}
    return all_together(parts)


def trimming_64(bench, server):
    return trimming(bench, server, SINGLE_64)


def trimming_1024(bench, server):
    return trimming(bench, server, BATCH_1024)


def start(bench, server, events=5_000_000, loaded=1_000_000, topics=1000):
    """From the start of the program until it answers, with so many events in the file of which
    `loaded` fit into memory, against a loop that reads their bytes: both from the disk, and both
    from the kernel's memory."""
    events, loaded = (round(n * bench.scale) for n in (events, loaded))
    size = loaded * ROW_BYTES
    with temporary_folder() as folder:
        hub = server.durable(folder, "--history-file-bytes", 1 << 40, "--history-age", 0,
                             "--history-bytes", size // 100)
        path = os.path.join(folder, "history.db")
        with hub.running(bench.server_cpus):
            # Each topic without a subscriber counts as one that is behind.
            filling = bench.load(hub, "saturate", topics, "--topics", topics, "--batch", 1024,
                                 "--publishers", 2, "--in-flight", 4, "--ahead", AHEAD, "--events",
                                 events, "--drain", 3, timeout_s=600)
        figures = keep(filling)
        hub = hub.with_options("--history-total-bytes", size)
        for kind, prepare in (("cold", forget_pages), ("warm", read_end)):
            prepare(path, size)
            begin, cpu = time.monotonic(), time.process_time()
            read_end(path, size)
            reading = time.monotonic() - begin
            figures[f"{kind}_reading_cpu_s"] = time.process_time() - cpu
            prepare(path, size)
            begin = time.monotonic()
            with hub.running(bench.server_cpus):
                # Its port is open before it answers.
                figures["loaded_bytes"] = hub.counters()["tocsin_log_bytes"]
                figures[f"{kind}_start_s"] = time.monotonic() - begin
                figures[f"{kind}_start_cpu_s"] = cpu_seconds([hub.process.pid])
            figures[f"{kind}_of_reading"] = figures[f"{kind}_start_s"] / reading
    return figures


def forget_pages(path, size):
    """So that the next one to read the file reads the disk."""
    del size
    with open(path, "rb") as file:
        os.fsync(file)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_end(path, size):
    """Of the file, where the newest events are; how much that was."""
    buffer, read = bytearray(READ_AT_ONCE), 0
    with open(path, "rb", buffering=0) as file:
        file.seek(-min(size, os.path.getsize(path)), os.SEEK_END)
        while part := file.readinto(buffer):
            read += part
    return read
