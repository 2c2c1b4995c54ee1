"""uvicorn's server, with a way to stop that loses nothing and does not hurry the clients.

On SIGTERM or SIGINT: not ready, no new sockets; the open ones are sent away in waves
while requests go on being served; then uvicorn's own shutdown finishes the requests and
ends the node. A second signal cuts this short, and a timer ends what hangs.
"""

import asyncio
import contextlib
import os
import socket
import threading
from types import FrameType

import structlog
import uvicorn
from django.conf import settings

from chatbe.gateway.transports import CLOSE_SECONDS
from chatbe.server.websocket_protocol import ChatProtocol
from common import background
from common.errors import GoingAway
from realtime.drain import send_away
from realtime.node import current_node

# After the sockets: how long requests may take, and how long all of it.
REQUEST_SECONDS = 8
LAST_SECONDS = 20.0
# After a second signal: what is being committed may end, nobody is waited for.
HURRY_SECONDS = 3.0
LOOK_SECONDS = 0.05

log = structlog.get_logger(__name__)


class ChatServer(uvicorn.Server):
    """Serves until a signal; `run` returns once everything accepted is finished."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop. uvicorn would end the process by the same signal afterwards: ours ends with 0."""
        if not self.started:
            # Nothing was accepted yet.
            raise SystemExit(0)
        self.force_exit = self.should_exit
        self.should_exit = True
        left = HURRY_SECONDS if self.force_exit else settings.DRAIN_SECONDS + LAST_SECONDS
        last = threading.Timer(left, _end_now)
        last.daemon = True
        last.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        hub = current_node().hub
        sending_away = background.spawn("send_away", send_away(hub, settings.DRAIN_SECONDS))
        while not sending_away.done() and not self.force_exit:  # noqa: ASYNC110 - uvicorn's flag
            await asyncio.sleep(LOOK_SECONDS)
        sending_away.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending_away
        for connection in hub.connections():
            background.call("send_away", connection.close, GoingAway())
        await self._sockets_closed()
        await super().shutdown(sockets)

    async def _sockets_closed(self) -> None:
        """Wait until every client has heard the close, or was dropped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS if self.force_exit else CLOSE_SECONDS + 1):
                while any(isinstance(one, ChatProtocol) for one in self.server_state.connections):  # noqa: ASYNC110 - uvicorn's set
                    await asyncio.sleep(LOOK_SECONDS)


def _end_now() -> None:
    log.error("stopping_took_too_long")
    os._exit(1)
