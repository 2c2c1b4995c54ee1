"""What others see of somebody who was deactivated, and of the same who was let in again."""

import pytest

from accounts.models import User
from accounts.services import set_user_active
from accounts.tests.rest import device_of
from contacts.services import block_user, remove_contact
from conversations.tests.people import CONVERSATIONS, make_friends, post

pytestmark = pytest.mark.django_db(transaction=True)


def feed_of(user):
    return User.objects.get(id=user.id).feed_seq


def shown(friends):
    """How Alice sees the conversation with Bob."""
    return friends.phone.get(f"{CONVERSATIONS}/{friends.conversation_id}").json()


def test_nobody_writes_to_who_is_shut_out_and_everybody_is_told():
    friends = make_friends()
    before = feed_of(friends.alice)
    set_user_active(user_id=friends.bob.id, is_active=False)
    assert feed_of(friends.alice) > before
    assert (shown(friends)["peer"]["deleted"], shown(friends)["may_send"]) == (True, False)
    assert post(friends.phone, friends.conversation_id).status_code == 403
    assert friends.phone.get("/api/v1/contacts").json()["results"] == []


def test_who_is_let_in_again_writes_with_contacts_as_before():
    friends = make_friends()
    set_user_active(user_id=friends.bob.id, is_active=False)
    before = feed_of(friends.alice)
    set_user_active(user_id=friends.bob.id, is_active=True)
    assert feed_of(friends.alice) > before
    assert (shown(friends)["peer"]["deleted"], shown(friends)["may_send"]) == (False, True)
    assert post(friends.phone, friends.conversation_id).status_code == 201


@pytest.mark.parametrize("end", [remove_contact, block_user])
def test_what_ended_stays_ended(end):
    friends = make_friends()
    end(user=friends.alice, other_id=friends.bob.id)
    set_user_active(user_id=friends.bob.id, is_active=False)
    set_user_active(user_id=friends.bob.id, is_active=True)
    assert shown(friends)["may_send"] is False
    assert post(friends.phone, friends.conversation_id).status_code == 403


def test_two_who_were_shut_out_write_again_only_when_both_are_back():
    friends = make_friends()
    for user in (friends.alice, friends.bob):
        set_user_active(user_id=user.id, is_active=False)
    set_user_active(user_id=friends.bob.id, is_active=True)
    tablet = device_of(friends.bob)
    assert post(tablet, friends.conversation_id).status_code == 403
    set_user_active(user_id=friends.alice.id, is_active=True)
    assert post(tablet, friends.conversation_id).status_code == 201


def test_shutting_out_twice_changes_nothing():
    friends = make_friends()
    set_user_active(user_id=friends.bob.id, is_active=False)
    before = feed_of(friends.alice)
    set_user_active(user_id=friends.bob.id, is_active=False)
    assert feed_of(friends.alice) == before
