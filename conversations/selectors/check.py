"""Whether the stored logs are what they should be.

Of each conversation, with L its `last_seq`:

1. Every position from 1 to L was taken once: it is the place of a row, or that of a row's
   last change, or it was taken by a change that a later one of the same row has
   superseded. Of the last sort nothing is left but that some row lies before the position
   and was last changed after it.
2. No position is both, or twice; none is beyond L.
3. From each row to the one before, `number` falls by one if the upper row is a text, else
   not at all; it begins at 1 or 0, and the topmost is `message_count`.
4. A tombstone has no text and a change of its own; a reply is to something earlier.
5. `visible_from`, `joined_seq`, `left_seq` and both pointers lie within the log, what was
   read was received, and `read_number` is the number at `read_seq`.
6. `member_count` counts the memberships that have not ended; a direct conversation has
   two that never end, of the pair it names.

All streams run downwards, because of 1: a position that nothing covers is told good or bad
by the changes above it. So nothing is held in memory but a page of each stream.

It may run while people write. Heads are read before rows, so what is newer is passed over;
rows keep place and number; a change that moves away while we look is asked for again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Count, Q

from conversations.models import Conversation, Message

PAGE = 2_000
# The conversations whose rows are read as one stream.
CONVERSATIONS = 500
_TOP = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; `is_counter` if counting anew would mend it."""

    conversation_id: int
    problem: str
    is_counter: bool = False

    def __str__(self) -> str:
        return f"conversation {self.conversation_id}: {self.problem}"


class _Head(NamedTuple):
    id: int
    kind: str
    last_seq: int
    message_count: int
    member_count: int
    low_user_id: int | None
    high_user_id: int | None


class _Row(NamedTuple):
    conversation_id: int
    seq: int
    changed_seq: int
    number: int
    is_text: bool
    is_odd_reply: bool
    is_odd_tombstone: bool

    @property
    def position(self) -> int:
        return self.seq


class _Change(NamedTuple):
    conversation_id: int
    changed_seq: int
    seq: int

    @property
    def position(self) -> int:
        return self.changed_seq


class _Member(NamedTuple):
    conversation_id: int
    id: int
    user_id: int
    visible_from: int
    joined_seq: int
    left_seq: int | None
    read_seq: int
    read_number: int
    delivered_seq: int
    last_seq: int
    number_there: int


_ROWS = """
    SELECT m.conversation_id, m.seq, m.changed_seq, m.number, m.kind = 'text',
           m.reply_to IS NOT NULL AND (m.reply_to < 1 OR m.reply_to >= m.seq),
           m.deleted_at IS NOT NULL AND (m.text <> '' OR m.changed_seq <= m.seq)
    FROM conversations_message m
    WHERE m.conversation_id >= %s AND (m.conversation_id, m.seq) < (%s, %s)
    ORDER BY m.conversation_id DESC, m.seq DESC LIMIT %s
"""
_CHANGES = """
    SELECT m.conversation_id, m.changed_seq, m.seq
    FROM conversations_message m
    WHERE m.changed_seq > m.seq
      AND m.conversation_id >= %s AND (m.conversation_id, m.changed_seq) < (%s, %s)
    ORDER BY m.conversation_id DESC, m.changed_seq DESC LIMIT %s
"""
# One statement a page: a pointer and the head it may not pass are of one snapshot.
_MEMBERS = """
    SELECT s.conversation_id, s.id, s.user_id, s.visible_from, s.joined_seq, s.left_seq,
           s.read_seq, s.read_number, s.delivered_seq, c.last_seq,
           COALESCE((SELECT m.number FROM conversations_message m
                     WHERE m.conversation_id = s.conversation_id AND m.seq <= s.read_seq
                     ORDER BY m.seq DESC LIMIT 1), 0)
    FROM conversations_membership s
    JOIN conversations_conversation c ON c.id = s.conversation_id
    WHERE s.conversation_id >= %s AND (s.conversation_id, s.user_id) < (%s, %s)
    ORDER BY s.conversation_id DESC, s.user_id DESC LIMIT %s
"""


T = TypeVar("T", _Row, _Change, _Member)


class _Groups(Generic[T]):
    """A stream that falls by conversation, handed out conversation by conversation."""

    def __init__(self, stream: Iterator[T]) -> None:
        self._stream = stream
        self._next = next(stream, None)
        # Conversations that nobody asked for.
        self.strangers: set[int] = set()

    def of(self, conversation_id: int) -> Iterator[T]:
        while self._next is not None and self._next.conversation_id >= conversation_id:
            item, self._next = self._next, next(self._stream, None)
            if item.conversation_id == conversation_id:
                yield item
            else:
                self.strangers.add(item.conversation_id)


def check_all() -> Iterator[tuple[int, list[Finding]]]:
    """How many conversations were looked at together and what is wrong, the newest first."""
    top = _TOP
    while True:
        heads = _heads(id__lt=top)[:CONVERSATIONS]
        found = [_Head(*columns) for columns in heads]
        # Rows of no conversation lie between two, or below the last.
        bottom = found[-1].id if len(found) == CONVERSATIONS else 0
        yield len(found), list(_check(found, bottom, top))
        if bottom == 0:
            return
        top = bottom


def check_one(conversation_id: int) -> list[Finding]:
    """What is wrong with one conversation."""
    heads = [_Head(*columns) for columns in _heads(id=conversation_id)]
    return list(_check(heads, conversation_id, conversation_id + 1))


def sample(number: int) -> list[int]:
    """So many conversations, drawn by chance."""
    ids = Conversation.objects.order_by("?").values_list("id", flat=True)
    return list(ids[:number])


def _heads(**which: int) -> Any:
    rows = Conversation.objects.filter(**which).order_by("-id")
    return rows.values_list(*_Head._fields)


