"""POST auth/ticket, and spending what it gives (S3)."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts import services
from accounts.models import Session, Ticket, User
from accounts.tests.rest import device_of, make_user
from common.errors import SessionEnded, WrongCredentials
from tests.kit.concurrency import run_together

pytestmark = pytest.mark.both_databases


URL = "/api/v1/auth/ticket"


@pytest.fixture
def device():
    return device_of(make_user("alice"))


@pytest.mark.django_db
def test_a_ticket_is_worth_its_session_once(device, settings):
    answer = device.post(URL)
    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == {"ticket", "expires_at"}
    left = parse_datetime(body["expires_at"]) - timezone.now()
    assert timedelta() < left <= timedelta(seconds=settings.TICKET_SECONDS)
    session = services.spend_ticket(body["ticket"])
    assert session == device.tokens.session
    with pytest.raises(WrongCredentials):
        services.spend_ticket(body["ticket"])


@pytest.mark.django_db
def test_spending_loads_the_user_as_well(device, django_assert_num_queries):
    ticket = device.post(URL).json()["ticket"]
    # Two of these are the savepoint that stands for the transaction in a test.
    with django_assert_num_queries(4):
        assert services.spend_ticket(ticket).user.username == "alice"


@pytest.mark.django_db
def test_only_the_hash_of_a_ticket_is_stored(device):
    ticket = device.post(URL).json()["ticket"]
    assert len(ticket) == 43
    assert ticket not in str(Ticket.objects.values().get())


@pytest.mark.django_db
def test_a_ticket_that_came_too_late_is_refused(device):
    ticket = device.post(URL).json()["ticket"]
    Ticket.objects.update(expires_at=timezone.now())
    with pytest.raises(WrongCredentials):
        services.spend_ticket(ticket)


@pytest.mark.django_db
def test_tickets_nobody_spent_are_cleared_away(device):
    device.post(URL)
    Ticket.objects.update(expires_at=timezone.now())
    device.post(URL)
    assert Ticket.objects.count() == 1


@pytest.mark.django_db
def test_a_caller_may_give_a_ticket_more_time(device):
    _, expires_at = services.create_ticket(session=device.tokens.session, seconds=120)
    assert expires_at > timezone.now() + timedelta(seconds=100)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "x", "\ud800", "A" * 43, "A" * 10_000, "%", "' OR 1=1 --"])
def test_what_was_never_a_ticket_is_refused(text, device):
    device.post(URL)
    with pytest.raises(WrongCredentials):
        services.spend_ticket(text)
    assert Ticket.objects.count() == 1


@pytest.mark.django_db
def test_a_ticket_dies_with_its_session(device):
    ticket = device.post(URL).json()["ticket"]
    Session.objects.update(ended_at=timezone.now())
    with pytest.raises(SessionEnded):
        services.spend_ticket(ticket)


@pytest.mark.django_db
def test_a_ticket_dies_with_its_user(device):
    ticket = device.post(URL).json()["ticket"]
    User.objects.update(is_active=False)
    with pytest.raises(SessionEnded):
        services.spend_ticket(ticket)


@pytest.mark.django_db(transaction=True)
def test_of_two_hundred_uses_of_one_ticket_exactly_one_succeeds():
    device = device_of(make_user())
    ticket = device.post(URL).json()["ticket"]
    results = run_together([lambda: services.spend_ticket(ticket)] * 200)
    assert sum(isinstance(result, Session) for result in results) == 1
    assert sum(isinstance(result, WrongCredentials) for result in results) == 199


@pytest.mark.django_db
def test_many_are_spent_at_once_and_each_has_its_own_answer(device):
    good = services.create_ticket(session=device.tokens.session)[0]
    gone = device_of(make_user("bob"))
    ended = services.create_ticket(session=gone.tokens.session)[0]
    Session.objects.filter(id=gone.tokens.session.id).update(ended_at=timezone.now())
    found = services.spend_tickets([good, ended, "none", "\ud800"])
    assert found[good] == device.tokens.session
    assert isinstance(found[ended], SessionEnded)
    assert [type(found[other]) for other in ("none", "\ud800")] == [WrongCredentials] * 2
    again = services.spend_tickets([good, ended])
    assert {type(outcome) for outcome in again.values()} == {WrongCredentials}
