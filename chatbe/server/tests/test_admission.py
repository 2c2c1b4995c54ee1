"""Few requests are worked on at once, and no row that somebody locks takes all places."""

import asyncio
import contextlib
import threading

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from accounts.hashers import hashing
from chatbe.server.http import ThreadedHandler
from chatbe.server.request_admission import SAME_THING, RequestAdmission, request_slots
from common.errors import Unavailable
from common.request_slots import slot_released

SECONDS = 20.0


def scope(method="GET", path="/api/v1/me", caller="alice", address="192.0.2.1"):
    headers = [(b"authorization", caller.encode())] if caller else []
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": headers,
        "client": (address, 1),
    }


@pytest.fixture
async def admission(settings):
    settings.REQUEST_QUEUE_SECONDS = SECONDS
    admission = RequestAdmission()
    yield admission
    # Whatever happened, nothing is taken and no line is left.
    assert admission.lines._lines == {}
    assert admission.lines._waiting == 0


@contextlib.asynccontextmanager
async def inside(admission, *scopes):
    places = [await admission.enter(each) for each in scopes]
    yield
    for place in places:
        place.leave()


def others(method="GET", path="/api/v1/me"):
    """The same request of any number of people."""
    number = 0
    while True:
        number += 1
        yield scope(method, path, f"caller {number}")


def some(count, requests):
    return [next(requests) for _ in range(count)]


async def waits(admission, request):
    """Whether there is no place for this; leaves nothing behind."""
    entering = asyncio.create_task(admission.enter(request))
    await asyncio.sleep(0)
    if entering.done():
        entering.result().leave()
        return False
    entering.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await entering
    return True


async def test_there_are_as_many_places_as_the_pool_has_connections_for_requests(admission):
    assert admission.places == request_slots() >= 10
    async with inside(admission, *some(admission.places, others())):
        assert await waits(admission, scope())
    assert not await waits(admission, scope())


