"""Keys and tokens of a measurement, and the configuration of a hub that asks for them.

`tocsin` itself makes all of it but the key pair, which is openssl's.
"""

import os
import secrets
import shutil
import subprocess
import tempfile

CONFIG = """
[auth]

[[auth.keys]]
name = "bench"
file = "key"
publish = ["*"]

[[auth.issuers]]
require_expiry = true
keys = [{ secret_file = "secret" }, { pem_file = "public.pem" }]
"""
# What a hub does with a token is asked for one after the other with these. `same`: all streams
# have one; of the others each has its own.
KINDS = ("hs256", "es256", "same")


def why_not():
    """Why there can be none here, or nothing."""
    return "" if shutil.which("openssl") else "there is no openssl"


class Credentials:
    """`with Credentials(tocsin, count) as made`: a folder with all of it, `count` tokens of each
    kind, good for an hour."""

    def __init__(self, tocsin, count):
        self.tocsin, self.count = tocsin, count
        self.folder = tempfile.TemporaryDirectory(prefix="tocsin-bench-")

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.folder.cleanup()
            raise
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    @property
    def config(self):
        return self.path("tocsin.toml")

    @property
    def key(self):
        return self.path("key")

    @property
    def public_key(self):
        """Of the `es256` tokens, PEM."""
        return self.path("public.pem")

    def tokens(self, kind):
        return self.path(f"{kind}.tokens")

    def write(self, name, text):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT, 0o600), "w",
                  encoding="ascii") as file:
            file.write(text)

    def run(self, *command):
        done = subprocess.run(list(map(str, command)), cwd=self.folder.name, capture_output=True,
                              text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def make(self):
        self.write("tocsin.toml", CONFIG)
        self.write("secret", secrets.token_hex(32))
        self.write("key", self.run(self.tocsin, "key").splitlines()[0])
        self.write("private.pem", self.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                                           "ec_paramgen_curve:P-256"))
        self.run("openssl", "pkey", "-in", "private.pem", "-pubout", "-out", "public.pem")
        secret, private = ("--secret-file", "secret"), ("--pem-file", "private.pem")
        for kind, key, count in (("hs256", secret, self.count), ("es256", private, self.count),
                                 ("same", secret, 1)):
            self.write(f"{kind}.tokens", self.run(
                self.tocsin, "token", "mint", *key, "--subscribe", "*", "--subject", "user",
                "--count", count))
