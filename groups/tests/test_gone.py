"""What becomes of the groups of somebody who deletes their account."""

import pytest

from accounts.models import User
from accounts.tests.rest import device_of, make_user
from contacts.models import Contact
from contacts.tests.people import empty
from conversations.models import Conversation, Membership
from groups.models import JoinRequest
from groups.tests.people import befriend, invite, join, make_circle, members_of, told

pytestmark = [
    # What follows for others comes after the commit.
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_quick_passwords"),
]


def feed(user):
    return User.objects.get(id=user.id).feed_seq


def test_a_member_who_is_deleted_leaves_all_groups(circle):
    other = make_circle()
    befriend(other.owner, circle.member)
    other.device("owner").post(f"{other.url}/members", {"member_ids": [str(circle.member.id)]})
    empty(circle.member)
    for group, count in ((circle, 2), (other, 3)):
        assert circle.member.id not in members_of(group.device("owner"), group)
        assert told(group.id)[-1] == ("member.left", circle.member.id, [circle.member.id], "")
        assert Conversation.objects.get(id=group.id).member_count == count


def test_an_owners_group_passes_to_the_admin_who_has_been_there_longest(circle):
    # An admin too, who came later, though with an older account.
    circle.device("owner").post(f"{circle.url}/members", {"member_ids": [str(circle.friend.id)]})
    circle.device("owner").patch(f"{circle.url}/members/{circle.friend.id}", {"role": "admin"})
    # Who is deleted leaves the lists of contacts too, which moves feeds by itself.
    Contact.objects.all().delete()
    before = feed(circle.admin)
    empty(circle.owner)
    assert feed(circle.admin) == before + 1
    roles = members_of(circle.device("admin"), circle)
    assert roles == {
        circle.admin.id: "owner",
        circle.friend.id: "admin",
        circle.member.id: "member",
    }
    assert told(circle.id)[-2:] == [
        ("role.changed", circle.owner.id, [circle.admin.id], "owner"),
        ("member.left", circle.owner.id, [circle.owner.id], ""),
    ]


def test_without_admins_it_passes_to_the_member_who_has_been_there_longest(circle):
    phone = circle.device("owner")
    phone.delete(f"{circle.url}/members/{circle.admin.id}")
    # Back again is there for less long.
    for user in (circle.friend, circle.admin):
        phone.post(f"{circle.url}/members", {"member_ids": [str(user.id)]})
    User.objects.filter(id=circle.member.id).update(is_active=False)
    empty(circle.owner)
    assert members_of(circle.device("friend"), circle)[circle.friend.id] == "owner"


def test_with_nobody_left_to_act_it_is_closed(circle):
    User.objects.filter(id=circle.admin.id).update(is_active=False)
    User.objects.filter(id=circle.member.id).update(is_bot=True)
    empty(circle.owner)
    assert [action for action, *_ in told(circle.id)[-2:]] == ["group.closed", "member.left"]
    assert Conversation.objects.get(id=circle.id).closed_at is not None
    assert not Membership.objects.filter(left_seq=None, role="owner").exists()


def test_a_closed_group_needs_no_heir(circle):
    circle.device("owner").post(f"{circle.url}/close")
    empty(circle.owner)
    assert "owner" not in members_of(circle.device("admin"), circle).values()


def test_their_invitations_and_requests_end(circle):
    asking = make_user()
    device, newcomer = device_of(asking), device_of(make_user())
    token = invite(circle.device("admin"), circle, needs_approval=True)
    assert join(device, token).status_code == 202
    empty(asking)
    assert not JoinRequest.objects.exists()
    empty(circle.admin)
    assert join(newcomer, token).status_code == 404
