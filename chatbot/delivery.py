"""From a text to the bot's message, and what live sockets are shown before it is there."""

import re

import structlog
from django.conf import settings

from chatbot.models import Answer
from chatbot.providers.faults import ProviderFault
from common.error_log import describe
from common.errors import ChatError, as_chat_error
from conversations.services.sending import draft_message, send_message
from realtime import announce
from realtime.ephemeral import EphemeralEvent
from realtime.frames import encode_frame

log = structlog.get_logger(__name__)

Status = Answer.Status

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
# Room for what is said about an answer below it.
_NOTE_CHARACTERS = 300

_BUDGET = "That is as much as I may answer today. Ask me again tomorrow."
_NOTES = {
    Status.INTERRUPTED: "(I was interrupted here. Ask me again if you want the rest.)",
    Status.CANCELLED: "(Stopped.)",
    Status.REFUSED: _BUDGET,
}
_NOTHING = "I have no answer to that."


def presentable(text: str) -> str:
    """Model text without what no message may hold; it is plain text, whatever it looks like."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n"))


def is_full(text: str) -> bool:
    """Whether a message can take no more of an answer."""
    return len(text) >= _characters() or len(text.encode()) >= _bytes()


def message_of(status: Answer.Status, text: str, fault: ProviderFault | None = None) -> str:
    """The text of the message that ends an answer."""
    note = _NOTES.get(status, "")
    if fault is not None:
        note = f"({fault.message})" if text.strip() else fault.message
    text = _cut(text).strip()
    if text and note:
        return f"{text}\n\n{note}"
    return text or note or _NOTHING


def _characters() -> int:
    return int(settings.TEXT_MAX_CHARACTERS) - _NOTE_CHARACTERS


def _bytes() -> int:
    return int(settings.TEXT_MAX_BYTES) - 4 * _NOTE_CHARACTERS


def _cut(text: str) -> str:
    if not is_full(text):
        return text
    return text[: _characters()].encode()[: _bytes()].decode(errors="ignore") + "…"


def send(
    *, sender_id: int, conversation_id: int, client_id: str, text: str, reply_to: int
) -> int | ChatError:
    """Send a bot's message: its position, or why not. The same again is the same message."""
    try:
        draft = draft_message(
            sender_id=sender_id,
            conversation_id=conversation_id,
            client_id=client_id,
            text=text,
            reply_to=reply_to,
        )
        return send_message(draft).message.seq
    except Exception as error:
        refusal = as_chat_error(error)
        log.warning("bot_message_refused", code=refusal.code, **describe(error))
        return refusal


def show_text(answer: Answer, offset: int, text: str, head: int) -> None:
    """Show a piece of an answer to those who see the question, now and after `head`."""
    frame = encode_frame(
        "bot.streamed",
        conversation_id=str(answer.conversation_id),
        question_seq=answer.question_seq,
        bot_id=str(answer.bot.user_id),
        offset=offset,
        text=text,
    )
    _show(answer, frame, head, droppable=True)


def show_end(answer: Answer, head: int) -> None:
    """Nothing more will be streamed; the message says it all, where there is one."""
    frame = encode_frame(
        "bot.finished",
        conversation_id=str(answer.conversation_id),
        question_seq=answer.question_seq,
        bot_id=str(answer.bot.user_id),
        status=answer.status,
    )
    _show(answer, frame, head)


def _show(answer: Answer, frame: bytes, head: int, *, droppable: bool = False) -> None:
    announce.ephemeral_events(
        [
            EphemeralEvent(
                answer.conversation_id,
                frame,
                after=head,
                droppable=droppable,
                seq=answer.question_seq,
            )
        ]
    )
