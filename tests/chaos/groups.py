"""Groups whose members change while they chat."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.kit.account import Account, RefusedError, UnreachableError

SIZE = 5
# The mean time between two membership changes of a group.
CHANGE_SECONDS = 1.0
# The share of members who leave by themselves; the others are removed.
LEAVE = 0.3


def group_indexes(pairs: int) -> Iterator[range]:
    """The members of each group, as user indexes; the first one owns it."""
    users = 2 * pairs
    for start in range(0, users, SIZE):
        yield range(start, min(start + SIZE, users))


@dataclass(slots=True)
class Group:
    """One group. `away` are the members who are not in it now, as far as we know."""

    conversation_id: str
    owner: Account
    others: Sequence[Account]
    away: set[Account] = field(default_factory=set)


class MembershipChanger:
    """Adds and removes members of one group, through any server, until `quiet`.

    If an answer is lost, the outcome is unknown until the next attempt. The log tells
    afterwards who was in the group when.
    """

    def __init__(
        self, group: Group, addresses: Sequence[str], *, dice: random.Random, quiet: asyncio.Event
    ) -> None:
        self._group = group
        self._addresses = addresses
        self._dice = dice
        self._quiet = quiet

    async def run(self) -> None:
        if not self._group.others:
            return
        while not self._quiet.is_set():
            await self._change(self._dice.choice(self._group.others))
            with contextlib.suppress(TimeoutError):
                pause = self._dice.expovariate(1 / CHANGE_SECONDS)
                await asyncio.wait_for(self._quiet.wait(), pause)

    async def _change(self, other: Account) -> None:
        group = self._group
        members = f"groups/{group.conversation_id}/members"
        address = self._dice.choice(self._addresses)
        with contextlib.suppress(UnreachableError):
            if other in group.away:
                await group.owner.call(address, "POST", members, {"member_ids": [other.user_id]})
                group.away.discard(other)
                return
            try:
                if self._dice.random() < LEAVE:
                    await other.call(address, "POST", f"groups/{group.conversation_id}/leave")
                else:
                    await group.owner.call(address, "DELETE", f"{members}/{other.user_id}")
            except RefusedError as error:
                if error.status != 404:
                    raise
                # It had happened already, and the answer was lost.
            group.away.add(other)
