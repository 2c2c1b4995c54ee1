"""The scripted database: conversations with their logs, memberships, feeds, sessions, blocks.

Every commit changes it at once and leaves hints, as a process of the real thing publishes them.
It keeps who was entitled to what, so that whatever goes out can be held against it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from realtime.channel import LogEvent
from realtime.frames import message_changed, message_created
from realtime.hub import Hub

Undo = Callable[[], None]


@dataclass(slots=True)
class Row:
    """A message as it is now; `version` is told apart from every other text there ever was."""

    conversation_id: int
    seq: int
    changed_seq: int
    version: int

    @property
    def body(self) -> bytes:
        return b'{"conversation_id":"%d","seq":%d,"changed_seq":%d,"number":%d,"text":"v%d"}' % (
            self.conversation_id,
            self.seq,
            self.changed_seq,
            self.seq,
            self.version,
        )


@dataclass(slots=True)
class Term:
    """One stay of a user in a conversation: they see rows from `visible_from`, up to `left`."""

    joined: int
    visible_from: int
    left: float = math.inf


@dataclass(slots=True)
class Conversation:
    """`shares_history`: whoever joins sees what was there before."""

    id: int
    shares_history: bool
    head: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    terms: dict[int, list[Term]] = field(default_factory=lambda: defaultdict(list))
    read_only: bool = False

    def term(self, user_id: int) -> Term | None:
        """The stay that goes on, if the user is a member."""
        stays = self.terms.get(user_id)
        return stays[-1] if stays and stays[-1].left == math.inf else None

    def members(self) -> list[int]:
        return [user_id for user_id in self.terms if self.term(user_id)]

    def visible_rows(self, visible_from: int, after: int = 0) -> list[Row]:
        """In the order of their last changes."""
        found = [r for r in self.rows.values() if r.seq >= visible_from and r.changed_seq > after]
        return sorted(found, key=lambda row: row.changed_seq)


@dataclass(slots=True)
class TestUser:
    """`state` is what their small lists hold: another number after every change."""

    id: int
    feed_seq: int = 0
    state: int = 0
    disconnects: int = 0
    blocked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class EphemeralEvent:
    """What a commit tells: `tell` the hub, some time, perhaps."""

    name: str
    tell: Callable[[Hub], None]


class World:
    """All of it. `before_statement` is called before each statement takes its snapshot."""

    def __init__(self, user_ids: list[int]) -> None:
        self.people = {id: TestUser(id) for id in user_ids}
        self.conversations: dict[int, Conversation] = {}
        self.sessions: dict[int, int] = {}
        self.ephemeral_events: list[EphemeralEvent] = []
        self.undo: list[Undo] = []
        self.before_statement: Callable[[str], None] = lambda _: None
        self.note: Callable[[str], None] = lambda _: None
        # Sessions of which the hub was told that they are over.
        self.told_over: set[int] = set()
        self.has_lost_commits = False
        self._numbers = 0

    def conversation(self, id: int, *, shares_history: bool) -> Conversation:
        made = self.conversations[id] = Conversation(id, shares_history)
        return made

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    # --- commits ------------------------------------------------------------------------------

    def send(
        self, conversation: Conversation, *, leaves: tuple[int, ...] = (), reread=False
    ) -> int:
        """A new row at the end of the log; its position."""
        position = conversation.head + 1
        row = Row(conversation.id, position, position, self.number())
        conversation.head = position
        conversation.rows[position] = row
        self._tell_event(row, message_created(row.body), leaves, reread)

        def undo() -> None:
            conversation.head = position - 1
            del conversation.rows[position]

        self.undo.append(undo)
        return position

    def edit(self, conversation: Conversation, seq: int) -> None:
        """Another version of a row, at the end of the log."""
        before = conversation.rows[seq]
        position = conversation.head + 1
        row = Row(conversation.id, seq, position, self.number())
        conversation.head = position
        conversation.rows[seq] = row
        self._tell_event(row, message_changed(row.body))

        def undo() -> None:
            conversation.head = position - 1
            conversation.rows[seq] = before

        self.undo.append(undo)

    def add_member(self, conversation: Conversation, user_id: int) -> None:
        position = self.send(conversation)
        start = 1 if conversation.shares_history else position
        conversation.terms[user_id].append(Term(position, start))
        self._with_last(conversation.terms[user_id].pop)
        self.move_feed(user_id)

    def remove_member(self, conversation: Conversation, user_id: int) -> None:
        term = conversation.term(user_id)
        assert term is not None
        position = self.send(conversation, leaves=(user_id,))
        term.left = position
        self._with_last(lambda: setattr(term, "left", math.inf))
        self.move_feed(user_id)

    def change_rules(self, conversation: Conversation) -> None:
        """Who may post is another matter now."""
        self.send(conversation, reread=True)
        conversation.read_only = not conversation.read_only

    def block(self, user_id: int, other_id: int) -> None:
        """Block somebody, or let them off again."""
        person = self.people[user_id]
        before = person.blocked
        person.blocked = before ^ {other_id}
        self.undo.append(lambda: setattr(person, "blocked", before))
        self.move_feed(user_id)

    def move_feed(self, user_id: int) -> None:
        """Something that concerns only this user changed; part of the last commit."""
        person = self.people[user_id]
        before = person.feed_seq, person.state
        person.feed_seq += 1
        person.state = self.number()

        def undo() -> None:
            person.feed_seq, person.state = before

        self._with_last(undo)
        told = {user_id: person.feed_seq}
        self.ephemeral_events.append(
            EphemeralEvent(f"feed {told}", lambda hub: hub.users_changed(told))
        )

    def change_list(self, user_id: int) -> None:
        """A contact, say."""
        self.undo.append(lambda: None)
        self.move_feed(user_id)

    def log_in(self, user_id: int) -> int:
        session_id = 1_000 + self.number()
        self.sessions[session_id] = user_id
        return session_id

    def end_session(self, session_id: int) -> None:
        del self.sessions[session_id]

        def tell(hub: Hub) -> None:
            hub.sessions_ended([session_id])
            self.told_over.add(session_id)

        self.ephemeral_events.append(EphemeralEvent(f"session {session_id} ended", tell))

    def disconnect(self, user_id: int) -> None:
        """Close the sockets the user has by now. The sweeps find it; there is no hint."""
        self.people[user_id].disconnects += 1

    def fail_over(self, commits: int) -> None:
        """The database comes back without its last commits. Nobody hears of these any more."""
        for _ in range(min(commits, len(self.undo))):
            self.undo.pop()()
        self.ephemeral_events.clear()
        self.has_lost_commits = True

    def _tell_event(
        self, row: Row, frame: bytes, leaves: tuple[int, ...] = (), reread: bool = False
    ) -> None:
        event = LogEvent(row.conversation_id, row.changed_seq, row.seq, frame, leaves, reread)
        name = f"event {row.changed_seq} of {row.conversation_id}"
        self.ephemeral_events.append(EphemeralEvent(name, lambda hub: hub.deliver([event])))

    def _with_last(self, also: Callable[[], Any]) -> None:
        """The last commit did this, too."""
        before = self.undo.pop() if self.undo else lambda: None

        def undo() -> None:
            also()
            before()

        self.undo.append(undo)

    # --- what is true -------------------------------------------------------------------------

    def may_know(self, user_id: int, conversation_id: int, position: int) -> bool:
        """Whether this user was a member at, or after, this position."""
        stays = self.conversations[conversation_id].terms.get(user_id, ())
        return any(position <= stay.left for stay in stays)

    def may_see(self, user_id: int, conversation_id: int, position: int, seq: int) -> bool:
        """Whether the version at `position` of the row at `seq` was ever this user's to see."""
        stays = self.conversations[conversation_id].terms.get(user_id, ())
        return any(stay.visible_from <= seq and position <= stay.left for stay in stays)
