"""Everything at once that could fill a server's memory or keep it busy, as a program.

    echo '{"address": …, "seconds": 20, "connections": 50, "mallory": […]}' | python -m tests.abuse

Each attack has its share of the connections and goes on by itself: whenever the server cuts
it off it comes again. Its own process, so that it delays nobody who measures. It counts what
it did; whether the server minded is for others to say (`tests/test_abuse.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from websockets.frames import Frame, Opcode

# An attack that was not cut off by then begins anew.
HOLD_SECONDS = 15.0
PAUSE_SECONDS = 0.05
MIB = b"x" * 2**20


@dataclass(frozen=True, slots=True)
class Mallory:
    """Somebody with an account, and with a conversation full of long texts."""

    token: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Target:
    address: str
    mallory: list[Mallory]


class Line:
    """A connection that reads only what it is told to."""

    _numbers = itertools.count(1)

    def __init__(self, target: Target) -> None:
        self.target = target
        number = next(self._numbers)
        self.me = target.mallory[number % len(target.mallory)]
        # Each comes from an address of its own, as the proxy in front would say.
        self.head = (
            f"Host: {target.address}\r\nX-Forwarded-For: 198.51.{number // 250 % 250}."
            f"{number % 250}\r\n"
        )

    async def __aenter__(self) -> Self:
        host, port = self.target.address.split(":")
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.setblocking(False)
        await self._loop.sock_connect(self._socket, (host, int(port)))
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._socket, data)

    async def read(self) -> bytes:
        data = await self._loop.sock_recv(self._socket, 65_536)
        if not data:
            raise ConnectionResetError
        return data

    async def ask(self, method: str, path: str, more: str = "") -> None:
        """The head of a request."""
        await self.send(f"{method} {path} HTTP/1.1\r\n{self.head}{more}\r\n".encode())

    @property
    def bearer(self) -> str:
        return f"Authorization: Bearer {self.me.token}\r\n"

    async def become_socket(self, *, hello: bool = False) -> None:
        await self.ask(
            "GET",
            "/ws/v1/",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        )
        if b" 101 " not in await self.read():
            raise ConnectionResetError
        if hello:
            await self.say(type="hello", token=self.me.token)
            await self.read()

    async def say(self, **fields: Any) -> None:
        await self.send(frame(Opcode.TEXT, json.dumps(fields).encode()))


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def hold() -> None:
    await asyncio.sleep(HOLD_SECONDS)


async def fetches_nobody_reads(line: Line) -> None:
    await line.become_socket(hello=True)
    for _ in range(200):
        await line.say(
            type="conversation.fetch", conversation_id=line.me.conversation_id, after=0, limit=500
        )
        await asyncio.sleep(PAUSE_SECONDS)
    await hold()


async def resumes_nobody_reads(line: Line) -> None:
    await line.become_socket(hello=True)
    await line.say(type="sync", cursors={line.me.conversation_id: 0}, done=True)
    await hold()


async def syncs_that_are_never_done(line: Line) -> None:
    await line.become_socket(hello=True)
    for number in range(200):
        first = 10**17 + number * 1_000
        await line.say(type="sync", cursors={str(first + n): n for n in range(1_000)}, done=False)
        await asyncio.sleep(PAUSE_SECONDS)
    await hold()


async def pages_nobody_reads(line: Line) -> None:
    path = f"/api/v1/conversations/{line.me.conversation_id}/messages?limit=200"
    await line.ask("GET", path, line.bearer)
    await hold()


async def lists_nobody_reads(line: Line) -> None:
    await line.ask("GET", "/v1/messages", line.bearer)
    await hold()


async def requests_by_the_thousand(line: Line) -> None:
    await line.send(f"GET /api/v1/me HTTP/1.1\r\n{line.head}\r\n".encode() * 2_000)
    await hold()


async def bodies_without_end(line: Line) -> None:
    await line.ask("POST", "/api/v1/auth/login", "Transfer-Encoding: chunked\r\n")
    for _ in range(300):
        await line.send(b"100000\r\n" + MIB + b"\r\n")
        await asyncio.sleep(PAUSE_SECONDS)


async def bodies_that_never_come(line: Line) -> None:
    await line.ask("POST", "/api/v1/auth/login", "Content-Length: 200000\r\n")
    await line.send(b"x" * 199_000)
    await hold()


async def bodies_byte_by_byte(line: Line) -> None:
    await line.ask("POST", "/api/v1/auth/login", "Transfer-Encoding: chunked\r\n")
    for _ in range(300):
        await line.send(b"1\r\nx\r\n")
        await asyncio.sleep(PAUSE_SECONDS)


async def heads_without_end(line: Line) -> None:
    await line.send(f"GET /healthz HTTP/1.1\r\n{line.head}X: ".encode())
    for _ in range(64):
        await line.send(MIB)
        await asyncio.sleep(PAUSE_SECONDS)


async def heads_that_never_come(line: Line) -> None:
    await line.send(b"GET /healthz HTTP/1.1\r\n")
    await hold()


async def pings(line: Line) -> None:
    await line.become_socket()
    flood = frame(Opcode.PING, b"x" * 125) * 20_000
    await line.send(flood)
    await hold()


async def fragments(line: Line) -> None:
    await line.become_socket(hello=True)
    await line.send(frame(Opcode.TEXT, b"{", fin=False))
    await line.send(frame(Opcode.CONT, b"", fin=False) * 100_000)
    await hold()


async def frames_of_nothing(line: Line) -> None:
    await line.become_socket()
    await line.send(frame(Opcode.TEXT, b"") * 50_000)
    await hold()


async def frames_too_large(line: Line) -> None:
    await line.become_socket(hello=True)
    for _ in range(50):
        await line.send(frame(Opcode.TEXT, b"[" * 200_000))
        await asyncio.sleep(PAUSE_SECONDS)


async def documents(line: Line) -> None:
    for path in ("/api/schema", "/api/asyncapi.json", "/api/socket-docs/") * 20:
        await line.ask("GET", path)
        await asyncio.sleep(PAUSE_SECONDS)
    await hold()


ATTACKS: tuple[Callable[[Line], Awaitable[None]], ...] = (
    fetches_nobody_reads,
    resumes_nobody_reads,
    syncs_that_are_never_done,
    pages_nobody_reads,
    lists_nobody_reads,
    requests_by_the_thousand,
    bodies_without_end,
    bodies_that_never_come,
    bodies_byte_by_byte,
    heads_without_end,
    heads_that_never_come,
    pings,
    fragments,
    frames_of_nothing,
    frames_too_large,
    documents,
)


async def attack(
    target: Target, kind: Callable[[Line], Awaitable[None]], done: Counter[str]
) -> None:
    while True:
        with contextlib.suppress(OSError):
            async with Line(target) as line:
                done[kind.__name__] += 1
                await kind(line)
        await asyncio.sleep(PAUSE_SECONDS)


async def main(target: Target, seconds: float, connections: int) -> Counter[str]:
    """Attack for so long, from so many connections; how often each attack began."""
    done: Counter[str] = Counter()
    tasks = [
        asyncio.create_task(attack(target, ATTACKS[number % len(ATTACKS)], done))
        for number in range(connections)
    ]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return done


if __name__ == "__main__":
    os.nice(5)
    given = json.loads(sys.stdin.read())
    them = [Mallory(*one) for one in given["mallory"]]
    begun = asyncio.run(
        main(Target(given["address"], them), given["seconds"], given["connections"])
    )
    print(json.dumps(begun))  # noqa: T201
