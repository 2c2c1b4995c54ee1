"""A running server and a supply of people, and sockets that are driven frame by frame.

`tests.kit.client` behaves as a client should; what is here does exactly what a test says.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, Self

import psycopg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from tests.kit.account import Account
from tests.kit.frames import Frame, read_frames
from tests.kit.secret_scan import PASSWORD
from tests.kit.servers import Installation, fresh_database, running_redis

Kind = Literal["serve", "runserver"]

PEOPLE = 1_500
ANSWER_SECONDS = 20.0
# Low enough to wait for, high enough for a busy machine.
HELLO_SECONDS = 4.0
# Nobody here waits for receipts to be worth a statement.
RECEIPT_SECONDS = 0.05


class Socket:
    """One socket. Frames are kept in `seen` in their order, batches taken apart."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._refs = itertools.count(1)
        self._unread: list[Frame] = []
        self.seen: list[Frame] = []
        self.raw: list[str | bytes] = []

    @property
    def transport(self) -> asyncio.Transport:
        return self._connection.transport

    @property
    def messages(self) -> list[Frame]:
        """All messages that came, in events and in ranges, in their order."""
        return [message for frame in self.seen for message in _messages_in(frame)]

    async def send_raw(self, data: str | bytes) -> None:
        await self._connection.send(data)

    async def send(self, kind: str, **fields: Any) -> None:
        await self.send_raw(json.dumps({"type": kind, **fields}))

    async def ask(self, kind: str, **fields: Any) -> Frame:
        """Send a command and return the frame that carries its ref."""
        ref = f"ask-{next(self._refs)}"
        await self.send(kind, ref=ref, **fields)
        return await self.expect(ref=ref)

    async def send_text(self, conversation_id: str, text: str, **fields: Any) -> Frame:
        """Send a message; its answer."""
        fields.setdefault("client_id", uuid.uuid4().hex)
        return await self.ask("message.send", conversation_id=conversation_id, text=text, **fields)

    async def expect(
        self, kind: str | None = None, *, seconds: float = ANSWER_SECONDS, **fields: Any
    ) -> Frame:
        """The next frame of this type with these fields; others stay for later."""

        def is_available(frame: Frame) -> bool:
            return (kind is None or frame["type"] == kind) and all(
                frame.get(name) == value for name, value in fields.items()
            )

        async with asyncio.timeout(seconds):
            while True:
                for place, frame in enumerate(self._unread):
                    if is_available(frame):
                        return self._unread.pop(place)
                await self._receive()

    async def message(self, text: str, seconds: float = ANSWER_SECONDS) -> Frame:
        """The message with this text."""
        return await self.message_with(seconds, text=text)

    async def message_of(self, user_id: str, seconds: float = ANSWER_SECONDS) -> Frame:
        """The next message of this user, whatever it says."""
        return await self.message_with(seconds, sender_id=user_id)

    async def message_with(self, seconds: float = ANSWER_SECONDS, **fields: Any) -> Frame:
        """The next message with these fields; those before it are passed over.

        It comes in an event of its own, or in a range where the event was late: which of the
        two is the machine's affair.
        """
        async with asyncio.timeout(seconds):
            while True:
                message = await self._next_message()
                if all(message.get(name) == value for name, value in fields.items()):
                    return message

    async def _next_message(self) -> Frame:
        while True:
            for place, frame in enumerate(self._unread):
                if messages := _messages_in(frame):
                    first, *left = messages
                    # What is left of a range stays for later; `seen` keeps the whole.
                    rest = [{**frame, "changes": left}] if left else []
                    self._unread[place : place + 1] = rest
                    return first
            await self._receive()

    async def settle(self) -> list[Frame]:
        """Everything the server said before it answered a ping sent now.

        But for presence, which comes when it likes: `expect` finds that later, too.
        """
        await self.ask("ping")
        unread, self._unread = self._unread, []
        self._unread = [frame for frame in unread if frame["type"].startswith("presence.")]
        return [frame for frame in unread if frame not in self._unread]

    @property
    def is_open(self) -> bool:
        return self._connection.state is State.OPEN

    async def closed(self, seconds: float = ANSWER_SECONDS) -> int | None:
        """Read on until the server closes the socket; the close code."""
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self._receive()
        return self._connection.close_code

    async def close(self) -> None:
        await self._connection.close()

    async def _receive(self) -> None:
        data = await self._connection.recv()
        self.raw.append(data)
        frames = read_frames(data)
        self.seen += frames
        self._unread += frames


def _messages_in(frame: Frame) -> list[Frame]:
    if frame["type"] == "range":
        return list(frame["changes"])
    return [frame["message"]] if frame["type"] in {"message.created", "message.changed"} else []


@contextlib.asynccontextmanager
async def open_socket(address: str, **options: Any) -> AsyncIterator[Socket]:
    """A socket that has said nothing yet."""
    async with connect(
        f"ws://{address}/ws/v1/",
        ping_interval=None,
        compression=None,
        max_size=None,
        open_timeout=ANSWER_SECONDS,
        close_timeout=2,
        **options,
    ) as connection:
        yield Socket(connection)


