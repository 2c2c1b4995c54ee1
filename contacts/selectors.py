"""Reads about contacts, requests and blocks, and about who is here for whom."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Exists, FilteredRelation, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Collate

from accounts.choices import Audience
from accounts.models import User
from accounts.names import LOGIN_MAX, shortest_name, username_key
from accounts.summaries import (
    SUMMARY_COLUMNS,
    UserSummary,
    deleted_user_summary,
    summaries_of,
    summary,
)
from common.errors import InvalidInput, NotFound
from common.limits import window
from common.text import clean_line
from contacts.models import Block, Contact, ContactRequest

# Above every character a key may hold.
_LAST_CHARACTER = "\U0010ffff"
# Orders keys by their bytes, whatever the language of the database: only then does a prefix
# stand for a range of an index. PostgreSQL's is made in a migration of this app; SQLite
# compares like this anyway.
_BY_BYTES = {"postgresql": "C", "sqlite": "BINARY"}


def list_contacts(user_id: int) -> QuerySet[Contact]:
    """The user's contacts with their users, without those who are no longer here."""
    return list_contacts_of([user_id])


def list_contacts_of(user_ids: Collection[int]) -> QuerySet[Contact]:
    """The same for several users."""
    mine = Contact.objects.filter(owner_id__in=user_ids, user__is_active=True)
    return mine.select_related("user")


def list_incoming(user_id: int) -> QuerySet[ContactRequest]:
    """The requests the user has yet to answer, with their senders.

    A block needs no look of its own, here and below: it withdraws the requests of the pair.
    """
    return ContactRequest.objects.filter(
        receiver_id=user_id, declined_at=None, sender__is_active=True
    ).select_related("sender")


def list_outgoing(user_id: int) -> QuerySet[ContactRequest]:
    """The user's own requests, with their receivers; whether one was declined does not show."""
    return ContactRequest.objects.filter(
        sender_id=user_id, withdrawn=False, receiver__is_active=True
    ).select_related("receiver")


def list_blocks(user_id: int) -> QuerySet[Block]:
    """Whom the user has blocked, with their users.

    Whoever has blocked the user in turn is left out, as an account that is gone would be.
    """
    returned = Block.objects.filter(blocker=OuterRef("blocked"), blocked_id=user_id)
    return Block.objects.filter(
        ~Exists(returned), blocker_id=user_id, blocked__is_active=True
    ).select_related("blocked")


def may_talk(user_id: int, other_id: int) -> bool:
    """Whether the two may write to each other."""
    return other_id in messageable_users(user_id, [other_id])


def messageable_users(user_id: int, other_ids: Collection[int]) -> set[int]:
    """Those of the others who and the user may write to each other.

    All of them are here, and in contact with the user or one of the two a bot. A block
    ends a contact and keeps it from being made; bots need none, so there it is looked at.
    """
    user = User.objects.filter(id=user_id, is_active=True)
    contact = Contact.objects.filter(owner_id=user_id, user=OuterRef("id"))
    with_a_bot = Q(is_bot=True) | Q(Exists(user.filter(is_bot=True)))
    apart_from_user = is_blocked_pair(user_id, OuterRef("id"))
    others = User.objects.filter(
        Q(Exists(contact)) | (with_a_bot & ~Q(apart_from_user)),
        Exists(user),
        id__in=other_ids,
        is_active=True,
    )
    return set(others.values_list("id", flat=True))


def who_may_be_added(user_id: int, other_ids: Collection[int]) -> set[int]:
    """Those of the others whom the user may make members of a group without asking.

    Bots, and people who are here and let the user do so by their `groups_for`; nobody
    across a block, whichever of the two made it.
    """
    contact = Q(Exists(Contact.objects.filter(owner_id=user_id, user=OuterRef("id"))))
    willing = Q(groups_for=Audience.EVERYONE) | (Q(groups_for=Audience.CONTACTS) & contact)
    others = User.objects.filter(
        Q(is_bot=True) | willing,
        ~Q(is_blocked_pair(user_id, OuterRef("id"))),
        Exists(User.objects.filter(id=user_id, is_active=True)),
        id__in=other_ids,
        is_active=True,
    )
    return set(others.values_list("id", flat=True))


def has_blocked(blocker_id: int, blocked_id: int) -> bool:
    return Block.objects.filter(blocker_id=blocker_id, blocked_id=blocked_id).exists()


class DatabaseBlockSource:
    """Implements `realtime.sources.BlockSource`."""

    def blocked_by(self, user_ids: Collection[int]) -> dict[int, frozenset[int]]:
        blocks = Block.objects.filter(blocker_id__in=user_ids)
        found: dict[int, set[int]] = defaultdict(set)
        for blocker_id, blocked_id in blocks.values_list("blocker_id", "blocked_id"):
            found[blocker_id].add(blocked_id)
        return {blocker_id: frozenset(blocked) for blocker_id, blocked in found.items()}


def is_here_for(viewer_id: int, user_id: int) -> bool:
    """Whether a user exists as far as the viewer may know: active, and not blocking them."""
    return visible_users(viewer_id, [user_id]).exists()


def visible_users(viewer_id: int, user_ids: Iterable[int]) -> QuerySet[User]:
    """Those of the users who exist as far as the viewer may know."""
    return _everybody_here_for(viewer_id).filter(id__in=user_ids)


def summaries_for(viewer_id: int, user_ids: Collection[int]) -> dict[int, UserSummary]:
    """These users as the viewer sees them, by id; who is not here for them is shown as gone."""
    here = summaries_of(visible_users(viewer_id, user_ids))
    return {id: here.get(id) or deleted_user_summary(id) for id in user_ids}


