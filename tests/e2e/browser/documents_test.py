#!/usr/bin/env python3
"""The pages that documents about Server-Sent Events have for their own servers, against `tocsin
demo`: as they stand there, on another origin, with only the port replaced (pages/)."""

import re

from browser_case import BrowserCase, PageServer, eventually, main


class Documents(BrowserCase):
    def setUp(self):
        super().setUp()
        self.hub = self.demo()
        self.pages = PageServer(self.hub)
        self.addCleanup(self.pages.close)
        self.logged = []

    def wait_logged(self, *patterns):
        """Until the console has a line for each of the patterns."""
        missing = set(patterns)

        def look():
            self.logged += [message for _, message in self.browser.console()]
            missing.difference_update([pattern for pattern in missing
                                       if any(re.search(pattern, line) for line in self.logged)])
            return not missing
        eventually(look, f"a console line for each of {patterns}")

    def test_unified_stream(self):
        self.window(self.pages.url + "/unified_stream.html")
        self.browser.wait("es.readyState === EventSource.OPEN")
        self.hub.ask("POST", "/publish?type=message", b"hello")
        self.wait_logged(r'"message" "hello"', r'"tick" "\d{4}-', r'"system" "ok"',
                         *(f'"{type}" Object' for type in ("stock", "score", "location",
                                                           "progress")))

    def test_component(self):
        self.window(self.pages.url + "/component.html")
        self.browser.wait("es.readyState === EventSource.OPEN")
        self.hub.ask("GET", "/publish?type=message&msg=hello")
        text = "document.getElementById('{}').textContent"
        self.browser.wait(text.format("out") + " === 'hello'")
        self.browser.wait(rf"/^\d{{4}}-\d\d-\d\dT/.test({text.format('tick')})")
        self.browser.wait(rf"/^\d+%$/.test({text.format('progress')})")

    def test_updates(self):
        self.window(self.pages.url + "/updates.html")
        self.browser.wait("document.querySelectorAll('#messages p').length >= 2")
        self.assertRegex(self.browser.text("#messages p"),
                         r"^ID: \d+, Event: update, Data: Current time: \d{4}-")
        self.wait_logged(r'"Connected:" "Connection established"')

    def test_ping(self):
        self.window(self.pages.url + "/ping.html")
        self.wait_logged("链接成功", r"获得数据:\d{10}")

    def test_onmessage_is_for_events_without_a_name(self):
        self.window(self.pages.url + "/onmessage.html")
        self.browser.run("window.pings = 0; source.addEventListener('ping', () => ++pings);")
        self.browser.wait("pings >= 3")
        self.wait_logged("链接成功")
        self.assertNotIn("获得的数据是", "".join(self.logged))
        # The same handler on a stream whose events have none.
        self.browser.run("const plain = new EventSource('/sse?stream=plain');"
                         "plain.onmessage = source.onmessage;")
        self.wait_logged(r"获得的数据是:\d{10}")


if __name__ == "__main__":
    main()
