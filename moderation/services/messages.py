"""Deleting what somebody wrote, for everyone."""

from django.db import transaction

from accounts.models import User
from common.errors import Conflict
from conversations.log.changes import lock_conversation
from conversations.models import Message
from conversations.services.edits import delete_for_everyone
from moderation.models import Action, Target
from moderation.services.audit import clean_reason, record


@transaction.atomic
def delete_message(*, actor: User, conversation_id: int, seq: int, reason: str) -> None:
    """Empty a message; a tombstone stays in its place. NotFound, Conflict."""
    reason = clean_reason(reason)
    lock_conversation(conversation_id)
    place = Message.objects.filter(conversation_id=conversation_id, seq=seq)
    if place.exclude(deleted_at=None).exists():
        raise Conflict("It is deleted already.")
    message = delete_for_everyone(conversation_id=conversation_id, seq=seq)
    record(
        actor=actor,
        action=Action.MESSAGE_DELETED,
        target=(Target.CONVERSATION, conversation_id),
        reason=reason,
        seq=seq,
        message_id=message.id,
        sender_id=message.sender_id,
    )
