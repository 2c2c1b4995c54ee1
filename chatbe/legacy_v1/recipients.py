"""Whom the names mean that an old client writes to.

It addresses people and groups by names, and others can change what a name means. Two rules
keep a text from strangers:

- What is remembered is exact or asked again. A pair's conversation never changes, and a
  person's is remembered as of a position of the user's feed, which every change of contacts,
  blocks and accounts moves; a group's name as of the log that tells of its renaming. Whether
  the user may write there the append decides, under its lock.
- On one socket a name means one conversation. A client that has been shown, or has used, a
  name for one group goes on showing it, whatever others have called theirs meanwhile; and one
  that has done neither may have read it before it connected.
"""

from __future__ import annotations

from collections.abc import Mapping

from accounts.names import username_key
from chatbe.legacy_v1.places import Places
from common.errors import Conflict

# Of each kind, on one socket: the least used are forgotten first.
MEANINGS_MAX = 1_000
DIRECTS_MAX = 256


class Meanings:
    """What the names of one kind have meant on one socket."""

    def __init__(self, refusal: str) -> None:
        self._refusal = refusal
        self._ids: dict[str, int] = {}

    def shown(self, name: str, conversation_id: int) -> None:
        """The client was shown something under that name."""
        self._remember(name, self._ids.get(name, conversation_id))

    def confirm(self, name: str, conversation_id: int, *, is_others: bool = False) -> None:
        """The client uses the name, which means this now. Conflict if it meant another.

        `is_others` when the socket knows another conversation by that name.
        """
        if is_others or self._ids.get(name, conversation_id) != conversation_id:
            raise Conflict(self._refusal)
        self._remember(name, conversation_id)

    def _remember(self, name: str, conversation_id: int) -> None:
        self._ids.pop(name, None)
        self._ids[name] = conversation_id
        if len(self._ids) > MEANINGS_MAX:
            del self._ids[next(iter(self._ids))]


class Recipients:
    """The names of one socket. On the event loop only.

    `feed_seqs` is where the feeds of this process's users stand by now.
    """

    def __init__(self, feed_seqs: Mapping[int, int], user_id: int, places: Places) -> None:
        self._feed_seqs = feed_seqs
        self._user_id = user_id
        self._places = places
        self._directs: dict[str, int] = {}
        self._feed_seq = 0
        self.people = Meanings(
            "This name belongs to somebody else than before. Connect again to write to them."
        )
        self.groups = Meanings(
            "This name means another group than before. Connect again to write to it."
        )

    def person(self, username: str) -> int | None:
        """The conversation with a contact, if it is known at this moment."""
        self._forget_if_moved()
        return self._directs.get(username)

    def found_person(self, username: str, conversation_id: int, *, feed_seq: int) -> None:
        """It was read, when the user's feed had come to `feed_seq` already. Conflict."""
        wanted = username.casefold()
        is_others = any(
            place.peer_name is not None and place.peer_name.casefold() == wanted
            for place in self._places.others(conversation_id)
        )
        self.people.confirm(username_key(username), conversation_id, is_others=is_others)
        self._forget_if_moved()
        if feed_seq >= self._feed_seq:
            if len(self._directs) >= DIRECTS_MAX:
                self._directs.clear()
            self._directs[username] = conversation_id

    def group(self, name: str) -> int | None:
        """The user's one group of that name, if it is known at this moment. Conflict."""
        place = self._places.group_named(name)
        if place is None:
            return None
        self.groups.confirm(name, place.id)
        return place.id

    def found_group(self, name: str, conversation_id: int) -> None:
        """It was read. Conflict."""
        others = self._places.others(conversation_id)
        is_others = any(place.group_name == name for place in others)
        self.groups.confirm(name, conversation_id, is_others=is_others)

    def _forget_if_moved(self) -> None:
        feed_seq = self._feed_seqs.get(self._user_id, 0)
        if feed_seq != self._feed_seq:
            self._directs.clear()
            self._feed_seq = feed_seq
