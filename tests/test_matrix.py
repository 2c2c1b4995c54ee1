"""Who may do what in a conversation: every route and every command, for everybody there is.

The table is the one of the security requirements: what is not granted is refused, and to who
is not in the conversation it looks the same as one that does not exist. A new route or
command without a row fails.
"""

import asyncio
import contextlib
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest

from chatbe.gateway.dispatch import COMMAND_TYPES
from chatbe.gateway.events import tag_of
from chatbot.tests.bots import WorkerProcess
from groups.tests import test_rights
from tests.kit.account import RefusedError, call
from tests.kit.site import TestUser, open_socket
from tests.test_doors import OPEN_ROUTES, PREFIX, routes

ABSENT = "1"
OUTSIDE = ("stranger", "blocked", "removed", "pending", "staff", "superuser")
MEMBERS = ("member", "admin", "owner")
ADMINS = ("admin", "owner")
HERE = "conversations/{conversation_id}"


@dataclass(frozen=True)
class AdminAction:
    """One verb of the table, its routes and commands, and which members may.

    `at` says which message it is about: one of the member's own, or somebody else's.
    """

    verb: str
    granted: tuple[str, ...]
    rest: tuple[tuple[str, str], ...] = ()
    sockets: tuple[str, ...] = ()
    at: str = ""
    body: dict[str, Any] = field(default_factory=dict)


DEEDS = [
    AdminAction("see", MEMBERS, (("get", HERE),)),
    AdminAction(
        "history",
        MEMBERS,
        (
            ("get", f"{HERE}/messages"),
            ("get", f"{HERE}/messages/{{seq}}"),
            ("get", f"{HERE}/changes?after=0"),
        ),
        at="other",
    ),
    AdminAction("fetch", MEMBERS, sockets=("conversation.fetch",), body={"after": 0}),
    AdminAction("receipts", MEMBERS, (("get", f"{HERE}/receipts"),)),
    AdminAction("read", MEMBERS, (("put", f"{HERE}/receipt"),), body={"read_seq": 1}),
    AdminAction(
        "mark", MEMBERS, sockets=("receipt.mark_read", "receipt.mark_delivered"), body={"seq": 1}
    ),
    AdminAction(
        "send",
        MEMBERS,
        (("post", f"{HERE}/messages"),),
        ("message.send",),
        body={"client_id": "", "text": "hello"},
    ),
    AdminAction("typing", MEMBERS, sockets=("typing.start", "typing.stop")),
    AdminAction(
        "edit own",
        MEMBERS,
        (("patch", f"{HERE}/messages/{{seq}}"),),
        ("message.edit",),
        at="edited",
        body={"text": "better"},
    ),
    AdminAction(
        "edit other",
        (),
        (("patch", f"{HERE}/messages/{{seq}}"),),
        ("message.edit",),
        at="other",
        body={"text": "forged"},
    ),
    AdminAction(
        "delete own",
        MEMBERS,
        (("delete", f"{HERE}/messages/{{seq}}"),),
        ("message.delete",),
        at="deleted",
    ),
    AdminAction(
        "delete other",
        ADMINS,
        (("delete", f"{HERE}/messages/{{seq}}"),),
        ("message.delete",),
        at="other's rubbish",
    ),
    AdminAction(
        "bot", MEMBERS, (("get", f"{HERE}/answers/{{seq}}"),), ("bot.resume",), at="question"
    ),
    # Whoever asked may; that is somebody else here.
    AdminAction(
        "bot cancel",
        (),
        (("post", f"{HERE}/answers/{{seq}}/cancel"),),
        ("bot.cancel",),
        at="question",
    ),
    AdminAction(
        "report",
        MEMBERS,
        (("post", "reports"),),
        at="other",
        body={"conversation_id": "", "seq": 0, "reason": "spam"},
    ),
]

