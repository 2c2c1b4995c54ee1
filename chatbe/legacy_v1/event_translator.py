"""From our events to the old frames, for one socket.

It listens as any client of ours does: it keeps a cursor for each conversation, so that
nothing is shown twice, and it learns from `conversation.added` what each is called. What is
the same for all sockets is read and encoded once (texts.py).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec

from accounts.names import username_key
from chatbe.gateway.protocol_events import Live, Reset, Resync, UserChanged
from chatbe.legacy_v1.friends import Friends
from chatbe.legacy_v1.places import Place, Places
from chatbe.legacy_v1.recipients import Recipients
from chatbe.legacy_v1.senders import NOBODY, Sender, Senders
from chatbe.legacy_v1.texts import Reading, Text, read_payload
from common.errors import GoingAway, TooSlow
from common.ids import first_id_at
from conversations.events import (
    ConversationAdded,
    ConversationBehind,
    ConversationRemoved,
    MessageChanged,
    Range,
    Skip,
)
from presence.events import PresenceChanged, PresenceSnapshot
from realtime.node import current_node
from realtime.protocol import Event

# By how much the clocks of two processes may differ.
CLOCKS = timedelta(seconds=60)
# How long somebody who has left, or has blocked the user, may still be shown by name.
SENDERS_SECONDS = 60.0
LOST = "Messages were lost. Connect again."


class EventTranslator:
    """What one user's socket is told, in the order of our events."""

    def __init__(
        self,
        user_id: int,
        username: str,
        *,
        places: Places,
        recipients: Recipients,
        friends: Friends,
    ) -> None:
        self._user_id = user_id
        self._recipient = msgspec.json.encode(username)
        self._places = places
        self._recipients = recipients
        self._senders: dict[int, Sender] = {}
        self._loop = asyncio.get_running_loop()
        self._senders_until = 0.0
        self._friends = friends
        # Who joins a group that shares its history is replayed it; here that is not news.
        self._since = first_id_at(datetime.now(UTC) - CLOCKS)

    def translate_now(self, payload: bytes) -> list[bytes] | None:
        """The old frames for what the hub writes in one go, None if that takes a look-up.

        Raises TooSlow when the hub has stopped sending, GoingAway when a log was lost: an old
        client has no cursors to go on from.
        """
        if self._unknown(read_payload(payload)):
            return None
        return self._frames(payload)

    async def translate(self, payload: bytes) -> list[bytes]:
        """The same, with whatever look-up it takes."""
        unknown = self._unknown(read_payload(payload))
        if unknown:
            found = await current_node().component(Senders).find(self._user_id, unknown)
            self._senders.update(found)
        return self._frames(payload)

    def ended(self) -> None:
        """The socket is gone."""
        self._friends.ended()

    def _frames(self, payload: bytes) -> list[bytes]:
        frames: list[bytes] = []
        for item in read_payload(payload).items:
            self._take(item, frames)
        return frames

    def _unknown(self, reading: Reading) -> frozenset[int]:
        if not reading.sender_ids:
            return reading.sender_ids
        now = self._loop.time()
        if now > self._senders_until:
            self._forget_senders()
            self._senders_until = now + SENDERS_SECONDS
        return reading.sender_ids - self._senders.keys()

    def _forget_senders(self) -> None:
        # What the user says themselves is not shown to them: nobody looks that up.
        self._senders = {self._user_id: NOBODY}

    def _take(self, item: Text | Event, frames: list[bytes]) -> None:
        """Learn what an item says, and add what the client is told of it."""
        if not isinstance(item, Text):
            self._note(item)
            return
        place = self._places.get(item.conversation_id)
        if place is not None and item.seq > place.cursor:
            place.cursor = item.seq
            self._take_new(item, place, frames)

    def _note(self, event: Event) -> None:
        match event:
            case ConversationAdded(conversation=found, cursor=cursor):
                self._remember_groups(found.id, found.group.name if found.group else None)
                self._places.add(found, cursor)
            case ConversationRemoved(conversation_id=id):
                self._remember_groups(id, None)
                self._places.remove(id)
            case MessageChanged(message=message):
                self._advance(message.conversation_id, message.changed_seq)
            case Skip(conversation_id=id, seq=to) | Range(conversation_id=id, to=to):
                self._advance(id, to)
            case ConversationBehind(conversation_id=id, head=head):
                # What it was called meanwhile nobody has told.
                self._places.are_complete = False
                self._advance(id, head)
            case Live():
                self._places.are_complete = True
            case UserChanged():
                self._forget_senders()
            case PresenceSnapshot() | PresenceChanged():
                self._friends.hear(event)
            case Resync() | Reset():
                raise TooSlow if isinstance(event, Resync) else GoingAway(LOST)

    def _advance(self, conversation_id: str, position: int) -> None:
        place = self._places.get(conversation_id)
        if place is not None:
            place.cursor = max(place.cursor, position)

    def _take_new(self, text: Text, place: Place, frames: list[bytes]) -> None:
        if text.renamed_to is not None:
            self._remember_groups(text.conversation_id, text.renamed_to)
            self._places.rename(place, text.renamed_to, text.seq)
        if not text.is_shown or text.sender_id == self._user_id or text.id < self._since:
            return
        sender = self._senders.get(text.sender_id, NOBODY)
        called = place.group_name or sender.username
        if called != place.called:
            place.called = called
            self._remember(place, called)
        before, after = text.frame(sender, place.group_name)
        frames.append(before + self._recipient + after)

    def _remember_groups(self, conversation_id: str, name: str | None) -> None:
        """A group is about to be called something else, or nothing: whom did those names mean?

        The old one meant this group, if no other had it; the new one whichever had it before.
        """
        if not self._places.are_complete:
            return
        place = self._places.get(conversation_id)
        old = None if place is None else place.group_name
        others = list(self._places.others(int(conversation_id)))
        if place is not None and old and all(other.group_name != old for other in others):
            self._remember(place, old)
        for other in others:
            if name and other.group_name == name:
                self._remember(other, name)

    def _remember(self, place: Place, called: str) -> None:
        if place.group_name is not None:
            self._recipients.groups.shown(called, place.id)
        elif called:
            self._recipients.people.shown(username_key(called), place.id)
