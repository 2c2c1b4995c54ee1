"""Groups by their names, as the legacy v1 API knows them.

A name means the caller's own group of that name; nobody makes a second one of a name
they are in already. Others can make one and bring them there, or rename one: then the name
means neither, because what is said to it must not land with strangers. What members may do
to each other is the business of `groups`.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from accounts.feed import lock_users
from accounts.names import username_key
from chatbe.legacy_v1.names import uuid_text
from chatbe.legacy_v1.selectors import contacts_named
from common.errors import Conflict, NotFound
from common.text import clean_line, normal_line
from common.times import iso_milliseconds
from conversations.models import NAME_MAX, Conversation, Membership, Message
from groups.models import Group, InvitePolicy
from groups.services.groups import create_group
from groups.services.members import add_members, remove_member

SEVERAL = (
    "You are in several groups of that name, and it is not known which one you mean."
    " Leave or rename one of them first, with a client that tells them apart."
)


def access_group_named(user_id: int, name: str) -> int:
    """The id of the user's one group of that name. InvalidInput, NotFound, Conflict."""
    found = _groups_named(user_id, clean_line(name, "name", max_length=NAME_MAX))
    if not found:
        raise NotFound("You are in no group of that name.")
    if len(found) > 1:
        raise Conflict(SEVERAL)
    return found[0]


def _groups_named(user_id: int, name: str) -> list[int]:
    mine = Membership.objects.filter(
        user_id=user_id,
        left_seq=None,
        conversation__kind=Conversation.Kind.GROUP,
        conversation__name=normal_line(name),
    )
    return list(mine.values_list("conversation_id", flat=True))


@transaction.atomic
def make_group(*, user_id: int, name: str, members: Iterable[str]) -> dict[str, Any]:
    """A group of contacts, to which every member may add theirs. InvalidInput, NotFound, Conflict."""
    name = clean_line(name, "name", max_length=NAME_MAX)
    member_ids = [user.id for user in contacts_named(user_id, members)]
    # All at once, as the service does later: of two who make the same, one sees the other's.
    lock_users([user_id, *member_ids])
    if _groups_named(user_id, name):
        raise Conflict("You are in a group of that name already.")
    made, _ = create_group(
        user_id=user_id, name=name, member_ids=member_ids, invite_policy=InvitePolicy.MEMBERS
    )
    return _group_body(made.conversation.id)


@transaction.atomic
def add_to_group(*, user_id: int, name: str, members: Iterable[str]) -> dict[str, Any]:
    """Add contacts who are not in the group yet: all of them, or nobody."""
    group_id = access_group_named(user_id, name)
    wanted = {user.id for user in contacts_named(user_id, members)}
    added = add_members(user_id=user_id, conversation_id=group_id, member_ids=wanted)
    if wanted - set(added):
        raise Conflict("Somebody of these is in the group already.")
    return _group_body(group_id)


@transaction.atomic
def remove_from_group(*, user_id: int, name: str, username: str) -> dict[str, Any]:
    """Put a member out."""
    group_id = access_group_named(user_id, name)
    member = Membership.objects.filter(
        conversation_id=group_id, left_seq=None, user__username_key=username_key(username)
    )
    member_id = member.values_list("user_id", flat=True).first()
    if member_id is None:
        raise NotFound("Nobody of that name is in the group.")
    remove_member(user_id=user_id, conversation_id=group_id, member_id=member_id)
    return _group_body(group_id)


def _group_body(group_id: int) -> dict[str, Any]:
    group = Group.objects.select_related("conversation").get(conversation_id=group_id)
    changes = Message.objects.filter(conversation_id=group_id, kind=Message.Kind.SYSTEM)
    changed_at = changes.order_by("-seq").values_list("created_at", flat=True)[0]
    return {
        "id": uuid_text(group_id),
        "name": group.conversation.name,
        "createdAt": iso_milliseconds(group.created_at),
        # The log's first entry is a moment older than the row beside it.
        "updatedAt": iso_milliseconds(max(group.created_at, changed_at)),
    }
