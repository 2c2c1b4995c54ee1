"""The list of conversations: in which order, and with which last messages."""

import pytest

from accounts.tests.rest import make_user
from contacts.services import add_contact
from conversations.services.direct import open_direct
from conversations.tests.people import CONVERSATIONS, join, make_friends, make_group, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def listed(device):
    """(id, text of the last message) of each conversation, as the list has them."""
    rows = device.get(CONVERSATIONS).json()["results"]
    return [(int(row["id"]), row["last_message"] and row["last_message"]["text"]) for row in rows]


@pytest.fixture
def friends():
    return make_friends()


@pytest.fixture
def other(friends):
    """A second conversation of Alice's, which is newer and in which nothing was said."""
    carol = make_user()
    add_contact(user=friends.alice, username=carol.username)
    return open_direct(user_id=friends.alice.id, other_id=carol.id)[0]


def test_the_newest_message_decides(friends, other):
    assert listed(friends.phone) == [(other, None), (friends.conversation_id, None)]
    post(friends.phone, friends.conversation_id, "one")
    assert listed(friends.phone) == [(friends.conversation_id, "one"), (other, None)]
    post(friends.phone, other, "two")
    assert listed(friends.phone) == [(other, "two"), (friends.conversation_id, "one")]


@pytest.mark.parametrize("seq", [1, 2])
def test_a_message_that_was_changed_is_still_the_last(friends, other, seq):
    for text in ("one", "two"):
        post(friends.phone, friends.conversation_id, text)
    assert friends.phone.patch(f"{friends.messages}/{seq}", {"text": "new"}).status_code == 200
    last = "new" if seq == 2 else "two"
    assert listed(friends.phone) == [(friends.conversation_id, last), (other, None)]
    assert friends.phone.delete(f"{friends.messages}/{seq}").status_code == 200
    last = "" if seq == 2 else "two"
    assert listed(friends.phone) == [(friends.conversation_id, last), (other, None)]
    shown = friends.tablet.get(f"{CONVERSATIONS}/{friends.conversation_id}").json()
    assert (shown["head"], shown["last_message"]["seq"]) == (4, 2)


def test_to_a_newcomer_what_was_before_is_not_shown(friends):
    group = make_group(friends.alice)
    post(friends.phone, group, "before")
    join(group, friends.bob)
    assert listed(friends.tablet)[0] == (group, None)
    post(friends.phone, group, "after")
    assert listed(friends.tablet)[0] == (group, "after")


def test_who_has_more_than_a_statement_is_told_gets_the_ones_they_ask_for(friends, monkeypatch):
    monkeypatch.setattr("conversations.selectors.lists.IDS_MAX", 0)
    group = make_group(friends.alice)
    post(friends.phone, group, "hello")
    shown = friends.phone.get(f"{CONVERSATIONS}/{group}").json()
    assert (shown["id"], shown["last_message"]["text"]) == (str(group), "hello")
