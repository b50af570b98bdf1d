"""A service manager that keeps descriptors for a hub from one process to the next, as systemd does:
sd_notify(3), FDSTORE=1; sd_listen_fds(3).
"""

import array
import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
import threading

from hub import TOCSIN, Hub, eventually

# Becomes PROGRAM with the descriptors of NUMBERS from 3 on: `NUMBERS PROGRAM ARGUMENTS...`.
EXEC = """
import fcntl, os, sys
numbers = [int(number) for number in sys.argv[1].split()]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3 + len(numbers)) for fd in numbers]
for place, fd in enumerate(high, 3):
    os.dup2(fd, place)
for fd in numbers:
    os.set_inheritable(fd, fd < 3 + len(numbers))  # once is enough
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def handing(fds, names=None, **more):
    """What Hub() is to be given to be handed these. `more`: of the environment."""
    environment = {**os.environ, "LISTEN_FDS": str(len(fds)), **more}
    if names is not None:
        environment["LISTEN_FDNAMES"] = ":".join(names)
    program = (sys.executable, "-S", "-c", EXEC, " ".join(map(str, fds)), TOCSIN)
    return {"program": program, "descriptors": tuple(fds), "environment": environment}


class Supervisor:
    """Runs one hub after the other. `listen`: as of Hub; what it keeps is in `kept`: (name, fd)."""

    def __init__(self, *arguments, **more):
        self.arguments, self.more = arguments, more
        self.kept, self.said = [], []
        self.hub = None
        self.lock = threading.Lock()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self.path = os.path.join(folder, "notify")
            self.notify = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            self.notify.bind(self.path)
            self.wake, self.end = socket.socketpair()
            stack.callback(self.wake.close)
            reader = threading.Thread(target=self._read, daemon=True)
            reader.start()
            stack.callback(reader.join)
            stack.callback(self.end.close)
            stack.callback(lambda: [os.close(fd) for _, fd in self.kept])
            stack.callback(lambda: self.hub and self.hub.__exit__())
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _read(self):
        while True:
            ready, _, _ = select.select([self.notify, self.wake], [], [])
            if self.wake in ready:
                return
            fds = array.array("i")
            message, control, _, _ = self.notify.recvmsg(4096, socket.CMSG_SPACE(256 * 4))
            for level, kind, data in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
            lines = message.decode().split("\n")
            with self.lock:
                self._obey(lines, list(fds))
                self.said += lines

    def _obey(self, lines, fds):
        name = next((line[7:] for line in lines if line.startswith("FDNAME=")), "stored")
        if "FDSTOREREMOVE=1" in lines:
            for each in [each for each in self.kept if each[0] == name]:
                self.kept.remove(each)
                os.close(each[1])
        for fd in fds:
            known = any(os.path.sameopenfile(fd, other) for _, other in self.kept)
            if "FDSTORE=1" in lines and not known:
                self.kept.append((name, fd))
            else:
                os.close(fd)

    def start(self, *arguments, **more):
        """The next process, ready."""
        before = len(self.said)
        with self.lock:
            fds = [fd for _, fd in self.kept]
            names = [name for name, _ in self.kept]
        handed = handing(fds, names, NOTIFY_SOCKET=self.path)
        self.hub = Hub(*self.arguments, *arguments, **{**self.more, **more}, **handed)
        eventually(lambda: "READY=1" in self.said[before:], "READY=1")
        return self.hub

    def stop(self, number=signal.SIGTERM):
        """Ends the process as the unit would; what it listened on stays."""
        self.hub.signal(number)
        return self.wait_exit()

    def wait_exit(self):
        """The same, once it was told to end: another signal would end it at once."""
        status = self.hub.wait_exit()
        self.hub.__exit__()
        return status

    def release(self):
        """What it keeps is closed, as when the unit is stopped."""
        with self.lock:
            for _, fd in self.kept:
                os.close(fd)
            self.kept.clear()

    def restart(self, *arguments, **more):
        status = self.stop()
        assert status == 0, (status, self.hub.log)
        return self.start(*arguments, **more)
