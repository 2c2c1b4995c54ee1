"""How fast one socket may send: its own allowance, and the one its user has everywhere.

Both are counted in this process (`common.limits.token_bucket`) for every frame, also one that is
no command: answering those costs as much. A refusal costs the client nothing but its
answer, and one that goes on regardless is closed in the end.
"""

import time

from common.errors import ChatError, TooManyCommands
from common.limits.token_bucket import Bucket, Limit, limit


class SocketRateLimiter:
    """One socket's frames against its limits. The user's begins with the hello."""

    __slots__ = ("_refusals", "_socket", "_user_id", "_users")

    def __init__(self) -> None:
        self._socket = Bucket(limit("COMMANDS_PER_SOCKET"), None)
        self._refusals = Bucket(limit("COMMANDS_REFUSED_PER_SOCKET"), None)
        self._users: Limit | None = None
        self._user_id = 0

    def belongs_to(self, user_id: int) -> None:
        """The socket has said whose it is: a new socket is no new allowance."""
        self._users = limit("COMMANDS_PER_USER")
        self._user_id = user_id

    def take(self) -> ChatError | None:
        """Count one frame: None if it may be obeyed, else what to answer instead."""
        now = time.monotonic()
        socket = self._socket
        wait = socket.wait(now)
        if self._users is None:
            if not wait:
                socket.charge(now)
                return None
            return self._refuse(socket.limit, wait, now)
        user = self._users.bucket(self._user_id)
        user_wait = user.wait(now)
        if not wait and not user_wait:
            socket.charge(now)
            user.charge(now)
            return None
        if user_wait > wait:
            return self._refuse(user.limit, user_wait, now)
        return self._refuse(socket.limit, wait, now)

    def _refuse(self, exceeded: Limit, wait: float, now: float) -> ChatError:
        if self._refusals.wait(now):
            return TooManyCommands()
        self._refusals.charge(now)
        return exceeded.refusal(wait)