async def test_one_caller_leaves_half_of_the_places_to_the_others(admission):
    async with inside(admission, *[scope() for _ in range(admission.places // 2)]):
        assert await waits(admission, scope())
        assert not await waits(admission, scope(caller="bob"))


async def test_without_a_token_the_caller_is_the_address(admission):
    crowd = [scope(caller="") for _ in range(admission.places // 2)]
    async with inside(admission, *crowd):
        assert await waits(admission, scope(caller=""))
        assert not await waits(admission, scope(caller="", address="192.0.2.2"))


async def test_who_changes_one_thing_leaves_places_to_who_changes_another(admission):
    messages = "/api/v1/conversations/{}/messages/3"
    crowd = some(SAME_THING, others("PATCH", messages.format(7)))
    async with inside(admission, *crowd):
        assert await waits(admission, scope("PATCH", messages.format(7)))
        assert await waits(admission, scope("DELETE", "/api/v1/groups/7"))
        assert not await waits(admission, scope("PATCH", messages.format(8)))
        assert not await waits(admission, scope("GET", messages.format(7)))


async def test_one_address_that_names_no_thing_leaves_half_of_the_places(admission):
    crowd = some(admission.places // 2, others("POST", "/v1/groups"))
    async with inside(admission, *crowd):
        assert await waits(admission, scope("POST", "/v1/groups"))
        assert not await waits(admission, scope("POST", "/v1/users"))


async def test_whatever_is_changed_some_places_are_left_for_reading(admission):
    things = [scope("PUT", f"/x/{n}", f"caller {n}") for n in range(admission.places * 3 // 4 + 1)]
    async with inside(admission, *things[: admission.places - admission.places // 4]):
        assert await waits(admission, scope("PUT", "/x/999"))
        assert not await waits(admission, scope("GET", "/x/999"))


async def test_who_waits_is_let_in_by_whoever_leaves_in_the_order_they_came(admission):
    async with inside(admission, *some(admission.places, others())):
        entering = [asyncio.create_task(admission.enter(scope(caller=f"{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in entering)
    for each in entering:
        (await each).leave()


async def test_a_line_has_a_length_and_a_deadline(admission, settings):
    settings.REQUEST_QUEUE_MAX = 4
    async with inside(admission, *some(admission.places, others())):
        waiting = [asyncio.create_task(admission.enter(scope(caller=f"{n}"))) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await admission.enter(scope(caller="one more"))
        assert refused.value.retry_after == 1.0
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        settings.REQUEST_QUEUE_SECONDS = 0.01
        with pytest.raises(Unavailable):
            await admission.enter(scope(caller="one more"))


async def test_who_gives_up_in_the_moment_of_their_turn_passes_it_on(admission):
    async with inside(admission, *some(admission.places, others())):
        first = asyncio.create_task(admission.enter(scope(caller="first")))
        second = asyncio.create_task(admission.enter(scope(caller="second")))
        await asyncio.sleep(0)
    # The turn is first's, who has not run since.
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        (await first).leave()
    (await second).leave()


async def test_many_whose_time_is_up_in_the_same_moment_lose_no_place(admission, settings):
    settings.REQUEST_QUEUE_SECONDS = 0.05
    async with inside(admission, *[scope() for _ in range(admission.places // 2)]):
        crowd = [scope("PUT", "/x/7", f"caller {n % 3}") for n in range(40)]
        answers = await asyncio.gather(*map(admission.enter, crowd), return_exceptions=True)
    refused = [each for each in answers if isinstance(each, BaseException)]
    assert {type(each) for each in refused} == {Unavailable}
    assert len(refused) == len(crowd) - SAME_THING
    for place in answers:
        if not isinstance(place, BaseException):
            place.leave()


async def test_a_place_left_in_the_moment_somebody_gives_up_is_free(admission):
    place = await admission.enter(scope("PUT", "/x/7", "one"))
    other = await admission.enter(scope("PUT", "/x/7", "another"))
    entering = asyncio.create_task(admission.enter(scope("PUT", "/x/7", "late")))
    await asyncio.sleep(0)
    # Its turn is cancelled, and it has not run since.
    entering.cancel()
    place.leave()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert not await waits(admission, scope("PUT", "/x/7", "somebody"))
    other.leave()


@pytest.mark.parametrize("leaving", ["place", "other"])
async def test_a_place_handed_over_in_the_moment_somebody_gives_up_is_free(admission, leaving):
    """The same, the other way round: it is theirs already, and they have not run since."""
    places = {
        "place": await admission.enter(scope("PUT", "/x/7", "one")),
        "other": await admission.enter(scope("PUT", "/x/7", "another")),
    }
    entering = asyncio.create_task(admission.enter(scope("PUT", "/x/7", "late")))
    await asyncio.sleep(0)
    places[leaving].leave()
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert not await waits(admission, scope("PUT", "/x/7", "somebody"))
    for place in places.values():
        place.leave()


async def test_a_line_whose_last_place_is_handed_to_who_gives_up_is_forgotten(admission):
    """`admission` looks after every test whether a line is left."""
    place = await admission.enter(scope("PUT", "/x/7", "one"))
    half = [await admission.enter(scope("PUT", "/x/7", "one"))]
    entering = asyncio.create_task(admission.enter(scope("PUT", "/x/7", "late")))
    await asyncio.sleep(0)
    for each in (place, *half):
        each.leave()
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering


# --- in the handler -------------------------------------------------------------------------

going_on = threading.Event()
waiting = threading.Barrier(1)


def wait_for_locks(request):
    """Waits, aside, for all who are to wait here."""
    with slot_released():
        assert connection.connection is None
        waiting.wait(SECONDS)
        going_on.wait(SECONDS)
    return HttpResponse("done")


def failing(request):
    """Something goes wrong while it has released its slot."""
    with slot_released():
        raise Unavailable(retry_after=1.0)


def quick(request):
    return HttpResponse("quick")


def stubborn(request):
    """Waits without stepping aside."""
    waiting.wait(SECONDS)
    going_on.wait(SECONDS)
    return HttpResponse("done")


urlpatterns = [
    path("patient", wait_for_locks),
    path("failing", failing),
    path("quick", quick),
    path("stubborn", stubborn),
]


@pytest.fixture
def handler():
    middleware = ["common.rest.overload.CrowdingMiddleware"]
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=middleware):
        yield ThreadedHandler()
    going_on.set()


async def ask(handler, path, caller):
    """The status and the headers of an answer."""
    said = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        said.append(message)

    await handler(scope("GET", path, caller), receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], headers


async def crowd_at(handler, path, count):
    """So many requests that all wait inside their view."""
    global waiting
    waiting = threading.Barrier(count + 1, timeout=SECONDS)
    going_on.clear()
    crowd = [asyncio.create_task(ask(handler, path, f"caller {n}")) for n in range(count)]
    await asyncio.to_thread(waiting.wait)
    return crowd


@pytest.mark.django_db(transaction=True)
async def test_who_has_stepped_aside_takes_nobodys_place(handler):
    count = 3 * handler.admission.places
    crowd = await crowd_at(handler, "/patient", count)
    assert (await ask(handler, "/quick", "somebody"))[0] == 200
    going_on.set()
    assert [status for status, _ in await asyncio.gather(*crowd)] == [200] * count
    assert handler.admission.lines._lines == {}


@pytest.mark.django_db(transaction=True)
async def test_however_many_step_aside_threads_are_left(handler, settings):
    """Also for those whose turn is over and who find no place to come back to."""
    settings.PASSWORD_QUEUE_MAX = 3
    handler = ThreadedHandler()
    aside = settings.PASSWORD_QUEUE_MAX + hashing.at_once + handler.admission.places
    crowd = await crowd_at(handler, "/patient", aside)
    assert handler.admission.threads > aside + handler.admission.places
    # One too many is told so, and holds nothing.
    for _ in range(2):
        status, headers = await ask(handler, "/patient", "one too many")
        assert (status, headers["retry-after"]) == (503, "1")
    assert (await ask(handler, "/quick", "somebody"))[0] == 200
    going_on.set()
    assert [status for status, _ in await asyncio.gather(*crowd)] == [200] * aside
    # All of it was given back, also by those who failed while they were aside.
    for _ in range(2 * aside):
        assert (await ask(handler, "/failing", "somebody"))[0] == 503
    crowd = await crowd_at(handler, "/patient", aside)
    going_on.set()
    assert [status for status, _ in await asyncio.gather(*crowd)] == [200] * aside


async def test_a_request_without_a_place_is_answered_in_time_like_any_other(handler, settings):
    settings.REQUEST_QUEUE_SECONDS = 0.05
    crowd = await crowd_at(handler, "/stubborn", handler.admission.places)
    status, headers = await ask(handler, "/quick", "somebody")
    assert (status, headers["retry-after"]) == (503, "1")
    going_on.set()
    await asyncio.gather(*crowd)
    assert (await ask(handler, "/quick", "somebody"))[0] == 200
