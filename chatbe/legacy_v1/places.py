"""The conversations one old socket is in, as far as it has been told of them.

What a group is called is known as of a position of its log: that of the announcement, then
that of each renaming. So nothing older ever replaces what is newer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conversations.schemas import ConversationBody


@dataclass(slots=True)
class Place:
    """A conversation: how far its socket has come, and its name if it is a group.

    `named_at` is the position the name was true at. `called` is the name under which the
    client has last been shown something of it: a group's, or a person's.
    """

    id: int
    cursor: int
    group_name: str | None
    peer_name: str | None
    named_at: int
    called: str | None = None


class Places:
    """One socket's conversations, by id and, the groups, by name."""

    def __init__(self) -> None:
        self._by_id: dict[str, Place] = {}
        self._names: dict[str, Place | None] | None = None
        # All of them have been told, and of none has anything been left out since.
        self.are_complete = False

    def get(self, conversation_id: str) -> Place | None:
        return self._by_id.get(conversation_id)

    def add(self, found: ConversationBody, cursor: int) -> None:
        """A conversation was announced."""
        name = None if found.group is None else found.group.name
        peer = None if found.peer is None else found.peer.username
        if not peer and found.id in self._by_id:
            # They are gone. Somebody else may take their name: it was theirs here.
            peer = self._by_id[found.id].peer_name
        self._by_id[found.id] = Place(int(found.id), cursor, name, peer, found.head)
        self._names = None

    def remove(self, conversation_id: str) -> None:
        self._by_id.pop(conversation_id, None)
        self._names = None

    def others(self, conversation_id: int) -> Iterator[Place]:
        """All but that one."""
        return (place for place in self._by_id.values() if place.id != conversation_id)

    def rename(self, place: Place, name: str, position: int) -> None:
        """A group got another name at a position of its log."""
        if position > place.named_at:
            place.group_name = name
            place.named_at = position
            self._names = None

    def group_named(self, name: str) -> Place | None:
        """The one group of that name; None if there are several, or if it is not known."""
        if not self.are_complete:
            return None
        if self._names is None:
            self._names = {}
            for place in self._by_id.values():
                if place.group_name is not None:
                    is_first = place.group_name not in self._names
                    self._names[place.group_name] = place if is_first else None
        return self._names.get(name)
