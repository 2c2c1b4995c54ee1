"""What becomes of contacts, requests and blocks when somebody comes or goes."""

from typing import Any

from django.db.models import Q

from accounts.feed import bump_feeds
from contacts.models import Block, Contact, ContactRequest


def who_knows(*, user_id: int, **_: Any) -> set[int]:
    """Receiver of `accounts.signals.user_coming_or_going`: in whose lists the user is.

    Not whom the user has blocked: for them the user has been gone all along.
    """
    contacts = Contact.objects.filter(user_id=user_id).values_list("owner_id", flat=True)
    blockers = Block.objects.filter(blocked_id=user_id).values_list("blocker_id", flat=True)
    pending = ContactRequest.objects.filter(withdrawn=False)
    asking = pending.filter(receiver_id=user_id).values_list("sender_id", flat=True)
    asked = pending.filter(sender_id=user_id, declined_at=None).values_list(
        "receiver_id", flat=True
    )
    return {*contacts, *blockers, *asking, *asked}


def tell_who_knows(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_active_changed`: lists leave out who is shut out."""
    bump_feeds(who_knows(user_id=user_id))


def forget_user(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_deleted`: the user leaves all lists.

    What the two may do in their conversation is not told pair by pair: `conversations`
    hears of the deletion itself and closes them all at once.
    """
    others = who_knows(user_id=user_id)
    Contact.objects.filter(Q(owner_id=user_id) | Q(user_id=user_id)).delete()
    Block.objects.filter(Q(blocker_id=user_id) | Q(blocked_id=user_id)).delete()
    ContactRequest.objects.filter(Q(sender_id=user_id) | Q(receiver_id=user_id)).delete()
    bump_feeds(others)