class TestUser(Account):
    """Somebody with a password, and sockets."""

    __test__ = False

    def __init__(self, site: TestSite, username: str, user_id: str) -> None:
        super().__init__(username, PASSWORD)
        self.site = site
        self.user_id = user_id

    @property
    def token(self) -> str:
        return self._access_token

    async def rest(self, method: str, path: str, body: Any = None) -> Any:
        """Call `/api/v1/<path>` as this person, logging in first if need be."""
        await self.be_logged_in()
        return await self.call(self.site.address, method, path, body)

    async def be_logged_in(self) -> None:
        if not self._access_token:
            await self.log_in(self.site.address)

    @contextlib.asynccontextmanager
    async def greeted(self, **hello: Any) -> AsyncIterator[Socket]:
        """A socket after `welcome`."""
        await self.be_logged_in()
        async with open_socket(self.site.address) as socket:
            await socket.send("hello", token=self.token, **hello)
            await socket.expect("welcome")
            yield socket

    @contextlib.asynccontextmanager
    async def live(self, cursors: dict[str, int] | None = None) -> AsyncIterator[Socket]:
        """A socket that gets events."""
        async with self.greeted() as socket:
            await socket.send("sync", cursors=cursors or {}, done=True)
            await socket.expect("live")
            yield socket

    async def direct(self, other: TestUser) -> str:
        """The id of the direct conversation with a contact."""
        answer = await self.rest("POST", "conversations/direct", {"user_id": other.user_id})
        return str(answer["id"])


class TestSite:
    """One server of an installation of its own, and its people."""

    __test__ = False

    workers = 1
    people = PEOPLE

    def __init__(self, kind: Kind, database_url: str, redis_url: str, **settings: str) -> None:
        self.kind = kind
        self.installation = Installation(database_url, redis_url, **settings)
        self.installation.migrate()
        pairs = ((place, place + 1) for place in range(0, self.people, 2))
        self._people: Iterator[Any] = iter(self.installation.make_users(self.people, pairs))
        self.server = self.installation.server(kind=kind, workers=self.workers)
        self.server.start()

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def _file(self) -> str:
        return f"{self.installation.environment['DATA_DIR']}/chat.sqlite3"

    def strangers(self) -> tuple[TestUser, TestUser]:
        """Two people who do not know each other, and nobody else here."""
        first, _, second, _ = (self._person() for _ in range(4))
        return first, second

    def friends(self) -> tuple[TestUser, TestUser]:
        """Two people who are each other's contacts, with no conversation yet."""
        return self._person(), self._person()

    async def talking(self) -> tuple[TestUser, TestUser, str]:
        """Two contacts and their empty conversation."""
        one, other = self.friends()
        return one, other, await one.direct(other)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Look into the server's database; parameters are written `?`."""
        url = self.installation.environment["DATABASE_URL"]
        if url:
            with psycopg.connect(url, autocommit=True) as connection:
                query = sql.replace("?", "%s").encode()
                return list(connection.execute(query, parameters).fetchall())
        with contextlib.closing(sqlite3.connect(self._file, timeout=20)) as file:
            return file.execute(sql, parameters).fetchall()

    def change(self, sql: str, *parameters: Any) -> None:
        """Change the server's database behind its back; parameters are written `?`."""
        url = self.installation.environment["DATABASE_URL"]
        if url:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(sql.replace("?", "%s").encode(), parameters)
            return
        with contextlib.closing(sqlite3.connect(self._file, timeout=20)) as file:
            file.execute(sql, parameters)
            file.commit()

    def stored(self, conversation_id: str) -> list[tuple[Any, ...]]:
        """(seq, text) of all messages of a conversation."""
        return self.rows(
            "SELECT seq, text FROM conversations_message WHERE conversation_id = ? ORDER BY seq",
            int(conversation_id),
        )

    def counts(self) -> list[int]:
        """How many rows there are of everything a socket could make."""
        # Bots may still be answering what was said before.
        people = "sender_id NOT IN (SELECT id FROM accounts_user WHERE is_bot)"
        tables = (
            f"conversations_message WHERE {people}",
            "conversations_conversation",
            "conversations_membership",
        )
        return [self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables]  # noqa: S608

    def _person(self) -> TestUser:
        made = next(self._people)
        return TestUser(self, made.username, made.user_id)


class TestSites:
    """The servers that tests share, started when first asked for."""

    __test__ = False

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._sites: dict[Kind, TestSite] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def get(self, kind: Kind) -> TestSite:
        if kind not in self._sites:
            database_url = redis_url = ""
            if os.environ.get("DATABASE_URL"):
                database_url = self._stack.enter_context(fresh_database())
                redis_url = self._stack.enter_context(running_redis())
            site = TestSite(
                kind,
                database_url,
                redis_url,
                # Who logged in for the first test of a file is still in at its last.
                ACCESS_TOKEN_SECONDS="86400",
                HELLO_SECONDS=str(HELLO_SECONDS),
                RECEIPT_SECONDS=str(RECEIPT_SECONDS),
                CHATBOT_WORKER_IN_SERVER="true",
            )
            self._stack.callback(site.server.close)
            self._sites[kind] = site
        return self._sites[kind]
