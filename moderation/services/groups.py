"""What operators do to groups, in the place of their owners.

A group that is not closed keeps an owner. Members see in the log what was done, and by
which account.
"""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from chatbe.core.errors import Conflict, NotFound
from conversations.changes import append_system
from conversations.models import Conversation, Membership
from conversations.services import members
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
    group.closed_at = timezone.now()
    append_system(group, actor_id=actor.id, action="group.closed", reread=True)
    target = (Target.CONVERSATION, conversation_id)
    record(actor=actor, action=Action.GROUP_CLOSED, target=target, reason=reason)


@transaction.atomic
def remove_member(*, actor: User, conversation_id: int, user_id: int, reason: str) -> None:
    """Put a member out of a group. NotFound, Conflict for its only owner."""
    reason = clean_reason(reason)
    group = members.lock_group(conversation_id, [user_id])
    _require_another_owner(group, user_id)
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
    """Give a member of a group another role. NotFound, Conflict for its only owner."""
    reason = clean_reason(reason)
    group = members.lock_group(conversation_id, [user_id])
    membership = _current(group).filter(user_id=user_id).first()
    if membership is None:
        raise NotFound
    if membership.role == role:
        raise Conflict("They have this role already.")
    _require_another_owner(group, user_id)
    members.set_role(group, actor_id=actor.id, user_id=user_id, role=role)
    record(
        actor=actor,
        action=Action.ROLE_CHANGED,
        target=(Target.CONVERSATION, conversation_id),
        reason=reason,
        user_id=str(user_id),
        role=role,
        was=membership.role,
    )


def _current(group: Conversation) -> QuerySet[Membership]:
    return Membership.objects.filter(conversation=group, left_seq=None)


def _require_another_owner(group: Conversation, user_id: int) -> None:
    owners = set(_current(group).filter(role=Role.OWNER).values_list("user_id", flat=True))
    if owners == {user_id} and group.closed_at is None:
        raise Conflict("They are the only owner. Make somebody else an owner first.")
