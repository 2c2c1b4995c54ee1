"""Adding people to a group, removing them, leaving it, and what role they have in it.

What concerns a user moves their feed, so the user is locked first: see `lock_and_access`.
"""

from collections.abc import Collection

from django.conf import settings
from django.db import transaction

from common.errors import Conflict, Forbidden, InvalidInput, NotFound
from contacts.selectors import visible_users
from conversations.models import Conversation
from conversations.services import members
from groups.models import Group, History, JoinRequest
from groups.permissions import Permission, Role, is_above
from groups.selectors import access_group, current_members, role_in
from groups.services.consent import count_added, require_consent
from groups.services.locks import lock_and_access


def require_free_place(member_count: int) -> None:
    """Conflict if a group cannot have so many members."""
    if member_count > settings.GROUP_MEMBERS_MAX:
        raise Conflict(f"A group has at most {settings.GROUP_MEMBERS_MAX} members.")


@transaction.atomic
def add_members(*, user_id: int, conversation_id: int, member_ids: Collection[int]) -> list[int]:
    """Add people who let the user do so; the ids of those who were not in the group yet.

    Also whoever has left or was removed before. InvalidInput, NotFound, Forbidden, Conflict,
    RateLimited.
    """
    wanted = set(member_ids)
    # Counted before anything is locked: a thousand of them take their time.
    before = access_group(
        user_id=user_id, conversation_id=conversation_id, permission=Permission.ADD
    )
    new = wanted - _already_in(before.conversation, wanted)
    require_consent(user_id, new)
    count_added(user_id, new)
    access = lock_and_access(
        user_id=user_id,
        conversation_id=conversation_id,
        permission=Permission.ADD,
        also={user_id, *wanted},
    )
    require_consent(user_id, wanted - _already_in(access.conversation, wanted))
    return admit(access.group, actor_id=user_id, user_ids=wanted)


def _already_in(conversation: Conversation, user_ids: Collection[int]) -> set[int]:
    rows = current_members(conversation.id).filter(user_id__in=user_ids)
    return set(rows.values_list("user_id", flat=True))


def admit(
    group: Group,
    *,
    actor_id: int,
    user_ids: Collection[int],
    action: str = "members.added",
) -> list[int]:
    """Make these users members, under the locks of the group and all of them. Conflict.

    The one way in, but for the founders: the limit holds here, and nobody waits any more.
    """
    conversation = group.conversation
    new = set(user_ids) - _already_in(conversation, user_ids)
    require_free_place(conversation.member_count + len(new))
    JoinRequest.objects.filter(group=group, user_id__in=new).delete()
    return members.add_members(
        conversation,
        actor_id=actor_id,
        user_ids=sorted(new),
        share_history=group.history == History.ALL,
        action=action,
    )


@transaction.atomic
def remove_member(*, user_id: int, conversation_id: int, member_id: int) -> None:
    """Put a member of a lower role out: nothing from now on reaches them.

    NotFound, Forbidden, Conflict.
    """
    access = lock_and_access(
        user_id=user_id,
        conversation_id=conversation_id,
        permission=Permission.REMOVE,
        also=[member_id],
    )
    if not is_above(access.role, role_in(conversation_id, member_id)):
        raise Forbidden
    members.remove_member(access.conversation, actor_id=user_id, user_id=member_id)


@transaction.atomic
def set_role(*, user_id: int, conversation_id: int, member_id: int, role: str) -> None:
    """Make a member an admin, or an admin a member. InvalidInput, NotFound, Forbidden, Conflict."""
    if role not in {Role.ADMIN, Role.MEMBER}:
        raise InvalidInput(fields={"role": "is neither admin nor member"})
    wanted = Role(role)
    access = lock_and_access(
        user_id=user_id,
        conversation_id=conversation_id,
        permission=Permission.SET_ROLE,
        also=[member_id],
    )
    present = role_in(conversation_id, member_id)
    if wanted == Role.ADMIN and not visible_users(user_id, [member_id]).exists():
        # Who has blocked them is no help to them, and is asked for nothing.
        raise NotFound
    if present == Role.OWNER:
        raise Conflict("Pass the ownership on instead.")
    if present != wanted:
        members.set_role(access.conversation, actor_id=user_id, user_id=member_id, role=wanted)


@transaction.atomic
def transfer_group(*, user_id: int, conversation_id: int, member_id: int) -> None:
    """Make another member the owner; who was it stays as an admin.

    NotFound also for a bot and for who is gone for the owner. InvalidInput, Forbidden, Conflict.
    """
    if member_id == user_id:
        raise InvalidInput(fields={"user_id": "is yourself"})
    access = lock_and_access(
        user_id=user_id,
        conversation_id=conversation_id,
        permission=Permission.TRANSFER,
        also=[user_id, member_id],
    )
    role_in(conversation_id, member_id)
    if not visible_users(user_id, [member_id]).filter(is_bot=False).exists():
        raise NotFound
    members.lock_memberships(access.conversation, [user_id, member_id])
    members.set_role(access.conversation, actor_id=user_id, user_id=member_id, role=Role.OWNER)
    members.set_role(access.conversation, actor_id=user_id, user_id=user_id, role=Role.ADMIN)
