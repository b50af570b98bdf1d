"""Chromium, driven by its chromedriver (W3C WebDriver, https://www.w3.org/TR/webdriver2/).

Nothing is fetched from outside, and nothing stays behind: the driver has a process group of its
own, which ends with it, and the profile is a temporary folder.
"""

import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from hub import DEADLINE, eventually

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
SKIPPED = 77  # what ctest takes for a test that could not be run

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
    "--no-first-run", "--no-proxy-server", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-extensions", "--mute-audio", "--hide-scrollbars",
    # Several windows are used at once; none of them is to be slowed down.
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element reference

TAB, ENTER, SHIFT = "\ue004", "\ue007", "\ue008"


class WebDriverError(Exception):
    pass


class Browser:
    """One browser with its windows. The window that commands go to is chosen by `window`."""

    def __init__(self, width=1280, height=900):
        self.cleanup = contextlib.ExitStack()
        try:
            self._start(width, height)
        except BaseException:
            self.cleanup.close()
            raise

    def _start(self, width, height):
        profile = self.cleanup.enter_context(
            tempfile.TemporaryDirectory(prefix="tocsin-browser-", ignore_cleanup_errors=True))
        # Where the browser puts what is not in its profile.
        environment = {**os.environ, "HOME": profile, "XDG_CONFIG_HOME": profile,
                       "XDG_CACHE_HOME": profile}
        driver = subprocess.Popen([CHROMEDRIVER, "--port=0"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  env=environment, start_new_session=True)
        self.cleanup.callback(self._end, driver)
        port = None
        while port is None:
            line = driver.stdout.readline()
            if not line:
                raise WebDriverError("chromedriver did not start")
            if found := re.search(r"started successfully on port (\d+)", line):
                port = int(found.group(1))
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2 * DEADLINE)
        self.cleanup.callback(self.connection.close)
        self.session = ""
        options = {"binary": CHROMIUM,
                   "args": [*FLAGS, f"--user-data-dir={profile}/profile",
                            f"--window-size={width},{height}"]}
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options,
                        "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session = "/session/" + answer["sessionId"]
        self.cleanup.callback(self._quit)

    def _quit(self):
        with contextlib.suppress(WebDriverError, OSError, http.client.HTTPException):
            self.call("DELETE", "")

    @staticmethod
    def _end(driver):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)
        driver.stdout.close()
        driver.wait()

    def close(self):
        self.cleanup.close()

    def call(self, method, path, body=None):
        text = json.dumps(body or {}) if method == "POST" else None
        self.connection.request(method, self.session + path if path != "/session" else path, text,
                                {"Content-Type": "application/json"})
        answer = json.loads(self.connection.getresponse().read())["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise WebDriverError(f"{path}: {answer['error']}: {answer['message']}")
        return answer

    # --- windows

    def window(self, handle=None):
        """Goes to the window, or to a new one, and returns its handle."""
        handle = handle or self.call("POST", "/window/new", {"type": "window"})["handle"]
        self.call("POST", "/window", {"handle": handle})
        return handle

    def current_window(self):
        return self.call("GET", "/window")

    def close_window(self):
        """The current one; another must be chosen then."""
        return self.call("DELETE", "/window")

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    # --- the page

    def run(self, script, *arguments):
        """The body of a function: `return ...`, `arguments[0]`."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition, *arguments, what=""):
        """Until the expression is true."""
        eventually(lambda: self.run(f"return {condition}", *arguments), what or condition)

    def find(self, selector):
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent.trim()", selector)

    def click(self, selector):
        self.call("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        """In place of what stood there."""
        element = self.find(selector)
        self.call("POST", f"/element/{element}/clear")
        self.call("POST", f"/element/{element}/value", {"text": text})

    def choose(self, selector, value):
        self.run("const s = document.querySelector(arguments[0]); s.value = arguments[1];"
                 "s.dispatchEvent(new Event('input', {bubbles: true}));"
                 "s.dispatchEvent(new Event('change', {bubbles: true}));", selector, value)

    def press(self, *keys):
        """The keys one after another, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions",
                  {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    # --- the browser

    def devtools(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def console(self):
        """What was written since the last call, as (level, message)."""
        return [(entry["level"], entry["message"])
                for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path, whole=False):
        options = {"format": "png"}
        if whole:
            size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
            options["captureBeyondViewport"] = True
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"],
                               "scale": 1}
        data = self.devtools("Page.captureScreenshot", **options)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