def _check(heads: list[_Head], bottom: int, top: int) -> Iterator[Finding]:
    """Check the conversations with ids in [bottom, top), given downwards."""
    rows = _Groups[_Row](_stream(_ROWS, _Row, bottom, top))
    changes = _Groups[_Change](_stream(_CHANGES, _Change, bottom, top))
    members = _Groups[_Member](_stream(_MEMBERS, _Member, bottom, top))
    for head in heads:
        yield from _check_log(head, rows.of(head.id), changes.of(head.id))
        yield from _check_members(head, members.of(head.id))
    list(rows.of(-1))
    for id in sorted(rows.strangers):
        # Made since the heads were read, perhaps.
        if not Conversation.objects.filter(id=id).exists():
            yield Finding(id, "has messages, but is not there")


def _check_log(
    head: _Head, rows: Iterator[_Row], changes: Iterator[_Change]
) -> Iterator[Finding]:
    def found(problem: str, *, is_counter: bool = False) -> Finding:
        return Finding(head.id, problem, is_counter)

    texts = 0
    last_seq = head.last_seq
    # The lowest position known to be taken, and the lowest place of a row changed above it.
    taken, lowest = last_seq + 1, _TOP
    upper: _Row | None = None
    for item in merge(rows, changes, key=attrgetter("position"), reverse=True):
        position = item.position
        if position > head.last_seq:
            if position > last_seq:
                last_seq = Conversation.objects.values_list("last_seq", flat=True).get(id=head.id)
            if position > last_seq:
                yield found(f"position {position} is beyond its end")
        elif position == taken:
            yield found(f"position {position} was taken twice")
        else:
            if taken - position > 1 and not _superseded(head.id, position, taken, lowest):
                yield found(f"positions {position + 1} to {taken - 1} are missing")
            taken = position
        if isinstance(item, _Change):
            lowest = min(lowest, item.seq)
            continue
        if position > head.last_seq:
            continue
        texts += bool(item.is_text)
        if upper is not None and upper.number - item.number != bool(upper.is_text):
            yield found(f"the number at {upper.seq} does not follow that at {item.seq}")
        upper = item
        if item.changed_seq < item.seq:
            yield found(f"{item.seq} was changed before it was written")
        if item.is_odd_reply:
            yield found(f"{item.seq} replies to nothing before it")
        if item.is_odd_tombstone:
            yield found(f"{item.seq} is deleted, but has a text or no change")
    if taken > 1:
        yield found(f"positions 1 to {taken - 1} are missing")
    if upper is not None and upper.number != bool(upper.is_text):
        yield found(f"the number at {upper.seq} does not begin the count")
    if texts != head.message_count:
        yield found(f"message_count is {head.message_count}, not {texts}", is_counter=True)


def _superseded(conversation_id: int, below: int, above: int, lowest: int) -> bool:
    """Whether the positions between two may be those of changes that were changed again."""
    if lowest <= below:
        return True
    # One of them may have been changed again after the stream had passed.
    return Message.objects.filter(
        conversation_id=conversation_id, seq__lte=below, changed_seq__gte=above
    ).exists()


def _check_members(head: _Head, members: Iterator[_Member]) -> Iterator[Finding]:
    users: list[int] = []
    current = 0
    for member in members:
        current += member.left_seq is None
        # A direct conversation has two: more than three would only fill the memory.
        if len(users) < 3:
            users.append(member.user_id)
        for problem in _pointer_problems(member):
            yield Finding(head.id, f"user {member.user_id}: {problem}")
        if member.read_number != member.number_there:
            problem = f"read_number is {member.read_number}, not {member.number_there}"
            yield Finding(head.id, f"user {member.user_id}: {problem}", is_counter=True)
    pair = [id for id in (head.low_user_id, head.high_user_id) if id is not None]
    if head.kind == Conversation.Kind.DIRECT:
        if sorted(users) != pair or len(pair) != 2 or current != 2:
            yield Finding(head.id, "is direct, but not between the two it names")
    elif pair:
        yield Finding(head.id, "is no direct one, but names a pair")
    if head.member_count != current:
        yield from _check_member_count(head.id)


def _pointer_problems(member: _Member) -> Iterator[str]:
    end = member.last_seq
    if not 1 <= member.visible_from <= end + 1:
        yield f"visible_from is {member.visible_from}, the log ends at {end}"
    if not 0 <= member.joined_seq <= end:
        yield f"joined_seq is {member.joined_seq}, the log ends at {end}"
    if member.left_seq is not None and not member.joined_seq <= member.left_seq <= end:
        yield f"left_seq is {member.left_seq}, the log ends at {end}"
    if not 0 <= member.read_seq <= member.delivered_seq <= end:
        yield (
            f"read_seq is {member.read_seq} and delivered_seq {member.delivered_seq},"
            f" the log ends at {end}"
        )


def _check_member_count(conversation_id: int) -> Iterator[Finding]:
    # Both in one snapshot, which the two streams are not of.
    counted = Count("memberships", filter=Q(memberships__left_seq=None))
    row = Conversation.objects.annotate(current=counted).get(id=conversation_id)
    if row.member_count != row.current:  # type: ignore[attr-defined]
        problem = f"member_count is {row.member_count}, not {row.current}"  # type: ignore[attr-defined]
        yield Finding(conversation_id, problem, is_counter=True)


def _stream(sql: str, kind: Any, bottom: int, top: int) -> Iterator[Any]:
    """All rows of a statement downwards; its first two columns say where the next page begins."""
    conversation_id, place = top, 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, [bottom, conversation_id, place, PAGE])
            page = cursor.fetchall()
        yield from map(kind._make, page)
        if len(page) < PAGE:
            return
        conversation_id, place = page[-1][0], page[-1][1]
