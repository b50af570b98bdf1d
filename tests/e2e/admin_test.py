"""docs/admin.md, as an operator follows it: its configuration, its requests, SIGHUP and a restart."""

import json
import os
import re
import signal
import tempfile
import time
import unittest
from pathlib import Path

from hub import Hub, eventually, run

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "admin.md"
ISSUER = '''
[[auth.issuers]]
audience = ["hub"]
keys = [{ secret_file = "secret" }]
'''


def bearer(credential):
    return f"Authorization: Bearer {credential}\r\n"


class Admin(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("secret", "a secret of thirty-two bytes, or more")
        self.key, table = run("key", "--name", "operator")[0].split("\n\n", 1)
        hashed = re.search(r'"(sha256:[^"]+)"', table).group(1)
        # The tables of the document, with a hash that is one.
        blocks = re.findall(r"(?s)```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"))
        self.assertEqual(len(blocks), 2)
        self.tables = ["[auth]\n" + blocks[0].replace("sha256:…", hashed) + ISSUER, blocks[1]]
        self.config = self.write("f.toml", self.tables[1] + self.tables[0])
        self.hub = None

    def write(self, name, text):
        path = Path(self.folder.name) / name
        path.write_text(text, encoding="utf-8")
        os.chmod(path, 0o600)
        return str(path)

    def token(self, subject, *arguments):
        return bearer(run("token", "mint", "--config", self.config, "--subject", subject,
                          *arguments)[0].strip())

    def ask(self, method, path, body=None):
        status, _, text = self.hub.ask(method, "/admin/" + path,
                                       json.dumps(body).encode() if body else b"", bearer(self.key))
        return status, json.loads(text) if text else None

    def test_the_configuration_of_the_document_is_good(self):
        self.assertNotIn("presence", run("check", "--config", self.config)[1])

    def test_the_document_names_every_request(self):
        named = set(re.findall(r"^\| `(?:GET|POST|DELETE) (/admin/[a-z]+)",
                               DOCUMENT.read_text(encoding="utf-8"), re.M))
        source = (DOCUMENT.parents[1] / "net/http/admin/admin_api.cc").read_text(encoding="utf-8")
        self.assertEqual(named, {path.rstrip("/") for path in re.findall(r'"(/admin/[^"]*)"', source)})

    def test_a_day_of_an_operator(self):
        with Hub("--config", self.config) as self.hub:
            reader = self.token("u1", "--subscribe", "chat/*", "--subscribe", "presence/*")
            writer = self.token("w", "--publish", "*")
            with self.hub.stream("/events?stream=presence/chat/1", reader) as watcher, \
                    self.hub.stream("/events?stream=chat/1", reader) as stream:
                self.assertIn(b'"joined":["u1"]', watcher.read_until(b'"subjects":1}\n'))
                self.assertEqual(
                    self.hub.ask("POST", "/publish?stream=chat/1", b"x", writer)[0], 204)
                stream.read_until(b"data: x\n")
                self.assertEqual(
                    self.hub.ask("POST", "/publish?stream=presence/chat/1", b"x", writer)[0], 403)
                topic = self.ask("GET", "topics/chat/1")[1]
                self.assertEqual((topic["name"], topic["events"], topic["subscribers"]),
                                 ("chat/1", 1, 1))
                self.assertIn(topic, self.ask("GET", "topics")[1]["topics"])
                self.assertEqual(self.ask("GET", "presence?topic=chat/1")[1],
                                 {"topic": "chat/1", "streams": 1, "anonymous": 0,
                                  "subjects": [{"subject": "u1", "streams": 1}]})
                found = self.ask("GET", "streams?topic=chat/1")[1]["streams"]
                self.assertEqual(self.ask("POST", "disconnect", {"stream": found[0]["id"]}),
                                 (200, {"streams": 1}))
                self.assertIn(b'data: {"reason":"disconnected"}\n', stream.read_to_end())
                watcher.read_until(b'"left":["u1"],"subjects":0}\n')
                self.assertEqual(
                    self.ask("POST", "revoke", {"subject": "u1", "until": int(time.time()) + 900}),
                    (200, {"streams": 1}))
                self.assertIn(b'data: {"reason":"revoked"}\n', watcher.read_to_end())
            self.assertEqual(self.ask("DELETE", "topics/chat/1"), (204, None))

            # SIGHUP leaves revocations as they are, also where it changes [auth].
            self.hub.signal(signal.SIGHUP)
            self.hub.wait_log("nothing has changed")
            self.write("f.toml", self.tables[1] + self.tables[0] + ISSUER.replace('"hub"', '"b"')
                       .replace("[[auth.issuers]]", '[[auth.issuers]]\niss = "b"'))
            self.hub.signal(signal.SIGHUP)
            self.hub.wait_log("applied=auth")
            status, _, text = self.hub.ask("GET", "/events?stream=chat/1", fields=reader)
            self.assertEqual(status, 401)
            self.assertIn("subject u1 is revoked for another 1", text)
        # A restart does not.
        with Hub("--config", self.config) as self.hub:
            self.assertEqual(self.ask("GET", "revocations")[1], {"revocations": []})
            with self.hub.stream("/events?stream=chat/1", reader):
                pass
            eventually(lambda: self.ask("GET", "streams")[1]["streams"] == [], "the end of it")

    def test_an_open_hub_has_none(self):
        with Hub() as self.hub:
            self.assertEqual(self.ask("GET", "topics")[0], 404)


if __name__ == "__main__":
    unittest.main()
