"""Who may put whom into a group, and how often: by every way in."""

import pytest
from rest_framework.test import APIClient

from accounts.choices import Audience
from accounts.tests.rest import device_of, make_user
from chatbe import settings as product
from chatbot.models import Bot
from common.limits import window
from contacts.models import Contact
from contacts.services import block_user
from conversations.models import Conversation, Membership
from groups.tests.people import GROUPS, befriend, invite, join, make_circle, members_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_limits():
    window.forget_everything()


@pytest.fixture
def people():
    """Somebody who adds, and somebody who is added."""
    return make_user(), make_user()


def make(device, *members):
    body = {"name": "Mill", "member_ids": [str(member.id) for member in members]}
    return device.post(GROUPS, body).status_code


def add(device, *members):
    """To a group that is there already."""
    group = device.post(GROUPS, {"name": "Mill"}).json()["conversation_id"]
    body = {"member_ids": [str(member.id) for member in members]}
    return device.post(f"{GROUPS}/{group}/members", body).status_code


def old(device):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {device.tokens.access_token}")
    return client


def make_old(device, *members):
    body = {"name": "Old mill", "members": [member.username for member in members]}
    return old(device).post("/v1/groups", body).status_code


def add_old(device, *members):
    old(device).post("/v1/groups", {"name": "Older mill", "members": []})
    body = {"name": "Older mill", "members": [member.username for member in members]}
    return old(device).put("/v1/groups/add", body).status_code


WAYS = pytest.mark.parametrize("way", [make, add, make_old, add_old])
OLD = (make_old, add_old)


def count_of(user):
    return Membership.objects.filter(user=user, left_seq=None).count()


@WAYS
@pytest.mark.parametrize("groups_for", Audience.values)
@pytest.mark.parametrize("relation", ["contact", "stranger", "blocked", "blocking"])
def test_people_are_added_by_whom_they_let(people, way, groups_for, relation):
    adder, added = people
    device = device_of(adder)
    answer = device_of(added).patch("/api/v1/me", {"groups_for": groups_for})
    assert answer.json()["groups_for"] == groups_for
    if relation != "stranger":
        befriend(adder, added)
    if relation == "blocked":
        block_user(user=added, other_id=adder.id)
    if relation == "blocking":
        block_user(user=adder, other_id=added.id)
    wanted = groups_for != "nobody" and relation == "contact"
    # The legacy v1 API knows contacts only.
    wanted |= groups_for == "everyone" and relation == "stranger" and way not in OLD
    assert way(device, added) in ((200, 201) if wanted else (400,))
    assert count_of(added) == wanted


def test_whoever_cannot_be_added_looks_the_same_whatever_the_reason(people):
    adder, _ = people
    stranger, unwilling, blocker, gone = [make_user() for _ in range(4)]
    befriend(adder, unwilling, blocker)
    device_of(unwilling).patch("/api/v1/me", {"groups_for": "nobody"})
    block_user(user=blocker, other_id=adder.id)
    gone.is_active = False
    gone.save()
    device = device_of(adder)
    told = set()
    for id in (stranger.id, unwilling.id, blocker.id, gone.id, 12345):
        answer = device.post(GROUPS, {"name": "Mill", "member_ids": [str(id)]})
        assert answer.status_code == 400
        told.add(answer.content.decode().replace(str(id), "ID"))
    assert len(told) == 1


def test_an_invitation_is_the_way_to_who_lets_nobody_add_them():
    added = make_user()
    device_of(added).patch("/api/v1/me", {"groups_for": "nobody"})
    circle = make_circle()
    token = invite(circle.device("owner"), circle)
    assert join(device_of(added), token).status_code == 201


