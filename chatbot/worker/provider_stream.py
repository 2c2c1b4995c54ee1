"""Reading from a provider without waiting for it.

The provider runs in a thread of its own, and whoever wants its text looks into a queue
with all the deadlines there are. So a provider that hangs, or that sends a byte now and
then for ever, is left behind at the deadline, and a wish to stop is heard at once. The
thread that is left ends by its own time limits.
"""

import queue
import threading
import time
from collections.abc import Iterator

import structlog
from django.conf import settings

from chatbot.providers.faults import Broken, ProviderFault, TimedOut
from chatbot.providers.interface import Prompt, Provider
from common import background, background_threads
from common.error_log import describe

# How often whoever reads may look at something else.
TICK_SECONDS = 0.25

log = structlog.get_logger(__name__)


class ProviderStream:
    """One answer of a provider, as it comes in."""

    def __init__(self, provider: Provider, prompt: Prompt) -> None:
        self._queue: queue.SimpleQueue[str | ProviderFault | type[StopIteration] | None] = (
            queue.SimpleQueue()
        )
        self._given_up = threading.Event()
        self._started = time.monotonic()
        self._heard_at: float | None = None
        background_threads.spawn_thread("bot_provider", lambda: self._run(provider, prompt))

    def pieces(self) -> Iterator[str]:
        """The text in pieces, an empty one at least every TICK_SECONDS. Raises ProviderFault."""
        while True:
            try:
                found = self._queue.get(timeout=TICK_SECONDS)
            except queue.Empty:
                self._look_at_the_clock()
                yield ""
                continue
            if isinstance(found, ProviderFault):
                raise found
            if found is StopIteration:
                return
            self._heard_at = time.monotonic()
            self._look_at_the_clock()
            yield found if isinstance(found, str) else ""

    def cancel(self) -> None:
        """Nobody reads on."""
        self._given_up.set()

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        since, most = (
            (self._started, settings.CHATBOT_FIRST_BYTE_SECONDS)
            if self._heard_at is None
            else (self._heard_at, settings.CHATBOT_BETWEEN_SECONDS)
        )
        if now - since > most or now - self._started > settings.CHATBOT_TOTAL_SECONDS:
            raise TimedOut

    def _run(self, provider: Provider, prompt: Prompt) -> None:
        try:
            for piece in provider.answer(prompt):
                if self._given_up.is_set():
                    return
                self._queue.put(piece)
            self._queue.put(StopIteration)
        except ProviderFault as fault:
            self._queue.put(fault)
        except Exception as error:
            # Without its message, which may quote what was asked.
            background.count("bot_provider")
            log.error("bot_provider_failed", **describe(error))
            self._queue.put(Broken())
