"""What the server tells of bots' answers."""

from chatbot import handlers
from chatbot.schemas import AnswerBody
from common.ids import IdText
from realtime.protocol import Command, Event, Position, Reply


class BotAnswersReply(Reply, frozen=True, tag="reply"):
    """What becomes of the question: one answer of each bot that was asked."""

    answers: list[AnswerBody]


class BotStreamed(Event, frozen=True, tag="bot.streamed"):
    """A piece of an answer that is still being given, from this character on.

    Where pieces are missing, `bot.resume` has all there is. The message ends it.
    """

    conversation_id: IdText
    question_seq: Position
    bot_id: IdText
    offset: int
    text: str


class BotFinished(Event, frozen=True, tag="bot.finished"):
    """Nothing more comes of this answer but its message, which may be here already."""

    conversation_id: IdText
    question_seq: Position
    bot_id: IdText
    status: str


EVENTS: tuple[type[Event], ...] = (BotAnswersReply, BotStreamed, BotFinished)

# What a command is answered with when it is not refused.
ANSWERS: dict[type[Command], type[Event]] = {
    handlers.BotResume: BotAnswersReply,
    handlers.BotCancel: BotAnswersReply,
}
