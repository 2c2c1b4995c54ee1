"""/v1/ over REST: what it costs, how far its lists go, and whose addresses it shows."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Session
from accounts.services import start_session
from accounts.tests.rest import make_user
from chatbe.legacy_v1.selectors import NEWEST
from common.limits import window
from contacts.models import Contact
from contacts.services import add_contact, block_user
from conversations.log.append import append_messages
from conversations.models import Message
from conversations.services.direct import open_direct
from conversations.services.edits import edit_message
from conversations.tests.people import draft
from groups.services.groups import create_group
from tests.kit.secret_scan import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_limits():
    window.forget_everything()


def client_of(user):
    client = APIClient()
    token = start_session(user=user).access_token
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def with_friends(count, *, texts=1):
    """Somebody with so many contacts who has written with all of them."""
    user = make_user()
    for _ in range(count):
        friend = make_user()
        add_contact(user=user, username=friend.username)
        place, _ = open_direct(user_id=user.id, other_id=friend.id)
        if texts:
            append_messages([draft(friend, place, f"text {n}") for n in range(texts)])
    return user


def get(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.mark.parametrize(
    ("address", "statements"), [("contact", 2), ("messages", 2), ("messages/friend", 4)]
)
def test_a_list_costs_the_same_however_long_it_is(address, statements, settings):
    settings.CONTACT_REQUESTS_PER_USER = ""
    for count in (1, 20):
        user = with_friends(count, texts=count)
        friend = Contact.objects.filter(owner=user).first().user
        client = client_of(user)
        with CaptureQueriesContext(connection) as queries:
            get(client, f"/v1/{address}?friendUsername={friend.username}")
        assert len(queries) == statements, [query["sql"] for query in queries]


def test_members_are_found_by_their_names_in_one_statement(settings):
    settings.CONTACT_REQUESTS_PER_USER = ""
    costs = set()
    for count in (2, 30):
        user = with_friends(count)
        names = [contact.user.username for contact in Contact.objects.filter(owner=user)]
        client = client_of(user)
        with CaptureQueriesContext(connection) as queries:
            body = {"name": uuid.uuid4().hex, "members": names}
            assert client.post("/v1/groups", body).status_code == 201
        costs.add(len(queries))
    assert len(costs) == 1


def test_a_list_goes_so_far_back_and_no_further():
    user = with_friends(1, texts=0)
    friend = Contact.objects.get(owner=user).user
    group, _ = create_group(user_id=user.id, name="all of us", member_ids=[friend.id])
    direct_id, _ = open_direct(user_id=user.id, other_id=friend.id)
    for place in (direct_id, group.conversation.id):
        append_messages([draft(user, place, str(number)) for number in range(NEWEST + 5)])
    client = client_of(user)
    [listed] = get(client, "/v1/messages")["message"]["friendId"].values()
    alone = get(client, f"/v1/messages/friend?friendUsername={friend.username}")["message"]
    group = get(client, "/v1/messages/group?groupName=all+of+us")["messages"]
    newest = [str(number) for number in range(5, NEWEST + 5)]
    for found in (listed, alone, group):
        assert [message["content"] for message in found] == newest


def test_what_is_edited_again_and_again_pushes_nothing_out_of_a_list(monkeypatch):
    monkeypatch.setattr("chatbe.legacy_v1.selectors.NEWEST", 3)
    user = with_friends(1, texts=4)
    friend = Contact.objects.get(owner=user).user
    direct_id, _ = open_direct(user_id=user.id, other_id=friend.id)
    for number in range(5):
        edit_message(user_id=friend.id, conversation_id=direct_id, seq=4, text=f"edit {number}")
    client = client_of(user)
    [listed] = get(client, "/v1/messages")["message"]["friendId"].values()
    alone = get(client, f"/v1/messages/friend?friendUsername={friend.username}")["message"]
    for found in (listed, alone):
        assert [message["content"] for message in found] == ["text 1", "text 2", "edit 4"]


def test_others_addresses_are_shown_only_if_the_operator_says_so(settings):
    user = with_friends(1)
    friend = Contact.objects.get(owner=user).user
    client = client_of(user)
    assert get(client, "/v1/contact")["contacts"][0]["email"] == ""
    settings.COMPAT_SHOW_EMAILS = True
    assert get(client, "/v1/contact")["contacts"][0]["email"] == friend.email


def test_under_the_request_policy_somebody_is_asked_first(settings):
    settings.CONTACT_POLICY = "request"
    alice, bob = make_user(), make_user()
    answer = client_of(alice).post("/v1/contact/add", {"friend_username": bob.username})
    assert (answer.status_code, answer.json()["username"]) == (201, alice.username)
    assert get(client_of(alice), "/v1/contact") == {"contacts": []}
    assert client_of(bob).post("/v1/contact/add", {"friend_username": alice.username}).json()
    assert get(client_of(alice), "/v1/contact")["contacts"][0]["username"] == bob.username


def test_whoever_blocks_somebody_is_nobody_to_them():
    alice, bob = make_user(), make_user()
    add_contact(user=alice, username=bob.username)
    open_direct(user_id=alice.id, other_id=bob.id)
    block_user(user=bob, other_id=alice.id)
    client = client_of(alice)
    for name in (bob.username, "nobody.at.all"):
        answers = [
            client.get(f"/v1/messages/friend?friendUsername={name}"),
            client.post("/v1/contact/add", {"friend_username": name}),
            client.post("/v1/groups", {"name": "us", "members": [name]}),
        ]
        assert [answer.status_code for answer in answers] == [400, 400, 400]


def test_a_deleted_message_is_left_out():
    user = with_friends(1, texts=3)
    Message.objects.filter(seq=2).update(deleted_at=timezone.now(), text="")
    [listed] = get(client_of(user), "/v1/messages")["message"]["friendId"].values()
    assert [message["content"] for message in listed] == ["text 0", "text 2"]


def test_a_session_ends_after_seven_days_with_its_refresh_token():
    user = make_user(password=PASSWORD)
    body = {"email": user.email, "password": PASSWORD}
    answer = APIClient().post("/v1/auth/login", body).json()
    session = Session.objects.get(user=user)
    assert (session.expires_at - session.created_at).days == 7
    refresh = {"refresh_token": answer["refresh_token"]}
    assert APIClient().post("/v1/auth/token", refresh).status_code == 201
    Session.objects.update(expires_at=timezone.now())
    assert APIClient().post("/v1/auth/token", refresh).status_code == 400


def test_an_access_token_is_renewed_from_now_on():
    user = make_user(password=PASSWORD)
    body = {"email": user.email, "password": PASSWORD}
    first = APIClient().post("/v1/auth/login", body).json()
    Session.objects.update(rotated_at=timezone.now() - timedelta(days=1))
    refresh = {"refresh_token": first["refresh_token"]}
    again = APIClient().post("/v1/auth/token", refresh).json()
    assert again["access_token_expires_at"] >= first["access_token_expires_at"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {again['access_token']}")
    assert get(client, "/v1/contact") == {"contacts": []}


@pytest.mark.parametrize("rule", ["REST_WRITES_PER_ADDRESS", "REST_WRITES_PER_USER"])
def test_what_comes_too_fast_is_refused_in_the_old_form(settings, rule):
    client = client_of(make_user())
    setattr(settings, rule, "2/hour")
    body = {"friend_username": "nobody.at.all"}
    answers = [client.post("/v1/contact/add", body, REMOTE_ADDR="10.9.8.7") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert list(answers[-1].json()) == ["error"]
    assert int(answers[-1]["Retry-After"]) > 0
