#!/usr/bin/env python3
"""The recipes of docs/auth-recipes.md that have a page: as they stand there, but for ports and how
long something is good."""

from browser_case import BrowserCase, eventually, main

from hub import run
from recipes import PYTHON, Recipe, need

LINES = "return [...document.querySelectorAll('li')].map((line) => line.textContent)"


class Recipes(BrowserCase):
    def start(self, name, other, program, file):
        """The recipe's hub and its back end, and a window with its page."""
        recipe = Recipe(name, other)
        self.addCleanup(recipe.close)
        hub = recipe.hub()
        self.addCleanup(hub.__exit__)
        self.addCleanup(recipe.site(program, file).__exit__)
        self.window(recipe.url + "/")
        return recipe, hub

    def wait_lines(self, *lines):
        eventually(lambda: len(self.browser.run(LINES)) >= len(lines), f"{lines} on the page")
        self.assertEqual(self.browser.run(LINES), list(lines))

    def wait_opened(self, hub, count):
        """Until so many streams were opened, and one is."""
        eventually(lambda: hub.counter("tocsin_streams_opened_total") >= count,
                   f"{count} streams")
        hub.wait_streams(1)

    def test_a_cookie(self):
        _, hub = self.start("A cookie", {
            "GOOD_FOR = 3600": "GOOD_FOR = 10",
            "1800_000": "500",
            "require_expiry = true": 'require_expiry = true\nleeway = "0s"',
        }, PYTHON, "backend.py")
        self.wait_opened(hub, 1)
        self.browser.click("button")
        self.wait_lines("a new order")
        # It ends with the token that it was opened with, and comes back with the one of now.
        self.wait_opened(hub, 2)
        self.browser.click("button")
        self.wait_lines("a new order", "a new order")
        self.assertEqual(hub.counter("tocsin_denials_total"), 0)

    def test_a_signed_url(self):
        node = need("node", "nodejs")
        self.expected_errors = ("401 (Unauthorized)",)  # a URL that was old when it was used
        recipe, hub = self.start("A signed URL", {"goodFor = 600": "goodFor = 2"},
                                 [node], "backend.mjs")

        def publish(topic, text):
            run("publish", "--url", hub.url, "--token-file", str(recipe.folder / "backend-key"),
                "--topic", topic, text)
        self.wait_opened(hub, 1)
        publish("news", "it rains")
        publish("what's new", "an umbrella")
        self.wait_lines("it rains", "an umbrella")
        # The page asks for another URL, and goes on behind the last event.
        self.wait_opened(hub, 3)
        publish("news", "the sun shines")
        self.wait_lines("it rains", "an umbrella", "the sun shines")


if __name__ == "__main__":
    main()
