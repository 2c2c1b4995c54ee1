"""Two at the same moment: real connections, many rounds."""

from collections import Counter

import pytest

from accounts.services import delete_account
from accounts.tests.rest import device_of, make_user
from conversations.models import Conversation, Membership, Message
from conversations.tests.people import head, post
from groups.models import Group, Invitation
from groups.tests.people import GROUPS, befriend, invite, join, make_circle, told
from tests.kit.concurrency import run_together
from tests.kit.secret_scan import PASSWORD

ROUNDS = 12
SENDS_MAX = 1_000

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def roles(circle):
    rows = Membership.objects.filter(conversation_id=circle.id, left_seq=None)
    return dict(rows.values_list("user_id", "role"))


def assert_sound(circle):
    """One owner or closed; members counted; the log without gaps."""
    conversation, here = Conversation.objects.get(id=circle.id), roles(circle)
    assert conversation.member_count == len(here)
    owners = list(here.values()).count("owner")
    assert owners == 1 or (owners == 0 and conversation.closed_at is not None)
    rows = Message.objects.filter(conversation_id=circle.id).order_by("seq")
    assert list(rows.values_list("seq", flat=True)) == list(range(1, conversation.last_seq + 1))


def statuses(*calls):
    return [answer.status_code for answer in run_together(calls)]


def remove(device, circle, user):
    return device.delete(f"{circle.url}/members/{user.id}")


def add(device, circle, *users):
    return device.post(f"{circle.url}/members", {"member_ids": [str(user.id) for user in users]})


def set_role(device, circle, user, role):
    return device.patch(f"{circle.url}/members/{user.id}", {"role": role})


def transfer(device, circle, user):
    return device.post(f"{circle.url}/transfer", {"user_id": str(user.id)})


def leave(device, circle):
    return device.post(f"{circle.url}/leave")


def test_two_admins_who_remove_each_other_both_stay():
    circle = make_circle()
    owner, admin, other = (circle.device(name) for name in ("owner", "admin", "member"))
    set_role(owner, circle, circle.member, "admin")
    for _ in range(ROUNDS):
        assert statuses(
            lambda: remove(admin, circle, circle.member),
            lambda: remove(other, circle, circle.admin),
        ) == [403, 403]
    assert_sound(circle)


def test_an_admin_who_loses_the_role_removes_somebody_before_it_or_not_at_all():
    circle = make_circle()
    owner, admin = circle.device("owner"), circle.device("admin")
    for _ in range(ROUNDS):
        before = len(told(circle.id))
        removed, demoted = statuses(
            lambda: remove(admin, circle, circle.member),
            lambda: set_role(owner, circle, circle.admin, "member"),
        )
        assert (removed, demoted) in {(204, 204), (403, 204)}
        actions = [action for action, *_ in told(circle.id)[before:]]
        assert actions == [*(["member.removed"] if removed == 204 else []), "role.changed"]
        assert_sound(circle)
        add(owner, circle, circle.member)
        set_role(owner, circle, circle.admin, "admin")


def test_an_owner_who_leaves_while_passing_on_leaves_an_owner_behind():
    for _ in range(ROUNDS):
        circle = make_circle()
        phone, laptop = circle.device("owner"), circle.device("owner")
        left, passed = statuses(
            lambda d=phone, c=circle: leave(d, c),
            lambda d=laptop, c=circle: transfer(d, c, c.member),
        )
        assert (left, passed) in {(409, 204), (204, 204)}
        assert roles(circle)[circle.member.id] == "owner"
        assert (circle.owner.id in roles(circle)) is (left == 409)
        assert_sound(circle)


def test_an_heir_who_leaves_meanwhile_is_none():
    for _ in range(ROUNDS):
        circle = make_circle()
        owner, admin = circle.device("owner"), circle.device("admin")
        passed, left = statuses(
            lambda d=owner, c=circle: transfer(d, c, c.admin),
            lambda d=admin, c=circle: leave(d, c),
        )
        # Either the owner may not leave any more, or who has left is no heir.
        assert (passed, left) in {(204, 409), (404, 204)}
        assert_sound(circle)


