"""Groups over REST: made, looked at, changed, closed; and what the log tells of it."""

import pytest

from accounts.models import User
from accounts.tests.rest import device_of, make_user, same_answer
from common.times import iso_milliseconds
from contacts.services import block_user
from conversations.models import Conversation
from conversations.tests.people import CONVERSATIONS, post
from groups.models import Group
from groups.permissions import Permission
from groups.tests.people import GROUPS, befriend, told

pytestmark = pytest.mark.django_db
# Messages are stored by the log writer, whose transactions are its own.
sending = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people():
    people = [make_user(name) for name in ("ann", "ben", "cat")]
    befriend(*people)
    return people


def ids(*users):
    return [str(user.id) for user in users]


@sending
def test_whoever_makes_a_group_owns_it_and_its_members_are_there_at_once(people):
    ann, ben, cat = people
    phone, tablet = device_of(ann), device_of(ben)
    before = User.objects.get(id=ben.id).feed_seq
    body = {"name": " Mill ", "description": "By the river", "member_ids": ids(ben, cat)}
    answer = phone.post(GROUPS, body)
    assert answer.status_code == 201
    group = Group.objects.get()
    assert answer.json() == {
        "conversation_id": str(group.conversation_id),
        "name": "Mill",
        "description": "By the river",
        "member_count": 3,
        "announcement_only": False,
        "slow_seconds": 0,
        "history": "joining",
        "invite_policy": "admins",
        "created_at": iso_milliseconds(group.created_at),
        "closed_at": None,
        "role": "owner",
        "permissions": sorted(Permission),
    }
    assert tablet.get(f"{GROUPS}/{group.pk}").json()["role"] == "member"
    assert [row["id"] for row in tablet.get(CONVERSATIONS).json()["results"]] == [str(group.pk)]
    assert told(group.pk) == [
        ("group.created", ann.id, [ann.id], "Mill"),
        ("members.added", ann.id, [ben.id, cat.id], ""),
    ]
    assert User.objects.get(id=ben.id).feed_seq == before + 1
    assert post(tablet, group.pk).status_code == 201


def test_one_may_be_alone_in_a_group_and_naming_oneself_changes_nothing(people):
    ann, *_ = people
    answer = device_of(ann).post(GROUPS, {"name": "Notes", "member_ids": ids(ann, ann)})
    assert (answer.status_code, answer.json()["member_count"]) == (201, 1)


def test_only_contacts_come_along_and_nobody_can_tell_why_somebody_is_none(people):
    ann, ben, cat = people
    stranger, gone = make_user(), make_user(is_active=False)
    befriend(ann, gone)
    block_user(user=cat, other_id=ann.id)
    phone = device_of(ann)
    for other in (stranger.id, gone.id, cat.id, 4_711):
        answer = phone.post(GROUPS, {"name": "Mill", "member_ids": [*ids(ben), str(other)]})
        assert answer.status_code == 400
        assert answer.json()["fields"] == {
            "member_ids": f"cannot be added by you, but by an invitation: {other}"
        }
    assert not Conversation.objects.exists()


