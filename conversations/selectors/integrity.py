"""Whether the stored logs are what they should be.

Of each conversation, with L its `last_seq`:

1. Every position from 1 to L was taken once: it is the place of a row, or that of a row's
   last change, or it was taken by an edit that a later change of the same row has
   superseded. Of the last sort nothing is left but that some edited row lies before the
   position and was last changed after it.
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

from django.db.models import Count, Q

from conversations.models import Conversation, Message
from conversations.selectors import log_streams
from conversations.selectors.log_streams import Head, Row, StreamedChange, StreamedMember

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


def check_all() -> Iterator[tuple[int, list[Finding]]]:
    """How many conversations were looked at together and what is wrong, the newest first."""
    top = _TOP
    while True:
        found = log_streams.heads(CONVERSATIONS, id__lt=top)
        # Rows of no conversation lie between two, or below the last.
        bottom = found[-1].id if len(found) == CONVERSATIONS else 0
        yield len(found), list(_check(found, bottom, top))
        if bottom == 0:
            return
        top = bottom


def check_one(conversation_id: int) -> list[Finding]:
    """What is wrong with one conversation."""
    found = log_streams.heads(1, id=conversation_id)
    return list(_check(found, conversation_id, conversation_id + 1))


def sample(number: int) -> list[int]:
    """So many conversations, drawn by chance."""
    ids = Conversation.objects.order_by("?").values_list("id", flat=True)
    return list(ids[:number])


def _check(found: list[Head], bottom: int, top: int) -> Iterator[Finding]:
    """Check the conversations with ids in [bottom, top), given downwards."""
    rows = log_streams.rows(bottom, top)
    changes = log_streams.changes(bottom, top)
    members = log_streams.members(bottom, top)
    for head in found:
        yield from _Log(head).check(rows.of(head.id), changes.of(head.id))
        yield from _check_members(head, members.of(head.id))
    for id in sorted(rows.finish()):
        # Made since the heads were read, perhaps.
        if not Conversation.objects.filter(id=id).exists():
            yield Finding(id, "has messages, but is not there")


class _Log:
    """One conversation's positions, gone through from its end to its beginning."""

    def __init__(self, head: Head) -> None:
        self._id, self._head = head.id, head
        # Grows when somebody writes meanwhile.
        self._end = head.last_seq
        # The lowest position that is known to be taken, and the lowest place of all edited
        # rows that were changed above it.
        self._taken, self._lowest = head.last_seq + 1, _TOP
        self._upper: Row | None = None
        self._texts = 0

    def check(self, rows: Iterator[Row], changes: Iterator[StreamedChange]) -> Iterator[Finding]:
        items: Iterator[Row | StreamedChange] = merge(rows, changes, key=_position, reverse=True)
        for item in items:
            if item.position > self._head.last_seq:
                yield from self._beyond(item.position)
            else:
                yield from self._take(item.position)
            if isinstance(item, StreamedChange):
                if item.is_edited:
                    self._lowest = min(self._lowest, item.seq)
            elif item.seq <= self._head.last_seq:
                yield from self._read(item)
        yield from self._finish()

    def _beyond(self, position: int) -> Iterator[Finding]:
        if position > self._end:
            self._end = Conversation.objects.values_list("last_seq", flat=True).get(id=self._id)
        if position > self._end:
            yield self._found(f"position {position} is beyond its end")

    def _take(self, position: int) -> Iterator[Finding]:
        if position == self._taken:
            yield self._found(f"position {position} was taken twice")
        elif self._taken - position > 1 and not self._superseded(position):
            yield self._found(f"positions {position + 1} to {self._taken - 1} are missing")
        self._taken = position

    def _superseded(self, below: int) -> bool:
        """Whether the positions down to this one may be those of edits changed again."""
        if self._lowest <= below:
            return True
        # One of them may have been changed again after the stream had passed.
        return Message.objects.filter(
            conversation_id=self._id,
            seq__lte=below,
            changed_seq__gte=self._taken,
            edited_at__isnull=False,
        ).exists()

    def _read(self, row: Row) -> Iterator[Finding]:
        upper, self._upper = self._upper, row
        self._texts += bool(row.is_text)
        if upper is not None and upper.number - row.number != bool(upper.is_text):
            yield self._found(f"the number at {upper.seq} does not follow that at {row.seq}")
        if row.changed_seq < row.seq:
            yield self._found(f"{row.seq} was changed before it was written")
        if row.is_odd_reply:
            yield self._found(f"{row.seq} replies to nothing before it")
        if row.is_odd_tombstone:
            yield self._found(f"{row.seq} is deleted, but has a text or no change")

    def _finish(self) -> Iterator[Finding]:
        if self._taken > 1:
            yield self._found(f"positions 1 to {self._taken - 1} are missing")
        lowest, stored = self._upper, self._head.message_count
        if lowest is not None and lowest.number != bool(lowest.is_text):
            yield self._found(f"the number at {lowest.seq} does not begin the count")
        if self._texts != stored:
            problem = f"message_count is {stored}, not {self._texts}"
            yield Finding(self._id, problem, is_counter=True)

    def _found(self, problem: str) -> Finding:
        return Finding(self._id, problem)


def _position(item: Row | StreamedChange) -> int:
    return item.position


def _check_members(head: Head, members: Iterator[StreamedMember]) -> Iterator[Finding]:
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


def _pointer_problems(member: StreamedMember) -> Iterator[str]:
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
    if row.member_count != row.current:
        problem = f"member_count is {row.member_count}, not {row.current}"
        yield Finding(conversation_id, problem, is_counter=True)
