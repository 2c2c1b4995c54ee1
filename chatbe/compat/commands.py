"""What old clients say over the socket, handed to the services that our own commands use."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import NamedTuple

from chatbe.compat.bots import bring_bot, direct_with_bot
from chatbe.compat.frames import (
    GroupBotCommand,
    GroupCommand,
    OldCommand,
    PrivateBotCommand,
    PrivateCommand,
)
from chatbe.compat.groups import access_group_named
from chatbe.compat.prompts import QUESTION, prompt_client_id
from chatbe.compat.selectors import contacts_named, find_direct
from chatbe.core.database import in_database_thread
from chatbe.core.errors import ChatError
from chatbe.core.text import clean_text
from chatbe.realtime.connection import Connection
from conversations.drafts import Outcome
from conversations.services.direct import open_direct
from conversations.services.sending import draft_message, queue_message

# Told why a message was not stored.
Refuse = Callable[[ChatError], None]


class _Text(NamedTuple):
    """What is to be stored, and where."""

    text: str
    conversation_id: int
    client_id: str


async def obey(connection: Connection, command: OldCommand, refuse: Refuse) -> None:
    """Do what a frame asks for. Raises a refusal, or passes on the log's to `refuse` later."""
    found = await in_database_thread(_prepare, connection.user_id, command)
    draft = draft_message(
        sender_id=connection.user_id,
        conversation_id=found.conversation_id,
        client_id=found.client_id,
        text=found.text,
        reply_to=None,
    )

    def answer(outcome: Outcome) -> None:
        if isinstance(outcome, ChatError):
            refuse(outcome)
        connection.answered()

    queue_message(draft, answer)
    connection.count_unanswered()


def _prepare(user_id: int, command: OldCommand) -> _Text:
    # The text is looked at first: for one that is none no conversation is made.
    match command:
        case PrivateCommand(private_chat=chat):
            text = clean_text(chat.message)
            return _Text(text, _direct_with(user_id, chat.recipient_username), uuid.uuid4().hex)
        case PrivateBotCommand(private_chat=chat):
            return _Text(clean_text(chat.message), direct_with_bot(user_id), uuid.uuid4().hex)
        case GroupCommand(group_chat=chat):
            text = clean_text(chat.message)
            return _Text(text, access_group_named(user_id, chat.group_name), uuid.uuid4().hex)
        case GroupBotCommand(group_chat_bot=chat):
            text = QUESTION + clean_text(chat.message)
            place = access_group_named(user_id, chat.group_name)
            bring_bot(user_id=user_id, group_id=place)
            return _Text(text, place, prompt_client_id())


def _direct_with(user_id: int, username: str) -> int:
    [contact] = contacts_named(user_id, [username])
    # Most have one: looking takes no lock.
    known = find_direct(user_id, contact.id)
    if known is not None:
        return known
    conversation_id, _ = open_direct(user_id=user_id, other_id=contact.id)
    return conversation_id
