"""Who may see whom come and go. The rules, for socket and REST alike:

- `last_seen_for` governs it. Who shows it to nobody has no presence at all: being online
  is the sharpest last seen there is. They do not see others' either, as with receipts.
- Sockets are told of contacts only. A block ends the contact, and who is gone is none.
- Over REST, who shows it to everyone shows it also to those who are no contacts of
  theirs, but not to anybody they have blocked, or who has blocked them.
- Bots are always there: they have no presence and are in no count.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from accounts.feed import lock_users
from accounts.models import Audience as ShownTo
from accounts.models import User
from chatbe.core.errors import NotFound
from contacts.models import Contact
from contacts.selectors import has_blocked, users_here_for
from presence.models import LastSeen
from presence.process import online_among
from presence.selectors import last_seen_of
from presence.sources import Audience, Circle
from presence.store import Known

_NOBODY = ShownTo.NOBODY


def has_presence(user: User) -> bool:
    """Whether others may see this user come and go."""
    return not user.is_bot and user.last_seen_for != _NOBODY


def _people() -> QuerySet[User]:
    """Everybody who is here and no bot."""
    return User.objects.filter(is_active=True, is_bot=False)


def _contacts() -> QuerySet[Contact]:
    """Contacts of anybody who are here and no bots."""
    return Contact.objects.filter(user__is_active=True, user__is_bot=False)


class People:
    """Implements `presence.sources.PeopleSource`."""

    def circles(self, user_ids: Collection[int]) -> Mapping[int, Circle]:
        """The circle of each of these users, in two statements."""
        showing = set(
            _people()
            .filter(id__in=user_ids)
            .exclude(last_seen_for=_NOBODY)
            .values_list("id", flat=True)
        )
        seen = LastSeen.objects.filter(user_id=OuterRef("user_id")).values("at")
        rows = (
            _contacts()
            .filter(owner_id__in=user_ids)
            .values_list("owner_id", "user_id", "user__last_seen_for", Subquery(seen))
        )
        found: dict[int, dict[int, datetime | None]] = {id: {} for id in user_ids}
        sizes = dict.fromkeys(user_ids, 0)
        for owner_id, user_id, shown_to, at in rows:
            sizes[owner_id] += 1
            if owner_id in showing and shown_to != _NOBODY:
                found[owner_id][user_id] = at
        return {id: Circle(id in showing, found[id], sizes[id]) for id in user_ids}

    def audiences(self, user_ids: Collection[int]) -> Mapping[int, Audience]:
        """The audience of each of these users who is here, in two statements."""
        shown_to = dict(_people().filter(id__in=user_ids).values_list("id", "last_seen_for"))
        viewers: dict[int, list[int]] = {id: [] for id in shown_to}
        rows = _contacts().filter(owner_id__in=user_ids).exclude(user__last_seen_for=_NOBODY)
        # A contact is mutual: whom they have in their list has them in theirs.
        for user_id, viewer_id in rows.values_list("owner_id", "user_id"):
            if user_id in viewers:
                viewers[user_id].append(viewer_id)
        return {id: Audience(viewers[id], shown_to[id] != _NOBODY) for id in shown_to}

    def lock_here(self, user_ids: Collection[int]) -> set[int]:
        """Those who are here, and stay so until the caller's transaction ends."""
        return {id for id, user in lock_users(user_ids).items() if user.is_active}


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether somebody is online, and since when they are not, as far as the viewer may know.

    `online` is None while nobody can tell.
    """

    user_id: int
    online: bool | None
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class StandingPage:
    """Contacts in the order of their ids; `next` is where to go on."""

    standings: list[Standing]
    next: int | None
    online_count: int
    contacts_count: int


def list_standings(*, viewer: User, after: int | None, limit: int) -> StandingPage:
    """How the viewer's contacts stand: two statements, however many there are."""
    rows = _contacts().filter(owner_id=viewer.id).order_by("user_id")
    contacts = dict(rows.values_list("user_id", "user__last_seen_for"))
    shown = {
        id for id, shown_to in contacts.items() if shown_to != _NOBODY and has_presence(viewer)
    }
    known = online_among(shown)
    page = [id for id in contacts if id > (after or 0)]
    seen = last_seen_of(shown.intersection(page[:limit]) - known.online)
    return StandingPage(
        standings=[Standing(id, _is_online(id, shown, known), seen.get(id)) for id in page[:limit]],
        next=page[limit - 1] if len(page) > limit else None,
        online_count=len(known.online),
        contacts_count=len(contacts),
    )


def access_standing(*, viewer: User, user_id: int) -> Standing:
    """How one user stands. NotFound for who is not here, as far as the viewer may know."""
    user = users_here_for(viewer.id, [user_id]).first()
    if user is None:
        raise NotFound
    if user.is_bot:
        return Standing(user_id, online=True, last_seen=None)
    if not (has_presence(viewer) and has_presence(user) and _shows(user, viewer)):
        return Standing(user_id, online=False, last_seen=None)
    known = online_among([user_id])
    seen = {} if user_id in known.online else last_seen_of([user_id])
    return Standing(user_id, _is_online(user_id, {user_id}, known), seen.get(user_id))


def _shows(user: User, viewer: User) -> bool:
    if user.id == viewer.id or Contact.objects.filter(owner=viewer, user=user).exists():
        return True
    return user.last_seen_for == ShownTo.EVERYONE and not has_blocked(viewer.id, user.id)


def _is_online(user_id: int, shown: Collection[int], known: Known) -> bool | None:
    if user_id in known.online:
        return True
    return None if user_id in shown and not known.complete else False
