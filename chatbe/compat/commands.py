"""What old clients say over the socket, handed to the services that our own commands use."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial

from chatbe.compat.frames import (
    OldCommand,
    PrivateCommand,
)
from chatbe.compat.selectors import contacts_named, find_direct
from chatbe.core.database import in_database_thread
from chatbe.core.errors import ChatError
from chatbe.realtime.connection import Connection
from conversations.drafts import Outcome
from conversations.services.direct import open_direct
from conversations.services.sending import draft_message, queue_message

# Told why a message was not stored.
Refuse = Callable[[ChatError], None]


async def obey(connection: Connection, command: OldCommand, refuse: Refuse) -> None:
    """Do what a frame asks for. Raises a refusal, or passes on the log's to `refuse` later."""
    match command:
        case PrivateCommand(private_chat=chat):
            find = partial(_direct_with, connection.user_id, chat.recipient_username)
            text, client_id = chat.message, uuid.uuid4().hex
    conversation_id = await in_database_thread(find)
    _send(connection, conversation_id, client_id, text, refuse)


def _direct_with(user_id: int, username: str) -> int:
    [contact] = contacts_named(user_id, [username])
    # Most have one: looking takes no lock.
    known = find_direct(user_id, contact.id)
    if known is not None:
        return known
    conversation_id, _ = open_direct(user_id=user_id, other_id=contact.id)
    return conversation_id


def _send(
    connection: Connection, conversation_id: int, client_id: str, text: str, refuse: Refuse
) -> None:
    draft = draft_message(
        sender_id=connection.user_id,
        conversation_id=conversation_id,
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
