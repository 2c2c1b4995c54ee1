"""The events about bots' answers."""

from chatbot import handlers
from chatbot.schemas import AnswerBody
from common.ids import IdText
from realtime.protocol import Command, Event, Position, Reply


class BotAnswersReply(Reply, frozen=True, tag="reply"):
    """The state of a question: one answer for each bot that was asked."""

    answers: list[AnswerBody]


class BotStreamed(Event, frozen=True, tag="bot.streamed"):
    """A piece of an answer that is still being written, starting at character `offset`.

    If pieces are missing, `bot.resume` returns everything so far. The message replaces it.
    """

    conversation_id: IdText
    question_seq: Position
    bot_id: IdText
    offset: int
    text: str


class BotFinished(Event, frozen=True, tag="bot.finished"):
    """No more of this answer will be streamed; its message may have arrived already."""

    conversation_id: IdText
    question_seq: Position
    bot_id: IdText
    status: str


EVENTS: tuple[type[Event], ...] = (BotAnswersReply, BotStreamed, BotFinished)

# The answer to each command that is not refused.
ANSWERS: dict[type[Command], type[Event]] = {
    handlers.BotResume: BotAnswersReply,
    handlers.BotCancel: BotAnswersReply,
}
