"""What REST says of presence, to whom, and what it costs."""

import asyncio
from datetime import timedelta
from itertools import product

import pytest
from django.utils import timezone

from accounts.services import create_ticket
from accounts.tests.rest import device_of, make_user
from chatbe.gateway.handshake import Hello, Sync, authenticate, sync
from common.database import in_database_thread
from common.models import Installation
from common.times import iso_milliseconds
from contacts.models import Contact
from contacts.services import add_contact, block_user
from contacts.tests.people import empty
from conversations.tests.people import make_group
from conversations.tests.test_queries import statements
from presence.last_seen import save_last_seen
from presence.models import LastSeen
from presence.process import presence
from realtime.node import current_node
from realtime.tests.sockets import Recorder

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

AUDIENCES = ("everyone", "contacts", "nobody")
SIZES = [1, 10, 200]
PRESENCE = "/api/v1/presence"


def card(user):
    return f"/api/v1/users/{user.id}/presence"


def on_loop(work):
    """Run this on the event loop that is this process's, as in a server."""
    return asyncio.run_coroutine_threadsafe(work, current_node().loop).result(timeout=60)


@pytest.fixture
def open_socket(settings):
    """Opens sockets of users; when the test is over, all of them have gone and are seen gone."""
    opened = []

    async def come(phone, user):
        session = phone.tokens.session
        ticket, _ = await in_database_thread(create_ticket, session=session)
        greeted = await authenticate(Hello(ticket=ticket), Recorder())
        opened.append((greeted, user))
        await sync(greeted, Sync(cursors={}, done=True))
        await greeted.connection.writer.until(lambda writer: writer.of("presence.snapshot"))
        return greeted.connection.writer

    yield come

    async def leave():
        for greeted, _ in opened:
            greeted.leave()

    # So that closed sockets do not count for long.
    settings.PRESENCE_LEASE_SECONDS = 1.0
    on_loop(leave())
    shown = {user.id for _, user in opened if user.last_seen_for != "nobody"}
    left = timezone.now() - timedelta(seconds=5)

    async def gone():
        async with asyncio.timeout(20):
            while True:
                rows = LastSeen.objects.filter(user_id__in=shown, at__gt=left)
                if await in_database_thread(rows.count) == len(shown):
                    return
                await asyncio.sleep(0.05)

    on_loop(gone())


async def quiet():
    """Wait until nobody is being told anything."""
    while presence()._notifier.is_telling:
        await asyncio.sleep(0.01)


async def told(writer, user):
    """Wait until this socket has been told of that user."""

    def is_told(writer):
        changed = writer.of("presence.changed")
        return any(frame["user_id"] == str(user.id) for frame in changed)

    await writer.until(is_told)
    await quiet()


def befriend(one, other):
    now = timezone.now()
    Contact.objects.bulk_create(
        Contact(owner=a, user=b, created_at=now) for a, b in ((one, other), (other, one))
    )


RELATIONS = {
    "contact": befriend,
    "stranger": lambda *_: None,
    "in a group together": make_group,
    "blocked by the viewer": lambda viewer, user: block_user(user=viewer, other_id=user.id),
    "blocks the viewer": lambda viewer, user: block_user(user=user, other_id=viewer.id),
}


def may_see(relation, theirs, viewers):
    """Whether a presence is shown, and None where there is nobody to be shown."""
    if relation == "blocks the viewer":
        return None
    if "nobody" in (theirs, viewers):
        return False
    return relation == "contact" or (theirs == "everyone" and relation != "blocked by the viewer")


@pytest.mark.parametrize("relation", RELATIONS)
def test_last_seen_is_shown_to_whom_it_is_for(relation):
    for theirs, viewers in product(AUDIENCES, AUDIENCES):
        viewer, user = make_user(last_seen_for=viewers), make_user(last_seen_for=theirs)
        RELATIONS[relation](viewer, user)
        at = timezone.now() - timedelta(days=1)
        LastSeen.objects.create(user_id=user.id, at=at)
        phone = device_of(viewer)
        answer = phone.get(card(user))
        shown = may_see(relation, theirs, viewers)
        if shown is None:
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            continue
        row = {
            "user_id": str(user.id),
            "online": False,
            "last_seen": iso_milliseconds(at) if shown else None,
        }
        assert answer.json() == row, (theirs, viewers)
        contacts = [row] if relation == "contact" else []
        assert phone.get(PRESENCE).json() == {
            "results": contacts,
            "next": None,
            "online_count": 0,
            "contacts_count": len(contacts),
        }


