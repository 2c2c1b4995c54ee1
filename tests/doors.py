"""People who come in by one of the two doors: our own interface or that of the original server.

What they do is the same, so that one test can be run through both. Names stand for people and
groups everywhere; what is heard is (name of the sender, text).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Protocol

from tests.account import Account, RefusedError, call
from tests.compat_client import BOT, OldClient, OldSocket, Refused
from tests.servers import PASSWORD
from tests.stage import Socket, open_socket

Said = tuple[str, str]

_numbers = itertools.count(1)


def new_name() -> str:
    """Of letters and digits, as the old interface wants them; nobody's yet."""
    return f"person{next(_numbers)}x"


class Visitor(Protocol):
    """Somebody at one server; the methods of a feature raise ShutOut when it is refused."""

    username: str

    async def register(self) -> None: ...

    async def log_in(self) -> None: ...

    async def renew(self) -> None:
        """A new access token for the refresh token."""

    async def log_out(self) -> None: ...

    async def is_known(self) -> bool:
        """Whether the access token is good."""

    async def add_contact(self, username: str) -> None: ...

    async def contacts(self) -> set[str]: ...

    def online(self) -> contextlib.AbstractAsyncContextManager[None]:
        """With a socket, as all that is said and heard needs one."""

    async def say(self, username: str, text: str) -> None: ...

    async def hear(self) -> Said:
        """The next text from a person."""

    async def private_messages(self) -> dict[str, list[Said]]:
        """By the name of the other person, oldest first."""

    async def messages_with(self, username: str) -> list[Said]: ...


class ShutOut(Exception):  # noqa: N818 - what happened
    """The server refuses."""


class Newcomer:
    """By our own door."""

    def __init__(self, address: str, username: str) -> None:
        self.address = address
        self.username = username
        self._account = Account(username, PASSWORD)
        self._socket: Socket | None = None
        self._names: dict[str, str] = {}

    async def register(self) -> None:
        body = {"username": self.username, "password": PASSWORD, "email": mail_of(self.username)}
        await call(self.address, "POST", "auth/register", body=body)

    async def log_in(self) -> None:
        with shut_out():
            await self._account.log_in(self.address)

    async def renew(self) -> None:
        with shut_out():
            await self._account.renew(self.address)

    async def log_out(self) -> None:
        await self._call("POST", "auth/logout")

    async def is_known(self) -> bool:
        try:
            await call(self.address, "GET", "me", token=self._account.access_token)
        except RefusedError:
            return False
        return True

    async def add_contact(self, username: str) -> None:
        await self._call("POST", "contacts", {"username": username})

    async def contacts(self) -> set[str]:
        page = await self._call("GET", "contacts")
        return {contact["user"]["username"] for contact in page["results"]}

    @contextlib.asynccontextmanager
    async def online(self) -> AsyncIterator[None]:
        async with open_socket(self.address) as self._socket:
            ticket = await self._account.ticket(self.address)
            await self._socket.send("hello", ticket=ticket)
            await self._socket.expect("welcome")
            await self._socket.send("sync", cursors={}, done=True)
            await self._socket.expect("live")
            yield

    async def say(self, username: str, text: str) -> None:
        body = {"user_id": await self._id_of(username)}
        direct = await self._call("POST", "conversations/direct", body)
        answer = await self._open().send_text(direct["id"], text)
        assert answer["type"] == "reply", answer

    async def hear(self) -> Said:
        while True:
            message = await self._open().next_message()
            if message["sender_id"] != self._account.user_id and message["kind"] == "text":
                return await self._name_of(message["sender_id"]), message["text"]

    async def private_messages(self) -> dict[str, list[Said]]:
        page = await self._call("GET", "messages/friends")
        return {
            group["friend"]["username"]: await self._said(group["messages"])
            for group in page["results"]
        }

    async def messages_with(self, username: str) -> list[Said]:
        page = await self._call("GET", f"messages/friends/{await self._id_of(username)}")
        return await self._said(page["results"])

    # --- inside

    async def _call(self, method: str, path: str, body: object = None) -> object:
        with shut_out():
            return await self._account.call(self.address, method, path, body)

    def _open(self) -> Socket:
        assert self._socket is not None, "not online"
        return self._socket

    async def _said(self, messages: list[dict]) -> list[Said]:
        texts = [message for message in messages if message["kind"] == "text"]
        return [(await self._name_of(m["sender_id"]), m["text"]) for m in texts]

    async def _name_of(self, user_id: str) -> str:
        if user_id not in self._names:
            card = await self._call("GET", f"users/{user_id}")
            self._names[user_id] = card["username"]
        return self._names[user_id]

    async def _id_of(self, username: str) -> str:
        found = await self._call("GET", f"users?username={username}")
        return found["results"][0]["id"]
