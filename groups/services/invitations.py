"""Invitation links: made, listed, revoked. What they are good for is in joining.py.

A link makes members, never more; roles are given by the owner.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.tokens import hash_of, new_secret
from common.errors import Conflict, InvalidInput, NotFound
from groups.models import Invitation
from groups.permissions import Permission
from groups.selectors import list_invitations
from groups.services.locks import lock_and_access

EXPIRES_MIN, EXPIRES_MAX = 60, 365 * 24 * 3_600
USES_MAX = 100_000
# Of one group, that have not been revoked.
INVITATIONS_MAX = 200


@transaction.atomic
def create_invitation(
    *,
    user_id: int,
    conversation_id: int,
    expires_in: int | None = None,
    max_uses: int | None = None,
    needs_approval: bool = False,
) -> tuple[Invitation, str]:
    """A new invitation and its token, which is never shown again; `expires_in` is in seconds.

    None is for ever, and any number of uses. InvalidInput, NotFound, Forbidden, Conflict.
    """
    if expires_in is not None and not EXPIRES_MIN <= expires_in <= EXPIRES_MAX:
        raise InvalidInput(fields={"expires_in": f"is not from {EXPIRES_MIN} to {EXPIRES_MAX}"})
    if max_uses is not None and not 1 <= max_uses <= USES_MAX:
        raise InvalidInput(fields={"max_uses": f"is not from 1 to {USES_MAX}"})
    access = lock_and_access(
        user_id=user_id, conversation_id=conversation_id, permission=Permission.INVITE
    )
    if access.group.invitations.filter(revoked_at=None).count() >= INVITATIONS_MAX:
        raise Conflict(f"A group has at most {INVITATIONS_MAX} invitations. Revoke some.")
    token, now = new_secret(), timezone.now()
    invitation = Invitation.objects.create(
        group=access.group,
        hash=hash_of(token),
        created_by_id=user_id,
        created_at=now,
        expires_at=None if expires_in is None else now + timedelta(seconds=expires_in),
        max_uses=max_uses,
        needs_approval=needs_approval,
    )
    return invitation, token


@transaction.atomic
def revoke_invitation(*, user_id: int, conversation_id: int, invitation_id: int) -> None:
    """Make an invitation worthless: one's own, or as an admin anybody's.

    Under the group's lock: nobody comes in by it after this is answered. Requests that came
    by it wait on. NotFound, Forbidden, Conflict.
    """
    access = lock_and_access(
        user_id=user_id, conversation_id=conversation_id, permission=Permission.INVITE
    )
    found = list_invitations(access, user_id).filter(id=invitation_id)
    if not found.update(revoked_at=timezone.now()):
        raise NotFound
