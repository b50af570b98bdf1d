#!/usr/bin/env python3
"""`tocsin publish` and `tocsin subscribe` as processes against `tocsin serve`."""

import json
import os
import signal
import unittest

from hub import Hub, Process, lasting_address, run


def data_of(lines):
    return [json.loads(line)["data"] for line in lines]


class Clients(unittest.TestCase):
    def setUp(self):
        self.start_hub("127.0.0.1:0")

    def start_hub(self, address, *arguments):
        self.hub = Hub("--drain-timeout", "0s", *arguments, listen=address)
        self.addCleanup(self.hub.__exit__)

    def subscriber(self, count, *arguments):
        process = Process("subscribe", "--url", self.hub.url, "--json", "--count", str(count),
                          "--stream", "a", *arguments)
        self.addCleanup(process.__exit__)
        self.hub.wait_streams(1)
        return process

    def publish(self, *arguments, **more):
        return run("publish", "--url", self.hub.url, "--stream", "a", *arguments, **more)

    def test_a_count_is_a_whole_number_from_1(self):
        for count in ("-3", "0", "x", "1.5", "99999999999999999999"):
            _, error = run("subscribe", "--url", self.hub.url, "-n", count, status=2)
            self.assertIn("takes a whole number from 1", error)
            self.assertIn("--count", error)

    def test_nothing_is_no_stream_and_no_event(self):
        for command in ("publish", "subscribe"):
            _, error = run(command, "--url", self.hub.url, "--stream", "", status=2)
            self.assertIn("--stream: is empty", error)
        for blank in ("", " ", "\t\r\n"):
            _, error = self.publish("one", blank, status=2)
            self.assertIn("argument 2: is empty or blank", error)
        reader = self.subscriber(2)
        self.publish(stdin="\n \nsaid\n\t\r\n")
        self.publish("--ndjson", stdin='{"type":"refresh","data":""}\n')
        self.assertEqual(data_of(reader.wait_out(2)), ["said", ""])

    def test_what_is_not_expected_is_named_as_it_was_typed(self):
        _, error = run("-v", status=2)
        self.assertIn("tocsin: not expected: -v;", error)
        _, error = run("serve", "--lisen", "127.0.0.1:1", status=2)
        self.assertIn("tocsin serve: not expected: --lisen 127.0.0.1:1; did you mean --listen?", error)

    def test_the_hub_says_what_is_wrong(self):
        _, error = run("subscribe", "--url", f"{self.hub.url}/events?strem=a", status=1)
        self.assertIn("status 400: strem unknown parameter; did you mean stream?", error)

    def test_arguments(self):
        reader = self.subscriber(2)
        self.publish("--type", "note", "one", "two\nlines")
        events = [json.loads(line) for line in reader.wait_out(2)]
        self.assertEqual([(e["type"], e["data"]) for e in events],
                         [("note", "one"), ("note", "two\nlines")])
        self.assertNotEqual(events[0]["id"], events[1]["id"])
        self.assertEqual(reader.wait_exit(), 0)

    def test_lines(self):
        count = 5000
        reader = self.subscriber(count)
        lines = [f"line {i}" for i in range(count)]
        self.publish(stdin="\n".join(lines) + "\n")
        self.assertEqual(data_of(reader.wait_out(count)), lines)
        self.assertEqual(reader.wait_exit(), 0)

    def test_ndjson_and_what_is_refused(self):
        reader = self.subscriber(2)
        _, error = self.publish("--ndjson", stdin='{"data":{"a":1},"type":"t","id":"mine"}\nnonsense\n'
                                '{"data":"last"}\n', status=1)
        self.assertIn("2", error)
        events = [json.loads(line) for line in reader.wait_out(2)]
        self.assertEqual(events[0], {"type": "t", "id": "mine", "data": '{"a":1}'})
        self.assertEqual(events[1]["data"], "last")

    def test_what_stands_beside_a_refused_event_is_published(self):
        self.start_hub("127.0.0.1:0", "--max-event-bytes", "1KiB")
        for form, arguments in (("{}\n", ()), ('{{"data":"{}"}}\n', ("--ndjson",))):
            reader = self.subscriber(3)
            lines = ["before", "y" * 1500, "behind", "y" * 1500, "last"]
            _, error = self.publish(*arguments, stdin="".join(map(form.format, lines)), status=1)
            self.assertEqual(data_of(reader.wait_out(3)), ["before", "behind", "last"])
            self.assertEqual(reader.wait_exit(), 0)
            self.assertEqual([line.split(": ")[1:3] for line in error.splitlines()],
                             [["line 2", "not published"], ["line 4", "not published"]], error)
            self.hub.wait_streams(0)

    def test_publish_survives_a_restart(self):
        self.start_hub(lasting_address())
        reader = self.subscriber(3)
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as source, open(write_end, "wb", buffering=0) as lines:
            publisher = Process("publish", "--url", self.hub.url, "--stream", "a", source=source)
            self.addCleanup(publisher.__exit__)
            lines.write(b"before\n")
            reader.wait_out(1)
            self.assertEqual(self.hub.stop(), 0)
            lines.write(b"while it was away\n")
            self.assertIn("refused; trying again for 1m", publisher.wait_log("trying again"))
            self.start_hub(self.hub.address)
            # A reader that comes behind the event still finds it: after the gap comes what is kept.
            self.assertEqual(json.loads(reader.wait_out(3)[2])["data"], "while it was away")
        self.assertEqual(publisher.wait_exit(), 0)
        self.assertEqual(len(publisher.log), 1, publisher.log)

    def test_nobody_is_there(self):
        self.assertEqual(self.hub.stop(), 0)
        _, error = self.publish("--retry-for", "0s", "x", status=1)
        self.assertIn("refused", error.lower())
        run("publish", "--url", "ftp://nowhere", "x", status=2)
        run("subscribe", "--url", self.hub.url, "--no-reconnect", status=1)

    def test_subscribe_resumes(self):
        for i in range(4):
            self.hub.publish("a", str(i))
        out, _ = run("subscribe", "--url", self.hub.url, "--stream", "a", "--json", "--count", "2",
                     "--last-event-id", "earliest")
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([e["data"] for e in events], ["0", "1"])
        out, _ = run("subscribe", "--url", self.hub.url, "--stream", "a", "--count", "2",
                     "--last-event-id", events[-1]["id"])
        self.assertEqual(out, "2\n3\n")

    def test_subscribe_survives_a_restart(self):
        self.start_hub(lasting_address())
        reader = self.subscriber(3)
        self.hub.publish("a", "before")
        self.assertEqual(data_of(reader.wait_out(1)), ["before"])
        self.assertEqual(self.hub.stop(), 0)
        self.start_hub(self.hub.address)
        self.hub.wait_streams(1)
        self.hub.publish("a", "after")
        events = [json.loads(line) for line in reader.wait_out(3)]
        # The history was lost with the old process, and the reader is told so.
        self.assertEqual(events[1]["type"], "gap")
        self.assertEqual(json.loads(events[1]["data"])["reason"], "unknown_id")
        self.assertEqual(events[2]["data"], "after")
        self.assertEqual(reader.wait_exit(), 0)

    def test_subscribe_ends_by_signal(self):
        reader = self.subscriber(100)
        self.hub.publish("a", "x")
        reader.wait_out(1)
        reader.signal(signal.SIGTERM)
        self.assertIn(reader.wait_exit(), (0, 1))
        self.hub.wait_streams(0)


if __name__ == "__main__":
    unittest.main()
