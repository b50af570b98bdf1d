"""Redis servers and Sentinels (or Valkey's), each in a folder and on a port of its own, and what may
befall them."""

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from hub import DEADLINE, eventually  # noqa: E402
import ports  # noqa: E402
import power_loss  # noqa: E402

PROGRAM = (os.environ.get("TOCSIN_REDIS_SERVER") or shutil.which("redis-server")
           or shutil.which("valkey-server"))


class Redis:
    def __init__(self, *arguments):
        self.port = self.shown_port = ports.take()
        self.folder = tempfile.TemporaryDirectory()
        self.process = None
        self.environment = None
        self.words = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder.name,
                      "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                      "--repl-diskless-sync-delay", "0", *arguments]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process:
            self.kill()
        self.folder.cleanup()

    def start(self):
        # As Python has SIGXFSZ, it is ignored: of fill_disk().
        self.process = subprocess.Popen([PROGRAM, *self.words], stdout=subprocess.DEVNULL,
                                        restore_signals=False, env=self.environment)
        eventually(lambda: self.ask("PING") == b"+PONG\r\n" or self.process.poll() is not None,
                   "the server answers")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def watch_syncs(self):
        """Of one that has yet to be started: it can lose_power()."""
        library = power_loss.build(self.folder.name)
        self.environment = os.environ | {"LD_PRELOAD": library}

    def lose_power(self):
        """Ends it, and what it has not synced is gone; how many bytes that were. Something stays: of
        a server that is back with nothing hubs promise something else."""
        if self.environment:
            eventually(lambda: any(size for _, size in power_loss.synced(self.folder.name)),
                       "something is synced")
        self.kill()
        return power_loss.lose_unsynced(self.folder.name) if self.environment else 0

    def fill_disk(self, full):
        """No byte more can be written, or again."""
        most = resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0 if full else most, most))

    def ask(self, *words):
        """The first bytes of the reply to one command; nothing: it is not there."""
        command = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as one:
                one.sendall(command.encode())
                return one.recv(65536)
        return b""

    def url(self, name="news", user=""):
        return f"redis://{user}127.0.0.1:{self.shown_port}/{name}"

    def stand_behind(self, network):
        """Of one that has yet to be started: others reach it through the network, and it says so."""
        self.shown_port = network.way_to(self.port)
        self.words += ["--replica-announce-port", str(self.shown_port)]


class Sentinel(Redis):
    """One of three that watch a master and its replica."""

    MASTER = "main"

    def __init__(self, port):
        super().__init__()
        file = Path(self.folder.name, "sentinel.conf")
        file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.folder.name}\n"
                        f"sentinel monitor {self.MASTER} 127.0.0.1 {port} 2\n"
                        f"sentinel down-after-milliseconds {self.MASTER} 1000\n"
                        f"sentinel failover-timeout {self.MASTER} 5000\n", encoding="ascii")
        self.words = [str(file), "--sentinel"]

    def known(self):
        return self.ask("SENTINEL", "MASTER", self.MASTER).replace(b"\r\n", b" ")

    def is_complete(self):
        known = self.known()
        return b"num-slaves $1 1 " in known and b"num-other-sentinels $1 2 " in known

    def has_failed_over(self, port):
        """From the master at this port. A Sentinel may say yes and give up later: it is asked again,
        but not behind one that it has done, which would lead back."""
        known = self.known()
        if known and b"failover_in_progress" not in known:
            if b" port $%d %d " % (len(str(port)), port) not in known:
                return True
            self.ask("SENTINEL", "FAILOVER", self.MASTER)
        return False

    def master_port(self):
        """Nothing: it does not say."""
        reply = self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.MASTER).split(b"\r\n")
        return int(reply[4]) if len(reply) > 4 else None
