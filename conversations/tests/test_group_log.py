"""What a group's log says of its members and rules, and what the append makes of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.tests.rest import device_of, make_user
from conversations.log.append import append_messages
from conversations.log.changes import append_system
from conversations.models import Conversation, Membership, Message
from conversations.services.edits import delete_for_everyone
from conversations.services.members import (
    add_members,
    create_group,
    lock_group,
    remove_member,
    set_role,
)
from conversations.tests.people import CONVERSATIONS, codes, draft, make_friends, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def owner():
    return make_user("owner")


@pytest.fixture
def ben():
    return make_user("ben")


@pytest.fixture
def group_id(owner, ben):
    with transaction.atomic():
        return create_group(owner_id=owner.id, name="Walks", member_ids=[ben.id]).id


def change(group_id, **fields):
    Conversation.objects.filter(id=group_id).update(**fields)


def shown(user, group_id):
    return device_of(user).get(f"{CONVERSATIONS}/{group_id}").json()


def log_of(user, group_id):
    return device_of(user).get(f"{CONVERSATIONS}/{group_id}/messages").json()["results"]


def test_a_group_begins_with_who_is_in_it(owner, ben, group_id):
    told = [message["system"] for message in log_of(ben, group_id)]
    assert told == [
        {"action": "group.created", "user_ids": [str(owner.id)], "value": "Walks"},
        {"action": "members.added", "user_ids": [str(ben.id)], "value": ""},
    ]
    seen = shown(ben, group_id)
    assert (seen["kind"], seen["peer"], seen["unread"], seen["head"]) == ("group", None, 0, 2)
    assert seen["group"] == {
        "name": "Walks",
        "role": "member",
        "member_count": 2,
        "announcement_only": False,
        "slow_seconds": 0,
        "closed": False,
    }
    assert shown(owner, group_id)["group"]["role"] == "owner"


def test_system_messages_are_never_unread_and_have_no_number(owner, ben, group_id):
    post(device_of(owner), group_id, "hello")
    with transaction.atomic():
        group = lock_group(group_id)
        append_system(group, actor_id=owner.id, action="group.renamed", value="Runs")
    assert shown(ben, group_id)["unread"] == 1
    assert [m["number"] for m in log_of(ben, group_id)] == [0, 0, 1, 1]


@pytest.mark.parametrize(("share", "sees"), [(False, 1), (True, 4)])
def test_newcomers_see_the_log_from_their_joining_or_all_of_it(owner, group_id, share, sees):
    post(device_of(owner), group_id, "before")
    carol = make_user("carol")
    with transaction.atomic():
        group = lock_group(group_id, [carol.id])
        assert add_members(
            group, actor_id=owner.id, user_ids=[carol.id, owner.id], share_history=share
        ) == [carol.id]
    assert len(log_of(carol, group_id)) == sees
    assert shown(carol, group_id)["unread"] == 0
    assert Conversation.objects.get(id=group_id).member_count == 3


def test_who_was_removed_reads_and_writes_nothing_and_may_come_back(owner, ben, group_id):
    stored = post(device_of(ben), group_id, "mine", client_id="c")
    with transaction.atomic():
        remove_member(lock_group(group_id, [ben.id]), actor_id=owner.id, user_id=ben.id)
    assert post(device_of(ben), group_id, "more").status_code == 404
    assert device_of(ben).get(f"{CONVERSATIONS}/{group_id}/messages").status_code == 404
    again = post(device_of(ben), group_id, "mine", client_id="c")
    # That it was sent, and nothing of what became of it.
    told = ("conversation_id", "seq", "id", "client_id", "created_at")
    assert (again.status_code, again.json()) == (200, {n: stored.json()[n] for n in told})
    post(device_of(owner), group_id, "while he was away")
    with transaction.atomic():
        add_members(lock_group(group_id, [ben.id]), actor_id=owner.id, user_ids=[ben.id])
    assert [m["system"]["action"] for m in log_of(ben, group_id)] == ["members.added"]
    assert Conversation.objects.get(id=group_id).member_count == 2


def test_only_owners_and_admins_write_where_it_is_for_announcements(owner, ben, group_id):
    change(group_id, announcement_only=True)
    assert post(device_of(owner), group_id).status_code == 201
    assert post(device_of(ben), group_id).status_code == 403
    assert shown(ben, group_id)["may_send"] is False
    with transaction.atomic():
        group = lock_group(group_id, [ben.id])
        set_role(group, actor_id=owner.id, user_id=ben.id, role=Membership.Role.ADMIN)
    assert post(device_of(ben), group_id).status_code == 201
    assert shown(ben, group_id)["may_send"] is True


def test_nobody_writes_in_a_closed_group_and_all_still_read_it(owner, ben, group_id):
    change(group_id, closed_at=timezone.now())
    for user in (owner, ben):
        assert post(device_of(user), group_id).status_code == 403
        assert shown(user, group_id)["may_send"] is False
        assert len(log_of(user, group_id)) == 2


def test_slow_mode_holds_members_back_by_message_and_within_a_batch(owner, ben, group_id):
    change(group_id, slow_seconds=60)
    drafts = [draft(user, group_id, "x", client_id=f"{n}") for user in (ben, owner) for n in "123"]
    bad = draft(ben, group_id, "bad", reply_to=999)
    outcomes = append_messages([bad, *drafts])
    assert codes(outcomes) == [
        *("invalid", "stored", "rate_limited", "rate_limited"),
        *("stored", "stored", "stored"),
    ]
    assert outcomes[2].retry_after == 60
    # What is stored already is answered, however slow.
    again = [draft(ben, group_id, "x", client_id=n) for n in "12"]
    assert codes(append_messages(again)) == ["known", "rate_limited"]
    assert post(device_of(ben), group_id).status_code == 429
    Membership.objects.filter(conversation_id=group_id, user=ben).update(
        slow_until=timezone.now() - timedelta(seconds=1)
    )
    assert post(device_of(ben), group_id).status_code == 201
    assert post(device_of(ben), group_id).status_code == 429


def test_one_edits_ones_own_texts_and_the_change_takes_a_position(owner, ben, group_id):
    post(device_of(ben), group_id, "old", client_id="c")
    place = f"{CONVERSATIONS}/{group_id}/messages/3"
    for user, status in ((owner, 403), (make_user("stranger"), 404)):
        assert device_of(user).patch(place, {"text": "forged"}).status_code == status
    for seq, text, status in ((3, " ", 400), (2, "x", 404), (99, "x", 404)):
        refused = device_of(ben).patch(f"{CONVERSATIONS}/{group_id}/messages/{seq}", {"text": text})
        assert refused.status_code == status
    edited = device_of(ben).patch(place, {"text": "new"}).json()
    assert (edited["seq"], edited["changed_seq"], edited["number"]) == (3, 4, 1)
    assert edited["text"] == "new"
    assert edited["edited_at"]
    assert device_of(ben).patch(place, {"text": "new"}).json() == edited
    changes = device_of(owner).get(f"{CONVERSATIONS}/{group_id}/changes?after=3").json()
    assert (changes["changes"], changes["head"]) == ([edited], 4)
    assert post(device_of(ben), group_id, "old", client_id="c").json() == edited
    change(group_id, closed_at=timezone.now())
    assert device_of(ben).patch(place, {"text": "late"}).status_code == 403


def test_authors_and_admins_delete_and_what_is_left_is_a_place(owner, ben, group_id):
    post(device_of(owner), group_id, "the owner's")
    post(device_of(ben), group_id, "a member's", client_id="c")
    address = f"{CONVERSATIONS}/{group_id}/messages"
    assert device_of(ben).delete(f"{address}/3").status_code == 403
    assert device_of(ben).delete(f"{address}/1").status_code == 404
    gone = device_of(owner).delete(f"{address}/4").json()
    assert (gone["text"], gone["seq"], gone["changed_seq"]) == ("", 4, 5)
    assert gone["deleted_at"]
    assert device_of(ben).delete(f"{address}/4").json() == gone
    assert device_of(ben).patch(f"{address}/4", {"text": "back"}).status_code == 404
    assert post(device_of(ben), group_id, "a member's", client_id="c").json() == gone
    assert shown(owner, group_id)["unread"] == 1


def test_a_moderator_deletes_where_they_are_no_member():
    friends = make_friends()
    post(friends.phone, friends.conversation_id, "secret")
    gone = delete_for_everyone(conversation_id=friends.conversation_id, seq=1)
    assert gone.text == ""
    assert friends.tablet.get(f"{friends.messages}/1").json()["deleted_at"]


def test_sends_and_changes_at_once_leave_one_gapless_log(owner, ben, group_id):
    post(device_of(ben), group_id, "edited", client_id="c")

    def send(n):
        try:
            return codes(append_messages([draft(owner, group_id, f"{n}")]))
        finally:
            connection.close()

    def edit(n):
        try:
            phone = device_of(ben)
            place = f"{CONVERSATIONS}/{group_id}/messages/3"
            return phone.patch(place, {"text": f"edit {n}"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        sends = [threads.submit(send, n) for n in range(20)]
        edits = [threads.submit(edit, n) for n in range(10)]
        assert [job.result() for job in sends] == [["stored"]] * 20
        assert [job.result() for job in edits] == [200] * 10
    rows = Message.objects.filter(conversation_id=group_id)
    conversation = Conversation.objects.get(id=group_id)
    assert (conversation.last_seq, conversation.message_count) == (33, 21)
    seqs = set(rows.values_list("seq", flat=True))
    changed = rows.get(seq=3).changed_seq
    # Ten positions were taken by edits, the last of which is the message's.
    assert len(seqs) == 23
    assert changed in set(range(1, 34)) - seqs
    assert list(rows.order_by("number", "seq").values_list("number", flat=True)) == sorted(
        [0, 0, *range(1, 22)]
    )
