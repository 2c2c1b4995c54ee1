"""What becomes of contacts, requests and blocks when somebody comes or goes."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import User
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


def forget_pairs(*, user: User, other_ids: frozenset[int], **_: Any) -> None:
    """Receiver of `accounts.signals.user_status_changed`: who is deleted leaves others' lists.

    Who is deactivated stays in them, and is not shown. What the two may do in their conversation
    is not told pair by pair: `conversations` hears of it itself.
    """
    if not user.deleted:
        return
    for rows, one, other in _rows_of(user.id):
        rows.filter(Q(**{f"{one}__in": other_ids}) | Q(**{f"{other}__in": other_ids})).delete()


def forget_user(*, user_id: int, **_: Any) -> None:
    """Receiver of `accounts.signals.user_leaving`: the rest, which nobody else is told of."""
    for rows, _one, _other in _rows_of(user_id):
        rows.delete()


def _rows_of(user_id: int) -> Iterator[tuple[QuerySet[Any], str, str]]:
    """Everything between a user and somebody, with the names of the two columns."""
    for model, one, other in (
        (Contact, "owner", "user"),
        (Block, "blocker", "blocked"),
        (ContactRequest, "sender", "receiver"),
    ):
        yield model.objects.filter(Q(**{one: user_id}) | Q(**{other: user_id})), one, other