def summaries_for_each(
    pairs: Collection[tuple[int, int]],
) -> dict[tuple[int, int], UserSummary]:
    """The same for many viewers, by viewer and user."""
    viewer_ids = {viewer_id for viewer_id, _ in pairs}
    users = User.objects.filter(id__in={user_id for _, user_id in pairs}, is_active=True)
    # A row for each of the viewers they block, or one.
    blocking = FilteredRelation("blocks", condition=Q(blocks__blocked_id__in=viewer_ids))
    here: dict[int, UserSummary] = {}
    hidden: set[tuple[int, int]] = set()
    rows = users.annotate(blocking=blocking).values_list("blocking__blocked_id", *SUMMARY_COLUMNS)
    for viewer_id, id, *shown in rows:
        here[id] = summary(id, *shown)
        hidden.add((viewer_id, id))
    return {
        pair: deleted_user_summary(pair[1])
        if pair in hidden or pair[1] not in here
        else here[pair[1]]
        for pair in pairs
    }


def users_named_for(viewer_id: int, username: str) -> QuerySet[User]:
    """The user of that name, however it is capitalised, if they exist for the viewer.

    One statement whatever the reason is that there is none: no time tells them apart.
    """
    if len(username) > LOGIN_MAX:
        return User.objects.none()
    return _everybody_here_for(viewer_id).filter(username_key=username_key(username))


def _everybody_here_for(viewer_id: int) -> QuerySet[User]:
    blocking = Block.objects.filter(blocker=OuterRef("id"), blocked_id=viewer_id)
    return User.objects.filter(~Exists(blocking), is_active=True)


@dataclass(frozen=True, slots=True)
class UserCard:
    """A user who is here for the viewer, with what they let the viewer see."""

    id: int
    username: str
    display_name: str
    deleted: bool
    bot: bool
    about: str
    is_contact: bool
    alias: str


def access_card(*, viewer_id: int, user_id: int) -> UserCard:
    """One user's card. NotFound, whatever the reason."""
    found = _cards(viewer_id, visible_users(viewer_id, [user_id]))
    if not found:
        raise NotFound
    return found[0]


def look_up_name(*, viewer_id: int, username: str) -> list[UserCard]:
    """The card of the user of exactly this name, if there is one. InvalidInput, RateLimited."""
    username = clean_line(username, "username", max_length=LOGIN_MAX)
    _count_search(viewer_id)
    return _cards(viewer_id, users_named_for(viewer_id, username))


def search_names(*, viewer_id: int, prefix: str, after: str | None, limit: int) -> list[UserCard]:
    """Cards of users whose names begin like this, those after the name `after`.

    Compared and ordered as names are told apart at registration. Without those who are not
    to be found so, and those the viewer has blocked. InvalidInput, RateLimited.
    """
    prefix = clean_line(prefix, "prefix", max_length=LOGIN_MAX)
    shortest = shortest_name(prefix)
    if len(prefix) < shortest:
        raise InvalidInput(fields={"prefix": f"is shorter than {shortest} characters"})
    first = username_key(prefix)
    blocked = Block.objects.filter(blocker_id=viewer_id, blocked=OuterRef("id"))
    users = (
        _everybody_here_for(viewer_id)
        .filter(~Exists(blocked), searchable=True)
        .alias(place=Collate("username_key", _BY_BYTES[connection.vendor]))
        .filter(place__gte=first, place__lte=first + _LAST_CHARACTER)
        .order_by("place")
    )
    if after is not None:
        users = users.filter(
            place__gt=username_key(clean_line(after, "after", max_length=LOGIN_MAX))
        )
    _count_search(viewer_id)
    return _cards(viewer_id, users[:limit])


def _count_search(viewer_id: int) -> None:
    window.hit(settings.USER_SEARCHES_PER_USER, "user-search", str(viewer_id))


def _cards(viewer_id: int, users: QuerySet[User]) -> list[UserCard]:
    # Null for whoever is no contact.
    alias = Contact.objects.filter(owner_id=viewer_id, user=OuterRef("id")).values("alias")[:1]
    return [
        _card(viewer_id, user, user.contact_alias)
        for user in users.annotate(contact_alias=Subquery(alias))
    ]


def _card(viewer_id: int, user: User, alias: str | None) -> UserCard:
    is_contact = alias is not None
    shows_about = (
        user.id == viewer_id
        or user.about_for == Audience.EVERYONE
        or (user.about_for == Audience.CONTACTS and is_contact)
    )
    return UserCard(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        deleted=False,
        bot=user.bot,
        about=user.about if shows_about else "",
        is_contact=is_contact,
        alias=alias or "",
    )


def is_blocked_pair(user_id: int, other: OuterRef) -> Exists:
    """Whether one of the two has blocked the other, for each row of the outer query."""
    return Exists(
        Block.objects.filter(
            Q(blocker_id=user_id, blocked_id=other) | Q(blocker_id=other, blocked_id=user_id)
        )
    )


def blocked_pairs(user_ids: Collection[int], other_ids: Collection[int]) -> set[tuple[int, int]]:
    """Pairs of one of the users and one of the others who are apart, the smaller id first."""
    blocks = Block.objects.filter(
        Q(blocker_id__in=user_ids, blocked_id__in=other_ids)
        | Q(blocker_id__in=other_ids, blocked_id__in=user_ids)
    )
    return {(min(pair), max(pair)) for pair in blocks.values_list("blocker_id", "blocked_id")}
