"""Answers that come from the event loop: a request waits for one without a thread.

A view hands over what is to be queued there and goes; its thread and its database
connection are free for others while the request waits. Middleware has seen the response by
then: whatever it notes of the outcome it notes in `when_answered`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.errors import ChatError, Unavailable

# The event loop's writers give up earlier; this only ends a wait for one that is stopping.
ANSWER_SECONDS = 30.0
_ALLOWED = "_chatbe_may_answer_later"

T = TypeVar("T")
R = TypeVar("R", bound=HttpResponseBase)
# Queues something, and sees to it that the argument is called with the outcome.
Queue = Callable[[Callable[[T | ChatError], None]], None]


class Later(HttpResponse, Generic[T]):
    """A response without content until `answer` was awaited, on the node's event loop."""

    def __init__(
        self,
        view: APIView,
        request: Request,
        queue: Queue[T],
        respond: Callable[[T], Response],
    ) -> None:
        super().__init__()
        self._view = view
        self._request = request
        self._queue = queue
        self._respond = respond
        self._noting: list[Callable[[Any], None]] = []

    async def answer(self) -> None:
        """Queue it, wait for the outcome, and become the response to it."""
        outcome: asyncio.Future[T | ChatError] = asyncio.get_running_loop().create_future()

        def done(found: T | ChatError) -> None:
            if not outcome.done():
                outcome.set_result(found)

        try:
            self._queue(done)
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await outcome
            if isinstance(found, ChatError):
                raise found
            made = self._respond(found)
        except TimeoutError:
            made = self._view.handle_exception(Unavailable(retry_after=1.0))
        except Exception as error:
            made = self._view.handle_exception(error)
        self._become(made)
        for note in self._noting:
            note(self)

    def _become(self, made: Response) -> None:
        made.accepted_renderer = self._request.accepted_renderer
        made.accepted_media_type = self._request.accepted_media_type
        made.renderer_context = self._view.get_renderer_context()  # type: ignore[attr-defined]
        made.render()
        self.status_code = made.status_code
        self.content = made.content
        for name, value in made.items():
            self[name] = value
        self["Content-Length"] = str(len(made.content))

    def note(self, note: Callable[[Any], None]) -> None:
        """Call this once there is an answer."""
        self._noting.append(note)


def allow_later(request: HttpRequest) -> None:
    """Whoever calls this awaits the `Later` that may come of a request."""
    setattr(request, _ALLOWED, True)


def may_be_later(request: Request) -> bool:
    """Whether this request's response may be a `Later`."""
    return getattr(request._request, _ALLOWED, False)  # noqa: SLF001 - DRF has no other name


def when_answered(response: R, note: Callable[[R], None]) -> None:
    """Call `note` with the response as soon as its status and content are known."""
    if isinstance(response, Later):
        response.note(note)
    else:
        note(response)