@pytest.mark.parametrize("relation", RELATIONS)
def test_being_online_is_shown_to_the_same(relation, open_socket):
    user = make_user(last_seen_for="everyone")
    on_loop(open_socket(device_of(user), user))
    for viewers in AUDIENCES:
        viewer = make_user(last_seen_for=viewers)
        RELATIONS[relation](viewer, user)
        shown = may_see(relation, "everyone", viewers)
        answer = device_of(viewer).get(card(user))
        assert answer.json().get("online") is shown
        listed = device_of(viewer).get(PRESENCE).json()
        assert listed["online_count"] == (1 if shown and relation == "contact" else 0)


def test_one_sees_oneself(open_socket):
    alice = make_user()
    phone = device_of(alice)
    assert phone.get(card(alice)).json()["online"] is False
    on_loop(open_socket(phone, alice))
    assert phone.get(card(alice)).json()["online"] is True


def test_who_is_gone_is_not_found_and_in_no_list():
    viewer, deleted, shut_out = make_user(), make_user(), make_user()
    for user in (deleted, shut_out):
        add_contact(user=viewer, username=user.username)
        LastSeen.objects.create(user_id=user.id, at=timezone.now())
    empty(deleted)
    shut_out.is_active = False
    shut_out.save()
    phone = device_of(viewer)
    for user in (deleted, shut_out):
        assert phone.get(card(user)).status_code == 404
    assert phone.get(PRESENCE).json()["results"] == []
    # Who is deactivated may come back; of a deleted account nothing is kept.
    assert list(LastSeen.objects.values_list("user_id", flat=True)) == [shut_out.id]


def test_contacts_come_in_pages():
    viewer = make_user()
    friends = [make_user() for _ in range(5)]
    for friend in friends:
        befriend(viewer, friend)
    phone, found = device_of(viewer), []
    page = phone.get(f"{PRESENCE}?limit=2").json()
    while True:
        assert page["contacts_count"] == 5
        found += [row["user_id"] for row in page["results"]]
        if page["next"] is None:
            break
        page = phone.get(f"{PRESENCE}?limit=2&after={page['next']}").json()
    assert found == sorted((str(friend.id) for friend in friends), key=int)
    assert phone.get(f"{PRESENCE}?limit=0").status_code == 400


def test_reading_costs_the_same_however_many_contacts_there_are(monkeypatch):
    costs = []
    for size in SIZES:
        viewer = make_user()
        friends = [make_user() for _ in range(size)]
        for friend in friends:
            befriend(viewer, friend)
        phone = device_of(viewer)
        phone.get(PRESENCE)
        with statements(monkeypatch) as listing:
            assert len(phone.get(f"{PRESENCE}?limit=200").json()["results"]) == size
        with statements(monkeypatch) as looking:
            phone.get(card(friends[0]))
        costs.append((len(listing), len(looking)))
    # One of each asks whose token it is.
    assert costs == [(3, 4)] * len(SIZES)


def test_connecting_costs_the_same_however_many_contacts_there_are(monkeypatch, open_socket):
    costs = []
    for size in SIZES:
        alice = make_user()
        friends = [make_user() for _ in range(size)]
        for friend in friends:
            befriend(alice, friend)
        Installation.current_epoch()
        phone, tablet = device_of(alice), device_of(friends[0])
        other = on_loop(open_socket(tablet, friends[0]))
        on_loop(quiet())
        with statements(monkeypatch) as found:
            writer = on_loop(open_socket(phone, alice))
            on_loop(told(other, alice))
        [snapshot] = writer.of("presence.snapshot")
        assert snapshot["online"] == [str(friends[0].id)]
        assert snapshot["contacts_count"] == size
        # Those for the circle, and for whom to tell that she is here.
        costs.append(sum("contacts_contact" in sql or "last_seen_for" in sql for sql in found))
    assert len(set(costs)) == 1, costs


def test_who_reads_slowly_is_told_once_they_have_read(open_socket):
    alice, bob = make_user(), make_user()
    befriend(alice, bob)
    device = device_of(bob)
    tablet = on_loop(open_socket(device, bob))
    tablet.stuck = 100_000
    on_loop(open_socket(device_of(alice), alice))
    while not device.get(card(alice)).json()["online"]:
        pass
    on_loop(quiet())
    assert tablet.of("presence.changed") == []
    tablet.stuck = 0

    async def look():
        presence()._tracker.back.set()

    on_loop(look())
    on_loop(told(tablet, alice))


def test_last_seen_only_moves_forward_and_is_kept_of_those_who_are_here():
    alice, deleted = make_user(), make_user()
    empty(deleted)
    now = timezone.now()
    for ago in (2, 1, 3):
        at = now - timedelta(minutes=ago)
        save_last_seen({alice.id: at, deleted.id: at})
    assert list(LastSeen.objects.values_list("user_id", "at")) == [
        (alice.id, now - timedelta(minutes=1))
    ]
