"""Callers that ask for tokens one after another, and know what is right."""

import asyncio
import hashlib
import hmac
import json
import os
import random
import time
from contextlib import closing
from dataclasses import dataclass

from servers import LOOPBACK, SECRET

# Most requests are small. The large ones are under way for longer, and too large to be sent again.
PIECE = 64 * 1024
SIZES = [1024] * 30 + [16 * 1024] * 8 + [1024 * 1024] * 2


@dataclass
class Failure:
    began: float
    cause: str


class Load:
    def __init__(self, port, callers):
        self.port = port
        self.callers = callers
        self.bodies = [with_token(size) for size in SIZES]
        self.answered = 0
        self.failures = []

    async def __aenter__(self):
        self.tasks = [asyncio.create_task(self.call()) for _ in range(self.callers)]
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def call(self):
        while True:
            body, token = random.choice(self.bodies)
            await self.ask(token, head(len(body)) + body)

    async def until(self, answered, seconds=60):
        """Waits until so many requests have been answered."""
        async with asyncio.timeout(seconds):
            while self.answered < answered:
                await asyncio.sleep(0.1)

    async def upload_slowly(self, seconds):
        """One large upload that takes so long."""
        body, token = self.bodies[-1]
        pieces = [body[at : at + PIECE] for at in range(0, len(body), PIECE)]
        await self.ask(token, head(len(body)), *pieces, pause=seconds / len(pieces))

    async def ask(self, token, *pieces, pause=0):
        """Sends a request in pieces and expects this token; keeps what becomes of it.

        On a connection of its own: one that was used before HAProxy closes without a word when the
        replica dies, for the caller to try again, and logs nothing.
        """
        began = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
            with closing(writer):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause)
                await expect_token(reader, token)
            self.answered += 1
        except (OSError, EOFError, ValueError) as error:
            self.failures.append(Failure(began, str(error) or type(error).__name__))


def with_token(size):
    body = os.urandom(size)
    return body, hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def head(length):
    return f"POST /token HTTP/1.1\r\nHost: replicas\r\nContent-Length: {length}\r\n\r\n".encode()


async def expect_token(reader, token):
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    status = lines[0].split()[1]
    fields = dict(line.split(": ", 1) for line in lines[1:] if line)
    answer = await reader.readexactly(int(fields["content-length"]))
    if status != "200":
        raise ValueError(f"status {status}")
    if json.loads(answer)["token"] != token:
        raise ValueError("a wrong token")
