"""The append on SQLite: the steps of `sql/append.sql`, in Python."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from django.db import connection

from chatbe.core import failpoints
from chatbe.core.times import iso_milliseconds
from conversations.drafts import Appended, Draft, Outcome, fresh_body, known_or_refused
from conversations.models import Conversation, Membership, Message
from conversations.selectors.posting import MAY_POST
from conversations.wire import MESSAGE_COLUMNS


def append_in_sqlite(drafts: Sequence[Draft]) -> list[Outcome]:
    # BEGIN IMMEDIATE has locked the whole database: every read below is fresh.
    failpoints.reach("append.locked")
    now = datetime.now(UTC)
    created_at = iso_milliseconds(now)
    conversations = Conversation.objects.in_bulk({draft.conversation_id for draft in drafts})
    # As on PostgreSQL, what this batch stores cannot be answered by it.
    heads = {id: conversation.last_seq for id, conversation in conversations.items()}
    known = _known_messages(drafts)
    members = _sending_members(drafts)
    touched: set[int] = set()
    slowed: dict[int, datetime] = {}
    rows: list[tuple[Any, ...]] = []
    outcomes: list[Outcome] = []
    for draft in drafts:
        stored = known.get(draft.key)
        member = members.get((draft.conversation_id, draft.sender_id))
        if stored is not None:
            digest, *columns = stored
            same = bytes(digest) == draft.digest
            outcomes.append(known_or_refused(draft, "known" if same else "reused", columns))
        elif member is None:
            outcomes.append(known_or_refused(draft, "absent", ()))
        else:
            conversation = conversations[draft.conversation_id]
            pause = conversation.slow_seconds if member.role == Membership.Role.MEMBER else 0
            slow_until = slowed.get(member.id) or member.slow_until or now
            if conversation.closed_at is not None:
                outcomes.append(known_or_refused(draft, "closed", ()))
            elif not member.may_post:
                outcomes.append(known_or_refused(draft, "read_only", ()))
            elif (
                draft.reply_to is not None
                and not member.visible_from <= draft.reply_to <= heads[draft.conversation_id]
            ):
                outcomes.append(known_or_refused(draft, "bad_reply", ()))
            elif pause and slow_until > now:
                wait = ceil((slow_until - now).total_seconds())
                outcomes.append(known_or_refused(draft, "slow", (), wait=wait))
            else:
                conversation.last_seq += 1
                conversation.message_count += 1
                touched.add(conversation.id)
                if pause:
                    slowed[member.id] = now + timedelta(seconds=pause)
                seq, number = conversation.last_seq, conversation.message_count
                body = fresh_body(draft, seq=seq, number=number, created_at=created_at)
                rows.append((*_columns_of(draft, seq, number), _sqlite_time(now)))
                outcomes.append(Appended.of(body, fresh=True))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO conversations_message (id, conversation_id, seq, changed_seq, number,"
            " sender_id, client_id, digest, kind, text, reply_to, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
        cursor.executemany(
            "UPDATE conversations_conversation SET last_seq = %s, message_count = %s WHERE id = %s",
            [(conversations[id].last_seq, conversations[id].message_count, id) for id in touched],
        )
        cursor.executemany(
            "UPDATE conversations_membership SET slow_until = %s WHERE id = %s",
            [(_sqlite_time(until), id) for id, until in slowed.items()],
        )
    return outcomes


def _sqlite_time(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ")


def _columns_of(draft: Draft, seq: int, number: int) -> tuple[Any, ...]:
    return (
        draft.id,
        draft.conversation_id,
        seq,
        seq,
        number,
        draft.sender_id,
        draft.client_id,
        draft.digest,
        Message.Kind.TEXT,
        draft.text,
        draft.reply_to,
    )


def _known_messages(drafts: Sequence[Draft]) -> dict[tuple[int, int, str], tuple[Any, ...]]:
    keys = [part for draft in drafts for part in draft.key]
    places = ", ".join(["(%s, %s, %s)"] * len(drafts))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT digest, {', '.join(MESSAGE_COLUMNS)} FROM conversations_message"  # noqa: S608
            f" WHERE (conversation_id, sender_id, client_id) IN (VALUES {places})",
            keys,
        )
        return {(row[2], row[6], row[7]): row for row in cursor.fetchall()}


def _sending_members(drafts: Sequence[Draft]) -> dict[tuple[int, int], Any]:
    """The current memberships of senders, with `may_post`."""
    pairs = {(draft.conversation_id, draft.sender_id) for draft in drafts}
    rows = Membership.objects.filter(
        left_seq=None,
        conversation_id__in={conversation_id for conversation_id, _ in pairs},
        user_id__in={user_id for _, user_id in pairs},
    ).annotate(may_post=MAY_POST)
    return {(row.conversation_id, row.user_id): row for row in rows}
