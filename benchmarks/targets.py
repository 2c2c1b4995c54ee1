"""The servers under test: how each is started, filled and checked afterwards."""

import json
import os
import secrets
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

import psycopg

from benchmarks.job import Conversation, Seat
from benchmarks.legacy import username
from benchmarks.rest import Account
from benchmarks.webserver import PROJECT, WebServer
from tools.server import Server
from tools.services import Postgres, Redis


class Target(ABC):
    """One server under test. `prepare` once, then any number of `server()` and `seats()`."""

    name: ClassVar[str]
    # What the server's JSON has between a name and its value.
    separator: ClassVar[str]
    messages_table: ClassVar[str]

    def __init__(self, postgres: Postgres, redis: Redis, *, cpus: str, scratch: str) -> None:
        self._database_url = self._make_database(postgres, scratch)
        self._redis_url = redis.url
        self._cpus = cpus
        self.conversations: list[Conversation] = []

    def _make_database(self, postgres: Postgres, scratch: str) -> str:
        """The URL of an empty database."""
        return postgres.create_database(self.name)

    @property
    def keeps(self) -> bool:
        """Whether acked messages must be in the database."""
        return True

    @abstractmethod
    def prepare(self, users: int, conversations: Sequence[Sequence[int]]) -> None:
        """Fill the empty database; `conversations` hold indexes into the users."""

    @abstractmethod
    def server(self) -> AbstractContextManager[Server]:
        """The server, running inside the block."""

    @abstractmethod
    def seats(self, server: Server) -> list[Seat]:
        """One seat for each user on the running server."""

    def stored(self, prefix: str) -> dict[str, int]:
        """How often each client_id of a run is in the database."""
        query = (
            f"SELECT client_id, count(*) FROM {self.messages_table}"  # noqa: S608  ours
            " WHERE client_id LIKE %s GROUP BY client_id"
        )
        with psycopg.connect(self._database_url) as connection:
            return dict(connection.execute(query, [prefix + ".%"]).fetchall())

    def history_faults(self, server: Server, stored: Mapping[str, int]) -> int:
        """What a reader sees in a sample of conversations that differs from the database."""
        return 0

    def _run(self, *arguments: str, environment: Mapping[str, str], text: str = "") -> str:
        """Run a Python program of the project; returns its standard output."""
        done = subprocess.run(
            [sys.executable, *arguments],
            check=False,
            cwd=PROJECT,
            env={**os.environ, **environment},
            input=text,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            message = f"{' '.join(arguments)} failed:\n{done.stderr.strip()}"
            raise RuntimeError(message)
        return done.stdout


class Naive(Target):
    """`benchmarks.naive` under daphne, with Django's own defaults."""

    name = "naive"
    # Seconds; with Django's default, 0, every request opens a connection.
    conn_max_age: ClassVar[str] = "0"
    separator = ": "
    messages_table = "naive_message"

    def prepare(self, users: int, conversations: Sequence[Sequence[int]]) -> None:
        layout = json.dumps({"users": users, "conversations": conversations})
        made = json.loads(
            self._run("-m", "benchmarks.naive.seed", environment=self._environment, text=layout)
        )
        self._user_ids = made["user_ids"]
        self.conversations = [
            Conversation(id=str(conversation_id), members=list(members))
            for conversation_id, members in zip(
                made["conversation_ids"], conversations, strict=True
            )
        ]

    def server(self) -> WebServer:
        return WebServer(
            [
                *("-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"),
                "benchmarks.naive.asgi:application",
            ],
            self._environment,
            cpus=self._cpus,
        )

    def seats(self, server: Server) -> list[Seat]:
        return [
            Seat(url=f"ws://127.0.0.1:{server.port}/chat?user={user_id}")
            for user_id in self._user_ids
        ]

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._database_url,
            "REDIS_URL": self._redis_url,
            "NAIVE_CONN_MAX_AGE": self.conn_max_age,
        }


class Helped(Naive):
    """Naive with persistent database connections."""

    name = "helped"
    conn_max_age = "86400"


