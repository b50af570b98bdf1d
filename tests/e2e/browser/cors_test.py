#!/usr/bin/env python3
"""Pages of another origin that send credentials, as htmx-ext-sse does: who may read is what
--cors-origins says."""

from http.server import BaseHTTPRequestHandler

from browser_case import BrowserCase, Hub, main

from others import Answering, Site

OPEN, CLOSED = 1, 2


class EmptyPage(Answering, BaseHTTPRequestHandler):
    """Of an origin whose every page is empty and has a cookie."""

    def do_GET(self):
        self.answer(b"<!doctype html><link rel=icon href=data:,><title>page</title>", "text/html",
                    headers=[("Set-Cookie", "session=1")])


class Credentials(BrowserCase):
    def site(self):
        site = Site(EmptyPage)
        self.addCleanup(site.close)
        return site.url

    def hub(self, *origins):
        hub = Hub("--drain-timeout", "0s", *(f"--cors-origins={origin}" for origin in origins))
        self.addCleanup(hub.__exit__)
        return hub

    def listen(self, hub, origin, credentials):
        """The state of an EventSource on a page of `origin`, once it is known."""
        self.window(origin + "/")
        self.browser.run(
            "window.got = []; window.es = new EventSource(arguments[0], arguments[1]);"
            "es.onmessage = (e) => got.push(e.data);",
            hub.url + "/events?stream=a", {"withCredentials": credentials})
        self.browser.wait("es.readyState !== EventSource.CONNECTING")
        return self.browser.run("return es.readyState")

    def publish(self, hub, credentials):
        """Whether a page's script got an answer; with a field that needs a preflight."""
        return self.browser.run(
            "return fetch(arguments[0], {method: 'POST', body: 'from a page',"
            " credentials: arguments[1], headers: {'X-Requested-With': 'a page'}})"
            ".then((answer) => answer.headers.get('Event-ID') !== null, () => false)",
            hub.url + "/publish?stream=a", credentials)

    def test_a_page_of_the_list_reads_with_credentials(self):
        page = self.site()
        hub = self.hub(page)
        self.assertEqual(self.listen(hub, page, True), OPEN)
        self.assertTrue(self.publish(hub, "include"))
        self.browser.wait("got.includes('from a page')")
        self.assertTrue(self.publish(hub, "omit"))
        status = ("return fetch(arguments[0], {credentials: 'include'})"
                  ".then((answer) => answer.status, () => 0)")
        self.expected_errors = ("404",)
        self.assertEqual(self.browser.run(status, hub.url + "/none"), 404)

    def test_another_page_reads_nothing(self):
        hub = self.hub(self.site())
        self.expected_errors = ("CORS policy", "Failed to load resource")
        stranger = self.site()
        for credentials in (True, False):
            self.assertEqual(self.listen(hub, stranger, credentials), CLOSED)
        self.assertFalse(self.publish(hub, "include"))
        self.assertFalse(self.publish(hub, "omit"))

    def test_everybody_is_nobody_with_credentials(self):
        hub = self.hub()
        self.expected_errors = ("CORS policy", "Failed to load resource")
        page = self.site()
        self.assertEqual(self.listen(hub, page, True), CLOSED)
        self.assertEqual(self.listen(hub, page, False), OPEN)
        self.assertTrue(self.publish(hub, "omit"))

    def test_the_list_stands_beside_everybody(self):
        page = self.site()
        hub = self.hub("*", page)
        self.assertEqual(self.listen(hub, page, True), OPEN)
        self.assertEqual(self.listen(hub, self.site(), False), OPEN)


if __name__ == "__main__":
    main()
