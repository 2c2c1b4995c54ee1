"""Socket commands of conversations, as thin as views."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chatbe.core.database import in_database_thread
from chatbe.core.errors import ChatError
from chatbe.realtime.connection import Connection
from chatbe.realtime.frames import range_frame, reply
from chatbe.realtime.protocol import ClientId, Command, Handler, Id, Position
from conversations.append import Outcome
from conversations.selectors.log import access_changes
from conversations.services.receipts import Receipt, mark_delivered, mark_read
from conversations.services.sending import draft_message, queue_message
from conversations.wire import encode


class MessageSend(Command, frozen=True, tag="message.send"):
    """Send a text. Answered once it is committed, with the message."""

    conversation_id: Id
    client_id: ClientId
    text: str
    reply_to: Position | None = None


class ConversationFetch(Command, frozen=True, tag="conversation.fetch"):
    """Ask for what changed after a position. Answered with a range."""

    conversation_id: Id
    after: Position
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class ReceiptMarkRead(Command, frozen=True, tag="receipt.mark_read"):
    """Everything up to this position was read."""

    conversation_id: Id
    seq: Position


class ReceiptMarkDelivered(Command, frozen=True, tag="receipt.mark_delivered"):
    """Everything up to this position has reached this device."""

    conversation_id: Id
    seq: Position


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
            connection.push(reply(command.ref, "message", outcome.json))
        connection.answered()

    queue_message(draft, answer)
    connection.count_unanswered()


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


async def handle_mark_read(connection: Connection, command: ReceiptMarkRead) -> None:
    receipt = await in_database_thread(
        mark_read,
        user_id=connection.user_id,
        conversation_id=int(command.conversation_id),
        seq=command.seq,
    )
    _reply_receipt(connection, command, receipt)


async def handle_mark_delivered(connection: Connection, command: ReceiptMarkDelivered) -> None:
    receipt = await in_database_thread(
        mark_delivered,
        user_id=connection.user_id,
        conversation_id=int(command.conversation_id),
        seq=command.seq,
    )
    _reply_receipt(connection, command, receipt)


def _reply_receipt(
    connection: Connection,
    command: ReceiptMarkRead | ReceiptMarkDelivered,
    receipt: Receipt,
) -> None:
    body = {
        "conversation_id": str(int(command.conversation_id)),
        "read_seq": receipt.read_seq,
        "delivered_seq": receipt.delivered_seq,
    }
    connection.push(reply(command.ref, "receipt", msgspec.json.encode(body)))


COMMANDS: dict[type[Command], Handler] = {
    MessageSend: handle_message_send,
    ConversationFetch: handle_conversation_fetch,
    ReceiptMarkRead: handle_mark_read,
    ReceiptMarkDelivered: handle_mark_delivered,
}
