"""Sending a message: one rule behind the REST door and the socket's."""

from functools import partial

from common.errors import InvalidInput
from common.text import clean_text
from conversations.log.pending_message import AppendResult, PendingMessage
from conversations.log.worker import Done
from conversations.log.writer import log_writer
from conversations.schemas import content_digest
from conversations.services.typing import typists
from conversations.services.waiting import wait_for

_CLIENT_ID_MAX = 64


def draft_message(
    *, sender_id: int, conversation_id: int, client_id: str, text: str, reply_to: int | None
) -> PendingMessage:
    """Clean and check what needs no database. Raises InvalidInput or TooLarge."""
    check_client_id(client_id)
    text = clean_text(text)
    return PendingMessage(
        conversation_id=conversation_id,
        sender_id=sender_id,
        client_id=client_id,
        text=text,
        reply_to=reply_to,
        digest=content_digest(text, reply_to),
    )


def check_client_id(client_id: str) -> None:
    """InvalidInput for what no client may call something it makes."""
    printable = client_id.isascii() and client_id.isprintable() and " " not in client_id
    if not 0 < len(client_id) <= _CLIENT_ID_MAX or not printable:
        raise InvalidInput(
            fields={"client_id": f"is 1 to {_CLIENT_ID_MAX} printable ASCII characters, no spaces"}
        )


def queue_message(draft: PendingMessage, done: Done) -> None:
    """Hand a draft to the log writer; `done` gets the outcome once it is certain.

    On the event loop only. Raises Unavailable when too much is waiting already.
    """
    log_writer().submit(draft, done)
    typists().stop(draft.conversation_id, draft.sender_id)


def send_message(draft: PendingMessage) -> AppendResult:
    """Hand a draft to the log writer and wait until it is committed, from a thread.

    Raises the refusal as a ChatError; RuntimeError inside a transaction.
    """
    sent: AppendResult = wait_for(partial(queue_message, draft))
    return sent
