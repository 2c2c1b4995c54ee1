"""An XMPP client that logs in and then only counts."""

import asyncio
import base64
import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from benchmarks.job import Seat
from benchmarks.peers.stanzas import Stanzas
from benchmarks.sockets import OPEN_TIMEOUT, OPENING_AT_ONCE

DOMAIN = "localhost"
RESOURCE = "bench"
PASSWORD = "bench"  # noqa: S105  of accounts that end with the run
OPENING = (
    f"<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
).encode()
# Marks the end of a connection in what was read.
LOST = b"<lost/>"
REFUSALS = (b"<failure", b"<stream:error", b"type='error'", LOST)


def jid(user: str) -> str:
    """The full address of the user's session, so that the server need not look it up."""
    return f"{user}@{DOMAIN}/{RESOURCE}"


class Connection(asyncio.Protocol):
    """`delivered` counts messages that arrived, `faults` what must not happen."""

    def __init__(self, seat: Seat, stanzas: Stanzas) -> None:
        assert seat.hello is not None
        self.seat = seat
        self.user: str = seat.hello["user"]
        self.delivered = 0
        self.faults: Counter[str] = Counter()
        self.is_closing = False
        self._stanzas = stanzas
        self._read = b""
        self._is_counting = False
        self._arrived = asyncio.Event()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        host, _, port = urlsplit(self.seat.url).netloc.partition(":")
        self.transport, _ = await loop.create_connection(lambda: self, host, int(port))
        await self.ask(OPENING, b"</stream:features>")

    async def register(self) -> None:
        """Create the account (XEP-0077)."""
        await self.ask(
            (
                "<iq type='set' id='register'><query xmlns='jabber:iq:register'>"
                f"<username>{self.user}</username><password>{PASSWORD}</password></query></iq>"
            ).encode(),
            b"type='result'",
        )

    async def open(self) -> None:
        """Log in, bind the resource, become available."""
        await self.connect()
        secret = base64.b64encode(f"\0{self.user}\0{PASSWORD}".encode()).decode()
        sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        await self.ask(
            f"<auth xmlns='{sasl}' mechanism='PLAIN'>{secret}</auth>".encode(), b"<success"
        )
        await self.ask(OPENING, b"</stream:features>")
        await self.ask(
            (
                "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                f"<resource>{RESOURCE}</resource></bind></iq>"
            ).encode(),
            b"</iq>",
        )
        # The echo confirms it.
        await self.ask(b"<presence/>", b"<presence")
        await self.enter()
        self._is_counting = True
        self._count(self._read)

    async def enter(self) -> None:
        """Subclasses do here what must happen before messages are counted."""

    async def ask(self, stanza: bytes, answer: bytes) -> None:
        """Send a stanza and read until the answer. Raises ConnectionError."""
        self.transport.write(stanza)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPEN_TIMEOUT):
                while not any(word in self._read for word in (answer, *REFUSALS)):
                    self._arrived.clear()
                    await self._arrived.wait()
        if answer not in self._read:
            message = f"{self.user} asked {stanza!r} and got {self._read!r}"
            raise ConnectionError(message)
        self._read = self._read.partition(answer)[2]

    def close(self) -> None:
        self.is_closing = True
        self.transport.close()

    def on_messages(self, number: int, own: int) -> None:
        """This many messages arrived, `own` of them with the own mark. Subclasses handle it."""

    def data_received(self, data: bytes) -> None:
        if self._is_counting:
            self._count(data)
        else:
            self._read += data
            self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_closing:
            self.faults["connection lost"] += 1
            if not self._is_counting:
                self.data_received(LOST)

    def _count(self, data: bytes) -> None:
        messages, errors, has_ended, own = self._stanzas.count(data)
        if errors:
            self.faults["error"] += errors
        if has_ended:
            self.faults["closed by the server"] += 1
        if messages:
            self.delivered += messages
            self.on_messages(messages, own)


class Opening(Protocol):
    async def open(self) -> None: ...


async def open_all(clients: Sequence[Opening]) -> None:
    """Connect the clients and wait until all have logged in."""
    free = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(client: Opening) -> None:
        async with free:
            await client.open()

    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(open_one(client))


async def register_all(seats: Sequence[Seat]) -> None:
    """Create an account for each seat."""

    class Registering(Connection):
        async def open(self) -> None:
            await self.connect()
            await self.register()
            self.close()

    await open_all([Registering(seat, Stanzas()) for seat in seats])
