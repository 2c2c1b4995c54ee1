"""What presence needs to know of people, without knowing who stores it.

It deals in user ids. Who knows whom, and who shows what, the gateway joins to it: it
registers an implementation when the apps are ready. All methods are synchronous, may
use the ORM, and are called in database threads.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Circle:
    """Whom a user sees come and go.

    `has_presence` is whether others see this user come and go. `last_seen` has everybody
    they see, with when that person was last here, if that is known. `size` counts all who
    could be seen, those who hide included.
    """

    has_presence: bool
    last_seen: Mapping[int, datetime | None]
    size: int


@dataclass(frozen=True, slots=True)
class Audience:
    """Who sees a user come and go, and whether the user (still) shows it."""

    viewers: Sequence[int]
    is_shown: bool


class PeopleSource(Protocol):
    """Who may see whom, owned by the gateway."""

    def circles(self, user_ids: Collection[int]) -> Mapping[int, Circle]:
        """The circle of each of these users, in a fixed number of statements."""

    def audiences(self, user_ids: Collection[int]) -> Mapping[int, Audience]:
        """The audience of each of these users who is (still) here, likewise."""

    def lock_here(self, user_ids: Collection[int]) -> set[int]:
        """Those who are here, and stay so until the caller's transaction ends."""


class Sources:
    """The registered implementation; set once, at start-up."""

    people: PeopleSource


def register_people_source(source: PeopleSource) -> None:
    Sources.people = source