@pytest.mark.parametrize("who", ["maker", "joiner"])
def test_nobody_looks_at_or_joins_by_an_invitation_across_a_block(who):
    circle, guest = make_circle(), make_user()
    token = invite(circle.device("owner"), circle)
    pair = (circle.owner, guest) if who == "maker" else (guest, circle.owner)
    block_user(user=pair[0], other_id=pair[1].id)
    device = device_of(guest)
    assert device.post(f"{GROUPS}/preview", {"token": token}).status_code == 404
    assert join(device, token).status_code == 404
    assert count_of(guest) == 0


def test_nobody_is_made_admin_by_whom_they_have_blocked():
    circle = make_circle()
    block_user(user=circle.member, other_id=circle.owner.id)
    owner = circle.device("owner")
    place = f"{circle.url}/members/{circle.member.id}"
    assert owner.patch(place, {"role": "admin"}).status_code == 404
    assert members_of(owner, circle)[circle.member.id] == "member"
    assert owner.patch(f"{circle.url}/members/{circle.admin.id}", {"role": "member"}).content == b""


def test_bots_are_added_by_everybody_but_whom_they_are_blocked_by_and_without_end(people, settings):
    adder, _ = people
    bot = Bot.objects.select_related("user").first().user
    settings.GROUP_ADDS_PER_PAIR = settings.GROUP_ADDS_PER_ADDED = "1/hour"
    assert [make(device_of(adder), bot) for _ in range(3)] == [201] * 3


@WAYS
def test_the_same_person_is_added_by_somebody_so_often_and_no_more(people, settings, way):
    settings.GROUP_ADDS_PER_PAIR = "1/hour"
    adder, added = people
    befriend(adder, added)
    device = device_of(adder)
    answers = [way(device, added)]
    Conversation.objects.update(name="another")
    answers.append(way(device, added))
    assert answers[0] in (200, 201)
    assert answers[1] == 429
    assert count_of(added) == 1


def test_one_person_is_added_by_all_others_together_so_often_and_no_more(settings):
    settings.GROUP_ADDS_PER_ADDED = "3/hour"
    added, others = make_user(), [make_user() for _ in range(5)]
    for other in others:
        befriend(added, other)
    assert [make(device_of(other), added) for other in others] == [201, 201, 201, 429, 429]


def test_somebody_adds_so_many_people_and_no_more(settings):
    settings.GROUP_ADDS_PER_USER = "5/hour"
    adder, *others = [make_user() for _ in range(7)]
    befriend(adder, *others)
    device = device_of(adder)
    assert make(device, *others[:4]) == 201
    # Nobody of them is added, and nobody of them is counted.
    assert make(device, *others[4:]) == 429
    assert make(device, others[4]) == 201
    assert make(device, others[5]) == 429


def test_somebody_makes_so_many_groups_and_no_more_and_a_retry_is_none(people, settings):
    settings.GROUPS_PER_USER = "2/hour"
    device = device_of(people[0])
    once = {"name": "Mill", "client_id": "c1"}
    assert [device.post(GROUPS, once).status_code for _ in range(3)] == [201, 200, 200]
    assert [make(device), make(device)] == [201, 429]


def test_nobody_is_counted_who_could_not_be_added_anyway(people, settings):
    settings.GROUP_ADDS_PER_PAIR = "1/hour"
    adder, added = people
    device = device_of(adder)
    assert [make(device, added) for _ in range(3)] == [400] * 3
    befriend(adder, added)
    assert make(device, added) == 201


@pytest.mark.parametrize("rule", ["GROUPS_PER_USER", "GROUP_ADDS_PER_PAIR"])
def test_as_delivered_a_hundred_and_fifty_groups_in_a_row_are_not_made(people, settings, rule):
    setattr(settings, rule, getattr(product, rule))
    adder, added = people
    befriend(adder, added)
    device = device_of(adder)
    made = [make(device, added) for _ in range(40)].count(201)
    assert made == int(getattr(product, rule).partition("/")[0]) < 40
    block_user(user=added, other_id=adder.id)
    assert not Contact.objects.filter(owner=adder, user=added).exists()
    assert make(device, added) == 400
