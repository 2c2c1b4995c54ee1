"""The base of third-party targets: one server that is kept between runs."""

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.job import Conversation, Seat
from benchmarks.peers.xmpp import DOMAIN, register_all
from benchmarks.targets import Target
from tools.server import Server


class Peer(Target):
    """Accounts are created once, on a server that is stopped and restarted for each run."""

    _kept: Server

    def prepare(self, users: int, conversations: Sequence[Sequence[int]]) -> None:
        self._users = users
        self._kept = self._install()
        with self.server() as server:
            self._fill(server, conversations)

    @contextlib.contextmanager
    def server(self) -> Iterator[Server]:
        try:
            yield self._kept.start()
        finally:
            self._kept.stop()

    @abstractmethod
    def _install(self) -> Server:
        """The server, installed if missing."""

    @abstractmethod
    def _fill(self, server: Server, conversations: Sequence[Sequence[int]]) -> None:
        """Create the accounts and set `conversations`."""

    @property
    def _database(self) -> dict[str, str]:
        """host, port, user, password and dbname."""
        return {key: str(value) for key, value in conninfo_to_dict(self._database_url).items()}


class Archive(NamedTuple):
    """Where an XMPP server stores its stanzas in PostgreSQL."""

    table: str
    column: str


class XmppTarget(Peer):
    # None: nothing is stored.
    archive: ClassVar[Archive | None] = None
    separator = ""

    def seats(self, server: Server) -> list[Seat]:
        return [Seat(url=server.url, hello={"user": f"user{n}"}) for n in range(self._users)]

    @property
    def keeps(self) -> bool:
        return self.archive is not None

    def stored(self, prefix: str) -> dict[str, int]:
        """How often each message is in both archives, that of its sender and the partner's."""
        assert self.archive is not None
        table, column = self.archive
        query = (
            f"SELECT substring({column} from %s), count(*) / 2 FROM {table}"  # noqa: S608  ours
            f" WHERE {column} LIKE %s GROUP BY 1 HAVING count(*) > 1"
        )
        with psycopg.connect(self._database_url) as connection:
            client_id = rf"id='({prefix}\.[0-9]+\.[0-9]+)'"
            return dict(connection.execute(query, [client_id, f"%id='{prefix}.%"]).fetchall())

    def _fill(self, server: Server, conversations: Sequence[Sequence[int]]) -> None:
        asyncio.run(register_all(self.seats(server)))
        self.conversations = [
            Conversation(id=f"room{number}@conference.{DOMAIN}", members=list(members))
            for number, members in enumerate(conversations)
        ]
