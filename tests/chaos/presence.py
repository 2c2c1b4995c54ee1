"""What devices believe about who is online, compared with the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from tests.chaos.violations import Violation
from tests.kit.event_log import Journal

Contacts = Mapping[str, Collection[str]]


def check_presence(
    journals: Sequence[Journal], contacts: Contacts, online: Collection[str]
) -> Iterator[Violation]:
    """Each of these live devices believes the truth about every contact of its user.

    `contacts` are user ids by user id, `online` the users who have a socket.
    """
    for journal in journals:
        if journal.online is None:
            yield Violation("presence_unknown", "", f"{journal.device} was told of nobody")
            continue
        truth = set(contacts[journal.user_id]) & set(online)
        for user_id in sorted(truth - journal.online):
            detail = f"{journal.device} believes {user_id} to be offline"
            yield Violation("presence_wrong", "", detail)
        for user_id in sorted(journal.online - truth):
            detail = f"{journal.device} believes {user_id} to be online"
            yield Violation("presence_wrong", "", detail)
