"""The users of this process who watch their contacts' presence, and what they are sent of it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import msgspec

from common.times import iso_milliseconds
from presence.visibility import VisibleContacts
from realtime.connection import Connection
from realtime.frames import encode_frame

# A snapshot names this many who are online, and this many who are not; REST has them all.
SNAPSHOT_MAX = 1_000


class ChangedFrame(msgspec.Struct, forbid_unknown_fields=True):
    """A `presence.changed`, whoever wrote it."""

    type: str
    user_id: str
    online: bool
    last_seen: str | None = None


decode_changed = msgspec.json.Decoder(ChangedFrame).decode


@dataclass(slots=True)
class Viewer:
    """A user with sockets here: whom they watch, and who of these is online as far as they know."""

    contacts: array[int] = field(default_factory=lambda: array("q"))
    online: set[int] = field(default_factory=set)
    # Sockets that have had no snapshot yet.
    waiting: set[Connection] = field(default_factory=set)
    # What was told while the circle is being read: newer than what is read.
    meanwhile: dict[int, bool] | None = None


def snapshot_frame(visible: VisibleContacts, online: set[int]) -> bytes:
    """The event that says how things are, and replaces what was said before."""
    seen = [
        (at, user_id)
        for user_id, at in visible.last_seen.items()
        if at is not None and user_id not in online
    ]
    return encode_frame(
        "presence.snapshot",
        online=[str(user_id) for user_id in sorted(online)[:SNAPSHOT_MAX]],
        online_count=len(online),
        contacts_count=visible.size,
        last_seen=[
            {"user_id": str(user_id), "last_seen": iso_milliseconds(at)}
            for at, user_id in sorted(seen, reverse=True)[:SNAPSHOT_MAX]
        ],
    )
