"""What others see of somebody who deleted their account: everything they wrote, and nobody."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.tests.rest import device_of, make_user
from contacts.models import Block, Contact
from contacts.services import add_contact, block_user
from conversations.services.direct import open_direct
from conversations.tests.people import CONVERSATIONS, make_friends, post
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def delete(user):
    """Delete an account through its door; the answer."""
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    return device_of(user).delete("/api/v1/me", {"password": PASSWORD})


def test_messages_stay_and_nobody_answers():
    friends = make_friends()
    bob = friends.bob
    post(friends.tablet, friends.conversation_id, "from bob")
    before = User.objects.get(id=friends.alice.id).feed_seq
    assert delete(bob).status_code == 204
    assert User.objects.get(id=friends.alice.id).feed_seq > before
    gone = {"id": str(bob.id), "username": "", "display_name": "", "deleted": True, "bot": False}
    phone = friends.phone
    [listed] = phone.get(CONVERSATIONS).json()["results"]
    one = phone.get(f"{CONVERSATIONS}/{friends.conversation_id}").json()
    assert listed == one
    assert (one["peer"], one["may_send"]) == (gone, False)
    assert one["last_message"]["sender_id"] == str(bob.id)
    [message] = phone.get(friends.messages).json()["results"]
    assert message["text"] == "from bob"
    [friend] = phone.get("/api/v1/private-messages").json()["results"]
    assert friend["friend"] == gone
    refused = post(phone, friends.conversation_id)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert phone.put(f"{CONVERSATIONS}/{friends.conversation_id}/receipt", {"read_seq": 1}).json()
    body = {"user_id": str(bob.id)}
    assert phone.post(f"{CONVERSATIONS}/direct", body).json()["id"] == one["id"]


def test_nobody_has_them_in_a_list_and_their_blocks_are_gone():
    friends = make_friends()
    carol, dave, erin = make_user(), make_user(), make_user()
    add_contact(user=erin, username=friends.bob.username)
    block_user(user=carol, other_id=friends.bob.id)
    block_user(user=friends.bob, other_id=dave.id)
    feeds = dict(User.objects.values_list("id", "feed_seq"))
    assert delete(friends.bob).status_code == 204
    assert friends.phone.get("/api/v1/contacts").json()["results"] == []
    assert device_of(carol).get("/api/v1/blocks").json()["results"] == []
    assert not Contact.objects.exists()
    assert not Block.objects.exists()
    now = dict(User.objects.values_list("id", "feed_seq"))
    told = [now[user.id] > feeds[user.id] for user in (friends.alice, erin, carol, dave)]
    # Dave, who was blocked, is not told that anything happened.
    assert told == [True, True, True, False]
    for path in ("contacts", "blocks"):
        for method in ("put", "delete"):
            answer = getattr(friends.phone, method)(f"/api/v1/{path}/{friends.bob.id}")
            assert answer.status_code < 500


def test_a_deletion_costs_the_same_however_many_know_the_user():
    costs = []
    for count in (1, 6):
        user = make_user()
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
        for _ in range(count):
            friend = make_user()
            add_contact(user=user, username=friend.username)
            open_direct(user_id=user.id, other_id=friend.id)
        device = device_of(user)
        with CaptureQueriesContext(connection) as queries:
            assert device.delete("/api/v1/me", {"password": PASSWORD}).status_code == 204
        costs.append(len(queries))
    assert costs[0] == costs[1]
    assert costs[0] <= 75


def test_friends_who_delete_themselves_at_once_do_not_stand_in_each_others_way():
    for _ in range(3):
        friends = make_friends()
        for user in (friends.alice, friends.bob):
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
        answers = run_together(
            [
                lambda device=device: device.delete("/api/v1/me", {"password": PASSWORD})
                for device in (device_of(friends.alice), device_of(friends.bob))
            ]
            + [lambda f=friends: post(f.phone, f.conversation_id)]
        )
        assert [answer.status_code for answer in answers[:2]] == [204, 204]
        assert answers[2].status_code < 500
        assert not Contact.objects.exists()


def test_a_contact_made_at_the_same_moment_does_not_outlive_the_account():
    for _ in range(3):
        user, other = make_user(), make_user()
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
        device, friend = device_of(user), device_of(other)
        deleted, added = run_together(
            [
                lambda d=device: d.delete("/api/v1/me", {"password": PASSWORD}),
                lambda f=friend, u=user: f.post("/api/v1/contacts", {"username": u.username}),
            ]
        )
        assert deleted.status_code == 204
        assert added.status_code in {201, 404}
        assert not Contact.objects.exists()
