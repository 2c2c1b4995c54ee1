"""Coming into a group by an invitation, at once or after somebody approved.

Uses are counted under the lock of the group's conversation: of any number who come at once
by a link for N, N get in.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.feed import bump_feeds, lock_users
from common.errors import Forbidden, NotFound, SessionEnded
from common.limits import window
from conversations.services.members import lock_group
from groups.models import Invitation, JoinRequest
from groups.permissions import Permission
from groups.selectors import (
    Access,
    Preview,
    access_group,
    current_members,
    find_invitation,
    list_join_requests,
    preview_of,
    require_open,
    reviewers_of,
    was_removed,
)
from groups.services.locks import lock_and_access
from groups.services.members import admit, require_free_place


@dataclass(frozen=True, slots=True)
class JoinResult:
    """What became of an attempt to join: no `access` while somebody has to approve.

    `fresh` if this very attempt made them a member.
    """

    conversation_id: int
    access: Access | None = None
    created: bool = False


def preview_invitation(*, user_id: int, token: str) -> Preview:
    """What the invitation of this token leads to. NotFound, RateLimited."""
    _count_attempt(user_id)
    invitation = find_invitation(token)
    require_open(invitation, user_id)
    return preview_of(invitation)


def _count_attempt(user_id: int) -> None:
    window.hit(settings.INVITATION_ATTEMPTS_PER_USER, "invitation", str(user_id))


def join_group(*, user_id: int, token: str) -> JoinResult:
    """Join by an invitation, or ask to. Again changes nothing.

    NotFound for a token that lets nobody in, Forbidden for who was removed from the group,
    Conflict when it is full, RateLimited.
    """
    _count_attempt(user_id)
    invitation = find_invitation(token)
    return _join(user_id, invitation)


@transaction.atomic
def _join(user_id: int, invitation: Invitation) -> JoinResult:
    # Who answers requests is told of them, so their feeds move.
    notified = reviewers_of(invitation.group_id) if invitation.needs_approval else set()
    if not lock_users({user_id, *notified})[user_id].is_active:
        raise SessionEnded
    conversation = lock_group(invitation.group_id)
    if current_members(conversation.id).filter(user_id=user_id).exists():
        return JoinResult(conversation.id, _look(user_id, conversation.id))
    # Read again: others may have come by it meanwhile.
    invitation = Invitation.objects.select_related("group").get(id=invitation.id)
    invitation.group.conversation = conversation
    waiting = JoinRequest.objects.filter(group_id=conversation.id, user_id=user_id)
    if invitation.needs_approval and waiting.exists():
        return JoinResult(conversation.id)
    require_open(invitation, user_id)
    if was_removed(conversation.id, user_id):
        raise Forbidden("You were removed from this group. Only its members can add you again.")
    require_free_place(conversation.member_count + 1)
    invitation.uses += 1
    invitation.save(update_fields=["uses"])
    if not invitation.needs_approval:
        admit(invitation.group, actor_id=user_id, user_ids=[user_id], action="member.joined")
        return JoinResult(conversation.id, _look(user_id, conversation.id), created=True)
    JoinRequest.objects.create(
        group=invitation.group,
        user_id=user_id,
        invitation=invitation,
        created_at=timezone.now(),
    )
    bump_feeds(notified)
    return JoinResult(conversation.id)


def _look(user_id: int, conversation_id: int) -> Access:
    return access_group(
        user_id=user_id, conversation_id=conversation_id, permission=Permission.READ
    )


@transaction.atomic
def approve_request(*, user_id: int, conversation_id: int, asking_id: int) -> None:
    """Let somebody in who asked. NotFound, Forbidden, Conflict."""
    access = lock_and_access(
        user_id=user_id,
        conversation_id=conversation_id,
        permission=Permission.MANAGE_INVITATIONS,
        also=[asking_id],
    )
    if not list_join_requests(user_id, conversation_id).filter(user_id=asking_id).exists():
        raise NotFound
    admit(access.group, actor_id=user_id, user_ids=[asking_id])


@transaction.atomic
def decline_request(*, user_id: int, conversation_id: int, asking_id: int) -> None:
    """Take a request off the list; whoever asked is not told. NotFound, Forbidden, Conflict."""
    notified = reviewers_of(conversation_id)
    lock_and_access(
        user_id=user_id,
        conversation_id=conversation_id,
        permission=Permission.MANAGE_INVITATIONS,
        also=notified,
    )
    request = list_join_requests(user_id, conversation_id).filter(user_id=asking_id).first()
    if request is None:
        raise NotFound
    request.delete()
    # The others who might have answered it.
    bump_feeds(notified)
