#!/usr/bin/env python3
"""Three hubs with one history in Redis, faults, and what everybody saw of it (docs/redis.md).

    TOCSIN=build/release/tocsin tests/e2e/histories/redis_trial.py [--sync always|everysec|no]
        [--replicas 0|1] [--faults kill,freeze,...] [--rounds 20] [--seed N]

Without --replicas there is one server. With it there are a master, a replica and three Sentinels;
1 has every publish wait for the replica. Faults come one after the other, in any order. Where one
of them is a partition everybody speaks to the servers through network.py. At the end
history_check.py judges. Exit status 1: a fault, or something lost that --may-lose did not allow.
"""

import argparse
import contextlib
import random
import re
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from hub import DEADLINE, Hub, eventually, lasting_address  # noqa: E402
from redis_servers import Redis, Sentinel  # noqa: E402
import history_check  # noqa: E402
import network  # noqa: E402
import power_loss  # noqa: E402

HUBS = 3
PUBLISHERS = 4
READERS = 6


def pause(seconds):
    select.select([], [], [], seconds)  # what is to go on meanwhile goes on


class Worker(threading.Thread):
    """Uses one hub after another, until it is told that it is over."""

    def __init__(self, addresses):
        super().__init__(daemon=True)
        self.addresses, self.over, self.socket = addresses, False, None
        self.start()

    def run(self):
        while not self.over:
            host, port = random.choice(self.addresses).rsplit(":", 1)
            with contextlib.suppress(OSError, EOFError, ValueError):
                with socket.create_connection((host, int(port)), timeout=DEADLINE) as self.socket, \
                        self.socket.makefile("rb") as lines:
                    self.use(lines)
            pause(0.01)

    def end(self):
        self.over = True
        with contextlib.suppress(OSError, AttributeError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join(DEADLINE)

    @staticmethod
    def head(lines):
        status = lines.readline()
        if not status.endswith(b"\n"):
            raise EOFError
        fields = {}
        while (line := lines.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            fields[name.lower()] = value
        return int(status.split(b" ")[1]), fields


class Publisher(Worker):
    """Some publishes at once on one connection, then the next; and another hub, if one fails."""

    def __init__(self, addresses, name):
        self.prefix, self.publishes = name, []
        super().__init__(addresses)

    def use(self, lines):
        while not self.over:
            # Pipelined, the order is known only of the answers.
            batch = [history_check.Publish(f"{self.prefix}-{len(self.publishes) + i}",
                                           time.monotonic())
                     for i in range(random.randint(1, 8))]
            self.publishes += batch
            self.socket.sendall(b"".join(
                b"POST /publish?stream=a HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n%s"
                % (len(one.data), one.data.encode()) for one in batch))
            answers = [self.note(one, lines) for one in batch]
            if "taken" not in answers:
                return
            pause(0.005)

    def note(self, one, lines):
        status, fields = self.head(lines)
        body = lines.read(int(fields.get("content-length", "0"))).decode()
        one.end = time.monotonic()
        if status == 204:
            one.answer, one.identity = "taken", fields["event-id"]
        elif status == 503 and "unknown" not in body:
            one.answer = "refused"
        return one.answer


class Reader(Worker):
    def __init__(self, addresses):
        self.position, self.notes = "earliest", history_check.Notes()
        super().__init__(addresses)

    def use(self, lines):
        self.socket.sendall(f"GET /events?stream=a HTTP/1.0\r\n"
                            f"Last-Event-ID: {self.position}\r\n\r\n".encode())
        status, _ = self.head(lines)
        event = {}
        while status == 200 and (line := lines.readline()).endswith(b"\n"):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
                continue
            self.position = event.get("id", self.position)
            if event.get("event") == "gap":
                self.notes.seen.append(None)
            elif "data" in event:
                self.notes.seen.append((event["id"], event["data"]))
            event = {}

    def has(self, data):
        return any(event and event[1] == data for event in self.notes.seen[-50:])


class KeptHub(threading.Thread):
    """A hub at one address, which is started again whenever it ends."""

    def __init__(self, *arguments):
        super().__init__(daemon=True)
        self.address, self.arguments = lasting_address(), arguments
        self.hub, self.over, self.ends = None, False, []
        self.start()

    def run(self):
        while not self.over:
            with contextlib.suppress(AssertionError):  # its server may be away for too long
                with Hub(*self.arguments, listen=self.address) as self.hub:
                    self.ends.append(self.hub.process.wait())
            pause(0.05)

    def end(self):
        self.over = True
        if self.hub:
            with contextlib.suppress(ProcessLookupError):
                self.hub.process.kill()
        self.join(DEADLINE)

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError, AttributeError):
            self.hub.process.send_signal(number)


class Trial:
    """`replicas`: None: one server."""

    def __init__(self, sync="always", replicas=None, divisible=False):
        self.stack = contextlib.ExitStack()
        take = self.stack.enter_context
        self.sentinels, self.sync, self.bytes_lost = [], sync, 0
        self.network = take(network.Network()) if divisible else None
        self.servers = [take(self.server())]
        if replicas is not None:
            self.servers.append(take(self.server("--replicaof", "127.0.0.1",
                                                 str(self.servers[0].shown_port))))
            self.sentinels = [take(Sentinel(self.servers[0].shown_port)) for _ in range(3)]
            for sentinel in self.sentinels:
                eventually(sentinel.is_complete, "the Sentinels know each other")
            eventually(self.is_replicated, "the replica has all")
        self.hubs = [self.closing(KeptHub(
            "--history", self.url(f"hub{i}", replicas), "--history-age", "0", "--history-count", "100000000",
            "--history-bytes", "1GiB", "--history-total-bytes", "1GiB", "--drain-timeout", "1s",
            "--retry", "100ms")) for i in range(HUBS)]
        addresses = [one.address for one in self.hubs]
        for address in addresses:
            self.wait_taken(address)
        self.publishers = [self.closing(Publisher(addresses, f"p{i}")) for i in range(PUBLISHERS)]
        self.readers = [self.closing(Reader(addresses)) for _ in range(READERS)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def server(self, *arguments):
        redis = Redis("--appendfsync", self.sync, *arguments)
        if power_loss.COMPILER:
            redis.watch_syncs()
        if self.network:
            redis.stand_behind(self.network)
            for i in range(HUBS):
                redis.words += ["--user", f"hub{i}", "on", "nopass", "~*", "&*", "+@all"]
        return redis

    def url(self, hub, replicas):
        """For this one, by whose name the network knows it."""
        user = f"{hub}:-@" if self.network else ""
        if not self.sentinels:
            return self.servers[0].url("trial", user)
        ports = [self.network.way_to(one.port, hub) if self.network else one.port
                 for one in self.sentinels]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return (f"redis+sentinel://{user}{hosts}/{Sentinel.MASTER}/trial?replicas={replicas}")

    def closing(self, worker):
        self.stack.callback(worker.end)
        return worker

    # --- who is who

    def master(self):
        if not self.sentinels:
            return self.servers[0]
        port = next(filter(None, (one.master_port() for one in self.sentinels)), None)
        return next((one for one in self.servers if one.shown_port == port), self.servers[0])

    def replica(self):
        return next(one for one in self.servers if one is not self.master())

    def is_replicated(self):
        return (b"master_link_status:up" in self.replica().ask("INFO", "replication")
                and b"state=online" in self.master().ask("INFO", "replication"))

    def wait_back(self):
        """Until every hub takes events, and with a replica until that follows."""
        if self.sentinels:
            eventually(self.is_replicated, "the replica follows")
        for one in self.hubs:
            self.wait_taken(one.address)

    def wait_taken(self, address):
        host, port = address.rsplit(":", 1)

        def taken():
            with contextlib.suppress(OSError, EOFError):
                with socket.create_connection((host, int(port)), timeout=DEADLINE) as one:
                    one.sendall(b"POST /publish?stream=probes HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
                    return b" 204 " in one.recv(100)
            return False
        eventually(taken, "a hub takes events")

    # --- faults; each returns when it is over

    def kill(self):
        """The server is killed, and started again; with Sentinels when another is the master."""
        killed = self.master()
        killed.kill()
        if self.sentinels:
            eventually(lambda: self.master() is not killed, "another master")
        killed.start()

    def power(self):
        """The same, and what it has not synced is gone."""
        killed = self.master()
        self.bytes_lost += killed.lose_power()
        if self.sentinels:
            eventually(lambda: self.master() is not killed, "another master")
        killed.start()

    def freeze(self, seconds=5):
        server = self.master()
        server.process.send_signal(signal.SIGSTOP)
        pause(seconds)
        server.process.send_signal(signal.SIGCONT)

    def freeze_long(self):
        self.freeze(30)

    def cut(self):
        self.master().ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def memory(self):
        server = self.master()
        server.ask("CONFIG", "SET", "maxmemory", "1")
        pause(0.5)
        server.ask("CONFIG", "SET", "maxmemory", "0")

    def disk(self):
        """No byte can be written any more: with `always` the server ends."""
        server = self.master()
        server.fill_disk(True)
        if self.sync == "always":
            server.process.wait(DEADLINE)
            if self.sentinels:
                eventually(lambda: self.master() is not server, "another master")
            server.start()
        else:
            pause(1.5)
            server.fill_disk(False)

    def failover(self):
        """A planned one."""
        before, sentinel = self.master(), self.sentinels[0]
        eventually(lambda: sentinel.has_failed_over(before.port), "another master")

    def replica_freeze(self):
        server = self.replica()
        server.process.send_signal(signal.SIGSTOP)
        pause(2)
        server.process.send_signal(signal.SIGCONT)

    def partition(self, seconds=7):
        """A hub and all servers do not hear each other, for longer than it waits."""
        hub = f"hub{random.randrange(HUBS)}"
        with self.network.cut(lambda who, _: who == hub):
            pause(seconds)

    def partition_master(self):
        """Nor do the master and the others of its kind, while all hubs reach them."""
        before = self.master()
        with self.network.cut(lambda who, port: port == before.port and not who.startswith("hub")):
            eventually(lambda: self.master() is not before, "another master")
            pause(1)

    def partition_half(self):
        """The master and a hub are on one side, everybody else is on the other."""
        before, hub = self.master(), f"hub{random.randrange(HUBS)}"
        with self.network.cut(lambda who, port: (port == before.port) != (who == hub)):
            eventually(lambda: self.master() is not before, "another master")
            pause(1)

    def hub_kill(self):
        random.choice(self.hubs).signal(signal.SIGKILL)

    def hub_restart(self):
        random.choice(self.hubs).signal(signal.SIGTERM)

    def hub_freeze(self):
        hub = random.choice(self.hubs)
        hub.signal(signal.SIGSTOP)
        pause(2)
        hub.signal(signal.SIGCONT)

    # --- the end

    def verdict(self):
        for one in self.publishers:
            one.end()
        self.wait_back()
        last = {"data": "", "n": 0}

        def published():
            last["n"] += 1
            last["data"] = f"the last, {last['n']}"
            with contextlib.suppress(OSError, AssertionError, AttributeError):
                self.hubs[0].hub.publish("a", last["data"])
                return True
            return False
        eventually(published, "the last event")
        eventually(lambda: all(one.has(last["data"]) for one in self.readers), "the last event")
        for one in self.readers:
            one.end()
        histories = [self.read(one.address, last["data"]) for one in self.hubs]
        publishes = [publish for one in self.publishers for publish in one.publishes]
        return history_check.judge(publishes, [one.notes for one in self.readers], histories)

    @staticmethod
    def read(address, last):
        reader = Reader([address])
        eventually(lambda: reader.has(last), "the last event")
        reader.end()
        return [event for event in reader.notes.seen if event]


FAULTS = {"kill", "power", "freeze", "cut", "memory", "disk", "partition", "hub_kill", "hub_restart",
          "hub_freeze"}
WITH_SENTINELS = {"failover", "replica_freeze", "partition_master", "partition_half"}
BY_NAME = {"freeze_long"}


def run_trial(sync, replicas, faults, rounds):
    divisible = any(fault.startswith("partition") for fault in faults)
    with Trial(sync, replicas, divisible) as trial:
        todo = [fault for _ in range(rounds) for fault in faults]
        random.shuffle(todo)
        for fault in todo:
            pause(random.random())
            getattr(trial, fault)()
            trial.wait_back()
        verdict = trial.verdict()
        ended = sum(one.ends.count(1) for one in trial.hubs)
        bytes_lost = trial.bytes_lost
    return verdict, ended, bytes_lost


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sync", default="always", choices=("always", "everysec", "no"))
    parser.add_argument("--replicas", type=int, choices=(0, 1))
    parser.add_argument("--faults", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--may-lose", action="store_true")
    flags = parser.parse_args()
    known = sorted(FAULTS | (WITH_SENTINELS if flags.replicas is not None else set()))
    faults = flags.faults.split(",") if flags.faults else known
    if not set(faults) <= set(known) | BY_NAME:
        parser.error(f"--faults: of {','.join(known)}")
    random.seed(flags.seed)
    verdict, ended, bytes_lost = run_trial(flags.sync, flags.replicas, faults, flags.rounds)
    print(f"sync {flags.sync}, replicas {flags.replicas}, {flags.rounds} x {','.join(faults)}, "
          f"seed {flags.seed}: {verdict.taken} taken ({verdict.lost} of them lost), "
          f"{verdict.refused} refused, {verdict.unknown} unknown ({verdict.unknown_there} of them "
          f"there), {verdict.gaps} gaps told, {verdict.shown} shown and lost, {ended} hubs began "
          f"anew, {bytes_lost} bytes were not synced")
    for fault in verdict.faults[:20]:
        print(fault)
    return 1 if verdict.faults or (verdict.lost and not flags.may_lose) else 0


if __name__ == "__main__":
    sys.exit(main())
