#!/usr/bin/env python3
"""The demonstration's page in Chromium.

SCREENSHOTS names a folder for pictures of the page, which are for people to look at.
"""

import os
import signal
from pathlib import Path

from browser_case import (ENTER, TAB, BrowserCase, CutProxy, eventually, lasting_address,
                          main)

ROWS = """return [...document.querySelectorAll('#inspector-rows tr')].map((row) => ({
  id: row.querySelector('.id').textContent, kind: row.className,
  type: row.querySelector('.badge').textContent,
  data: row.querySelector('summary').textContent}))"""


class Site(BrowserCase):
    def page(self, url):
        handle = self.window(url + "/")
        self.wait_text("#connection-state", "open")
        return handle

    def wait_text(self, selector, text):
        here = f"document.querySelector('{selector}').textContent"
        self.browser.wait(f"{here}.includes(arguments[0])", text, what=f"{text!r} in {selector}")

    def wait_number(self, selector):
        self.browser.wait(f"/\\d/.test(document.querySelector('{selector}').textContent)")

    def messages(self):
        """Data of the messages in the inspector, the oldest first."""
        rows = self.browser.run(ROWS)
        return [row["data"] for row in reversed(rows) if row["type"] == "message"]

    def screenshot(self, name, **options):
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.browser.screenshot(Path(folder) / f"{name}.png", **options)

    def wait_feeds(self):
        for id in ("tick-time", "stock-price", "score-home", "location-lat", "progress-percent",
                   "update-id", "ping-interval"):
            self.wait_number("#" + id)
        self.browser.wait("document.querySelectorAll('#price-rows tr').length === 2")
        # Every figure of the host and the hub; rates of the hub need two rounds.
        self.browser.wait("[...document.querySelectorAll('#metrics-tiles dd:nth-of-type(1)')]"
                          ".every((value) => /\\d/.test(value.textContent))")
        for type in ("connected", "system", "notification"):
            self.browser.wait(f"document.querySelector('#log-list .badge[data-type={type}]')")

    # --- what there is to see

    def test_feeds_arrive_from_here_alone(self):
        hub = self.demo()
        self.page(hub.url)
        self.wait_feeds()
        self.assertEqual(self.browser.run("return scrollY"), 0)
        origins = self.browser.run("return [...new Set(performance.getEntriesByType('resource')"
                                   ".map((entry) => new URL(entry.name).origin))]")
        self.assertEqual(origins, [hub.url])

    def test_publish(self):
        hub = self.demo()
        self.page(hub.url)
        self.browser.type("[data-testid=publish-data]", "from the form")
        self.browser.click("[data-testid=publish-send]")
        self.wait_text("#publish-result", "204")
        self.wait_text("#publish-result", "back on this page after")
        self.wait_text("#log-list", "from the form")
        eventually(lambda: "from the form" in self.messages(), "a row in the inspector")
        self.browser.type("[data-testid=publish-type]", "weather")
        self.browser.type("[data-testid=publish-data]", '{"sky":"blue"}')
        self.wait_text("#publish-curl", "curl --data-raw '{\"sky\":\"blue\"}' "
                       f"'{hub.url}/publish?stream=events&type=weather'")
        self.browser.click("[data-testid=publish-send]")
        self.wait_text("#inspector-rows", '{"sky":"blue"}')
        # An id that was there before is not taken for the new event.
        self.browser.type("[data-testid=publish-id]", "twice")
        for data in ("first", "second"):
            self.browser.type("[data-testid=publish-data]", data)
            self.browser.click("[data-testid=publish-send]")
            self.wait_text("#inspector-rows", data)
            self.wait_text("#publish-result", "Event-ID twice")
            self.wait_text("#publish-result", "back on this page after")
            self.assertNotIn("-", self.browser.text("#publish-result").split("after")[1])
        # A refusal is shown at its field.
        self.expected_errors = ("400 (Bad Request)",)
        self.browser.type("[data-testid=publish-data]", " ")
        self.browser.click("[data-testid=publish-send]")
        self.wait_text("#publish-result", "400")
        self.assertEqual(self.browser.run("return document.activeElement.name"), "data")

    def test_a_pause_is_not_called_a_delay(self):
        hub = self.demo()
        self.page(hub.url)
        cells = """return [...document.querySelectorAll('#inspector-rows tr')].map((row) =>
          [row.querySelector('.badge').textContent, row.querySelector('.delay').textContent])"""

        def texts(type):
            return {text for one, text in self.browser.run(cells) if one == type}
        # Scores say no time, clocks do. What was kept has waited at the hub.
        eventually(lambda: any(text.startswith("after ") for text in texts("score")), "a pause")
        eventually(lambda: any(text.endswith("s") and not text.startswith("after ")
                               for text in texts("tick")), "a delay")
        self.assertFalse([text for text in texts("score") if text[0] in "+0123456789≤"])
        self.wait_text("#inspector .legend", "no latency")
        self.screenshot("inspector", whole=True)

    # An event with an empty `data:` line is dispatched (HTML, 9.2.6: the line end that the field
    # adds makes the buffer not empty), one without any such line is not.
    def test_an_event_may_be_only_a_type(self):
        hub = self.demo()
        self.page(hub.url)
        self.browser.run("""window.got = [];
          window.one = new EventSource('/events?stream=quiet');
          one.addEventListener('refresh', (event) => got.push(['refresh', event.data]));
          one.onmessage = (event) => got.push(['message', event.data]);""")
        self.browser.wait("one.readyState === EventSource.OPEN")
        json = "Content-Type: application/json\r\n"
        for body in (b'{"type":"refresh","data":""}', b'[{"data":""},{"data":"last"}]'):
            status, _, answer = hub.ask("POST", "/publish?stream=quiet", body, json)
            self.assertEqual(status, 200, answer)
        self.browser.wait("got.length === 3")
        self.assertEqual(self.browser.run("return got"),
                         [["refresh", ""], ["message", ""], ["message", "last"]])
        self.browser.run("one.close()")

    # --- the chat

    def join(self, name):
        self.browser.type("[data-testid=chat-name]", name)
        self.browser.click("[data-testid=chat-join]")
        self.wait_text("#chat-state", f"You are {name}.")
        self.wait_text("#chat-users", name)

    def say(self, text, to=""):
        self.browser.choose("#chat-to", to)
        self.browser.type("[data-testid=chat-message]", text)
        self.browser.click("[data-testid=chat-send]")
        self.wait_text("#chat-log", text)

    def test_chat_between_two_pages(self):
        hub = self.demo()
        ann = self.page(hub.url)
        self.join("ann")
        bob = self.page(hub.url)
        self.join("bob")
        self.browser.window(ann)
        self.wait_text("#chat-users", "bob")
        self.say("hello all")
        self.say("only for you", to="bob")
        self.browser.window(bob)
        self.wait_text("#chat-log", "hello all")
        self.wait_text("#chat-log", "only for you")
        self.wait_text("#chat-log", "ann → bob")
        self.say("<b>not bold</b>")
        self.assertIsNone(self.browser.run("return document.querySelector('#chat-log b')"))
        self.browser.window(ann)
        self.wait_text("#chat-log", "<b>not bold</b>")
        self.screenshot("chat")
        # Who leaves is noticed, be it by the button or by closing the window.
        self.browser.window(bob)
        self.browser.close_window()
        self.windows.remove(bob)
        self.browser.window(ann)
        self.browser.wait("!document.querySelector('#chat-users').textContent.includes('bob')")
        self.wait_text("#chat-log", "left")
        self.wait_text("#userupdate-list", "offline")
        # To somebody who has gone: said, and not sent to everybody.
        self.expected_errors = ("404 (Not Found)",)
        self.browser.choose("#chat-to", "bob")
        self.browser.type("[data-testid=chat-message]", "too late")
        self.browser.click("[data-testid=chat-send]")
        self.wait_text("#chat-error", "nobody of this name is here")
        self.browser.click("[data-testid=chat-join]")
        self.wait_text("#chat-state", "You have left.")

    def test_a_name_that_cannot_be(self):
        hub = self.demo()
        self.page(hub.url)
        self.expected_errors = ("400 (Bad Request)",)
        self.browser.type("[data-testid=chat-name]", "x" * 33)
        self.browser.click("[data-testid=chat-join]")
        self.wait_text("#chat-error", "at most 32 letters")
        self.assertEqual(self.browser.run("return document.activeElement.id"), "chat-name")

    def test_a_name_that_another_browser_has(self):
        hub = self.demo()
        self.page(hub.url)
        self.join("ann")
        self.page(hub.url)
        self.browser.run("document.cookie = 'tocsin_chat=another; path=/'")
        self.expected_errors = ("403 (Forbidden)",)
        self.browser.type("[data-testid=chat-name]", "ann")
        self.browser.click("[data-testid=chat-join]")
        self.wait_text("#chat-error", "another page is in the chat as ann; take another name")
        self.browser.type("[data-testid=chat-name]", "anna")
        self.browser.click("[data-testid=chat-join]")
        self.wait_text("#chat-state", "You are anna.")

    # --- a browser's six connections to a host

    def test_windows_share_what_can_be_shared(self):
        hub = self.demo()
        has_prices = "document.querySelectorAll('#price-rows tr').length === 2"
        state = "[data-testid=feed-price] [data-side-state]"
        first = self.page(hub.url)
        self.browser.wait(has_prices)
        second = self.page(hub.url)
        self.wait_text(state, "in another window")
        self.assertIsNone(self.browser.run("return document.querySelector('#price-rows tr')"))
        self.browser.window(first)
        self.browser.close_window()
        self.windows.remove(first)
        self.browser.window(second)
        self.browser.wait(has_prices)
        self.assertEqual(self.browser.text(state), "")

    def test_two_windows_in_the_chat_can_still_publish(self):
        hub = self.demo()
        tall = {"width": 1280, "height": 3000, "deviceScaleFactor": 1, "mobile": False}
        for name in ("ann", "bob"):
            self.page(hub.url)
            self.browser.devtools("Emulation.setDeviceMetricsOverride", **tall)  # all is in view
            self.browser.wait("document.querySelectorAll('#price-rows tr').length === 2")
            self.join(name)
            self.wait_text("[data-testid=feed-ping] [data-side-state]", "paused while you chat")
            self.browser.click("[data-testid=publish-send]")
            self.wait_text("#publish-result", "204")
            self.say("is there a connection left?")

    # --- the connection is cut

    def check_nothing_lost(self, expected):
        eventually(lambda: len(self.messages()) >= len(expected), f"{len(expected)} messages")
        self.assertEqual(self.messages(), expected)
        ids = [row["id"] for row in self.browser.run(ROWS) if row["type"] == "message"]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual(self.browser.text("#inspector-missed"), "0")
        self.assertEqual(self.browser.text("#inspector-repeated"), "0")
        self.assertEqual(self.browser.text("#inspector-gaps"), "0")

    def test_cut_by_the_button_loses_nothing(self):
        hub = self.demo()
        self.page(hub.url)
        expected = [f"message {i}" for i in range(30)]
        for data in expected[:10]:
            hub.publish("events", data)
        eventually(lambda: len(self.messages()) == 10, "ten messages")
        self.browser.choose("[data-testid=inspector-cut-seconds]", "1")
        self.browser.click("[data-testid=inspector-cut]")
        self.wait_text("#connection-state", "closed")
        for data in expected[10:20]:
            hub.publish("events", data)
        self.wait_text("#connection-state", "open")
        for data in expected[20:]:
            hub.publish("events", data)
        self.check_nothing_lost(expected)
        self.assertEqual(self.browser.text("#reconnects"), "1")
        self.wait_text("#inspector-report", "missed: 0, repeated: 0")
        caught = {row["data"] for row in self.browser.run(ROWS) if row["kind"] == "caught"}
        self.assertLessEqual(set(expected[10:20]), caught)
        self.screenshot("resumed")

    def test_cut_by_the_network_loses_nothing(self):
        hub = self.demo()
        proxy = CutProxy(hub.address)
        self.addCleanup(proxy.close)
        self.expected_errors = ("net::ERR_",)
        self.page(proxy.url)
        expected = []
        for round in range(3):
            for i in range(10):
                expected.append(f"round {round}, message {i}")
                hub.publish("events", expected[-1])
            eventually(lambda: len(self.messages()) == len(expected), "all messages so far")
            proxy.cut()
            expected.append(f"round {round}, nobody there")
            hub.publish("events", expected[-1])
            self.browser.wait("Number(document.querySelector('#reconnects').textContent) > "
                              "arguments[0]", round)
        self.check_nothing_lost(expected)

    def test_a_gap_is_told_after_the_hub_was_killed(self):
        hub = self.demo(listen=lasting_address())
        self.expected_errors = ("net::ERR_",)
        self.page(hub.url)
        self.join("ann")
        hub.publish("events", "will be lost")
        eventually(lambda: self.messages() == ["will be lost"], "the message")
        hub.process.send_signal(signal.SIGKILL)
        hub.process.wait()
        self.wait_text("#connection-state", "connecting")
        again = self.demo(listen=hub.address)
        self.wait_text("#inspector-gap", "The hub was started anew")
        self.wait_text("#connection-state", "open")
        self.wait_text("#inspector-gaps", "1")
        self.browser.wait("document.querySelector('#inspector-rows .gap .badge[data-type=gap]')")
        # And it goes on.
        again.publish("events", "after the restart")
        eventually(lambda: self.messages() == ["will be lost", "after the restart"], "both")
        self.browser.wait("document.querySelector('#inspector-report').textContent"
                          ".includes('the hub told of a gap')")
        self.assertEqual(self.browser.text("#inspector-repeated"), "0")
        # The chat, too: it says so, and who is here.
        self.wait_text("#chat-log", "something is missing here")
        self.wait_text("#chat-state", "You are ann.")
        self.wait_text("#chat-users", "ann (you)")
        self.screenshot("gap", whole=True)

    def test_other_streams(self):
        hub = self.demo()
        self.page(hub.url)
        self.wait_number("#update-id")
        more = "document.querySelector('[data-testid=inspector-more]').open = true"
        self.browser.run(more)
        for streams in ("events, weather", "events, updates"):
            self.browser.type("[data-testid=inspector-streams]", streams + ENTER)
            self.browser.wait("document.querySelector('#connection-state').textContent === 'open'")
            hub.publish("weather", f"with {streams}")
            hub.publish("events", f"seen with {streams}")
            self.wait_text("#inspector-rows", f"seen with {streams}")
            with hub.stream("/events?stream=updates") as updates:
                for _ in range(2):
                    updates.read_until(b"event: update\n")
        self.assertIn("with events, weather", self.messages())
        self.assertNotIn("with events, updates", self.messages())
        # The updates in between were not asked for, so they are not missed.
        self.assertEqual(self.browser.text("#inspector-missed"), "0")

    def test_an_id_that_never_was(self):
        self.page(self.demo().url)
        self.browser.click("[data-testid=inspector-probe]")
        self.wait_text("#inspector-gap", '"reason":"unknown_id"')
        self.assertEqual(self.browser.text("#inspector-gaps"), "0", "it is not this page's stream")

    # --- for everybody

    def test_keyboard(self):
        self.page(self.demo().url)
        self.browser.run("document.activeElement.blur()")
        self.browser.press(TAB)
        self.assertEqual(self.browser.run("return document.activeElement.className"), "skip")
        self.browser.press(ENTER)
        self.assertEqual(self.browser.run("return location.hash"), "#live")
        focus = """const one = document.activeElement, style = getComputedStyle(one);
          return {name: one.dataset.testid || one.id || one.tagName,
                  visible: style.outlineStyle !== 'none'}"""
        reached = []
        while not reached or reached[-1] != "inspector-more-summary":
            self.browser.press(TAB)
            at = self.browser.run(focus)
            self.assertTrue(at["visible"], f"the focus is not seen at {at['name']}")
            reached.append(at["name"])
            if at["name"] == "SUMMARY" or len(reached) > 60:
                break
        for name in ("publish-type", "publish-data", "publish-send", "chat-name", "chat-join",
                     "inspector-cut", "inspector-filter"):
            self.assertIn(name, reached)
        # By keys alone: a message is published.
        self.browser.run("document.querySelector('[data-testid=publish-data]').focus()")
        self.browser.press(TAB, ENTER)
        self.wait_text("#publish-result", "204")

    def test_names_for_screen_readers(self):
        self.page(self.demo().url)
        nodes = self.browser.devtools("Accessibility.getFullAXTree")["nodes"]
        needs_name = {"button", "textbox", "searchbox", "combobox", "link", "progressbar", "region",
                      "log", "navigation", "image"}
        nameless = [node["role"]["value"] for node in nodes if not node["ignored"]
                    and node["role"]["value"] in needs_name and not node["name"]["value"]]
        self.assertEqual(nameless, [])
        headings = [node for node in nodes if node["role"]["value"] == "heading"]
        self.assertGreaterEqual(len(headings), 4)

    def emulate(self, scheme, width=1280, height=900, mobile=False):
        self.browser.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])
        self.browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                              deviceScaleFactor=2 if mobile else 1, mobile=mobile)

    CONTRAST = """
      const luminance = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (element) => {
        for (; element; element = element.parentElement) {
          const color = getComputedStyle(element).backgroundColor;
          if (!/rgba\\(.*, 0\\)$/.test(color)) return color;
        }
        return 'rgb(255, 255, 255)';
      };
      const poor = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let node; (node = walker.nextNode());) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility()) continue;
        if (element.closest(':disabled')) continue;
        const [one, other] = [getComputedStyle(element).color, ground(element)].map(luminance);
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < 4.5) poor.push(`${node.data.trim()}: ${ratio.toFixed(2)}`);
      }
      return [...new Set(poor)];"""

    def test_light_and_dark(self):
        self.page(self.demo().url)
        grounds = {}
        for scheme in ("light", "dark"):
            self.emulate(scheme)
            self.wait_feeds()
            grounds[scheme] = self.browser.run(
                "return getComputedStyle(document.body).backgroundColor")
            self.assertEqual(self.browser.run(self.CONTRAST), [], f"hard to read when {scheme}")
            self.screenshot(scheme, whole=True)
        self.assertNotEqual(grounds["light"], grounds["dark"])
        # The button overrules the system, and is remembered.
        self.browser.click("[data-testid=theme]")
        background = "getComputedStyle(document.body).backgroundColor === arguments[0]"
        self.browser.wait(background, grounds["light"])
        self.browser.open(self.browser.run("return location.href.split('#')[0]"))
        self.browser.wait(background, grounds["light"])
        self.browser.run("localStorage.clear()")

    def test_phone(self):
        self.page(self.demo().url)
        self.emulate("light", 390, 844, mobile=True)
        self.wait_feeds()
        for scheme in ("light", "dark"):
            self.emulate(scheme, 390, 844, mobile=True)
            self.assertLessEqual(
                self.browser.run("return document.scrollingElement.scrollWidth"), 390)
            self.screenshot(f"phone-{scheme}", whole=True)
        small = self.browser.run(
            "return [...document.querySelectorAll('button, input, select')]"
            ".filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 36)"
            ".map((one) => one.id)")
        self.assertEqual(small, [], "too small for a finger")


if __name__ == "__main__":
    main()