def test_the_same_creation_again_is_the_same_group(people):
    phone = device_of(people[0])
    body = {"name": "Mill", "client_id": "mill-1"}
    first, again = phone.post(GROUPS, body), phone.post(GROUPS, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = device_of(people[1]).post(GROUPS, body)
    assert other.status_code == 201
    assert phone.post(GROUPS, {"name": "Mill"}).status_code == 201
    assert phone.post(GROUPS, {"name": "Mill"}).status_code == 201
    assert Group.objects.count() == 4


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "x" * 101}, {"name": "a\nb"}, {"name": 1}, {"name": "a", "role": "x"},
     {"name": "a", "member_ids": ["x"]}, {"name": "a", "member_ids": "1"}, {"name": "a", "kind": "direct"},
     {"name": "a", "description": "x" * 1_001}, {"name": "a", "description": "\x00"},
     {"name": "a", "invite_policy": "nobody"}, {"name": "a", "client_id": ""}, {"name": "a", "client_id": "a b"}, []],
)  # fmt: skip
def test_a_creation_of_another_form_is_invalid(people, body):
    answer = device_of(people[0]).post(GROUPS, body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not Conversation.objects.exists()


def test_a_group_has_no_more_members_than_the_setting_says(people, settings):
    settings.GROUP_MEMBERS_MAX = 2
    ann, ben, cat = people
    phone = device_of(ann)
    answer = phone.post(GROUPS, {"name": "Mill", "member_ids": ids(ben, cat)})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    id = phone.post(GROUPS, {"name": "Mill", "member_ids": ids(ben)}).json()["conversation_id"]
    answer = phone.post(f"{GROUPS}/{id}/members", {"member_ids": ids(cat)})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    # Who is there already takes no place.
    answer = phone.post(f"{GROUPS}/{id}/members", {"member_ids": ids(ben)})
    assert (answer.status_code, answer.json()) == (200, {"added": []})


# --- settings


CHANGES = [
    ({"name": "Windmill"}, "group.renamed", "Windmill"),
    ({"description": "Up the hill"}, "description.changed", ""),
    ({"announcement_only": True}, "announcement_only.changed", "on"),
    ({"slow_seconds": 30}, "slow_mode.changed", "30"),
    ({"history": "all"}, "history.changed", "all"),
    ({"invite_policy": "members"}, "invite_policy.changed", "members"),
]


@pytest.mark.parametrize(("change", "action", "value"), CHANGES, ids=str)
def test_a_change_is_told_once_and_the_same_again_not_at_all(circle, change, action, value):
    phone, before = circle.device("owner"), len(told(circle.id))
    for _ in range(2):
        answer = phone.patch(circle.url, change)
        assert answer.status_code == 200
        assert change.items() <= answer.json().items()
    assert told(circle.id)[before:] == [(action, circle.owner.id, [], value)]


def test_many_changes_at_once_are_all_made_or_none(circle):
    changes = {name: value for change, _, _ in CHANGES for name, value in change.items()}
    before, phone = len(told(circle.id)), circle.device("owner")
    assert circle.device("admin").patch(circle.url, changes).status_code == 403
    assert phone.patch(circle.url, changes | {"slow_seconds": 3_601}).status_code == 400
    assert phone.patch(circle.url, changes | {"slow_seconds": -1}).status_code == 400
    assert len(told(circle.id)) == before
    answer = phone.patch(circle.url, changes)
    assert changes.items() <= answer.json().items()
    assert [action for action, *_ in told(circle.id)[before:]] == [c[1] for c in CHANGES]


def test_an_empty_description_is_none_and_an_empty_change_changes_nothing(circle):
    phone = circle.device("owner")
    phone.patch(circle.url, {"description": "here"})
    assert phone.patch(circle.url, {"description": ""}).json()["description"] == ""
    before = told(circle.id)
    assert phone.patch(circle.url, {}).status_code == 200
    assert told(circle.id) == before


# --- the end


@sending
def test_a_closed_group_is_read_and_left_and_nothing_else(circle):
    phone, tablet = circle.device("owner"), circle.device("member")
    assert post(tablet, circle.id).status_code == 201
    for _ in range(2):
        assert phone.post(f"{circle.url}/close").status_code == 204
    assert told(circle.id)[-1] == ("group.closed", circle.owner.id, [], "")
    seen = tablet.get(circle.url).json()
    assert seen["closed_at"] is not None
    assert seen["permissions"] == ["leave", "read"]
    refused = [
        phone.patch(circle.url, {"name": "Open"}),
        phone.post(f"{circle.url}/members", {"member_ids": ids(circle.friend)}),
        phone.delete(f"{circle.url}/members/{circle.member.id}"),
        phone.patch(f"{circle.url}/members/{circle.member.id}", {"role": "admin"}),
        phone.post(f"{circle.url}/transfer", {"user_id": str(circle.admin.id)}),
        phone.post(f"{circle.url}/invitations", {}),
        phone.get(f"{circle.url}/invitations"),
        phone.get(f"{circle.url}/join-requests"),
    ]
    assert {(a.status_code, a.json()["code"]) for a in refused} == {(409, "conflict")}
    for device in (phone, tablet):
        answer = post(device, circle.id)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert tablet.get(f"{CONVERSATIONS}/{circle.id}/messages").status_code == 200
    assert len(tablet.get(f"{circle.url}/members").json()["results"]) == 3
    # Nothing is left to be owned.
    for device in (tablet, phone):
        assert device.post(f"{circle.url}/leave").status_code == 204


# --- who may


def test_a_group_of_others_a_direct_conversation_and_nothing_look_alike(circle):
    stranger = device_of(make_user())
    absent = stranger.get(f"{GROUPS}/1")
    assert absent.status_code == 404
    for place in (circle.id, "x", "0", "9" * 25):
        assert same_answer(absent, stranger.get(f"{GROUPS}/{place}")), place


def test_looking_costs_the_same_however_large_a_group_is(circle, django_assert_num_queries):
    phone = circle.device("owner")
    friends = [make_user() for _ in range(20)]
    for few in ([], friends):
        befriend(circle.owner, *few)
        phone.post(f"{circle.url}/members", {"member_ids": ids(*few)})
        # The session; the group.
        with django_assert_num_queries(2):
            assert phone.get(circle.url).status_code == 200
        # The session; access and rows; who is here.
        with django_assert_num_queries(3):
            assert phone.get(f"{circle.url}/members").status_code == 200
