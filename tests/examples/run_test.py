#!/usr/bin/env python3
"""The examples against each other: run_test.py SERVER CLIENT LATER ACCESS"""

import contextlib
import subprocess
import sys
import urllib.error
import urllib.request

DEADLINE = 60.0  # far beyond what a loaded machine under a sanitizer needs


@contextlib.contextmanager
def started(*command):
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_streams(url, wanted):
    """Until the hub counts `wanted` streams; asking takes the time that waiting needs."""
    while True:
        with urllib.request.urlopen(url.replace("/events", "/metrics"), timeout=DEADLINE) as page:
            lines = page.read().decode().splitlines()
        if sum(float(line.rsplit(" ", 1)[1]) for line in lines
               if line.startswith("tocsin_connections{") and 'state="stream"' in line) == wanted:
            return


def next_event(stream):
    """Of an event without an id, or without what its `id` field says."""
    lines = []
    while True:
        line = stream.readline().decode().rstrip("\n")
        if line.startswith(("event:", "data:")):
            lines.append(line)
        elif not line and lines:
            return lines


def run_later(program):
    with started(program, "127.0.0.1:0") as server:
        url = server.stdout.readline().strip()
        with urllib.request.urlopen(url, b"later", timeout=DEADLINE) as answer:
            assert answer.read() == b"LATER"
        server.stdin.close()
        assert server.wait(DEADLINE) == 0, server.returncode


def run_access(program):
    with started(program, "127.0.0.1:0") as server:
        url, key = (server.stdout.readline().strip() for _ in range(2))

        def status(target, data=None, fields=()):
            request = urllib.request.Request(target, data, dict(fields))
            try:
                with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                    return answer.status
            except urllib.error.HTTPError as refused:
                return refused.code

        known = {"Authorization": f"Bearer {key}"}
        publish = url.replace("/events", "/publish?topic=other")
        assert status(url + "?topic=news") == 200
        assert status(url + "?topic=other") == 401
        assert status(url + "?topic=other", fields=known) == 200
        assert status(publish, b"x") == 401
        assert status(publish, b"x", known) == 204
        server.stdin.close()
        assert server.wait(DEADLINE) == 0, server.returncode


def main(server_program, client_program, later_program, access_program):
    run_later(later_program)
    run_access(access_program)
    with started(server_program, "127.0.0.1:0") as server:
        url = server.stdout.readline().strip()

        def publish(line):
            server.stdin.write(line + "\n")
            server.stdin.flush()

        with (urllib.request.urlopen(url.replace("/events", "/hello"), timeout=DEADLINE) as hello,
              started(client_program, url) as client):
            assert hello.headers["Content-Type"] == "text/event-stream"
            assert next_event(hello) == ["event: hello", "data: good to see you"]
            wait_for_streams(url, 3)
            publish("prices 42")
            publish("other not for us")
            publish("news good morning")
            publish("news goodbye")
            said, _ = client.communicate(timeout=DEADLINE)
            assert client.returncode == 0, client.returncode
            lines = said.splitlines()
            # Two streams are two connections: nothing orders them against each other.
            assert [line for line in lines if line.startswith("news")] == [
                "news: good morning", "news: goodbye"], lines
            assert set(lines) <= {"news: good morning", "news: goodbye", "prices: 42"}, lines
            assert next_event(hello) == ["data: good morning"]
            assert next_event(hello) == ["data: goodbye"]
        address = url.split("/")[2]
        taken = subprocess.run([server_program, address], stdin=subprocess.DEVNULL, text=True,
                               capture_output=True, timeout=DEADLINE, check=False)
        assert taken.returncode == 1 and "in use" in taken.stderr, taken
        wrong = subprocess.run([client_program, "nonsense"], text=True, capture_output=True,
                               timeout=DEADLINE, check=False)
        assert wrong.returncode == 1 and wrong.stderr.startswith("nonsense: "), wrong
        server.stdin.close()
        assert server.wait(DEADLINE) == 0, server.returncode


if __name__ == "__main__":
    main(*sys.argv[1:])
