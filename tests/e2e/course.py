"""The programs of docs/clients.md, each run as it stands there.

A heading of the third level is a client, the block of code below it its program, and the language
of that block says what runs it. Only the hub's address is another one. What a program needs comes
from its registry in the versions that interop/course pins, into BUILD/interop/course, once.
"""

import functools
import os
import re
import shutil
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import foreign
from foreign import fetch, skip_if
from hub import Process, ports
from relay import Relay

sys.path.append(str(Path(__file__).resolve().parent / "browser"))
import webdriver  # noqa: E402

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
ADDRESS = "http://127.0.0.1:8080"  # where the document's programs find the hub
SOURCE = foreign.SOURCE / "course"
SYMFONY = "/usr/share/php/Symfony/Component/HttpClient/autoload.php"
FOLDER = foreign.BUILD / "interop" / "course"


def programs(text):
    """Client -> (language, code)."""
    return {name: (language, code) for name, language, code in re.findall(
        r"^### ([^\n]+)\n(?:(?!^### ).)*?^```(\w+)\n(.*?)^```$", text, re.S | re.M)}


def rows(text):
    """Client -> the cells behind its name in the document's first table."""
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in re.findall(
        r"^\| \[([^]\n]+)\]\(#[^)\n]*\) \|(.*)\|$", text, re.M)}


def identifier(client):
    return re.sub(r"\W+", "_", client).lower()


def words(text):
    """`1…5 gap 11…13`, all of them."""
    found = []
    for word in text.split():
        first, _, last = word.partition("…")
        found += map(str, range(int(first), int(last) + 1)) if last else [word]
    return found


def word(line):
    """What a program said of an event, which is its type (some leave out `message`) and its data:
    the number for one that was published, the type for one of the hub's own."""
    kind, _, data = line.partition(" ")
    if kind in ("", "message"):
        return data
    return kind if kind in ("gap", "open") else line


def pinned(registry, package):
    """The version that interop/course has of it."""
    file, pattern = {
        "npm": ("node/package.json", r'"{}": "(.+)"'),
        "PyPI": ("python/requirements.txt", r"^{}==(.+)$"),
        "Go": ("go/go.mod", r"^\t{} v(.+)$"),
        "Maven": ("java/pom.xml", r"<artifactId>{}</artifactId>\s*<version>(.+)</version>"),
        "crates.io": ("rust/Cargo.toml", r'^{} = "=(.+)"$'),
    }[registry]
    return re.search(pattern.format(re.escape(package)),
                     (SOURCE / file).read_text(encoding="utf-8"), re.M).group(1)


def write(path, text):
    """Only if it is another one: what is newer gets built again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


# --- for each language: what starts a program

def python(name, code):
    modules = FOLDER / "python"
    skip_if(fetch.fetch_from_pypi("the clients in Python", sys.executable,
                                  str(SOURCE / "python/requirements.txt"), str(modules)))
    return Process("-u", write(FOLDER / "programs" / f"{name}_program.py", code),
                   program=[sys.executable],
                   environment={**os.environ, "PYTHONPATH": str(modules)})


def node_modules():
    folder = FOLDER / "node"
    skip_if(fetch.fetch_from_npm("the clients on Node", str(SOURCE / "node"), str(folder)))
    return folder


def js(name, code):
    return Process(write(node_modules() / f"{name}.mjs", code), program=["node"])


def go(name, code):
    folder = FOLDER / "go" / name
    for list_of in ("go.mod", "go.sum"):
        write(folder / list_of, (SOURCE / "go" / list_of).read_text(encoding="utf-8"))
    write(folder / "main.go", code)
    binary = FOLDER / "programs" / f"go_{name}"
    skip_if(fetch.build_with_go(name, str(folder), str(binary)))
    return Process(program=[binary])


def rust(name, code):
    folder = FOLDER / "rust" / name
    write(folder / "Cargo.toml", (SOURCE / "rust/Cargo.toml").read_text(encoding="utf-8"))
    write(folder / "src/main.rs", code)
    skip_if(fetch.build_with_cargo(name, str(folder)))
    return Process(program=[folder / "target/debug/program"])


def java(name, code):
    archives = FOLDER / "java"
    skip_if(fetch.fetch_from_maven("the clients in Java", str(SOURCE / "java/pom.xml"),
                                   str(archives)))
    # It compiles what it is given. One thread of its own each is enough.
    return Process("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{archives}/*",
                   write(FOLDER / "programs" / f"{name}.java", code), program=["java"])


def php(name, code):
    skip_if("" if shutil.which("php") and Path(SYMFONY).exists()
            else "no php with symfony/http-client (Debian: php-cli, php-symfony-http-client)")
    return Process(write(FOLDER / "programs" / f"{name}.php", code), program=["php"])


LANGUAGES = {"python": python, "js": js, "go": go, "rust": rust, "java": java, "php": php}


class Pages:
    """A browser, and a server from which it has the pages and the libraries that they name."""

    def __init__(self):
        skip_if("" if webdriver.CHROMIUM and webdriver.CHROMEDRIVER
                else "no Chromium with chromedriver (Debian: chromium, chromium-driver)")
        self.folder = node_modules() / "node_modules"
        handler = functools.partial(QuietHandler, directory=str(self.folder))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.browser = webdriver.Browser()

    def close(self):
        self.browser.close()
        self.server.shutdown()
        self.server.server_close()

    def page(self, name, code):
        write(self.folder / f"{name}.html", code)
        return Page(self.browser, f"http://127.0.0.1:{self.server.server_port}/{name}.html")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Page:
    """A program in a window of its own; what it says is what the page shows."""

    def __init__(self, browser, url):
        self.browser = browser
        self.window = browser.window()
        browser.open(url)

    def __exit__(self, *_):
        self.browser.window(self.window)

    @property
    def out(self):
        self.browser.window(self.window)
        text = self.browser.run("return document.body.innerText")
        return [line for line in text.split("\n") if line]

    @property
    def log(self):
        return [message for _, message in self.browser.console()]


class Client:
    """A program of the document with a relay of its own between it and the hub."""

    def __init__(self, name, hub):
        self.name = name
        self.relay = Relay(hub.address, ports.take())
        self.program = None
        self.came_anew = 0  # while its stream was silent

    def start(self, language, code, pages):
        name = identifier(self.name)
        code = code.replace(ADDRESS, self.relay.url)
        start = pages.page if language == "html" else LANGUAGES[language]
        self.program = start(name, code)

    def stop(self):
        if self.program:
            self.program.__exit__()
        self.relay.__exit__()

    def said(self):
        return [word(line) for line in self.program.out]

    def is_over(self):
        return isinstance(self.program, Process) and self.program.process.poll() is not None
