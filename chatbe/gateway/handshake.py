"""The words a socket begins with: hello, sync, ping."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from django.conf import settings

from accounts.models import Session
from chatbe.gateway.admission import Admission, admit
from chatbe.gateway.credentials import Credentials
from chatbe.gateway.cursors import Cursors
from common.errors import InvalidInput
from common.times import iso_milliseconds
from presence.process import presence
from realtime.connection import Connection, FrameWriter
from realtime.frames import encode_frame
from realtime.node import current_node
from realtime.protocol import Command, Position
from realtime.resume import resume

CURSORS_PER_SYNC = 1_000

Credential = Annotated[str, msgspec.Meta(min_length=1, max_length=2_048)]


class Hello(Command, frozen=True, tag="hello"):
    """Who the client is, by a one-time ticket or an access token, and what it last knew."""

    ticket: Credential | None = None
    token: Credential | None = None
    epoch: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    feed_seq: Position | None = None

    @property
    def kind(self) -> str:
        """Whether this client was here before: "first" or "again"."""
        return "first" if self.epoch is None else "again"


class Sync(Command, frozen=True, tag="sync"):
    """The client's cursors by conversation id; the last of several frames is `done`."""

    cursors: Annotated[dict[str, Position], msgspec.Meta(max_length=CURSORS_PER_SYNC)]
    done: bool


class Ping(Command, frozen=True, tag="ping"):
    """Is anybody there, and did I miss the end of something?"""


@dataclass(slots=True)
class AuthenticatedSocket:
    """A socket after its hello, with the cursors it is about to sync."""

    connection: Connection
    admission: Admission
    epoch_lost: bool
    cursors: Cursors = field(default_factory=Cursors)

    def leave(self) -> None:
        """The socket is gone; safe to call twice."""
        self.cursors.take()
        self.admission.leave()


async def authenticate(command: Hello, writer: FrameWriter) -> AuthenticatedSocket:
    """Let a client in. Raises WrongCredentials, SessionEnded, TooManySockets, InvalidInput,
    GoingAway, and Unavailable when the database is."""
    if (command.ticket is None) == (command.token is None):
        raise InvalidInput("Say either a ticket or a token.")
    arrival = current_node().hub.arrivals.begin()
    session, epoch = await _authenticate(command)
    admission = await admit(session, arrival)
    try:
        connection = admission.enter(session, writer)
        connection.push(_welcome(command, session, epoch))
    except BaseException:
        admission.leave()
        raise
    return AuthenticatedSocket(connection, admission, epoch_lost=command.epoch not in (None, epoch))


def _welcome(command: Hello, session: Session, epoch: str) -> bytes:
    return encode_frame(
        "welcome",
        ref=command.ref,
        user={"id": str(session.user_id), "username": session.user.username},
        session_id=str(session.id),
        epoch=epoch,
        feed_seq=session.user.feed_seq,
        server_time=iso_milliseconds(datetime.now(UTC)),
        limits={
            "frame_bytes": settings.FRAME_BYTES,
            "text_characters": settings.TEXT_MAX_CHARACTERS,
            "text_bytes": settings.TEXT_MAX_BYTES,
            "unanswered": settings.UNANSWERED_PER_SOCKET,
            "cursors_per_sync": CURSORS_PER_SYNC,
            "replay": settings.REPLAY_MAX,
        },
    )


async def sync(greeted: AuthenticatedSocket, command: Sync) -> None:
    """Take cursors; with the last of them bring the socket up to date and make it live."""
    if not command.done:
        greeted.cursors.keep(greeted.connection, command.cursors)
        return
    greeted.cursors.add(command.cursors)
    cursors = greeted.cursors.take()
    if greeted.epoch_lost:
        # These cursors count in a log that a restored backup has replaced.
        greeted.epoch_lost = False
        cursors = {}
        greeted.connection.push(encode_frame("reset"))
    await resume(current_node().hub, greeted.connection, cursors)
    presence().went_live(greeted.connection)


def ping(greeted: AuthenticatedSocket, command: Ping) -> None:
    """Answer with the heads of the conversations something happened in since the last ping."""
    connection = greeted.connection
    channels = current_node().hub.channels
    heads = {
        str(conversation_id): channel.head
        for conversation_id in connection.touched
        if (channel := channels.get(conversation_id)) is not None and channel.head is not None
    }
    connection.touched.clear()
    connection.push(encode_frame("pong", ref=command.ref, heads=heads))


async def _authenticate(command: Hello) -> tuple[Session, str]:
    """The session of the command's credential, and the epoch of the logs."""
    credentials = current_node().component(Credentials)
    if command.token is not None:
        return await credentials.of_token(command.token)
    return await credentials.of_ticket(command.ticket or "")
