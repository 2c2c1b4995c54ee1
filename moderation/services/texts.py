"""Reading what people wrote to each other: only for a stated reason, and never unnoticed."""

from collections.abc import Collection

from django.db import transaction

from accounts.models import User
from common.errors import Forbidden, NotFound
from conversations.models import Conversation
from moderation.models import Action, Target
from moderation.services.audit import clean_reason, record

READ_TEXTS = "conversations.read_message_text"


@transaction.atomic
def open_texts(*, actor: User, conversation_id: int, reason: str) -> str:
    """Note why somebody is going to read a conversation; the reason. NotFound, Forbidden."""
    reason = clean_reason(reason)
    if not actor.has_perm(READ_TEXTS):
        raise Forbidden
    if not Conversation.objects.filter(id=conversation_id).exists():
        raise NotFound
    target = (Target.CONVERSATION, conversation_id)
    record(actor=actor, action=Action.TEXTS_OPENED, target=target, reason=reason)
    return reason


@transaction.atomic
def note_reading(*, actor: User, conversation_id: int, reason: str, seqs: Collection[int]) -> None:
    """Note that these messages are about to be shown."""
    target = (Target.CONVERSATION, conversation_id)
    record(actor=actor, action=Action.TEXTS_READ, target=target, reason=reason, seqs=sorted(seqs))
