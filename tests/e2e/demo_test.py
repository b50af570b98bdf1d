#!/usr/bin/env python3
"""`tocsin demo`: its feeds, its streams and its chat, asked for with curl as its readers would."""

import datetime
import json
import re
import signal
import subprocess
import tempfile
import unittest

from hub import DEADLINE, Hub, run

# What `tocsin demo` publishes to the stream `events`, and every how many seconds.
FEEDS = {"tick": 5, "stock": 7, "score": 9, "location": 11, "progress": 3, "system": 30}


class Curl:
    """`curl ARGUMENTS`, and its output as it comes."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(["curl", "--silent", "--show-error", "--max-time", "100",
                                         *arguments],
                                        stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.end = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def events(self):
        """One dictionary of fields for each event; what dispatches nothing is left out."""
        fields = {}
        for line in self.process.stdout:
            name, _, value = line.rstrip("\n").partition(":")
            if line == "\n":
                if "data" in fields:
                    yield fields
                fields = {}
            elif name:
                value = value.removeprefix(" ")
                fields[name] = fields[name] + "\n" + value if name in fields else value

    def until(self, wanted):
        """The events up to the first for which `wanted` holds."""
        seen = []
        for event in self.events():
            seen.append(event)
            if wanted(event):
                return seen
        raise AssertionError(f"ended after {seen}")


def curl(*arguments):
    """Status and body."""
    done = subprocess.run(["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}",
                           *arguments], capture_output=True, text=True, timeout=DEADLINE,
                          check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub("--drain-timeout", "0s", "--retry", "100ms", command="demo")
        cls.addClassCleanup(cls.hub.__exit__)
        cls.port = cls.hub.address.rsplit(":", 1)[1]

    def stream(self, target, *arguments):
        curl = Curl("-N", "--location", *arguments, f"http://localhost:{self.port}{target}")
        self.addCleanup(curl.__exit__)
        return curl

    # --- the unified stream

    def test_feeds_of_the_unified_stream(self):
        stream = self.stream("/events?stream=events&last_event_id=earliest", "-i")
        head = []
        for line in stream.process.stdout:
            if not line.strip():
                break
            head.append(line.strip().lower())
        self.assertIn("content-type: text/event-stream", head)
        self.assertIn("access-control-allow-origin: *", head)
        self.assertIn("x-accel-buffering: no", head)
        self.assertTrue(any(line.startswith("cache-control: no-cache") for line in head))
        first = {}
        for event in stream.events():
            self.assertTrue(event["id"])
            first.setdefault(event["event"], event["data"])
            if set(FEEDS) <= set(first):
                break
        datetime.datetime.fromisoformat(first["tick"])
        self.assertRegex(first["tick"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$")
        self.assertEqual(json.loads(first["stock"]), {"symbol": "ACME", "price": 123.45})
        self.assertEqual(json.loads(first["score"]), {"home": 1, "away": 0})
        self.assertEqual(set(json.loads(first["location"])), {"lat", "lng"})
        self.assertEqual(json.loads(first["progress"]), {"percent": 0})
        self.assertEqual(first["system"], "ok")

    def test_the_feeds_come_round(self):
        percents = []
        stream = self.stream("/events?stream=events&last_event_id=earliest")
        for event in stream.events():
            if event["event"] == "progress":
                percents.append(json.loads(event["data"])["percent"])
            if len(percents) == 3:
                break
        self.assertEqual(percents, [0, 20, 40])

    def test_publish_forms(self):
        publish = f"http://localhost:{self.port}/publish"
        self.assertEqual(curl("-d", "posted", publish + "?type=message"), (204, ""))
        self.assertEqual(curl(publish + "?type=message&msg=hello"), (204, ""))
        john = '{"username":"john_doe","status":"online"}'
        self.assertEqual(curl("-d", john, publish + "?type=userupdate"), (204, ""))
        status, body = curl("-d", "", publish + "?type=message")
        problem = json.loads(body)
        self.assertEqual((status, problem["field"]), (400, "body"))
        self.assertIn("msg required", problem["detail"])
        self.assertEqual(curl(publish + "?type=message")[0], 400)
        stream = self.stream("/events?stream=events&last_event_id=earliest")
        seen = stream.until(lambda event: event["data"] == john)
        self.assertEqual([event["event"] for event in seen if event["data"] in
                          ("posted", "hello", john)], ["message", "message", "userupdate"])

    def test_resume(self):
        stream = self.stream("/events?stream=events")
        # The first bytes carry a position, so that this client resumes even without an event.
        position = None
        for line in stream.process.stdout:
            if line.startswith("id: "):
                position = line[4:].strip()
                break
        self.hub.publish("events", "while away")
        again = self.stream("/events?stream=events", "-H", f"Last-Event-ID: {position}")
        seen = again.until(lambda event: event["data"] == "while away")
        self.assertNotIn("gap", [event.get("event") for event in seen])

    # --- updates, notifications, metrics

    def test_a_stream_without_a_name_greets_and_updates(self):
        stream = self.stream("/events")
        seen = stream.until(lambda event: event.get("event") == "update")
        self.assertEqual(seen[0]["event"], "connected")
        self.assertEqual(seen[0]["data"], "Connection established")
        update = json.loads(seen[-1]["data"])
        self.assertEqual(list(update), ["id", "event", "data"])
        self.assertEqual(update["event"], "update")
        self.assertRegex(update["data"], r"^Current time: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
        following = stream.until(lambda event: event.get("event") == "update")
        self.assertEqual(json.loads(following[-1]["data"])["id"], update["id"] + 1)

        again = self.stream("/events", "-H", f"Last-Event-ID: {seen[-1]['id']}")
        resumed = again.until(lambda event: event.get("event") == "update")
        self.assertEqual(resumed[0]["event"], "connected")
        self.assertEqual(json.loads(resumed[-1]["data"])["id"], update["id"] + 1)

    def test_notifications_are_of_what_happens(self):
        stream = self.stream("/events?stream=notifications")
        seen = stream.until(lambda event: "opened" in event["data"])
        self.assertEqual(seen[-1]["event"], "notification")
        other = self.stream("/events?stream=nothing")
        stream.until(lambda event: "opened" in event["data"])
        other.__exit__()
        stream.until(lambda event: "closed" in event["data"])

    def test_metrics_are_real(self):
        stream = self.stream("/events?stream=metrics&last_event_id=earliest")
        event = next(stream.events())
        self.assertEqual(event["event"], "metrics")
        figures = json.loads(event["data"])
        with open("/proc/meminfo", encoding="ascii") as meminfo:
            total = int(re.search(r"MemTotal: +(\d+) kB", meminfo.read()).group(1)) * 1024
        self.assertEqual(figures["memory_total_bytes"], total)
        self.assertGreater(figures["memory_used_bytes"], 0)
        self.assertGreaterEqual(figures["load1"], 0)
        self.assertTrue(0 <= figures["cpu_percent"] <= 100)
        self.assertGreaterEqual(figures["network_received_bytes_per_s"], 0)
        self.assertGreater(figures["hub_events_published"], 0)
        self.assertLess(figures["hub_events_published"], 1e6)
        self.assertGreaterEqual(figures["hub_streams"], 0)
        self.assertIn("hub_deliveries", figures)

    # --- pings

    def test_pings(self):
        stream = self.stream("/sse")
        pings = []
        for event in stream.events():
            if event["event"] == "timestamp":
                datetime.datetime.fromisoformat(event["data"])
            else:
                self.assertEqual(event["event"], "ping")
                pings.append(event)
            if len(pings) >= 5 and event["event"] == "timestamp":
                break
        for ping in pings:
            self.assertEqual(ping["id"][:-3], ping["data"])  # milliseconds, seconds
            self.assertRegex(ping["data"], r"^\d{10,}$")
        self.assertEqual(len({ping["id"] for ping in pings}), len(pings))
        # Two per second; on a busy machine one may be late.
        self.assertLess(len({ping["data"] for ping in pings}), len(pings))

    def test_events_without_a_name(self):
        event = next(self.stream("/sse?stream=plain").events())
        self.assertNotIn("event", event)
        self.assertEqual(event["id"][:-3], event["data"])

    # --- prices

    def test_prices(self):
        seen = []
        for event in self.stream("/price").events():
            seen.append(event)
            if len(seen) == 6:
                break
        self.assertEqual([event["event"] for event in seen], ["AAPL", "AMZN"] * 3)
        for one, other in zip(seen[::2], seen[1::2]):
            self.assertEqual(int(one["id"]) + 1, int(other["id"]))
        ids = [int(event["id"]) for event in seen]
        self.assertEqual(ids, sorted(set(ids)))
        for event in seen:
            self.assertRegex(event["data"], r"^\d+\.\d{6}$")
        again = self.stream("/price", "-H", f"Last-Event-ID: {seen[0]['id']}")
        self.assertEqual([event["data"] for event in again.until(
            lambda event: event["data"] == seen[5]["data"])], [event["data"] for event in seen[1:]])

    # --- the chat

    def chat(self, name, *more):
        """A stream that is open, and somebody who is here."""
        stream = self.stream(f"/chat/sse?username={name}&presence=1", *more)
        stream.until(lambda event: event["event"] == "presence" and
                     name in json.loads(event["data"])["Users"])
        return stream

    def post(self, target):
        return curl("--location", "--request", "POST", f"http://localhost:{self.port}{target}")

    def said(self, event):
        message = json.loads(event["data"])
        self.assertEqual(list(message), ["Type", "From", "To", "Message", "Timestamp"])
        self.assertEqual(message["Type"], event["event"])
        self.assertRegex(message["Timestamp"],
                         r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")
        return message

    def test_chat_as_documented(self):
        watcher = self.chat("watcher")
        hertz = self.stream("/chat/sse?username=hertz")
        watcher.until(lambda event: "hertz" in event["data"])
        self.assertEqual(self.post("/chat/broadcast?from=kitex&message=cloudwego"), (200, ""))
        self.assertEqual(self.post("/chat/direct?from=kitex&message=hello%20hertz&to=hertz"),
                         (200, ""))
        # Nothing but the two: who comes and goes is told to those who asked for it.
        seen = hertz.until(lambda event: event["event"] == "direct")
        messages = [self.said(event) for event in seen]
        for message in messages:
            del message["Timestamp"]
        self.assertEqual(messages, [
            {"Type": "broadcast", "From": "kitex", "To": "", "Message": "cloudwego"},
            {"Type": "direct", "From": "kitex", "To": "hertz", "Message": "hello hertz"}])
        self.assertEqual(self.post("/chat/broadcast?from=kitex&message=last"), (200, ""))
        seen = watcher.until(lambda event: "last" in event["data"])
        self.assertNotIn("direct", [event["event"] for event in seen])

    def test_chat_two_of_one_name_both_receive(self):
        twins = [self.chat("twin"), self.chat("twin")]
        self.assertEqual(self.post("/chat/direct?from=ann&to=twin&message=both")[0], 200)
        for twin in twins:
            twin.until(lambda event: event["event"] == "direct" and
                       self.said(event)["Message"] == "both")

    def test_chat_notices_who_leaves(self):
        def presence(event, kind, name):
            if event["event"] != "presence":
                return False
            told = json.loads(event["data"])
            return (told["Type"], told["From"]) == (kind, name)

        stays = self.chat("stays")
        leaves = self.chat("leaves")
        twice = self.chat("leaves")
        joined = stays.until(lambda event: presence(event, "joined", "leaves"))[-1]
        self.assertIn("leaves", json.loads(joined["data"])["Users"])
        leaves.__exit__()
        left = stays.until(lambda event: presence(event, "left", "leaves"))[-1]
        self.assertIn("leaves", json.loads(left["data"])["Users"], "the other one is still here")
        twice.__exit__()
        left = stays.until(lambda event: presence(event, "left", "leaves"))[-1]
        self.assertNotIn("leaves", json.loads(left["data"])["Users"])
        status, body = self.post("/chat/direct?from=stays&to=leaves&message=gone")
        self.assertEqual((status, json.loads(body)["field"]), (404, "to"))

    def test_chat_resumes(self):
        reader = self.chat("away")
        self.assertEqual(self.post("/chat/broadcast?from=ann&message=one")[0], 200)
        last = reader.until(lambda event: "one" in event["data"])[-1]["id"]
        stays = self.chat("stays-too")
        reader.__exit__()
        stays.until(lambda event: '"left"' in event["data"] and "away" in event["data"])
        self.assertEqual(self.post("/chat/broadcast?from=ann&message=two")[0], 200)
        again = self.stream("/chat/sse?username=away", "-H", f"Last-Event-ID: {last}")
        self.assertEqual(self.said(next(again.events()))["Message"], "two")

    def test_chat_a_name_is_its_pages(self):
        """Of the page whose cookie came with it, as long as that is here."""
        say = "/chat/broadcast?from=owner&message="
        mine, other = (f"Cookie: a=b; tocsin_chat={word}\r\n" for word in ("mine", "other"))
        self.assertEqual(self.hub.ask("POST", say + "before")[0], 200)
        watcher = self.chat("watcher-of-owner")
        with self.hub.stream("/chat/sse?username=owner", mine):
            watcher.until(lambda event: '"joined"' in event["data"] and "owner" in event["data"])
            for method, target in (("POST", say + "stranger"), ("GET", "/chat/sse?username=owner")):
                for fields in ("", other):
                    status, head, body = self.hub.ask(method, target, fields=fields)
                    self.assertEqual(status, 403, target + fields)
                    self.assertIn("WWW-Authenticate: Bearer", head)
                    self.assertIn("another page is in the chat as owner", json.loads(body)["detail"])
            with self.hub.stream("/chat/sse?username=owner", mine):  # another window
                self.assertEqual(self.hub.ask("POST", say + "mine", fields=mine)[0], 200)
        for _ in range(2):
            watcher.until(lambda event: '"left"' in event["data"] and '"owner"' in event["data"])
        self.assertEqual(self.hub.ask("POST", say + "after", fields=other)[0], 200)
        told = self.stream("/chat/sse?username=reader", "-H", "Last-Event-ID: earliest")
        said = [json.loads(event["data"])["Message"] for event in told.until(
            lambda event: '"after"' in event["data"]) if '"owner"' in event["data"]]
        self.assertEqual(said, ["before", "mine", "after"])

    def test_chat_is_read_and_written_there_only(self):
        for topic in ("chat", "chat/presence", "chat/user/ann"):
            status, _, body = self.hub.ask("GET", f"/events?stream={topic}")
            self.assertEqual(status, 403, topic)
            self.assertIn("clients may not read it", body)
            self.assertEqual(self.hub.ask("POST", f"/publish?stream={topic}", b"x")[0], 403)
        batch = b'[{"stream":"events","data":"x"},{"stream":"chat","data":"x"}]'
        self.assertEqual(self.hub.ask("POST", "/publish", batch,
                                      "Content-Type: application/json\r\n")[0], 403)
        self.assertEqual(self.hub.ask("POST", "/publish?stream=chatter", b"x")[0], 204)

    def test_chat_refuses_what_it_cannot_show(self):
        long = "x" * 33
        for method, target, field in (
                ("GET", "/chat/sse", "username"),
                ("GET", "/chat/sse?username=", "username"),
                ("GET", "/chat/sse?username=a%0Ab", "username"),
                ("GET", "/chat/sse?username=a&username=b", "username"),
                ("POST", "/chat/broadcast?from=a&from=b&message=x", "from"),
                ("GET", f"/chat/sse?username={long}", "username"),
                ("GET", "/chat/sse?username=a%E2%80%8Bb", "username"),
                ("POST", "/chat/broadcast?message=x", "from"),
                ("POST", "/chat/broadcast?from=%20a&message=x", "from"),
                ("POST", "/chat/broadcast?from=a", "message"),
                ("POST", "/chat/broadcast?from=a&message=%20%0A", "message"),
                ("POST", "/chat/broadcast?from=a&message=" + "x" * 2001, "message"),
                ("POST", "/chat/direct?from=a&message=x", "to"),
                ("POST", f"/chat/direct?from=a&message=x&to={long}", "to")):
            status, head, body = self.hub.ask(method, target)
            self.assertEqual((status, json.loads(body)["field"]), (400, field), target)
            self.assertIn("application/problem+json", head)
        self.assertEqual(self.hub.ask("GET", "/chat/broadcast?from=a&message=x")[0], 405)

    # --- the site

    def test_the_site_is_served(self):
        status, head, body = self.hub.ask("GET", "/")
        self.assertEqual(status, 200)
        self.assertIn("text/html", head)
        self.assertIn("<title>Tocsin", body)
        etag = re.search(r'ETag: ("[0-9a-f]+")', head).group(1)
        self.assertEqual(self.hub.ask("GET", "/", fields=f"If-None-Match: {etag}\r\n")[0], 304)
        self.assertIn("tocsin_info", self.hub.ask("GET", "/metrics")[2], "the hub's own page")


class Starting(unittest.TestCase):
    def test_serve_with_the_flag_is_the_same(self):
        with Hub("--demo", "--drain-timeout", "0s") as hub:
            self.assertEqual(hub.ask("GET", "/")[0], 200)
            with hub.stream("/events") as stream:
                stream.read_until(b"event: connected\n")
                stream.read_until(b"event: update\n")
            self.assertEqual(hub.stop(), 0)

    def test_serve_alone_has_nothing_of_it(self):
        with Hub("--drain-timeout", "0s") as hub:
            for target in ("/app.js", "/price", "/chat/sse?username=a"):
                self.assertEqual(hub.ask("GET", target)[0], 404)
            self.assertNotIn("app.js", hub.ask("GET", "/")[2])

    def test_a_misspelt_name_of_a_stream_is_refused(self):
        with Hub("--demo", "--drain-timeout", "0s") as hub:
            for target in ("/events?topics=a,b", "/sse?channel=a"):
                status, _, problem = hub.ask("GET", target)
                self.assertEqual(status, 400, target)
                self.assertIn("unknown parameter", problem)
            # What others add to a URL changes nothing.
            with hub.stream("/events?utm_source=a&_=1&lastEventId=earliest") as stream:
                stream.read_until(b"event: connected\n")

    def test_only_the_flag_switches_it_on(self):
        printed, _ = run("check")
        self.assertNotIn("demo", printed)
        self.assertIn("auto_topics", run("demo", "--auto-topics", "false", status=2)[1])

    def test_a_file_has_no_settings_for_the_chat(self):
        """They would never be reached, at the start and later. Others are in effect."""
        other = '[[topics]]\nmatch = "chats/*"\npublish = "nobody"\n'
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/f.toml"
            for match, own in (("chat", "chat"), ("chat/*", "chat/*"), ("chat/user/*", "chat/*")):
                with open(path, "w", encoding="ascii") as file:
                    file.write(f'{other}[[topics]]\nmatch = "{match}"\nhistory_count = 7\n')
                run("check", "--quiet", "--config", path)
                wrong = (f'topics: match "{match}" is never reached: '
                         f'this program has settings of its own for "{own}"')
                self.assertIn(wrong, run("demo", "--config", path, status=2)[1])
            with open(path, "w", encoding="ascii") as file:
                file.write(other)
            with Hub("--config", path, "--drain-timeout", "0s", command="demo") as hub:
                self.assertEqual(hub.ask("POST", "/publish?stream=chats/1", b"x")[0], 403)
                self.assertEqual(hub.ask("POST", "/publish?stream=chat/1", b"x")[0], 403)
                with open(path, "a", encoding="ascii") as file:
                    file.write('[[topics]]\nmatch = "chat/user/*"\npublish = "open"\n')
                hub.signal(signal.SIGHUP)
                self.assertIn("is never reached", hub.wait_log("configuration not reloaded"))
                self.assertEqual(hub.ask("POST", "/publish?stream=chat/user/1", b"x")[0], 403)

    def test_a_reload_does_not_open_the_chat(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            with Hub("--config", file.name, "--drain-timeout", "0s", command="demo") as hub:
                file.write('retry = "1s"\n[[topics]]\nmatch = "*"\nsubscribe = "open"\n')
                file.flush()
                hub.signal(signal.SIGHUP)
                hub.wait_log("configuration reloaded")
                self.assertEqual(hub.ask("GET", "/events?stream=chat/user/ann")[0], 403)
                file.write('[[topics]]\nmatch = "news"\n')  # nothing gets as far as that
                file.flush()
                hub.signal(signal.SIGHUP)
                hub.wait_log("configuration not reloaded")

    def test_says_where_it_is_once_it_is_ready(self):
        with Hub("--drain-timeout", "0s", command="demo") as hub:
            said = "\n".join(hub.wait_out(7))
            self.assertIn(f"The hub is ready. Three things to try:\n  open {hub.url}/ in", said)
            self.assertEqual(hub.ask("GET", "/readyz")[0], 200)
            self.assertEqual(hub.stop(), 0)

    def test_does_not_take_another_hub_for_itself(self):
        with Hub() as other:
            said, log = run("demo", "--listen", other.address, status=1)
        self.assertEqual(said, "")
        self.assertIn(other.address, log)

    def test_ends_without_a_complaint(self):
        with Hub("--drain-timeout", "1s", command="demo") as hub, hub.connect() as unfinished:
            unfinished.send(b"GET /ev")  # keeps the drain going for longer than a feed pauses
            with hub.stream("/chat/sse?username=ann"), hub.stream("/price") as prices, \
                    hub.stream("/events?last_event_id=earliest") as stream:
                stream.read_until(b"event: progress\n")
                prices.read_until(b"event: AMZN\n")
                hub.signal(15)
                self.assertEqual(hub.wait_exit(), 0)
            self.assertEqual([line for line in hub.log if "level=warn" in line
                              or "level=error" in line], [])


if __name__ == "__main__":
    unittest.main()
