"""A user's conversations as lists show them. The number of queries does not depend on
how many conversations or members there are."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest

from accounts.summaries import UserSummary, summary_of, summary_of_gone
from chatbe.core.errors import NotFound
from contacts.selectors import users_here_for
from conversations.models import Conversation, Membership, Message
from conversations.selectors.posting import MAY_POST
from conversations.wire import (
    MESSAGE_COLUMNS,
    ConversationBody,
    GroupBody,
    MessageBody,
    MessageRow,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation with the place it has in a list: newest activity first.

    `activity` is the id of the last message, or of the conversation while it is
    empty; ids grow with time.
    """

    activity: int
    body: ConversationBody


def list_conversations(
    *, user_id: int, before: int | None, limit: int, kind: Conversation.Kind | None = None
) -> list[Entry]:
    """The user's conversations by last activity, those with activity below `before`."""
    memberships = _with_activity(_current(user_id)).order_by(F("activity").desc())
    if kind is not None:
        memberships = memberships.filter(conversation__kind=kind)
    if before is not None:
        memberships = memberships.filter(activity__lt=before)  # type: ignore[misc]
    return _entries(user_id, memberships[:limit])


def conversations_by_id(*, user_id: int, conversation_ids: Collection[int]) -> list[Entry]:
    """These conversations as their member sees them; those of others are left out."""
    memberships = _current(user_id).filter(conversation_id__in=conversation_ids)
    return _entries(user_id, _with_activity(memberships))


def access_conversation(*, user_id: int, conversation_id: int) -> ConversationBody:
    """One conversation. Raises NotFound, for foreign and absent ones alike."""
    found = conversations_by_id(user_id=user_id, conversation_ids=[conversation_id])
    if not found:
        raise NotFound
    return found[0].body


def _current(user_id: int) -> QuerySet[Membership]:
    return Membership.objects.filter(user_id=user_id, left_seq=None).select_related("conversation")


def _with_activity(memberships: QuerySet[Membership]) -> QuerySet[Membership]:
    last = Message.objects.filter(
        conversation_id=OuterRef("conversation_id"), seq=OuterRef("conversation__last_seq")
    )
    return memberships.annotate(
        activity=Coalesce(
            Subquery(last.values("id")[:1]),
            F("conversation_id"),
            output_field=BigIntegerField(),
        ),
        # Of the same snapshot as the counter and the pointer it is subtracted from.
        may_post=MAY_POST,
        unread=F("conversation__message_count") - F("read_number") - _own_unread(),
    )


def _entries(user_id: int, memberships: Iterable[Membership]) -> list[Entry]:
    rows = list(memberships)
    last_messages = _last_messages(user_id, rows)
    peers = _peers(user_id, rows)
    return [
        Entry(
            activity=row.activity,  # type: ignore[attr-defined]
            body=ConversationBody(
                id=str(row.conversation_id),
                kind=row.conversation.kind,
                head=row.conversation.last_seq,
                visible_from=row.visible_from,
                may_send=row.may_post,  # type: ignore[attr-defined]
                read_seq=row.read_seq,
                delivered_seq=row.delivered_seq,
                unread=row.unread,  # type: ignore[attr-defined]
                peer=peers.get(row.conversation_id),
                group=_group(row),
                last_message=last_messages.get(row.conversation_id),
            ),
        )
        for row in rows
    ]


def _group(row: Membership) -> GroupBody | None:
    conversation = row.conversation
    if conversation.kind != Conversation.Kind.GROUP:
        return None
    return GroupBody(
        name=conversation.name,
        role=row.role,
        member_count=conversation.member_count,
        announcement_only=conversation.announcement_only,
        slow_seconds=conversation.slow_seconds,
        closed=conversation.closed_at is not None,
    )


def _last_messages(user_id: int, rows: list[Membership]) -> dict[int, MessageBody]:
    ids = [row.activity for row in rows]  # type: ignore[attr-defined]
    found = visible_messages(user_id).filter(id__in=ids).values_list(*MESSAGE_COLUMNS)
    messages = (MessageRow(*columns) for columns in found)
    return {message.conversation_id: message.body() for message in messages}


def visible_messages(user_id: int) -> QuerySet[Message]:
    """The messages a user may see now: access and rows in one statement, one snapshot."""
    return Message.objects.filter(
        conversation__memberships__user_id=user_id,
        conversation__memberships__left_seq=None,
        seq__gte=F("conversation__memberships__visible_from"),
    )


def newest_of_each(user_id: int, count: int, **which: Any) -> QuerySet[Message]:
    """The last so many messages of each conversation that a user may see, of those `which` names.

    Rows are counted, and not positions, of which every edit takes one.
    """
    # Correlated with the membership alone, so that it is looked up once for each conversation
    # and then bounds the range that is read.
    of_one = Message.objects.filter(
        conversation_id=OuterRef("conversation__memberships__conversation_id"), **which
    )
    first = of_one.order_by("-seq").values("seq")[count - 1 : count]
    return Message.objects.filter(
        conversation__memberships__user_id=user_id,
        conversation__memberships__left_seq=None,
        seq__gte=Greatest(
            F("conversation__memberships__visible_from"), Coalesce(Subquery(first), 0)
        ),
        **which,
    )


def _own_unread() -> Coalesce:
    """How many of the member's own text messages lie after their read pointer."""
    # Bounded by what is unread: the place index begins where the pointer stands.
    own = (
        Message.objects.filter(
            conversation_id=OuterRef("conversation_id"),
            seq__gt=OuterRef("read_seq"),
            sender_id=OuterRef("user_id"),
            kind=Message.Kind.TEXT,
        )
        .order_by()
        .values("conversation_id")
        .annotate(count=Count("id"))
        .values("count")
    )
    return Coalesce(Subquery(own), 0)


def _peers(user_id: int, rows: list[Membership]) -> dict[int, UserSummary]:
    others: dict[int, int] = {}
    for row in rows:
        for other in (row.conversation.low_user_id, row.conversation.high_user_id):
            # A group has neither.
            if other is not None and other != user_id:
                others[row.conversation_id] = other
    here = {user.id: user for user in users_here_for(user_id, set(others.values()))}
    return {
        conversation_id: summary_of(here[other]) if other in here else summary_of_gone(other)
        for conversation_id, other in others.items()
    }
