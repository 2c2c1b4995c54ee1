"""Who wrote a message, for sockets that are told by name.

However many sockets get the same message at once, a process looks names up in two
queries; what is asked for while those run waits for the next two.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import NamedTuple

import structlog

from accounts.models import User
from common import background
from common.database import in_database_thread
from common.database_errors import is_passing
from contacts.models import Block
from realtime.node import Node

# A message is better shown late without its sender's name than never.
PATIENCE_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Sender(NamedTuple):
    username: str
    is_bot: bool


NOBODY = Sender("", is_bot=False)

Asked = tuple[int, Collection[int]]
Found = Mapping[int, Sender]


class Senders:
    """The one desk of a process where sockets ask. On its event loop only."""

    def __init__(self, node: Node) -> None:
        self._loop = node.loop
        self._waiting: list[tuple[Asked, asyncio.Future[Found]]] = []
        self._worker = background.OnDemandLoop("senders", self._read_next, lambda: self._waiting)

    async def find(self, viewer_id: int, user_ids: Collection[int]) -> Found:
        """Each of the users by id, NOBODY who is not here for the viewer.

        Empty when the database is away.
        """
        answer: asyncio.Future[Found] = self._loop.create_future()
        self._waiting.append(((viewer_id, user_ids), answer))
        self._worker.wake()
        return await answer

    async def _read_next(self) -> None:
        waiting, self._waiting = self._waiting, []
        found: list[Found] = []
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await in_database_thread(_read, [asked for asked, _ in waiting])
        except Exception as error:
            if not (isinstance(error, TimeoutError) or is_passing(error)):
                raise
            log.warning("senders_unknown", error=type(error).__name__)
        finally:
            # Everybody who waits is answered, whatever happened.
            for place, (_, answer) in enumerate(waiting):
                if not answer.done():
                    answer.set_result(found[place] if place < len(found) else {})


def _read(asked: Collection[Asked]) -> list[Found]:
    viewers = {viewer_id for viewer_id, _ in asked}
    wanted = {user_id for _, user_ids in asked for user_id in user_ids}
    rows = User.objects.filter(id__in=wanted, is_active=True)
    users = {
        id: Sender(username, is_bot=is_bot)
        for id, username, is_bot in rows.values_list("id", "username", "is_bot")
    }
    blocks = Block.objects.filter(blocker_id__in=wanted, blocked_id__in=viewers)
    gone = set(blocks.values_list("blocked_id", "blocker_id"))
    return [
        {id: NOBODY if (viewer_id, id) in gone else users.get(id, NOBODY) for id in user_ids}
        for viewer_id, user_ids in asked
    ]
