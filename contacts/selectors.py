"""Reads about contacts and blocks."""

from collections.abc import Collection, Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import User
from contacts.models import Block, Contact


def list_contacts(user_id: int) -> QuerySet[Contact]:
    """The user's contacts with their users, without those who are no longer here."""
    return Contact.objects.filter(owner_id=user_id, user__is_active=True).select_related("user")


def list_blocks(user_id: int) -> QuerySet[Block]:
    """Whom the user has blocked, with their users.

    Whoever has blocked the user in turn is left out, as an account that is gone would be.
    """
    returned = Block.objects.filter(blocker=OuterRef("blocked"), blocked_id=user_id)
    return Block.objects.filter(
        ~Exists(returned), blocker_id=user_id, blocked__is_active=True
    ).select_related("blocked")


def may_talk(user_id: int, other_id: int) -> bool:
    """Whether the two may write to each other: both here and in contact.

    A block needs no look of its own: it ends the contact, and keeps it from being made.
    """
    return Contact.objects.filter(
        owner_id=user_id, user_id=other_id, owner__is_active=True, user__is_active=True
    ).exists()


def has_blocked(blocker_id: int, blocked_id: int) -> bool:
    return Block.objects.filter(blocker_id=blocker_id, blocked_id=blocked_id).exists()


def is_here_for(viewer_id: int, user_id: int) -> bool:
    """Whether a user exists as far as the viewer may know: active, and not blocking them."""
    return users_here_for(viewer_id, [user_id]).exists()


def users_here_for(viewer_id: int, user_ids: Iterable[int]) -> QuerySet[User]:
    """Those of the users who exist as far as the viewer may know."""
    blocking = Block.objects.filter(blocker=OuterRef("id"), blocked_id=viewer_id)
    return User.objects.filter(~Exists(blocking), id__in=user_ids, is_active=True)


def is_apart_from(user_id: int, other: OuterRef) -> Exists:
    """Whether one of the two has blocked the other, for each row of the outer query."""
    return Exists(
        Block.objects.filter(
            Q(blocker_id=user_id, blocked_id=other) | Q(blocker_id=other, blocked_id=user_id)
        )
    )


def apart(user_ids: Collection[int], other_ids: Collection[int]) -> set[tuple[int, int]]:
    """Pairs of one of the users and one of the others who are apart, the smaller id first."""
    blocks = Block.objects.filter(
        Q(blocker_id__in=user_ids, blocked_id__in=other_ids)
        | Q(blocker_id__in=other_ids, blocked_id__in=user_ids)
    )
    return {(min(pair), max(pair)) for pair in blocks.values_list("blocker_id", "blocked_id")}
