"""Who may do what at every door of groups (S5), and that nobody else learns anything (S6)."""

import re

import pytest
from rest_framework.test import APIClient

from accounts.tests.rest import device_of, make_user, same_answer
from accounts.tests.test_doors import doors_of
from groups import urls
from groups.models import Invitation, JoinRequest
from groups.tests.people import GROUPS, invite, join, make_circle

pytestmark = pytest.mark.django_db

OWNER = {"owner"}
ADMINS = {"owner", "admin"}
ALL = {"owner", "admin", "member"}
OUTSIDE = ("stranger", "left", "removed", "pending", "superuser")

# Door, body, who may, and with which answer.
DOORS = [
    ("get", "", None, ALL, 200),
    ("patch", "", {"name": "New"}, ADMINS, 200),
    ("patch", "", {"description": "New"}, ADMINS, 200),
    ("patch", "", {"announcement_only": True}, ADMINS, 200),
    ("patch", "", {"slow_seconds": 5}, ADMINS, 200),
    ("patch", "", {"history": "all"}, OWNER, 200),
    ("patch", "", {"invite_policy": "members"}, OWNER, 200),
    ("get", "/members", None, ALL, 200),
    ("post", "/members", {"member_ids": ["{friend}"]}, ADMINS, 200),
    ("delete", "/members/{other}", None, ADMINS, 204),
    ("patch", "/members/{other}", {"role": "admin"}, OWNER, 204),
    ("post", "/transfer", {"user_id": "{other}"}, OWNER, 204),
    ("post", "/close", None, OWNER, 204),
    # Ownership has to be passed on first.
    ("post", "/leave", None, {"admin", "member"}, 204),
    ("get", "/invitations", None, ADMINS, 200),
    ("post", "/invitations", {}, ADMINS, 201),
    ("delete", "/invitations/{invitation}", None, ADMINS, 204),
    ("get", "/join-requests", None, ADMINS, 200),
    ("delete", "/join-requests/{pending}", None, ADMINS, 204),
    ("post", "/join-requests/{pending}/approve", None, ADMINS, 204),
]


@pytest.fixture
def everybody():
    """A group, and a device of everybody who stands in some relation to it."""
    circle = make_circle()
    people: dict[str, APIClient] = {name: circle.device(name) for name in ALL}
    people |= {name: device_of(make_user()) for name in OUTSIDE[:4]}
    people["superuser"] = device_of(make_user(is_staff=True, is_superuser=True))
    people["anonymous"] = APIClient()
    token = invite(people["owner"], circle)
    # Somebody to be removed, beside the member who tries to remove them.
    other = make_user()
    for device in (people["left"], people["removed"], device_of(other)):
        assert join(device, token).status_code == 201
    people["left"].post(f"{circle.url}/leave")
    removed = people["removed"].tokens.session.user_id
    people["owner"].delete(f"{circle.url}/members/{removed}")
    assert join(people["pending"], invite(people["owner"], circle, needs_approval=True)).status_code == 202  # fmt: skip
    words = {
        "friend": circle.friend.id,
        "other": other.id,
        "pending": JoinRequest.objects.get().user_id,
        "invitation": Invitation.objects.first().id,
    }
    return circle, people, words


def filled(value, words):
    if isinstance(value, dict):
        return {name: filled(part, words) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, words) for part in value]
    return value.format(**words) if isinstance(value, str) else value


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door[0]} {door[1]} {door[2]}")
def test_each_may_what_the_table_says(everybody, door):
    method, path, body, allowed, status = door
    circle, people, words = everybody

    def knock(name, place=circle.url):
        return getattr(people[name], method)(place + path.format(**words), filled(body, words))

    assert knock("anonymous").status_code == 401
    for name in OUTSIDE:
        assert same_answer(knock(name), knock(name, f"{GROUPS}/1")), name
        assert knock(name).status_code == 404, name
    # Those who may not come first: what is allowed changes things.
    for name in ALL - allowed:
        answer = knock(name)
        code = (409, "conflict") if (name, path) == ("owner", "/leave") else (403, "forbidden")
        assert (answer.status_code, answer.json()["code"]) == code, name
    assert knock(min(allowed)).status_code == status


def test_every_door_of_a_group_is_in_the_table():
    told = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path, *_ in DOORS}
    doors = {
        (method, re.sub(r"<str:\w+>", "{}", route.removeprefix("groups/<str:conversation_id>")))
        for method, route in doors_of(urls.urlpatterns)
        if "conversation_id" in route
    }
    assert told == doors


def test_the_policy_lets_members_add_and_invite_and_nothing_more(everybody):
    circle, people, words = everybody
    before = set(people["member"].get(circle.url).json()["permissions"])
    people["owner"].patch(circle.url, {"invite_policy": "members"})
    after = set(people["member"].get(circle.url).json()["permissions"])
    assert after - before == {"add", "invite"}
    added = people["member"].post(f"{circle.url}/members", {"member_ids": [str(words["friend"])]})
    assert added.json() == {"added": [str(words["friend"])]}
    # Of the invitations they see and revoke their own.
    assert people["member"].get(f"{circle.url}/invitations").json()["results"] == []
    foreign = people["member"].delete(f"{circle.url}/invitations/{words['invitation']}")
    assert foreign.status_code == 404
    invite(people["member"], circle)
    [own] = people["member"].get(f"{circle.url}/invitations").json()["results"]
    assert people["member"].delete(f"{circle.url}/invitations/{own['id']}").status_code == 204


@pytest.mark.parametrize(
    ("actor", "target", "status"),
    [
        ("owner", "admin", 204),
        ("owner", "owner", 403),
        ("admin", "owner", 403),
        ("admin", "admin", 403),
        ("admin", "member", 204),
        ("member", "member", 403),
    ],
)
def test_only_lower_roles_are_removed(circle, actor, target, status):
    member_id = getattr(circle, target).id
    answer = circle.device(actor).delete(f"{circle.url}/members/{member_id}")
    assert answer.status_code == status
