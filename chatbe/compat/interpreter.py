"""From our events to the old frames, for one socket.

It listens as any client of ours does: it keeps a cursor for each conversation, so that
nothing is shown twice, and it learns from `conversation.added` what each is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import msgspec
import structlog

from chatbe.compat.frames import (
    GROUP,
    GROUP_BOT,
    PRIVATE,
    PRIVATE_BOT,
    GroupChat,
    OldFrame,
    PrivateChat,
)
from chatbe.compat.friends import Friends
from chatbe.compat.names import BOT_NAME
from chatbe.compat.prompts import is_prompt
from chatbe.compat.senders import NOBODY, Sender, Senders
from chatbe.core.errors import TooSlow
from chatbe.core.ids import first_id_at
from chatbe.gateway.conversation_events import (
    ConversationAdded,
    ConversationRemoved,
    MessageChanged,
    MessageCreated,
    Range,
    Skip,
)
from chatbe.gateway.events import decode_event
from chatbe.gateway.presence.events import PresenceChanged, PresenceSnapshot
from chatbe.gateway.words import Event, Resync
from chatbe.realtime.runtime import runtime
from conversations.models import Message
from conversations.wire import MessageBody

log = structlog.get_logger(__name__)

# By how much the clocks of two processes may differ.
CLOCKS = timedelta(seconds=60)

# The same frame goes to all sockets of a conversation.
_events = lru_cache(maxsize=64)(decode_event)


@dataclass(slots=True)
class Place:
    """A conversation: how far its socket has come, and its name if it is a group."""

    cursor: int
    group_name: str | None


class Text(NamedTuple):
    """A message that is shown, with the name of its group if it has one."""

    group_name: str | None
    message: MessageBody


# What old clients are told of.
News = Text | PresenceSnapshot | PresenceChanged


class Interpreter:
    """What one user's socket is told, in the order of our events."""

    def __init__(self, user_id: int, username: str) -> None:
        self._user_id = user_id
        self._username = username
        self._places: dict[str, Place] = {}
        self._senders: dict[int, Sender] = {}
        self._friends = Friends(user_id, username)
        # Who joins a group that shares its history is replayed it; here that is not news.
        self._since = first_id_at(datetime.now(UTC) - CLOCKS)

    async def interpret(self, payload: bytes) -> list[OldFrame]:
        """The old frames for what the hub writes in one go.

        Raises TooSlow when the hub has stopped sending: an old client has no cursors.
        """
        frames: list[OldFrame] = []
        news = [item for event in _events(payload) for item in self._news(event)]
        await self._learn_senders({int(i.message.sender_id) for i in news if isinstance(i, Text)})
        for item in news:
            if isinstance(item, Text):
                frames.append(self._frame(item))
            else:
                frames += await self._presence(item)
        return frames

    async def _presence(self, event: PresenceSnapshot | PresenceChanged) -> list[OldFrame]:
        try:
            if isinstance(event, PresenceSnapshot):
                return await self._friends.snapshot({int(id) for id in event.online})
            return await self._friends.change(int(event.user_id), online=event.online)
        except Exception as error:
            # No message is to be lost because nobody knows who is online.
            log.warning("friends_unknown", error=type(error).__name__)
            return []

    async def _learn_senders(self, user_ids: set[int]) -> None:
        unknown = user_ids - self._senders.keys()
        if unknown:
            self._senders |= await runtime().part(Senders).find(self._user_id, unknown)

    def _news(self, event: Event) -> Iterator[News]:
        match event:
            case ConversationAdded(conversation=found, cursor=cursor):
                name = None if found.group is None else found.group.name
                self._places[found.id] = Place(cursor, name)
            case ConversationRemoved(conversation_id=id):
                self._places.pop(id, None)
            case MessageCreated(message=message):
                yield from self._take(message)
            case MessageChanged(message=message):
                self._advance(message.conversation_id, message.changed_seq)
            case Skip(conversation_id=id, seq=seq):
                self._advance(id, seq)
            case Range(conversation_id=id, to=to, changes=changes):
                # A row that was changed stands where its change is, behind newer ones.
                for message in sorted(changes, key=lambda message: message.seq):
                    yield from self._take(message)
                self._advance(id, to)
            case PresenceSnapshot() | PresenceChanged():
                yield event
            case Resync():
                raise TooSlow

    def _advance(self, conversation_id: str, position: int) -> None:
        place = self._places.get(conversation_id)
        if place is not None:
            place.cursor = max(place.cursor, position)

    def _take(self, message: MessageBody) -> Iterator[Text]:
        place = self._places.get(message.conversation_id)
        if place is None or message.seq <= place.cursor:
            return
        place.cursor = message.seq
        if message.system is not None and message.system.action == "group.renamed":
            place.group_name = message.system.value
        if self._is_shown(message):
            yield Text(place.group_name, message)

    def _is_shown(self, message: MessageBody) -> bool:
        return (
            message.kind == Message.Kind.TEXT
            and message.deleted_at is None
            and int(message.sender_id) != self._user_id
            and not is_prompt(message.client_id)
            and int(message.id) >= self._since
        )

    def _frame(self, text: Text) -> OldFrame:
        message = text.message
        sender = self._senders.get(int(message.sender_id), NOBODY)
        chat = PrivateChat(
            message_id=int(message.id),
            sender_username=BOT_NAME if sender.is_bot else sender.username,
            recipient_username=self._username,
            message=message.text,
            created_at=message.created_at,
        )
        if text.group_name is None:
            return OldFrame(PRIVATE_BOT if sender.is_bot else PRIVATE, private_chat=chat)
        group_chat = GroupChat(**msgspec.structs.asdict(chat), group_name=text.group_name)
        if sender.is_bot:
            return OldFrame(GROUP_BOT, group_chat_bot=group_chat)
        return OldFrame(GROUP, group_chat=group_chat)
