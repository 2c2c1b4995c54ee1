"""What old clients say over the socket, handed to the services that our own commands use."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from accounts.models import User
from chatbe.legacy_v1.bots import bring_bot, find_bot, has_bot
from chatbe.legacy_v1.frames import (
    GroupBotCommand,
    GroupCommand,
    OldCommand,
    PrivateBotCommand,
    PrivateCommand,
)
from chatbe.legacy_v1.groups import access_group_named
from chatbe.legacy_v1.prompts import QUESTION, prompt_client_id
from chatbe.legacy_v1.recipients import Recipients
from chatbe.legacy_v1.selectors import contacts_named, find_direct
from common.database import change_in_database_thread, in_database_thread
from common.errors import ChatError
from common.text import clean_line, clean_text
from conversations.log.pending_message import Outcome
from conversations.models import NAME_MAX
from conversations.services.direct import open_direct
from conversations.services.sending import draft_message, queue_message
from realtime.connection import Connection

# Told why a message was not stored.
Refuse = Callable[[ChatError], None]


class _Found(NamedTuple):
    """To whom a text is to go, and what the user's feed had come to before that was read."""

    contact_id: int
    conversation_id: int | None
    feed_seq: int


class Speaker:
    """One socket's commands. On the event loop only."""

    def __init__(self, connection: Connection, recipients: Recipients) -> None:
        self._connection = connection
        self._recipients = recipients
        # No two sockets begin theirs alike, so numbering is enough for the rest.
        self._client_ids = map(f"{uuid.uuid4().hex}.{{}}".format, itertools.count(1))

    def obey(self, command: OldCommand, refuse: Refuse) -> Awaitable[None] | None:
        """Do what a frame asks for.

        Raises a refusal, as does what is returned to be waited for, or passes on the log's to
        `refuse` later.
        """
        match command:
            case PrivateCommand(private_chat=chat):
                place = self._recipients.person(chat.recipient_username)
            case GroupCommand(group_chat=chat):
                place = self._recipients.group(chat.group_name)
            case _:
                place = None
        if place is None:
            return self._find_and_send(command, refuse)
        self._send(place, chat.message, next(self._client_ids), refuse)
        return None

    async def _find_and_send(self, command: OldCommand, refuse: Refuse) -> None:
        user_id = self._connection.user_id
        match command:
            case PrivateCommand(private_chat=chat):
                # The text is looked at first: for one that is none no conversation is made.
                text, client_id = clean_text(chat.message), next(self._client_ids)
                name = chat.recipient_username
                found = await in_database_thread(_find_person, user_id, name)
                place = found.conversation_id or await self._open_direct(found.contact_id)
                self._recipients.found_person(name, place, feed_seq=found.feed_seq)
            case PrivateBotCommand(private_chat=chat):
                text, client_id = clean_text(chat.message), next(self._client_ids)
                bot_id, known = await in_database_thread(find_bot, user_id)
                place = known or await self._open_direct(bot_id)
            case GroupCommand(group_chat=chat):
                text, client_id = clean_text(chat.message), next(self._client_ids)
                place = await self._find_group(chat.group_name)
            case GroupBotCommand(group_chat_bot=chat):
                text, client_id = QUESTION + clean_text(chat.message), prompt_client_id()
                place = await self._find_group(chat.group_name)
                if not await in_database_thread(has_bot, place):
                    await change_in_database_thread(
                        str(place), bring_bot, user_id=user_id, group_id=place
                    )
        if self._connection.takes_commands():
            self._send(place, text, client_id, refuse)

    async def _find_group(self, name: str) -> int:
        name = clean_line(name, "group_name", max_length=NAME_MAX)
        place = await in_database_thread(access_group_named, self._connection.user_id, name)
        self._recipients.found_group(name, place)
        return place

    async def _open_direct(self, other_id: int) -> int:
        """The user's conversation with somebody, made now."""
        user_id = self._connection.user_id
        place, _ = await change_in_database_thread(
            ("pairs of", user_id), open_direct, user_id=user_id, other_id=other_id
        )
        return place

    def _send(self, place: int, text: str, client_id: str, refuse: Refuse) -> None:
        connection = self._connection
        draft = draft_message(
            sender_id=connection.user_id,
            conversation_id=place,
            client_id=client_id,
            text=text,
            reply_to=None,
        )

        def answer(outcome: Outcome) -> None:
            if isinstance(outcome, ChatError):
                refuse(outcome)
            connection.answered()

        queue_message(draft, answer)
        connection.count_unanswered()


def _find_person(user_id: int, username: str) -> _Found:
    """One of the user's contacts, and their conversation if there is one. NotFound."""
    # Before anything else: what changes from here on moves the feed beyond this.
    feed_seq = User.objects.values_list("feed_seq", flat=True).get(id=user_id)
    [contact] = contacts_named(user_id, [username])
    return _Found(contact.id, find_direct(user_id, contact.id), feed_seq)
