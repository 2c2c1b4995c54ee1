"""Direct conversations: one for each pair of people, for ever.

People may write to each other while they are contacts, and to bots. That rule lives in the contacts
app; what the append checks is `may_send` in the memberships, which follows it inside
the transaction that changes the contact.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.feed import bump_feeds, lock_users
from chatbe.core.errors import InvalidInput, NotFound
from contacts.selectors import may_talk, who_may_talk_with
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
        _set_may_send([found.id], may_send=may_talk)


def _set_may_send(conversation_ids: Iterable[int], *, may_send: bool) -> None:
    members = Membership.objects.filter(conversation_id__in=conversation_ids)
    # In the order in which receipts lock them.
    list(members.select_for_update(no_key=True).order_by("id").values_list("id"))
    members.update(may_send=may_send)


def direct_peers(*, user_id: int, **_: Any) -> set[int]:
    """Receiver of `accounts.signals.user_coming_or_going`: whom the user has conversations with."""
    pairs = _directs_of(user_id).values_list("low_user_id", "high_user_id")
    return {id for pair in pairs for id in pair if id is not None} - {user_id}


def close_directs(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_deleted`: nobody writes to the user any more.

    What was written stays readable. Takes the locks of all the user's conversations, groups
    too: whoever takes the user out of those comes later and must not lock out of order.
    """
    mine = Membership.objects.filter(user_id=user_id).values("conversation_id")
    locked = Conversation.objects.filter(id__in=mine).order_by("id").select_for_update(no_key=True)
    list(locked.values_list("id"))
    _set_may_send(_directs_of(user_id).values_list("id", flat=True), may_send=False)
    bump_feeds(direct_peers(user_id=user_id))


def follow_user(*, user_id: int, is_active: bool, **_: Any) -> None:
    """Receiver of `accounts.signals.user_active_changed`: nobody writes to who is shut out.

    Back again, the user and those they may still talk with write as before.
    """
    directs = _lock_directs(user_id)
    if is_active:
        peers = who_may_talk_with(user_id, [peer for peer in directs.values() if peer is not None])
        directs = {id: peer for id, peer in directs.items() if peer in peers}
    _set_may_send(directs, may_send=is_active)
    bump_feeds(direct_peers(user_id=user_id))


def _lock_directs(user_id: int) -> dict[int, int | None]:
    """The user's direct conversations, locked, each with the id of the other person."""
    locked = _directs_of(user_id).order_by("id").select_for_update(no_key=True)
    pairs = locked.values_list("id", "low_user_id", "high_user_id")
    return {id: high if low == user_id else low for id, low, high in pairs}


def _directs_of(user_id: int) -> QuerySet[Conversation]:
    mine = Membership.objects.filter(user_id=user_id).values("conversation_id")
    return Conversation.objects.filter(kind=Conversation.Kind.DIRECT, id__in=mine)
