"""A group with one of each role, and what tests of groups do again and again."""

from dataclasses import dataclass
from itertools import combinations

from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.rest import Device, device_of, make_user
from contacts.models import Contact
from conversations.models import Message
from conversations.schemas import MESSAGE_COLUMNS, MessageRow
from groups.services.groups import create_group
from groups.services.members import set_role

GROUPS = "/api/v1/groups"


def befriend(*users: User) -> None:
    """Make all of them each other's contacts."""
    now = timezone.now()
    Contact.objects.bulk_create(
        Contact(owner=owner, user=user, created_at=now)
        for one, other in combinations(users, 2)
        for owner, user in ((one, other), (other, one))
    )


@dataclass(frozen=True)
class VisibleContacts:
    """A group: who owns it, an admin, a member; all contacts, as is a friend outside."""

    owner: User
    admin: User
    member: User
    friend: User
    id: int

    @property
    def url(self) -> str:
        return f"{GROUPS}/{self.id}"

    def device(self, name: str) -> Device:
        return device_of(getattr(self, name))


def make_circle(**fields) -> VisibleContacts:
    owner, admin, member, friend = people = [make_user() for _ in range(4)]
    befriend(*people)
    access, _ = create_group(
        user_id=owner.id, name="Mill", member_ids=[admin.id, member.id], **fields
    )
    id = access.conversation.id
    set_role(user_id=owner.id, conversation_id=id, member_id=admin.id, role="admin")
    return VisibleContacts(owner, admin, member, friend, id)


def told(conversation_id: int, after: int = 0) -> list[tuple[str, int, list[int], str]]:
    """(action, actor, users, value) of all system messages after a position."""
    rows = Message.objects.filter(
        conversation_id=conversation_id, kind="system", seq__gt=after
    ).order_by("seq")
    bodies = [MessageRow(*row).body() for row in rows.values_list(*MESSAGE_COLUMNS)]
    return [
        (b.system.action, int(b.sender_id), [int(id) for id in b.system.user_ids], b.system.value)
        for b in bodies
    ]


def invite(device: APIClient, circle: VisibleContacts, **fields) -> str:
    """A new invitation's token."""
    answer = device.post(f"{circle.url}/invitations", fields)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["token"])


def join(device: APIClient, token: str):
    return device.post(f"{GROUPS}/join", {"token": token})


def members_of(device: Device, circle: VisibleContacts) -> dict[int, str]:
    """The role of each member by id, as the API lists them."""
    page = device.get(f"{circle.url}/members", {"limit": "200"}).json()
    return {int(row["user"]["id"]): row["role"] for row in page["results"]}
