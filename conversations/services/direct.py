"""Direct conversations: one for each pair of people, for ever.

People may write to each other while they are contacts, and to bots. That rule lives in the contacts
app; what the append checks is `may_send` in the memberships, which follows it inside
the transaction that changes the contact.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.feed import bump_feeds, lock_users
from accounts.models import User
from common.errors import InvalidInput, NotFound
from contacts.selectors import may_talk, messageable_users
from conversations.models import Conversation, Membership


@transaction.atomic
def open_direct(*, user_id: int, other_id: int) -> tuple[int, bool]:
    """The id of the pair's conversation, and whether this call made it.

    Raises InvalidInput for oneself, NotFound for anybody who may not be written to. An existing
    conversation is found also when the two are no longer contacts.
    """
    if user_id == other_id:
        raise InvalidInput(fields={"user_id": "is yourself"})
    low, high = sorted((user_id, other_id))
    # The pair's lock: contacts change under it too, and two calls at once wait here.
    lock_users([low, high])
    existing = Conversation.objects.filter(low_user_id=low, high_user_id=high).first()
    if existing is not None:
        return existing.id, False
    if not may_talk(user_id, other_id):
        raise NotFound
    conversation = Conversation.objects.create(
        kind=Conversation.Kind.DIRECT, low_user_id=low, high_user_id=high, member_count=2
    )
    Membership.objects.bulk_create(
        [Membership(conversation=conversation, user_id=member) for member in (low, high)]
    )
    bump_feeds([low, high])
    return conversation.id, True


def follow_pair(*, user_ids: tuple[int, int], may_talk: bool, **_: Any) -> None:
    """Receiver of `contacts.signals.pair_changed`, inside its transaction.

    Takes the conversation's lock, so that a send is either stored before the change
    is acknowledged or refused.
    """
    low, high = user_ids
    found = (
        Conversation.objects.select_for_update(no_key=True)
        .filter(low_user_id=low, high_user_id=high)
        .first()
    )
    if found is not None:
        _lock_memberships([found.id])
        _set_may_send([found.id], may_send=may_talk)


def _set_may_send(conversation_ids: Iterable[int], *, may_send: bool) -> None:
    """Of conversations whose memberships the caller has locked."""
    members = Membership.objects.filter(conversation_id__in=list(conversation_ids))
    members.exclude(may_send=may_send).update(may_send=may_send)


def _lock_memberships(conversation_ids: Iterable[int]) -> None:
    """By their ids, as receipts lock them, which take no lock of a conversation."""
    members = Membership.objects.filter(conversation_id__in=list(conversation_ids))
    list(members.select_for_update(no_key=True).order_by("id").values_list("id"))


def direct_peers(*, user_id: int, **_: Any) -> set[int]:
    """Receiver of `accounts.signals.user_coming_or_going`: whom the user has conversations with."""
    pairs = _directs_of(user_id).values_list("low_user_id", "high_user_id")
    return {id for pair in pairs for id in pair if id is not None} - {user_id}


def follow_user(*, user: User, other_ids: frozenset[int], **_: Any) -> None:
    """Receiver of `accounts.signals.user_status_changed`: nobody writes to who is gone.

    What was written stays readable. Back again, the user and those they may still talk with
    write as before.
    """
    directs = _lock_directs(user.id, other_ids)
    friends = messageable_users(user.id, list(directs.values())) if user.is_active else set()
    _set_may_send([id for id, other in directs.items() if other in friends], may_send=True)
    _set_may_send([id for id, other in directs.items() if other not in friends], may_send=False)


def _lock_directs(user_id: int, other_ids: frozenset[int]) -> dict[int, int]:
    """The user's direct conversations with these, locked, each with the id of the other person."""
    with_them = Q(low_user_id=user_id, high_user_id__in=other_ids) | Q(
        low_user_id__in=other_ids, high_user_id=user_id
    )
    locked = Conversation.objects.filter(with_them).order_by("id").select_for_update(no_key=True)
    found = {
        id: high if low == user_id else low
        for id, low, high in locked.values_list("id", "low_user_id", "high_user_id")
    }
    _lock_memberships(found)
    return {id: other for id, other in found.items() if other is not None}


def _directs_of(user_id: int) -> QuerySet[Conversation]:
    mine = Membership.objects.filter(user_id=user_id).values("conversation_id")
    return Conversation.objects.filter(kind=Conversation.Kind.DIRECT, id__in=mine)
