"""Leaving a group, and what becomes of an owner's groups when their account is deleted."""

from django.db import transaction

from accounts.services.locks import LockConflict, retry_on_lock_conflict
from common.errors import Conflict
from conversations.models import Membership
from conversations.services import members
from groups.models import JoinRequest
from groups.permissions import Permission, Role
from groups.selectors import current_members, heir_of
from groups.services.groups import close_locked
from groups.services.locks import lock_and_access


@transaction.atomic
def leave_group(*, user_id: int, conversation_id: int) -> None:
    """Leave. An owner passes the group on first; the last one to leave closes it.

    NotFound, Conflict.
    """
    access = lock_and_access(
        user_id=user_id,
        conversation_id=conversation_id,
        permission=Permission.LEAVE,
        also=[user_id],
    )
    conversation = access.conversation
    if access.role == Role.OWNER and conversation.closed_at is None:
        if conversation.member_count > 1:
            raise Conflict("Pass the ownership on before you leave.")
        close_locked(conversation, actor_id=user_id)
    members.remove_member(conversation, actor_id=user_id, user_id=user_id, action="member.left")


def leave_all(user_id: int) -> None:
    """Leave every group, one after the other, for somebody whose account is deleted.

    What the user owns goes to its heir or, without one, is closed.
    """
    mine = Membership.objects.filter(
        user_id=user_id, left_seq=None, conversation__group__isnull=False
    )
    for conversation_id in mine.order_by("conversation_id").values_list(
        "conversation_id", flat=True
    ):
        _leave_behind(user_id, conversation_id)
    JoinRequest.objects.filter(user_id=user_id).delete()


@retry_on_lock_conflict
@transaction.atomic
def _leave_behind(user_id: int, conversation_id: int) -> None:
    heir = heir_of(user_id, conversation_id)
    conversation = members.lock_group(
        conversation_id, {user_id} if heir is None else {user_id, heir}
    )
    mine = current_members(conversation_id).filter(user_id=user_id)
    role = mine.values_list("role", flat=True).first()
    if role is None:
        return
    if heir_of(user_id, conversation_id) != heir:
        # Only who was locked before the group can inherit it.
        raise LockConflict
    if heir is not None:
        members.lock_memberships(conversation, {user_id, heir})
        members.set_role(conversation, actor_id=user_id, user_id=heir, role=Role.OWNER)
    elif role == Role.OWNER:
        close_locked(conversation, actor_id=user_id)
    members.remove_member(conversation, actor_id=user_id, user_id=user_id, action="member.left")
