"""Members of a group: added, removed, gone by themselves, promoted; the owner above all."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.tests.rest import device_of, make_user
from contacts.models import Contact
from contacts.services import block_user
from conversations.models import Conversation, Membership
from conversations.tests.people import CONVERSATIONS, head, post
from groups.tests.people import GROUPS, befriend, make_circle, members_of, told

pytestmark = pytest.mark.django_db
# Messages are stored by the log writer, whose transactions are its own.
sending = pytest.mark.django_db(transaction=True)

GONE = {"username": "", "display_name": "", "deleted": True, "bot": False}


def count(circle):
    return Conversation.objects.get(id=circle.id).member_count


def add(device, circle, *users):
    return device.post(f"{circle.url}/members", {"member_ids": [str(user.id) for user in users]})


def remove(device, circle, user):
    return device.delete(f"{circle.url}/members/{user.id}")


def texts(device, circle):
    page = device.get(f"{CONVERSATIONS}/{circle.id}/messages").json()
    return [message["text"] for message in page["results"] if message["kind"] == "text"]


# --- adding


def test_adding_tells_the_log_once_and_again_changes_nothing(circle):
    phone, before = circle.device("admin"), len(told(circle.id))
    for added in ([str(circle.friend.id)], []):
        answer = add(phone, circle, circle.friend)
        assert (answer.status_code, answer.json()) == (200, {"added": added})
    assert told(circle.id)[before:] == [("members.added", circle.admin.id, [circle.friend.id], "")]
    assert members_of(phone, circle)[circle.friend.id] == "member"
    assert count(circle) == 4


def test_one_who_is_no_contact_keeps_all_out(circle):
    phone, before = circle.device("owner"), head(circle.id)
    blocker, gone = make_user(), make_user(is_active=False)
    befriend(circle.owner, gone, blocker)
    block_user(user=blocker, other_id=circle.owner.id)
    for other in (make_user(), gone, blocker):
        answer = add(phone, circle, circle.friend, other)
        assert answer.status_code == 400
        assert answer.json()["fields"] == {
            "member_ids": f"cannot be added by you, but by an invitation: {other.id}"
        }
    assert head(circle.id) == before


@sending
def test_newcomers_see_the_log_from_their_joining_or_all_of_it(circle):
    phone = circle.device("owner")
    post(phone, circle.id, "before")
    late, latest = make_user(), make_user()
    befriend(circle.owner, late, latest)
    add(phone, circle, late)
    phone.patch(circle.url, {"history": "all"})
    add(phone, circle, latest)
    post(phone, circle.id, "after")
    assert texts(device_of(late), circle) == ["after"]
    assert texts(device_of(latest), circle) == ["before", "after"]
    unread = device_of(latest).get(f"{CONVERSATIONS}/{circle.id}").json()["unread"]
    assert unread == 1


@sending
def test_who_left_or_was_removed_comes_back_by_a_contact(circle):
    phone, tablet = circle.device("owner"), circle.device("member")
    for end in (
        lambda: remove(phone, circle, circle.member),
        lambda: tablet.post(f"{circle.url}/leave"),
    ):
        phone.patch(f"{circle.url}/members/{circle.member.id}", {"role": "admin"})
        assert end().status_code == 204
        assert tablet.get(circle.url).status_code == 404
        post(phone, circle.id, "meanwhile")
        assert add(phone, circle, circle.member).status_code == 200
        # What they were before is forgotten.
        assert tablet.get(circle.url).json()["role"] == "member"
        assert texts(tablet, circle) == []
    assert Membership.objects.filter(conversation_id=circle.id).count() == 3


def test_adding_many_costs_as_many_queries_as_adding_few(circle, django_assert_max_num_queries):
    phone = circle.device("owner")
    costs = []
    for number in (1, 80):
        newcomers = [make_user() for _ in range(number)]
        for user in newcomers:
            befriend(circle.owner, user)
        with django_assert_max_num_queries(30) as asked:
            assert len(add(phone, circle, *newcomers).json()["added"]) == number
        costs.append(len(asked))
    assert costs[0] == costs[1]


@sending
def test_ten_thousand_are_added_by_the_thousand_each_at_the_same_cost(
    circle, settings, django_assert_max_num_queries
):
    settings.GROUP_MEMBERS_MAX = 10_003
    phone, costs = circle.device("owner"), []
    for number in range(10):
        names = [f"many{number}.{place}" for place in range(1_000)]
        users = User.objects.bulk_create(
            User(username=n, username_key=n, email=f"{n}@example.org", email_key=n) for n in names
        )
        now = timezone.now()
        Contact.objects.bulk_create(
            Contact(owner=circle.owner, user=user, created_at=now) for user in users
        )
        with django_assert_max_num_queries(40) as asked:
            assert len(add(phone, circle, *users).json()["added"]) == 1_000
        costs.append(len(asked))
    assert set(costs) == {costs[0]}
    assert count(circle) == 10_003
    answer = add(phone, circle, circle.friend)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    page = phone.get(f"{circle.url}/members", {"limit": "200"}).json()
    assert (len(page["results"]), page["next"]) == (200, page["results"][-1]["user"]["id"])
    settings.GROUP_MEMBERS_MAX += 1
    assert costs_of_governing(circle) == costs_of_governing(make_circle())


def costs_of_governing(circle):
    """How many queries each thing takes that is done to a group; at the end it is closed."""
    phone, tablet = circle.device("owner"), circle.device("admin")
    member, admin = (f"{circle.url}/members/{user.id}" for user in (circle.member, circle.admin))
    assert post(phone, circle.id).status_code == 201
    steps = [
        lambda: phone.get(circle.url),
        lambda: phone.get(f"{CONVERSATIONS}/{circle.id}/messages"),
        lambda: phone.patch(circle.url, {"name": "Larger"}),
        lambda: add(phone, circle, circle.friend),
        lambda: phone.patch(member, {"role": "admin"}),
        lambda: phone.delete(member),
        lambda: tablet.post(f"{circle.url}/leave"),
        lambda: phone.delete(admin),
        lambda: phone.post(f"{circle.url}/close"),
    ]
    costs = []
    for step in steps:
        with CaptureQueriesContext(connection) as asked:
            costs.append((step().status_code, len(asked)))
    return costs


# --- removing and leaving


@sending
def test_whoever_is_removed_reads_nothing_more_and_is_told(circle):
    phone, tablet = circle.device("admin"), circle.device("member")
    before = User.objects.get(id=circle.member.id).feed_seq
    assert remove(phone, circle, circle.member).status_code == 204
    assert User.objects.get(id=circle.member.id).feed_seq == before + 1
    assert told(circle.id)[-1] == ("member.removed", circle.admin.id, [circle.member.id], "")
    assert count(circle) == 2
    for door in (circle.url, f"{circle.url}/members", f"{CONVERSATIONS}/{circle.id}/messages"):
        assert tablet.get(door).status_code == 404
    assert post(tablet, circle.id).status_code == 404
    assert remove(phone, circle, circle.member).status_code == 404
    assert remove(phone, circle, make_user()).status_code == 404


@sending
def test_leaving_is_told_and_done_once(circle):
    tablet = circle.device("member")
    assert tablet.post(f"{circle.url}/leave").status_code == 204
    assert told(circle.id)[-1] == ("member.left", circle.member.id, [circle.member.id], "")
    assert tablet.post(f"{circle.url}/leave").status_code == 404
    assert (count(circle), post(tablet, circle.id).status_code) == (2, 404)


def test_an_owner_passes_the_group_on_before_leaving(circle):
    phone = circle.device("owner")
    answer = phone.post(f"{circle.url}/leave")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    passed = phone.post(f"{circle.url}/transfer", {"user_id": str(circle.member.id)})
    assert passed.status_code == 204
    roles = members_of(phone, circle)
    assert (roles[circle.owner.id], roles[circle.member.id]) == ("admin", "owner")
    assert told(circle.id)[-2:] == [
        ("role.changed", circle.owner.id, [circle.member.id], "owner"),
        ("role.changed", circle.owner.id, [circle.owner.id], "admin"),
    ]
    assert phone.post(f"{circle.url}/leave").status_code == 204


def test_the_last_one_who_leaves_closes_the_group(circle):
    phone = circle.device("owner")
    for user in (circle.admin, circle.member):
        remove(phone, circle, user)
    assert phone.post(f"{circle.url}/leave").status_code == 204
    assert [action for action, *_ in told(circle.id)[-2:]] == ["group.closed", "member.left"]
    conversation = Conversation.objects.get(id=circle.id)
    assert conversation.closed_at is not None
    assert conversation.member_count == 0


# --- roles


def test_a_role_is_given_and_taken_and_told_once(circle):
    phone, member_id = circle.device("owner"), circle.member.id
    before = len(told(circle.id))
    for role in ("admin", "admin", "member"):
        answer = phone.patch(f"{circle.url}/members/{member_id}", {"role": role})
        assert answer.status_code == 204
        assert members_of(phone, circle)[member_id] == role
    assert told(circle.id)[before:] == [
        ("role.changed", circle.owner.id, [member_id], "admin"),
        ("role.changed", circle.owner.id, [member_id], "member"),
    ]


def test_nobody_becomes_an_owner_but_by_a_transfer(circle):
    phone = circle.device("owner")
    answer = phone.patch(f"{circle.url}/members/{circle.admin.id}", {"role": "owner"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    answer = phone.patch(f"{circle.url}/members/{circle.owner.id}", {"role": "member"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    gone = phone.patch(f"{circle.url}/members/{circle.friend.id}", {"role": "admin"})
    assert gone.status_code == 404


def test_a_group_is_not_passed_on_to_oneself_an_outsider_or_somebody_who_is_gone(circle):
    phone = circle.device("owner")

    def pass_on(user):
        return phone.post(f"{circle.url}/transfer", {"user_id": str(user.id)})

    assert pass_on(circle.owner).status_code == 400
    block_user(user=circle.member, other_id=circle.owner.id)
    User.objects.filter(id=circle.admin.id).update(is_active=False)
    for user in (circle.friend, circle.member, circle.admin):
        assert pass_on(user).status_code == 404
    assert members_of(phone, circle)[circle.owner.id] == "owner"


# --- the list


def test_the_list_names_members_by_id_in_pages(circle):
    phone = circle.device("member")
    everybody = sorted([circle.owner.id, circle.admin.id, circle.member.id])
    seen: list[int] = []
    after: dict[str, str] = {}
    while True:
        page = phone.get(f"{circle.url}/members", {"limit": "1", **after}).json()
        seen += [int(row["user"]["id"]) for row in page["results"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == everybody
    beyond = phone.get(f"{circle.url}/members", {"after": str(2**62)})
    assert (beyond.status_code, beyond.json()) == (200, {"results": [], "next": None})
    outsider = circle.device("friend").get(f"{circle.url}/members", {"after": str(2**62)})
    assert outsider.status_code == 404


def test_who_is_gone_for_the_viewer_is_shown_as_deleted(circle):
    block_user(user=circle.admin, other_id=circle.owner.id)
    User.objects.filter(id=circle.member.id).update(is_active=False)
    rows = {
        row["user"]["id"]: row["user"]
        for row in circle.device("owner").get(f"{circle.url}/members").json()["results"]
    }
    for user in (circle.admin, circle.member):
        assert rows[str(user.id)] == GONE | {"id": str(user.id)}
    assert rows[str(circle.owner.id)]["username"] == circle.owner.username
    # A block is one-sided to look at.
    seen = circle.device("admin").get(f"{circle.url}/members").json()["results"]
    assert circle.owner.username in {row["user"]["username"] for row in seen}


def test_a_direct_conversation_is_no_group(circle):
    phone = circle.device("owner")
    opened = phone.post(f"{CONVERSATIONS}/direct", {"user_id": str(circle.friend.id)})
    place = f"{GROUPS}/{opened.json()['id']}"
    asked = [
        phone.get(place),
        phone.get(f"{place}/members"),
        phone.patch(place, {"name": "x"}),
        phone.post(f"{place}/leave"),
        phone.post(f"{place}/close"),
        phone.delete(f"{place}/members/{circle.friend.id}"),
    ]
    assert {answer.status_code for answer in asked} == {404}
