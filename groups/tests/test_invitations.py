"""Invitation links: what they lead to, how often, for how long, and for whom not (S33)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.tests.rest import device_of, make_user, same_answer
from accounts.tokens import hash_of
from contacts.services import block_user
from conversations.models import Conversation
from conversations.tests.people import CONVERSATIONS
from groups.models import Invitation, JoinRequest
from groups.tests.people import GROUPS, befriend, invite, join, make_circle, members_of, told

pytestmark = pytest.mark.django_db


def preview(device, token):
    return device.post(f"{GROUPS}/preview", {"token": token})


@pytest.fixture
def phone(circle):
    """The owner's."""
    return circle.device("owner")


@pytest.fixture
def outsider(circle):
    return device_of(make_user("outsider"))


def user_id(device):
    return device.tokens.session.user_id


def test_an_invitation_makes_whoever_has_it_a_member_once(circle, phone, outsider):
    token = invite(phone, circle)
    told_before = len(told(circle.id))
    seen = preview(outsider, token)
    assert (seen.status_code, seen.json()) == (
        200,
        {"name": "Mill", "member_count": 3, "needs_approval": False},
    )
    first, again = join(outsider, token), join(outsider, token)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (first.json()["role"], first.json()["member_count"]) == ("member", 4)
    joiner = user_id(outsider)
    assert told(circle.id)[told_before:] == [("member.joined", joiner, [joiner], "")]
    [listed] = phone.get(f"{circle.url}/invitations").json()["results"]
    assert (listed["uses"], listed["max_uses"], listed["expires_at"]) == (1, None, None)


def test_a_token_is_shown_once_and_only_its_hash_is_kept(circle, phone):
    answer = phone.post(f"{circle.url}/invitations", {"max_uses": 3, "expires_in": 3_600})
    token = answer.json()["token"]
    row = Invitation.objects.get()
    assert len(token) == 43
    assert row.hash == hash_of(token)
    assert row.expires_at == row.created_at + timedelta(hours=1)
    assert token not in phone.get(f"{circle.url}/invitations").content.decode()
    assert token not in str(list(Invitation.objects.values()))


