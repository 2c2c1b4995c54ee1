"""The cursors of a sync whose last frame has not come yet: so many, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from django.conf import settings

from common.errors import InvalidInput
from common.ids import parse_id
from realtime.connection import Connection
from realtime.frames import encode_frame


class Cursors:
    """What one socket has said of where it stands, until all of it is said."""

    __slots__ = ("_cursors", "_expiry")

    def __init__(self) -> None:
        self._cursors: dict[int, int] = {}
        self._expiry: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._cursors)

    def keep(self, connection: Connection, cursors: Mapping[str, int]) -> None:
        """Add these, for SYNC_SECONDS from the first: then they are to be said again."""
        self.add(cursors)
        if self._expiry is None:
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(settings.SYNC_SECONDS, self._expire, connection)

    def add(self, cursors: Mapping[str, int]) -> None:
        """Add these, to be taken at once.

        InvalidInput for what is no id and for more than SYNC_CURSORS_MAX; all are dropped then.
        """
        try:
            for text, cursor in cursors.items():
                self._cursors[parse_id(text)] = cursor
            if len(self._cursors) > settings.SYNC_CURSORS_MAX:
                raise ValueError(f"are more than {settings.SYNC_CURSORS_MAX}")
        except ValueError as error:
            self.take()
            raise InvalidInput(fields={"cursors": str(error)}) from error

    def take(self) -> dict[int, int]:
        """All of them; none are left."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        taken, self._cursors = self._cursors, {}
        return taken

    def _expire(self, connection: Connection) -> None:
        self.take()
        connection.push(encode_frame("resync"))
