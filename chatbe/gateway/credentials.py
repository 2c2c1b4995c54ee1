"""What sockets of both interfaces show at their hello, looked up for many at once."""

from __future__ import annotations

import itertools
from collections.abc import Collection

from accounts.models import Session
from accounts.services import authenticate_tokens, spend_tickets
from common.errors import ChatError, WrongCredentials
from common.models import Installation
from realtime.admission import BatchLoader
from realtime.node import Node

# The session or why there is none, and the epoch of the logs.
Found = tuple[Session | ChatError, str]
# A ticket and whose it is: of two who bring the same, each asks for themselves.
Ticket = tuple[str, int]


class Credentials:
    """The access tokens and one-time tickets of all sockets that come to this process."""

    def __init__(self, node: Node) -> None:
        # Spending is writing: one at a time of a process waits for its turn with all of these.
        self._tickets = BatchLoader(node.hub.admission, _sessions_of_tickets, writes=True)
        self._tokens = BatchLoader(node.hub.admission, _sessions_of_tokens)
        self._number = itertools.count()

    async def of_token(self, token: str) -> tuple[Session, str]:
        """The session, and the epoch of the logs. WrongCredentials, SessionEnded, Unavailable."""
        return _or_raise(await self._tokens.of(token))

    async def of_ticket(self, ticket: str) -> tuple[Session, str]:
        """The same, for one of those who bring the same ticket."""
        return _or_raise(await self._tickets.of((ticket, next(self._number))))


def _or_raise(found: Found) -> tuple[Session, str]:
    outcome, epoch = found
    if isinstance(outcome, ChatError):
        raise outcome
    return outcome, epoch


def _sessions_of_tokens(presented: Collection[str]) -> dict[str, Found]:
    epoch = Installation.current_epoch()
    return {token: (found, epoch) for token, found in authenticate_tokens(presented).items()}


def _sessions_of_tickets(presented: Collection[Ticket]) -> dict[Ticket, Found]:
    # Read first: no ticket is spent for somebody who cannot be answered.
    epoch = Installation.current_epoch()
    outcomes = spend_tickets({ticket for ticket, _ in presented})
    found: dict[Ticket, Found] = {}
    for ticket, number in presented:
        # Whoever came first gets it.
        found[ticket, number] = outcomes.get(ticket, WrongCredentials()), epoch
        outcomes.pop(ticket, None)
    return found
