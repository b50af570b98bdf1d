"""Holds a server to a share of its core, by a control group that lives as long as the measurement.

On loopback the client's core does the client's half of a TCP handshake and, in the same softirq,
most of the server's: with a whole core for the server it is the client that bounds the connects per
second. A server that may use only a part of its core is the bound itself.
"""

import os
import time

PERIOD_US = 10_000  # short: a server that is held sleeps for 6 ms at most


class CpuQuota:
    """`with CpuQuota(0.4) as group:` and hand `group` to the server's start.

    Raises OSError where this user may not make control groups, or there is no cpu controller.
    """

    def __init__(self, share, root="/sys/fs/cgroup", own="/proc/self/cgroup"):
        self.share = share
        self.folder = None
        self.root, self.own = root, own

    def __enter__(self):
        parent, version = find_parent(self.root, self.own)
        folder = os.path.join(parent, f"tocsin-bench-{os.getpid()}")
        os.mkdir(folder)
        self.folder = folder
        quota = int(self.share * PERIOD_US)
        try:
            if version == 2:
                write(os.path.join(folder, "cpu.max"), f"{quota} {PERIOD_US}")
            else:
                write(os.path.join(folder, "cpu.cfs_period_us"), str(PERIOD_US))
                write(os.path.join(folder, "cpu.cfs_quota_us"), str(quota))
        except OSError:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def enter(self):
        """Moves the calling process, and so its children to come, into the group."""
        write(os.path.join(self.folder, "cgroup.procs"), str(os.getpid()))

    def remove(self):
        if self.folder is None:
            return
        for _ in range(200):  # a process that has ended leaves its group a moment later
            try:
                os.rmdir(self.folder)
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.02)
        self.folder = None


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def find_parent(root, own):
    """(folder to make the group in, version). Version 1 has a tree for the cpu controller; in
    version 2 a folder's children have it if its cgroup.subtree_control says so."""
    groups = {}
    with open(own, encoding="ascii") as file:
        for line in file:
            _, controllers, path = line.strip().split(":", 2)
            groups[controllers] = path.lstrip("/")
    for controllers, path in groups.items():
        if "cpu" not in controllers.split(","):
            continue
        for name in ("cpu", controllers):
            folder = os.path.join(root, name, path)
            if os.path.exists(os.path.join(folder, "cpu.cfs_quota_us")):
                return folder, 1
    folder = os.path.join(root, groups.get("", ""))
    while True:
        if "cpu" in controllers_for_children(folder):
            return folder, 2
        if os.path.realpath(folder) == os.path.realpath(root):
            raise OSError("no cpu controller for control groups of our own")
        folder = os.path.dirname(folder.rstrip("/"))


def controllers_for_children(folder):
    try:
        with open(os.path.join(folder, "cgroup.subtree_control"), encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []


def why_not():
    """Nothing if a quota can be set here, otherwise the reason."""
    try:
        with CpuQuota(0.5):
            return ""
    except OSError as error:
        return str(error)
