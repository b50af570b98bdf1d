#!/bin/bash
# Guess: `SSEClient(url)` waits 30 s at most before it connects again, as its documentation says of the
#   default (`max_delay`), and its pauses have a jitter, so that not all come back in one instant.
# Package: launchdarkly-eventsource 1.7.4, urllib3 2.8.0 (PyPI)
# Seen 2026-11-30: by default the pause doubles without a bound, and exactly: 1, 2, 4, … 512 s after ten
#   streams that ended early. With `RetryDelayStrategy.default(max_delay=30)` it stays at 30 s.
. "$(dirname "$(realpath "$0")")/lib"
from_pypi launchdarkly-eventsource==1.7.4 urllib3==2.8.0
cat >program.py <<'PY'
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from ld_eventsource import SSEClient
from ld_eventsource.actions import Fault
from ld_eventsource.config import ErrorStrategy, RetryDelayStrategy

STREAMS = 10


class ShortStream(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: hello\n\n")

    def log_message(self, *_):
        pass


def pauses(strategy):
    """What the client is going to wait for, after each of some streams that ended."""
    seen = []
    client = SSEClient(url, error_strategy=ErrorStrategy.always_continue(),
                       retry_delay_strategy=strategy)
    for action in client.all:
        if isinstance(action, Fault):
            seen.append(client.next_retry_delay)
            if len(seen) == STREAMS:
                client.close()
                return seen


time.sleep = lambda _: None  # the pauses are read, not waited for
server = HTTPServer(("127.0.0.1", 0), ShortStream)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "http://127.0.0.1:%d/" % server.server_port
plain, bounded = pauses(None), pauses(RetryDelayStrategy.default(max_delay=30))
server.shutdown()
print("by default:", *plain)
print("with a bound of 30 s:", *bounded)
still = plain == [2 ** n for n in range(STREAMS)] and max(bounded) == 30
print("still so" if still else "changed")
PY
judge python3 program.py
