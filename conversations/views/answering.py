"""Responses that wait for the event loop's writers."""

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.rest.deferred import Later, Queue, may_be_later
from conversations.services.waiting import wait_for

T = TypeVar("T")


def answer_with(
    view: APIView, request: Request, queue: Queue[T], respond: Callable[[T], Response]
) -> HttpResponseBase:
    """The response to the outcome of `queue`: later in a server, at once anywhere else.

    In a server, `respond` runs on the event loop and must not block.
    """
    if may_be_later(request):
        return Later(view, request, queue, respond)
    return respond(wait_for(queue))
