"""The events of presence."""

import msgspec
from msgspec import UNSET, UnsetType

from common.ids import IdText
from common.times import TimeText
from realtime.protocol import Event


class LastSeenBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a contact who is offline was last seen."""

    user_id: IdText
    last_seen: TimeText


class PresenceSnapshot(Event, frozen=True, tag="presence.snapshot"):
    """Which of your contacts are online; it replaces what you had. Sent after `live`.

    The lists are cut at 1,000, the newest `last_seen` first; the counts are not.
    """

    online: list[IdText]
    online_count: int
    contacts_count: int
    last_seen: list[LastSeenBody]


class PresenceChanged(Event, frozen=True, tag="presence.changed"):
    """A contact came online or went offline; `last_seen` if they show it."""

    user_id: IdText
    online: bool
    last_seen: TimeText | UnsetType = UNSET


EVENTS: tuple[type[Event], ...] = (PresenceSnapshot, PresenceChanged)