# About no conversation, or found through oneself: each sees what is their own.
OWN = {
    *(("post", f"auth/{name}") for name in ("email/resend", "logout", "password/change", "ticket")),
    *((method, "me") for method in ("get", "patch", "delete")),
    *(("get", "me/notices"), ("put", "me/notices/<str:notice_id>/seen")),
    *(("get", "sessions"), ("delete", "sessions"), ("delete", "sessions/<str:session_id>")),
    *(("get", "contacts"), ("post", "contacts")),
    *(("patch", "contacts/<str:user_id>"), ("delete", "contacts/<str:user_id>")),
    *(("get", "contact-requests/incoming"), ("get", "contact-requests/outgoing")),
    ("delete", "contact-requests/incoming/<str:user_id>"),
    ("post", "contact-requests/incoming/<str:user_id>/accept"),
    ("delete", "contact-requests/outgoing/<str:user_id>"),
    *(("get", "blocks"), ("put", "blocks/<str:user_id>"), ("delete", "blocks/<str:user_id>")),
    *(("get", "users"), ("get", "users/<str:user_id>"), ("get", "users/<str:user_id>/presence")),
    *(("get", "presence"), ("get", "bots"), ("get", "reports")),
    *(("get", "conversations"), ("post", "conversations/direct")),
    *(("get", "private-messages"), ("get", "private-messages/<str:user_id>")),
    # Whoever has the token of an invitation.
    *(("post", "groups"), ("post", "groups/preview"), ("post", "groups/join")),
}
OWN_COMMANDS = {"hello", "sync", "ping"}


# The doors of governance, which have a table of their own next to them.
GROUP = "groups/<str:conversation_id>"


def test_every_route_and_command_has_its_row():
    told = {(method, in_urls(path)) for action in DEEDS for method, path in action.rest}
    governed = {(method, anonymous(GROUP + path)) for method, path, *_ in test_rights.DOORS}
    there = {
        (method, path.removeprefix(PREFIX))
        for method, path in routes()
        if method and path.startswith(PREFIX) and (method, path) not in OPEN_ROUTES
    }
    groups = {(method, path) for method, path in there if path.startswith(GROUP)}
    assert there - groups == told | OWN
    assert {(method, anonymous(path)) for method, path in groups} == governed
    commands = {command for action in DEEDS for command in action.sockets}
    assert {tag_of(kind) for kind in COMMAND_TYPES} == commands | OWN_COMMANDS


def anonymous(path: str) -> str:
    """A path without the names of its parameters."""
    return re.sub("<.*?>|{.*?}", "<>", path)


def in_urls(path: str) -> str:
    """A path of the table as the routes have it."""
    return re.sub(r"{(\w+)}", r"<str:\1>", path.partition("?")[0])


@dataclass
class World:
    """A group, everybody who stands in some relation to it, and messages by what they are for."""

    address: str
    people: dict[str, TestUser]
    conversation_id: str
    seqs: dict[tuple[str, str], int]

    def body(self, action: AdminAction, name: str, conversation_id: str) -> dict[str, Any]:
        known = {"conversation_id": conversation_id, "seq": self.seq(action, name)}
        known["client_id"] = uuid.uuid4().hex
        return {key: known.get(key, value) for key, value in action.body.items()}

    def seq(self, action: AdminAction, name: str) -> int:
        return self.seqs.get((name, action.at)) or self.seqs.get(("other", action.at), 1)

    async def call(
        self, name: str, action: AdminAction, method: str, path: str, conversation_id: str
    ) -> tuple[str, Any]:
        """The code of the answer ("ok" for none), and all of a refusal."""
        path = path.format(conversation_id=conversation_id, seq=self.seq(action, name))
        body = self.body(action, name, conversation_id) if method != "get" else None
        try:
            if name == "anonymous":
                await call(self.address, method.upper(), path, body=body)
            else:
                await self.people[name].rest(method.upper(), path, body)
        except RefusedError as error:
            return error.code, error.body
        return "ok", None

    async def say(
        self, socket: Any, name: str, action: AdminAction, kind: str, conversation_id: str
    ) -> tuple[str, Any]:
        """The same of a command."""
        fields = self.body(action, name, conversation_id)
        fields["conversation_id"] = conversation_id
        if action.at:
            fields["seq"] = self.seq(action, name)
        answer = await socket.ask(kind, **fields)
        answer.pop("ref")
        return ("ok", None) if answer["type"] != "error" else (answer["code"], answer)


_worlds: dict[str, World] = {}


async def world_of(site: Any) -> World:
    """The world of this server, made when first asked for."""
    if site.address not in _worlds:
        _worlds[site.address] = await make_world(site)
    return _worlds[site.address]


