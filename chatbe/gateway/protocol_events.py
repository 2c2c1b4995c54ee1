"""The events of the protocol itself, which belong to no app."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from common.errors import error_table
from common.ids import IdText
from common.times import TimeText
from realtime.protocol import Event, Position, Ref, Reply

_CODES = [error.code for error in error_table()]

ErrorCode = Annotated[
    str,
    msgspec.Meta(pattern=f"^({'|'.join(_CODES)})$", extra_json_schema={"enum": _CODES}),
]


class OwnUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The user that the socket belongs to."""

    id: IdText
    username: str


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The maximum sizes and numbers that this server accepts, and how far it replays."""

    frame_bytes: int
    text_characters: int
    text_bytes: int
    unanswered: int
    cursors_per_sync: int
    replay: int


class Welcome(Reply, frozen=True, tag="welcome"):
    """The hello was accepted. If `feed_seq` differs from yours, re-read the small lists."""

    user: OwnUser
    session_id: IdText
    epoch: str
    feed_seq: Position
    server_time: TimeText
    limits: Limits


class Live(Event, frozen=True, tag="live"):
    """Everything you missed has been sent; from here on, events arrive as they happen."""


class Pong(Reply, frozen=True, tag="pong"):
    """The heads of the conversations in which something happened since the last pong."""

    heads: dict[IdText, Position]


class Failure(Event, frozen=True, tag="error"):
    """A command was refused, or the socket is about to close.

    With `retry`, the same command may succeed later.
    """

    code: ErrorCode
    message: str
    retry: bool
    fields: dict[str, str] | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET
    ref: Ref | UnsetType = UNSET


class Reset(Event, frozen=True, tag="reset"):
    """This cursor (without a conversation: all of them) refers to changes that were lost."""

    conversation_id: IdText | UnsetType = UNSET


class Resync(Event, frozen=True, tag="resync"):
    """Live delivery stopped, because you read or resumed too slowly: send `sync` again."""


class Bye(Event, frozen=True, tag="bye"):
    """This server is stopping. After it closes the socket, reconnect `reconnect_in` seconds from now."""

    reconnect_in: float


class Batch(Event, frozen=True, tag="batch"):
    """Several frames in one, none of them a batch; handle each in order."""

    frames: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=2)]


class UserChanged(Event, frozen=True, tag="user.changed"):
    """Something that concerns only you changed: re-read the small lists over REST."""

    feed_seq: Position


EVENTS: tuple[type[Event], ...] = (
    Welcome,
    Live,
    Pong,
    Failure,
    Reset,
    Resync,
    Bye,
    UserChanged,
    Batch,
)
