"""Leaving a group, and what becomes of an owner's groups when their account is deleted."""

from django.db import transaction

from accounts.models import User
from accounts.services.locks import Overtaken
from chatbe.core.errors import Conflict
from conversations.models import Membership
from conversations.services import members
from groups.models import JoinRequest
from groups.permissions import Permission, Role
from groups.selectors import heirs_of
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
    """Leave every group, inside the transaction that deletes the account.

    What the user owns goes to its heir or, without one, is closed. Overtaken if somebody
    became an heir while the locks were taken.
    """
    ids = Membership.objects.filter(
        user_id=user_id, left_seq=None, conversation__group__isnull=False
    ).order_by("conversation_id")
    conversations = [members.lock_group(id) for id in ids.values_list("conversation_id", flat=True)]
    heirs = heirs_of(user_id)
    _require_locked({heir for heir in heirs.values() if heir is not None})
    for conversation in conversations:
        if conversation.id in heirs:
            heir = heirs[conversation.id]
            if heir is None:
                close_locked(conversation, actor_id=user_id)
            else:
                members.set_role(conversation, actor_id=user_id, user_id=heir, role=Role.OWNER)
        members.remove_member(conversation, actor_id=user_id, user_id=user_id, action="member.left")
    JoinRequest.objects.filter(user_id=user_id).delete()


def _require_locked(user_ids: set[int]) -> None:
    """Heirs were locked before the groups were, unless they became it in between.

    Such a one is locked without waiting: to wait for a user here would break the order.
    """
    rows = User.objects.filter(id__in=user_ids).order_by("id")
    free = rows.select_for_update(no_key=True, skip_locked=True).values_list("id", flat=True)
    if set(free) != user_ids:
        raise Overtaken
