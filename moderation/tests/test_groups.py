"""Groups in the hands of moderators: members, roles, closing."""

import pytest
from django.db import transaction

from accounts.tests.rest import device_of, make_user
from conversations.models import Conversation, Membership
from conversations.tests.people import CONVERSATIONS, make_friends, post
from groups.services.groups import found_group
from moderation.models import AuditEntry
from moderation.tests.people import (
    WHY,
    audited,
    do,
    do_to_all,
    make_moderator,
    page,
    staff_with,
    told,
)
from tests.kit.concurrency import run_together

pytestmark = pytest.mark.usefixtures("committed")


class Club:
    """A group of an owner, an admin and a member."""

    def __init__(self):
        self.olga, self.adam, self.mia = make_user("olga"), make_user("adam"), make_user("mia")
        with transaction.atomic():
            members = [self.adam.id, self.mia.id]
            self.group = found_group(
                owner_id=self.olga.id, name="Club", member_ids=members
            ).conversation
        self.of(self.adam).update(role="admin")

    def of(self, user):
        return Membership.objects.filter(conversation=self.group, user=user)

    def roles(self):
        rows = Membership.objects.filter(conversation=self.group, left_seq=None)
        return dict(rows.values_list("user__username", "role"))

    def last(self, user):
        """The newest message, as a member sees it: who did what to whom."""
        page = device_of(user).get(f"{CONVERSATIONS}/{self.group.id}/messages").json()
        last = page["results"][-1]
        return last["sender_id"], last["system"]


@pytest.fixture
def club():
    return Club()


@pytest.fixture
def moderator():
    return make_moderator()


def test_a_group_is_closed(club, moderator):
    assert told(do(moderator, "close", club.group)) == ["1 of 1: closed."]
    told_to_all = {"action": "group.closed", "user_ids": [], "value": ""}
    assert club.last(club.mia) == (str(moderator.user.id), told_to_all)
    assert post(device_of(club.olga), club.group.id).status_code == 403
    assert "already" in told(do(moderator, "close", club.group))[0]
    assert audited() == [(moderator.user.id, "group.closed", club.group.id, WHY)]
    assert page(club.group, "action", "close") not in shown(moderator, club.group)


def test_only_groups_are_closed(moderator):
    direct = Conversation.objects.get(id=make_friends().conversation_id)
    assert page(direct, "action", "close") not in shown(moderator, direct)
    assert told(do(moderator, "close", direct)) == [f"{direct}: Not found."]
    assert audited() == []


def shown(client, row):
    return client.get(page(row)).content.decode()


def test_the_page_of_a_group_lists_its_members_and_leads_to_each(club, moderator):
    text = shown(moderator, club.group)
    for member in (club.olga, club.adam, club.mia):
        assert member.username in text
        assert page(club.of(member).get()) in text
    assert "olga" not in shown(staff_with("conversations.view_conversation"), club.group)


def test_a_page_of_members_costs_the_same_for_many(club, moderator, django_assert_max_num_queries):
    users = [make_user() for _ in range(60)]
    Membership.objects.bulk_create(Membership(conversation=club.group, user=user) for user in users)
    with django_assert_max_num_queries(12):
        text = shown(moderator, club.group)
    assert sum(user.username in text for user in users) < 60


def test_a_member_is_removed(club, moderator):
    assert told(do(moderator, "remove", club.of(club.mia).get())) == ["1 of 1: removed."]
    assert club.roles() == {"olga": "owner", "adam": "admin"}
    removed = {"action": "member.removed", "user_ids": [str(club.mia.id)], "value": ""}
    assert club.last(club.olga) == (str(moderator.user.id), removed)
    assert device_of(club.mia).get(f"{CONVERSATIONS}/{club.group.id}").status_code == 404
    again = told(do(moderator, "remove", club.of(club.mia).get()))
    assert "Not found" in again[0]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.details) == ("member.removed", {"user_id": str(club.mia.id)})


def test_the_owner_of_an_open_group_stays_until_there_is_another(club, moderator):
    owner = club.of(club.olga).get()
    for name in ("remove", "make-admin", "make-member"):
        assert "own the group" in told(do(moderator, name, owner))[0]
    assert audited() == []
    do(moderator, "make-owner", club.of(club.mia).get())
    assert club.roles() == {"olga": "admin", "adam": "admin", "mia": "owner"}
    do(moderator, "remove", owner)
    assert club.roles() == {"adam": "admin", "mia": "owner"}
    do(moderator, "close", club.group)
    do(moderator, "remove", club.of(club.mia).get())
    assert club.roles() == {"adam": "admin"}


def test_roles_are_changed(club, moderator):
    do_to_all(moderator, "make-admin", club.of(club.mia).get(), reason=WHY)
    do(moderator, "make-member", club.of(club.adam).get())
    assert club.roles() == {"olga": "owner", "adam": "member", "mia": "admin"}
    assert "already" in told(do(moderator, "make-member", club.of(club.adam).get()))[0]
    details = [entry.details for entry in AuditEntry.objects.order_by("id")]
    assert details == [
        {"user_id": str(club.mia.id), "role": "admin", "was": "member"},
        {"user_id": str(club.adam.id), "role": "member", "was": "admin"},
    ]


def test_who_may_only_look_changes_no_group(club):
    watcher = staff_with("conversations.view_conversation", "conversations.view_membership")
    mia = club.of(club.mia).get()
    for row, name in ((club.group, "close"), (mia, "remove"), (mia, "make-owner")):
        assert do(watcher, name, row).status_code == 403
        do_to_all(watcher, name, row, reason=WHY)
    assert (club.roles()["mia"], audited()) == ("member", [])


def test_two_moderators_who_make_different_owners_at_once_leave_one(club):
    moderators = make_moderator(), make_moderator()
    chosen = club.of(club.adam).get(), club.of(club.mia).get()
    run_together(
        [
            lambda m=m, row=row: do(m, "make-owner", row)
            for m, row in zip(moderators, chosen, strict=True)
        ]
    )
    assert sorted(club.roles().values()).count("owner") == 1