class Ours(Target):
    """This project's own server with one worker, used through its public interface."""

    name = "ours"
    separator = ":"
    messages_table = "conversations_message"

    # A sample, because reading everything over REST would take longer than the run.
    HISTORY_SAMPLE = 3

    def __init__(self, postgres: Postgres, redis: Redis, *, cpus: str, scratch: str) -> None:
        super().__init__(postgres, redis, cpus=cpus, scratch=scratch)
        self._environment = {
            "DATABASE_URL": self._database_url,
            "REDIS_URL": self._redis_url,
            "DATA_DIR": scratch,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SIGNING_KEYS": "bench:" + secrets.token_urlsafe(48),
            "CONTENT_HASH_KEY": secrets.token_urlsafe(48),
            "DEBUG": "false",
            "LOG_LEVEL": "WARNING",
            "HELLOS_PER_ADDRESS": "100000+10000/second",
            "CONTACT_REQUESTS_PER_USER": "1000000/hour",
            "ACCESS_TOKEN_SECONDS": "7200",
            # The load generator is faster than people: limits are counted, but set high.
            "COMMANDS_PER_SOCKET": "20000+5000/second",
            "COMMANDS_PER_USER": "20000+5000/second",
            "MESSAGES_PER_CONVERSATION": "40000+10000/second",
            "REST_READS_PER_USER": "2000+1000/second",
            "REST_READS_PER_ADDRESS": "100000+10000/second",
            "REST_WRITES_PER_USER": "2000+1000/second",
            "REST_WRITES_PER_ADDRESS": "100000+10000/second",
            "LOGIN_ATTEMPTS_PER_ACCOUNT": "1000000/minute",
            "LOGIN_ATTEMPTS_PER_ADDRESS": "1000000/minute",
        }

    def prepare(self, users: int, conversations: Sequence[Sequence[int]]) -> None:
        layout = json.dumps({"users": users, "conversations": conversations})
        made = json.loads(
            self._run("-m", "benchmarks.seed", environment=self._environment, text=layout)
        )
        self._access_tokens: list[str] = made["access_tokens"]
        self.conversations = [
            Conversation(id=found["id"], members=list(members))
            for found, members in zip(made["conversations"], conversations, strict=True)
        ]
        self._read_up_to: dict[str, int] = {
            found["id"]: found["head"] for found in made["conversations"]
        }

    def server(self) -> WebServer:
        return WebServer(
            ["manage.py", "serve", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"],
            self._environment,
            ready="/readyz",
            cpus=self._cpus,
        )

    def seats(self, server: Server) -> list[Seat]:
        return [
            Seat(
                url=f"ws://127.0.0.1:{server.port}/ws/v1/",
                hello={"type": "hello", "token": token},
            )
            for token in self._access_tokens
        ]

    def history_faults(self, server: Server, stored: Mapping[str, int]) -> int:
        """A sample, read over REST: how many messages are missing, extra or out of order."""
        faults = 0
        for conversation in self.conversations[: self.HISTORY_SAMPLE]:
            reader = Account(self._access_tokens[conversation.members[0]])
            after = self._read_up_to[conversation.id]
            messages = reader.history(server.url, conversation.id, after=after)
            self._read_up_to[conversation.id] = after + len(messages)
            seqs = [message["seq"] for message in messages]
            faults += seqs != list(range(after + 1, after + 1 + len(messages)))
            read = Counter(message["client_id"] for message in messages if message["client_id"])
            senders = {str(index) for index in conversation.members}
            expected = Counter(
                {name: times for name, times in stored.items() if name.split(".")[1] in senders}
            )
            faults += (read - expected).total() + (expected - read).total()
        return faults


class Legacy(Ours):
    """Ours, used through the legacy v1 API."""

    name = "v1"

    def __init__(self, postgres: Postgres, redis: Redis, *, cpus: str, scratch: str) -> None:
        super().__init__(postgres, redis, cpus=cpus, scratch=scratch)
        # From the first socket of a run to its last.
        self._environment["TICKET_SECONDS"] = "600"

    def seats(self, server: Server) -> list[Seat]:
        """Seats with a ticket each, which opens a socket there as well."""
        return [
            Seat(
                url=f"ws://127.0.0.1:{server.port}/v1/ws"
                f"?otp={Account(token).ticket(server.url)}&username={username(index)}"
            )
            for index, token in enumerate(self._access_tokens)
        ]

    def stored(self, prefix: str) -> dict[str, int]:
        """Clients cannot choose a `client_id` there, so their texts begin with one."""
        query = (
            "SELECT split_part(text, ' ', 1), count(*) FROM conversations_message"
            " WHERE text LIKE %s GROUP BY 1"
        )
        with psycopg.connect(self._database_url) as connection:
            return dict(connection.execute(query, [prefix + ".%"]).fetchall())

    def history_faults(self, server: Server, stored: Mapping[str, int]) -> int:
        """Nothing: both APIs read the same log, which `Ours` checks."""
        return 0


KINDS: Mapping[str, type[Target]] = {kind.name: kind for kind in (Naive, Helped, Ours, Legacy)}
