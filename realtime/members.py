"""Who takes part in a channel, as of a position of its log.

The database is read by several at once (a resume, a refresh, a gap being filled), and
what was seen first may arrive last. Each read therefore comes with the head of the log in
its own snapshot: that position is its version. Here, and nowhere else, an older read is
told from a newer one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.sources import LiveMembership

# Of somebody who was registered, so that no event passes unseen, but not looked at for good.
UNKNOWN = -1


class Members:
    """The local users of one channel. What is older than what is known changes nothing."""

    __slots__ = ("_known", "last_start", "read_only")

    def __init__(self) -> None:
        # Per user: the version of what is known, and the first position they may see.
        self._known: dict[int, tuple[int, int]] = {}
        # The highest of these, or more: from there on nothing is hidden from anybody.
        self.last_start = 0
        # Those who may not post here. In most channels there are none.
        self.read_only: frozenset[int] = frozenset()

    def __contains__(self, user_id: int) -> bool:
        return user_id in self._known

    def __iter__(self) -> Iterator[int]:
        return iter(self._known)

    def as_of(self, user_id: int) -> int:
        """The position up to which it is known that the user takes part; UNKNOWN without one."""
        known = self._known.get(user_id)
        return UNKNOWN if known is None else known[0]

    def visible_from(self, user_id: int) -> int:
        """The first position the user may see; 1 for somebody of whom nothing is known."""
        known = self._known.get(user_id)
        return 1 if known is None else known[1]

    def learn(self, membership: LiveMembership, position: int, *, repeated: bool = True) -> bool:
        """Somebody took part at this position, in this way. False if more is known already.

        Who may post can change without a position. Two looks at the same position may
        therefore differ in it: one that is `repeated` replaces the other.
        """
        user_id = membership.user_id
        known = self._known.get(user_id)
        if known is not None and (position < known[0] or (position == known[0] and not repeated)):
            return False
        self._known[user_id] = position, membership.visible_from
        self.last_start = max(self.last_start, membership.visible_from)
        if not membership.may_send:
            self.read_only |= {user_id}
        elif self.read_only:
            self.read_only -= {user_id}
        return True

    def is_gone(self, user_id: int, position: int) -> bool:
        """Whether this still holds of somebody who was no member (any more) at this position."""
        known = self._known.get(user_id)
        return known is not None and known[0] < position

    def differs(self, membership: LiveMembership, position: int) -> bool:
        """Whether a look at this position says something else than is known."""
        user_id = membership.user_id
        known = self._known.get(user_id)
        return known is None or (
            position >= known[0]
            and (
                known[1] != membership.visible_from
                or (user_id in self.read_only) is membership.may_send
            )
        )

    def forget(self, user_id: int) -> None:
        """The last socket of this user has left the channel."""
        self._known.pop(user_id, None)
        self.read_only -= {user_id}

    def doubt_all(self) -> None:
        """The log has moved back: what was known is of a future that never came."""
        self._known = {user_id: (UNKNOWN, start) for user_id, (_, start) in self._known.items()}
