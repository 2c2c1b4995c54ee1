"""How many statements things cost, with few conversations and with many."""

import asyncio
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from accounts.services import create_ticket
from accounts.tests.rest import device_of, make_user
from chatbe.gateway.handshake import Hello, authenticate
from common.models import Installation
from contacts.models import Contact
from conversations.log.append import append_messages
from conversations.models import Conversation, Membership
from conversations.tests.people import CONVERSATIONS, draft, post
from presence.notifier import PresenceNotifier
from realtime.node import current_node
from realtime.resume import resume
from realtime.tests.sockets import Recorder
from tests.kit.settled import settle

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

SIZES = [1, 10, 200]

# Where the statements of what is being measured are noted. The loops that never end have none:
# the sweep works when it is time.
_notes: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def statements(monkeypatch):
    """All statements this leads to, in all threads, as they reach the database driver."""
    settle()  # what the preparation led to is not counted
    found: list[str] = []
    execute, many = CursorWrapper.execute, CursorWrapper.executemany

    def note(sql):
        # The log's own threads take no context with them. Nobody else writes to it meanwhile.
        is_log = threading.current_thread().name.startswith("log-writer-")
        if is_log or _notes.get() is found:
            found.append(str(sql))

    def noted(self, sql, params=None):
        note(sql)
        return execute(self, sql, params)

    def noted_many(self, sql, params):
        note(sql)
        return many(self, sql, params)

    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", noted)
        patch.setattr(CursorWrapper, "executemany", noted_many)
        token = _notes.set(found)
        try:
            yield found
        finally:
            _notes.reset(token)


def person_with(conversations):
    """Somebody with so many friends, a conversation with each, and a message in each.

    Every second one is a group, which the friend is in with her.
    """
    alice = make_user()
    number = f"{alice.id}"
    friends = [make_user(f"f{number[-8:]}.{n}") for n in range(conversations)]
    now = timezone.now()
    Contact.objects.bulk_create(
        Contact(owner=one, user=other, created_at=now)
        for friend in friends
        for one, other in ((alice, friend), (friend, alice))
    )
    made = []
    for place, friend in enumerate(friends):
        low, high = sorted((alice.id, friend.id))
        direct = Conversation(kind="direct", low_user_id=low, high_user_id=high)
        made.append(Conversation(kind="group", name="Us") if place % 2 else direct)
    Conversation.objects.bulk_create(made)
    Membership.objects.bulk_create(
        Membership(conversation=conversation, user=user)
        for conversation, friend in zip(made, friends, strict=True)
        for user in (alice, friend)
    )
    phone = device_of(alice)
    append_messages([draft(alice, conversation.id) for conversation in made])
    return alice, phone, made


def cost_of(monkeypatch, call):
    call()  # what is made once, is made
    with statements(monkeypatch) as found:
        call()
    return found


READS = {
    "conversations": lambda phone, _: phone.get(f"{CONVERSATIONS}?limit=200"),
    "one conversation": lambda phone, id: phone.get(f"{CONVERSATIONS}/{id}"),
    "history": lambda phone, id: phone.get(f"{CONVERSATIONS}/{id}/messages"),
    "history around": lambda phone, id: phone.get(f"{CONVERSATIONS}/{id}/messages?around=1"),
    "one message": lambda phone, id: phone.get(f"{CONVERSATIONS}/{id}/messages/1"),
    "changes": lambda phone, id: phone.get(f"{CONVERSATIONS}/{id}/changes?after=0"),
    "private messages": lambda phone, _: phone.get("/api/v1/private-messages?limit=200"),
}
# One of them asks whose token it is.
MOST = {
    "conversations": 5,
    "one conversation": 5,
    "history": 2,
    "history around": 2,
    "one message": 2,
    "changes": 2,
    "private messages": 7,
}


def test_reading_costs_the_same_however_many_conversations_there_are(monkeypatch):
    costs: dict[Any, Any] = {}
    for size in SIZES:
        _, phone, made = person_with(size)
        for name, read in READS.items():
            assert read(phone, made[0].id).status_code == 200
            found = cost_of(monkeypatch, lambda r=read, p=phone, m=made: r(p, m[0].id))
            costs.setdefault(name, []).append(len(found))
    assert all(len(set(numbers)) == 1 for numbers in costs.values()), costs
    assert {
        name: numbers for name, numbers in costs.items() if not 0 < numbers[0] <= MOST[name]
    } == {}


def test_sending_is_one_statement_beside_the_look_at_the_session(monkeypatch):
    costs = []
    for size in SIZES:
        _, phone, made = person_with(size)
        found = cost_of(monkeypatch, lambda p=phone, m=made: post(p, m[0].id))
        appending = [sql for sql in found if "accounts_session" not in sql]
        costs.append(len(appending))
        assert len(found) == len(appending) + 1
    if connection.vendor == "postgresql":
        assert costs == [1, 1, 1]
    else:
        assert costs[0] == costs[1] == costs[2] <= 7


def test_connecting_and_resuming_cost_the_same_however_many_there_are(monkeypatch):
    # Who comes and goes is told when it suits, for all of them together, also those of the tests
    # before: not while we count.
    monkeypatch.setattr(PresenceNotifier, "tend", lambda _news: None)
    costs = []
    for size in SIZES:
        _, phone, made = person_with(size)
        for cursors in ({}, {conversation.id: 0 for conversation in made}):
            ticket, _ = create_ticket(session=phone.tokens.session)
            Installation.current_epoch()  # made on first use
            with statements(monkeypatch) as found:
                # On the loop that is this process's, as in a server.
                arriving = arrive(Hello(ticket=ticket), cursors, found)
                waiting = asyncio.run_coroutine_threadsafe(arriving, current_node().loop)
                connecting, resuming, frames = waiting.result(timeout=60)
            costs.append((bool(cursors), connecting, resuming))
            kind = "range" if cursors else "conversation.added"
            assert sum(frame["type"] == kind for frame in frames) == size
    for resumes in (False, True):
        assert len({cost for cost in costs if cost[0] is resumes}) == 1, costs
    assert all(0 < cost[1] <= 6 and 0 < cost[2] <= 10 for cost in costs), costs


async def arrive(hello, cursors, found):
    """Say hello and resume: the statements of each, and the frames."""
    greeted = await authenticate(hello, Recorder())
    connecting = len(found)
    connection = greeted.connection
    await resume(current_node().hub, connection, cursors)
    resuming = len(found) - connecting
    await connection.writer.until(lambda writer: writer.of("live"))
    connection.hub.remove(connection)
    return connecting, resuming, connection.writer.frames
