"""Other servers that a hub asks: an issuer that has its key at a URL, and a webhook's back end."""

import base64
import http.server
import json
import shutil
import subprocess
import threading

OPENSSL = shutil.which("openssl")


def make_key(path):
    """A new ES256 key as PEM; its JWKS."""
    def openssl(*arguments):
        return subprocess.run([OPENSSL, *arguments], capture_output=True, check=True).stdout

    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    point = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-64:]  # x and y
    x, y = (base64.urlsafe_b64encode(half).rstrip(b"=").decode()
            for half in (point[:32], point[32:]))
    return json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]})


class Others:
    """Serves `jwks` at /jwks. At /may-they whoever says "Bearer opaque" may read all."""

    def __init__(self, jwks):
        outer = self
        self.asked = []  # what the back end was sent, decoded

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(200, jwks.encode())

            def do_POST(self):
                outer.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if self.headers["Authorization"] == "Bearer opaque":
                    self.answer(200, b'{"subject": "u2", "subscribe": ["*"]}')
                else:
                    self.answer(401, b'{"reason": "say opaque"}')

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
