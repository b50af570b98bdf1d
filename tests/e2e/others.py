"""Other servers beside a hub: any site of a test; and those that a hub asks, an issuer that has its
key at a URL and a webhook's back end."""

import base64
import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OPENSSL = shutil.which("openssl")


def make_key(path):
    """A new ES256 key as PEM; its JWK."""
    def openssl(*arguments):
        return subprocess.run([OPENSSL, *arguments], capture_output=True, check=True).stdout

    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    # The point, uncompressed, is the last of it: 04, x, y.
    point = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-64:]
    x, y = (base64.urlsafe_b64encode(half).rstrip(b"=").decode()
            for half in (point[:32], point[32:]))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


class Answering:
    """Of a request's handler: it answers with a whole body, and logs nothing."""

    def answer(self, body, kind="application/json", status=200, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Site:
    """Serves by a class of handlers, in threads of its own, from its making until close()."""

    def __init__(self, handler):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True  # a connection that is kept open holds up no close()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Others(Site):
    """Serves `keys`, JWKs, at /jwks. At /may-they whoever says "Bearer opaque" may read all."""

    def __init__(self, *keys):
        outer = self
        self.asked = []  # what the back end was sent, decoded
        jwks = json.dumps({"keys": keys}).encode()

        class Handler(Answering, BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(jwks)

            def do_POST(self):
                outer.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if self.headers["Authorization"] == "Bearer opaque":
                    self.answer(b'{"subject": "u2", "subscribe": ["*"]}')
                else:
                    self.answer(b'{"reason": "say opaque"}', status=401)

        super().__init__(Handler)
