"""The socket commands of conversations, as thin as views."""

from __future__ import annotations

from typing import Annotated

import msgspec

from common.database import change_in_database_thread, in_database_thread
from common.errors import ChatError
from conversations.log.pending_message import Outcome
from conversations.log.pointers import Move, Moved
from conversations.schemas import encode
from conversations.selectors.log import access_changes
from conversations.services.edits import delete_message, edit_message
from conversations.services.receipts import queue_move
from conversations.services.sending import draft_message, queue_message
from conversations.services.typing import EXPIRES_SECONDS, typists
from realtime.connection import Connection
from realtime.frames import range_frame, reply
from realtime.protocol import ClientId, Command, Handler, Id, Position


class MessageSend(Command, frozen=True, tag="message.send"):
    """Send a message. Answered with the message once it is committed."""

    conversation_id: Id
    client_id: ClientId
    text: str
    reply_to: Position | None = None


class MessageEdit(Command, frozen=True, tag="message.edit"):
    """Edit your own message. Answered with its new state."""

    conversation_id: Id
    seq: Position
    text: str


class MessageDelete(Command, frozen=True, tag="message.delete"):
    """Delete your own message or, as a group's owner or admin, another's. Answered with what is left."""

    conversation_id: Id
    seq: Position


class ConversationFetch(Command, frozen=True, tag="conversation.fetch"):
    """Fetch the changes after a position. Answered with a range."""

    conversation_id: Id
    after: Position
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class ReceiptMarkRead(Command, frozen=True, tag="receipt.mark_read"):
    """Mark everything up to this position as read."""

    conversation_id: Id
    seq: Position


class ReceiptMarkDelivered(Command, frozen=True, tag="receipt.mark_delivered"):
    """Mark everything up to this position as delivered."""

    conversation_id: Id
    seq: Position


class TypingStart(Command, frozen=True, tag="typing.start"):
    """The user is typing. Repeat it about every three seconds."""

    conversation_id: Id


class TypingStop(Command, frozen=True, tag="typing.stop"):
    """The user stopped typing. Sending a message implies it."""

    conversation_id: Id


def handle_message_send(connection: Connection, command: MessageSend) -> None:
    draft = draft_message(
        sender_id=connection.user_id,
        conversation_id=int(command.conversation_id),
        client_id=command.client_id,
        text=command.text,
        reply_to=command.reply_to,
    )

    def answer(outcome: Outcome) -> None:
        if isinstance(outcome, ChatError):
            connection.fail(outcome, command.ref)
        else:
            connection.push(reply(command.ref, "message", outcome.answer_json))
        connection.answered()

    queue_message(draft, answer)
    connection.count_unanswered()


async def handle_message_edit(connection: Connection, command: MessageEdit) -> None:
    message = await change_in_database_thread(
        command.conversation_id,
        edit_message,
        user_id=connection.user_id,
        conversation_id=int(command.conversation_id),
        seq=command.seq,
        text=command.text,
    )
    connection.push(reply(command.ref, "message", encode(message)))


async def handle_message_delete(connection: Connection, command: MessageDelete) -> None:
    message = await change_in_database_thread(
        command.conversation_id,
        delete_message,
        user_id=connection.user_id,
        conversation_id=int(command.conversation_id),
        seq=command.seq,
    )
    connection.push(reply(command.ref, "message", encode(message)))


async def handle_conversation_fetch(connection: Connection, command: ConversationFetch) -> None:
    changes = await in_database_thread(
        access_changes,
        user_id=connection.user_id,
        conversation_id=int(command.conversation_id),
        after=command.after,
        limit=command.limit,
    )
    connection.push(
        range_frame(
            conversation_id=int(command.conversation_id),
            after=changes.after,
            to=changes.to,
            head=changes.head,
            changes=[encode(message) for message in changes.messages],
            ref=command.ref,
        )
    )


def handle_mark_read(connection: Connection, command: ReceiptMarkRead) -> None:
    _mark(connection, command, read_to=command.seq)


def handle_mark_delivered(connection: Connection, command: ReceiptMarkDelivered) -> None:
    _mark(connection, command, delivered_to=command.seq)


def _mark(
    connection: Connection,
    command: ReceiptMarkRead | ReceiptMarkDelivered,
    *,
    read_to: int = 0,
    delivered_to: int = 0,
) -> None:
    move = Move(int(command.conversation_id), connection.user_id, read_to, delivered_to)

    def answer(outcome: Moved | ChatError) -> None:
        if isinstance(outcome, ChatError):
            connection.fail(outcome, command.ref)
        else:
            _reply(
                connection,
                command,
                "receipt",
                read_seq=outcome.read_seq,
                delivered_seq=outcome.delivered_seq,
            )
        connection.answered()

    queue_move(move, answer)
    connection.count_unanswered()


def handle_typing_start(connection: Connection, command: TypingStart) -> None:
    typists().start(connection, int(command.conversation_id))
    _reply(connection, command, "typing", expires_in=EXPIRES_SECONDS)


def handle_typing_stop(connection: Connection, command: TypingStop) -> None:
    typists().cancel(connection, int(command.conversation_id))
    _reply(connection, command, "typing", expires_in=0)


def _reply(
    connection: Connection,
    command: ReceiptMarkRead | ReceiptMarkDelivered | TypingStart | TypingStop,
    name: str,
    **result: int,
) -> None:
    body = {"conversation_id": str(int(command.conversation_id)), **result}
    connection.push(reply(command.ref, name, encode(body)))


COMMANDS: dict[type[Command], Handler] = {
    MessageSend: handle_message_send,
    MessageEdit: handle_message_edit,
    MessageDelete: handle_message_delete,
    ConversationFetch: handle_conversation_fetch,
    ReceiptMarkRead: handle_mark_read,
    ReceiptMarkDelivered: handle_mark_delivered,
    TypingStart: handle_typing_start,
    TypingStop: handle_typing_stop,
}
