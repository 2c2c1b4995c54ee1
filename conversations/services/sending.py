"""Sending a message: one rule behind the REST door and the socket's."""

from concurrent.futures import Future

from django.db import connection

from chatbe.core.errors import ChatError, InvalidInput, Unavailable
from chatbe.core.text import clean_text
from chatbe.realtime.runtime import runtime
from conversations.append import Appended, Draft, Outcome
from conversations.wire import content_digest
from conversations.writer import Done, log_writer

_CLIENT_ID_MAX = 64
# The writer itself gives up earlier; this only ends a wait for a process that is stopping.
_WAIT_SECONDS = 30.0


def draft_message(
    *, sender_id: int, conversation_id: int, client_id: str, text: str, reply_to: int | None
) -> Draft:
    """Clean and check what needs no database. Raises InvalidInput or TooLarge."""
    printable = client_id.isascii() and client_id.isprintable() and " " not in client_id
    if not 0 < len(client_id) <= _CLIENT_ID_MAX or not printable:
        raise InvalidInput(
            fields={"client_id": f"is 1 to {_CLIENT_ID_MAX} printable ASCII characters, no spaces"}
        )
    text = clean_text(text)
    return Draft(
        conversation_id=conversation_id,
        sender_id=sender_id,
        client_id=client_id,
        text=text,
        reply_to=reply_to,
        digest=content_digest(text, reply_to),
    )


def queue_message(draft: Draft, done: Done) -> None:
    """Hand a draft to the log writer; `done` gets the outcome once it is certain.

    On the event loop only. Raises Unavailable when too much is waiting already.
    """
    log_writer().submit(draft, done)


def send_message(draft: Draft) -> Appended:
    """Hand a draft to the log writer and wait until it is committed, from a thread.

    Raises the refusal as a ChatError. Inside a transaction this raises RuntimeError:
    the writer would wait for the caller's locks, and the caller for the writer.
    """
    if connection.in_atomic_block:
        raise RuntimeError("send_message waits for the log writer: not inside a transaction")
    waiting: Future[Outcome] = Future()

    def submit() -> None:
        try:
            queue_message(draft, waiting.set_result)
        except ChatError as error:
            waiting.set_result(error)

    runtime().loop.call_soon_threadsafe(submit)
    try:
        outcome = waiting.result(timeout=_WAIT_SECONDS)
    except TimeoutError:
        raise Unavailable from None
    if isinstance(outcome, ChatError):
        raise outcome
    return outcome
