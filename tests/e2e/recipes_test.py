#!/usr/bin/env python3
"""The recipes of docs/auth-recipes.md that need no browser, and what they sign in each language.

What a machine lacks is told, and skipped.
"""

import json
import subprocess
import tempfile
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import recipes
from hub import DEADLINE, eventually, run
from others import Answering, Site, make_key
from recipes import PYTHON, SECTIONS, Recipe

BUILD_S = 300  # Go's first build has all of its library to compile

# Characters that languages escape each in their own way.
TOPICS = ["chat/1", "a b", "what's new", "Größe", "50%&more=+#", "~!*()-._"]
CLAIMS = {"aud": "hub", "sub": "jürgen", "tocsin": {"subscribe": ["chat/*"]}}
ISSUER = '[[auth.issuers]]\naudience = ["hub"]\nkeys = [{ secret_file = "secret" }]\n'

# Programs that print what the document's functions return, a line each. They are given the topics
# and the claims, both as JSON.
DRIVERS = {
    "driver.py": """
import json, sys
from sign_token import sign_token
from sign_url import sign_url
print(sign_url("", json.loads(sys.argv[1]), 600))
print(sign_token(json.loads(sys.argv[2]), 600))
""",
    "driver.mjs": """
import { signToken } from "./sign_token.mjs";
import { signUrl } from "./sign_url.mjs";
console.log(signUrl("", JSON.parse(process.argv[2]), 600));
console.log(signToken(JSON.parse(process.argv[3]), 600));
""",
    "driver.php": """<?php
require "sign_token.php";
require "sign_url.php";
echo sign_url("", json_decode($argv[1]), 600), "\\n";
echo sign_token(json_decode($argv[2], true), 600), "\\n";
""",
    "driver.go": """package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

func must(text string, err error) string {
	if err != nil {
		panic(err)
	}
	return text
}

func main() {
	var topics []string
	var claims map[string]any
	if json.Unmarshal([]byte(os.Args[1]), &topics) != nil || json.Unmarshal([]byte(os.Args[2]), &claims) != nil {
		panic("not JSON")
	}
	fmt.Println(must(signURL("", topics, 10*time.Minute)))
	fmt.Println(must(signToken(claims, 10*time.Minute)))
}
""",
    "driver.rb": """
require "json"
require_relative "sign_token"
require_relative "sign_url"
puts sign_url("", JSON.parse(ARGV[0]), 600)
puts sign_token(JSON.parse(ARGV[1]), 600)
""",
}


def ask(method, url, value=None):
    """The answer to a request with JSON, from JSON."""
    request = urllib.request.Request(url, json.dumps(value or {}).encode(), method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=DEADLINE) as answer:
        return json.load(answer)


def bearer(credential):
    return f"Authorization: Bearer {credential}\r\n"


class Document(unittest.TestCase):
    def test_the_files_of_each_recipe_are_found(self):
        found = {name: sorted(recipes.files(section)) for name, section in SECTIONS.items()}
        signing = [f"sign_{what}.{language}" for what in ("token", "url")
                   for language in ("go", "mjs", "php", "py", "rb")]
        self.assertEqual(found.pop(recipes.SIGNING), signing)
        for name, names in found.items():
            self.assertIn("tocsin.toml", names, name)
            self.assertIn("tocsin check", recipes.preparation(SECTIONS[name]), name)


