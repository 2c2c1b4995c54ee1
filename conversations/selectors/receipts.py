"""Who may know how far whom has read and received.

One's own pointers are shown to oneself. Others see what was received, and what was read
if both sides let receipts be shown; two of whom one has blocked the other see nothing of
each other, as nothing is to be seen of somebody who is gone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q

from accounts.models import User
from common.errors import NotFound
from contacts.selectors import blocked_pairs, is_blocked_pair
from conversations.log.pointers import Moved
from conversations.models import Membership
from conversations.schemas import ReceiptBody
from realtime.ephemeral import EphemeralEvent
from realtime.frames import encode_frame

# A user, and whether they let receipts be shown.
MemberView = tuple[int, bool]

# Above so many members an event counts them instead of naming them.
NAMED_MAX = 100


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """Pointers of members in the order of their user ids; `next` is where to go on."""

    receipts: list[ReceiptBody]
    next: int | None


@dataclass(frozen=True, slots=True)
class LargeGroup:
    """How many are in a conversation, and how many of them have come to its head."""

    head: int
    members: int
    read: int
    delivered: int


def _reading_is_shown(viewer: MemberView, user: MemberView) -> bool:
    """Whether a viewer may know what a user has read: who hides it does not see it either."""
    return viewer[0] == user[0] or (viewer[1] and user[1])


def access_receipts(
    *, user_id: int, conversation_id: int, after: int | None, limit: int
) -> ReceiptPage:
    """The members' pointers as one of them may see them. Raises NotFound.

    Access and rows are one statement. A page may hold fewer than `limit`: who is gone
    for the viewer is left out of it.
    """
    current = Membership.objects.filter(conversation_id=conversation_id, left_seq=None)
    start = after or 0
    members = (
        # One's own row belongs to every page, so that none is empty but for strangers.
        current.filter(
            Q(user_id__gt=start) | Q(user_id=user_id), Exists(current.filter(user_id=user_id))
        )
        .annotate(
            blocked=is_blocked_pair(user_id, OuterRef("user_id")),
            viewer_shows=Exists(User.objects.filter(id=user_id, read_receipts=True)),
        )
        .order_by("user_id")
        .values_list(
            "user_id",
            "read_seq",
            "delivered_seq",
            "user__read_receipts",
            "user__is_active",
            "blocked",
            "viewer_shows",
        )
    )
    rows = list(members[: limit + 2])
    if not rows:
        raise NotFound
    page = [row for row in rows if row[0] > start]
    return ReceiptPage(
        receipts=[
            ReceiptBody(
                user_id=str(other_id),
                read_seq=read_seq
                if _reading_is_shown((user_id, viewer_shows), (other_id, shows))
                else None,
                delivered_seq=delivered_seq,
            )
            for other_id, read_seq, delivered_seq, shows, here, blocked, viewer_shows in page[
                :limit
            ]
            if here and not blocked
        ],
        next=page[limit - 1][0] if len(page) > limit else None,
    )


def hints_of(moved: Iterable[Moved]) -> list[EphemeralEvent]:
    """What is to be told of pointers that have moved, one event for each who is told.

    The number of statements does not depend on how many moved or listen.
    """
    changed: dict[int, list[Moved]] = defaultdict(list)
    for one in moved:
        if one.read_moved or one.delivered_moved:
            changed[one.conversation_id].append(one)
    if not changed:
        return []
    crowds = _crowds(changed)
    small = [id for id, crowd in crowds.items() if crowd.members <= NAMED_MAX]
    members = _members(small)
    users = {user_id for some in members.values() for user_id in some}
    blocked = blocked_pairs({one.user_id for id in small for one in changed[id]}, users)
    ephemeral_events: list[EphemeralEvent] = []
    for id, crowd in crowds.items():
        if id in members:
            ephemeral_events += _named(id, changed[id], members[id], blocked)
        else:
            ephemeral_events += _counted(id, changed[id], crowd)
    return ephemeral_events


def _named(
    conversation_id: int,
    changed: Sequence[Moved],
    members: Mapping[int, bool],
    blocked: set[tuple[int, int]],
) -> Iterator[EphemeralEvent]:
    viewers: dict[tuple[ReceiptBody, ...], list[int]] = defaultdict(list)
    for viewer in members.items():
        seen = tuple(
            ReceiptBody(
                user_id=str(one.user_id),
                read_seq=one.read_seq if shown else None,
                delivered_seq=one.delivered_seq,
            )
            for one in changed
            if one.user_id in members
            and tuple(sorted((viewer[0], one.user_id))) not in blocked
            # That somebody has read is not told by an event that says nothing else either.
            and (
                (shown := _reading_is_shown(viewer, (one.user_id, members[one.user_id])))
                or one.delivered_moved
            )
        )
        viewers[seen].append(viewer[0])
    for receipts, some in viewers.items():
        if receipts:
            yield EphemeralEvent(conversation_id, _frame(conversation_id, receipts), only=some)


def _counted(
    conversation_id: int, changed: Sequence[Moved], crowd: LargeGroup
) -> Iterator[EphemeralEvent]:
    counts = {"seq": crowd.head, "read": crowd.read, "delivered": crowd.delivered}
    frame = encode_frame("receipt.updated", conversation_id=str(conversation_id), counts=counts)
    yield EphemeralEvent(conversation_id, frame, after=crowd.head)
    for one in changed:
        own = ReceiptBody(str(one.user_id), one.read_seq, one.delivered_seq)
        yield EphemeralEvent(conversation_id, _frame(conversation_id, [own]), only=[one.user_id])


def _frame(conversation_id: int, receipts: Sequence[ReceiptBody]) -> bytes:
    return encode_frame("receipt.updated", conversation_id=str(conversation_id), receipts=receipts)


def _crowds(conversation_ids: Iterable[int]) -> dict[int, LargeGroup]:
    rows = (
        Membership.objects.filter(conversation_id__in=list(conversation_ids), left_seq=None)
        .values("conversation_id", "conversation__last_seq")
        .annotate(
            members=Count("id"),
            # Who hides what they read is not counted as a reader either.
            read=Count(
                "id",
                filter=Q(read_seq__gte=F("conversation__last_seq"), user__read_receipts=True),
            ),
            delivered=Count("id", filter=Q(delivered_seq__gte=F("conversation__last_seq"))),
        )
        .values_list("conversation_id", "conversation__last_seq", "members", "read", "delivered")
    )
    return {row[0]: LargeGroup(*row[1:]) for row in rows}


def _members(conversation_ids: Sequence[int]) -> dict[int, dict[int, bool]]:
    """Whether they show what they read, by user, of all current members by conversation."""
    members: dict[int, dict[int, bool]] = defaultdict(dict)
    rows = Membership.objects.filter(conversation_id__in=conversation_ids, left_seq=None)
    for conversation_id, user_id, shows in rows.values_list(
        "conversation_id", "user_id", "user__read_receipts"
    ):
        members[conversation_id][user_id] = shows
    return members
