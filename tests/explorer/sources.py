"""What the realtime layer reads of the scripted world: each method is one statement, one snapshot."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from common.errors import NotFound, SessionEnded
from realtime.sources import (
    Announcement,
    ChangedRow,
    LiveMembership,
    LogRange,
    RangeRequest,
    Sources,
    UserStates,
)
from tests.explorer.world import Conversation, Row, TestUser, World


class ScriptedSources:
    """LogSource, UserSource and BlockSource in one, and what a client reads by itself."""

    def __init__(self, world: World) -> None:
        self._world = world

    def standings(self, user_ids: Collection[int]) -> list[tuple[LiveMembership, int]]:
        self._world.before_statement(f"standings of {sorted(user_ids)}")
        return [
            (membership, conversation.head)
            for conversation in self._world.conversations.values()
            for user_id in user_ids
            if (membership := _membership(conversation, user_id)) is not None
        ]

    def heads(self, conversation_ids: Collection[int]) -> dict[int, int]:
        self._world.before_statement(f"heads of {sorted(conversation_ids)}")
        return {id: self._world.conversations[id].head for id in conversation_ids}

    def announcements(
        self, conversation_ids: Mapping[int, Collection[int]]
    ) -> dict[int, dict[int, Announcement]]:
        self._world.before_statement(f"announcements for {dict(conversation_ids)}")
        known = self._world.conversations
        return {
            user_id: {
                id: Announcement(b'{"id":"%d"}' % id, known[id].head)
                for id in ids
                if known[id].term(user_id)
            }
            for user_id, ids in conversation_ids.items()
        }

    def ranges(
        self, requests: Sequence[RangeRequest], user_ids: Collection[int], limit: int
    ) -> list[LogRange]:
        asked = [(request.conversation_id, request.after) for request in requests]
        self._world.before_statement(f"ranges after {sorted(asked)} for {sorted(user_ids)}")
        return [self._range(id, after, user_ids, limit) for id, after in asked]

    def states(self, user_ids: Collection[int], session_ids: Collection[int]) -> UserStates:
        self._world.before_statement(f"states of {sorted(user_ids)}")
        people = [self._world.people[id] for id in user_ids]
        return UserStates(
            feed_seqs={person.id: person.feed_seq for person in people},
            disconnects={person.id: person.disconnects for person in people},
            live_sessions=frozenset(session_ids) & self._world.sessions.keys(),
        )

    def touch_sessions(self, session_ids: Collection[int]) -> None:
        raise AssertionError("These sessions are all noted.")

    def blocked_by(self, user_ids: Collection[int]) -> Mapping[int, frozenset[int]]:
        self._world.before_statement(f"blocks of {sorted(user_ids)}")
        return {id: who for id in user_ids if (who := self._world.people[id].blocked)}

    # --- what a client asks for ---------------------------------------------------------------

    def session(self, session_id: int) -> TestUser:
        """The user of a session, as they are now. SessionEnded."""
        self._world.before_statement(f"session {session_id}")
        user_id = self._world.sessions.get(session_id)
        if user_id is None:
            raise SessionEnded
        return replace(self._world.people[user_id])

    def changes(self, user_id: int, conversation_id: int, after: int, limit: int) -> LogRange:
        """The answer to `conversation.fetch`. NotFound."""
        self._world.before_statement(f"fetch after {after} of {conversation_id} for {user_id}")
        term = self._world.conversations[conversation_id].term(user_id)
        if term is None:
            raise NotFound
        found = self._range(conversation_id, after, [user_id], limit)
        shown = [change for change in found.changes if change.seq >= term.visible_from]
        return LogRange(conversation_id, after, found.to, found.head, shown, found.members)

    def page(self, user_id: int, conversation_id: int) -> tuple[int, list[Row]]:
        """The head and all visible rows, as by REST. NotFound."""
        self._world.before_statement(f"page of {conversation_id} for {user_id}")
        conversation = self._world.conversations[conversation_id]
        term = conversation.term(user_id)
        if term is None:
            raise NotFound
        return conversation.head, conversation.visible_rows(term.visible_from)

    # --- reading ------------------------------------------------------------------------------

    def _range(
        self, conversation_id: int, after: int, user_ids: Collection[int], limit: int
    ) -> LogRange:
        conversation = self._world.conversations[conversation_id]
        to = max(after, min(after + limit, conversation.head))
        rows = [row for row in conversation.visible_rows(0, after) if row.changed_seq <= to]
        found = [_membership(conversation, user_id) for user_id in user_ids]
        return LogRange(
            conversation_id=conversation_id,
            after=after,
            to=to,
            head=conversation.head,
            changes=[ChangedRow(row.seq, row.changed_seq, row.body) for row in rows],
            members={membership.user_id: membership for membership in found if membership},
        )


def _membership(conversation: Conversation, user_id: int) -> LiveMembership | None:
    term = conversation.term(user_id)
    if term is None:
        return None
    return LiveMembership(conversation.id, user_id, term.visible_from, not conversation.read_only)


@contextmanager
def registered(sources: ScriptedSources) -> Iterator[None]:
    """The process's sources are these for a while."""
    before = {name: getattr(Sources, name) for name in ("log", "users", "blocks")}
    Sources.log = Sources.users = Sources.blocks = sources
    try:
        yield
    finally:
        for name, source in before.items():
            setattr(Sources, name, source)
