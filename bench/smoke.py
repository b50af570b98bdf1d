#!/usr/bin/env python3
"""Smoke test of the measuring programs: smoke.py CLIENT FLOOR

The client must accept a hub that delivers everything, and must see each fault that a small hub in
this file commits on purpose. The servers of the floor program must hold their sockets and deliver.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys


class Hub:
    """A hub of some lines: HTTP/1.1 with keep-alive publishing, a list of open streams."""

    def __init__(self, fault):
        self.fault = fault
        self.streams = []
        self.numbers = itertools.count(1)
        self.history = []

    async def on_connection(self, reader, writer):
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                lines = head.split("\r\n")
                fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
                if lines[0].startswith("GET"):
                    self.subscribe(writer, fields)
                    continue
                self.publish((await reader.readexactly(int(fields["content-length"]))))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            if writer in self.streams:
                self.streams.remove(writer)
        writer.close()

    def subscribe(self, writer, fields):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n")
        last = int(fields.get("last-event-id", len(self.history)))
        for frame in self.history[last:]:
            writer.write(frame)
        self.streams.append(writer)

    def publish(self, data):
        number = next(self.numbers)
        frame = b"id: %d\ndata: %s\n\n" % (number, data)
        self.history.append(frame)
        for writer in self.streams:
            for piece in self.spoil(number, frame):
                writer.write(piece)

    def spoil(self, number, frame):
        """What subscribers get for this event: the third one has the fault."""
        if self.fault == "reorder" and number in (3, 4):
            return [] if number == 3 else [frame, self.history[2]]
        if number != 3:
            return [frame]
        return {
            "none": [frame],
            "lose": [],
            "repeat": [frame, frame],
            "corrupt": [frame[:-5] + b"#" + frame[-4:]],
            "gap": [b"event: gap\ndata: {}\n\n"],
        }[self.fault]


async def run_client(client, port, *arguments):
    process = await asyncio.create_subprocess_exec(
        client, "--port", str(port), "--subscribers", "20", "--drain", "1", *arguments,
        stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    return process.returncode, json.loads(output)


async def check_hub(client, fault, expected, *arguments):
    hub = Hub(fault)
    server = await asyncio.start_server(hub.on_connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    status, result = await run_client(client, port, *arguments)
    server.close()
    found = {name: result["check"][name] for name in expected}
    assert found == expected, f"{fault} {arguments}: {json.dumps(result, indent=1)}"
    assert status == (0 if fault == "none" else 1), f"{fault}: exit status {status}"
    return result


async def check_all_faults(client):
    full = ("--publish", "full", "--events", "10")
    for fault, expected in {
        "none": {"delivered": 200, "lost": 0, "duplicated": 0},
        "lose": {"delivered": 180, "lost": 20},
        "repeat": {"delivered": 200, "duplicated": 20},
        "corrupt": {"delivered": 180, "corrupted": 20, "lost": 20},
        "reorder": {"delivered": 200, "reordered": 20, "lost": 0},
        "gap": {"delivered": 180, "typed": 20, "lost": 20},
    }.items():
        await check_hub(client, fault, expected, *full)
    await check_hub(client, "none", {"delivered": 100}, "--publish", "each", "--events", "5")
    result = await check_hub(
        client, "none", {"delivered": 400, "lost": 0, "duplicated": 0}, "--publish", "rate",
        "--rate", "50", "--events", "20", "--reconnect-after", "0.1", "--threads", "2")
    assert result["reconnect"]["count"] == 20, result


async def check_bare(client, floor):
    process = subprocess.Popen([floor, "--bare"], stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().split()[1]
        status, result = await run_client(
            client, port, "--memory", "--settle", "0.1", "--idle", "0.1", "--warmup", "5",
            "--server-pid", str(process.pid))
        assert status == 0 and result["connected"] == 20, result
        assert result["memory"]["rss_after"] > 0, result
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def until_closed(pid, count):
    """Waits until a process has no more than `count` descriptors."""
    for _ in range(2000):
        if len(os.listdir(f"/proc/{pid}/fd")) <= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"streams stay open: {os.listdir(f'/proc/{pid}/fd')}")


async def check_floor_server(client, floor, way, watch):
    process = subprocess.Popen([floor, "--serve", way, *watch], stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().split()[1]
        before = len(os.listdir(f"/proc/{process.pid}/fd"))
        # The second client comes when the first one's streams are gone, told or not.
        for _ in range(2):
            status, result = await run_client(
                client, port, "--publish", "each", "--events", "5", "--threads", "2")
            assert status == 0 and result["check"]["delivered"] == 100, (way, result)
            if watch:
                await until_closed(process.pid, before)
        status, result = await run_client(client, port, "--publish", "full", "--events", "300")
        assert status == 0 and result["check"]["delivered"] == 6000, (way, result)
        assert process.poll() is None, way
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main():
    client, floor = sys.argv[1:]
    asyncio.run(check_all_faults(client))
    asyncio.run(check_bare(client, floor))
    for way in ("send", "uring"):
        for watch in ((), ("--watch-hangups",)):
            asyncio.run(check_floor_server(client, floor, way, watch))
    print("client and floor: as expected")


if __name__ == "__main__":
    main()
