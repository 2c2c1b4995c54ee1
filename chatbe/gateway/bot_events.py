"""What the server tells of bots' answers."""

from chatbe.core.ids import IdText
from chatbe.gateway.words import Answer, Event
from chatbe.realtime.protocol import Position
from chatbot.wire import AnswerBody


class BotAnswersReply(Answer, frozen=True, tag="reply"):
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