def test_of_many_who_come_by_a_link_for_some_so_many_get_in():
    circle = make_circle()
    owner = circle.device("owner")
    for _ in range(ROUNDS // 3):
        token = invite(owner, circle, max_uses=3)
        devices = [device_of(make_user()) for _ in range(8)]
        codes = statuses(*(lambda d=device, t=token: join(d, t) for device in devices))
        assert Counter(codes) == {201: 3, 404: 5}
        assert Invitation.objects.latest("id").uses == 3
        assert_sound(circle)


def test_one_who_joins_twice_at_once_takes_one_place():
    circle = make_circle()
    owner = circle.device("owner")
    for approval in (False, True):
        for _ in range(ROUNDS):
            token = invite(owner, circle, max_uses=2, needs_approval=approval)
            device = device_of(make_user())
            codes = statuses(*[lambda d=device, t=token: join(d, t)] * 3)
            assert sorted(codes) == ([202] * 3 if approval else [200, 200, 201])
            invitation = Invitation.objects.latest("id")
            assert invitation.uses == 1
            invitation.delete()
    assert_sound(circle)


def test_a_revoked_link_lets_nobody_in_after_the_answer():
    circle = make_circle()
    owner = circle.device("owner")
    for _ in range(ROUNDS):
        token = invite(owner, circle)
        place = f"{circle.url}/invitations/{Invitation.objects.latest('id').id}"
        device = device_of(make_user())
        joined, revoked = statuses(lambda d=device, t=token: join(d, t), lambda p=place: owner.delete(p))  # fmt: skip
        assert revoked == 204
        assert joined in {201, 404}
        assert join(device_of(make_user()), token).status_code == 404
    assert_sound(circle)


def test_adding_while_removing_leaves_a_member_or_none():
    circle = make_circle()
    owner, admin = circle.device("owner"), circle.device("admin")
    for _ in range(ROUNDS):
        added, removed = statuses(
            lambda: add(owner, circle, circle.member),
            lambda: remove(admin, circle, circle.member),
        )
        # The member is there at first: added and removed, or removed and added anew.
        assert (added, removed) == (200, 204)
        assert_sound(circle)
        add(owner, circle, circle.member)


def test_two_who_add_the_same_people_add_them_once():
    circle = make_circle()
    owner, admin = circle.device("owner"), circle.device("admin")
    for _ in range(ROUNDS):
        newcomers = [make_user() for _ in range(3)]
        for user in newcomers:
            befriend(circle.owner, user)
            befriend(circle.admin, user)
        answers = run_together(
            [
                lambda n=newcomers: add(owner, circle, *n),
                lambda n=newcomers: add(admin, circle, *reversed(n)),
            ]
        )
        assert sorted(len(answer.json()["added"]) for answer in answers) == [0, 3]
        assert_sound(circle)


def test_no_more_get_in_at_once_than_there_is_room_for(settings):
    for _ in range(ROUNDS // 3):
        circle = make_circle()
        settings.GROUP_MEMBERS_MAX = 5
        owner = circle.device("owner")
        token = invite(owner, circle)
        devices = [device_of(make_user()) for _ in range(5)]
        codes = statuses(
            *(lambda d=device, t=token: join(d, t) for device in devices),
            lambda o=owner, c=circle: add(o, c, c.friend),
        )
        assert Counter(codes) in ({201: 2, 409: 4}, {201: 1, 200: 1, 409: 4})
        assert_sound(circle)


def test_nothing_is_stored_after_a_group_is_closed():
    for _ in range(ROUNDS // 3):
        circle = make_circle()
        owner, member = circle.device("owner"), circle.device("member")

        def close_and_look(owner=owner, circle=circle):
            return owner.post(f"{circle.url}/close").status_code, head(circle.id)

        def send_until_refused(member=member, circle=circle):
            for _ in range(SENDS_MAX):
                answer = post(member, circle.id)
                if answer.status_code != 201:
                    return answer.status_code
            raise AssertionError("never refused")

        (status, head_at_the_answer), refusal = run_together([close_and_look, send_until_refused])
        assert (status, refusal) == (204, 403)
        assert head(circle.id) == head_at_the_answer
        assert told(circle.id)[-1][0] == "group.closed"
        assert_sound(circle)


def test_the_same_creation_at_once_makes_one_group():
    device = device_of(make_user())
    for number in range(ROUNDS):
        body = {"name": "Mill", "client_id": f"c{number}"}
        answers = run_together([lambda b=body: device.post(GROUPS, b)] * 3)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
        assert len({answer.json()["conversation_id"] for answer in answers}) == 1
        assert Group.objects.count() == number + 1


def test_a_request_is_approved_or_declined():
    circle = make_circle()
    owner, admin = circle.device("owner"), circle.device("admin")
    for _ in range(ROUNDS):
        device = device_of(make_user())
        assert join(device, invite(owner, circle, needs_approval=True)).status_code == 202
        url = f"{circle.url}/join-requests/{device.tokens.session.user_id}"
        codes = statuses(lambda u=url: owner.post(f"{u}/approve"), lambda u=url: admin.delete(u))
        assert sorted(codes) == [204, 404]
        assert (device.get(circle.url).status_code == 200) is (codes[0] == 204)
        assert_sound(circle)


def with_password(user):
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    return user


def delete(user):
    delete_account(user=user, password=PASSWORD)


@pytest.mark.usefixtures("_quick_passwords")
def test_an_owner_who_is_deleted_while_the_heir_goes_leaves_a_sound_group():
    for number in range(6):
        circle = make_circle()
        with_password(circle.owner)
        with_password(circle.admin)
        if number % 2:
            outcomes = run_together(
                [lambda c=circle: delete(c.owner), lambda c=circle: delete(c.admin)]
            )
            assert outcomes == [None, None]
        else:
            device = circle.device("admin")
            outcomes = run_together(
                [lambda c=circle: delete(c.owner), lambda c=circle, d=device: leave(d, c)]
            )
            assert outcomes[0] is None
            assert outcomes[1].status_code in {204, 409}
        assert_sound(circle)
        assert circle.owner.id not in roles(circle)


@pytest.mark.usefixtures("_quick_passwords")
def test_an_owner_who_is_deleted_while_a_member_becomes_an_admin_leaves_a_sound_group():
    for _ in range(5):
        circle = make_circle()
        owner = circle.device("owner")
        set_role(owner, circle, circle.admin, "member")
        with_password(circle.owner)
        outcomes = run_together(
            [
                lambda c=circle: delete(c.owner),
                lambda c=circle, d=owner: set_role(d, c, c.member, "admin"),
            ]
        )
        assert outcomes[0] is None
        assert outcomes[1].status_code in {204, 401, 404}
        heir = circle.member if outcomes[1].status_code == 204 else circle.admin
        assert roles(circle)[heir.id] == "owner"
        assert_sound(circle)
