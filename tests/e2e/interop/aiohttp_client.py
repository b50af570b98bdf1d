#!/usr/bin/env python3
"""A stream read with aiohttp, as a program without an SSE library does it: aiohttp_client.py URL"""

import asyncio
import json
import sys

import aiohttp


def report(**what):
    print(json.dumps(what), flush=True)


class Reader:
    def __init__(self):
        self.last_id, self.next_id, self.retry_ms = "", "", 3000
        self.forget()

    def forget(self):
        self.type, self.data, self.next_id = "message", [], self.last_id

    def line(self, line):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            self.last_id = self.next_id  # not before: the event may be cut off behind its id
            if self.data:
                report(type=self.type, id=self.last_id, data="\n".join(self.data))
            self.forget()
        elif name == "data":
            self.data.append(value)
        elif name == "event":
            self.type = value
        elif name == "id":
            self.next_id = value
        elif name == "retry":
            self.retry_ms = int(value)

    async def read(self, session, url):
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        async with session.get(url, headers=headers) as response:
            response.raise_for_status()
            unread = b""
            async for piece in response.content.iter_any():
                *lines, unread = (unread + piece).split(b"\n")
                for line in lines:
                    self.line(line.decode())


async def run(url):
    reader = Reader()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        while True:
            try:
                await reader.read(session, url)
            except aiohttp.ClientError as error:
                report(closed=False, why=str(error))
            reader.forget()
            report(pause=reader.retry_ms)
            await asyncio.sleep(reader.retry_ms / 1000)


asyncio.run(run(sys.argv[1]))