@pytest.mark.parametrize(
    "body",
    [{"expires_in": 59}, {"expires_in": 31_536_001}, {"expires_in": "60"}, {"max_uses": 0},
     {"max_uses": 100_001}, {"max_uses": 2**70}, {"needs_approval": 1}, {"role": "admin"}],
)  # fmt: skip
def test_an_invitation_of_another_form_is_invalid(circle, phone, body):
    answer = phone.post(f"{circle.url}/invitations", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def revoke(circle, phone):
    invitation = Invitation.objects.get()
    assert phone.delete(f"{circle.url}/invitations/{invitation.id}").status_code == 204
    assert phone.delete(f"{circle.url}/invitations/{invitation.id}").status_code == 404


def expire(circle, phone):
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def use_up(circle, phone):
    Invitation.objects.update(max_uses=1, uses=1)


def close(circle, phone):
    assert phone.post(f"{circle.url}/close").status_code == 204


def remove_maker(circle, phone):
    phone.delete(f"{circle.url}/members/{circle.admin.id}")


def demote_maker(circle, phone):
    phone.patch(f"{circle.url}/members/{circle.admin.id}", {"role": "member"})


def shut_maker_out(circle, phone):
    User.objects.filter(id=circle.admin.id).update(is_active=False)


@pytest.mark.parametrize(
    "end", [revoke, expire, use_up, close, remove_maker, demote_maker, shut_maker_out]
)
def test_an_invitation_that_has_ended_is_answered_like_none(circle, phone, outsider, end):
    maker, member = circle.device("admin"), circle.device("member")
    token = invite(maker, circle)
    end(circle, phone)
    for ask in (preview, join):
        nothing = ask(outsider, "nothing")
        assert nothing.status_code == 404
        assert same_answer(nothing, ask(outsider, token)), ask
    # To whom it does nothing any more, it does not do harm either.
    assert join(member, token).status_code == 200


def test_an_invitation_is_for_so_many(circle, phone):
    token = invite(phone, circle, max_uses=2)
    codes = [join(device_of(make_user()), token).status_code for _ in range(3)]
    assert codes == [201, 201, 404]
    assert Conversation.objects.get(id=circle.id).member_count == 5


def test_a_full_group_takes_nobody_and_the_attempt_costs_no_use(circle, phone, outsider, settings):
    token = invite(phone, circle, max_uses=1)
    settings.GROUP_MEMBERS_MAX = 3
    answer = join(outsider, token)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    settings.GROUP_MEMBERS_MAX = 4
    assert join(outsider, token).status_code == 201


def test_who_was_removed_does_not_come_back_by_a_link_but_who_left_does(circle, phone):
    token, member = invite(phone, circle), circle.device("member")
    member.post(f"{circle.url}/leave")
    assert join(member, token).status_code == 201
    phone.delete(f"{circle.url}/members/{circle.member.id}")
    answer = join(member, token)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert join(member, invite(phone, circle, needs_approval=True)).status_code == 403
    assert not JoinRequest.objects.exists()
    # Somebody inside has to want it; then the past is past.
    phone.post(f"{circle.url}/members", {"member_ids": [str(circle.member.id)]})
    member.post(f"{circle.url}/leave")
    assert join(member, token).status_code == 201


def test_an_invitation_leads_to_its_own_group_only(circle, phone):
    other = make_circle()
    token = invite(phone, circle)
    assert join(other.device("owner"), token).json()["conversation_id"] == str(circle.id)
    invitation = Invitation.objects.get()
    foreign = other.device("owner").delete(f"{other.url}/invitations/{invitation.id}")
    assert foreign.status_code == 404


def test_guessing_is_limited(circle, phone, outsider, settings):
    settings.INVITATION_ATTEMPTS_PER_USER = "3/hour"
    token = invite(phone, circle)
    for ask in (preview, join, preview):
        assert ask(outsider, "guess").status_code == 404
    for ask in (preview, join):
        answer = ask(outsider, token)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert join(device_of(make_user()), token).status_code == 201


def test_a_group_has_so_many_invitations_and_no_more(circle, phone, monkeypatch):
    monkeypatch.setattr("groups.services.invitations.INVITATIONS_MAX", 2)
    invite(phone, circle)
    invite(phone, circle)
    answer = phone.post(f"{circle.url}/invitations", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    oldest = Invitation.objects.order_by("id").first()
    phone.delete(f"{circle.url}/invitations/{oldest.id}")
    invite(phone, circle)


def test_the_lists_come_at_a_fixed_cost(circle, phone, django_assert_num_queries):
    token = invite(phone, circle, needs_approval=True)
    for _ in range(3):
        join(device_of(make_user()), token)
        invite(phone, circle)
        # The session, the group, the rows.
        for name in ("invitations", "join-requests"):
            with django_assert_num_queries(3):
                assert phone.get(f"{circle.url}/{name}").json()["results"]


# --- approval


@pytest.fixture
def asking(circle, phone, outsider):
    """The outsider has asked to join."""
    token = invite(phone, circle, needs_approval=True, max_uses=2)
    answer = join(outsider, token)
    assert (answer.status_code, answer.json()) == (202, {"conversation_id": str(circle.id)})
    return token


def requests_seen(device, circle):
    rows = device.get(f"{circle.url}/join-requests").json()["results"]
    return [int(row["user"]["id"]) for row in rows]


def feeds(*users):
    return [User.objects.get(id=user.id).feed_seq for user in users]


def test_whoever_needs_approval_waits_and_reads_nothing(circle, phone, outsider):
    token = invite(phone, circle, needs_approval=True)
    before = feeds(circle.owner, circle.admin, circle.member)
    for _ in range(2):
        assert join(outsider, token).status_code == 202
    after = feeds(circle.owner, circle.admin, circle.member)
    assert [a - b for a, b in zip(after, before, strict=True)] == [1, 1, 0]
    for door in (circle.url, f"{CONVERSATIONS}/{circle.id}", f"{circle.url}/members"):
        assert outsider.get(door).status_code == 404
    assert requests_seen(phone, circle) == [user_id(outsider)]
    assert Invitation.objects.get().uses == 1


def test_who_is_approved_is_a_member(circle, phone, outsider, asking):
    url = f"{circle.url}/join-requests/{user_id(outsider)}/approve"
    assert phone.post(url).status_code == 204
    assert members_of(phone, circle)[user_id(outsider)] == "member"
    assert told(circle.id)[-1] == ("members.added", circle.owner.id, [user_id(outsider)], "")
    assert requests_seen(phone, circle) == []
    assert phone.post(url).status_code == 404
    assert join(outsider, asking).status_code == 200


def test_who_is_declined_is_nobody(circle, phone, outsider, asking):
    before = feeds(circle.admin)
    url = f"{circle.url}/join-requests/{user_id(outsider)}"
    assert phone.delete(url).status_code == 204
    assert phone.delete(url).status_code == 404
    assert feeds(circle.admin) == [before[0] + 1]
    assert phone.post(f"{url}/approve").status_code == 404
    assert outsider.get(circle.url).status_code == 404
    # They may ask again, which is another use.
    assert join(outsider, asking).status_code == 202
    assert Invitation.objects.get().uses == 2


def test_a_full_group_approves_nobody(circle, phone, outsider, asking, settings):
    settings.GROUP_MEMBERS_MAX = 3
    answer = phone.post(f"{circle.url}/join-requests/{user_id(outsider)}/approve")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert requests_seen(phone, circle) == [user_id(outsider)]


def test_who_is_added_meanwhile_waits_no_longer(circle, phone, outsider, asking):
    user = User.objects.get(id=user_id(outsider))
    befriend(circle.owner, user)
    phone.post(f"{circle.url}/members", {"member_ids": [str(user.id)]})
    assert requests_seen(phone, circle) == []
    assert not JoinRequest.objects.exists()


def test_who_is_gone_for_the_viewer_does_not_wait(circle, phone, outsider, asking):
    block_user(user=User.objects.get(id=user_id(outsider)), other_id=circle.owner.id)
    assert requests_seen(phone, circle) == []
    url = f"{circle.url}/join-requests/{user_id(outsider)}"
    assert phone.post(f"{url}/approve").status_code == 404
    assert requests_seen(circle.device("admin"), circle) == [user_id(outsider)]
    User.objects.filter(id=user_id(outsider)).update(is_active=False)
    assert requests_seen(circle.device("admin"), circle) == []
