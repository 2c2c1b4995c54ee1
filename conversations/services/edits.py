"""Changing and deleting messages: their place and client_id stay for ever."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from common.errors import Forbidden, NotFound
from common.text import clean_text
from conversations.log.changes import append_change, lock_conversation, message_body
from conversations.models import Conversation, Membership, Message
from conversations.schemas import MessageBody
from conversations.selectors.posting import MAY_POST


@transaction.atomic
def edit_message(*, user_id: int, conversation_id: int, seq: int, text: str) -> MessageBody:
    """Give one's own message another text. InvalidInput, TooLarge, NotFound, Forbidden.

    Only where one could also write a new one; the same text again changes nothing.
    """
    text = clean_text(text)
    conversation, message, member = _access(user_id, conversation_id, seq)
    if message.deleted_at is not None:
        raise NotFound
    if message.sender_id != user_id or not member.may_post:
        raise Forbidden
    if message.text == text:
        return message_body(message)
    message.text = text
    message.edited_at = timezone.now()
    return append_change(conversation, message)


@transaction.atomic
def delete_message(*, user_id: int, conversation_id: int, seq: int) -> MessageBody:
    """Empty one's own message, or another's as the group's owner or admin. NotFound, Forbidden."""
    conversation, message, member = _access(user_id, conversation_id, seq)
    if message.sender_id != user_id and member.role == Membership.Role.MEMBER:
        raise Forbidden
    return _empty(conversation, message)


@transaction.atomic
def delete_for_everyone(*, conversation_id: int, seq: int) -> MessageBody:
    """Empty a message, whoever asks: for moderators. NotFound."""
    conversation = lock_conversation(conversation_id)
    return _empty(conversation, _message_at(conversation_id, seq))


def _empty(conversation: Conversation, message: Message) -> MessageBody:
    if message.deleted_at is not None:
        # A retry, or somebody was faster.
        return message_body(message)
    tombstone(message)
    return append_change(conversation, message)


def tombstone(message: Message) -> None:
    """Leave nothing of a message but its place; it is yet to be saved."""
    message.text = ""
    message.deleted_at = timezone.now()


def _access(user_id: int, conversation_id: int, seq: int) -> tuple[Conversation, Message, Any]:
    """The locked conversation, the message, and the membership with `may_post`. NotFound."""
    conversation = lock_conversation(conversation_id)
    members = Membership.objects.filter(
        conversation_id=conversation_id, user_id=user_id, left_seq=None, visible_from__lte=seq
    )
    member = members.annotate(may_post=MAY_POST).first()
    if member is None:
        raise NotFound
    return conversation, _message_at(conversation_id, seq), member


def _message_at(conversation_id: int, seq: int) -> Message:
    """A text, deleted or not; system messages never change. NotFound."""
    message = Message.objects.filter(
        conversation_id=conversation_id, seq=seq, kind=Message.Kind.TEXT
    ).first()
    if message is None:
        raise NotFound
    return message
