"""Who takes part in a room, as of a position of its log.

The database is looked at by several at once (a resume, a refresh, a hole being filled), and
what was seen first may arrive last. Each look therefore comes with the head of the log in
its own snapshot: that position is its version. Here, and nowhere else, an older look is
told from a newer one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatbe.realtime.sources import Membership

# Of somebody who was registered, so that no event passes unseen, but not looked at for good.
UNKNOWN = -1


class Members:
    """The local users of one room. What is older than what is known changes nothing."""

    __slots__ = ("_as_of", "last_start", "read_only", "visible_from")

    def __init__(self) -> None:
        self._as_of: dict[int, int] = {}
        # Per user: the first position they may see.
        self.visible_from: dict[int, int] = {}
        # The highest of these, or more: from there on nothing is hidden from anybody.
        self.last_start = 0
        # Those who may not post here.
        self.read_only: set[int] = set()

    def __contains__(self, user_id: int) -> bool:
        return user_id in self._as_of

    def __iter__(self) -> Iterator[int]:
        return iter(self._as_of)

    def as_of(self, user_id: int) -> int:
        """The position up to which it is known that the user takes part; UNKNOWN without one."""
        return self._as_of.get(user_id, UNKNOWN)

    def learn(self, membership: Membership, position: int, *, repeated: bool = True) -> bool:
        """Somebody took part at this position, in this way. False if more is known already.

        Who may post can change without a position. Two looks at the same position may
        therefore differ in it: one that is `repeated` replaces the other.
        """
        user_id = membership.user_id
        known = self._as_of.get(user_id)
        if known is not None and (position < known or (position == known and not repeated)):
            return False
        self._as_of[user_id] = position
        self.visible_from[user_id] = membership.visible_from
        self.last_start = max(self.last_start, membership.visible_from)
        if membership.may_send:
            self.read_only.discard(user_id)
        else:
            self.read_only.add(user_id)
        return True

    def is_gone(self, user_id: int, position: int) -> bool:
        """Whether this still holds of somebody who was no member (any more) at this position."""
        return user_id in self._as_of and self._as_of[user_id] < position

    def differs(self, membership: Membership, position: int) -> bool:
        """Whether a look at this position says something else than is known."""
        user_id = membership.user_id
        return position >= self.as_of(user_id) and (
            self.visible_from.get(user_id) != membership.visible_from
            or (user_id in self.read_only) is membership.may_send
        )

    def forget(self, user_id: int) -> None:
        """The last socket of this user has left the room."""
        self._as_of.pop(user_id, None)
        self.visible_from.pop(user_id, None)
        self.read_only.discard(user_id)

    def doubt_all(self) -> None:
        """The log has moved back: what was known is of a future that never came."""
        for user_id in self._as_of:
            self._as_of[user_id] = UNKNOWN
