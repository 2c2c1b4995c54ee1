"""A database of 100,000 messages, written at once: what commands of operators are run on.

One large group, a hundred direct conversations, two hundred people with sessions and all
that may be purged. Times reach back 400 days, and ids with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from accounts.models import MailCode, Notice, Session, Ticket, User
from accounts.names import username_key
from common.ids import first_id_at
from contacts.models import Contact, ContactRequest
from conversations.models import Conversation, Membership, Message

PEOPLE = 200
MESSAGES = 100_000
IN_DIRECTS = 400
DAYS = 400
COLUMNS = (
    *("id", "conversation_id", "seq", "changed_seq", "number", "sender_id", "client_id"),
    *("digest", "kind", "text", "reply_to", "created_at", "edited_at", "deleted_at"),
)


@dataclass(frozen=True)
class Crowd:
    """What was written: ids of users, of the group, and of the direct conversations."""

    users: list[int]
    group: int
    directs: list[int]

    @property
    def talker(self) -> int:
        """Whoever has written most: in the group as everybody, and in a direct conversation."""
        return self.users[0]


def write_crowd(now: datetime) -> Crowd:
    """Write it, committed unless the caller is in a transaction."""
    start = now - timedelta(days=DAYS)
    users = [
        User(
            username=f"crowd{number}",
            username_key=username_key(f"crowd{number}"),
            email=f"crowd{number}@example.org",
            email_key=f"crowd{number}@example.org",
            password="!",
            date_joined=start,
        )
        for number in range(PEOPLE)
    ]
    User.objects.bulk_create(users)
    ids = sorted(user.id for user in users)
    pairs = [(ids[place], ids[place + 1]) for place in range(0, PEOPLE, 2)]
    directs = [_direct(pair) for pair in pairs]
    group = _group(ids)
    _write_messages(_messages(group, directs, ids, start, now))
    _write_what_may_go(ids, pairs, now)
    return Crowd(ids, group.id, [conversation.id for conversation in directs])


def remove_crowd() -> None:
    """Leave the tables empty again, but for the bots that come with them."""
    tables = (
        *(Message, Membership, Conversation, Contact, ContactRequest),
        *(Ticket, MailCode, Notice, Session),
    )
    with connection.cursor() as cursor:
        for model in tables:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")  # noqa: S608 - our own names
        cursor.execute("DELETE FROM accounts_user WHERE NOT is_bot")


def _direct(pair: tuple[int, int]) -> Conversation:
    conversation = Conversation.objects.create(
        kind="direct",
        low_user_id=pair[0],
        high_user_id=pair[1],
        member_count=2,
        last_seq=IN_DIRECTS,
        message_count=IN_DIRECTS,
    )
    Membership.objects.bulk_create(
        Membership(
            conversation=conversation,
            user_id=id,
            read_seq=read,
            read_number=read,
            delivered_seq=300,
        )
        for id, read in zip(pair, (100, 300), strict=True)
    )
    return conversation


def _group(ids: Sequence[int]) -> Conversation:
    """Its first row is a system message; three changes took the last positions."""
    texts = MESSAGES - IN_DIRECTS * PEOPLE // 2 - 1
    group = Conversation.objects.create(
        kind="group",
        name="Everybody",
        member_count=len(ids),
        last_seq=texts + 1 + 3,
        message_count=texts,
    )
    Membership.objects.bulk_create(
        Membership(
            conversation=group,
            user_id=id,
            joined_seq=1,
            read_seq=5 * place + 1,
            read_number=5 * place,
            delivered_seq=5 * place + 1,
        )
        for place, id in enumerate(ids)
    )
    return group


def _messages(
    group: Conversation,
    directs: Sequence[Conversation],
    ids: Sequence[int],
    start: datetime,
    now: datetime,
) -> Iterable[tuple[Any, ...]]:
    length = group.message_count
    step = timedelta(days=DAYS) / (length + 1)
    created = json.dumps(
        {"action": "group.created", "user_ids": [str(ids[0])], "value": "Everybody"}
    )
    yield _row(group.id, 1, 0, ids[0], start, kind="system", text=created)
    for number in range(1, length + 1):
        seq, at = number + 1, start + step * number
        changes: dict[str, Any] = {}
        if seq == 10:
            # Edited twice: of the first time nothing is left.
            changes = {"changed_seq": length + 3, "edited_at": now}
        elif seq == 20:
            changes = {"changed_seq": length + 4, "deleted_at": now, "text": ""}
        sender = ids[number % len(ids)] if number % 3 else ids[0]
        yield _row(group.id, seq, number, sender, at, **changes)
    for place, conversation in enumerate(directs):
        pair = (conversation.low_user_id or 0, conversation.high_user_id or 0)
        for seq in range(1, IN_DIRECTS + 1):
            at = start + timedelta(days=seq - 1, seconds=place)
            yield _row(conversation.id, seq, seq, pair[seq % 2], at, reply_to=seq - 1 or None)


def _row(
    conversation_id: int, seq: int, number: int, sender_id: int, at: datetime, **fields: Any
) -> tuple[Any, ...]:
    values = {
        "id": first_id_at(at) + conversation_id % 4_000_000,
        "conversation_id": conversation_id,
        "seq": seq,
        "changed_seq": seq,
        "number": number,
        "sender_id": sender_id,
        "client_id": f"c{seq}",
        "digest": b"0123456789abcdef",
        "kind": "text",
        "text": f"What {sender_id} says at {seq}.",
        "created_at": at,
    } | fields
    return tuple(values.get(column) for column in COLUMNS)


def _write_messages(rows: Iterable[tuple[Any, ...]]) -> None:
    table, columns = Message._meta.db_table, ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # All of them are one statement.
            cursor.execute("SET statement_timeout = 0")
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(f"ANALYZE {table}")
            return
        places = ", ".join(["%s"] * len(COLUMNS))
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608 - our own names
            [tuple(map(_as_stored, row)) for row in rows],
        )


def _as_stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return value


def _write_what_may_go(ids: Sequence[int], pairs: Sequence[tuple[int, int]], now: datetime) -> None:
    """Of each sort one that is over for long, one that was just now, one that goes on."""
    long_ago, just_now, later = (
        now - timedelta(days=200),
        now - timedelta(minutes=5),
        now + timedelta(days=9),
    )
    sessions = [
        Session(
            user_id=id,
            device=f"phone of {id}",
            created_at=long_ago,
            last_used_at=long_ago,
            refresh_hash=f"{id:064d}",
            rotated_at=long_ago,
            expires_at=later,
            ended_at=ended_at,
        )
        for id in ids
        for ended_at in (long_ago, just_now, None)
    ]
    Session.objects.bulk_create(sessions)
    expiries = (long_ago, just_now, later)
    Ticket.objects.bulk_create(
        Ticket(hash=f"{session.id}", session=session, expires_at=expiries[place % 3])
        for place, session in enumerate(sessions)
    )
    MailCode.objects.bulk_create(
        MailCode(
            hash=f"{id}.{place}", kind="confirm_email", user_id=id, address="a@b.c", expires_at=at
        )
        for id in ids
        for place, at in enumerate(expiries)
    )
    Notice.objects.bulk_create(
        Notice(user_id=id, kind="new_device", session_id=1, created_at=long_ago, seen_at=seen_at)
        for id in ids
        for seen_at in (long_ago, just_now, None)
    )
    Contact.objects.bulk_create(
        Contact(owner_id=owner, user_id=user, created_at=long_ago)
        for pair in pairs
        for owner, user in (pair, reversed(pair))
    )
    # Ask somebody else than one's contact; declined long ago and withdrawn, or only declined.
    ContactRequest.objects.bulk_create(
        ContactRequest(
            sender_id=id,
            receiver_id=ids[place - 2],
            created_at=long_ago,
            declined_at=long_ago,
            withdrawn=place % 2 == 0,
        )
        for place, id in enumerate(ids)
    )
