#!/usr/bin/env python3
"""The recipes of docs/auth-recipes.md that have a page: as they stand there, but for ports and how
long something is good."""

import json
import os
import urllib.request
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

from browser_case import BrowserCase, eventually, main

from hub import DEADLINE, run
from others import Answering, Site
from recipes import PYTHON, Recipe, need

import fetch  # of bench

INTEROP = Path(__file__).resolve().parent.parent / "interop" / "ofrep"
PROVIDER_PAGE = """<!doctype html>
<link rel="icon" href="data:,">
<script type="importmap">{"imports": {
  "@openfeature/core": "/node_modules/@openfeature/core/dist/esm/index.js",
  "@openfeature/web-sdk": "/node_modules/@openfeature/web-sdk/dist/esm/index.js",
  "@openfeature/ofrep-core": "/node_modules/@openfeature/ofrep-core/index.esm.js",
  "@openfeature/ofrep-web-provider": "/node_modules/@openfeature/ofrep-web-provider/index.esm.js"
}}</script>
<script type="module">
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature } from "@openfeature/web-sdk";
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: location.origin }));
window.flag = () => {
  const details = OpenFeature.getClient().getBooleanDetails("dark-mode", false);
  return details.errorCode ?? details.value;
};
</script>
"""


class ProviderSite(Site):
    """The origin of a page with a flag provider: it passes on what is for the flag service."""

    def __init__(self, folder):
        site = self
        self.flags = ""  # the flag service's URL

        class Handler(Answering, SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(folder))

            def do_GET(self):
                if self.path == "/":
                    self.answer(PROVIDER_PAGE.encode(), "text/html")
                else:
                    super().do_GET()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(site.ask("POST", self.path, body))

        super().__init__(Handler)

    def ask(self, method, path, body):
        request = urllib.request.Request(self.flags + path, body, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=DEADLINE) as answer:
            return answer.read()


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
        recipe, hub = self.start("A signed URL", {"goodFor = 600": "goodFor = 4"},
                                 [node], "backend.mjs")

        def publish(topic, text):
            run("publish", "--url", hub.url, "--token-file", str(recipe.folder / "backend-key"),
                "--topic", topic, text)
        self.wait_opened(hub, 1)
        publish("news", "it rains")
        publish("what's new", "an umbrella")
        self.wait_lines("it rains", "an umbrella")
        # The page asks for another URL, and goes on behind the last event.
        self.wait_opened(hub, 2)
        publish("news", "the sun shines")
        self.wait_lines("it rains", "an umbrella", "the sun shines")

    def test_a_flag_service(self):
        """With OpenFeature's own provider."""
        folder = Path(os.environ["BUILD"]) / "interop" / "ofrep"
        if why := fetch.fetch_from_npm("OpenFeature's provider", str(INTEROP), str(folder)):
            self.skipTest(why)
        self.expected_errors = ("401 (Unauthorized)",)  # when a URL is over
        site = ProviderSite(folder)
        self.addCleanup(site.close)
        recipe = Recipe("A flag service", {"https://www.example.com": site.url,
                                           "3600 - int(time.time()) % 1800": "8"})
        self.addCleanup(recipe.close)
        site.flags = recipe.url
        hub = recipe.hub()
        self.addCleanup(hub.__exit__)
        self.addCleanup(recipe.site(PYTHON, "flags.py").__exit__)

        def switch(value):
            site.ask("PUT", "/flags", json.dumps({"dark-mode": value}).encode())
            self.browser.wait("window.flag() === arguments[0]", value)
        self.window(site.url + "/")
        self.browser.wait("window.flag && window.flag() === false")
        hub.wait_streams(1)
        switch(True)
        # The stream ends with its URL, and the provider asks for another one.
        opened = hub.counter("tocsin_streams_opened_total")
        self.wait_opened(hub, opened + 1)
        switch(False)


if __name__ == "__main__":
    main()
