"""How people stand: who is online, and when the others were last here."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from accounts.choices import Audience
from accounts.models import User
from common.errors import NotFound
from contacts.models import Contact
from contacts.selectors import has_blocked, visible_users
from presence.last_seen import last_seen_of
from presence.process import online_among
from presence.store import OnlineResult
from presence.visibility import contacts_of, has_presence


@dataclass(frozen=True, slots=True)
class PresenceStatus:
    """Whether somebody is online, and since when they are not, as far as the viewer may know.

    `online` is None while nobody can tell.
    """

    user_id: int
    online: bool | None
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class PresenceStatusPage:
    """Contacts in the order of their ids; `next` is where to go on."""

    statuses: list[PresenceStatus]
    next: int | None
    online_count: int
    contacts_count: int


def list_statuses(*, viewer: User, after: int | None, limit: int) -> PresenceStatusPage:
    """How the viewer's contacts stand: two statements, however many there are."""
    rows = contacts_of([viewer.id]).order_by("user_id")
    contacts = dict(rows.values_list("user_id", "user__last_seen_for"))
    shown = {
        id
        for id, shown_to in contacts.items()
        if shown_to != Audience.NOBODY and has_presence(viewer)
    }
    known = online_among(shown)
    page = [id for id in contacts if id > (after or 0)]
    seen = last_seen_of(shown.intersection(page[:limit]) - known.online)
    return PresenceStatusPage(
        statuses=[
            PresenceStatus(id, _is_online(id, shown, known), seen.get(id)) for id in page[:limit]
        ],
        next=page[limit - 1] if len(page) > limit else None,
        online_count=len(known.online),
        contacts_count=len(contacts),
    )


def access_status(*, viewer: User, user_id: int) -> PresenceStatus:
    """How one user stands. NotFound for who is not here, as far as the viewer may know."""
    user = visible_users(viewer.id, [user_id]).first()
    if user is None:
        raise NotFound
    if user.is_bot:
        return PresenceStatus(user_id, online=True, last_seen=None)
    if not (has_presence(viewer) and has_presence(user) and _shows(user, viewer)):
        return PresenceStatus(user_id, online=False, last_seen=None)
    known = online_among([user_id])
    seen = {} if user_id in known.online else last_seen_of([user_id])
    return PresenceStatus(user_id, _is_online(user_id, {user_id}, known), seen.get(user_id))


def _shows(user: User, viewer: User) -> bool:
    if user.id == viewer.id or Contact.objects.filter(owner=viewer, user=user).exists():
        return True
    return user.last_seen_for == Audience.EVERYONE and not has_blocked(viewer.id, user.id)


def _is_online(user_id: int, shown: Collection[int], known: OnlineResult) -> bool | None:
    if user_id in known.online:
        return True
    return None if user_id in shown and not known.complete else False
