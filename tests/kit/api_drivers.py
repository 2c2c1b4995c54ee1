"""People who come by one of the two interfaces: our own, or that of the original server.

What they do is the same, so one test can be run through both. Names stand for people and
groups everywhere, and what is said is (name of who said it, text).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.kit.account import RefusedError, call
from tests.kit.secret_scan import PASSWORD
from tests.kit.site import Socket, open_socket
from tests.kit.v1_client import BOT, LegacyV1Client, LegacyV1Socket, Refused

Said = tuple[str, str]


class ShutOut(Exception):
    """The server has refused it."""


@contextlib.contextmanager
def asking() -> Iterator[None]:
    try:
        yield
    except (RefusedError, Refused) as error:
        raise ShutOut(str(error)) from error


def mail_of(username: str) -> str:
    return f"{username}@example.org"


class Visitor:
    """Somebody at one server. Saying and hearing need `online`."""

    def __init__(self, address: str, username: str) -> None:
        self.address = address
        self.username = username


class OurVisitor(Visitor):
    """By our own interface."""

    def __init__(self, address: str, username: str) -> None:
        super().__init__(address, username)
        self._tokens: dict[str, Any] = {}
        self._socket: Socket | None = None

    async def register(self) -> None:
        body = {"username": self.username, "password": PASSWORD, "email": mail_of(self.username)}
        await self._call("POST", "auth/register", body)

    async def log_in(self) -> None:
        body = {"login": self.username, "password": PASSWORD}
        self._tokens = await self._call("POST", "auth/login", body)

    async def renew(self) -> str:
        """Get a new access token; which it is."""
        body = {"refresh_token": self._tokens["refresh_token"]}
        self._tokens |= await self._call("POST", "auth/refresh", body)
        return str(self._tokens["access_token"])

    async def log_out(self) -> None:
        await self._call("POST", "auth/logout")

    async def add_contact(self, username: str) -> None:
        await self._call("POST", "contacts", {"username": username})

    async def contacts(self) -> set[str]:
        page = await self._call("GET", "contacts")
        return {contact["user"]["username"] for contact in page["results"]}

    async def make_group(self, name: str, members: list[str]) -> None:
        ids = [await self._id_of(member) for member in members]
        await self._call("POST", "groups", {"name": name, "member_ids": ids})

    async def add_to_group(self, name: str, username: str) -> None:
        body = {"member_ids": [await self._id_of(username)]}
        await self._call("POST", f"groups/{await self._group(name)}/members", body)

    async def remove_from_group(self, name: str, username: str) -> None:
        member = await self._id_of(username)
        await self._call("DELETE", f"groups/{await self._group(name)}/members/{member}")

    async def private_messages(self) -> dict[str, list[Said]]:
        page = await self._call("GET", "private-messages")
        return {
            group["friend"]["username"]: await self._said(group["messages"])
            for group in page["results"]
        }

    async def messages_with(self, username: str) -> list[Said]:
        page = await self._call("GET", f"private-messages/{await self._id_of(username)}")
        return await self._said(page["results"])

    async def group_messages(self, name: str) -> list[Said]:
        page = await self._call("GET", f"conversations/{await self._group(name)}/messages")
        return await self._said(page["results"])

    @contextlib.asynccontextmanager
    async def online(self) -> AsyncIterator[None]:
        ticket = (await self._call("POST", "auth/ticket"))["ticket"]
        async with open_socket(self.address) as self._socket:
            await self._socket.send("hello", ticket=ticket)
            await self._socket.expect("welcome")
            await self._socket.send("sync", cursors={}, done=True)
            await self._socket.expect("live")
            yield

    async def say(self, username: str, text: str) -> None:
        body = {"user_id": await self._id_of(username)}
        await self._send((await self._call("POST", "conversations/direct", body))["id"], text)

    async def say_in_group(self, name: str, text: str) -> None:
        await self._send(await self._group(name), text)

    async def hears(self, who: str, text: str) -> None:
        """Wait until this text of a friend arrives."""
        message = await self._open().message(text)
        assert await self._name_of(message["sender_id"]) == who

    async def hears_in_group(self, name: str, who: str, text: str) -> None:
        """Wait until this text of a member arrives."""
        message = await self._open().message(text)
        assert await self._name_of(message["sender_id"]) == who
        assert message["conversation_id"] == await self._group(name)

    async def asks_bot(self, text: str) -> str:
        """Ask the chatbot in private; its answer."""
        [bot] = (await self._call("GET", "bots"))["results"]
        direct = await self._call("POST", "conversations/direct", {"user_id": bot["id"]})
        await self._send(direct["id"], text)
        return str((await self._open().message_of(bot["id"]))["text"])

    async def asks_bot_in_group(self, name: str, text: str) -> None:
        [bot] = (await self._call("GET", "bots"))["results"]
        with contextlib.suppress(ShutOut):
            await self._call("POST", "contacts", {"username": bot["username"]})
            await self.add_to_group(name, bot["username"])
        await self._send(await self._group(name), f"@{bot['username']} {text}")

    async def hears_bot_in_group(self, name: str) -> str:
        """Wait for the chatbot's answer."""
        [bot] = (await self._call("GET", "bots"))["results"]
        message = await self._open().message_of(bot["id"])
        assert message["conversation_id"] == await self._group(name)
        return str(message["text"])

    async def sees(self, username: str, *, online: bool) -> None:
        """Wait until a friend is said to have come or gone."""
        friend_id = await self._id_of(username)
        await self._open().expect("presence.changed", user_id=friend_id, online=online)

    # --- inside

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        token = self._tokens.get("access_token")
        with asking():
            return await call(self.address, method, path, body=body, token=token)

    def _open(self) -> Socket:
        assert self._socket is not None
        return self._socket

    async def _send(self, conversation_id: str, text: str) -> None:
        answer = await self._open().send_text(conversation_id, text)
        assert answer["type"] == "reply", answer

    async def _group(self, name: str) -> str:
        page = await self._call("GET", "conversations")
        for conversation in page["results"]:
            if conversation["group"] and conversation["group"]["name"] == name:
                return str(conversation["id"])
        raise ShutOut(name)

    async def _said(self, messages: list[dict[str, Any]]) -> list[Said]:
        texts = [message for message in messages if message["kind"] == "text"]
        return [(await self._name_of(m["sender_id"]), m["text"]) for m in texts]

    async def _name_of(self, user_id: str) -> str:
        return str((await self._call("GET", f"users/{user_id}"))["username"])

    async def _id_of(self, username: str) -> str:
        found = await self._call("GET", f"users?username={username}")
        return str(found["results"][0]["id"])


