"""What operators do to groups, in the place of their owners.

A group that is not closed has an owner, one. Members see in the log what was done, and by
which account.
"""

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from common.errors import Conflict, NotFound
from conversations.models import Membership
from conversations.services import members
from groups.services.groups import close_locked
from moderation.models import Action, Target
from moderation.services.audit import clean_reason, record

Role = Membership.Role


@transaction.atomic
def close_group(*, actor: User, conversation_id: int, reason: str) -> None:
    """Nobody writes in the group any more; it stays readable. NotFound, Conflict."""
    reason = clean_reason(reason)
    group = members.lock_group(conversation_id)
    if group.closed_at is not None:
        raise Conflict("It is closed already.")
    close_locked(group, actor_id=actor.id)
    target = (Target.CONVERSATION, conversation_id)
    record(actor=actor, action=Action.GROUP_CLOSED, target=target, reason=reason)


@transaction.atomic
def remove_member(*, actor: User, conversation_id: int, user_id: int, reason: str) -> None:
    """Put a member out of a group. NotFound, Conflict for the owner of one that is open."""
    reason = clean_reason(reason)
    group = members.lock_group(conversation_id, [user_id])
    if group.closed_at is None and _owner_of(conversation_id) == user_id:
        raise Conflict("They own the group. Make somebody else its owner first.")
    members.remove_member(group, actor_id=actor.id, user_id=user_id)
    record(
        actor=actor,
        action=Action.MEMBER_REMOVED,
        target=(Target.CONVERSATION, conversation_id),
        reason=reason,
        user_id=str(user_id),
    )


@transaction.atomic
def change_role(
    *, actor: User, conversation_id: int, user_id: int, role: Role, reason: str
) -> None:
    """Give a member of a group another role; who was its owner before a new one is an admin.

    NotFound, Conflict.
    """
    reason = clean_reason(reason)
    owner_id = _owner_of(conversation_id)
    concerned = {user_id} if owner_id is None else {user_id, owner_id}
    group = members.lock_group(conversation_id, concerned)
    was = _current(conversation_id).filter(user_id=user_id).values_list("role", flat=True).first()
    if was is None:
        raise NotFound
    if was == role:
        raise Conflict("They have this role already.")
    if _owner_of(conversation_id) != owner_id:
        raise Conflict("The owner has just changed. Look again.")
    if was == Role.OWNER:
        raise Conflict("They own the group. Make somebody else its owner instead.")
    members.lock_memberships(group, concerned)
    members.set_role(group, actor_id=actor.id, user_id=user_id, role=role)
    if role == Role.OWNER and owner_id is not None:
        members.set_role(group, actor_id=actor.id, user_id=owner_id, role=Role.ADMIN)
    record(
        actor=actor,
        action=Action.ROLE_CHANGED,
        target=(Target.CONVERSATION, conversation_id),
        reason=reason,
        user_id=str(user_id),
        role=role,
        was=was,
    )


def _current(conversation_id: int) -> QuerySet[Membership]:
    return Membership.objects.filter(conversation_id=conversation_id, left_seq=None)


def _owner_of(conversation_id: int) -> int | None:
    owners = _current(conversation_id).filter(role=Role.OWNER)
    return owners.values_list("user_id", flat=True).first()
