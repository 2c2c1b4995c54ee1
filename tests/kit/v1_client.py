"""A client of the original chat server, written from the description of that alone.

Nothing of the product is imported here. Whatever an answer or frame has beyond what is
described, or lacks, is a fault: `Refused` aside, everything else raises AssertionError.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]

PATIENCE_SECONDS = 20.0
BOT = "ChatBot-edenAI-GPT"

_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
_PRIVATE = {"message_id", "sender_username", "recipient_username", "message", "created_at"}
# The five objects that every frame has, with the fields of each.
FRAME = {
    "private_chat": _PRIVATE,
    "group_chat": _PRIVATE | {"group_name"},
    "group_chat_bot": _PRIVATE | {"group_name"},
    "msg_online_status_fanout": {
        *("friend_id", "friend_username", "friend_email", "online", "user_to_get_notified"),
    },
    "msg_friends_online_status": {"total_online", "total_friends", "friends"},
}
# Which of them says something in a frame of each type.
SPEAKS = {
    "private_chat": "private_chat",
    "chatBot_private": "private_chat",
    "group_chat": "group_chat",
    "group_chatbot": "group_chat_bot",
    "friends_online_status": "msg_friends_online_status",
    "online_status_fanout": "msg_online_status_fanout",
    # An answer to what was no frame at all.
    "error": "private_chat",
}
PRIVATE_MESSAGE = {
    *("message_id", "message_from", "message_to", "content"),
    *("created_at", "updated_at", "deleted_at"),
}
GROUP_MESSAGE = {"id", "message_id", "user_id", "content", "created_at", "updated_at"}
USER = {"id", "username", "email"}
GROUP = {"id", "name", "createdAt", "updatedAt"}


class Refused(Exception):
    """An answer with an error: its status and its text."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"{status} {text}")


def has(body: Json, fields: set[str]) -> Json:
    """The same body, if it has these fields and no others, of the form they should have."""
    assert set(body) == fields, body
    for name in fields & {"id", "user_id", "message_from", "message_to", "session_id"}:
        assert _UUID.match(body[name]), body
    for name in fields:
        if name.endswith(("_at", "At")):
            datetime.fromisoformat(body[name])
    if "message_id" in fields:
        assert type(body["message_id"]) is int, body
    return body


class LegacyV1Client:
    """One user of a server at `address` (host:port)."""

    def __init__(self, address: str, username: str, email: str, password: str) -> None:
        self.address = address
        self.username = username
        self.email = email
        self.password = password
        self.user_id = ""
        self.tokens: Json = {}

    # --- REST

    async def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
        """What `/v1/<path>` answers. Raises Refused."""
        token = token or self.tokens.get("access_token", "")

        def run() -> requests.Response:
            return requests.request(
                method,
                f"http://{self.address}/v1/{path}",
                json=body,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=PATIENCE_SECONDS,
            )

        answer = await asyncio.to_thread(run)
        assert answer.headers["Content-Type"].startswith("application/json"), answer.text
        content = answer.json()
        if answer.status_code >= 400:
            assert set(content) == {"error"}, content
            assert isinstance(content["error"], str)
            assert content["error"]
            raise Refused(answer.status_code, content["error"])
        assert answer.status_code == (200 if method in {"GET", "DELETE"} else 201)
        return content

    async def register(self) -> Json:
        body = {"username": self.username, "password": self.password, "email": self.email}
        return has(await self.call("POST", "auth/register", body), USER)

    async def log_in(self) -> Json:
        body = {"email": self.email, "password": self.password}
        self.tokens = has(
            await self.call("POST", "auth/login", body),
            {
                *("session_id", "access_token", "access_token_expires_at", "refresh_token"),
                *("refresh_token_expires_at", "user", "otp"),
            },
        )
        user = has(self.tokens["user"], USER)
        assert (user["username"], user["email"]) == (self.username, self.email)
        self.user_id = user["id"]
        return self.tokens

    async def renew(self) -> Json:
        body = {"refresh_token": self.tokens["refresh_token"]}
        answer = await self.call("POST", "auth/token", body)
        self.tokens |= has(answer, {"access_token", "access_token_expires_at"})
        return dict(answer)

    async def log_out(self) -> None:
        body = {"refresh_token": self.tokens["refresh_token"]}
        assert await self.call("DELETE", "auth/logout", body) == {}

    async def contacts(self) -> list[Json]:
        answer = has(await self.call("GET", "contact"), {"contacts"})
        return [has(contact, USER) for contact in answer["contacts"]]

    async def add_contact(self, username: str) -> None:
        answer = await self.call("POST", "contact/add", {"friend_username": username})
        assert has(answer, USER)["username"] == self.username

    async def make_group(self, name: str, members: list[str]) -> Json:
        return has(await self.call("POST", "groups", {"name": name, "members": members}), GROUP)

    async def add_to_group(self, name: str, members: list[str]) -> Json:
        answer = await self.call("PUT", "groups/add", {"name": name, "members": members})
        return has(answer, GROUP)

    async def remove_from_group(self, name: str, username: str) -> Json:
        answer = await self.call("PUT", "groups/remove", {"name": name, "userto_remove": username})
        return has(answer, GROUP)

    async def private_messages(self) -> dict[str, list[Json]]:
        answer = has(has(await self.call("GET", "messages"), {"message"})["message"], {"friendId"})
        return {
            friend_id: [has(message, PRIVATE_MESSAGE) for message in messages]
            for friend_id, messages in answer["friendId"].items()
        }

    async def messages_with(self, username: str) -> list[Json]:
        query = urlencode({"friendUsername": username})
        answer = has(await self.call("GET", f"messages/friend?{query}"), {"message"})
        return [has(message, PRIVATE_MESSAGE) for message in answer["message"]]

    async def group_messages(self, name: str) -> list[Json]:
        answer = await self.call("GET", f"messages/group?{urlencode({'groupName': name})}")
        return [has(message, GROUP_MESSAGE) for message in has(answer, {"messages"})["messages"]]

    async def message_with(self, username: str, text: str) -> Json:
        """The message with this text, once it is stored: their sender is not told when it is."""
        return await _once_stored(text, lambda: self.messages_with(username))

    async def group_message(self, name: str, text: str) -> Json:
        """The same of a group."""
        return await _once_stored(text, lambda: self.group_messages(name))

    # --- the socket

    @contextlib.asynccontextmanager
    async def online(
        self, *, origin: str | None = None, **query: str
    ) -> AsyncIterator[LegacyV1Socket]:
        """A socket; needs the one-time code of a login."""
        said = {"otp": self.tokens.get("otp", ""), "username": self.username, **query}
        address = f"ws://{self.address}/v1/ws?{urlencode(said)}"
        options: Any = {"compression": None, "close_timeout": 2, "origin": origin}
        async with connect(address, **options) as connection:
            socket = LegacyV1Socket(connection, self.username)
            told = await socket.expect("friends_online_status")
            socket.friends = told["friends"]
            assert told["total_friends"] == len(socket.friends), told
            assert told["total_online"] == sum(friend["online"] for friend in socket.friends), told
            yield socket


