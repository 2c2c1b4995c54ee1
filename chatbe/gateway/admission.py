"""Letting sockets in, whichever interface they speak: one way for all of them.

A client asks with its handshake, and enters once its session is known: with a place among
its user's sockets, seen by the hub, by the limits and by presence until it leaves. Nothing
here has a default, so that no interface forgets what another one says.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from accounts.models import Session
from chatbe.gateway.origins import origin_is_allowed
from common import metrics
from common.addresses import address_key, scope_address
from common.errors import ChatError, GoingAway, OriginRefused, TooManySockets
from common.limits.socket_leases import SocketLease
from common.limits.token_bucket import limit
from presence.process import presence
from presence.visibility import has_presence
from realtime.arrivals import Arrival
from realtime.connection import Connection, FrameWriter
from realtime.node import current_node


def check_handshake(scope: Any) -> None:
    """Whether this process takes sockets from there. OriginRefused, GoingAway."""
    if not origin_is_allowed(scope["headers"], scope.get("scheme", "ws")):
        raise OriginRefused
    if current_node().hub.stopping:
        raise GoingAway


async def refuse_handshake(
    error: ChatError, body: bytes, *, close_code: int | None, scope: Any, send: Any
) -> None:
    """Answer a handshake with an error and its JSON, or, where a server cannot, close it."""
    metrics.ERRORS.labels("socket", error.code).inc()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": close_code})
        return
    headers = [(b"content-type", b"application/json")]
    await send(
        {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
    )
    await send({"type": "websocket.http.response.body", "body": body})


def hello_address(scope: Any) -> str | None:
    """What the hellos of this socket's client are counted by; None where nobody knows."""
    address = scope_address(scope)
    return None if address is None else address_key(address)


def count_hello(address: str | None) -> None:
    """Count an attempt to say who one is, before it is looked at. RateLimited."""
    if address is not None:
        limit("HELLOS_PER_ADDRESS").take(address)


class Admission:
    """The place of one socket among those of its user."""

    __slots__ = ("_arrival", "_connection", "_lease")

    def __init__(self, arrival: Arrival, lease: SocketLease) -> None:
        self._arrival: Arrival | None = arrival
        self._lease = lease
        self._connection: Connection | None = None

    def enter(self, session: Session, writer: FrameWriter) -> Connection:
        """Take the place: from here on the hub may write. GoingAway, SessionEnded,
        TooManySockets.

        On any error, too, `leave` has to follow.
        """
        hub = current_node().hub
        if self._lease.is_lost:
            raise TooManySockets
        connection = Connection(
            hub,
            writer,
            user_id=session.user_id,
            username=session.user.username,
            session_id=session.id,
            disconnects=session.user.disconnects,
        )
        if self._arrival is not None:
            self._arrival.check(session.id)
        hub.add(connection, session.user.feed_seq)
        # From here on the hub knows the socket by itself.
        self._arrival = None
        self._connection = connection
        self._lease.on_lost = partial(_give_way, connection)
        presence().on_connect(connection, shown=has_presence(session.user))
        return connection

    def leave(self) -> None:
        """The socket is gone, whether it ever entered or not; safe to call twice."""
        if self._connection is not None:
            current_node().hub.remove(self._connection)
        current_node().leases.give_back(self._lease)


async def admit(session: Session, arrival: Arrival) -> Admission:
    """A place for one more socket of this session's user, if need be that of the oldest.

    The arrival began before the session was read.
    """
    return Admission(arrival, await current_node().leases.take(session.user_id, session.id))


def _give_way(connection: Connection) -> None:
    connection.fail(TooManySockets())
