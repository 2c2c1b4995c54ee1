"""The socket commands for bots' answers, as thin as views."""

from __future__ import annotations

from collections.abc import Callable

from chatbot.schemas import AnswerBody
from chatbot.selectors import access_answers
from chatbot.services.cancelling import cancel_answers
from common.database import change_in_database_thread
from conversations.schemas import encode
from realtime.connection import Connection
from realtime.frames import reply
from realtime.protocol import Command, Handler, Id, Position


class BotResume(Command, frozen=True, tag="bot.resume"):
    """Fetch the answers so far to the message at this position."""

    conversation_id: Id
    seq: Position


class BotCancel(Command, frozen=True, tag="bot.cancel"):
    """Stop the answers to your question at this position."""

    conversation_id: Id
    seq: Position


async def handle_bot_resume(connection: Connection, command: BotResume) -> None:
    await _answer(connection, command, access_answers)


async def handle_bot_cancel(connection: Connection, command: BotCancel) -> None:
    await _answer(connection, command, cancel_answers)


async def _answer(
    connection: Connection,
    command: BotResume | BotCancel,
    service: Callable[..., list[AnswerBody]],
) -> None:
    found = await change_in_database_thread(
        command.conversation_id,
        service,
        user_id=connection.user_id,
        conversation_id=int(command.conversation_id),
        seq=command.seq,
    )
    connection.push(reply(command.ref, "answers", encode(found)))


COMMANDS: dict[type[Command], Handler] = {
    BotResume: handle_bot_resume,
    BotCancel: handle_bot_cancel,
}