class Signing(unittest.TestCase):
    """What each language signs, the hub takes."""

    @classmethod
    def setUpClass(cls):
        cls.recipe = Recipe("A signed URL")
        cls.addClassCleanup(cls.recipe.close)
        for name, text in DRIVERS.items():
            (cls.recipe.folder / name).write_text(text, encoding="utf-8")
        config = cls.recipe.folder / "tocsin.toml"
        with config.open("a", encoding="utf-8") as file:
            file.write(ISSUER)
        secret = cls.recipe.folder / "secret"
        secret.write_text("a secret of thirty-two bytes, or more\n", encoding="utf-8")
        secret.chmod(0o600)
        cls.hub = cls.recipe.hub()
        cls.addClassCleanup(cls.hub.__exit__)
        cls.publisher = bearer(cls.recipe.read("backend-key"))

    def run_in_folder(self, *command, timeout=DEADLINE):
        done = subprocess.run(command, cwd=self.recipe.folder, env=recipes.ENVIRONMENT, text=True,
                              capture_output=True, timeout=timeout, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def check(self, *command):
        signed = self.run_in_folder(*command, json.dumps(TOPICS), json.dumps(CLAIMS))
        url, token = signed.splitlines()
        self.check_url(url)
        self.check_token(token)

    def check_url(self, url):
        events = [{"topic": topic, "data": f"to {topic}"} for topic in TOPICS]
        with self.hub.stream(url) as stream:
            status, _, answer = self.hub.ask(
                "POST", "/publish", json.dumps(events).encode(),
                self.publisher + "Content-Type: application/json\r\n")
            self.assertEqual(status, 200, answer)
            for topic in TOPICS:
                stream.read_until(f"data: to {topic}\n".encode())
        self.assertIn("chat%2F1", url)
        self.assertEqual(self.hub.ask("GET", url.replace("chat%2F1", "chat%2F2"))[0], 401)

    def check_token(self, token):
        with self.hub.stream("/events?topic=chat/1", bearer(token)):
            pass
        self.assertEqual(self.hub.ask("GET", "/events?topic=news", fields=bearer(token))[0], 403)
        text, _, signature = token.rpartition(".")
        forged = f"{text}.{'AB'[signature[0] == 'A']}{signature[1:]}"
        self.assertEqual(self.hub.ask("GET", "/events?topic=chat/1", fields=bearer(forged))[0], 401)

    def test_python(self):
        self.check(*PYTHON, "driver.py")

    def test_javascript(self):
        self.check(recipes.need("node", "nodejs"), "driver.mjs")

    def test_php(self):
        self.check(recipes.need("php", "php-cli"), "driver.php")

    def test_go(self):
        go = recipes.need("go", "golang")
        files = ("driver.go", "sign_token.go", "sign_url.go")
        self.run_in_folder(go, "build", "-o", "driver", *files, timeout=BUILD_S)
        self.check("./driver")

    def test_ruby(self):
        self.check(recipes.need("ruby", "ruby"), "driver.rb")


class Recipes(unittest.TestCase):
    def test_a_flag_service(self):
        recipe = Recipe("A flag service")
        self.addCleanup(recipe.close)
        with recipe.hub() as hub, recipe.site(PYTHON, "flags.py"):
            evaluate = recipe.url + "/ofrep/v1/evaluate/flags"
            answer = ask("POST", evaluate)
            self.assertEqual(answer["flags"],
                             [{"key": "dark-mode", "value": False, "reason": "STATIC"}])
            (stream,) = answer["eventStreams"]
            self.assertEqual(set(stream), {"type", "url"})
            self.assertEqual(stream["type"], "sse")
            self.assertTrue(stream["url"].startswith(hub.url + "/events?"), stream)
            target = stream["url"].removeprefix(hub.url)
            with hub.stream(target) as connection:
                ask("PUT", recipe.url + "/flags", {"dark-mode": True})
                # A provider takes the default type, and JSON.
                event = connection.read_until(b'data: {"type":"refetchEvaluation"}\n')
                self.assertNotIn(b"event:", event)
            self.assertEqual(ask("POST", evaluate)["flags"][0]["value"], True)
            self.assertEqual(hub.ask("GET", target.replace("production", "staging"))[0], 401)
            # A provider keeps its connection, as long as the URL is the same.
            urls = [ask("POST", evaluate)["eventStreams"][0]["url"] for _ in range(3)]
            self.assertTrue(urls[0] == urls[1] or urls[1] == urls[2], urls)
            self.assertEqual(hub.ask("GET", "/events?topic=flags/production")[0], 401)


class Webhook(unittest.TestCase):
    """The same back end in three languages."""

    def check(self, file, *program):
        recipe = Recipe("A webhook")
        self.addCleanup(recipe.close)
        command = [part.replace("PORT", recipe.site_port) for part in program]
        with recipe.hub() as hub, recipe.site(command, file):
            session = "Cookie: other=1; sessionid=a-long-random-text\r\n"
            orders = "topic=user/ann/orders"
            with hub.stream("/events?" + orders, session) as stream:
                self.assertEqual(hub.ask("POST", "/publish?" + orders, b"paid",
                                         bearer(recipe.read("backend-key")))[0], 204)
                stream.read_until(b"data: paid\n")
            own_page = session + "Origin: http://hub\r\n"
            for method, target, fields, expected, reason in (
                    ("GET", "/events?topic=user/bob/orders", session, 403, "user/ann/*"),
                    ("GET", "/events?" + orders, "Cookie: sessionid=none\r\n", 401, "log in first"),
                    ("GET", "/events?" + orders, "", 401, "there is no credential"),
                    ("POST", "/publish?" + orders, own_page, 403, "only the shop publishes")):
                status, _, answer = hub.ask(method, target, b"x" * (method == "POST"), fields)
                self.assertEqual(status, expected, answer)
                self.assertIn(reason, answer)

    def test_python(self):
        self.check("webhook.py", *PYTHON)

    def test_javascript(self):
        self.check("webhook.mjs", recipes.need("node", "nodejs"))

    def test_php(self):
        self.check("webhook.php", recipes.need("php", "php-cli"), "-S", "127.0.0.1:PORT")


class Provider(Site):
    """An OpenID provider, as far as a hub sees it: its keys at a URL. The key's number is `kid`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        recipes.need("openssl", "openssl")
        self.keys = []
        provider = self

        class Handler(Answering, BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(json.dumps({"keys": provider.keys}).encode())

        super().__init__(Handler)

    def private_key(self, number):
        return str(self.folder / f"private-{number}.pem")

    def take_key(self, number):
        """From now on this one signs, and no other."""
        self.keys = [{**make_key(self.private_key(number)), "kid": str(number)}]

    def token(self, number):
        return run("token", "mint", "--pem-file", self.private_key(number), "--kid", str(number),
                   "--issuer", "https://id.example.com", "--audience", "hub", "--subject", "ann",
                   "--subscribe", "news")[0].strip()


class OpenIdProvider(unittest.TestCase):
    def test_its_tokens_read_and_its_keys_change(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        provider = Provider(folder.name)
        self.addCleanup(provider.close)
        provider.take_key(1)
        recipe = Recipe("An OpenID provider", {"https://id.example.com/jwks.json": provider.url + "/jwks.json"})
        self.addCleanup(recipe.close)
        with recipe.hub() as hub:
            eventually(lambda: hub.ask("GET", "/readyz")[0] == 200, "the keys")
            with hub.stream("/events?topic=news", bearer(provider.token(1))) as stream:
                self.assertEqual(hub.ask("POST", "/publish?topic=news", b"x",
                                         bearer(recipe.read("backend-key")))[0], 204)
                stream.read_until(b"data: x\n")
            provider.take_key(2)
            with hub.stream("/events?topic=news", bearer(provider.token(2))):
                pass
            self.assertEqual(hub.ask("GET", "/events?topic=news",
                                     fields=bearer(provider.token(1)))[0], 401)


if __name__ == "__main__":
    unittest.main()
