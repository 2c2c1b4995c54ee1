"""A request is one call in one thread, which others use after it."""

import asyncio
import threading
from typing import Any

import pytest
from django.core import signals
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from chatbe.server.http import ThreadedHandler

STREAMED = [b"one ", b"two"]
closed: list[str] = []
begun_in: list[str] = []
given_back_in: list[str] = []


def where(request):
    return HttpResponse(threading.current_thread().name, headers={"X-Body": request.body.decode()})


def streaming(request):
    begun_in.append(threading.current_thread().name)
    response = StreamingHttpResponse(STREAMED)
    response._resource_closers.append(lambda: closed.append("streamed"))
    return response


urlpatterns = [path("where", where), path("streaming", streaming)]


@pytest.fixture
def handler():
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        yield ThreadedHandler()


async def ask(handler, path, messages=()):
    """The status, headers and body of an answer."""
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    said: list[dict[str, Any]] = []
    waiting = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return waiting.pop(0)

    async def send(message):
        said.append(message)

    await handler(scope, receive, send)
    if not said:
        return None
    start, *rest = said
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, b"".join(part.get("body", b"") for part in rest)


async def test_signals_and_view_of_a_request_share_a_thread_which_is_used_again(handler):
    threads: list[str] = []

    def note(**_):
        threads.append(threading.current_thread().name)

    signals.request_started.connect(note)
    signals.request_finished.connect(note)
    try:
        for _ in range(40):
            _, _, name = await ask(handler, "/where")
            threads.append(name.decode())
    finally:
        signals.request_started.disconnect(note)
        signals.request_finished.disconnect(note)
    of_each = [set(threads[place : place + 3]) for place in range(0, 120, 3)]
    assert {len(names) for names in of_each} == {1}
    # One that has only just answered is not free yet, perhaps.
    assert len(set(threads)) < 20
    assert all(name.startswith("request") for name in threads)


async def test_a_body_comes_in_pieces(handler):
    pieces = [
        {"type": "http.request", "body": b"one ", "more_body": True},
        {"type": "http.request", "body": b"two"},
    ]
    status, headers, _ = await ask(handler, "/where", pieces)
    assert (status, headers["x-body"]) == (200, "one two")


async def test_who_goes_away_within_the_request_gets_no_answer(handler):
    pieces = [
        {"type": "http.request", "body": b"one ", "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert await ask(handler, "/where", pieces) is None


async def test_what_is_streamed_is_closed_after_its_last_piece(handler, monkeypatch):
    closed.clear()
    said = []
    monkeypatch.setattr(
        "chatbe.server.http.close_old_connections",
        lambda: given_back_in.append(threading.current_thread().name),
    )

    async def ask_and_note():
        answer = await ask(handler, "/streaming")
        said.append(list(closed))
        return answer

    status, _, body = await ask_and_note()
    assert (status, body, said) == (200, b"one two", [["streamed"]])
    # The database's connection belongs to the thread that made the response.
    assert given_back_in == begun_in


async def test_requests_at_once_have_threads_of_their_own(handler):
    meeting = threading.Barrier(2, timeout=20)

    def together(request):
        meeting.wait()
        return HttpResponse("met")

    urlpatterns.append(path("together", together))
    try:
        answers = await asyncio.gather(ask(handler, "/together"), ask(handler, "/together"))
    finally:
        urlpatterns.pop()
    assert [answer[2] for answer in answers] == [b"met", b"met"]
