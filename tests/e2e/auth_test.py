"""Who may publish and read, as an operator sees it: the file, the commands, SIGHUP."""

import contextlib
import os
import re
import signal
import tempfile
import unittest
from pathlib import Path

import others
from hub import Hub, each_backend, eventually, run

SECRET = "a secret of thirty-two bytes, or more"
OTHER_SECRET = "another secret of thirty-two bytes, too"
ISSUER = '''
[[auth.issuers]]
iss = "me"
audience = ["hub"]
keys = [{ secret_file = "secret" }]
'''


def bearer(credential):
    return f"Authorization: Bearer {credential}\r\n"


class Auth(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text, mode=0o600):
        path = Path(self.folder.name) / name
        path.write_text(text, encoding="utf-8")
        os.chmod(path, mode)
        return str(path)

    def mint(self, config, *arguments):
        return run("token", "mint", "--config", config, *arguments)[0].strip()

    def test_an_open_hub_listens_on_loopback_only(self):
        for command in ("serve", "demo"):
            _, error = run(command, "--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0", status=2)
            self.assertRegex(error, rf"\Atocsin {command}: listen 0\.0\.0\.0:0: .*--open\n\Z")
        for more in [], ["--quiet"]:
            self.assertRegex(run("check", "--listen", "0.0.0.0:0", *more)[1],
                             r"warning: serve refuses this: listen 0\.0\.0\.0:0: .*--open\n\Z")
        self.assertEqual(run("check", "--quiet", "--listen", "0.0.0.0:0", "--open"), ("", ""))
        self.assertIn("may publish", run("check", "--listen", "0.0.0.0:0", "--open")[1])
        with Hub("--open", listen="0.0.0.0:0") as hub:
            self.assertIn("may publish", hub.wait_log("level=warning"))
        config = self.write("f.toml", "[auth]\n")
        with Hub("--config", config, listen="0.0.0.0:0") as hub:
            self.assertNotIn("may publish", "".join(hub.log))
            self.write("f.toml", "")  # without it the hub would be open, here
            hub.signal(signal.SIGHUP)
            self.assertIn("only a restart opens it", hub.wait_log("configuration not reloaded"))
            self.assertEqual(hub.ask("GET", "/events?stream=a")[0], 401)

    def test_a_key_that_the_command_made(self):
        made = run("key", "--name", "shop")[0]
        key, table = made.split("\n\n", 1)
        self.assertRegex(key, r"\Atocsin_[a-z2-7]{47}\Z")
        config = self.write("f.toml", '[auth]\nanonymous = ["a"]\n' + table)
        token = self.write("token", key + "\n")
        with Hub("--config", config) as hub:
            status, head, body = hub.ask("POST", "/publish?stream=a", b"x")
            self.assertEqual(status, 401, body)
            self.assertIn("WWW-Authenticate: Bearer", head)
            arguments = ("publish", "--url", hub.url, "--stream", "a", "--retry-for", "0s")
            self.assertIn("without a credential", run(*arguments, "x", status=1)[1])
            run(*arguments, "--token-file", token, "by a file")
            run(*arguments, "by a variable", environment=dict(os.environ, TOCSIN_TOKEN=key))
            with hub.stream("/events?stream=a&last_event_id=earliest") as stream:
                stream.read_until(b"data: by a file\n")
                stream.read_until(b"data: by a variable\n")
            self.assertNotIn(key, "".join(hub.log))

    def test_a_token_and_a_signed_url_that_the_commands_made(self):
        self.write("secret", SECRET)
        config = self.write("f.toml", ISSUER + '[[auth.url_keys]]\nid = "a"\nfile = "secret"\n')
        token = self.mint(config, "--subscribe", "chat/*", "--subject", "u1")
        with Hub("--config", config) as hub:
            with hub.stream("/events?stream=chat/1", bearer(token)):
                pass
            with hub.connect() as connection:
                self.assertEqual(connection.ask("GET", "/events?stream=b", fields=bearer(token))[0],
                                 403)
            url, note = run("url", "--config", config, "--kid", "a", "--topic", "b")
            self.assertEqual(note, "")
            url = url.strip()
            for name in "b/*", "b/{id}":
                note = run("url", "--config", config, "--kid", "a", "--topic", name)[1]
                self.assertIn(f"note: {name} is one topic's name", note)
            with hub.stream(url):
                pass
            self.assertEqual(hub.ask("GET", url.replace("topic=b", "topic=c"))[0], 401)
        for copied in (token + "\n", f" Authorization: Bearer {token}\r\n"):
            explained = run("token", "explain", "--config", config, "-", stdin=copied)[0]
            self.assertIn("the hub takes it as u1, until ", explained)
        self.assertIn("no token", run("token", "explain", "-", status=2)[1])
        self.write("secret", OTHER_SECRET)
        explained = run("token", "explain", "--config", config, token, status=1)[0]
        self.assertIn("the hub answers 401: the token's signature is wrong", explained)

    def test_sighup_reads_the_key_files_again(self):
        for io in each_backend():
            self.write("secret", SECRET)
            config = self.write("f.toml", '[auth]\nanonymous = ["open"]\n' + ISSUER)
            fields = bearer(self.mint(config, "--subscribe", "*"))
            with Hub("--config", config, "--io", io) as hub, \
                    hub.stream("/events?stream=open") as stays, \
                    hub.stream("/events?stream=a", fields) as ends:
                hub.signal(signal.SIGHUP)
                hub.wait_log("nothing has changed")
                os.chmod(config, 0o666)
                hub.signal(signal.SIGHUP)
                hub.wait_log("f.toml can be changed by everybody (mode 0666)")
                os.chmod(config, 0o600)
                self.write("f.toml", '[auth]\nanonymus = ["open"]\n')
                hub.signal(signal.SIGHUP)
                self.assertIn("f.toml:2: auth.anonymus is not a known key; did you mean anonymous?",
                              hub.wait_log("configuration not reloaded"))
                for cut_off in "", 'heartbeat = "5s"\n':
                    self.write("f.toml", cut_off)
                    start = len(hub.log)
                    hub.signal(signal.SIGHUP)
                    self.assertIn("only a restart opens it",
                                  hub.wait_log("configuration not reloaded", start))
                    self.assertEqual(hub.ask("POST", "/publish?stream=a", b"x")[0], 401)
                with hub.stream("/events?stream=a", fields):
                    pass
                self.write("f.toml", '[auth]\nanonymous = ["open"]\n' + ISSUER)
                self.write("secret", OTHER_SECRET)
                hub.signal(signal.SIGHUP)
                hub.wait_log("applied=auth")
                self.assertIn(b"event: expired\n", ends.read_to_end())
                self.assertEqual(hub.ask("GET", "/events?stream=a", fields=fields)[0], 401)
                fields = bearer(self.mint(config, "--publish", "open"))
                self.assertEqual(hub.ask("POST", "/publish?stream=open", b"x", fields)[0], 204)
                stays.read_until(b"data: x\n")

    @unittest.skipUnless(others.OPENSSL, "no openssl: package openssl")
    def test_other_servers_are_asked(self):
        key = others.make_key(self.write("key.pem", ""))
        for io in each_backend():
            with contextlib.closing(others.Others(key)) as there:
                issuer = ('[auth]\nanonymous = ["open"]\n[[auth.issuers]]\niss = "me"\n'
                          f'keys = [{{ jwks_url = "{there.url}/jwks" }}]\n')
                config = self.write("f.toml", issuer)
                token = run("token", "mint", "--pem-file", self.folder.name + "/key.pem",
                            "--issuer", "me", "--subscribe", "*", "--subject", "u1")[0].strip()
                with Hub("--config", config, "--io", io, "--drain-timeout", "1s") as hub, \
                        hub.stream("/events?stream=open") as nobody:
                    eventually(lambda: hub.ask("GET", "/readyz")[0] == 200, "the keys")
                    with hub.stream("/events?stream=a", bearer(token)) as stays:
                        self.assertEqual(
                            hub.ask("GET", "/events?stream=a", fields=bearer("opaque"))[0], 401)
                        webhook = f'[auth.webhook]\nurl = "{there.url}/may-they"\n'
                        self.write("f.toml", issuer + webhook)
                        hub.signal(signal.SIGHUP)
                        hub.wait_log("applied=auth")
                        with hub.stream("/events?stream=b", bearer("opaque")):
                            pass
                        status, _, body = hub.ask("GET", "/events?stream=b",
                                                  fields=bearer("another"))
                        self.assertEqual((status, "say opaque" in str(body)), (401, True))
                        self.assertEqual(there.asked[0]["topics"], ["b"])
                        self.assertEqual(there.asked[0]["address"], "127.0.0.1")
                        hub.signal(signal.SIGTERM)
                        stays.read_to_end()
                        nobody.read_to_end()
                    self.assertEqual(hub.wait_exit(), 0)
                    self.assertNotIn("opaque", "".join(hub.log))
                complaints = run("check", "--fetch", "--config", config)[1]
                self.assertIn(f"{there.url}/jwks: 1 keys", complaints)
                self.assertIn(f"{there.url}/may-they: answers", complaints)
                refused = run("token", "explain", "--config", config, token, status=1)[0]
                self.assertIn(f"unless it has fetched the key from {there.url}/jwks", refused)
                taken = run("token", "explain", "--fetch", "--config", config, token)[0]
                self.assertIn("the hub takes it as u1", taken)
            complaints = run("check", "--fetch", "--config", config, status=1)[1]
            self.assertIn(f"warning: {there.url}/jwks: ", complaints)
            with Hub("--config", config, "--io", io) as hub:
                hub.wait_log("keys were not fetched")
                status, _, body = hub.ask("GET", "/readyz")
                self.assertEqual(status, 503)
                self.assertIn(f"waiting for the keys of {there.url}/jwks", str(body))

    def test_check_names_what_is_wrong_and_prints_no_secret(self):
        self.write("secret", SECRET, 0o644)
        config = self.write("f.toml", ISSUER)
        printed, complaints = run("check", "--config", config, "--listen", "0.0.0.0:1")
        self.assertIn("secret can be read by everybody (mode 0644)", complaints)
        self.assertNotIn("may publish", complaints)
        self.assertNotIn(SECRET, printed + complaints)
        self.assertIn("note: cors_origins: no page of another origin", complaints)
        self.assertNotIn("cors_origins", run("check", "--config", config, "--cors-origins",
                                             "https://a.example")[1])
        os.chmod(config, 0o666)
        nothing, complaints = run("check", "--quiet", "--config", config)
        self.assertEqual(nothing, "")
        self.assertIn("secret can be read by everybody (mode 0644)", complaints)
        self.assertIn("f.toml can be changed by everybody (mode 0666)", complaints)
        again = run("check", "--config", self.write("again.toml", printed))[0]
        self.assertEqual(re.findall(r"(?s)\[auth\].*", again), re.findall(r"(?s)\[auth\].*", printed))
        self.write("secret", "short")
        _, complaints = run("check", "--config", config, status=2)
        self.assertIn("f.toml:5: auth.issuers.keys.secret_file ", complaints)


if __name__ == "__main__":
    unittest.main()
