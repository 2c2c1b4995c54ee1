"""One question from the request to the message, in a thread of its own.

Whatever happens on the way, the row says what to do next: before the request it is marked
as asked, text is saved before it is shown, and the end is decided in the row before the
message is sent. So whoever finds the row later can finish it, and asks nobody again.
"""

import threading
import time

import structlog

from chatbot import delivery
from chatbot.database import database, is_away, patiently
from chatbot.models import Answer
from chatbot.prompts import read_prompt
from chatbot.providers import provider_of
from chatbot.providers.faults import ProviderFault
from chatbot.providers.interface import Prompt
from chatbot.services import answers
from chatbot.worker.provider_stream import ProviderStream
from common import metrics
from common.error_log import describe
from common.errors import ChatError

# At most so often is a text saved and shown.
SHOW_SECONDS = 0.25

log = structlog.get_logger(__name__)

Status = Answer.Status


class _Lost(Exception):
    """Another worker has the row now."""


class AnswerJob:
    """Answers one question that this worker has taken, or ends what another has left."""

    def __init__(self, answer: Answer, stopping: threading.Event, *, is_new: bool) -> None:
        self._answer = answer
        self._is_new = is_new
        self._stopping = stopping
        self._text = ""
        self._shown = 0
        self._saved_at = 0.0
        self._head = 0

    def run(self) -> None:
        try:
            if self._answer.ended_at is None:
                self._decide_end()
            self._say_end()
        except _Lost:
            log.warning("bot_answer_lost", answer_id=str(self._answer.id))
        except Exception as error:
            # The row is open: whoever finds it silent goes on from there.
            log.error("bot_answer_failed", answer_id=str(self._answer.id), **describe(error))

    # --- up to the decision ---------------------------------------------------------------

    def _decide_end(self) -> None:
        answer = self._answer
        if answer.status in (Status.REFUSED, Status.CANCELLED):
            self._end(Status(answer.status), answer.fault)
        elif self._is_new:
            self._ask()
        else:
            # It was asked before, by somebody who is not there any more.
            self._text = answer.text
            self._end(Status.INTERRUPTED)

    def _ask(self) -> None:
        prompt = patiently(lambda: read_prompt(self._answer))
        if prompt is None:
            # The question, or whoever asked it, is gone: nothing is asked and nothing said.
            self._note_end(Status.CANCELLED, "", "")
            return
        started = time.monotonic()
        fault: ProviderFault | None = None
        try:
            status = self._read(prompt)
        except ProviderFault as found:
            status, fault = Status.FAILED, found
        seconds = time.monotonic() - started
        metrics.BOT_SECONDS.observe(seconds)
        log.info(
            "bot_asked",
            answer_id=str(self._answer.id),
            status=status,
            fault=fault.code if fault else "",
            seconds=round(seconds, 2),
        )
        self._end(status, fault)

    def _read(self, prompt: Prompt) -> Answer.Status:
        """Take the text in until it is over, one way or another. Raises ProviderFault."""
        reading = ProviderStream(provider_of(self._answer.bot), prompt)
        try:
            for piece in reading.pieces():
                self._text += delivery.presentable(piece)
                if self._stopping.is_set():
                    return Status.INTERRUPTED
                if self._is_cancelled():
                    return Status.CANCELLED
                if delivery.is_full(self._text):
                    break
        finally:
            reading.cancel()
        return Status.DONE

    def _is_cancelled(self) -> bool:
        """Save and show what is new, if it is time to; whether the asker wants no more."""
        now = time.monotonic()
        if now - self._saved_at < SHOW_SECONDS:
            return False
        self._saved_at = now
        try:
            with database():
                if len(self._text) > self._shown:
                    self._hold(answers.save_text(self._answer, self._text))
                cancelled, self._head = answers.read_state(self._answer)
        except Exception as error:
            if not is_away(error):
                raise
            # What is not saved is not shown; the text comes in all the same.
            return False
        if len(self._text) > self._shown:
            new = self._text[self._shown :]
            delivery.show_text(self._answer, self._shown, new, self._head)
            self._shown = len(self._text)
        return cancelled

    def _end(self, status: Answer.Status, fault: ProviderFault | str | None = None) -> None:
        kind = fault if isinstance(fault, ProviderFault) else None
        code = kind.code if kind else str(fault or "")
        self._note_end(status, delivery.message_of(status, self._text, kind), code)

    def _note_end(self, status: Answer.Status, text: str, code: str) -> None:
        self._hold(patiently(lambda: answers.end(self._answer, status, text, code)))

    def _hold(self, mine: bool) -> None:  # noqa: FBT001 - the answer to a statement
        if not mine:
            raise _Lost

    # --- after it ---------------------------------------------------------------------------

    def _say_end(self) -> None:
        answer = self._answer
        seq: int | None = None
        if answer.text:
            sent = delivery.send(
                sender_id=answer.bot.user_id,
                conversation_id=answer.conversation_id,
                client_id=answer.client_id,
                text=answer.text,
                reply_to=answer.question_seq,
            )
            if isinstance(sent, ChatError) and sent.retry:
                patiently(lambda: answers.give_back(answer))
                return
            if isinstance(sent, ChatError):
                # The bot may not write there any more.
                answer.fault = sent.code
            else:
                seq = sent
        patiently(lambda: answers.close(answer, seq))
        with database():
            _, head = answers.read_state(answer)
        metrics.BOT_ANSWERS.labels(answer.fault or answer.status).inc()
        delivery.show_end(answer, head)
