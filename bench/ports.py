"""Ports for programs that must be told one, because they cannot bind port 0 and say what they got,
and for servers that go away and come back to where they were.

They are outside of what the kernel gives out by itself, so that no connection and no bind to
port 0 has one of them when the program comes to bind it, or while it is away; nor does a client
that tries meanwhile connect to itself. A lock keeps them from other processes that use this module.
Only a program that wants a port of its own may still be quicker: then is_free() is false, and
whoever starts a program takes another.
"""

import errno
import random
import socket

# Chromium and Node refuse to connect to some ports up to here: the list of "bad ports" in the
# Fetch standard.
LAST_BAD_PORT = 10080

TRIES = 5  # to start something on other ports, before its failure is believed


def take():
    """A port that nobody uses, ours until this process ends."""
    ports = candidates()
    random.shuffle(ports)
    for port in ports:
        # Locked first: what is free then stays so.
        if _lock(port) and is_free(port):
            return port
    raise OSError(errno.EADDRINUSE, f"{len(ports)} ports are all in use")


def is_free(port):
    """Nobody listens on it or has a connection at it, at any address of this machine."""
    for family, everywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((everywhere, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            if family == socket.AF_INET:
                raise  # a machine without IPv6 is none of our business
    return True


def candidates():
    """All that may be taken: neither given out by the kernel nor reserved by the administrator."""
    first, last = map(int, _setting("ip_local_port_range").split())
    reserved = set()
    for part in filter(None, _setting("ip_local_reserved_ports").strip().split(",")):
        low, _, high = part.partition("-")
        reserved |= set(range(int(low), int(high or low) + 1))
    ports = [port for port in range(LAST_BAD_PORT + 1, 1 << 16) if port not in reserved]
    # Where the kernel gives out all of them there is nothing better.
    return [port for port in ports if not first <= port <= last] or ports


def _setting(name):
    with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as file:
        return file.read()


def _lock(port):
    """A name of the abstract namespace: it belongs to a network as ports do, one socket has it, and it
    goes with its process."""
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0tocsin-port-{port}")
    except OSError:
        lock.close()
        return False
    lock.detach()  # stays open until this process ends
    return True
