#!/usr/bin/env python3
"""The origin behind Pushpin: answers every GET with "hold this stream open on that channel".

Its standard input is the listening socket.
"""

import asyncio
import socket
from urllib.parse import parse_qs, urlsplit


def answer(target):
    topic = parse_qs(urlsplit(target).query).get("stream", ["events"])[0]
    return (f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nGrip-Hold: stream\r\n"
            f"Grip-Channel: {topic}\r\nContent-Length: 0\r\n\r\n").encode()


class Origin(asyncio.Protocol):
    """Requests have no bodies here, so an empty line ends each."""

    def connection_made(self, transport):
        self.transport, self.unread = transport, b""

    def data_received(self, data):
        *heads, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for head in heads:
            self.transport.write(answer(head.split(b" ", 2)[1].decode("latin-1")))


async def serve():
    with socket.socket(fileno=0) as listener:
        server = await asyncio.get_running_loop().create_server(Origin, sock=listener)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