async def _once_stored(text: str, read: Callable[[], Awaitable[list[Json]]]) -> Json:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for message in await read():
                if message["content"] == text:
                    return message
            await asyncio.sleep(0.01)


class LegacyV1Socket:
    """Frames are kept in their order until they are asked for."""

    def __init__(self, connection: ClientConnection, username: str) -> None:
        self._connection = connection
        self._username = username
        self._unread: list[Json] = []
        self.friends: list[Json] = []

    async def send(self, kind: str, **fields: str) -> None:
        chat = {"sender_username": self._username, **fields}
        await self.send_raw(json.dumps({"type": kind, SPEAKS[kind]: chat}))

    async def send_raw(self, data: str | bytes) -> None:
        await self._connection.send(data)

    async def say(self, username: str, text: str) -> None:
        await self.send("private_chat", recipient_username=username, message=text)

    async def say_in_group(self, name: str, text: str) -> None:
        await self.send("group_chat", group_name=name, message=text)

    async def ask(self, text: str) -> None:
        await self.send("chatBot_private", recipient_username=BOT, message=text)

    async def ask_in_group(self, name: str, text: str) -> None:
        await self.send("group_chatbot", group_name=name, message=text)

    async def expect(self, kind: str, *, seconds: float = PATIENCE_SECONDS, **fields: Any) -> Json:
        """What the next frame of this type with these fields says; others stay for later."""
        async with asyncio.timeout(seconds):
            while True:
                for place, frame in enumerate(self._unread):
                    said = frame[SPEAKS[kind]]
                    if frame["type"] == kind and fields.items() <= said.items():
                        del self._unread[place]
                        return dict(said)
                await self._receive()

    async def explanation(self, kind: str) -> str:
        """Why a frame of this type was refused: a frame that is no message says it."""
        return str((await self.expect(kind, message_id=0))["message"])

    async def any_frame(self) -> Json:
        """The next frame, whatever it says, but for who is online."""
        while True:
            for place, frame in enumerate(self._unread):
                if frame["type"] != "online_status_fanout":
                    return self._unread.pop(place)
            await self._receive()

    async def heard(self) -> list[Json]:
        """All frames that came before the answer to something that is refused.

        But for who is online, which is told at any time. It says nothing of what was sent
        before: a refusal waits for no commit (`message_with`, `group_message`).
        """
        await self.send("private_chat", recipient_username="", message="are you there")
        await self.explanation("private_chat")
        unread = self._unread
        self._unread = [frame for frame in unread if frame["type"] == "online_status_fanout"]
        return [frame for frame in unread if frame not in self._unread]

    async def closed(self, seconds: float = PATIENCE_SECONDS) -> int | None:
        """Read on until the server closes the socket; the close code."""
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self._receive()
        return self._connection.close_code

    def unread(self, kind: str) -> list[Json]:
        """The frames of this type that nobody has asked for yet."""
        return [frame for frame in self._unread if frame["type"] == kind]

    def deaf(self) -> None:
        """Read nothing any more, pings included."""
        self._connection.transport.pause_reading()

    async def _receive(self) -> None:
        frame = json.loads(await self._connection.recv())
        assert set(frame) == {"type", *FRAME}, frame
        for name, fields in FRAME.items():
            assert set(frame[name]) == fields, frame
            if SPEAKS.get(frame["type"]) != name:
                assert is_zero(frame[name]), frame
            elif frame[name].get("message_id"):
                datetime.fromisoformat(frame[name]["created_at"])
        self._unread.append(frame)


ZEROES: tuple[Any, ...] = (
    0,
    "",
    False,
    None,
    [],
    "0001-01-01T00:00:00Z",
    "00000000-0000-0000-0000-000000000000",
)


def is_zero(value: Any) -> bool:
    """Whether there is nothing in it."""
    return all(map(is_zero, value.values())) if isinstance(value, dict) else value in ZEROES
