"""REST from the generator, over persistent connections and cheap enough not to affect results."""

import asyncio
import contextlib
import json
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.job import Seat

TIMEOUT_SECONDS = 60.0
# The password of every user in seed.py.
PASSWORD = "plain yellow saucer"  # noqa: S105


class Answer(NamedTuple):
    """`seconds` is the time from the request to the last byte of the answer."""

    status: int
    body: bytes
    seconds: float

    @property
    def content(self) -> Any:
        return json.loads(self.body)


class Caller:
    """One connection to the server of a seat, as its user; one request at a time."""

    def __init__(self, seat: Seat, *, base: str = "/api/v1") -> None:
        self._base = base
        address = urlsplit(seat.url)
        self._address = address.hostname, address.port
        self._headers = f"Host: {address.netloc}\r\nContent-Type: application/json\r\n"
        if seat.hello is not None and "token" in seat.hello:
            self._headers += f"Authorization: Bearer {seat.hello['token']}\r\n"
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Answer:
        return await self.call("GET", path)

    async def call(self, method: str, path: str, body: Any = None) -> Answer:
        """The answer of `path` below the base. Raises OSError and TimeoutError."""
        content = b"" if body is None else json.dumps(body).encode()
        request = (
            f"{method} {self._base}/{path} HTTP/1.1\r\n{self._headers}"
            f"Content-Length: {len(content)}\r\n\r\n"
        ).encode() + content
        began = time.perf_counter()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            status, answered = await self._exchange(request)
        return Answer(status, answered, time.perf_counter() - began)

    def close(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._connection is not None:
            # The server may just have closed a connection that was idle for a while.
            with contextlib.suppress(ConnectionError):
                return await self._ask(request)
        return await self._ask(request)

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = await asyncio.open_connection(*self._address)
        reader, writer = self._connection
        writer.write(request)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await _read_body(reader, head)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            raise ConnectionError("the server ended the connection") from error
        return int(head.split(b" ", 2)[1]), body


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """The body after this head, which must be in lower case."""
    if b"\r\ntransfer-encoding: chunked\r\n" not in head:
        at = head.index(b"content-length:") + len(b"content-length:")
        return await reader.readexactly(int(head[at : head.index(b"\r", at)]))
    chunks = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(chunks)
