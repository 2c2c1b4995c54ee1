"""Direct conversations: one for each pair of people, for ever.

People may write to each other while they are contacts. That rule lives in the contacts
app; what the append checks is `may_send` in the memberships, which follows it inside
the transaction that changes the contact.
"""

from typing import Any

from django.db import transaction

from accounts.feed import bump_feeds, lock_users
from chatbe.core.errors import InvalidInput, NotFound
from contacts.selectors import may_talk
from conversations.models import Conversation, Membership


@transaction.atomic
def open_direct(*, user_id: int, other_id: int) -> tuple[int, bool]:
    """The id of the pair's conversation, and whether this call made it.

    Raises InvalidInput for oneself, NotFound for anybody who is no contact. An existing
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
        kind=Conversation.Kind.DIRECT, low_user_id=low, high_user_id=high
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
        members = Membership.objects.filter(conversation=found)
        # In the order in which receipts lock them.
        list(members.select_for_update(no_key=True).order_by("id").values_list("id"))
        members.update(may_send=may_talk)