async def make_world(site: Any) -> World:
    names = (*MEMBERS, *OUTSIDE, "other")
    people = {name: site.friends()[0] for name in names}
    owner = people["owner"]
    for name, person in people.items():
        await person.be_logged_in()
        if name != "owner":
            await owner.rest("POST", "contacts", {"username": person.username})
    for name in ("staff", "superuser"):
        site.change(
            "UPDATE accounts_user SET is_staff = TRUE WHERE id = ?", int(people[name].user_id)
        )
    site.change(
        "UPDATE accounts_user SET is_superuser = TRUE WHERE id = ?",
        int(people["superuser"].user_id),
    )
    [bot] = [
        bot
        for bot in (await owner.rest("GET", "bots"))["results"]
        if bot["username"] == "assistant"
    ]
    inside = [people[name].user_id for name in ("member", "admin", "removed", "other")]
    made = await owner.rest("POST", "groups", {"name": "Mill", "member_ids": [*inside, bot["id"]]})
    id = str(made["conversation_id"])
    await owner.rest("PATCH", f"groups/{id}/members/{people['admin'].user_id}", {"role": "admin"})
    seqs = {}
    for name in (*MEMBERS, "other"):
        for at in ("other", "edited", "deleted", "other's rubbish", "question"):
            body = {
                "client_id": at.replace(" ", "-"),
                "text": "/ask help" if at == "question" else at,
            }
            if name == "other" or at in {"edited", "deleted"}:
                sent = await people[name].rest("POST", f"conversations/{id}/messages", body)
                seqs[name, at] = sent["seq"]
    await owner.rest("DELETE", f"groups/{id}/members/{people['removed'].user_id}")
    await owner.rest("PUT", f"blocks/{people['blocked'].user_id}")
    link = await owner.rest("POST", f"groups/{id}/invitations", {"needs_approval": True})
    await people["pending"].rest("POST", "groups/join", {"token": link["token"]})
    world = World(site.address, people, id, seqs)
    await until_asked(site, world)
    return world


async def until_asked(site: Any, world: World) -> None:
    """Let a worker find the question; on SQLite the server is one."""
    path = f"conversations/{world.conversation_id}/answers/{world.seqs['other', 'question']}"
    worker = WorkerProcess(site.installation.environment)
    if site.installation.environment["DATABASE_URL"]:
        worker.start()
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(RefusedError):
                    await world.people["other"].rest("GET", path)
                    return
                await asyncio.sleep(0.1)
    finally:
        worker.close()


@pytest.mark.parametrize(
    "action", [action for action in DEEDS if action.rest], ids=lambda action: action.verb
)
async def test_over_rest_each_may_what_the_table_says(site, action):
    world = await world_of(site)
    for method, path in action.rest:
        code, _ = await world.call("anonymous", action, method, path, world.conversation_id)
        assert code == "unauthenticated", path
        for name in OUTSIDE:
            refused = await world.call(name, action, method, path, world.conversation_id)
            assert refused[0] == "not_found", (name, path)
            assert refused == await world.call(name, action, method, path, ABSENT), (name, path)
        for name in sorted(MEMBERS, key=lambda name: name in action.granted):
            code, _ = await world.call(name, action, method, path, world.conversation_id)
            assert code == ("ok" if name in action.granted else "forbidden"), (name, path)


async def test_over_the_socket_each_may_what_the_table_says(site):
    world = await world_of(site)
    said = [(action, kind) for action in DEEDS for kind in action.sockets]
    for action, kind in said:
        async with open_socket(site.address) as socket:
            code, _ = await world.say(socket, "anonymous", action, kind, world.conversation_id)
            assert code == "unauthenticated", kind
    for name in OUTSIDE:
        async with world.people[name].live() as socket:
            for action, kind in said:
                refused = await world.say(socket, name, action, kind, world.conversation_id)
                assert refused[0] == "not_found", (name, kind)
                assert refused == await world.say(socket, name, action, kind, ABSENT), (name, kind)
    for name in MEMBERS:
        async with world.people[name].live() as socket:
            for action, kind in said:
                code, _ = await world.say(socket, name, action, kind, world.conversation_id)
                assert code == ("ok" if name in action.granted else "forbidden"), (
                    name,
                    action.verb,
                )