class LegacyV1Visitor(Visitor):
    """By the interface of the original server."""

    def __init__(self, address: str, username: str) -> None:
        super().__init__(address, username)
        self._client = LegacyV1Client(address, username, mail_of(username), PASSWORD)
        self._socket: LegacyV1Socket | None = None

    async def register(self) -> None:
        await self._client.register()

    async def log_in(self) -> None:
        with asking():
            await self._client.log_in()

    async def renew(self) -> str:
        """Get a new access token; which it is."""
        with asking():
            return str((await self._client.renew())["access_token"])

    async def log_out(self) -> None:
        await self._client.log_out()

    async def add_contact(self, username: str) -> None:
        with asking():
            await self._client.add_contact(username)

    async def contacts(self) -> set[str]:
        with asking():
            return {contact["username"] for contact in await self._client.contacts()}

    async def make_group(self, name: str, members: list[str]) -> None:
        with asking():
            await self._client.make_group(name, members)

    async def add_to_group(self, name: str, username: str) -> None:
        with asking():
            await self._client.add_to_group(name, [username])

    async def remove_from_group(self, name: str, username: str) -> None:
        with asking():
            await self._client.remove_from_group(name, username)

    async def private_messages(self) -> dict[str, list[Said]]:
        names = {user["id"]: user["username"] for user in await self._client.contacts()}
        return {
            names[friend_id]: self._said(messages, friend_id, names[friend_id])
            for friend_id, messages in (await self._client.private_messages()).items()
        }

    async def messages_with(self, username: str) -> list[Said]:
        messages = await self._client.messages_with(username)
        [friend_id] = [c["id"] for c in await self._client.contacts() if c["username"] == username]
        return self._said(messages, friend_id, username)

    def _said(self, messages: list[dict[str, Any]], friend_id: str, friend: str) -> list[Said]:
        names = {friend_id: friend, self._client.user_id: self.username}
        assert all({m["message_from"], m["message_to"]} == set(names) for m in messages)
        return [(names[message["message_from"]], message["content"]) for message in messages]

    async def group_messages(self, name: str) -> list[Said]:
        with asking():
            messages = await self._client.group_messages(name)
            names = {c["id"]: c["username"] for c in await self._client.contacts()}
        names[self._client.user_id] = self.username
        # The chatbot is in nobody's list.
        return [(names.get(message["user_id"], BOT), message["content"]) for message in messages]

    @contextlib.asynccontextmanager
    async def online(self) -> AsyncIterator[None]:
        async with self._client.online() as self._socket:
            yield

    async def say(self, username: str, text: str) -> None:
        await self._open().say(username, text)

    async def say_in_group(self, name: str, text: str) -> None:
        await self._open().say_in_group(name, text)

    async def hears(self, who: str, text: str) -> None:
        """Wait until this text of a friend arrives."""
        await self._open().expect("private_chat", sender_username=who, message=text)

    async def hears_in_group(self, name: str, who: str, text: str) -> None:
        """Wait until this text of a member arrives."""
        said: dict[str, Any] = {"group_name": name, "sender_username": who, "message": text}
        await self._open().expect("group_chat", **said)

    async def asks_bot(self, text: str) -> str:
        """Ask the chatbot in private; its answer."""
        await self._open().ask(text)
        answer = await self._open().expect("chatBot_private", sender_username=BOT)
        return str(answer["message"])

    async def asks_bot_in_group(self, name: str, text: str) -> None:
        await self._open().ask_in_group(name, text)

    async def hears_bot_in_group(self, name: str) -> str:
        """Wait for the chatbot's answer."""
        said: dict[str, Any] = {"group_name": name, "sender_username": BOT}
        return str((await self._open().expect("group_chatbot", **said))["message"])

    async def hears_nothing_else(self) -> bool:
        return await self._open().heard() == []

    async def sees(self, username: str, *, online: bool) -> None:
        """Wait until a friend is said to have come or gone."""
        said: dict[str, Any] = {"friend_username": username, "online": online}
        await self._open().expect("online_status_fanout", **said)

    def _open(self) -> LegacyV1Socket:
        assert self._socket is not None
        return self._socket


VISITORS = {"our interface": OurVisitor, "the old interface": LegacyV1Visitor}
