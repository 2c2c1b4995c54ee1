"""Who may see whom come and go. The rules, for socket and REST alike:

- `last_seen_for` governs it. Who shows it to nobody has no presence at all: being online
  is the sharpest last seen there is. They do not see others' either, as with receipts.
- Sockets are told of contacts only. A block ends the contact, and who is gone is none.
- Over REST, who shows it to everyone shows it also to those who are no contacts of
  theirs, but not to anybody they have blocked, or who has blocked them.
- Bots are always there: they have no presence and are in no count.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from accounts.choices import Audience
from accounts.feed import lock_users
from accounts.models import User
from contacts.models import Contact
from presence.models import LastSeen

_NOBODY = Audience.NOBODY


@dataclass(frozen=True, slots=True)
class VisibleContacts:
    """Whom a user sees come and go.

    `has_presence` is whether others see this user come and go. `last_seen` has everybody
    they see, with when that person was last here, if that is known. `size` counts all who
    could be seen, those who hide included.
    """

    has_presence: bool
    last_seen: Mapping[int, datetime | None]
    size: int


@dataclass(frozen=True, slots=True)
class PresenceVisibility:
    """Who sees a user come and go, and whether the user (still) shows it."""

    viewers: Sequence[int]
    is_shown: bool


def has_presence(user: User) -> bool:
    """Whether others may see this user come and go."""
    return not user.is_bot and user.last_seen_for != _NOBODY


def _people() -> QuerySet[User]:
    """Everybody who is here and no bot."""
    return User.objects.filter(is_active=True, is_bot=False)


def contacts_of(user_ids: Collection[int]) -> QuerySet[Contact]:
    """The contacts of these users who are here and no bots."""
    return Contact.objects.filter(owner_id__in=user_ids, user__is_active=True, user__is_bot=False)


def visible_contacts_of(user_ids: Collection[int]) -> Mapping[int, VisibleContacts]:
    """The circle of each of these users, in two statements."""
    showing = set(
        _people()
        .filter(id__in=user_ids)
        .exclude(last_seen_for=_NOBODY)
        .values_list("id", flat=True)
    )
    seen = LastSeen.objects.filter(user_id=OuterRef("user_id")).values("at")
    rows = contacts_of(user_ids).values_list(
        "owner_id", "user_id", "user__last_seen_for", Subquery(seen)
    )
    found: dict[int, dict[int, datetime | None]] = {id: {} for id in user_ids}
    sizes = dict.fromkeys(user_ids, 0)
    for owner_id, user_id, shown_to, at in rows:
        sizes[owner_id] += 1
        if owner_id in showing and shown_to != _NOBODY:
            found[owner_id][user_id] = at
    return {id: VisibleContacts(id in showing, found[id], sizes[id]) for id in user_ids}


def visibilities_of(user_ids: Collection[int]) -> Mapping[int, PresenceVisibility]:
    """The audience of each of these users who is here, in two statements."""
    shown_to = dict(_people().filter(id__in=user_ids).values_list("id", "last_seen_for"))
    viewers: dict[int, list[int]] = {id: [] for id in shown_to}
    rows = contacts_of(user_ids).exclude(user__last_seen_for=_NOBODY)
    # A contact is mutual: whom they have in their list has them in theirs.
    for user_id, viewer_id in rows.values_list("owner_id", "user_id"):
        if user_id in viewers:
            viewers[user_id].append(viewer_id)
    return {id: PresenceVisibility(viewers[id], shown_to[id] != _NOBODY) for id in shown_to}


def lock_here(user_ids: Collection[int]) -> set[int]:
    """Those who are here, and stay so until the caller's transaction ends."""
    return {id for id, user in lock_users(user_ids).items() if user.is_active}
