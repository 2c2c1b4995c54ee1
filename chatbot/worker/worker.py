"""The worker: finds questions, and has each answered in a thread of its own.

Its own thread only looks: into the log, at the clock, at rows that somebody left. It
waits for no provider and no message, so nothing that hangs keeps it from looking on. Each
bot has CHATBOT_CONCURRENCY threads, so that one whose provider hangs keeps no other waiting.

It is woken by what is committed, here or in other processes, and looks by itself every
SWEEP_SECONDS: a wake-up that was lost costs that time and nothing else. Any number of
workers may run; each row is one's at a time (services/answers.py). Of servers one is
elected (election.py); the others' workers rest.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

import structlog
from django.conf import settings
from django.utils import timezone

from chatbot import delivery
from chatbot.database import database, is_away
from chatbot.models import Answer, Reminder
from chatbot.selectors import (
    ROUND_MAX,
    conversations_with_bots,
    due_reminders,
    unread_places,
)
from chatbot.services import answers, reminders
from chatbot.services.finding import find_questions
from chatbot.worker.answer_job import AnswerJob
from common import background, background_threads
from common.error_log import describe
from realtime import announce

# So long after a wake-up all others that came meanwhile are one.
PAUSE_SECONDS = 0.1
# So often does a worker say that it is there, before it counts as gone.
KEEPS_PER_LEASE = 4
# How long a worker that stops waits for its threads.
STOP_SECONDS = 8.0

log = structlog.get_logger(__name__)


class BotWorker:
    """One in a process."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(16)
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._heard: set[int] = set()
        # The answers under way, each with its bot.
        self._running: dict[int, int] = {}
        self._threads: set[threading.Thread] = set()
        self._reminding: set[int] = set()
        # Whether an answer has ended since questions were last taken.
        self._has_room = False
        self._swept_at = float("-inf")
        self._kept_at = float("-inf")
        self._thread: threading.Thread | None = None
        # Whether it takes on what is new; what it has begun it ends in any case.
        self._takes_on = False

    def start(self) -> None:
        """Begin, at rest."""
        self._thread = background_threads.run_thread("bot_worker", self._step, self._stopping)

    def take_on(self, wanted: bool) -> None:  # noqa: FBT001 - a switch
        """Look for questions from now on, or leave them to somebody else, until the next call
        says the contrary. From any thread.

        Whoever rests does not listen: all that is committed anywhere would come to it.
        """
        self._takes_on = wanted
        if wanted:
            announce.listen(self.hear)
            self._swept_at = float("-inf")
        else:
            announce.stop_listening(self.hear)
        self._woken.set()

    def hear(self, conversation_ids: Iterable[int]) -> None:
        """Something was committed in these. From any thread; returns at once."""
        with self._lock:
            self._heard.update(conversation_ids)
        self._woken.set()

    def stop(self) -> None:
        """End what is being answered as it stands, and return once it is in the log."""
        self._stopping.set()
        self._woken.set()
        until = time.monotonic() + STOP_SECONDS
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    # --- the worker's own thread ------------------------------------------------------------

    def _step(self) -> None:
        self._woken.wait(self._patience())
        self._woken.clear()
        if self._stopping.wait(PAUSE_SECONDS):
            return
        try:
            self._look()
        except Exception as error:
            if not is_away(error):
                raise
            # Look again at the next sweep.
            log.warning("bot_worker_failed", **describe(error))

    def _patience(self) -> float:
        sweep_at = self._swept_at + settings.SWEEP_SECONDS
        keep_at = self._kept_at + settings.CHATBOT_LEASE_SECONDS / KEEPS_PER_LEASE
        soonest: float = min(sweep_at, keep_at)
        return max(0.0, soonest - time.monotonic())

    def _look(self) -> None:
        now = time.monotonic()
        with self._lock:
            heard, self._heard = self._heard, set()
            has_room, self._has_room = self._has_room, False
        if now >= self._kept_at + settings.CHATBOT_LEASE_SECONDS / KEEPS_PER_LEASE:
            self._kept_at = now
            with database():
                answers.keep(self.name, list(self._running))
        if not self._takes_on:
            self._swept_at = now
            return
        is_due = now >= self._swept_at + settings.SWEEP_SECONDS
        with_bots = set() if is_due else self._with_bots(heard)
        # Too much to ask for by name is looked for like all the rest.
        if is_due or len(with_bots) > ROUND_MAX:
            self._swept_at = now
            self._find(None)
            self._start_reminders()
        elif with_bots:
            self._find(with_bots)
        elif not has_room:
            # Most of what is said is said where no bot is.
            return
        with database():
            waiting = answers.bots_with_work()
        for bot_id in waiting:
            while self._start_next(bot_id):
                pass

    def _with_bots(self, heard: set[int]) -> set[int]:
        if not heard:
            return heard
        with database():
            return conversations_with_bots(heard)

    def _start_reminders(self) -> None:
        with database():
            due = due_reminders(timezone.now())
        for reminder in due:
            if reminder.id not in self._reminding:
                self._reminding.add(reminder.id)
                try:
                    self._spawn(partial(self._remind, reminder))
                except BaseException:
                    self._reminding.discard(reminder.id)
                    raise

    def _find(self, among: set[int] | None) -> None:
        with database():
            places = unread_places(among)
        for place in places:
            try:
                with database():
                    find_questions(place)
            except Exception as error:
                # What is wrong in one conversation keeps no other waiting.
                if not is_away(error):
                    background.count("bot_worker")
                log.warning("bot_finding_failed", **describe(error))
        if len(places) == ROUND_MAX:
            # There are more.
            self._swept_at = float("-inf")
            self._woken.set()

    def _start_next(self, bot_id: int) -> bool:
        """Start a thread for the bot's next question, if there is one and room for it."""
        running = list(self._running.values()).count(bot_id)
        has_room = running < settings.CHATBOT_CONCURRENCY
        if not has_room or not self._takes_on or self._stopping.is_set():
            return False
        with database():
            left = answers.take_over(bot_id, self.name)
            answer = left or answers.take_next(bot_id, self.name)
        if answer is None:
            return False
        self._running[answer.id] = bot_id
        try:
            self._spawn(partial(self._answer, answer, is_new=left is None))
        except BaseException:
            # No thread to be had: another worker, or this one later, takes it over.
            self._running.pop(answer.id, None)
            raise
        return True

    # --- other threads ------------------------------------------------------------------------

    def _spawn(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._threads.discard(thread)

        with self._lock:
            thread = background_threads.spawn_thread("bot_answer", run)
            self._threads.add(thread)

    def _answer(self, answer: Answer, *, is_new: bool) -> None:
        try:
            AnswerJob(answer, self._stopping, is_new=is_new).run()
        finally:
            self._running.pop(answer.id, None)
            with self._lock:
                # For the next.
                self._has_room = True
            self._woken.set()

    def _remind(self, reminder: Reminder) -> None:
        try:
            self._say(reminder)
        except Exception as error:
            if not is_away(error):
                background.count("bot_answer")
            log.warning("bot_reminder_failed", **describe(error))
        finally:
            self._reminding.discard(reminder.id)

    def _say(self, reminder: Reminder) -> None:
        answer = reminder.answer
        with database():
            wanted = reminders.is_still_wanted(reminder)
        if wanted:
            # Said twice, by two workers or after a crash, it is one message.
            sent = delivery.send(
                sender_id=answer.bot.user_id,
                conversation_id=answer.conversation_id,
                client_id=reminder.client_id,
                text=f"You wanted to be reminded: {reminder.text}",
                reply_to=answer.question_seq,
            )
            if not isinstance(sent, int) and sent.retry:
                return
        with database():
            reminders.close_reminder(reminder)
